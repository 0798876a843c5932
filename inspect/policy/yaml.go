package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Bounds of a policy file.
const (
	MaxFileBytes = 256 << 10
	maxItems     = 1000 // in one list
	maxErrors    = 20   // told of one file
)

// FileError is one thing that is wrong with a policy file.
type FileError struct {
	File    string
	Line    int      // from 1; 0: not known
	Key     string   // empty: not about one key
	Message string   // the fact
	Nearest []string // what may have been meant
}

// Error is place, key and fact: "edge.yaml:4: ciphers: …".
func (e *FileError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		b.WriteString(":" + strconv.Itoa(e.Line))
	}
	if e.Key != "" {
		b.WriteString(": " + e.Key)
	}
	b.WriteString(": " + e.Message)
	if len(e.Nearest) > 0 {
		b.WriteString("; did you mean " + strings.Join(e.Nearest, ", ") + "?")
	}
	return b.String()
}

// ParseYAML reads a policy of the user's own. All keys are optional save versions and ciphers, and those too with extends:
//
//	name: edge                       # default: the file's name
//	extends: mozilla/intermediate-5.7  # a built-in policy; what stands here replaces its values
//	versions: [TLSv1.2, TLSv1.3]     # or {min: TLSv1.2, max: TLSv1.3}
//	ciphers:                         # IANA or OpenSSL names, in the server's order; with TLS 1.3 but none of its suites
//	  - [A, B]                       # here, its three common ones are added. A list inside the list: equal preference
//	  - C
//	cipher_preference: server        # server (default) | client | server-chacha
//	cipher_preference_tls13: client  # the same for the suites of TLS 1.3, where it is another
//	groups: [X25519, P-256]          # in the server's order; absent: not known
//	signature_algorithms: [rsa_pkcs1_sha256]
//	certificates: [rsa, ecdsa-p256]  # rsa | ecdsa-p256 | ecdsa-p384 | ecdsa-p521 | ed25519
//	dh_parameters: false             # DHE suites cannot be used (default true)
//	alpn: [h2, http/1.1]
//	alpn_required: true              # no protocol in common ends the handshake
//	alpn_otherwise: http/1.1         # what is answered where no protocol is in common (httpd); absent: nothing
//	server_names: [example.com, "*.example.com"]
//	sni_required: true
//	client_auth: none                # none | request | require
//	family: openssl                  # s2n | openssl | boringssl | go | gnutls | schannel | jsse: whose library answers
//	go_release: "1.24"               # of crypto/tls, with family go; absent: the newest that is known
//	blocked_versions: [TLSv1.0]      # chosen, but then no handshake completes
//	old_version_alert: internal_error # answer to versions below the lowest; absent: protocol_version
//	name_alert: internal_error       # answer to a name that is not served; none: the connection is closed; absent: unrecognized_name
//	certificate_first: true          # the certificate is chosen before the suite; by-tls12: and suites of TLS 1.3 do not count
//	security_level: 2                # of OpenSSL; what it takes away is to be away already
//	notes: text
//
// The name of the file is for errors alone. What is wrong comes back as *FileError values joined, with lines and the
// nearest names.
func ParseYAML(data []byte, file string) (*Policy, error) {
	d := yamlDecoder{file: file}
	p := d.policy(data)
	if len(d.errors) > 0 {
		return nil, errors.Join(d.errors...)
	}
	return p, nil
}

type yamlDecoder struct {
	file   string
	errors []error
	lines  map[string]int // of the keys
}

func (d *yamlDecoder) fail(line int, key, message string, near ...string) {
	if len(d.errors) < maxErrors {
		d.errors = append(d.errors, &FileError{File: d.file, Line: line, Key: key, Message: message, Nearest: near})
	}
}

// keys of a policy file, in the order in which they are read: extends comes first.
var yamlKeys = [...]string{
	"extends", "name", "notes", "versions", "ciphers", "cipher_preference", "groups", "signature_algorithms", "certificates",
	"dh_parameters", "alpn", "alpn_required", "server_names", "sni_required", "client_auth", "family", "alpn_otherwise",
	"go_release", "blocked_versions", "old_version_alert", "name_alert", "certificate_first", "security_level",
	"cipher_preference_tls13",
}

func (d *yamlDecoder) policy(data []byte) *Policy {
	if len(data) > MaxFileBytes {
		d.fail(0, "", fmt.Sprintf("file of %d bytes exceeds %d", len(data), MaxFileBytes))
		return nil
	}
	if strings.TrimSpace(string(data)) == "" {
		d.fail(0, "", "the file is empty")
		return nil
	}
	var document yaml.Node
	if err := yaml.Load(data, &document); err != nil {
		d.syntax(err)
		return nil
	}
	root := &document
	if root.Kind == yaml.DocumentNode && len(root.Content) == 1 {
		root = root.Content[0]
	}
	if root.Kind != yaml.MappingNode {
		d.fail(root.Line, "", "a policy is a mapping of keys to values")
		return nil
	}
	values := d.keys(root)
	p := &Policy{Name: strings.TrimSuffix(strings.TrimSuffix(baseName(d.file), ".yaml"), ".yml"), Preference: PreferServer}
	for _, key := range yamlKeys {
		if n, ok := values[key]; ok {
			if n.Kind == yaml.AliasNode && n.Alias != nil {
				n = n.Alias
			}
			p = d.set(p, key, n)
		}
	}
	if len(d.errors) == 0 {
		d.complete(p)
	}
	return p
}

// keys reads the mapping's keys, each once.
func (d *yamlDecoder) keys(root *yaml.Node) map[string]*yaml.Node {
	values := make(map[string]*yaml.Node)
	d.lines = make(map[string]int)
	for i := 0; i+1 < len(root.Content); i += 2 {
		key := root.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode || !slices.Contains(yamlKeys[:], key.Value):
			d.fail(key.Line, "", "unknown key "+quote(key.Value), nearestOf(key.Value, slices.Values(yamlKeys[:]))...)
		case d.lines[key.Value] > 0:
			d.fail(key.Line, key.Value, fmt.Sprintf("stands twice, first in line %d", d.lines[key.Value]))
		default:
			values[key.Value] = root.Content[i+1]
			d.lines[key.Value] = key.Line
		}
	}
	return values
}

// set gives one key's value to p. Only extends gives another policy than p.
func (d *yamlDecoder) set(p *Policy, key string, n *yaml.Node) *Policy {
	switch key {
	case "extends":
		if base := d.base(n); base != nil {
			base.Name = p.Name
			return base
		}
	case "name":
		p.Name = d.text(key, n, p.Name)
	case "notes":
		p.Notes = d.text(key, n, "")
	case "versions":
		p.Versions, p.BlockedVersions, p.OldVersionAlert = d.versions(key, n), nil, 0
	case "ciphers":
		d.ciphers(p, n)
	case "cipher_preference":
		p.Preference, p.PreferenceTLS13 = d.preference(key, n), PreferenceUnknown
	case "cipher_preference_tls13":
		p.PreferenceTLS13 = d.preference(key, n)
	case "groups":
		p.Groups = codes(d, key, n, wire.NamedGroupByName)
	case "signature_algorithms":
		p.SignatureSchemes = codes(d, key, n, wire.SignatureSchemeByName)
	case "certificates":
		p.Certificates = []CertificateType{}
		for _, item := range d.list(key, n) {
			kind := choice(d, key, item, own(CertRSA, CertECDSAP256, CertECDSAP384, CertECDSAP521, CertEd25519))
			if slices.Contains(p.Certificates, kind) {
				d.fail(item.Line, key, "stands twice: "+string(kind))
			}
			p.Certificates = append(p.Certificates, kind)
		}
	case "dh_parameters":
		p.NoDHParameters = !d.truth(key, n)
	case "alpn":
		p.ALPN = d.texts(key, n)
		for _, name := range p.ALPN {
			if len(name) > 255 {
				d.fail(n.Line, key, fmt.Sprintf("name of %d bytes exceeds 255 (RFC 7301, Section 3.1)", len(name)))
			}
		}
	case "alpn_otherwise":
		p.ALPNOtherwise = d.text(key, n, "")
	case "alpn_required":
		p.ALPNRequired = d.truth(key, n)
	case "server_names":
		p.Names = d.texts(key, n)
	case "sni_required":
		p.SNIRequired = d.truth(key, n)
	case "client_auth":
		p.ClientAuth = choice(d, key, n, own(ClientAuthNone, ClientAuthRequest, ClientAuthRequire))
	case "family":
		p.Family = choice(d, key, n, own(FamilyS2N, FamilyOpenSSL, FamilyBoringSSL, FamilyGo, FamilyGnuTLS, FamilySchannel, FamilyJSSE))
	default:
		d.habit(p, key, n)
	}
	return p
}

// habit gives the value of a key to p that few endpoints need: what a program does in its own way.
func (d *yamlDecoder) habit(p *Policy, key string, n *yaml.Node) {
	switch key {
	case "go_release":
		minor, ok := strings.CutPrefix(d.text(key, n, ""), "1.")
		release, err := strconv.Atoi(minor)
		if !ok || err != nil || release < 1 || release > 999 {
			d.fail(n.Line, key, "a release such as \"1.24\" is expected, not "+quote(n.Value))
			return
		}
		p.GoRelease = release
	case "blocked_versions":
		p.BlockedVersions = d.versions(key, n)
	case "old_version_alert":
		p.OldVersionAlert = d.alert(key, n)
	case "name_alert":
		if p.NameSilent = n.Value == "none"; !p.NameSilent {
			p.NameAlert = d.alert(key, n)
		}
	case "certificate_first":
		if p.CertificateBy12 = n.Value == "by-tls12"; p.CertificateBy12 {
			p.CertificateFirst = true
			return
		}
		p.CertificateFirst = d.truth(key, n)
	case "security_level":
		level, err := strconv.Atoi(d.text(key, n, ""))
		if err != nil || level < 0 || level > 5 {
			d.fail(n.Line, key, "a level from 0 to 5 is expected, not "+quote(n.Value))
			return
		}
		p.SecurityLevel = level
	}
}

// base is the built-in policy that a file extends, as one of the user's own.
func (d *yamlDecoder) base(n *yaml.Node) *Policy {
	ref := d.text("extends", n, "")
	if ref == "" {
		return nil
	}
	p, err := Lookup(ref)
	var unknown *UnknownError
	if errors.As(err, &unknown) {
		message := "no built-in policy is called " + quote(ref)
		if unknown.Ambiguous {
			message = "several built-in policies are called " + quote(ref)
		}
		d.fail(n.Line, "extends", message, unknown.Nearest...)
		return nil
	}
	p.Source = append([]string{"extends " + p.Name}, p.Source...)
	p.Aliases, p.Provider, p.Product = nil, "", ""
	return p
}

func (d *yamlDecoder) versions(key string, n *yaml.Node) []wire.Version {
	if n.Kind != yaml.MappingNode {
		list := codes(d, key, n, wire.VersionByName)
		for _, v := range list {
			if v < wire.VersionSSLv3 || v > wire.VersionTLS13 {
				d.fail(n.Line, key, "not between SSLv3 and TLSv1.3: "+v.String())
			}
		}
		slices.Sort(list)
		return slices.Compact(list)
	}
	low, high := wire.VersionTLS10, wire.VersionTLS13
	for i := 0; i+1 < len(n.Content); i += 2 {
		bound := n.Content[i]
		v, ok := wire.VersionByName(n.Content[i+1].Value)
		switch {
		case bound.Value != "min" && bound.Value != "max":
			d.fail(bound.Line, key, "unknown key "+quote(bound.Value), "min", "max")
		case !ok || v < wire.VersionSSLv3 || v > wire.VersionTLS13:
			d.fail(bound.Line, key, "no version from SSLv3 to TLSv1.3: "+quote(n.Content[i+1].Value))
		case bound.Value == "min":
			low = v
		default:
			high = v
		}
	}
	if low > high {
		d.fail(n.Line, key, fmt.Sprintf("min %v is above max %v", low, high))
	}
	var list []wire.Version
	for v := low; v <= high; v++ {
		list = append(list, v)
	}
	return list
}

// ciphers reads suites, one by one or in lists of equal preference.
func (d *yamlDecoder) ciphers(p *Policy, n *yaml.Node) {
	p.CipherSuites, p.EqualPreference = nil, nil
	for _, item := range d.list("ciphers", n) {
		if item.Kind != yaml.SequenceNode {
			if s, ok := code(d, "ciphers", item, wire.CipherSuiteByName); ok {
				p.CipherSuites = append(p.CipherSuites, s)
			}
			continue
		}
		group := codes(d, "ciphers", item, wire.CipherSuiteByName)
		p.CipherSuites = append(p.CipherSuites, group...)
		p.EqualPreference = append(p.EqualPreference, group)
	}
	if len(p.CipherSuites) > maxItems {
		d.fail(n.Line, "ciphers", fmt.Sprintf("%d suites exceed %d", len(p.CipherSuites), maxItems))
	}
}

// complete checks what keys need of each other and adds the suites of TLS 1.3 to a list that is about earlier versions.
func (d *yamlDecoder) complete(p *Policy) {
	if len(p.Versions) == 0 {
		d.fail(d.lines["versions"], "versions", "missing: name at least one, or a policy to extend")
	}
	if len(p.CipherSuites) == 0 {
		d.fail(d.lines["ciphers"], "ciphers", "missing: name at least one, or a policy to extend")
	}
	if p.Certificates != nil && len(p.Certificates) == 0 {
		d.fail(d.lines["certificates"], "certificates", "empty: name at least one, or leave the key out")
	}
	if p.Name == "" {
		d.fail(d.lines["name"], "name", "empty")
	}
	isTLS13 := func(s wire.CipherSuite) bool { info, _ := s.Info(); return info.TLS13() }
	if slices.Contains(p.Versions, wire.VersionTLS13) && !slices.ContainsFunc(p.CipherSuites, isTLS13) {
		p.CipherSuites = slices.Concat([]wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256}, p.CipherSuites)
	}
}
