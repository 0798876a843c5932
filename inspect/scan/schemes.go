package scan

import (
	"context"
	"fmt"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// signed is what an endpoint signs handshakes with in one version.
type signed struct {
	schemes   []wire.SignatureScheme
	exchanges []*probe.Exchange // one a scheme
}

// schemesOf finds the schemes that an endpoint signs with, and the certificate for each. All are said to be good enough inside
// certificates, so that a chain's own signatures decide nothing (RFC 8446, Section 4.2.3).
func (s *session) schemesOf(ctx context.Context, v wire.Version, suites []wire.CipherSuite, group wire.NamedGroup) signed {
	var out signed
	candidates := registry().schemes
	if v.IsTLS13() {
		candidates = registry().schemes13
	}
	within := wire.ListOf(registry().schemes...)
	all := exhaust(candidates, func(remaining []wire.SignatureScheme) (wire.SignatureScheme, bool, *probe.Exchange) {
		h := s.hello(v, suites)
		if v.IsTLS13() {
			h.SetKeyShares(group)
		}
		h.SetSignatureSchemes(remaining...)
		h.Set(wire.ExtensionSignatureAlgorithmsCert, append([]byte{byte(len(within) >> 8), byte(len(within))}, within...))
		h.Set(wire.ExtensionStatusRequest, statusRequest())
		h.Set(wire.ExtensionSCT, nil)
		x := s.ask(ctx, h, probe.Options{})
		ok := versionOf(x) == v && x.Scheme != 0
		if ok {
			out.exchanges = append(out.exchanges, x)
		}
		return x.Scheme, ok, x
	})
	out.schemes = all.found
	if all.odd != "" {
		out.exchanges = out.exchanges[:len(out.schemes)]
		s.doubt(fmt.Sprintf("%s: the endpoint signs with %s, which was not offered", v, all.last.Scheme))
	}
	if all.open {
		s.doubt(fmt.Sprintf("%s: there may be more signature schemes than were found: %s", v, all.last.Describe()))
	}
	return out
}

// statusRequest asks for an OCSP response without naming responders (RFC 6066, Section 8).
func statusRequest() []byte { return []byte{1, 0, 0, 0, 0} }

// signing are the suites in which an endpoint signs its key exchange, so that a scheme is seen.
func signing(suites []wire.CipherSuite) []wire.CipherSuite {
	var out []wire.CipherSuite
	for _, suite := range suites {
		info, _ := suite.Info()
		if (info.KeyExchange == "ECDHE" || info.KeyExchange == "DHE") && info.Authentication != "anon" {
			out = append(out, suite)
		}
	}
	return out
}
