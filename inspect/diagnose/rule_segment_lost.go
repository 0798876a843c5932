package diagnose

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleSegmentLost = Rule{
	ID: "segment-lost", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultNetwork,
	when:     legDown,
	Title:    "A segment of the handshake never arrives",
	Citation: "RFC 1191; RFC 8201; RFC 4821",
	Explanation: "A segment of the handshake was sent again and again and never acknowledged. A large one, when smaller ones were: the path takes smaller packets than the sender believes, and the message that says so (ICMP \"fragmentation needed\") is dropped on the way, or not heeded where it is in the capture; " +
		"or a middlebox drops hellos beyond a size, which those with post-quantum key shares are. Check: `ping -M do -s 1472 HOST`, and smaller until it passes. A small one: the receiver is gone, packets are lost whatever their size, or a firewall drops what it reads in it. " +
		"Check: a capture at both ends.",
	check: func(e *evidence) *match {
		v, leg := e.far()
		if !v.is(inspect.ErrorStuck) {
			return nil
		}
		m := &match{ended: true, leg: leg, detail: or(v.message(), "a segment was never acknowledged")}
		if c := e.c.Capture; c != nil && c.Stuck != nil {
			s := c.Stuck
			m.detail = fmt.Sprintf("%d bytes from the %s were sent %d times in %.0f ms and never acknowledged", s.Size, s.From, s.Times, s.Duration)
			if s.Acked > 0 {
				m.detail += fmt.Sprintf("; the largest segment that was is of %d bytes", s.Acked)
			}
		}
		said := e.undelivered()
		if said != nil {
			m.detail += "; the network says why: " + said.String()
		}
		if said != nil && !said.TooLarge() {
			m.title = "The network does not let a segment of the handshake pass"
			m.fixes = []inspect.Fix{
				fix(forNetwork, "see what "+said.From+" forbids: it let the connection begin, and stops it by what it reads in it, or by a rule for an established one", "nft list ruleset"),
			}
			return m
		}
		if c := e.c.Capture; c != nil && c.Stuck != nil && !said.TooLarge() && !sizeMatters(c.Stuck) {
			m.detail += "; it is not its size that keeps it from passing"
			m.fixes = []inspect.Fix{
				fix(forNetwork, "capture at both ends: does it arrive, and does the acknowledgement go back?", "tcpdump -ni any -w out.pcap host "+hostOf(v)),
				fix(forBackend, "see whether it is still there, and what filters its packets", "nft list ruleset"),
			}
			if c.Stuck.From == inspect.FromClient {
				m.fixes = append(m.fixes, fix(forClient, "to see whether a firewall drops it for the name in it: send another name", "openssl s_client -connect "+backendName(v)+" -servername example.org"))
			}
			return m
		}
		m.title = "A large segment of the handshake never arrives"
		m.fixes = []inspect.Fix{
			fix(forNetwork, "find the size that passes, and let ICMP \"fragmentation needed\" (type 3 code 4; in IPv6 packet too big) through", "ping -M do -s 1472 "+hostOf(v)),
			fix(forNetwork, "or clamp the segment size where the path narrows", "nft add rule inet filter forward tcp flags syn tcp option maxseg size set rt mtu"),
			fix(forClient, "to see whether it is the hello's size: send a small one", "openssl s_client -connect "+backendName(v)+" -groups P-256"),
		}
		if said != nil {
			m.fixes[0] = fix(forNetwork, "the message that says so passes here and is not heeded: let it through to the sender, whose own firewall may drop it, and see that its path MTU discovery is on", "sysctl net.ipv4.ip_no_pmtu_disc; nft list ruleset")
		}
		return m
	},
}

// passesAnywhere is the payload of a segment that every path takes: that of a host which was told nothing (RFC 9293, Section 3.7.1).
const passesAnywhere = 536

// sizeMatters reports whether a segment may have been lost because it is large: nothing as long was acknowledged.
func sizeMatters(s *inspect.StuckSegment) bool { return s.Size > passesAnywhere && s.Size > s.Acked }
