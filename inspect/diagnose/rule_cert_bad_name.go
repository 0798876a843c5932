package diagnose

import (
	"strings"

	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleCertBadName = Rule{
	ID: string(chain.BadName), Severity: inspect.SeverityWarning, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "A name in the certificate matches nothing, or not what was meant",
	Citation:    "RFC 9525, Section 6.3; RFC 5280, Section 4.2.1.6",
	Explanation: "An address written as a DNS name, a wildcard that is not the whole leftmost label, letters that are not in ASCII, an underscore, a trailing dot: such names stand in the certificate and match no client, or only some. Check: `openssl x509 -noout -ext subjectAltName -in leaf.pem`.",
	CausedBy:    []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.BadName)
		if m != nil {
			f := e.chain.fault(chain.BadName)
			m.offered = f.Names
			if title := badNameTitle(f.Reason); title != "" {
				m.title = title
			}
			if e.chain.fault(chain.NameMismatch) == nil && e.chain.harmlessNames() {
				m.severity = inspect.SeverityInfo
			}
			m.fixes = append([]inspect.Fix{fix(forBackend, "have it issued anew with names as clients ask for them; addresses go into iPAddress, and IDNs are written as A-labels (xn--…)", "subjectAltName=DNS:www.example.com,IP:192.0.2.1")}, serveChain("serve the new certificate")...)
		}
		return m
	},
}

// badNameTitle says what is wrong with a name.
func badNameTitle(r chain.Reason) string {
	switch r {
	case chain.ReasonAddressAsName:
		return "The certificate has an address among its DNS names, where nobody looks for it"
	case chain.ReasonNameAsAddress:
		return "The certificate has a name in place of an address"
	case chain.ReasonMappedAddress:
		return "The certificate has an IPv4 address in the form of IPv6, where not all clients look for it"
	case chain.ReasonUnicodeLabel, chain.ReasonBadALabel:
		return "The certificate has an international name that is not in the form that clients compare"
	case chain.ReasonUnderscore:
		return "The certificate has a name with an underscore"
	case chain.ReasonTrailingDot:
		return "The certificate has a name with a dot at its end"
	case chain.ReasonPartialWildcard, chain.ReasonWildcardPlace:
		return "The certificate has a wildcard that is not the whole leftmost label"
	case chain.ReasonWildcardSuffix:
		return "The certificate has a wildcard over a public suffix"
	case chain.ReasonDuplicateName:
		return "The certificate has a name twice"
	case chain.ReasonNotADomainName:
		return "The certificate has a name that is no domain name"
	}
	return ""
}

// harmlessNames reports whether all that is wrong with the names is of a kind that does no harm while the name asked for is covered.
func (c *chainEvidence) harmlessNames() bool {
	for _, f := range c.faults {
		if f.ID != chain.BadName {
			continue
		}
		switch f.Reason {
		case chain.ReasonDuplicateName, chain.ReasonUnderscore, chain.ReasonAddressAsName, chain.ReasonTrailingDot:
		default:
			return false
		}
		if len(f.RefusedBy) > 0 || f.Reason == chain.ReasonUnderscore && strings.Contains(c.name, "_") {
			return false
		}
	}
	return true
}
