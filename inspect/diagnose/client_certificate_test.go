package diagnose

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// shown is a client certificate as the record has it.
func shown(pki *certstest.PKI, t certs.Template) *inspect.Certificate {
	if t.CommonName == "" {
		t.CommonName = "device"
	}
	if t.Usages == nil {
		t.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	return inspect.DescribeCertificate(pki.Issue(pki.Root, t).Certificate.Raw)
}

// frontAsks lets the server of the client leg ask for a certificate, and the client send one unless it is nil.
func frontAsks(x *inspect.Certificate, schemes ...string) func(*inspect.Connection) {
	return func(c *inspect.Connection) {
		c.ClientLeg.TLS.Client.Certificate = x
		c.ClientLeg.TLS.ServerSide().CertificateRequest = &inspect.CertificateRequest{SignatureAlgorithms: schemes, CertificateSent: x != nil}
	}
}

// backAsks lets the backend ask for one, and the proxy send its own unless it is nil.
func backAsks(x *inspect.Certificate, schemes ...string) func(*inspect.Connection) {
	authority := "CN=Clients CA"
	if x != nil {
		authority = x.Issuer
	}
	return func(c *inspect.Connection) {
		c.BackendLeg.TLS.Client.Certificate = x
		c.BackendLeg.TLS.Server = &inspect.Server{CertificateRequest: &inspect.CertificateRequest{Authorities: []string{"CN=Somebody", authority}, SignatureAlgorithms: schemes, CertificateSent: x != nil}}
	}
}

// backRequest changes what the backend asked for, or says what it answered.
func backRequest(change func(*inspect.CertificateRequest)) func(*inspect.Connection) {
	return func(c *inspect.Connection) { change(c.BackendLeg.TLS.Server.CertificateRequest) }
}

// inHTTP is a backend that refuses as nginx does.
func inHTTP(page string) func(*inspect.Connection) {
	return backRequest(func(r *inspect.CertificateRequest) { r.Refusal = page })
}

// afterwards is a backend that refuses after the handshake of TLS 1.3.
func afterwards(code uint8, name string) func(*inspect.Connection) {
	return func(c *inspect.Connection) {
		backendAlert(code, name)(c)
		c.BackendLeg.Error = &inspect.Error{Type: inspect.ErrorAlertReceived, Phase: inspect.PhaseTransfer}
	}
}

func clientCertCases(tb testing.TB) []ruleCase {
	pki := certstest.NewAt(tb, noon)
	good := shown(pki, certs.Template{})
	server := shown(pki, certs.Template{Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	late := shown(pki, certs.Template{NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(0, 0, -1)})
	curve := shown(pki, certs.Template{Key: certs.ECDSAP384})
	unread := &inspect.Certificate{Subject: "CN=device", Issuer: "CN=Clients", NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(1, 0, 0)}
	front := func(code uint8, name string, change ...func(*inspect.Connection)) *inspect.Connection {
		return frontFails(inspect.ErrorClientCertificate, inspect.PhaseHandshake, append([]func(*inspect.Connection){clientAlert(inspect.FromServer, code, name)}, change...)...)
	}
	seen := func(code uint8, name string, change ...func(*inspect.Connection)) *inspect.Connection {
		return captured(append([]func(*inspect.Connection){fails(inspect.ErrorAlertSent), clientAlert(inspect.FromServer, code, name)}, change...)...)
	}
	back := func(code uint8, name string, change ...func(*inspect.Connection)) *inspect.Connection {
		return backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, append([]func(*inspect.Connection){backendAlert(code, name)}, change...)...)
	}
	const ecdsa256, pss = "ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256"
	tls13 := func(c *inspect.Connection) { c.ClientLeg.TLS.Version = "TLSv1.3" }
	client, proxy, failed := inspect.FaultClient, inspect.FaultProxy, inspect.Failed
	const requires, rejects, cannot, unfit = "backend-requires-client-cert", "backend-rejects-client-cert", "client-cert-cannot-pass", "backend-client-cert-unfit"
	const page, noPage = "400 The SSL certificate error", "400 No required SSL certificate was sent"
	early := shown(pki, certs.Template{NotBefore: noon.AddDate(0, 0, 1), NotAfter: noon.AddDate(1, 0, 0)})
	below := inspect.DescribeCertificate(pki.Issue(pki.Issuing, certs.Template{CommonName: "device", Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}).Certificate.Raw)
	root, _ := inspect.DistinguishedName(pki.Root.Certificate.RawSubject)
	names := func(authorities ...string) func(*inspect.Connection) {
		return backRequest(func(r *inspect.CertificateRequest) { r.Authorities = authorities })
	}
	kinds := func(types ...string) func(*inspect.Connection) {
		return backRequest(func(r *inspect.CertificateRequest) { r.Types = types })
	}
	goes := func(change ...func(*inspect.Connection)) *inspect.Connection {
		return with(func(c *inspect.Connection) {
			for _, f := range change {
				f(c)
			}
		})
	}
	ourAlert := func(c *inspect.Connection) {
		c.BackendLeg.TLS.Alerts = []inspect.Alert{{Level: "fatal", Code: 40, Description: "handshake_failure", From: inspect.FromClient}}
	}
	many := make([]string, 50)
	for i := range many {
		many[i] = fmt.Sprintf("CN=Authority %d", i)
	}
	return []ruleCase{
		// The client leg.
		{name: "a server's certificate, refused here", in: front(42, "bad_certificate", frontAsks(server)), cause: "client-cert-wrong-usage", fault: client, verdict: failed, never: []string{"client-cert-untrusted"}},
		{name: "unsupported certificate in a capture, its bytes not seen", in: seen(43, "unsupported_certificate", frontAsks(unread)), cause: "client-cert-wrong-usage", fault: client, verdict: failed},
		{name: "unsupported certificate in a capture, its usages fine", in: seen(43, "unsupported_certificate", frontAsks(good)), cause: "client-cert-unsupported", fault: client, verdict: failed},
		{name: "a curve that the server does not take", in: seen(40, "handshake_failure", frontAsks(curve, ecdsa256, pss), tls13), cause: "client-cert-unsupported", fault: client, verdict: failed, never: []string{"cipher-no-overlap"}},
		{name: "an elliptic curve where only RSA is taken", in: seen(42, "bad_certificate", frontAsks(good, pss)), cause: "client-cert-unsupported", fault: client, verdict: failed},
		{name: "somebody else's key", in: front(51, "decrypt_error"), cause: "client-cert-unproven", fault: client, verdict: failed, never: []string{"client-cert-missing", "server-alert"}},
		{name: "somebody else's key in a capture", in: seen(51, "decrypt_error", frontAsks(good)), cause: "client-cert-unproven", fault: client, verdict: failed, never: []string{"server-alert"}},
		{name: "decrypt error without a certificate", in: seen(51, "decrypt_error"), cause: "server-alert", fault: inspect.FaultNetwork, verdict: failed, never: []string{"client-cert-unproven"}},
		{name: "a good one of a stranger", in: front(48, "unknown_ca", frontAsks(good)), cause: "client-cert-untrusted", fault: client, verdict: failed, never: []string{"client-cert-wrong-usage"}},
		{name: "not wanted", in: seen(49, "access_denied", frontAsks(good)), cause: "client-cert-untrusted", fault: client, verdict: failed},
		{name: "expired", in: front(45, "certificate_expired", frontAsks(late)), cause: "client-cert-expired", fault: client, verdict: failed},
		{name: "revoked", in: front(44, "certificate_revoked", frontAsks(good)), cause: "client-cert-revoked", fault: client, verdict: failed},
		{name: "revoked, as crypto/tls says it", in: front(42, "bad_certificate", frontAsks(good), func(c *inspect.Connection) {
			c.ClientLeg.TLS.Client.Revocation = &inspect.Revocation{Mode: "require", Status: inspect.RevocationRevoked, Certificates: []inspect.CertificateRevocation{{Status: inspect.RevocationRevoked, Detail: "clients.crl: revoked on 2026-10-01"}}}
		}), cause: "client-cert-revoked", fault: client, verdict: failed},
		{name: "nobody vouches for it", in: front(42, "bad_certificate", frontAsks(good), func(c *inspect.Connection) {
			c.ClientLeg.TLS.Client.Revocation = &inspect.Revocation{Mode: "require", Status: inspect.RevocationUnknown}
		}), cause: "client-cert-untrusted", fault: proxy, verdict: failed},
		{name: "asked for, and none sent", in: front(116, "certificate_required", frontAsks(nil)), cause: "client-cert-missing", fault: client, verdict: failed},

		// The backend leg: the proxy is the client.
		{name: "backend: expired", in: back(45, "certificate_expired", backAsks(late)), cause: rejects, fault: proxy, verdict: failed},
		{name: "backend: a server's certificate", in: back(43, "unsupported_certificate", backAsks(server)), cause: rejects, fault: proxy, verdict: failed},
		{name: "backend: revoked", in: back(44, "certificate_revoked", backAsks(good)), cause: rejects, fault: proxy, verdict: failed},
		{name: "backend: a key that it does not take", in: back(40, "handshake_failure", backAsks(good, pss)), cause: rejects, fault: proxy, verdict: failed},
		{name: "backend: unproven", in: back(51, "decrypt_error", backAsks(good)), cause: rejects, fault: proxy, verdict: failed},
		{name: "backend: unknown authority, after the handshake of TLS 1.3", in: with(func(c *inspect.Connection) { backAsks(good)(c); afterwards(48, "unknown_ca")(c) }), cause: rejects, fault: proxy, verdict: failed},
		{name: "backend: none, after the handshake of TLS 1.3", in: with(func(c *inspect.Connection) { backAsks(nil)(c); afterwards(116, "certificate_required")(c) }), cause: requires, fault: proxy, verdict: failed},
		{name: "backend: none, and the request was not seen", in: with(afterwards(116, "certificate_required")), cause: requires, fault: proxy, verdict: failed},

		// What a backend that says nothing in the handshake will hardly take.
		{name: "unfit: expired", in: goes(backAsks(late)), cause: unfit, fault: proxy, verdict: inspect.Warning, never: []string{rejects}},
		{name: "unfit: not valid yet", in: goes(backAsks(early)), cause: unfit, fault: proxy, verdict: inspect.Warning},
		{name: "unfit: a server's", in: goes(backAsks(server)), cause: unfit, fault: proxy, verdict: inspect.Warning},
		{name: "unfit: of no authority that is named", in: goes(backAsks(good), names("CN=Clients CA")), cause: unfit, fault: proxy, verdict: inspect.Warning},
		{name: "unfit: of a kind that is not asked for", in: goes(backAsks(good), kinds("rsa_sign")), cause: unfit, fault: proxy, verdict: inspect.Warning},
		{name: "unfit: no scheme, so that we end it", in: backFails(inspect.ErrorAlertSent, inspect.PhaseHandshake, backAsks(good, pss), ourAlert), cause: unfit, fault: proxy, verdict: failed, never: []string{"backend-protocol-error"}},
		{name: "unfit: no scheme, and our alert is encrypted", in: backFails(inspect.ErrorAlertSent, inspect.PhaseHandshake, backAsks(good, pss)), cause: unfit, fault: proxy, verdict: failed, never: []string{"backend-protocol-error"}},
		{name: "fit: of a kind that is asked for", in: goes(backAsks(good), kinds("rsa_sign", "ecdsa_sign")), verdict: inspect.OK, never: []string{unfit}},
		{name: "fit: no authority is named", in: goes(backAsks(good), names()), verdict: inspect.OK, never: []string{unfit}},
		{name: "fit: more authorities than are kept", in: goes(backAsks(good), names(many...)), verdict: inspect.OK, never: []string{unfit}},
		{name: "fit: an intermediate that is sent is of a named one", in: goes(backAsks(below), names(root)), verdict: inspect.OK, never: []string{unfit}, d: &Diagnoser{Shown: pki.Issuing.Chain()}},
		{name: "fit: the authorities between are known", in: goes(backAsks(below), names(root)), verdict: inspect.OK, never: []string{unfit}, d: &Diagnoser{KnownCAs: pki.Issuing.Chain()}},
		{name: "unfit: nothing is known of what is between", in: goes(backAsks(below), names(root)), cause: unfit, fault: proxy, verdict: inspect.Warning},
		{name: "expired, and nobody asked", in: goes(func(c *inspect.Connection) { c.BackendLeg.TLS.Client.Certificate = late }), verdict: inspect.OK, never: []string{unfit}},
		{name: "expired, and the handshake ended over something else", in: backFails(inspect.ErrorReset, inspect.PhaseHandshake, backAsks(late)), cause: "backend-reset", fault: inspect.FaultNetwork, verdict: failed, never: []string{unfit}},

		// What nginx says in HTTP.
		{name: "in HTTP: expired", in: goes(backAsks(late), inHTTP(page)), cause: rejects, fault: proxy, verdict: failed, never: []string{unfit}},
		{name: "in HTTP: of no authority that is named", in: goes(backAsks(good), names("CN=Clients CA"), inHTTP(page)), cause: rejects, fault: proxy, verdict: failed, never: []string{unfit}},
		{name: "in HTTP: nothing to be seen in it", in: goes(backAsks(good), inHTTP(page)), cause: rejects, fault: proxy, verdict: failed},
		{name: "in HTTP: none", in: goes(backAsks(nil), inHTTP(noPage)), cause: requires, fault: proxy, verdict: failed, also: []string{cannot}},

		// Both.
		{name: "the client has one, and the backend wants it", in: with(func(c *inspect.Connection) {
			frontAsks(good)(c)
			backAsks(nil)(c)
			afterwards(116, "certificate_required")(c)
		}), cause: requires, fault: proxy, verdict: failed, also: []string{cannot}},
		{name: "the client has one, and the backend refuses the proxy's", in: back(48, "unknown_ca", frontAsks(good), backAsks(good)), cause: rejects, fault: proxy, verdict: failed, also: []string{cannot}},
		{name: "the client may have one, and the backend wants it", in: back(116, "certificate_required", backAsks(nil)), cause: requires, fault: proxy, verdict: failed, also: []string{cannot}},
		{name: "the client was asked and has none", in: back(116, "certificate_required", frontAsks(nil), backAsks(nil)), cause: requires, fault: proxy, verdict: failed, never: []string{cannot}},
		{name: "the client has one, the backend asks and goes on", in: with(func(c *inspect.Connection) { frontAsks(good)(c); backAsks(nil)(c) }), verdict: inspect.OK, also: []string{cannot, requires}},
		{name: "the client would answer later, as every curl would", in: with(func(c *inspect.Connection) {
			c.ClientLeg.TLS.Client.Extensions = []string{"server_name", "post_handshake_auth"}
			backAsks(nil)(c)
		}), verdict: inspect.OK, also: []string{requires}, never: []string{cannot}},
		{name: "the proxy shows one, and all is well", in: with(func(c *inspect.Connection) { frontAsks(good)(c); backAsks(good)(c) }), verdict: inspect.OK, never: []string{cannot, requires, rejects}},
	}
}

func TestClientCertificates(t *testing.T) {
	for _, tt := range clientCertCases(t) {
		t.Run(tt.name, func(t *testing.T) {
			tt.diagnoser().Diagnose(tt.in)
			check(t, tt.in, tt)
		})
	}
}

func TestTheBackendsRefusalNamesItsReason(t *testing.T) {
	titles := map[string]string{
		"backend: expired":                     "expired",
		"backend: a server's certificate":      "not meant for clients",
		"backend: revoked":                     "revoked",
		"backend: a key that it does not take": "signs in no way",
		"backend: unproven":                    "did not prove",
		"backend: unknown authority, after the handshake of TLS 1.3": "does not accept",
		"in HTTP: expired":                       "expired",
		"in HTTP: of no authority that is named": "no authority that the backend names",
		"in HTTP: nothing to be seen in it":      "does not accept",
		"unfit: no scheme, so that we end it":    "signs in no way",
		"unfit: expired":                         "none that this backend",
	}
	for _, tt := range clientCertCases(t) {
		want, ok := titles[tt.name]
		if !ok {
			continue
		}
		tt.diagnoser().Diagnose(tt.in)
		if f := tt.in.Findings[0]; !strings.Contains(f.Title, want) || !strings.Contains(f.Fixes[0].Snippet, "--backend-cert") {
			t.Errorf("%s: %q with fix %q", tt.name, f.Title, f.Fixes[0].Snippet)
		}
		delete(titles, tt.name)
	}
	if len(titles) > 0 {
		t.Errorf("no case for %v", titles)
	}
}

func TestKeysAreHeldAgainstTheSchemesThatAreTaken(t *testing.T) {
	for _, tt := range []struct {
		key     string
		bits    int
		version string
		schemes []string
		want    bool
	}{
		{"RSA", 2048, "TLSv1.2", []string{"rsa_pkcs1_sha256"}, true},
		{"RSA", 2048, "TLSv1.3", []string{"rsa_pkcs1_sha256"}, false},
		{"RSA", 2048, "TLSv1.3", []string{"ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256"}, true},
		{"RSA", 2048, "TLSv1.3", []string{"rsa_pss_pss_sha256"}, false},
		{"ECDSA", 384, "TLSv1.2", []string{"ecdsa_secp256r1_sha256"}, true},
		{"ECDSA", 384, "TLSv1.3", []string{"ecdsa_secp256r1_sha256"}, false},
		{"ECDSA", 521, "TLSv1.3", []string{"ecdsa_secp521r1_sha512"}, true},
		{"ECDSA", 224, "TLSv1.3", []string{"ecdsa_secp256r1_sha256"}, false},
		{"Ed25519", 256, "TLSv1.3", []string{"ed25519"}, true},
		{"Ed25519", 256, "TLSv1.3", []string{"ecdsa_secp256r1_sha256"}, false},
		{"DSA", 2048, "TLSv1.3", []string{"dsa_sha1"}, false},
		{"1.2.3.4", 0, "TLSv1.3", []string{"ed25519"}, true},
		{"RSA", 2048, "TLSv1.3", nil, true},
	} {
		v := look(&inspect.Leg{TLS: &inspect.TLS{Version: tt.version, Server: &inspect.Server{CertificateRequest: &inspect.CertificateRequest{SignatureAlgorithms: tt.schemes}}}})
		if got := signs(&inspect.Certificate{PublicKeyAlgorithm: tt.key, PublicKeySize: tt.bits}, v); got != tt.want {
			t.Errorf("%s %d in %s with %v: %t", tt.key, tt.bits, tt.version, tt.schemes, got)
		}
	}
}
