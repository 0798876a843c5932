package openssl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// levelBits are the security bits that a level asks for.
func levelBits(level int) int {
	bits := [...]int{0, 80, 112, 128, 192, 256}
	return bits[min(max(level, 0), len(bits)-1)]
}

// ApplyLevel takes out of p what OpenSSL does not use at a security level, and says in words what that is: old versions,
// suites, groups, signature schemes and keys of certificates. p.Versions are the configured ones.
//
// OpenSSL 3 counts the signature of TLS 1.0 and 1.1 (MD5 and SHA-1) as 67 bits, fewer than any level but 0 asks for, but only
// notices when it comes to sign. Such a version is still chosen, and the handshake then fails with internal_error: these are
// p.BlockedVersions. At level 3 TLS 1.0 is off altogether, and at level 4 TLS 1.1. A release that is not known counts as 3.0.
func ApplyLevel(p *policy.Policy, level int, o Options) []string {
	rel, err := releaseOf(o.Version)
	if err != nil {
		rel = release30
	}
	bits := levelBits(level)
	var gone []string
	p.SecurityLevel = level

	var off, blocked []wire.Version
	p.Versions = slices.DeleteFunc(slices.Clone(p.Versions), func(v wire.Version) bool {
		switch {
		case v == wire.VersionSSLv3 && level >= 2, v == wire.VersionTLS10 && level >= 3, v == wire.VersionTLS11 && level >= 4:
			off = append(off, v)
			return true
		case v < wire.VersionTLS12 && level >= 1 && rel != release111:
			blocked = append(blocked, v)
			return true
		}
		return false
	})
	gone = tell(gone, "versions", off)
	if len(blocked) > 0 {
		p.BlockedVersions, p.OldVersionAlert = blocked, wire.AlertInternalError
		gone = append(gone, fmt.Sprintf("security level %d: no handshake completes in %s, which sign with MD5 and SHA-1: alert internal_error", level, joined(blocked)))
	}
	p.CipherSuites, gone = without(p.CipherSuites, gone, "cipher suites", func(c wire.CipherSuite) bool { return !suiteAllowed(c, level) })
	p.Groups, gone = without(p.Groups, gone, "groups", func(g wire.NamedGroup) bool { return groupBits(g) < bits })
	p.SignatureSchemes, gone = without(p.SignatureSchemes, gone, "signature schemes", func(s wire.SignatureScheme) bool { return schemeBits(s, rel) < bits })
	p.Certificates, gone = without(p.Certificates, gone, "certificate keys", func(c policy.CertificateType) bool {
		keyBits := map[policy.CertificateType]int{policy.CertECDSAP256: 128, policy.CertEd25519: 128, policy.CertECDSAP384: 192, policy.CertECDSAP521: 256}
		have, known := keyBits[c]
		return known && have < bits
	})
	for i, text := range gone {
		if !strings.HasPrefix(text, "security level") {
			gone[i] = fmt.Sprintf("security level %d takes out %s", level, text)
		}
	}
	return gone
}

// MinRSABits is the length that an RSA key or finite-field parameters need at a security level, for OpenSSL to take them at all.
func MinRSABits(level int) int {
	bits := [...]int{0, 1024, 2048, 3072, 7680, 15360}
	return bits[min(max(level, 0), len(bits)-1)]
}

func without[T interface{ ~uint16 | ~string }](list []T, gone []string, what string, out func(T) bool) ([]T, []string) {
	if list == nil {
		return nil, gone
	}
	var removed []T
	kept := slices.DeleteFunc(slices.Clone(list), func(v T) bool {
		if !out(v) {
			return false
		}
		removed = append(removed, v)
		return true
	})
	return kept, tell(gone, what, removed)
}

func tell[T any](gone []string, what string, removed []T) []string {
	if len(removed) == 0 {
		return gone
	}
	return append(gone, what+" "+joined(removed))
}

func joined[T any](values []T) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprint(v)
	}
	return strings.Join(texts, ", ")
}

// suiteAllowed reports whether OpenSSL uses a suite at a level: enough bits; from level 1 nothing anonymous or with MD5, from 2 no
// RC4, from 3 only with forward secrecy, from 4 (more than 160 bits) no HMAC-SHA1.
func suiteAllowed(c wire.CipherSuite, level int) bool {
	if level == 0 {
		return true
	}
	bits := levelBits(level)
	for i := range suiteTable {
		s := &suiteTable[i]
		if s.code != c {
			continue
		}
		switch {
		case int(s.bits) < bits, s.au&auNULL != 0, s.mac&macMD5 != 0:
			return false
		case bits > 160 && s.mac&macSHA1 != 0, level >= 2 && s.enc&encRC4 != 0, level >= 3 && s.kx&(kxDHE|kxECDHE) == 0:
			return false
		}
		return true
	}
	info, ok := c.Info()
	return ok && info.KeyBits >= bits
}
