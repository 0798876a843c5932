package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleBackendUnresolvable = Rule{
	ID: "backend-unresolvable", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultProxy,
	when:        legDown,
	Title:       "The backend's name has no address",
	Citation:    "RFC 1034, Section 3.7",
	Explanation: "The name under which this program looks for the backend does not resolve: a typing error in the configuration, a service that is gone, or a resolver that does not answer. Check on this machine: `getent hosts NAME`.",
	check: func(e *evidence) *match {
		v, leg := e.far()
		if !v.is(inspect.ErrorUnresolvable) {
			return nil
		}
		return &match{ended: true, leg: leg, detail: backendWords(v), fixes: []inspect.Fix{
			fix(forSelf, "correct the backend's name, or give an address and the name apart", "tlstriage proxy --backend https://ADDRESS:PORT --backend-sni NAME …"),
			fix(forNetwork, "check the resolver of this machine, and in Kubernetes the Service and its namespace", "getent hosts "+hostOf(v)+"; kubectl get svc -A"),
		}}
	},
}

// backendWords names the backend and what the library said.
func backendWords(v view) string {
	s := "backend " + backendName(v)
	if m := v.message(); m != "" {
		s += ": " + m
	}
	return s
}
