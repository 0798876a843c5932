package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleBackendClosed = Rule{
	ID: "backend-closed", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     legDown,
	Title:    "The backend closed the connection during the handshake",
	Citation: "RFC 8446, Section 6.1",
	Explanation: "The backend ended the connection in good order but without an alert: it does not expect TLS here, it expects a PROXY protocol header first, it serves nobody with this name, or it wants a client certificate and says nothing. " +
		"Check: `openssl s_client -connect HOST:PORT`, with and without `-servername`.",
	CausedBy: []string{idQUICConnectionClosed, idQUICHelloIncomplete},
	check: func(e *evidence) *match {
		v, leg := e.far()
		if !v.is(inspect.ErrorClosed, inspect.ErrorEmpty, inspect.ErrorIncompleteHello) || e.backendBy != "" || leg == inspect.LegClient && !e.unanswered() && !e.endedBy(inspect.FromServer) {
			return nil
		}
		if leg == inspect.LegClient && v.untried() {
			return nil // nothing was asked
		}
		if e.passed() && leg == inspect.LegClient && e.endedBy(inspect.FromClient) {
			return nil // it was the client that closed
		}
		if c := e.c.Capture; c != nil && leg == inspect.LegClient && c.End != "" && c.End != inspect.EndFINServer && v.is(inspect.ErrorClosed) {
			return nil // it was the client that closed
		}
		m := &match{ended: true, leg: leg, detail: backendWords(v), fixes: []inspect.Fix{
			fix(forBackend, "look at its log at this second", ""),
			fix(forNginx, "if the backend's listen line has proxy_protocol, the header must be sent, or taken off there", "listen 443 ssl;"),
			fix(forSelf, "if the port speaks plain text", "tlstriage proxy --backend tcp://"+backendName(v)+" …"),
		}}
		if !takesNoHeader(v, m) {
			e.askBackendToo(m)
		}
		return m
	},
}
