package diagnose

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleQUICHelloIncomplete = Rule{
	ID: idQUICHelloIncomplete, Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultNetwork,
	when:     clientLegDown,
	Title:    "Half of a hello came over QUIC, and never the rest",
	Citation: "RFC 9000, Section 8.1; RFC 9001, Section 4.3",
	Explanation: "A hello with a post-quantum key share (X25519MLKEM768 takes 1216 bytes) does not fit one datagram: it needs two, and one of them never came, however often it was sent. Firewalls and load balancers that judge the first datagram alone, or that send the two to different servers, look like this; so does a path that drops one size. Clients that have TCP fall back to it after a delay. " +
		"Check: the same client without the post-quantum key share; a capture at the server: `tcpdump -ni any udp port PORT`.",
	check: func(e *evidence) *match {
		q := e.client.overQUIC()
		if q == nil || !e.client.is(inspect.ErrorIncompleteHello) {
			return nil
		}
		m := &match{ended: true, detail: fmt.Sprintf("%d datagrams came", q.Datagrams)}
		if h := e.client.hello.Message; h != nil && h.Size > 0 {
			m.detail = fmt.Sprintf("%d of %d bytes of the hello came, in %d datagrams", len(h.Raw), h.Size, q.Datagrams)
		}
		m.fixes = []inspect.Fix{
			fix(forNetwork, "let every datagram of one client reach the same server: balance by address and port, not by datagram, and let none be dropped for its content", "ss -lunp"),
			fix(forClient, "see whether it succeeds without the post-quantum key share", "chrome://flags/#use-ml-kem"),
		}
		return m
	},
}
