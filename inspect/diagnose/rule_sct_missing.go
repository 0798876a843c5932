package diagnose

import (
	"time"

	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

// presentCounts is the day from which Chrome counts timestamps as it does now.
var presentCounts = time.Date(2022, 4, 15, 0, 0, 0, 0, time.UTC)

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
			if leaf := e.chain.leaf(); !leaf.NotBefore.IsZero() && leaf.NotBefore.Before(presentCounts) {
				m.severity = inspect.SeverityInfo
				m.detail += "; it was issued before 15 April 2022, when browsers wanted fewer"
			}
			if e.chain.reason(chain.SCTMissing) == chain.ReasonTooFewSCTs {
				m.title = "The certificate comes with too few certificate timestamps"
			}
			m.fixes = append([]inspect.Fix{fix(forBackend, "have it issued anew by an authority that embeds timestamps (all public ones do unless told not to)", "")}, serveChain("serve the new certificate")...)
		}
		return m
	},
}
