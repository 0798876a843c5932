package probe

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Offer is what a hello made from scratch offers. The zero value gives the hello of a plain modern client: TLS 1.3 and 1.2,
// the suites, groups and schemes that are in use, no server name and no ALPN. What is nil gets a default that fits Versions;
// what is empty and not nil is left out.
type Offer struct {
	ServerName       string
	Versions         []wire.Version // highest first; nil: TLS 1.3 and 1.2. Below TLS 1.3 the first one is legacy_version
	CipherSuites     []wire.CipherSuite
	Groups           []wire.NamedGroup
	KeyShares        []wire.NamedGroup // nil: the first of Groups; empty: a HelloRetryRequest is asked for
	SignatureSchemes []wire.SignatureScheme
	ALPN             []string
	Bare             bool // no extensions but those without which the versions, groups or schemes could not be offered
}

// Modern is the hello of a plain modern client: TLS 1.3 and 1.2.
func Modern(serverName string) *Hello { return Offer{ServerName: serverName}.Hello() }

// Legacy is the hello of a client of about 2012: up to a version of TLS 1.2 or older, with every suite in use then.
func Legacy(serverName string, highest wire.Version) *Hello {
	return Offer{ServerName: serverName, Versions: []wire.Version{highest}}.Hello()
}

// Hello is the offer as a hello, with a random and key shares of its own.
func (o Offer) Hello() *Hello {
	versions := o.Versions
	if versions == nil {
		versions = []wire.Version{wire.VersionTLS13, wire.VersionTLS12}
	}
	highest := wire.Version(0)
	for _, v := range versions {
		highest = max(highest, v)
	}
	h := &Hello{Version: min(highest, wire.VersionTLS12), Random: random(32), CompressionMethods: []byte{0}}
	if highest.IsTLS13() {
		h.Version = wire.VersionTLS12
	}
	tls13 := slices.ContainsFunc(versions, wire.Version.IsTLS13)
	older := slices.ContainsFunc(versions, func(v wire.Version) bool { return !v.IsTLS13() })
	h.CipherSuites = slices.Clone(o.CipherSuites)
	if o.CipherSuites == nil {
		h.CipherSuites = defaultSuites(tls13, older, highest)
	}
	if older && !o.Bare {
		h.CipherSuites = append(h.CipherSuites, wire.EmptyRenegotiationInfoSCSV) // RFC 5746, Section 3.4
	}
	if highest <= wire.VersionSSLv3 {
		return h // RFC 6101 knows no extensions
	}
	o.extend(h, versions, tls13, older)
	return h
}

// extend puts the extensions in, in the order of OpenSSL.
func (o Offer) extend(h *Hello, versions []wire.Version, tls13, older bool) {
	groups := o.Groups
	if groups == nil {
		groups = defaultGroups(tls13)
	}
	h.SetServerName(o.ServerName)
	if len(groups) > 0 && older {
		h.Set(wire.ExtensionECPointFormats, []byte{1, 0}) // uncompressed (RFC 8422, Section 5.1.2)
	}
	h.SetGroups(groups...)
	if older && !o.Bare {
		h.Set(wire.ExtensionSessionTicket, nil)
	}
	h.SetALPN(o.ALPN...)
	if older && !o.Bare {
		h.Set(wire.ExtensionEncryptThenMAC, nil)
		h.Set(wire.ExtensionExtendedMasterSecret, nil)
	}
	if schemes := o.SignatureSchemes; tls13 || h.Version >= wire.VersionTLS12 {
		if schemes == nil {
			schemes = defaultSchemes(older)
		}
		h.SetSignatureSchemes(schemes...)
	}
	if !tls13 {
		return
	}
	h.SessionID = random(32)
	h.SetVersions(versions...)
	h.Set(wire.ExtensionPSKKeyExchangeModes, []byte{1, 1}) // psk_dhe_ke (RFC 8446, Section 4.2.9)
	shares := o.KeyShares
	if shares == nil && len(groups) > 0 {
		shares = groups[:1]
	}
	h.SetKeyShares(shares...)
}

func defaultSuites(tls13, older bool, highest wire.Version) []wire.CipherSuite {
	var suites []wire.CipherSuite
	if tls13 {
		suites = append(suites, wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256)
	}
	if older && highest >= wire.VersionTLS12 {
		suites = append(suites,
			wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			wire.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
			wire.TLS_DHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_DHE_RSA_WITH_AES_256_GCM_SHA384,
			wire.TLS_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_RSA_WITH_AES_256_GCM_SHA384,
			wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, wire.TLS_RSA_WITH_AES_128_CBC_SHA256)
	}
	if older {
		suites = append(suites,
			wire.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
			wire.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, wire.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
			wire.TLS_DHE_RSA_WITH_AES_128_CBC_SHA, wire.TLS_DHE_RSA_WITH_AES_256_CBC_SHA,
			wire.TLS_RSA_WITH_AES_128_CBC_SHA, wire.TLS_RSA_WITH_AES_256_CBC_SHA)
	}
	if older && highest < wire.VersionTLS12 || older && !tls13 {
		suites = append(suites, wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA, wire.TLS_RSA_WITH_RC4_128_SHA)
	}
	return suites
}

func defaultGroups(tls13 bool) []wire.NamedGroup {
	if tls13 {
		return []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1, wire.GroupSecp521r1, wire.GroupX448, wire.GroupFfdhe2048, wire.GroupFfdhe3072}
	}
	return []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1, wire.GroupSecp521r1}
}

func defaultSchemes(older bool) []wire.SignatureScheme {
	schemes := []wire.SignatureScheme{
		wire.SchemeECDSASecp256r1SHA256, wire.SchemeECDSASecp384r1SHA384, wire.SchemeECDSASecp521r1SHA512, wire.SchemeEd25519, wire.SchemeEd448,
		wire.SchemeRSAPSSRSAESHA256, wire.SchemeRSAPSSRSAESHA384, wire.SchemeRSAPSSRSAESHA512,
		wire.SchemeRSAPSSPSSSHA256, wire.SchemeRSAPSSPSSSHA384, wire.SchemeRSAPSSPSSSHA512,
		wire.SchemeRSAPKCS1SHA256, wire.SchemeRSAPKCS1SHA384, wire.SchemeRSAPKCS1SHA512,
	}
	if older {
		schemes = append(schemes, wire.SchemeECDSASHA1, wire.SchemeRSAPKCS1SHA1)
	}
	return schemes
}
