package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleCertNameMismatch = Rule{
	ID: string(chain.NameMismatch), Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	Title:       "The backend's certificate is for another name",
	Citation:    "RFC 9525, Section 6",
	Explanation: "None of the certificate's names is the one that was asked for. Wrong site behind the address, a missing entry in the certificate, a wildcard that covers only one label, or a connection by address. (The common name does not count.) Check: `openssl x509 -noout -ext subjectAltName`.",
	CausedBy:    []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.NameMismatch)
		if m == nil {
			return nil
		}
		m.offered = e.chain.fault(chain.NameMismatch).Names
		m.accepted = []string{e.chain.name}
		if len(m.offered) == 0 || len(m.offered) == 1 && m.offered[0] == e.chain.name {
			// Only a common name, which nobody reads any more: no other name to ask for would help.
			m.title = "The backend's certificate has no name that counts"
			m.offered = nil
			m.fixes = append([]inspect.Fix{fix(forBackend, "issue a certificate with "+bound(e.chain.name)+" among its subject alternative names", "certbot certonly -d "+plain(e.chain.name, "NAME"))},
				serveChain("serve the new certificate")...)
			return m
		}
		has := "NAME"
		if len(m.offered) > 0 {
			has = plain(m.offered[0], has)
		}
		m.fixes = append([]inspect.Fix{
			fix(forBackend, "issue a certificate with "+bound(e.chain.name)+" among its subject alternative names", "certbot certonly -d "+plain(e.chain.name, "NAME")),
			fix(forSelf, "or ask the backend for a name that it has", "tlstriage proxy --backend-sni "+has+" …"),
			fix(forNginx, "if nginx stands in the proxy's place: it sends and checks the name of the upstream unless told otherwise", "proxy_ssl_name "+has+";\nproxy_ssl_server_name on;"),
			fix(forHAProxy, "if HAProxy stands in the proxy's place", "server NAME HOST:PORT ssl sni str("+has+") verify required ca-file FILE verifyhost "+has),
		}, serveChain("serve the certificate for this name")...)
		return m
	},
}
