package diagnose

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleNoAnswer = Rule{
	ID: "no-answer", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultNetwork,
	when:     legDown,
	Title:    "The server's side never answered",
	Citation: "RFC 9293, Section 3.5; RFC 9000, Section 13",
	Explanation: "The client asked for a connection (TCP SYN, a QUIC or DTLS hello), again and again, and nothing came back: packets are dropped on the way (security group, firewall, UDP blocked), the address is wrong, or the host is off. " +
		"Check: `nc -vz HOST PORT` from the client; a capture at the server tells whether the requests arrive.",
	CausedBy: []string{idQUICDatagramTooSmall},
	check: func(e *evidence) *match {
		v, leg := e.far()
		if !v.is(inspect.ErrorNoAnswer) && !e.quicUnanswered() {
			return nil
		}
		m := &match{ended: true, leg: leg, detail: or(v.message(), "nothing came back")}
		if c := e.c.Capture; c != nil && c.SYNs > 1 {
			m.detail += fmt.Sprintf("; %d requests", c.SYNs)
		}
		if said := e.undelivered(); said != nil {
			m.detail += "; the network says: " + said.String()
		}
		m.fixes = []inspect.Fix{
			fix(forNetwork, "open the way: security group, firewall, route", "nc -vz "+hostOf(v)+" "+portOf(v)),
			fix(forBackend, "see whether the requests arrive", "tcpdump -ni any port "+portOf(v)),
		}
		if e.c.Transport != inspect.TransportTCP {
			m.fixes[0] = fix(forNetwork, "let UDP through to this port, or clients fall back to TCP after a delay", "nc -uvz "+hostOf(v)+" "+portOf(v))
		}
		return m
	},
}

// quicUnanswered reports whether a client of QUIC closed its connection without a single packet of the server in the capture. It says
// goodbye to nobody: what it gave up on is waiting.
func (e *evidence) quicUnanswered() bool {
	c := e.c.Capture
	return c != nil && e.c.Transport == inspect.TransportQUIC && e.client.is(inspect.ErrorClosed) && e.endedBy(inspect.FromClient) &&
		c.OneWay == "" && c.Server.Packets == 0 && c.Client.Packets > 1
}
