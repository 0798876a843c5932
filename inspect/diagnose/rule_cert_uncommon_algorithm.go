package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleCertUncommonAlgorithm = Rule{
	ID: string(chain.UncommonAlgorithm), Severity: inspect.SeverityWarning, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "A certificate of the backend uses an algorithm that not all clients know",
	Citation:    "RFC 4055, Section 1.2; RFC 8410; RFC 5639",
	Explanation: "A key for RSASSA-PSS alone, or one of Ed448, is well-formed, and OpenSSL, GnuTLS and Java from 11 or 15 on take it; browsers, Go and the load balancers of clouds do not. One on brainpoolP256r1 or secp256k1 is for OpenSSL alone, and a client needs the curve among its groups. An error where a certificate is signed with an algorithm (Ed448, RSASSA-PSS with unusual parameters) that crypto/x509 does not know: then its signature could not be checked here, and nothing is said against it. Check: `openssl verify -CAfile root.pem leaf.pem`.",
	CausedBy:    []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.UncommonAlgorithm)
		if m != nil {
			switch e.chain.reason(chain.UncommonAlgorithm) {
			case chain.ReasonUncommonSignature:
				m.title = "A certificate of the backend is signed with an algorithm that could not be checked here"
			case chain.ReasonUncommonCurve:
				m.title = "The key of a certificate of the backend is on a curve that few clients know"
			}
			m.fixes = append([]inspect.Fix{fix(forBackend, "for clients of every kind, take a key of RSA (rsaEncryption) or on P-256, and have it certified", "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out new.key")}, serveChain("serve the new certificate")...)
		}
		return m
	},
}
