package scan

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// hello asks in one version, about suites. In TLS 1.3 it has no key share, so that the endpoint names its suite and group in a
// HelloRetryRequest (RFC 8446, Section 4.2.8), before either side has computed anything.
func (s *session) hello(v wire.Version, suites []wire.CipherSuite) *probe.Hello {
	r := registry()
	o := probe.Offer{ServerName: s.target.ServerName, Versions: []wire.Version{v}, CipherSuites: suites, ALPN: s.target.ALPN}
	if v.IsTLS13() {
		o.Groups, o.KeyShares, o.SignatureSchemes = r.groups, []wire.NamedGroup{}, r.schemes
	} else {
		o.Groups, o.SignatureSchemes = r.curves, r.schemes
	}
	return renegotiating(o.Hello())
}

// renegotiating says that a client of TLS 1.3, too, knows RFC 5746, as browsers do: endpoints that insist on that (GnuTLS with %SAFE_RENEGOTIATION)
// look for it before they look at the version. Older hellos with all extensions say it by a suite.
func renegotiating(h *probe.Hello) *probe.Hello {
	if h.HasExtensions && !slices.Contains(h.CipherSuites, wire.EmptyRenegotiationInfoSCSV) {
		h.Set(wire.ExtensionRenegotiationInfo, []byte{0})
	}
	return h
}

// shared is hello with a key share of a group, so that the handshake can be read.
func (s *session) shared(suites []wire.CipherSuite, group wire.NamedGroup) *probe.Hello {
	h := s.hello(wire.VersionTLS13, suites)
	h.SetKeyShares(group)
	return h
}

// whole is hello for a handshake that is to be finished: among the groups that the endpoint takes only those are offered that can be
// computed here, if there are any. The curves of certificates stay in, without which ECDSA suites may not be chosen.
func (s *session) whole(r *Report, v wire.Version) *probe.Hello {
	h := s.hello(v, r.suites(v))
	if !h.HasExtensions {
		return h
	}
	able := []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1, wire.GroupSecp521r1, wire.GroupX448}
	groups := slices.DeleteFunc(slices.Clone(r.groups[v]), func(g wire.NamedGroup) bool { return !slices.Contains(able, g) })
	if len(groups) == 0 {
		return h
	}
	h.SetGroups(withOthers(withOthers(groups, able...), r.certificateCurves(v)...)...)
	return h
}

// certificateCurves are the curves of the keys that certificates of a version have: "the server MUST NOT" choose an ECDSA suite for a client that
// has not its certificate's curve among its groups (RFC 8422, Section 5.1).
func (r *Report) certificateCurves(v wire.Version) []wire.NamedGroup {
	var curves []wire.NamedGroup
	if e := r.enumerated[v]; e != nil {
		for _, x := range e.leaves {
			if curve, ok := inspect.CertificateCurve(x.Certificates[0]); ok {
				curves = withOthers(curves, curve)
			}
		}
	}
	return curves
}

// withOthers are groups, and behind them others that are not among them.
func withOthers(groups []wire.NamedGroup, others ...wire.NamedGroup) []wire.NamedGroup {
	groups = slices.Clone(groups)
	for _, g := range others {
		if !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	return groups
}

// small asks for a version with as little as a hello can have.
func (s *session) small(v wire.Version) *probe.Hello {
	o := probe.Offer{ServerName: s.target.ServerName, Versions: []wire.Version{v}, ALPN: s.target.ALPN, Bare: true}
	if v.IsTLS13() {
		o.Groups = []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp256r1}
		o.KeyShares = o.Groups
		return renegotiating(o.Hello())
	}
	for _, suite := range few() {
		if info, _ := suite.Info(); info.MinVersion <= v {
			o.CipherSuites = append(o.CipherSuites, suite)
		}
	}
	o.Groups = []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1}
	return renegotiating(o.Hello())
}

// accepted are hellos that are known to be answered: what an endpoint chose before, in the version in which it said most.
func (s *session) known(r *Report) *probe.Hello {
	if group, ok := r.shareable(); ok {
		return s.shared(r.modern(), group)
	}
	if v, ok := r.oldest12(); ok {
		return s.hello(v, r.suites(v))
	}
	return s.small(wire.VersionTLS12)
}

// suiteOf is the suite that an exchange ended with, or that a HelloRetryRequest names.
func suiteOf(x *probe.Exchange) wire.CipherSuite {
	switch {
	case x.ServerHello != nil:
		return x.ServerHello.CipherSuite
	case x.RetryRequest != nil:
		return x.RetryRequest.CipherSuite
	}
	return 0
}

// versionOf is the version that was chosen; 0: none.
func versionOf(x *probe.Exchange) wire.Version {
	switch {
	case x.ServerHello != nil:
		return x.ServerHello.Version
	case x.RetryRequest != nil:
		return x.RetryRequest.Version
	}
	return 0
}
