package diagnose

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

func revocationCases(tb testing.TB) []ruleCase {
	pki := certstest.NewAt(tb, noon)
	issue := func(t certs.Template) [][]byte {
		t.Names = []string{siteName}
		return [][]byte{pki.Issue(pki.Issuing, t).Certificate.Raw, pki.Issuing.Certificate.Raw, pki.Intermediate.Certificate.Raw}
	}
	plain := issue(certs.Template{})
	responder := issue(certs.Template{OCSPServer: []string{"http://ocsp.example/"}})
	demanding := issue(certs.Template{ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: []byte{0x30, 3, 2, 1, 5}}}})

	found := func(mode string, status inspect.RevocationStatus, list ...inspect.CertificateRevocation) func(*inspect.Connection) {
		return func(c *inspect.Connection) {
			c.BackendLeg.TLS.Server.Revocation = &inspect.Revocation{Mode: mode, Status: status, Certificates: list}
		}
	}
	staple := func(status, detail string) func(*inspect.Connection) {
		return func(c *inspect.Connection) {
			c.BackendLeg.TLS.Server.OCSP = &inspect.OCSP{Stapled: true, Status: status, Detail: detail, Raw: []byte{1}}
		}
	}
	refusing := func(c *inspect.Connection) {
		c.BackendLeg.TLS.Established = false
		c.BackendLeg.Error = &inspect.Error{Type: inspect.ErrorCertificate, Phase: inspect.PhaseHandshake}
	}
	onPaper := func(c *inspect.Connection) { c.BackendLeg.TLS.Client, c.BackendLeg.TLS.Version = nil, "" }
	good := inspect.CertificateRevocation{Subject: "CN=" + siteName, Status: inspect.RevocationGood, Source: "ocsp"}
	revoked := inspect.CertificateRevocation{Subject: "CN=" + siteName, Status: inspect.RevocationRevoked, Source: "crl", URL: "http://crl.example/1.crl", Reason: "keyCompromise", RevokedAt: noon.AddDate(0, 0, -2)}
	upper := inspect.CertificateRevocation{Index: 1, Subject: "CN=Test Issuing", Status: inspect.RevocationRevoked, Source: "ocsp"}
	silent := inspect.CertificateRevocation{Subject: "CN=" + siteName, Status: inspect.RevocationUnknown, Detail: "the responder did not answer in 5s", URL: "http://ocsp.example/"}
	asking := inspect.CertificateRevocation{Subject: "CN=" + siteName, Status: inspect.RevocationPending}
	watchedWith := func(raw [][]byte, extensions ...string) func(*inspect.Connection) {
		return func(c *inspect.Connection) {
			c.ClientLeg.TLS.Server = &inspect.Server{CertificateChain: inspect.Certificates(raw)}
			c.ClientLeg.TLS.Client.Extensions = extensions
		}
	}

	backend, failed := inspect.FaultBackend, inspect.Failed
	never := func(ids ...string) []string { return ids }
	cases := []ruleCase{
		{name: "good", in: behind(plain, found("check", inspect.RevocationGood, good)), verdict: inspect.OK, never: never("cert-revoked", "revocation-unknown", "ocsp-staple-missing")},
		{name: "revoked, and the traffic went on", in: behind(plain, found("check", inspect.RevocationRevoked, revoked)), cause: "cert-revoked", fault: backend, verdict: failed},
		{name: "revoked and refused", in: behind(plain, found("require", inspect.RevocationRevoked, revoked), refusing), cause: "cert-revoked", fault: backend, verdict: failed, never: never("cert-rejected", "handshake-unexplained")},
		{name: "revoked above", in: behind(plain, found("check", inspect.RevocationRevoked, good, upper)), cause: "cert-revoked", fault: backend, verdict: failed},
		{name: "revoked by its own staple", in: behind(plain, staple("revoked", "revoked at 2026-11-01 (superseded)")), cause: "cert-revoked", fault: backend, verdict: failed, never: never("ocsp-staple-invalid")},
		{name: "being asked", in: behind(plain, found("check", inspect.RevocationPending, asking)), verdict: inspect.OK, also: []string{"revocation-unknown"}, never: never("cert-revoked")},
		{name: "revoked above, the leaf being asked about", in: behind(plain, found("check", inspect.RevocationRevoked, asking, upper)), cause: "cert-revoked", fault: backend, verdict: failed},
		{name: "nobody answers", in: behind(plain, found("check", inspect.RevocationUnknown, silent)), cause: "revocation-unknown", fault: inspect.FaultProxy, verdict: inspect.Warning},
		{name: "nobody answers, and an answer is required", in: behind(plain, found("require", inspect.RevocationUnknown, silent), refusing), cause: "revocation-unknown", fault: inspect.FaultProxy, verdict: failed, never: never("cert-rejected", "handshake-unexplained")},
		{name: "not checked", in: behind(responder, found("staple", inspect.RevocationNotChecked), staple("good", "")), verdict: inspect.OK, never: never("revocation-unknown", "ocsp-staple-invalid", "ocsp-staple-missing")},
		{name: "must-staple without a staple", in: behind(demanding), cause: "ocsp-staple-missing", fault: backend, verdict: failed},
		{name: "must-staple in a file, which staples nothing", in: behind(demanding, onPaper), verdict: inspect.OK, never: never("ocsp-staple-missing")},
		{name: "a responder named in a file, and a staple wanted", in: behind(responder, onPaper, found("require", inspect.RevocationGood, good)), verdict: inspect.OK, never: never("ocsp-staple-missing")},
		{name: "must-staple with a staple", in: behind(demanding, staple("good", "")), verdict: inspect.OK, never: never("ocsp-staple-missing", "ocsp-staple-invalid")},
		{name: "must-staple with an old staple", in: behind(demanding, staple("expired", "good until yesterday")), cause: "ocsp-staple-invalid", fault: backend, verdict: failed},
		{name: "staple wanted, and the certificate names a responder", in: behind(responder, found("staple", inspect.RevocationNotChecked)), cause: "ocsp-staple-missing", fault: backend, verdict: inspect.Warning},
		{name: "staple wanted, and the certificate names no responder", in: behind(plain, found("staple", inspect.RevocationNotChecked)), verdict: inspect.OK, never: never("ocsp-staple-missing")},
		{name: "staple missing where only the check is wanted", in: behind(responder, found("check", inspect.RevocationGood, good)), verdict: inspect.OK, never: never("ocsp-staple-missing")},
		{name: "staple signed by somebody else", in: behind(plain, staple("invalid", "signed by CN=Stranger")), cause: "ocsp-staple-invalid", fault: backend, verdict: inspect.Warning},
		{name: "staple says unknown", in: behind(plain, staple("unknown", "")), cause: "ocsp-staple-invalid", fault: backend, verdict: inspect.Warning},
		{name: "staple that nobody judged", in: behind(plain, staple("", "")), verdict: inspect.OK, never: never("ocsp-staple-invalid", "ocsp-staple-missing")},
		{name: "must-staple in a capture, asked for and gone without", in: captured(watchedWith(demanding, "status_request")), cause: "ocsp-staple-missing", fault: backend, verdict: inspect.Warning},
		{name: "must-staple in a capture, not asked for", in: captured(watchedWith(demanding, "server_name")), verdict: inspect.OK, never: never("ocsp-staple-missing")},
		{name: "must-staple in a capture, refused by the client", in: captured(watchedWith(demanding, "status_request"), fails(inspect.ErrorAlertReceived), clientAlert(inspect.FromClient, 42, "bad_certificate")),
			cause: "ocsp-staple-missing", fault: backend, verdict: failed, also: []string{"server-cert-rejected-by-client"}},
		{name: "the client refuses the staple", in: captured(watchedWith(plain, "status_request"), fails(inspect.ErrorAlertReceived), clientAlert(inspect.FromClient, 113, "bad_certificate_status_response")),
			cause: "ocsp-staple-invalid", fault: backend, verdict: failed, also: []string{"client-alert"}},
	}
	for i := range cases {
		cases[i].d = &Diagnoser{Roots: pki.Roots()}
	}
	return cases
}

func TestRevocation(t *testing.T) {
	for _, tt := range revocationCases(t) {
		t.Run(tt.name, func(t *testing.T) {
			tt.diagnoser().Diagnose(tt.in)
			check(t, tt.in, tt)
		})
	}
}

func TestRevocationSaysWhoWhenAndWhy(t *testing.T) {
	for _, tt := range revocationCases(t) {
		var want []string
		switch tt.name {
		case "revoked, and the traffic went on":
			want = []string{siteName, "2026-11-18", "keyCompromise", "the revocation list at http://crl.example/1.crl"}
		case "revoked above":
			want = []string{"certificate 1 of the chain", "Test Issuing", "the OCSP responder"}
		case "nobody answers":
			want = []string{siteName, "did not answer", "http://ocsp.example/"}
		case "revoked by its own staple":
			want = []string{"staples itself", "superseded"}
		case "being asked":
			want = []string{siteName, "had not come"}
		case "must-staple with an old staple":
			want = []string{"expired", "good until yesterday", "must-staple"}
		default:
			continue
		}
		tt.diagnoser().Diagnose(tt.in)
		for _, w := range want {
			if !strings.Contains(tt.in.Findings[0].Detail, w) {
				t.Errorf("%s: %q lacks %q", tt.name, tt.in.Findings[0].Detail, w)
			}
		}
	}
}

// Where a host was not asked because nobody allowed it, the network is not what has to be changed.
func TestRevocationHostThatIsNotAllowed(t *testing.T) {
	pki := certstest.NewAt(t, noon)
	raw := pki.Make(certstest.Healthy, siteName).Raw()
	unreachable := inspect.CertificateRevocation{Subject: "CN=" + siteName, Status: inspect.RevocationUnknown, Detail: `ocsp: "http://ocsp.example/": connection refused`, URL: "http://ocsp.example/"}
	for _, tt := range []struct {
		name    string
		detail  string
		url     string
		more    []inspect.CertificateRevocation
		snippet string
		network bool // the network is among the fixes all the same
	}{
		{name: "a private address", detail: `ocsp: "http://10.1.2.3/ocsp": 10.1.2.3 is private: only public addresses and allowed hosts are asked`, snippet: "--revocation-host 10.1.2.3"},
		{name: "another port", detail: `ocsp: "http://pki.corp.example:8080/": the URL names port 8080: without being allowed, hosts are asked at port 80 only`, snippet: "--revocation-host pki.corp.example:8080"},
		{name: "responder and list", detail: `ocsp: "http://[::1]:81/": the URL names port 81: without being allowed, hosts are asked at port 80 only; crl: "http://pki/1.crl": 10.1.2.3 is private: only public addresses and allowed hosts are asked`, snippet: "--revocation-host [::1]:81,pki"},
		{name: "the URL beside it", detail: "10.1.2.3 is private: only public addresses and allowed hosts are asked", url: "http://pki.corp.example/ocsp", snippet: "--revocation-host pki.corp.example"},
		{name: "a host that would be more than one to a shell", detail: `ocsp: "http://a;reboot/": 10.1.2.3 is private: only public addresses and allowed hosts are asked`, snippet: "--revocation-host HOST"},
		{name: "and another that did not answer", detail: `ocsp: "http://10.1.2.3/ocsp": 10.1.2.3 is private: only public addresses and allowed hosts are asked`, more: []inspect.CertificateRevocation{unreachable}, snippet: "--revocation-host 10.1.2.3", network: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list := append([]inspect.CertificateRevocation{{Subject: "CN=" + siteName, Status: inspect.RevocationUnknown, Detail: tt.detail, URL: tt.url}}, tt.more...)
			c := behind(raw, func(c *inspect.Connection) {
				c.BackendLeg.TLS.Server.Revocation = &inspect.Revocation{Mode: "check", Status: inspect.RevocationUnknown, Certificates: list}
			})
			(&Diagnoser{Roots: pki.Roots()}).Diagnose(c)
			if c.Cause != "revocation-unknown" {
				t.Fatalf("cause %q", c.Cause)
			}
			fixes := c.Findings[0].Fixes
			if fixes[0].Target != "tlstriage" || fixes[0].Snippet != tt.snippet {
				t.Errorf("first fix %+v, want %q", fixes[0], tt.snippet)
			}
			if network := slices.ContainsFunc(fixes, func(f inspect.Fix) bool { return f.Target == "network" }); network != tt.network {
				t.Errorf("the network is among the fixes: %v", network)
			}
		})
	}
	c := behind(raw, func(c *inspect.Connection) {
		c.BackendLeg.TLS.Server.Revocation = &inspect.Revocation{Mode: "check", Status: inspect.RevocationUnknown, Certificates: []inspect.CertificateRevocation{unreachable}}
	})
	(&Diagnoser{Roots: pki.Roots()}).Diagnose(c)
	if first := c.Findings[0].Fixes[0]; first.Target != "network" {
		t.Errorf("first fix %+v for a responder that does not answer", first)
	}
}
