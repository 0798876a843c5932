package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleBackendAlert = Rule{
	ID: idBackendAlert, Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	Title:       "The backend ended the handshake with an alert",
	Citation:    "RFC 8446, Section 6.2",
	Explanation: "The backend refused our hello with an alert that points to none of the usual reasons: internal_error (80) is its own trouble, decode_error (50) or illegal_parameter (47) an old server that trips over a new extension.",
	check: func(e *evidence) *match {
		if e.backendBy != idBackendAlert {
			return nil
		}
		a := e.backend.alert(inspect.FromServer)
		return &match{ended: e.backend.failed(), detail: "the backend answered " + spell(a), fixes: []inspect.Fix{
			fix(forBackend, "its error log at this second says more", ""),
			fix(forSelf, "find out what in the hello it does not like: leave things out one by one", "openssl s_client -connect "+backendName(e.backend)+" -tls1_2"),
		}}
	},
}
