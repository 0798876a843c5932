package diagnose

import (
	"strings"

	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

// chainFault is what the rules about the presented chain have in common: how grave a fault is, on which leg it was seen,
// and whether it ended that leg.
func (e *evidence) chainFault(id chain.FaultID) *match {
	f := e.chain.fault(id)
	if f == nil {
		return nil
	}
	m := &match{leg: e.chain.leg, severity: inspect.SeverityWarning, detail: e.chain.detail(id)}
	if f.Fatal {
		m.severity = inspect.SeverityError
	}
	v := e.chain.view
	if e.watched() && (v.established() || e.cutShort() || e.chainUnheard()) {
		// The client has seen this chain and accepted it, with roots of its own; or what it made of it is not in the capture; or it never saw it.
		m.severity = inspect.SeverityWarning
		if aboutTrust(id) && e.d.Roots == nil {
			m.severity = inspect.SeverityInfo
		}
	}
	if f.Fatal && v.failed() {
		a := v.alert(inspect.FromClient)
		m.ended = v.is(inspect.ErrorCertificate) || a != nil && refusesCertificate(a.Code)
	}
	return m
}

// faultWords is what is said of the faults with an id.
type faultWords struct {
	detail  string
	refused string // with whom refuses the chain for it
	all     bool   // clients of every kind do
}

// wordsOf is what is said of each kind of fault.
func wordsOf(faults []chain.Fault) map[chain.FaultID]faultWords {
	words := make(map[chain.FaultID]faultWords)
	for i := range faults {
		if id := faults[i].ID; words[id].detail == "" {
			words[id] = wordsFor(faults, id)
		}
	}
	return words
}

func wordsFor(faults []chain.Fault, id chain.FaultID) faultWords {
	var details []string
	for i := range faults {
		if faults[i].ID == id {
			details = append(details, bound(faults[i].Detail))
		}
	}
	w := faultWords{detail: strings.Join(details, "; ")}
	w.refused, w.all = refusing(faults, id)
	w.refused = w.detail + w.refused
	return w
}

// detail is what is said of the faults with an id.
func (c *chainEvidence) detail(id chain.FaultID) string {
	w, known := c.words[id]
	if !known {
		w = wordsFor(c.faults, id)
	}
	if w.all && c.leg == inspect.LegClient && c.view.established() {
		return w.detail // the client of a capture has shown that not all do
	}
	return w.refused
}

// reason is the finer cause of the fault with an id; empty without one.
func (c *chainEvidence) reason(id chain.FaultID) chain.Reason {
	if f := c.fault(id); f != nil {
		return f.Reason
	}
	return ""
}

// ofLeaf reports whether the fault with an id is that of the server's own certificate.
func (c *chainEvidence) ofLeaf(id chain.FaultID) bool {
	f := c.fault(id)
	return f != nil && f.Index == 0
}

// undecided reports whether nothing tells if the issuer of the fault with an id was not sent or is not trusted.
func (c *chainEvidence) undecided(id chain.FaultID) bool {
	return c.reason(id) == chain.ReasonUnknownIssuer
}

// eitherWay are the fixes where nothing tells whether an intermediate lacks on one side or a root on the other.
func (e *evidence) eitherWay() []inspect.Fix {
	trust := trustCA(e.chain.view)
	if e.watched() {
		trust = trustInClient()
	}
	look := fix(forBackend, "see who issued the last certificate that is sent, and whether that authority is a root (then subject and issuer are the same)", e.showCerts())
	send := serveChain("if it is an intermediate, send it: leaf and intermediates in one file")
	trust[0].Action = "if it is a root, trust it: " + trust[0].Action
	return append([]inspect.Fix{look, send[0], trust[0]}, append(send[1:], trust[1:]...)...)
}

// trustInClient tells the client of a capture, which judges the chain itself, to trust a root.
func trustInClient() []inspect.Fix {
	return []inspect.Fix{
		fix(forClient, "let it trust this root: it judges the chain itself", "curl --cacert ROOT.pem … / openssl s_client -CAfile ROOT.pem …"),
	}
}

// serveChain tells each server where its certificate and chain are configured.
func serveChain(action string) []inspect.Fix {
	return []inspect.Fix{
		fix(forNginx, action, "ssl_certificate fullchain.pem;  # leaf first, then its intermediates"),
		fix(forHAProxy, action, "cat leaf.pem intermediate.pem leaf.key > /etc/haproxy/certs/site.pem"),
		fix(forALB, action, "aws acm import-certificate --certificate-arn ARN --certificate fileb://leaf.pem --certificate-chain fileb://intermediates.pem --private-key fileb://leaf.key"),
		fix(forIngress, action, "kubectl create secret tls NAME --cert=fullchain.pem --key=leaf.key --dry-run=client -o yaml | kubectl apply -f -"),
		fix(forEnvoy, action, "tls_certificates: [{certificate_chain: {filename: fullchain.pem}, private_key: {filename: leaf.key}}]"),
		fix(forApache, action, "SSLCertificateFile fullchain.pem\nSSLCertificateKeyFile leaf.key"),
	}
}

// trustCA tells the verifying side how to trust another authority.
func trustCA(v view) []inspect.Fix {
	return []inspect.Fix{
		fix(forSelf, "if the backend's authority is a private one, name it", "tlstriage proxy --backend-ca FILE …"),
		fix(forNginx, "if nginx stands in the proxy's place", "proxy_ssl_trusted_certificate FILE;"),
		fix(forHAProxy, "if HAProxy stands in the proxy's place", "server NAME "+backendName(v)+" ssl verify required ca-file FILE"),
		fix(forEnvoy, "if Envoy stands in the proxy's place", "validation_context: {trusted_ca: {filename: FILE}}"),
	}
}

// rightChain says which chain to send, where it could be built.
func (e *evidence) rightChain() string {
	if len(e.chain.right) == 0 {
		return ""
	}
	return "; send: " + strings.Join(e.chain.right[:min(len(e.chain.right), 5)], " -> ")
}
