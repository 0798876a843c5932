package java

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// apply takes out of p what the two properties disable in a release.
func apply(p *policy.Policy, tls, certpath Disabled, rel release) {
	p.Versions = slices.DeleteFunc(p.Versions, func(v wire.Version) bool {
		return tls.forbids(versionName(v)) || certpath.forbids(versionName(v))
	})
	p.CipherSuites = slices.DeleteFunc(p.CipherSuites, func(c wire.CipherSuite) bool {
		info, _ := c.Info()
		names := keyExchangeNames(info)
		return tls.forbids(names...) || certpath.forbids(names...) || tls.forbids(cipherNames(info)...) ||
			rel.patterns && tls.forbidsPattern(info.Name) || !slices.ContainsFunc(p.Versions, func(v wire.Version) bool {
			return v >= info.MinVersion && v <= info.MaxVersion
		})
	})
	// TLS 1.3 is not spoken without a suite of its own. Older versions are: the renegotiation signal counts as a suite of theirs.
	if !slices.ContainsFunc(p.CipherSuites, func(c wire.CipherSuite) bool {
		info, _ := c.Info()
		return info.TLS13()
	}) {
		p.Versions = slices.DeleteFunc(p.Versions, wire.Version.IsTLS13)
	}
	groupOff := func(g wire.NamedGroup) bool {
		algorithm, bits := groupAlgorithm(g)
		for _, d := range [...]Disabled{tls, certpath} {
			if d.forbids(g.String(), algorithm) || bits > 0 && d.forbidsSize(algorithm, bits) {
				return true
			}
		}
		return false
	}
	p.Groups = slices.DeleteFunc(p.Groups, groupOff)
	p.SignatureSchemes = slices.DeleteFunc(p.SignatureSchemes, func(s wire.SignatureScheme) bool {
		names := schemeNames(s)
		if tls.forbids(names...) || certpath.forbids(names...) || rel.patterns && tls.forbidsHandshake(names...) {
			return true
		}
		curve := schemeCurve(s)
		return curve != 0 && groupOff(curve)
	})
}

func versionName(v wire.Version) string {
	if v == wire.VersionTLS10 {
		return "TLSv1"
	}
	return v.String()
}

// javaName is Java's name of a suite, which has SSL_ in front where the suite is as old as SSLv3 and is not AES.
func javaName(info wire.CipherSuiteInfo) string {
	if info.Encryption == "3DES" && info.KeyExchange != "ECDHE" && info.KeyExchange != "ECDH" {
		return "SSL_" + strings.TrimPrefix(info.Name, "TLS_")
	}
	return info.Name
}

// keyExchangeNames are the names by which both properties disable a suite: its own, and those of the algorithms that have to
// do with its certificate and keys.
func keyExchangeNames(info wire.CipherSuiteInfo) []string {
	names := []string{javaName(info)}
	if info.TLS13() {
		return names
	}
	switch info.Authentication {
	case "DSS":
		names = append(names, "DSA", "DSS")
	default:
		names = append(names, info.Authentication) // RSA, ECDSA
	}
	pair := info.KeyExchange + "_" + info.Authentication
	switch info.KeyExchange {
	case "DHE":
		names = append(names, "DH", "DHE", "DiffieHellman", pair)
	case "ECDHE", "ECDH":
		names = append(names, info.KeyExchange, pair)
	}
	return names
}

// cipherNames are the names by which jdk.tls.disabledAlgorithms alone disables a suite: those of cipher, MAC and hash.
func cipherNames(info wire.CipherSuiteInfo) []string {
	var names []string
	switch {
	case info.Encryption == "CHACHA20":
		names = append(names, "ChaCha20-Poly1305")
	case info.Encryption == "3DES":
		names = append(names, "DESede", "CBC", "NoPadding", "3DES_EDE_CBC")
	default:
		names = append(names, info.Encryption, info.Mode, "NoPadding")
		if !info.TLS13() {
			bits := "_128_"
			if info.KeyBits == 256 {
				bits = "_256_"
			}
			names = append(names, info.Encryption+bits+info.Mode)
		}
	}
	if info.MAC == "SHA1" {
		names = append(names, "SHA1", "SHA-1", "HmacSHA1")
	}
	// The hash of the PRF: SHA-256 for all whose name has no other, in every version.
	if strings.HasSuffix(info.Name, "SHA384") {
		return append(names, "SHA384", "SHA-384", "HmacSHA384")
	}
	return append(names, "SHA256", "SHA-256", "HmacSHA256")
}

// groupAlgorithm is Java's name of what a group computes, and the size of its keys where that can be constrained.
func groupAlgorithm(g wire.NamedGroup) (string, int) {
	switch g {
	case wire.GroupX25519, wire.GroupX448:
		return "XDH", 0
	case wire.GroupSecp256r1:
		return "EC", 256
	case wire.GroupSecp384r1:
		return "EC", 384
	case wire.GroupSecp521r1:
		return "EC", 521
	case wire.GroupFfdhe2048:
		return "DiffieHellman", 2048
	case wire.GroupFfdhe3072:
		return "DiffieHellman", 3072
	case wire.GroupFfdhe4096:
		return "DiffieHellman", 4096
	case wire.GroupFfdhe6144:
		return "DiffieHellman", 6144
	}
	return "DiffieHellman", 8192
}

// schemeCurve is the curve that a scheme binds; 0: none.
func schemeCurve(s wire.SignatureScheme) wire.NamedGroup {
	switch s {
	case wire.SchemeECDSASecp256r1SHA256:
		return wire.GroupSecp256r1
	case wire.SchemeECDSASecp384r1SHA384:
		return wire.GroupSecp384r1
	case wire.SchemeECDSASecp521r1SHA512:
		return wire.GroupSecp521r1
	}
	return 0
}

// schemeNames are the names by which a scheme is disabled: its own, its key's, its hash's, and Java's for the two together.
func schemeNames(s wire.SignatureScheme) []string {
	switch s {
	case wire.SchemeEd25519:
		return []string{"ed25519", "EdDSA"}
	case wire.SchemeEd448:
		return []string{"ed448", "EdDSA"}
	case wire.SchemeRSAPSSRSAESHA256, wire.SchemeRSAPSSRSAESHA384, wire.SchemeRSAPSSRSAESHA512:
		return []string{s.String(), "RSASSA-PSS", "RSA"}
	case wire.SchemeRSAPSSPSSSHA256, wire.SchemeRSAPSSPSSSHA384, wire.SchemeRSAPSSPSSSHA512:
		return []string{s.String(), "RSASSA-PSS"}
	}
	hashes := [...]string{1: "MD5", 2: "SHA1", 3: "SHA224", 4: "SHA256", 5: "SHA384", 6: "SHA512"}
	keys := [...]string{1: "RSA", 2: "DSA", 3: "ECDSA"}
	hash, key := hashes[s>>8&7], keys[s&3]
	names := []string{hash, key, hash + "with" + key}
	if len(hash) > 3 {
		names = append(names, "SHA-"+hash[3:])
	}
	if key == "ECDSA" {
		names = append(names, "EC")
	}
	return append(names, javaSchemeName(s, hash, key))
}

// javaSchemeName is the registry's name, and for what the registry does not name hash and key.
func javaSchemeName(s wire.SignatureScheme, hash, key string) string {
	name := s.String()
	if s>>8 <= 3 || key == "DSA" {
		name = strings.ToLower(key + "_" + hash)
		if s == wire.SchemeRSAPKCS1SHA1 {
			name = "rsa_pkcs1_sha1"
		}
	}
	return name
}
