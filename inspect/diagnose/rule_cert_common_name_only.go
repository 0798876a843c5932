package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleCertCommonNameOnly = Rule{
	ID: string(chain.CommonNameOnly), Severity: inspect.SeverityWarning, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "The certificate has no alternative names",
	Citation:    "RFC 9525, Section 6.3",
	Explanation: "The name stands in the subject only. Go and browsers look at the alternative names and at nothing else; OpenSSL, GnuTLS and Java still fall back to the subject, so that curl may work where browsers fail. This is said where no name was asked for; else it is `cert-name-mismatch`. Check: `openssl x509 -noout -ext subjectAltName -in leaf.pem`.",
	CausedBy:    []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.CommonNameOnly)
		if m != nil {
			has := "www.example.com"
			if f := e.chain.fault(chain.CommonNameOnly); len(f.Names) > 0 {
				has = plain(f.Names[0], has)
			}
			m.fixes = append([]inspect.Fix{fix(forBackend, "have it issued anew with alternative names", "subjectAltName=DNS:"+has)}, serveChain("serve the new certificate")...)
		}
		return m
	},
}
