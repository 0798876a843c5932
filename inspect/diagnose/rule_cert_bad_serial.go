package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleCertBadSerial = Rule{
	ID: string(chain.BadSerial), Severity: inspect.SeverityWarning, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "A certificate's serial number is malformed",
	Citation:    "RFC 5280, Section 4.1.2.2",
	Explanation: "A serial number must be positive and no longer than 20 octets. Clients built with Go refuse a certificate with a negative one; zero and long ones are taken by most, and strict ones say no. Scripts that number certificates by hand make them. Check: `openssl x509 -noout -serial -in leaf.pem`.",
	CausedBy:    []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.BadSerial)
		if m != nil {
			switch e.chain.reason(chain.BadSerial) {
			case chain.ReasonNegativeSerial:
				m.title = "A certificate's serial number is negative"
			case chain.ReasonZeroSerial:
				m.title = "A certificate's serial number is zero"
			case chain.ReasonLongSerial:
				m.title = "A certificate's serial number is longer than 20 octets"
			}
			if m.severity == inspect.SeverityWarning && !e.chain.refusedByAny(chain.BadSerial) {
				m.severity = inspect.SeverityInfo
			}
			m.fixes = append([]inspect.Fix{fix(forBackend, "have the certificate issued anew with a random serial number", "openssl x509 -req … -set_serial 0x$(openssl rand -hex 16)")}, serveChain("serve the new certificate")...)
		}
		return m
	},
}
