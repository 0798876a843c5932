package diagnose

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleClientHelloIncomplete = Rule{
	ID: "client-hello-incomplete", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     clientLegDown,
	Title:    "The ClientHello was cut short",
	Citation: "RFC 8446, Section 5.1",
	Explanation: "The client closed the connection in the middle of its hello. A client that gives up quickly, a middlebox that cuts hellos of more than one packet, or a scanner. Large post-quantum hellos " +
		"do not fit into one packet: when only new browsers are hit, look at the path's MTU and at firewalls that judge the first packet alone.",
	check: func(e *evidence) *match {
		if !e.client.is(inspect.ErrorIncompleteHello) || e.client.overQUIC() != nil {
			return nil
		}
		return &match{ended: true, detail: or(helloSize(e.client.hello), "closed in the middle of the hello"), fixes: []inspect.Fix{
			fix(forClient, "try from another network; if that works, something on the path cuts the hello", ""),
			fix(forNetwork, "let ICMP 'fragmentation needed' pass, clamp the MSS, or update the firewall that inspects TLS", "nft add rule inet filter forward tcp flags syn tcp option maxseg size set rt mtu"),
		}}
	},
}

// helloSize says how much of a hello came and in how many pieces.
func helloSize(h *inspect.Hello) string {
	m := h.Message
	if m == nil {
		return ""
	}
	s := fmt.Sprintf("hello of %d bytes in %d records and %d segments", m.Size, m.Records, m.Segments)
	if !m.Complete {
		s += fmt.Sprintf("; %d bytes came", len(m.Raw))
	}
	return s
}
