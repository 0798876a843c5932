package scan

import (
	"context"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// protocolsAsked are application protocols that endpoints are asked about (IANA, TLS ALPN Protocol IDs), the usual ones first.
func protocolsAsked() []string {
	return []string{
		"h2", "http/1.1", "http/1.0", "http/0.9", "h2c", "h3", "grpc-exp", "spdy/3.1", "spdy/3", "spdy/2", "webrtc", "c-webrtc", "coap", "co",
		"mqtt", "amqp", "imap", "pop3", "managesieve", "ftp", "xmpp-client", "xmpp-server", "postgresql", "mysql", "tds/8.0", "sip/2", "dot", "doq",
		"ntske/1", "sunrpc", "irc", "nntp", "nnsp", "stun.turn", "stun.nat-discovery", "smb", "istio", "istio-http/1.1", "istio-h2",
	}
}

// acmeProtocol asks for the certificate of an ACME challenge (RFC 8737): servers that know it look for one as soon as it is in a
// list, and break off where there is none. It is asked about by itself.
const acmeProtocol = "acme-tls/1"

// unknownProtocol is none that anybody speaks.
const unknownProtocol = "tlstriage-unknown"

// What becomes of protocols that an endpoint does not speak.
const (
	ALPNIgnored = "ignored"               // the handshake goes on without one
	ALPNRefused = "refused"               // no_application_protocol (RFC 7301, Section 3.2)
	ALPNOther   = "answered with another" // which the client did not offer
)

// alpn finds the protocols, in the endpoint's order.
func (s *session) alpn(ctx context.Context, r *Report, note func(tolerance string, a Answer)) {
	ask := func(protocols []string) (string, bool, *probe.Exchange) {
		var h *probe.Hello
		options := probe.Options{}
		if v, ok := r.oldest12(); ok && v > wire.VersionSSLv3 && !s.target.Endpoint.QUIC {
			h = s.hello(v, r.suites(v)) // the choice is in the ServerHello there
			options.Until = probe.UntilHello
		} else if h = s.known(r); h.Version == wire.VersionSSLv3 {
			return "", false, nil
		}
		h.SetALPN(protocols...)
		x := s.ask(ctx, h, options)
		return x.ALPN, x.ALPN != "" && versionOf(x) != 0, x
	}
	if v, ok := r.oldest12(); ok && v == wire.VersionSSLv3 && !r.accepts(wire.VersionTLS13) {
		return // SSLv3 has no extensions
	}
	all := exhaust(s, protocolsAsked(), 10, nil, ask)
	if len(all.found) == 0 { // one of the rare ones may be what it breaks off for
		all = exhaust(s, protocolsAsked()[:3], 3, nil, ask)
	}
	if all.last != nil && len(all.found) == 0 && s.paper == nil && natureOf(all.last) != chosen && natureOf(all.last) != unconnected {
		// What no client can do without: where that fails, it is no matter of which protocol.
		if a := s.bears(ctx, func() *probe.Hello { return s.known(r) }, func(h *probe.Hello) { h.SetALPN("h2", "http/1.1") }); a.Reply == No && !refusesProtocol(all.last) {
			note(ToleranceALPN, a)
			r.UnknownALPN = string(Inconclusive)
			return
		}
	}
	if choice, ok, _ := ask([]string{acmeProtocol}); ok && choice == acmeProtocol {
		defer func() { r.ALPN = append(r.ALPN, acmeProtocol) }()
	}
	r.ALPN = append(r.ALPN, all.found...)
	if all.open {
		s.doubt(WhatALPN, "there may be more application protocols than were found: "+all.last.Describe())
	}
	if len(all.found) > 1 {
		reversed := slices.Clone(all.found)
		slices.Reverse(reversed)
		if choice, ok, _ := ask(reversed); ok {
			r.ALPNPreference = ByServer
			if choice == reversed[0] {
				r.ALPNPreference = ByClient
			}
		}
	}
	s.ended(WhatALPN, all.refused, all.last)
	_, _, x := ask([]string{unknownProtocol})
	if nature := natureOf(x); (nature == cut || nature == said) && !refusesProtocol(x) {
		_, _, x = ask([]string{unknownProtocol})
	}
	switch {
	case x.Alert != nil && x.Alert.Description == wire.AlertNoApplicationProtocol, x.QUIC != nil && x.QUIC.Close != nil:
		r.UnknownALPN = ALPNRefused
	case x.ALPN != "":
		r.UnknownALPN = ALPNOther
	case x.ALPN == "" && x.Accepted():
		r.UnknownALPN = ALPNIgnored
	case natureOf(x) == said, natureOf(x) == chosen && x.Alert != nil:
		r.UnknownALPN = ALPNRefused
	default:
		r.UnknownALPN = string(Inconclusive)
		s.doubt("", "an unknown application protocol: "+x.Describe())
	}
}

// refusesProtocol reports whether an endpoint says that it speaks none of the protocols.
func refusesProtocol(x *probe.Exchange) bool {
	return x.Alert != nil && x.Alert.Description == wire.AlertNoApplicationProtocol || x.QUIC != nil && x.QUIC.Close != nil
}
