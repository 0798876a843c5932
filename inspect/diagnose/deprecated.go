package diagnose

import (
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
)

// outdated reports whether all that a client offers in a dimension is something that current advice (RFC 9325, RFC 8996,
// RFC 9155) tells servers to refuse. Then the client must change; otherwise whoever refuses it must say why.
func outdated(dim policy.Dimension, offered []string) bool {
	current := func(string) bool { return true }
	switch dim {
	case policy.DimensionVersion:
		current = currentVersion
	case policy.DimensionCipher:
		current = currentCipher
	case policy.DimensionGroup:
		current = currentGroup
	case policy.DimensionSignature:
		current = currentSignature
	case policy.DimensionALPN:
		current = currentProtocol
	case policy.DimensionServerName:
		current = func(name string) bool { return name != "" }
	}
	for _, o := range offered {
		if current(o) {
			return false
		}
	}
	return true
}

// currentVersion: RFC 8996 deprecates TLS 1.0 and 1.1, RFC 7568 SSLv3, RFC 6176 SSLv2.
func currentVersion(v string) bool { return v == "TLSv1.2" || v == "TLSv1.3" }

// legacyVersion is the opposite for a version that is known.
func legacyVersion(v string) bool {
	return v == "SSLv2" || v == "SSLv3" || v == "TLSv1.0" || v == "TLSv1.1"
}

// currentCipher: authenticated encryption with forward secrecy (RFC 9325, Section 4.2).
func currentCipher(name string) bool {
	if len(name) > 64 {
		return false // no registered name is as long
	}
	aead := strings.Contains(name, "_GCM_") || strings.Contains(name, "_CHACHA20_POLY1305") || strings.Contains(name, "_CCM")
	if !aead || strings.Contains(name, "anon") || strings.Contains(name, "EXPORT") {
		return false
	}
	if !strings.Contains(name, "_WITH_") {
		return true // TLS 1.3 suites name no key exchange: it always has forward secrecy
	}
	return strings.HasPrefix(name, "TLS_ECDHE_") || strings.HasPrefix(name, "TLS_DHE_")
}

// signallingCipher reports whether a suite is a flag rather than a suite (RFC 5746, RFC 7507).
func signallingCipher(name string) bool { return strings.HasSuffix(name, "_SCSV") }

// currentGroup: RFC 8422, Section 5.1.1 leaves three curves and the two of RFC 7748; RFC 7919 and the post-quantum hybrids came after it.
func currentGroup(name string) bool {
	switch name {
	case "secp256r1", "secp384r1", "secp521r1", "x25519", "x448":
		return true
	}
	return strings.HasPrefix(name, "ffdhe") || strings.Contains(name, "MLKEM") || strings.HasSuffix(name, "tls13")
}

// currentSignature: RFC 9155 takes MD5 and SHA-1 out.
func currentSignature(name string) bool {
	n := strings.ToLower(name)
	return !strings.Contains(n, "sha1") && !strings.Contains(n, "md5") && !strings.HasPrefix(n, "dsa")
}

// currentProtocol: what servers still answer to over TCP and QUIC.
func currentProtocol(name string) bool {
	return name != "http/1.0" && name != "http/0.9" && !strings.HasPrefix(name, "spdy/") && !strings.HasPrefix(name, "h2-")
}
