package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleAnswerLost = Rule{
	ID: "answer-lost", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultNetwork,
	when:     legDown,
	Title:    "The server answers, and its answer never reaches the client",
	Citation: "RFC 9293, Section 3.5",
	Explanation: "The client asked for a TCP connection again and again, the server answered each time (SYN/ACK), and the client went on asking: what the server sends is dropped between the place of the capture and the client. Most often the two ways are not the same and a stateful firewall sees only one of them, " +
		"a rule lets packets in and not out, or the server's route back is wrong. The server and what it serves are in order. Check: a capture at the client; `ip route get CLIENT` at the server.",
	check: func(e *evidence) *match {
		v, leg := e.far()
		if !v.is(inspect.ErrorUnacknowledged) {
			return nil
		}
		return &match{ended: true, leg: leg, detail: or(v.message(), "the answer was never acknowledged"), fixes: []inspect.Fix{
			fix(forNetwork, "let the answers through: rules for established connections, both ways through the same firewall", "nft list ruleset"),
			fix(forBackend, "see which way the answers take", "ip route get "+e.c.Client.Address),
			fix(forClient, "see whether they arrive", "tcpdump -ni any 'tcp[tcpflags] & tcp-syn != 0 and host "+hostOf(v)+"'"),
		}}
	},
}
