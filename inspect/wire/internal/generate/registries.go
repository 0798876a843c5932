package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

func (g *generator) versions() error {
	var file struct {
		Versions []struct {
			ID    hex      `json:"id"`
			Name  string   `json:"name"`
			Names []string `json:"names"`
		} `json:"versions"`
		ContentTypes   map[string]string `json:"content_types"`
		HandshakeTypes map[string]string `json:"handshake_types"`
	}
	if err := g.read("versions.json", &file); err != nil {
		return err
	}
	var rows []named
	for _, v := range file.Versions {
		// The record writes the minor number of 1.0 (docs/record.md); the registry file follows OpenSSL, which does not.
		if v.Name == "TLSv1" || v.Name == "DTLSv1" {
			v.Name += ".0"
		}
		rows = append(rows, named{uint32(v.ID), v.Name})
	}
	g.table("versionNames", "Version", rows)

	contents, err := numbered(file.ContentTypes)
	if err != nil {
		return fmt.Errorf("content types: %w", err)
	}
	g.constants("Content types (RFC 8446, Section 5.1; RFC 6520; RFC 9146; RFC 9147).", "ContentType", "ContentType", contents)
	g.table("contentTypeNames", "ContentType", contents)

	file.HandshakeTypes["67"] = "next_protocol" // draft-agl-tls-nextprotoneg-04: never registered, still met in old captures
	handshakes, err := numbered(file.HandshakeTypes)
	if err != nil {
		return fmt.Errorf("handshake types: %w", err)
	}
	g.constants("Handshake types.", "HandshakeType", "HandshakeType", handshakes)
	g.table("handshakeTypeNames", "HandshakeType", handshakes)
	return nil
}

// numbered turns {"20": "name (remark)"} into rows in the order of the numbers.
func numbered(m map[string]string) ([]named, error) {
	var rows []named
	for _, k := range slices.Sorted(maps.Keys(m)) {
		n, err := strconv.ParseUint(k, 10, 8)
		if err != nil {
			return nil, err
		}
		name, _, _ := strings.Cut(m[k], " (")
		rows = append(rows, named{uint32(n), name})
	}
	slices.SortFunc(rows, func(a, b named) int { return cmp.Compare(a.code, b.code) })
	return rows, nil
}

// group is a row of groups.json.
type group struct {
	ID       hex      `json:"id"`
	Name     string   `json:"name"`
	Kind     string   `json:"kind"`
	Obsolete bool     `json:"obsolete"`
	TLS13    bool     `json:"tls13"`
	Share    *share   `json:"key_share_bytes"`
	OpenSSL  []string `json:"openssl_names"`
	GnuTLS   string   `json:"gnutls_name"`
	Go       string   `json:"go_name"`
	Boring   string   `json:"boringssl_name"`
}

// share is the size of a group's key share in bytes, each way.
type share struct {
	Client int `json:"client"`
	Server int `json:"server"`
}

func (g *generator) groups() error {
	var file struct {
		Groups []group `json:"groups"`
	}
	if err := g.read("groups.json", &file); err != nil {
		return err
	}
	slices.SortFunc(file.Groups, func(a, b group) int { return cmp.Compare(a.ID, b.ID) })
	var rows []named
	var first, rest []alias
	g.printf("var groupFacts = [...]groupFact{\n")
	for _, x := range file.Groups {
		if x.Share == nil {
			x.Share = &share{}
		}
		g.printf("{%#04x, %q, %q, %v, %v, %d, %d},\n", uint32(x.ID), x.Name, x.Kind, x.TLS13, x.Obsolete, x.Share.Client, x.Share.Server)
		rows = append(rows, named{uint32(x.ID), x.Name})
		first = append(first, alias{x.Name, uint32(x.ID), false})
		for _, n := range append(x.OpenSSL, x.GnuTLS, x.Go, x.Boring) {
			rest = append(rest, alias{n, uint32(x.ID), false})
		}
	}
	g.printf("}\n\n")
	g.constants("Named groups, by their registry names.", "Group", "NamedGroup", rows)
	g.index("groupIndex", "NamedGroup", append(first, rest...))
	return nil
}

// signatureKinds gives the constant for a kind of the registry file.
var signatureKinds = map[string]string{
	"RSASSA-PKCS1-v1_5":              "SignatureRSAPKCS1",
	"RSASSA-PSS (rsaEncryption key)": "SignatureRSAPSSRSAE",
	"RSASSA-PSS (RSASSA-PSS key)":    "SignatureRSAPSSPSS",
	"DSA":                            "SignatureDSA",
	"ECDSA":                          "SignatureECDSA",
	"EdDSA":                          "SignatureEdDSA",
	"ML-DSA":                         "SignatureMLDSA",
	"SM2":                            "SignatureSM2",
	"GOST":                           "SignatureGOST",
	"ECCSI":                          "SignatureECCSI",
	"ISO-IBS":                        "SignatureISOIBS",
}

func (g *generator) schemes() error {
	var file struct {
		Schemes []struct {
			ID               hex    `json:"id"`
			Name             string `json:"name"`
			Kind             string `json:"kind"`
			Hash             string `json:"hash"`
			Curve            string `json:"curve_bound_in_tls13"`
			TLS13            bool   `json:"tls13_certificate_verify"`
			CertificatesOnly bool   `json:"tls13_certificates_only"`
			OpenSSL          string `json:"openssl_name"`
			GnuTLS           string `json:"gnutls_name"`
			Go               string `json:"go_name"`
		} `json:"signature_schemes"`
	}
	if err := g.read("signature-schemes.json", &file); err != nil {
		return err
	}
	var rows []named
	var first, rest []alias
	lines := map[uint32]string{}
	for _, x := range file.Schemes {
		kind, ok := signatureKinds[x.Kind]
		if !ok {
			return fmt.Errorf("signature scheme %s: unknown kind %q", x.Name, x.Kind)
		}
		curve := "0"
		if x.Curve != "" {
			curve = "Group" + camel(x.Curve)
		}
		lines[uint32(x.ID)] = fmt.Sprintf("{%#04x, %q, %s, %q, %s, %v, %v},\n", uint32(x.ID), x.Name, kind, x.Hash, curve, x.TLS13, x.CertificatesOnly)
		rows = append(rows, named{uint32(x.ID), x.Name})
		first = append(first, alias{x.Name, uint32(x.ID), false})
		for _, n := range append(strings.Split(x.OpenSSL, " / "), x.GnuTLS, x.Go) {
			rest = append(rest, alias{n, uint32(x.ID), false})
		}
	}
	g.printf("var schemeFacts = [...]schemeFact{\n")
	for _, id := range slices.Sorted(maps.Keys(lines)) {
		g.printf("%s", lines[id])
	}
	g.printf("}\n\n")
	g.constants("Signature schemes, and the hash and signature pairs of TLS 1.2, by their registry names.", "Scheme", "SignatureScheme", rows)
	g.index("schemeIndex", "SignatureScheme", append(first, rest...))
	return nil
}

// extensionNames overrides names of the registry file that are ambiguous, and adds code points that browsers send but
// no registry lists.
var extensionNames = map[uint32]string{
	0x44CD: "application_settings_new", // draft-vvv-tls-alps, the second code point of Chromium
	0x8B47: "padding_draft",            // the name "padding" belongs to 21 (RFC 7685)
	0xCA34: "trust_anchors",            // draft-ietf-tls-trust-anchor-ids
	0xFFA5: "quic_transport_parameters_draft",
}

func (g *generator) extensions() error {
	var file struct {
		Extensions []struct {
			ID   hex    `json:"id"`
			Name string `json:"name"`
		} `json:"extensions"`
	}
	if err := g.read("extensions.json", &file); err != nil {
		return err
	}
	names := map[uint32]string{}
	for _, x := range file.Extensions {
		names[uint32(x.ID)] = x.Name
	}
	maps.Copy(names, extensionNames)
	var rows, constants []named
	var index []alias
	for _, id := range slices.Sorted(maps.Keys(names)) {
		rows = append(rows, named{id, names[id]})
		index = append(index, alias{names[id], id, false})
		constant := names[id]
		switch constant {
		case "application_layer_protocol_negotiation":
			constant = "ALPN"
		case "signed_certificate_timestamp":
			constant = "SCT"
		}
		constants = append(constants, named{id, constant})
	}
	g.constants("Extension types, by their registry names (application_layer_protocol_negotiation is ExtensionALPN, signed_certificate_timestamp ExtensionSCT).", "Extension", "ExtensionType", constants)
	g.table("extensionNames", "ExtensionType", rows)
	g.index("extensionIndex", "ExtensionType", index)
	return nil
}

func (g *generator) alerts() error {
	var file struct {
		Levels map[string]string `json:"levels"`
		Alerts []struct {
			ID   uint32 `json:"id"`
			Name string `json:"name"`
		} `json:"alerts"`
	}
	if err := g.read("alerts.json", &file); err != nil {
		return err
	}
	levels, err := numbered(file.Levels)
	if err != nil {
		return fmt.Errorf("alert levels: %w", err)
	}
	g.constants("Alert levels (RFC 8446, Section 6).", "AlertLevel", "AlertLevel", levels)
	g.table("alertLevelNames", "AlertLevel", levels)
	var rows []named
	var index []alias
	for _, x := range file.Alerts {
		rows = append(rows, named{x.ID, x.Name})
		index = append(index, alias{x.Name, x.ID, false})
	}
	g.constants("Alerts, by their registry names without the suffix _RESERVED.", "Alert", "AlertDescription", rows)
	g.table("alertNames", "AlertDescription", rows)
	g.index("alertIndex", "AlertDescription", index)
	return nil
}
