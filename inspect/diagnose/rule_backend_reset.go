package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleBackendReset = Rule{
	ID: "backend-reset", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultNetwork,
	when:     legDown,
	Title:    "The backend's side reset the connection",
	Citation: "RFC 9293, Section 3.5.2",
	Explanation: "A TCP reset came during the handshake, with no alert before it: a firewall or load balancer between that does not like the hello (its size, its name), a service that crashed, or one that closes without reading. Check: " +
		"capture on the backend: if the reset is not in its own capture, something between sent it.",
	check: func(e *evidence) *match {
		v, leg := e.far()
		passed := e.client.failed() && e.backend.exists() && e.backend.leg.Passthrough && e.backend.leg.Error != nil && e.backend.leg.Error.Type == inspect.ErrorReset
		switch {
		case passed:
			v, leg = e.backend, inspect.LegBackend
		case !v.is(inspect.ErrorReset), e.backendBy != "", leg == inspect.LegClient && (e.endedBy(inspect.FromClient) || !e.unanswered() && !e.endedBy(inspect.FromServer)):
			return nil
		}
		detail := backendWords(v) + " (phase " + or(string(v.phase()), "unknown") + ")"
		if words := e.strangeReset(); words != "" && leg == inspect.LegClient {
			detail += "; " + words
		}
		m := &match{ended: true, leg: leg, detail: detail, fixes: []inspect.Fix{
			fix(forNetwork, "find out who sends the reset", "tcpdump -ni any 'tcp[tcpflags] & tcp-rst != 0 and port "+portOf(v)+"'"),
			fix(forBackend, "look at its log at this second", ""),
			fix(forSelf, "try with another name, or with none", "openssl s_client -connect "+backendName(v)+" -noservername"),
		}}
		if !takesNoHeader(v, m) {
			m.fixes = append([]inspect.Fix{fix(forSelf, "if the backend expects a PROXY protocol header first, send one", "tlstriage proxy --backend-proxy-protocol v2 …")}, m.fixes...)
			e.askBackendToo(m)
		}
		return m
	},
}
