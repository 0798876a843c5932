package diagnose

import (
	"fmt"
	"strings"
	"time"

	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleServerCertRejectedByClient = Rule{
	ID: "server-cert-rejected-by-client", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     hasAlert | hasError | inferred | clientSilent,
	Title:    "The client refuses the server's certificate",
	Citation: "RFC 8446, Section 6.2",
	Explanation: "The alert comes from the client: it looked at the certificate and did not accept it. unknown_ca (48): it does not trust the issuer; certificate_expired (45): its clock or the dates; bad_certificate (42) and " +
		"certificate_unknown (46): anything else, often the name. Behind this proxy the certificate is the one that the proxy serves: a client that does not trust the local authority fails here and nowhere else. Some look at the certificate behind the handshake only: libldap with GnuTLS then gives up TLS and leaves in plain text; others, libpq among them, close the connection without a byte of data, which is a warning where the certificate has not the name that was asked for.",
	CausedBy: []string{
		"default-certificate-served", "cert-expired", "cert-not-yet-valid", "cert-name-mismatch", "cert-self-signed", "chain-missing-intermediate",
		"chain-untrusted-root", "chain-intermediate-expired", "cert-weak-key", "cert-weak-signature", "cert-wrong-usage", "cert-malformed", "cert-revoked",
		"ocsp-staple-missing", "ocsp-staple-invalid", "chain-legacy-path", "cert-bad-serial", "cert-common-name-only", "cert-validity-too-long", "sct-missing",
	},
	check: func(e *evidence) *match {
		if i := e.inferred(inspect.InferredCertificateRefused); i != nil && e.client.alert(inspect.FromClient) == nil {
			m := &match{ended: e.client.failed(), title: "The client seems to refuse the server's certificate", detail: "inferred: " + bound(i.Basis)}
			m.fixes = []inspect.Fix{
				fix(forClient, "look at the client's log or error; with its session keys the alert can be read", "tlstriage pcap --keylog FILE …"),
				fix(forBackend, "check the chain that it serves", showCerts(e.client, e.client.hello.ServerName)),
			}
			if e.client.leg.Error == nil { // over QUIC
				m.severity = inspect.SeverityWarning
				m.detail += "; a client that ended in between, or a capture that leaves out the rest, looks the same"
			}
			return m
		}
		if m := e.leftSilently(); m != nil {
			return m
		}
		m, shown := &match{ended: e.client.failed()}, " to "
		switch a := e.client.alert(inspect.FromClient); {
		case a != nil && refusesCertificate(a.Code) && e.client.alertFirst() == nil:
			m.detail = "the client answered " + spell(a)
		case e.leftInPlainText():
			m.title = "The client seems to refuse the server's certificate"
			m.detail = "the client finished the handshake and said goodbye in plain text (unbindRequest of LDAP), as libldap with GnuTLS does where it does not accept the certificate"
			shown = "; it was shown "
		default:
			return nil
		}
		if e.foreign() {
			if e.chain.leg == inspect.LegClient && len(e.chain.faults) > 0 {
				m.fault = inspect.FaultBackend
			}
			m.fixes = []inspect.Fix{
				fix(forClient, "see what the client sees, and whether its trust store has the issuer", showCerts(e.client, e.client.hello.ServerName)+" -verify_return_error"),
				fix(forBackend, "check the chain that it serves", showCerts(e.client, e.client.hello.ServerName)),
			}
			return m
		}
		var served *chain.Fault
		if x := e.client.server.CertificateChain; len(x) > 0 {
			m.detail += fmt.Sprintf("%s%s, issued by %s", shown, calledWhat(&x[0]), bound(x[0].Issuer))
			if e.servedAlone(x) {
				m.detail += "; it was served alone: where its issuer is an intermediate, that lacks in the file that is served, and no client can be expected to have it; where it is a root, the client must trust that"
				m.fixes = append(m.fixes, fix(forSelf, "if the issuer is an intermediate, put it behind the certificate in the file that is served", "tlstriage certs fix FILE; tlstriage proxy --cert FULLCHAIN --key FILE …"))
			}
			if served = e.servedFault(); served == nil && !e.client.alerted(inspect.FromClient, alertUnknownCA) {
				served = e.servedWeak()
			}
			if served != nil {
				m.fault = inspect.FaultProxy
				m.title = "The client refuses the certificate that this proxy serves, and is right"
				m.detail += "; what this program serves is at fault: " + bound(served.Detail)
			}
		}
		if served != nil {
			m.fixes = e.serveAnother(served)
			return m
		}
		trusting := "curl --cacert tlstriage-ca.pem https://" + plain(e.client.hello.ServerName, "NAME") + "/"
		if s := e.client.leg.StartTLS; s != nil && startTLSTrust(s.Protocol) != "" {
			trusting = strings.ReplaceAll(startTLSTrust(s.Protocol), "FILE", "tlstriage-ca.pem")
		}
		m.fixes = append(m.fixes,
			fix(forClient, "if this program's own authority signed the certificate, let the client trust that authority", "tlstriage ca export > tlstriage-ca.pem && "+trusting),
			fix(forSelf, "install the authority on this machine", "tlstriage ca trust"),
			fix(forSelf, "or serve the certificate that the clients know", "tlstriage proxy --cert FILE --key FILE …"),
		)
		return m
	},
}

// serveAnother says how to put right what this program serves.
func (e *evidence) serveAnother(f *chain.Fault) []inspect.Fix {
	name := plain(e.client.hello.ServerName, "NAME")
	check := "tlstriage certs check FILE --name " + name
	switch f.ID {
	case chain.Expired:
		return []inspect.Fix{
			fix(forSelf, "renew the certificate and write it over the files that are served: they are read again by themselves", "certbot certonly --force-renewal -d "+name+"; "+check),
			fix(forSelf, "or have certificates ordered and renewed by the proxy", "tlstriage proxy --acme --acme-names "+name+" …"),
		}
	case chain.NotYetValid:
		return []inspect.Fix{
			fix(forSelf, "check the clock of this machine; if it is right, serve the certificate before until the new one begins", "timedatectl; "+check),
		}
	case chain.NameMismatch:
		return []inspect.Fix{
			fix(forSelf, "serve a certificate for the name that clients ask for, beside the others", "tlstriage proxy --cert FILE --key FILE …; "+check),
			fix(forClient, "or ask for a name of the certificate", ""),
		}
	}
	return []inspect.Fix{fix(forSelf, "serve another certificate; its faults are listed by", check)}
}

// clockSkew is by how much the clocks of this program and of the authority that it has certificates from may differ.
const clockSkew = 5 * time.Minute

// servedFault is what is wrong, trust aside, with the chain that this program served; nil when nothing is. The certificate may have been
// ordered because of this very connection, and is younger than it then: by its beginning it must not be judged.
func (e *evidence) servedFault() *chain.Fault {
	served := e.client.server.CertificateChain
	if len(served) == 0 {
		return nil
	}
	at := e.now
	if began := served[0].NotBefore; at.Before(began) && !e.servedAt().Before(began) {
		at = began
	}
	for _, f := range readFaults(served, e.client.hello.ServerName, at, -1) {
		if f.Fatal && !aboutTrust(f.ID) {
			return &f
		}
	}
	return nil
}

// servedAlone reports whether a client that does not know the issuer was served one certificate alone, which neither signed itself nor is of
// this program's own authority: that one's root is for the clients to trust.
func (e *evidence) servedAlone(served []inspect.Certificate) bool {
	x := &served[0]
	return len(served) == 1 && e.client.alerted(inspect.FromClient, alertUnknownCA) && x.Error == "" && x.Issuer != "" && x.Issuer != x.Subject && !strings.Contains(x.Issuer, ownAuthority)
}

// ownAuthority is in the name of an authority that this program made, unless it was given another.
const ownAuthority = "tlstriage"

// servedWeak is what in the chain that this program served is too weak for the clients of today; nil: nothing. How a root is signed is
// nobody's matter.
func (e *evidence) servedWeak() *chain.Fault {
	for i := range e.client.server.CertificateChain {
		x := &e.client.server.CertificateChain[i]
		if x.PublicKeyAlgorithm == "RSA" && x.PublicKeySize > 0 && x.PublicKeySize < 2048 {
			return &chain.Fault{ID: chain.WeakKey, Index: i, Detail: fmt.Sprintf("%s has an RSA key of %d bits, and clients want 2048", calledWhat(x), x.PublicKeySize)}
		}
		if signed := strings.ToUpper(x.SignatureAlgorithm); x.Subject != x.Issuer && (strings.Contains(signed, "SHA1") || strings.Contains(signed, "MD5")) {
			return &chain.Fault{ID: chain.WeakSignature, Index: i, Detail: fmt.Sprintf("%s is signed with %s, which clients refuse", calledWhat(x), bound(x.SignatureAlgorithm))}
		}
	}
	return nil
}

// longestOrder is how long a connection may wait for the certificate that it is served.
const longestOrder = 10 * time.Minute

// servedAt is the latest at which the client may have been shown the certificate that this program served.
func (e *evidence) servedAt() time.Time {
	return e.now.Add(time.Duration(min(e.c.Event.DurationMS, float64(longestOrder.Milliseconds())) * float64(time.Millisecond)))
}
