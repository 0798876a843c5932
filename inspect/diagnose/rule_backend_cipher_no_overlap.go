package diagnose

import (
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var ruleBackendCipherNoOverlap = Rule{
	ID: idBackendCipherNoOverlap, Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     backendRefuses,
	Title:    "The backend accepts none of the suites, groups or signatures that the proxy offers",
	Citation: "RFC 5246, Section 7.4.1.3; RFC 8446, Section 4.1.1",
	Explanation: "The backend answered handshake_failure (40) or insufficient_security (71). The first names no reason: besides suites it may be a server name that it does not serve, or a client certificate that it wants. " +
		"Check: `tlstriage scan HOST:PORT` lists what it accepts.",
	check: func(e *evidence) *match {
		if e.backendBy != idBackendCipherNoOverlap {
			return nil
		}
		dim := policy.DimensionCipher
		switch e.backend.ended() {
		case inspect.ErrorNoCommonGroup:
			dim = policy.DimensionGroup
		case inspect.ErrorNoCommonSignature:
			dim = policy.DimensionSignature
		}
		m := &match{ended: e.backend.failed(), offered: offered(e.backend.hello, dim), detail: refusedWords(e.backend, dim)}
		if a := e.backend.alert(inspect.FromServer); a != nil && a.Code == alertHandshakeFailure {
			m.detail += "; that names no reason: no common suite is the likeliest, then a name that it does not serve (" + or(bound(e.backend.hello.ServerName), "none sent") + "), then a missing client certificate"
			if e.nameMatters() == nameIsFine {
				m.detail = refusedWords(e.backend, dim) + "; that names no reason, but it is not the name: it answers the same whatever it is asked for" + e.whichName()
			}
		}
		m.fixes = []inspect.Fix{
			fix(forSelf, "see what the backend accepts", enumCiphers(e.backend)),
			fix(forNginx, "let the backend accept a current suite", "ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256;"),
			fix(forHAProxy, "let the backend accept a current suite", "bind :443 ssl crt FILE ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"),
		}
		if e.nameMatters() != nameIsFine {
			m.fixes = append(m.fixes, fix(forSelf, "if it is the name: send another", "tlstriage proxy --backend-sni NAME …"))
		}
		return m
	},
}
