package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleHandshakeStalled = Rule{
	ID: "handshake-stalled", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultNetwork,
	when:     legDown,
	Title:    "The handshake stood still",
	Citation: "RFC 9293, Section 3.8.3",
	Explanation: "Both sides were there, and then neither sent anything more, be it in the middle of a message, until one of them gave up or the capture ended: a server that hangs or is overloaded, a client that waits for a person (a certificate to be chosen), or packets that " +
		"were lost outside of the capture. The history says whose turn it was: capital letters are the client's messages, small ones the server's. Check: a capture at the other end.",
	CausedBy: []string{idQUICRetryLoop},
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
		ended, stuck := inspect.CaptureEnd(""), false
		if c := e.c.Capture; c != nil {
			ended, stuck = c.End, c.Stuck != nil
		}
		switch {
		case leg != inspect.LegClient || !v.spoke || stuck:
		case e.unheard() != nil && e.unheard().Records == 0 && e.endedBy(inspect.FromClient):
			m.fault = inspect.FaultBackend
			m.title = "The answer to the hello did not reach the client in time"
		case !sawServerFlight(v) && e.c.Capture != nil && e.c.Capture.Upgrade == "" && e.c.Capture.Server.Bytes > 0 && e.endedBy(inspect.FromClient):
			m.fault = inspect.FaultBackend
			m.title = "The server stopped in the middle of its answer"
		case !sawServerFlight(v):
			m.fault = inspect.FaultBackend
			m.title = "The server accepted the connection and never answered the hello"
			m.detail += "; the server owed an answer to the hello"
		case ended == inspect.EndFINServer || ended == inspect.EndResetServer:
			m.fault = inspect.FaultClient
			m.title = "The client stopped in the middle of the handshake"
		case ended == inspect.EndFINClient || ended == inspect.EndResetClient:
			m.fault = inspect.FaultBackend
			m.title = "The server stopped in the middle of the handshake"
		}
		m.fixes = []inspect.Fix{
			fix(forBackend, "see how loaded it is, and whether it answers a hello by hand", showCerts(v, v.hello.ServerName)),
			fix(forNetwork, "capture at both ends: what one sends, the other must receive", "tcpdump -ni any -w out.pcap host "+hostOf(v)),
		}
		return m
	},
}
