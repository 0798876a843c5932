package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleHTTPBackendSpeaksHTTP2 = Rule{
	ID: "http-backend-speaks-h2", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultProxy,
	when:     requestsFailed,
	Title:    "The backend speaks HTTP/2, and was asked in HTTP/1.1",
	Citation: "RFC 9113, Sections 3.3 and 3.4",
	Explanation: "The answer begins with a SETTINGS frame, the preface of a server of HTTP/2. In plain text there is no ALPN by which that could be found out beforehand: a backend at a tcp:// address is asked in HTTP/1.1 unless `--backend-protocol h2` says otherwise. " +
		"Servers of gRPC without TLS (\"insecure\") speak nothing else. Check: `curl -v --http2-prior-knowledge http://HOST:PORT/`.",
	check: func(e *evidence) *match {
		detail := e.httpFailures(inspect.HTTPSpeaksHTTP2)
		if detail == "" {
			return nil
		}
		m := &match{detail: detail}
		if v := e.backend; v.exists() && !v.leg.Plain {
			m.fault = inspect.FaultBackend
			m.detail += "; in TLS it has to agree to h2 by ALPN, and did not"
			m.fixes = []inspect.Fix{
				fix(forBackend, "let it take part in ALPN, with h2", ""),
				fix(forSelf, "or carry the bytes as they are", "tlstriage proxy --mode bridge …"),
			}
			return m
		}
		m.fixes = []inspect.Fix{fix(forSelf, "ask it in HTTP/2", "tlstriage proxy --mode http --backend-protocol h2 …")}
		return m
	},
}
