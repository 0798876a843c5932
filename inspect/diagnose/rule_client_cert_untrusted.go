package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleClientCertUntrusted = Rule{
	ID: "client-cert-untrusted", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     clientCertFaulty | inferred,
	Title:    "The server does not accept the client's certificate",
	Citation: "RFC 8446, Section 4.4.2.4; RFC 5280, Section 6",
	Explanation: "A client certificate came, and the server refuses it: issued by an authority that it does not know, or without its intermediates. In a capture of TLS 1.3 without keys a short record of the server tells it, which is a warning: a goodbye looks the same. Check: " +
		"`openssl verify -purpose sslclient -CAfile SERVERS_CA -untrusted intermediates.pem client.pem`.",
	check: func(e *evidence) *match {
		if i := e.inferred(inspect.InferredClientCertificateRefused); i != nil && e.client.alert(inspect.FromServer) == nil {
			m := &match{ended: e.client.failed(), title: "The server seems to refuse the client's certificate, or that it has none", detail: "inferred: " + bound(i.Basis), fixes: []inspect.Fix{
				fix(forClient, "give the client a certificate of an authority that the server accepts", "openssl s_client -connect "+backendName(e.client)+" -cert client.pem -key client.key"),
				fix(forClient, "with the session keys the server's alert can be read", "tlstriage pcap --keylog FILE …"),
			}}
			e.likely(m)
			return m
		}
		if e.clientCert != certUntrusted {
			return nil
		}
		m := &match{ended: e.client.failed(), detail: clientCertWords(e.client)}
		if e.client.hello.Certificate == nil && e.clientBytesMissing() {
			m.detail += "; what the client sent is not in the capture"
			if !e.client.alerted(inspect.FromServer, alertUnknownCA) {
				m.title = "The server refuses the client's certificate, or that it has none: the capture does not show which"
			}
		}
		if x := e.client.hello.Certificate; x != nil {
			m.offered = []string{x.Issuer}
		}
		if r := e.client.server.CertificateRequest; r != nil {
			m.accepted = r.Authorities
		}
		if r := e.client.hello.Revocation; r != nil && r.Status == inspect.RevocationUnknown {
			m.title = "Nobody says that the client's certificate is not revoked"
			if !e.foreign() {
				m.fault = inspect.FaultProxy // its lists do not cover what its authorities certify
			}
			m.fixes = []inspect.Fix{
				fix(forSelf, "put a current list of every authority above the certificate into the file", "openssl ca -gencrl -out ca.crl; cat ca.crl intermediate.crl > clients.crl; tlstriage proxy --client-crl clients.crl …"),
				fix(forNginx, "the same for nginx", "ssl_crl clients.crl;"),
				fix(forHAProxy, "the same for HAProxy", "bind :443 ssl crt FILE ca-file FILE crl-file clients.crl verify required"),
			}
			return m
		}
		m.fixes = []inspect.Fix{
			fix(forClient, "use a certificate of an authority that the server accepts, and send its intermediates with it", "cat client.pem intermediate.pem > chain.pem; curl --cert chain.pem --key client.key https://NAME/"),
			fix(forSelf, "or add the authority to those of the listener", "tlstriage proxy --client-ca FILE …"),
			fix(forNginx, "or add the authority, and allow for intermediates", "ssl_client_certificate FILE;\nssl_verify_depth 2;"),
			fix(forHAProxy, "or add the authority", "bind :443 ssl crt FILE ca-file FILE verify required"),
			fix(forALB, "or add the authority to the trust store", "aws elbv2 modify-trust-store --trust-store-arn ARN --ca-certificates-bundle-s3-bucket BUCKET --ca-certificates-bundle-s3-key KEY"),
		}
		return m
	},
}
