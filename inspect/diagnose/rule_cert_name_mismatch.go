package diagnose

import (
	"strings"

	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleCertNameMismatch = Rule{
	ID: string(chain.NameMismatch), Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     chainFaulty,
	Title:    "The backend's certificate is for another name",
	Citation: "RFC 9525, Section 6",
	Explanation: "None of the certificate's names is the one that was asked for. Wrong site behind the address, a missing entry in the certificate, a wildcard that covers only one label, or a connection by address. (The common name does not count.) " +
		"Where the proxy looked at the backend again, the detail says which name gets which certificate. Check: `openssl x509 -noout -ext subjectAltName`.",
	CausedBy: []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.NameMismatch)
		if m == nil {
			return nil
		}
		f := e.chain.fault(chain.NameMismatch)
		m.offered, m.accepted = f.Names, []string{e.chain.name}
		issue := fix(forBackend, "issue a certificate with "+bound(e.chain.name)+" among its subject alternative names", "certbot certonly -d "+plain(e.chain.name, "NAME"))
		if f.Reason == chain.ReasonCommonNameOnly || len(m.offered) == 0 || len(m.offered) == 1 && m.offered[0] == e.chain.name {
			// Only a common name, which nobody reads any more, or an entry of the wrong kind: no other name to ask for would help.
			m.title = "The backend's certificate has no name that counts"
			m.offered = nil
			if f.Reason == chain.ReasonAddressAsName {
				m.title = "The backend's certificate has the address as a DNS name, where it does not count"
				issue = fix(forBackend, "issue a certificate with the address as an iPAddress entry", "subjectAltName=IP:"+plain(e.chain.name, "ADDRESS"))
			}
			m.fixes = append([]inspect.Fix{issue}, serveChain("serve the new certificate")...)
			return m
		}
		switch f.Reason {
		case chain.ReasonWildcardDepth:
			m.title = "The wildcard of the backend's certificate stands for one label only"
		case chain.ReasonPartialWildcard, chain.ReasonWildcardPlace:
			m.title = "The backend's certificate has a wildcard that nobody matches"
		case chain.ReasonTrailingDot:
			m.title = "The backend's certificate has the name with a dot at its end, which nobody matches"
		}
		m.detail += e.whichName()
		works := e.nameThatWorks()
		if works != "" {
			m.fixes = append(m.fixes, sendName(works))
		}
		if e.wrongNameConfigured() {
			m.fault = inspect.FaultProxy
		}
		m.fixes = append(m.fixes, issue)
		if works == "" {
			if works = e.nameOfCertificate(m.offered); works != "" {
				m.fixes = append(m.fixes, fix(forSelf, "or ask the backend for a name that it has", "tlstriage proxy --backend-sni "+works+" …"))
			}
		}
		name := plain(works, "NAME")
		m.fixes = append(m.fixes,
			fix(forNginx, "if nginx stands in the proxy's place: it sends and checks the name of the upstream unless told otherwise", "proxy_ssl_name "+name+";\nproxy_ssl_server_name on;"),
			fix(forHAProxy, "if HAProxy stands in the proxy's place", "server NAME "+backendName(e.chain.view)+" ssl sni str("+name+") verify required ca-file FILE verifyhost "+name))
		m.fixes = append(m.fixes, serveChain("serve the certificate for this name")...)
		return m
	},
}

// nameOfCertificate is a name of the certificate that one can ask for and that no look refutes; empty without one. A wildcard is
// no name to ask for.
func (e *evidence) nameOfCertificate(names []string) string {
	for i, n := range names {
		if i == maxLooks {
			break
		}
		if n = plain(n, ""); n != "" && !strings.ContainsAny(n, "*:/") && !e.refuted(n) {
			return n
		}
	}
	return ""
}
