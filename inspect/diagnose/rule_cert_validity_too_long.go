package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleCertValidityTooLong = Rule{
	ID: string(chain.ValidityTooLong), Severity: inspect.SeverityWarning, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "The certificate is valid for longer than a public one may be",
	Citation:    "CA/Browser Forum Baseline Requirements, Section 6.3.2",
	Explanation: "Certificates of public authorities must not live longer than the limit of the day on which they were issued (825 days since March 2018, 398 since September 2020, 200 since 15 March 2026, 100 since 15 March 2027, 47 since 15 March 2029). Chrome and Apple's systems refuse what is longer than 398 days, other clients do not look; the detail says who does. Check: `openssl x509 -noout -dates -in leaf.pem`.",
	CausedBy:    []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.ValidityTooLong)
		if m != nil {
			if e.chain.refusedByAny(chain.ValidityTooLong) {
				m.title = "The certificate is valid for longer than browsers accept"
			}
			m.fixes = append([]inspect.Fix{fix(forBackend, "have it issued anew for a shorter time, and renew it by ACME", "certbot certonly -d "+plain(e.chain.name, "NAME"))}, serveChain("serve the new certificate")...)
		}
		return m
	},
}
