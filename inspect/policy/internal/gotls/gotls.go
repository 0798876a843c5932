// Package gotls says what an endpoint built with Go's crypto/tls accepts and offers, by the Go release that it was built with.
// Programs whose configuration is handed to crypto/tls (Caddy, Traefik) are imported with it.
package gotls

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/release"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Source is where the defaults of this package are documented.
const Source = "Go crypto/tls: defaults.go, cipher_suites.go, and the release notes of Go 1.22 to 1.26"

// Config is what of a tls.Config decides on a handshake. The zero value is crypto/tls's own default.
type Config struct {
	Go       string             // the release the program was built with: "1.22"; empty: the newest
	Client   bool               // what a client offers, rather than what a server accepts
	Min, Max wire.Version       // 0: the release's default
	Suites   []wire.CipherSuite // of TLS 1.2 and below, in any order; nil: the release's default
	Groups   []wire.NamedGroup  // nil: the release's default
	ALPN     []string           // nil: none
	Auth     policy.ClientAuth  // of a server
}

// Policy is what an endpoint with this configuration accepts, or what it offers.
func (c Config) Policy() *policy.Policy {
	p := &policy.Policy{
		Versions: c.versions(), Groups: c.groups(), SignatureSchemes: c.schemes(), Preference: policy.PreferServer,
		ALPN: slices.Clone(c.ALPN), ALPNRequired: len(c.ALPN) > 0 && release.AtLeast(c.Go, "1.17"), Family: policy.FamilyGo, ClientAuth: c.Auth,
	}
	p.GoRelease = c.minor()
	p.CipherSuites = c.suites()
	if slices.Contains(p.Versions, wire.VersionTLS13) {
		tls13 := []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256}
		switch {
		case !c.Client:
			p.CipherSuites = append(tls13, p.CipherSuites...)
		case len(p.Versions) == 1: // a client of TLS 1.3 alone lists no others
			p.CipherSuites = tls13
		default: // a client appends them
			p.CipherSuites = append(p.CipherSuites, tls13...)
		}
	}
	return p
}

// minor is the number behind "1." of the release; 0: the newest.
func (c Config) minor() int {
	_, rest, _ := strings.Cut(c.Go, ".")
	text, _, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// versions go from Min to Max. Servers have had TLS 1.2 as their lowest since Go 1.22, clients since 1.18.
func (c Config) versions() []wire.Version {
	low, high := c.Min, c.Max
	if low == 0 {
		low = wire.VersionTLS12
		if bound := "1.22"; !c.Client && !release.AtLeast(c.Go, bound) || !release.AtLeast(c.Go, "1.18") {
			low = wire.VersionTLS10
		}
	}
	if high == 0 {
		high = wire.VersionTLS13
	}
	var out []wire.Version
	for v := max(low, wire.VersionTLS10); v <= min(high, wire.VersionTLS13); v++ {
		out = append(out, v)
	}
	return out
}

// suites are those of TLS 1.2 and below in crypto/tls's own order, whatever the order in which they were configured (since Go
// 1.17). Left to the defaults, RSA key exchange is out since Go 1.22, 3DES since 1.23, RC4 and CBC with SHA-256 since long.
func (c Config) suites() []wire.CipherSuite {
	var out []wire.CipherSuite
	for _, s := range preference() {
		if c.Suites != nil && slices.Contains(c.Suites, s) || c.Suites == nil && c.byDefault(s) {
			out = append(out, s)
		}
	}
	return out
}

func (c Config) byDefault(s wire.CipherSuite) bool {
	info, _ := s.Info()
	switch {
	case info.Encryption == "RC4", info.Mode == "CBC" && info.MAC == "SHA256":
		return false
	case info.Encryption == "3DES":
		return !release.AtLeast(c.Go, "1.23") && (info.KeyExchange != "RSA" || !release.AtLeast(c.Go, "1.22"))
	case info.KeyExchange == "RSA":
		return !release.AtLeast(c.Go, "1.22")
	}
	return true
}

// preference is cipherSuitesPreferenceOrder of crypto/tls: also all that it implements below TLS 1.3.
func preference() []wire.CipherSuite {
	return []wire.CipherSuite{
		wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		wire.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		wire.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
		wire.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, wire.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
		wire.TLS_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_RSA_WITH_AES_256_GCM_SHA384,
		wire.TLS_RSA_WITH_AES_128_CBC_SHA, wire.TLS_RSA_WITH_AES_256_CBC_SHA,
		wire.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA, wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
		wire.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, wire.TLS_RSA_WITH_AES_128_CBC_SHA256,
		wire.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA, wire.TLS_ECDHE_RSA_WITH_RC4_128_SHA, wire.TLS_RSA_WITH_RC4_128_SHA,
	}
}

// groups are the default ones of the release, or those of them that were configured. Before Go 1.25 the configured order stands.
func (c Config) groups() []wire.NamedGroup {
	out := []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1, wire.GroupSecp521r1}
	switch {
	case release.AtLeast(c.Go, "1.26"):
		out = append([]wire.NamedGroup{wire.GroupX25519MLKEM768, wire.GroupSecP256r1MLKEM768, wire.GroupSecP384r1MLKEM1024}, out...)
	case release.AtLeast(c.Go, "1.24"):
		out = append([]wire.NamedGroup{wire.GroupX25519MLKEM768}, out...)
	}
	if c.Groups == nil {
		return out
	}
	if !release.AtLeast(c.Go, "1.25") {
		return slices.DeleteFunc(slices.Clone(c.Groups), func(g wire.NamedGroup) bool { return !slices.Contains(out, g) })
	}
	return slices.DeleteFunc(out, func(g wire.NamedGroup) bool { return !slices.Contains(c.Groups, g) })
}

// schemes are in crypto/tls's order. SHA-1 is out since Go 1.25.
func (c Config) schemes() []wire.SignatureScheme {
	all := []wire.SignatureScheme{
		wire.SchemeRSAPSSRSAESHA256, wire.SchemeECDSASecp256r1SHA256, wire.SchemeEd25519, wire.SchemeRSAPSSRSAESHA384, wire.SchemeRSAPSSRSAESHA512,
		wire.SchemeRSAPKCS1SHA256, wire.SchemeRSAPKCS1SHA384, wire.SchemeRSAPKCS1SHA512,
		wire.SchemeECDSASecp384r1SHA384, wire.SchemeECDSASecp521r1SHA512, wire.SchemeRSAPKCS1SHA1, wire.SchemeECDSASHA1,
	}
	if release.AtLeast(c.Go, "1.25") {
		return all[:len(all)-2]
	}
	return all
}

// Secure reports whether a release of Go has a suite among crypto/tls.CipherSuites, and not among the insecure ones: RSA key exchange
// has been one of these since Go 1.22, RC4, 3DES and CBC with SHA-256 always.
func Secure(s wire.CipherSuite, golang string) bool {
	info, _ := s.Info()
	switch {
	case info.Encryption == "RC4", info.Encryption == "3DES", info.Mode == "CBC" && info.MAC == "SHA256":
		return false
	case info.KeyExchange == "RSA":
		return golang != "" && !release.AtLeast(golang, "1.22")
	}
	return slices.Contains(preference(), s)
}

// Suite finds a suite that crypto/tls implements below TLS 1.3, by its IANA name or by Go's older name of the ChaCha20 ones. The
// second value says whether the name is one of TLS 1.3, whose suites cannot be configured.
func Suite(name string) (suite wire.CipherSuite, tls13, ok bool) {
	if strings.HasPrefix(name, "TLS_ECDHE_") && strings.HasSuffix(name, "_CHACHA20_POLY1305") {
		name += "_SHA256"
	}
	suite, ok = wire.CipherSuiteByName(name)
	info, _ := suite.Info()
	if !ok || info.Name != name {
		return 0, false, false
	}
	if info.TLS13() {
		return suite, true, true
	}
	return suite, false, slices.Contains(preference(), suite)
}
