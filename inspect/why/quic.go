package why

import (
	"fmt"
	"slices"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// controlsOverQUIC are the hellos to try over QUIC, where there is one version of TLS and a protocol has to be offered (RFC 9001, Section 8.1).
func (r *run) controlsOverQUIC() []control {
	f := r.failing.hello
	own := f.ServerName()
	var all []control
	add := func(change string, h *probe.Hello) {
		all = append(all, control{change, trial{h.ForQUIC(r.Target.QUICVersion), nil}})
	}
	plain := func(name string, protocols ...string) *probe.Hello {
		h := broad(name)
		h.SetALPN(protocols...)
		return h
	}
	http3 := []string{"h3", "h3-29"}
	protocols := append(slices.Clone(f.ALPN()), lessOf(http3, f.ALPN())...)
	if own != "" {
		h := f.Clone()
		h.SetServerName("")
		add("without a server name", h)
	}
	for _, name := range r.names() {
		h := f.Clone()
		h.SetServerName(name)
		add("server name "+name, h)
	}
	add("a plain hello of many suites and groups, with h3", plain(own, protocols...))
	shared := plain(own, protocols...)
	shared.SetKeyShares(commonShares()...)
	add("a plain hello with more key shares", shared)
	small := small13(own)
	small.SetALPN("h3")
	add("a small hello", small)
	for _, name := range r.names() {
		add("a plain hello of many suites and groups, with h3, server name "+name, plain(name, protocols...))
	}
	if own != "" {
		add("a plain hello of many suites and groups, with h3, without a server name", plain("", protocols...))
	}
	add("a plain hello with other protocols", plain(own, "hq-interop", "doq", "smb", "wt", "h3-32", "moq-00"))
	all = append(all, control{"a hello with every suite, group and scheme there is", trial{func() *probe.Hello {
		h := everything(own)
		h.SetALPN(protocols...)
		return h.ForQUIC(r.Target.QUICVersion)
	}(), nil}})
	return all
}

// overQUIC explains what only QUIC has. It reports whether that ends the experiment.
func (r *run) overQUIC(first answer) bool {
	x := first.x
	if !r.Target.QUIC || x.Error == nil || x.Error.Type != inspect.ErrorNoCommonVersion || x.QUIC == nil {
		return false
	}
	r.add(found{axis: AxisVersion, id: NoCommonQUICVersion, accepted: names(x.QUIC.Versions), offered: names([]fmt.Stringer{x.QUIC.Version}),
		evidence: "the hello is answered by Version Negotiation: " + x.Error.Message,
		sentence: fmt.Sprintf("No common version of QUIC: the endpoint speaks %s.", listed(x.QUIC.Versions)),
		fix:      "Update the endpoint, or the client."})
	return true
}

// silentOverQUIC says what silence means where nobody says that nobody is there.
func (r *run) silentOverQUIC(everything string) {
	r.add(found{axis: AxisNetwork, id: Silent, evidence: everything,
		sentence: "Nothing answers over QUIC, whatever the hello says: UDP is filtered on the way, or nothing speaks QUIC at this port. Over UDP both look the same.",
		fix:      "Look whether UDP reaches the port (firewalls, security groups), and whether the endpoint has HTTP/3 turned on."})
}

// quicParameters are the extensions that QUIC cannot do without.
func quicParameters(t wire.ExtensionType) bool {
	return t == wire.ExtensionQUICTransportParameters || t == wire.ExtensionQUICTransportParametersDraft
}
