package wire

import (
	"strconv"
	"strings"
)

// CipherSuiteByName finds a suite by its IANA name (in any case), by its OpenSSL name (as OpenSSL spells it), by GnuTLS's
// name, by the SSL_ name that Java prints, or by the number that String prints for an unknown one ("0x1A2B").
func CipherSuiteByName(name string) (CipherSuite, bool) {
	if c, ok := codeOf(suiteIndex[:], name); ok {
		return c, true
	}
	if len(name) > 4 && strings.EqualFold(name[:4], "SSL_") {
		return codeOf(suiteIndex[:], "TLS_"+name[4:])
	}
	return 0, false
}

// NamedGroupByName finds a group by its IANA name or by one that OpenSSL, GnuTLS, Go or BoringSSL gives it, in any case:
// secp256r1, prime256v1, P-256, CurveP256, X25519.
func NamedGroupByName(name string) (NamedGroup, bool) { return codeOf(groupIndex[:], name) }

// SignatureSchemeByName finds a scheme by its IANA name or by one that OpenSSL, GnuTLS or Go gives it, in any case:
// rsa_pkcs1_sha256, RSA+SHA256, ECDSA+SHA384, SIGN-RSA-SHA256.
func SignatureSchemeByName(name string) (SignatureScheme, bool) { return codeOf(schemeIndex[:], name) }

// ExtensionTypeByName finds an extension by its IANA name, in any case; "alpn" is understood.
func ExtensionTypeByName(name string) (ExtensionType, bool) {
	if strings.EqualFold(name, "alpn") {
		return ExtensionALPN, true
	}
	return codeOf(extensionIndex[:], name)
}

// AlertByName finds an alert by its registry name, in any case and with spaces or hyphens in place of underscores, or
// by its number.
func AlertByName(name string) (AlertDescription, bool) {
	name = strings.NewReplacer(" ", "_", "-", "_").Replace(strings.TrimSpace(name))
	if d, ok := codeOf(alertIndex[:], name); ok {
		return d, true
	}
	digits := name
	if inner, ok := strings.CutPrefix(name, "alert("); ok {
		digits = strings.TrimSuffix(inner, ")")
	}
	n, err := strconv.ParseUint(digits, 10, 8)
	return AlertDescription(n), err == nil
}

// VersionByName finds a version by the names that people and programs give it: "TLSv1.2", "TLS 1.2", "TLS_1_2", "TLS12",
// "1.2", "TLSv1", "SSLv3", "SSL 3.0", "DTLSv1.2", "TLSv1.3-draft23".
func VersionByName(name string) (Version, bool) {
	if v, ok := numberOf[Version](name); ok {
		return v, true
	}
	s := strings.ToLower(strings.TrimSpace(name))
	if draft, ok := strings.CutPrefix(s, "tlsv1.3-draft"); ok {
		n, err := strconv.ParseUint(draft, 10, 8)
		return 0x7F00 | Version(n), err == nil
	}
	family, digits := "tls", s
	for _, f := range [...]string{"dtls", "tls", "ssl"} {
		if rest, ok := strings.CutPrefix(s, f); ok {
			family, digits = f, strings.TrimPrefix(strings.TrimLeft(rest, " _-"), "v")
			break
		}
	}
	digits = strings.Map(func(r rune) rune {
		if r == '.' || r == '_' || r == ' ' {
			return -1
		}
		return r
	}, digits)
	switch family + digits {
	case "ssl2", "ssl20":
		return VersionSSLv2, true
	case "ssl3", "ssl30":
		return VersionSSLv3, true
	case "tls1", "tls10":
		return VersionTLS10, true
	case "tls11":
		return VersionTLS11, true
	case "tls12":
		return VersionTLS12, true
	case "tls13":
		return VersionTLS13, true
	case "dtls1", "dtls10":
		return VersionDTLS10, true
	case "dtls12":
		return VersionDTLS12, true
	case "dtls13":
		return VersionDTLS13, true
	}
	return 0, false
}
