package trial

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// System is what a tailored policy is for: it bounds the suites and versions that there are to choose from.
type System string

// Systems.
const (
	SystemNginx   System = "nginx"
	SystemHAProxy System = "haproxy"
	SystemEnvoy   System = "envoy"
	SystemGo      System = "go"
)

// Systems are all that a policy can be tailored for.
func Systems() []System { return []System{SystemNginx, SystemHAProxy, SystemEnvoy, SystemGo} }

func (s System) family() policy.Family {
	switch s {
	case SystemEnvoy:
		return policy.FamilyBoringSSL
	case SystemGo:
		return policy.FamilyGo
	}
	return policy.FamilyOpenSSL
}

// alpn are the protocols that a web server of this system negotiates, HTTP/2 on; required: it ends a handshake in which the client lists
// none of them (nginx since 1.21.4). The other systems go on without one, or their protocols are the application's matter.
func (s System) alpn() (protocols []string, required bool) {
	if s == SystemNginx {
		return []string{"h2", "http/1.1", "http/1.0", "http/0.9"}, true
	}
	return nil, false
}

// word is a version as the system's configuration writes it.
func (s System) word(v wire.Version) string {
	minor := int(v) - int(wire.VersionTLS10)
	switch s {
	case SystemNginx:
		if v == wire.VersionTLS10 {
			return "TLSv1"
		}
	case SystemEnvoy:
		return fmt.Sprintf("TLSv1_%d", minor)
	case SystemGo:
		return fmt.Sprintf("tls.VersionTLS1%d", minor)
	}
	return v.String()
}

// ranged reports whether a system can only be told the lowest and the highest version.
func (s System) ranged() bool { return s != SystemNginx }

// lowLevel reports whether OpenSSL serves a policy at security level 0 only. From level 1 on OpenSSL 3 refuses what signs with SHA-1,
// TLS 1.0 and TLS 1.1 among it.
func (s System) lowLevel(p *policy.Policy) bool {
	return s.family() == policy.FamilyOpenSSL && (slices.Contains(p.SignatureSchemes, wire.SchemeRSAPKCS1SHA1) ||
		slices.ContainsFunc(p.Versions, func(v wire.Version) bool { return v < wire.VersionTLS12 }))
}

// notes are what a tailored policy needs of a system beside being written down.
func (s System) notes(p *policy.Policy) []string {
	var notes []string
	say := func(when bool, note string) {
		if when {
			notes = append(notes, note)
		}
	}
	openssl := s.family() == policy.FamilyOpenSSL
	dhe := slices.ContainsFunc(p.CipherSuites, func(c wire.CipherSuite) bool { info, _ := c.Info(); return info.KeyExchange == "DHE" })
	say(s.lowLevel(p), "OpenSSL 3 needs security level 0 (@SECLEVEL=0, which is in the list) for TLS 1.0, TLS 1.1 and SHA-1 signatures; OpenSSL 1.1.1 does without")
	say(openssl && slices.ContainsFunc(p.CipherSuites, func(c wire.CipherSuite) bool { info, _ := c.Info(); return info.Encryption == "3DES" }),
		"OpenSSL leaves 3DES out, unless it is built with enable-weak-ssl-ciphers: these clients may be lost all the same")
	protocols, required := s.alpn()
	say(required, "with HTTP/2 on; from nginx 1.21.4 on a client whose ALPN lists none of "+strings.Join(protocols, ", ")+" is refused")
	say(openssl && dhe, "DHE suites need parameters: ssl_dhparam in nginx, tune.ssl.default-dh-param or ssl-dh-param-file in HAProxy")
	say(openssl && slices.ContainsFunc(p.Groups, postQuantum), "X25519MLKEM768 needs OpenSSL 3.5; an older one refuses a list that names it")
	say(s == SystemGo, "crypto/tls keeps its own order of suites, and its TLS 1.3 suites cannot be chosen")
	say(s != SystemGo, "the TLS 1.3 suites are those that every implementation has; they are listed whole")
	return notes
}

func postQuantum(g wire.NamedGroup) bool { info, _ := g.Info(); return info.PostQuantum }

// supports reports whether a suite of TLS 1.2 or below can be configured in a system of today: RSA and ECDSA certificates, ephemeral
// or RSA key exchange, and no encryption that is broken beyond 3DES, the last resort of clients from before 2008.
func (s System) supports(suite wire.CipherSuite) bool {
	info, ok := suite.Info()
	if !ok || info.TLS13() || info.Signal() || broken(info) && info.Encryption != "3DES" || info.Export {
		return false
	}
	if info.Authentication != "RSA" && info.Authentication != "ECDSA" || info.KeyExchange != "RSA" && info.KeyExchange != "DHE" && info.KeyExchange != "ECDHE" {
		return false
	}
	if s.family() == policy.FamilyOpenSSL {
		return info.OpenSSL != ""
	}
	// BoringSSL and crypto/tls have AES-GCM, ChaCha20-Poly1305, AES-CBC with SHA-1, and 3DES, but no DHE; of AES-CBC with SHA-256
	// a few suites each, which no client needs that could not use the others.
	if info.KeyExchange == "DHE" {
		return false
	}
	switch {
	case info.Encryption == "CHACHA20", info.Encryption == "AES" && info.Mode == "GCM":
		return info.MaxVersion >= wire.VersionTLS12
	case info.Encryption == "AES" && info.Mode == "CBC" && info.MAC == "SHA1":
		return true
	}
	// BoringSSL keeps 3DES with RSA key exchange alone, crypto/tls with ECDHE and RSA, too.
	return info.Encryption == "3DES" && info.Authentication == "RSA" && (info.KeyExchange == "RSA" || s == SystemGo)
}

// unit is a suite with its twin for the other kind of certificate: ECDHE-RSA-AES128-GCM-SHA256 and ECDHE-ECDSA-AES128-GCM-SHA256 are
// as strong as each other, and which of them is used is the certificate's matter.
type unit struct {
	suites []wire.CipherSuite // ECDSA first
	kind   int                // how strong, 1 the strongest: see kindOf
	taste  int                // order inside a kind
	low    wire.Version
	high   wire.Version
	name   string // what the twins share
}

// kinds in the order of strength. TLS 1.3 is kind 0.
const (
	kindTLS13 = iota
	kindECDHEAEAD
	kindDHEAEAD
	kindECDHECBC
	kindDHECBC
	kindRSAAEAD
	kindRSACBC
	kind3DES
	kinds
)

func kindOf(i wire.CipherSuiteInfo) int {
	switch {
	case i.Encryption == "3DES":
		return kind3DES
	case i.KeyExchange == "ECDHE" && i.AEAD:
		return kindECDHEAEAD
	case i.KeyExchange == "DHE" && i.AEAD:
		return kindDHEAEAD
	case i.KeyExchange == "ECDHE":
		return kindECDHECBC
	case i.KeyExchange == "DHE":
		return kindDHECBC
	case i.AEAD:
		return kindRSAAEAD
	}
	return kindRSACBC
}

// tasteOf is the order inside a kind: AES-GCM, which has hardware everywhere, then ChaCha20, CCM, CBC with SHA-1 (which all clients
// have) and with SHA-2, and rarer ciphers last; 128 bits before 256.
func tasteOf(i wire.CipherSuiteInfo) int {
	taste := i.KeyBits / 128
	switch {
	case i.Mode == "GCM" && i.Encryption == "AES":
	case i.Encryption == "CHACHA20":
		taste += 10
	case i.Encryption == "AES" && i.AEAD:
		taste += 20
	case i.Encryption == "AES" && i.MAC == "SHA1":
		taste += 30
	case i.Encryption == "AES":
		taste += 40
	case i.Encryption == "3DES":
		taste += 50
	default:
		taste += 60
	}
	return taste
}

// units are all that a system can be configured with below TLS 1.3, the strongest first.
func (s System) units() []unit {
	byName := make(map[string]int)
	var all []unit
	for code := range 1 << 16 {
		suite := wire.CipherSuite(code)
		if !s.supports(suite) {
			continue
		}
		info, _ := suite.Info()
		name := info.KeyExchange + strings.TrimPrefix(strings.TrimPrefix(info.Name[strings.Index(info.Name, "_WITH_"):], "_WITH"), "_SCSV")
		i, ok := byName[name]
		if !ok {
			i = len(all)
			byName[name] = i
			all = append(all, unit{kind: kindOf(info), taste: tasteOf(info), low: info.MinVersion, high: info.MaxVersion, name: name})
		}
		all[i].suites = append(all[i].suites, suite)
		if info.Authentication == "ECDSA" {
			slices.Reverse(all[i].suites)
		}
	}
	slices.SortFunc(all, func(a, b unit) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.taste, b.taste), cmp.Compare(a.name, b.name))
	})
	return all
}
