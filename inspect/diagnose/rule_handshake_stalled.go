package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleHandshakeStalled = Rule{
	ID: "handshake-stalled", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultNetwork,
	Title:    "The handshake stood still",
	Citation: "RFC 9293, Section 3.8.3",
	Explanation: "Both sides were there, and then neither sent anything more, until the capture or the time for which a silent connection is watched ended: a server that hangs or is overloaded, a client that waits for a person (a certificate to be chosen), or packets that " +
		"were lost outside of the capture. The history says whose turn it was: capital letters are the client's messages, small ones the server's. Check: a capture at the other end.",
	check: func(e *evidence) *match {
		v, leg := e.far()
		if !v.is(inspect.ErrorStalled) {
			return nil
		}
		m := &match{ended: true, leg: leg, detail: or(v.message(), "nothing came any more")}
		history := ""
		if v.tls.Handshake != nil {
			history = v.tls.Handshake.History
		}
		if history != "" {
			m.detail += "; messages seen: " + boundTo(history, 64)
		}
		if leg == inspect.LegClient && v.spoke && !sawServerFlight(v) {
			m.fault = inspect.FaultBackend
			m.detail += "; the server owed an answer to the hello"
		}
		m.fixes = []inspect.Fix{
			fix(forBackend, "see how loaded it is, and whether it answers a hello by hand", showCerts(v, v.hello.ServerName)),
			fix(forNetwork, "capture at both ends: what one sends, the other must receive", "tcpdump -ni any -w out.pcap host "+hostOf(v)),
		}
		return m
	},
}
