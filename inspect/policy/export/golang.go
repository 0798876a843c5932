package export

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/gotls"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/release"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// goConfig is what of the policy crypto/tls can be configured with, from a version on and with the suites and groups that a program
// takes.
func (w *writer) goConfig(low wire.Version, golang string, suite func(wire.CipherSuite) bool, group func(wire.NamedGroup) bool) (gotls.Config, error) {
	c := gotls.Config{Go: golang, ALPN: slices.Clone(w.p.ALPN), Auth: w.p.ClientAuth}
	versions := inside(w.p.Versions, low, wire.VersionTLS13)
	for _, s := range below13(w.p.CipherSuites) {
		info, _ := s.Info()
		if _, _, ok := gotls.Suite(info.Name); ok && suite(s) {
			c.Suites = append(c.Suites, s)
		}
	}
	if c.Suites == nil {
		versions = inside(versions, wire.VersionTLS13, wire.VersionTLS13)
	}
	if len(versions) == 0 {
		return c, w.unsayable("crypto/tls has none of its versions with a suite")
	}
	c.Min, c.Max = slices.Min(versions), slices.Max(versions)
	if c.Max == wire.VersionTLS13 && c.Min == c.Max {
		c.Suites = nil
	}
	all := gotls.Config{Go: golang}.Policy().Groups
	for _, g := range w.p.Groups {
		if slices.Contains(all, g) && group(g) {
			c.Groups = append(c.Groups, g)
		}
	}
	w.explainGo()
	return c, nil
}

func every[T any](T) bool { return true }

func (w *writer) explainGo() {
	w.why[LossVersions] = "there are a lowest and a highest version from TLS 1.0 on, and crypto/tls needs a suite for each"
	w.why[LossBlockedVersions] = "crypto/tls blocks no version that it speaks"
	w.why[LossSuites] = "crypto/tls has its own order, no others below TLS 1.3, and its three of TLS 1.3 are always on"
	w.why[LossPreference] = "crypto/tls decides on the order by itself"
	w.why[LossEqualPreference] = "crypto/tls has no groups of equal preference"
	w.why[LossGroups] = "crypto/tls has its own order, and does not have all of them"
	w.why[LossSchemes] = "they cannot be set here"
	w.why[LossALPNRequired] = "crypto/tls ends the handshake without a protocol in common"
	w.why[LossDHParameters] = "crypto/tls has no DHE suites"
}

func writeGo(w *writer) error {
	if w.o.Version != "" && !release.Known(w.o.Version) {
		return w.unsayable("there is no version " + oneLine(w.o.Version))
	}
	c, err := w.goConfig(wire.VersionTLS10, w.o.Version, every[wire.CipherSuite], every[wire.NamedGroup])
	if err != nil {
		return err
	}
	if len(c.ALPN) == 0 {
		c.ALPN = nil
	}
	w.means = c.Policy()
	w.why[LossNames] = "crypto/tls answers every name, unless GetConfigForClient refuses it"
	w.why[LossSNIRequired] = w.why[LossNames]
	version := func(v wire.Version) string { return "tls.VersionTLS1" + string(rune('0'+v-wire.VersionTLS10)) }
	w.line("config := &tls.Config{")
	w.line("\tMinVersion: %s,", version(c.Min))
	if c.Max < wire.VersionTLS13 {
		w.line("\tMaxVersion: %s,", version(c.Max))
	}
	if c.Suites != nil {
		w.line("\tCipherSuites: []uint16{")
		for _, s := range c.Suites {
			w.line("\t\ttls.%s,", s)
		}
		w.line("\t},")
	}
	if c.Groups != nil {
		w.line("\tCurvePreferences: []tls.CurveID{")
		for _, g := range c.Groups {
			w.line("\t\ttls.%s,", goCurve(g))
		}
		w.line("\t},")
	}
	if c.ALPN != nil {
		w.line("\tNextProtos: []string{")
		for _, p := range c.ALPN {
			w.line("\t\t%q,", p)
		}
		w.line("\t},")
	}
	switch w.p.ClientAuth {
	case policy.ClientAuthRequest:
		w.line("\tClientAuth: tls.VerifyClientCertIfGiven, // with ClientCAs")
	case policy.ClientAuthRequire:
		w.line("\tClientAuth: tls.RequireAndVerifyClientCert, // with ClientCAs")
	}
	w.line("}")
	w.run("go build ./...")
	return nil
}

// goCurve is Go's constant for a group.
func goCurve(g wire.NamedGroup) string {
	switch g {
	case wire.GroupX25519:
		return "X25519"
	case wire.GroupSecp256r1:
		return "CurveP256"
	case wire.GroupSecp384r1:
		return "CurveP384"
	case wire.GroupSecp521r1:
		return "CurveP521"
	}
	return g.String()
}
