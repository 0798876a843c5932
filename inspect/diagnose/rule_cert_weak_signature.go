package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleCertWeakSignature = Rule{
	ID: string(chain.WeakSignature), Severity: inspect.SeverityWarning, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "A certificate of the backend's chain is signed with SHA-1 or MD5",
	Citation:    "RFC 9155; RFC 8446, Section 4.4.2.4",
	Explanation: "Signatures with these hashes can be forged, and clients refuse them: \"ca md too weak\", ERR_CERT_WEAK_SIGNATURE_ALGORITHM. A root's own signature does not count. Check: `openssl x509 -noout -text | grep 'Signature Algorithm'`.",
	CausedBy:    []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.WeakSignature)
		if m != nil {
			m.fixes = append([]inspect.Fix{fix(forBackend, "have the certificate issued anew, with SHA-256", "openssl req -new -sha256 -key leaf.key -out new.csr")}, serveChain("serve the new certificate")...)
		}
		return m
	},
}
