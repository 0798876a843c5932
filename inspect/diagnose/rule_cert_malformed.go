package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleCertMalformed = Rule{
	ID: string(chain.Malformed), Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "A certificate of the backend does not parse",
	Citation:    "RFC 5280, Section 4.1",
	Explanation: "What was sent as a certificate is not one, or breaks the rules so that strict clients refuse it (a wrong encoding of a name, an address of the wrong length, a critical extension that is not understood), or it was damaged after it was issued, so that its signature no longer verifies with the key of the issuer that it names. Where more certificates come than are looked at, that is said here, too. The title says which. Check: `openssl x509 -in leaf.pem -noout -text`.",
	check: func(e *evidence) *match {
		m := e.chainFault(chain.Malformed)
		if m != nil {
			switch e.chain.reason(chain.Malformed) {
			case chain.ReasonNotACertificate:
				m.title = "The backend sends something that is no certificate"
				m.fixes = append([]inspect.Fix{fix(forBackend, "put certificates alone into the file; if it was a private key, every client has seen it: make a new one, and have the certificate revoked", "")}, serveChain("serve certificates alone")...)
				return m
			case chain.ReasonTooMany:
				m.title = "The backend sends more certificates than are looked at"
				m.fixes = serveChain("send the leaf and its intermediates, nothing else")
				return m
			case chain.ReasonBadSignature:
				m.title = "The signature of a certificate of the backend does not verify: it is damaged"
				m.fixes = append([]inspect.Fix{fix(forBackend, "get the certificate anew, from the authority or a backup, and compare: no other intermediate mends it", "openssl verify -partial_chain -trusted intermediate.pem leaf.pem")}, serveChain("serve the certificate as it was issued")...)
				return m
			case chain.ReasonCriticalExtension:
				m.title = "A certificate of the backend has a critical extension that nobody knows"
			case chain.ReasonAlternativeNames:
				m.title = "The alternative names of the backend's certificate do not parse"
			}
			m.fixes = append([]inspect.Fix{fix(forBackend, "have the certificate issued anew", "")}, serveChain("serve the new certificate")...)
		}
		return m
	},
}
