package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleCertWeakKey = Rule{
	ID: string(chain.WeakKey), Severity: inspect.SeverityWarning, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "A key in the backend's chain is too small",
	Citation:    "RFC 9325, Section 4.5",
	Explanation: "RSA below 2048 bits, or a curve below 224. Strict clients (OpenSSL at security level 2, Go, Java's disabledAlgorithms) refuse it: \"ee key too small\". Check: `openssl x509 -noout -text | grep Public-Key`.",
	CausedBy:    []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.WeakKey)
		if m != nil {
			m.fixes = append([]inspect.Fix{fix(forBackend, "make a new key of 2048 bits or on P-256, and have it certified", "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out new.key")}, serveChain("serve the new certificate")...)
		}
		return m
	},
}
