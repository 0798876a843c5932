package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleSCTMissing = Rule{
	ID: string(chain.SCTMissing), Severity: inspect.SeverityWarning, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "The certificate comes without certificate timestamps",
	Citation:    "RFC 6962, Section 3.3",
	Explanation: "Chrome, Safari and Firefox accept a certificate of a public authority only with signed certificate timestamps: embedded, in the handshake, or in the stapled OCSP answer. The error is ERR_CERTIFICATE_TRANSPARENCY_REQUIRED. Check: `openssl x509 -noout -text -in leaf.pem | grep -A2 'CT Precertificate SCTs'`.",
	CausedBy:    []string{"default-certificate-served", "sct-invalid"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.SCTMissing)
		if m != nil {
			if e.chain.reason(chain.SCTMissing) == chain.ReasonTooFewSCTs {
				m.title = "The certificate comes with too few certificate timestamps"
			}
			m.fixes = append([]inspect.Fix{fix(forBackend, "have it issued anew by an authority that embeds timestamps (all public ones do unless told not to)", "")}, serveChain("serve the new certificate")...)
		}
		return m
	},
}
