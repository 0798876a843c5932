package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleCertWrongUsage = Rule{
	ID: string(chain.WrongUsage), Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "The backend's certificate is not meant for servers",
	Citation:    "RFC 5280, Section 4.2.1.12",
	Explanation: "The certificate's usages leave serverAuth out: a client, code or e-mail certificate, or an authority's own was installed. Or a certificate above it may not do what it did: it is no authority, may have fewer authorities below it, or may not issue for this name (name constraints); the title says which. Clients say \"unsuitable certificate purpose\" or \"unsupported certificate\". Check: `openssl x509 -noout -purpose`.",
	CausedBy:    []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.WrongUsage)
		if m != nil {
			var first inspect.Fix
			m.title, first = wrongUsage(e.chain.reason(chain.WrongUsage), e.chain.ofLeaf(chain.WrongUsage))
			if f := e.chain.fault(chain.WrongUsage); f.Reason == chain.ReasonExtKeyUsage && f.Index == 0 && !f.Fatal {
				m.title = "The backend's certificate does not name servers among its usages: it allows any"
			}
			m.fixes = append([]inspect.Fix{first}, serveChain("serve that certificate")...)
		}
		return m
	},
}

// wrongUsage says what a certificate was used for and may not be, and what to issue instead; an empty title means the rule's own.
func wrongUsage(r chain.Reason, leaf bool) (title string, first inspect.Fix) {
	switch r {
	case chain.ReasonNameConstraints:
		return "An authority of the backend's chain may not issue for a name of the certificate",
			fix(forBackend, "have the certificate issued by an authority that may, or without the names outside of its constraints; the constraints stand in the authority's certificate", "openssl x509 -in intermediate.pem -noout -ext nameConstraints")
	case chain.ReasonPathLength:
		return "An authority of the backend's chain has more authorities below it than it allows",
			fix(forBackend, "have the certificate issued higher up, or the authority's certificate issued anew with a longer path", "basicConstraints = critical,CA:TRUE,pathlen:1")
	case chain.ReasonNotCA:
		return "A certificate that is no authority signed one of the backend's chain",
			fix(forBackend, "have the certificate issued by an authority; if this one is meant to be one, its certificate must say so", "basicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign,cRLSign")
	case chain.ReasonVersion1CA:
		return "An authority of the backend's chain has a certificate of X.509 version 1",
			fix(forBackend, "have the authority's certificate issued anew as version 3; version 1 cannot say that it is an authority", "basicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign,cRLSign")
	case chain.ReasonCALeaf:
		return "The backend's certificate is an authority's",
			fix(forBackend, "issue a certificate for the server from it, and serve that: the authority's key does not belong on a server", "basicConstraints = CA:FALSE\nextendedKeyUsage = serverAuth")
	case chain.ReasonKeyUsage:
		if leaf {
			return "The key usage of the backend's certificate does not allow TLS",
				fix(forBackend, "issue a certificate whose key may sign", "keyUsage = critical,digitalSignature")
		}
		return "An authority of the backend's chain may not sign certificates",
			fix(forBackend, "have the authority's certificate issued anew with the usage to sign certificates", "keyUsage = critical,keyCertSign,cRLSign")
	case chain.ReasonExtKeyUsage:
		if !leaf {
			return "An authority of the backend's chain may not issue for servers",
				fix(forBackend, "have the certificate issued by an authority for servers, or the authority's certificate issued anew without extendedKeyUsage", "")
		}
	}
	return "", fix(forBackend, "issue a certificate with extendedKeyUsage serverAuth", "extendedKeyUsage = serverAuth")
}
