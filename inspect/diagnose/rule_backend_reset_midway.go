package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleBackendResetMidway = Rule{
	ID: "backend-reset-midway", Severity: inspect.SeverityWarning, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     backendCut,
	Title:    "The backend's side reset the connection while it was in use",
	Citation: "RFC 9293, Section 3.5.2",
	Explanation: "The handshake was done and bytes flowed, then a TCP reset came from the backend's side. What was on its way at that moment is lost. A service that crashed or was killed does that, one that closes without reading all that was sent to it, and load balancers and " +
		"firewalls that forget quiet connections. Where nothing of an answer had come, the client was served nothing at all. Check: the backend's log at that second, and a capture there: if the reset is not in it, something between sent it.",
	check: func(e *evidence) *match {
		v := e.backend
		if !v.exists() || !v.established() || v.leg.Passthrough || v.leg.PeerEnd != inspect.PeerReset || v.leg.OpenEnded || e.c.HTTP != nil || e.c.Event.End != inspect.EndedByBackend {
			return nil
		}
		m := &match{detail: "after the handshake, and after a part of what it had to say", fixes: []inspect.Fix{
			fix(forBackend, "look at its log at this second", ""),
			fix(forNetwork, "find out who sends the reset", "tcpdump -ni any 'tcp[tcpflags] & tcp-rst != 0 and port "+portOf(v)+"'"),
		}}
		if v.leg.Unanswered {
			m.severity, m.title = inspect.SeverityError, "The backend's side reset the connection instead of answering"
			m.detail = "after the handshake, when something had been sent to it and before its first byte"
			m.fixes = append(m.fixes, fix(forSelf, "if the backend expects a PROXY protocol header first, send one", "tlstriage proxy --backend-proxy-protocol v2 …"))
		}
		return m
	},
}
