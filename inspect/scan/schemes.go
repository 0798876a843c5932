package scan

import (
	"context"
	"fmt"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// signed is a scheme that an endpoint signs handshakes with, and an exchange in which it did.
type signed struct {
	scheme   wire.SignatureScheme
	exchange *probe.Exchange
}

// schemesOf finds the schemes that an endpoint signs with, and the certificate for each. All are said to be good enough inside
// certificates, so that a chain's own signatures decide nothing (RFC 8446, Section 4.2.3). Kinds of keys are asked about apart:
// an endpoint may choose its suite first, and then find that there is no scheme for it.
func (s *session) schemesOf(ctx context.Context, v wire.Version, suites []wire.CipherSuite, group wire.NamedGroup) []signed {
	all := registry().schemes
	if v.IsTLS13() {
		all = registry().schemes13
	}
	var out []signed
	found := make([][]signed, numKeyKinds)
	var questions []func()
	for kind := range numKeyKinds {
		candidates := slices.DeleteFunc(slices.Clone(all), func(scheme wire.SignatureScheme) bool { return kindOfScheme(v, scheme) != kind })
		of := suites
		if !v.IsTLS13() {
			of = slices.DeleteFunc(slices.Clone(suites), func(suite wire.CipherSuite) bool { return kindOfSuite(suite) != kind })
		}
		if len(of) > 0 && len(candidates) > 0 {
			questions = append(questions, func() { found[kind] = s.schemesAmong(ctx, v, of, group, candidates) })
		}
	}
	together(questions...)
	for _, some := range found {
		out = append(out, some...)
	}
	return out
}

// schemesAmong finds those among candidates.
func (s *session) schemesAmong(ctx context.Context, v wire.Version, suites []wire.CipherSuite, group wire.NamedGroup, candidates []wire.SignatureScheme) []signed {
	within := wire.ListOf(registry().schemes...)
	by := map[wire.SignatureScheme]*probe.Exchange{}
	all := exhaust(s, candidates, 1, nil, func(remaining []wire.SignatureScheme) (wire.SignatureScheme, bool, *probe.Exchange) {
		h := s.hello(v, suites)
		if v.IsTLS13() {
			h.SetKeyShares(group)
		}
		h.SetSignatureSchemes(remaining...)
		h.Set(wire.ExtensionSignatureAlgorithmsCert, append([]byte{byte(len(within) >> 8), byte(len(within))}, within...))
		s.staple(h)
		x := s.ask(ctx, h, probe.Options{})
		ok := versionOf(x) == v && x.Scheme != 0
		if ok {
			by[x.Scheme] = x
		}
		return x.Scheme, ok, x
	})
	if all.last != nil {
		s.ended(WhatSchemes+" "+v.String(), all.refused, all.last)
	}
	if all.odd {
		s.doubt("", fmt.Sprintf("%s: the endpoint signs with %s, which was not offered", v, all.last.Scheme))
	}
	if all.open {
		s.doubt(WhatSchemes+" "+v.String(), fmt.Sprintf("%s: there may be more signature schemes than were found: %s", v, all.last.Describe()))
	}
	var out []signed
	for _, scheme := range all.found {
		out = append(out, signed{scheme, by[scheme]})
	}
	return out
}

// Kinds of keys that an endpoint signs handshakes with.
const (
	keyCurve = iota // ECDSA, EdDSA
	keyRSA
	keyOther // DSA, GOST, ML-DSA, SM2
	numKeyKinds
)

func kindOfScheme(v wire.Version, s wire.SignatureScheme) int {
	switch info, _ := s.Info(); info.Kind {
	case wire.SignatureECDSA, wire.SignatureEdDSA:
		return keyCurve
	case wire.SignatureRSAPSSRSAE, wire.SignatureRSAPSSPSS, wire.SignatureRSAPKCS1:
		return keyRSA
	}
	if v.IsTLS13() {
		return keyCurve // few endpoints have any of them: a question of their own would be one more refusal
	}
	return keyOther
}

func kindOfSuite(s wire.CipherSuite) int {
	switch info, _ := s.Info(); info.Authentication {
	case "ECDSA": // of EdDSA, too (RFC 8422, Section 5.10)
		return keyCurve
	case "RSA":
		return keyRSA
	}
	return keyOther
}

// statusRequest asks for an OCSP response without naming responders (RFC 6066, Section 8).
func statusRequest() []byte { return []byte{1, 0, 0, 0, 0} }

// staple asks for what can come along with a certificate, unless the endpoint fails on that.
func (s *session) staple(h *probe.Hello) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.plain {
		h.Set(wire.ExtensionStatusRequest, statusRequest())
		h.Set(wire.ExtensionSCT, nil)
	}
}

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
