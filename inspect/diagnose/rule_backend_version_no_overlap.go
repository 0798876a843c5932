package diagnose

import (
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var ruleBackendVersionNoOverlap = Rule{
	ID: idBackendVersionNoOverlap, Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     backendRefuses,
	Title:    "The backend accepts none of the TLS versions that the proxy offers",
	Citation: "RFC 8446, Section 4.2.1",
	Explanation: "The backend answered protocol_version, or chose a version that was not offered: it is older than TLS 1.2, or was told to take TLS 1.3 alone. Check: `openssl s_client -tls1 -connect HOST:PORT` " +
		"(with `-cipher DEFAULT:@SECLEVEL=0`), then `-tls1_2`, `-tls1_3`.",
	check: func(e *evidence) *match {
		if e.backendBy != idBackendVersionNoOverlap {
			return nil
		}
		m := &match{ended: e.backend.failed(), offered: offered(e.backend.hello, policy.DimensionVersion), detail: refusedWords(e.backend, policy.DimensionVersion)}
		if newest(m.offered) != "TLSv1.3" && !e.d.Alone {
			m.fault = inspect.FaultProxy // by its own configuration it offers less than it could
			m.fixes = []inspect.Fix{fix(forSelf, "offer TLS 1.3 too: leave --backend-max-version out", "tlstriage proxy --backend-max-version TLSv1.3 …")}
			return m
		}
		m.fixes = append([]inspect.Fix{fix(forBackend, "turn TLS 1.2 and 1.3 on", "")}, acceptVersion("TLSv1.2")...)
		return m
	},
}

// refusedWords says what was offered to the backend and what it answered.
func refusedWords(v view, dim policy.Dimension) string {
	s := "offered to " + backendName(v) + ": " + enumerate(offered(v.hello, dim))
	if a := v.alert(inspect.FromServer); a != nil {
		return s + "; it answered " + spell(a)
	}
	if m := v.message(); m != "" {
		s += "; " + m
	}
	return s
}
