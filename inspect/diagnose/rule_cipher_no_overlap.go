package diagnose

import (
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var ruleCipherNoOverlap = Rule{
	ID: "cipher-no-overlap", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	Title:    "Client and server have no cipher suite in common",
	Citation: "RFC 5246, Section 7.4.1.3; RFC 8446, Section 4.1.1",
	Explanation: "The versions agree, but no suite is left: the server answers handshake_failure (alert 40) or insufficient_security (71). Besides suites that one side has turned off, a suite falls away when the " +
		"server's certificate is of the other kind (an ECDSA suite needs an ECDSA certificate), or when the two have no group in common for ECDHE. Check: `openssl s_client -cipher NAME -connect HOST:PORT`.",
	check: func(e *evidence) *match {
		if e.refusal != policy.DimensionCipher {
			return nil
		}
		m := e.noOverlap(policy.DimensionCipher, "suite")
		m.fixes = e.named(append(modernCiphers(m.offered), acceptCiphers(m.offered)...))
		return m
	},
}

// modernCiphers is what to tell a client that offers none of today's suites; nothing, to one that does.
func modernCiphers(offered []string) []inspect.Fix {
	if !outdated(policy.DimensionCipher, offered) {
		return nil
	}
	return []inspect.Fix{fix(forClient, "let it offer suites with forward secrecy and authenticated encryption", "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384")}
}
