package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// clientPair is a certificate of a client, as files.
type clientPair struct {
	cert, key string
	leaf      *certs.Pair
}

// clientOf issues one. Its file has all of its chain.
func clientOf(t *testing.T, pki *certstest.PKI, by *certs.Pair, edit func(*certs.Template)) *clientPair {
	t.Helper()
	template := certs.Template{CommonName: "a client", Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if edit != nil {
		edit(&template)
	}
	leaf := pki.Issue(by, template)
	cert, key := (&certstest.Chain{Leaf: leaf, Presented: leaf.Chain()}).WriteFiles(t)
	return &clientPair{cert, key, leaf}
}

func (c *clientPair) openssl() []string {
	if c == nil {
		return nil
	}
	return []string{"-cert", c.cert, "-cert_chain", c.cert, "-key", c.key}
}

func (c *clientPair) curl() []string {
	if c == nil {
		return nil
	}
	return []string{"--cert", c.cert, "--key", c.key}
}

// tooOld makes a certificate that ended yesterday.
func tooOld(pki *certstest.PKI) func(*certs.Template) {
	return func(t *certs.Template) {
		t.NotBefore, t.NotAfter = pki.Now.Add(-30*24*time.Hour), pki.Now.Add(-24*time.Hour)
	}
}

// forServers makes a certificate that is not for clients.
func forServers(t *certs.Template) { t.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }

// Each way in which a client's certificate cannot be used, by the programs that have one: the cause in the record, and how the
// client ends.
func TestCertificatesOfClientsAreHeldAgainstRevocationLists(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	b := backend{addr: goBackend(t, healthyChain(pki), nil), ca: pki.WriteRoot(t)}
	good, revoked := clientOf(t, pki, pki.Root, nil), clientOf(t, pki, pki.Root, nil)
	list := filepath.Join(t.TempDir(), "list.crl")
	certstest.WriteFile(t, list, revocationList(t, pki.Root, pki.Now, revoked.leaf.Certificate))
	flags := []string{"--client-ca", b.ca, "--client-crl", list}
	required := startProxy(t, b.args(append(flags, "--client-auth", "require")...)...)
	requested := startProxy(t, b.args(append(flags, "--client-auth", "request")...)...)

	refused := func(cause string) want { return broken(cause, inspect.FaultClient) }
	cases := []struct {
		name                string
		client              *clientPair
		required, requested want
		says                string                   // the detail
		status              inspect.RevocationStatus // in the record
	}{
		{"good", good, fine, fine, "", ""},
		{"none", nil, refused("client-cert-missing"), fine, "", ""},
		{"expired", clientOf(t, pki, pki.Root, tooOld(pki)), refused("client-cert-expired"), refused("client-cert-expired"), "", ""},
		{"of another authority", clientOf(t, pki, pki.OtherRoot, nil), refused("client-cert-untrusted"), refused("client-cert-untrusted"), "", ""},
		{"of a server", clientOf(t, pki, pki.Root, forServers), refused("client-cert-wrong-usage"), refused("client-cert-wrong-usage"), "", ""},
		{"revoked", revoked, refused("client-cert-revoked"), refused("client-cert-revoked"), "revoked", inspect.RevocationRevoked},
		// Nobody vouches for what the intermediates issue.
		{"on no list", clientOf(t, pki, pki.Issuing, nil), broken("client-cert-untrusted", inspect.FaultProxy), broken("client-cert-untrusted", inspect.FaultProxy), "nobody", inspect.RevocationUnknown},
	}
	for _, c := range cases {
		for _, version := range []string{"1.2", "1.3"} {
			t.Run(c.name+" TLS "+version, func(t *testing.T) {
				for _, x := range []struct {
					proxy *proxy
					want  want
				}{{required, c.required}, {requested, c.requested}} {
					for program, run := range map[string]func(*testing.T, string) ran{
						"openssl": sClient(append(c.client.openssl(), "-tls"+strings.Replace(version, ".", "_", 1))...),
						"curl":    curl(append(c.client.curl(), "--http1.1", "--tlsv"+version, "--tls-max", version)...),
					} {
						got := run(t, x.proxy.Addr)
						r := x.proxy.nextFor(t)
						expect(t, r, x.want)
						served := x.want.outcome == inspect.Success
						if served != strings.Contains(got.out, greeting) || served != (got.code == 0) {
							t.Errorf("%s ended with %d: %s", program, got.code, got.out)
						}
						// Before TLS 1.3 the handshake fails (35); in TLS 1.3 it is done when the refusal comes (56). Of certificate_expired curl
						// says that it did not like the server's certificate (60).
						code := map[string]int{"1.2": 35, "1.3": 56}[version]
						if c.name == "expired" && version == "1.2" {
							code = 60
						}
						if program == "curl" && !served && got.code != code {
							t.Errorf("curl ended with %d, want %d: %s", got.code, code, got.out)
						}
						if !served && code != 60 && !strings.Contains(got.out, "alert") {
							t.Errorf("%s was not told by an alert: %s", program, got.out)
						}
						if c.says != "" && !strings.Contains(r.Findings[0].Detail, c.says) {
							t.Errorf("the detail does not say %q: %s", c.says, r)
						}
						h := r.ClientLeg.TLS.Client
						if c.status != "" && (h.Revocation == nil || h.Revocation.Status != c.status) {
							t.Errorf("revocation in the record: %+v, want %s", h.Revocation, c.status)
						}
					}
				}
			})
		}
	}
}

// A session must not outlive what it rests on: the certificate is held against the lists again when it is taken up.
func TestSessionsOfRevokedClientsAreNotTakenUp(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	b := backend{addr: goBackend(t, healthyChain(pki), nil), ca: pki.WriteRoot(t)}
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		t.Run(version, func(t *testing.T) {
			c := clientOf(t, pki, pki.Root, nil)
			list, session := filepath.Join(t.TempDir(), "list.crl"), filepath.Join(t.TempDir(), "session.pem")
			certstest.WriteFile(t, list, revocationList(t, pki.Root, pki.Now))
			p := startProxy(t, b.args("--client-ca", b.ca, "--client-auth", "require", "--client-crl", list)...)
			ask := func(more ...string) (ran, *record) {
				got := sClient(append(append(c.openssl(), version), more...)...)(t, p.Addr)
				return got, p.nextFor(t)
			}
			_, r := ask("-sess_out", session)
			expect(t, r, fine)
			got, r := ask("-sess_in", session)
			expect(t, r, fine)
			if !r.ClientLeg.TLS.Resumed || r.ClientLeg.TLS.Client.Certificate == nil || !strings.Contains(got.out, greeting) {
				t.Fatalf("the session was not taken up, so that there is nothing to test: %s\n%s", r, got.out)
			}

			certstest.WriteFile(t, list, revocationList(t, pki.Root, pki.Now, c.leaf.Certificate))
			if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			waitFor(t, p.stderr, "the lists are read again", func() bool { return strings.Contains(p.stderr.String(), `"msg":"reloaded"`) })
			got, r = ask("-sess_in", session)
			expect(t, r, broken("client-cert-revoked", inspect.FaultClient))
			if strings.Contains(got.out, greeting) {
				t.Errorf("served all the same: %s", got.out)
			}
		})
	}
}

// A list that cannot be read is no list of nothing.
func TestListsThatCannotBeReadStopTheStart(t *testing.T) {
	t.Parallel()
	b := healthyGo(t)
	for name, content := range map[string]string{"empty": "", "a certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "noise": "\x30\x03abc"} {
		file := writeFile(t, "list.crl", content)
		got := client(t, "", program, append([]string{"proxy", "--listen", "127.0.0.1:0", "--admin", "off", "--ca-dir", authority}, b.args("--client-ca", b.ca, "--client-auth", "require", "--client-crl", file)...)...)
		if got.code != 2 || !strings.Contains(got.out, file) {
			t.Errorf("%s: exit %d: %s", name, got.code, got.out)
		}
	}
}

// What backends ask of the proxy's own certificate, and what they answer to it.
func TestBackendsJudgeTheProxysCertificate(t *testing.T) {
	t.Parallel()
	m := newMutual(t)
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	cert, key := healthyChain(pki).WriteFiles(t)
	flags := func(c *clientPair) []string { return []string{"--backend-cert", c.cert, "--backend-key", c.key} }
	cases := []struct {
		name  string
		flags []string
		want  want
		title string
	}{
		{"none", nil, broken("backend-requires-client-cert", inspect.FaultProxy), "The backend wants a client certificate"},
		{"good", flags(clientOf(t, pki, pki.Issuing, nil)), fine, ""},
		{"expired", flags(clientOf(t, pki, pki.Issuing, tooOld(pki))), broken("backend-rejects-client-cert", inspect.FaultProxy), "expired"},
		{"of a server", flags(clientOf(t, pki, pki.Issuing, forServers)), broken("backend-rejects-client-cert", inspect.FaultProxy), "not meant for clients"},
		{"of another authority", m.untrusted, broken("backend-rejects-client-cert", inspect.FaultProxy), "of no authority that the backend names"},
	}
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		addr := sServer(t, cert, key, version, "-Verify", "4", "-CAfile", ca, "-verify_return_error")
		for _, c := range cases {
			t.Run(c.name+version, func(t *testing.T) {
				p := startProxy(t, backend{addr: addr, ca: ca}.args(c.flags...)...)
				got := curl("--http1.1", "-i")(t, p.Addr)
				r := p.nextFor(t)
				expect(t, r, c.want)
				if served := c.want.outcome == inspect.Success; served != strings.Contains(got.out, greeting) || !served && !strings.Contains(got.out, r.Event.ID) {
					t.Errorf("exit %d: %s", got.code, got.out)
				}
				if c.title != "" && !strings.Contains(r.Findings[0].Title, c.title) {
					t.Errorf("title %q, want %q in it", r.Findings[0].Title, c.title)
				}
				asked := r.BackendLeg.TLS.Server.CertificateRequest
				if asked == nil || asked.CertificateSent != (c.flags != nil) || len(asked.Authorities) != 1 || !strings.Contains(asked.Authorities[0], "Test Root") || len(asked.SignatureAlgorithms) == 0 {
					t.Errorf("what the backend asked for: %+v", asked)
				}
				if len(asked.Types) == 0 != (version == "-tls1_3") {
					t.Errorf("types of %s: %v", version, asked.Types)
				}
			})
		}
	}
}

// nginx refuses in HTTP, after a handshake that went well whatever the certificate: what can be known of our own is said at the start,
// and what the backend answers is read.
func TestNginxJudgesTheProxysCertificateInHTTP(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	cert, key := healthyChain(pki).WriteFiles(t)
	revoked := clientOf(t, pki, pki.Root, nil)
	list := filepath.Join(t.TempDir(), "list.crl")
	certstest.WriteFile(t, list, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: revocationList(t, pki.Root, pki.Now, revoked.leaf.Certificate)}))
	addr := nginxServer(t, cert, key, fmt.Sprintf("ssl_client_certificate %s; ssl_verify_client on; ssl_crl %s;", ca, list))
	const unfit, wanted = "backend-client-cert-unfit", "backend-requires-client-cert"
	refused := fails("backend-rejects-client-cert", inspect.FaultProxy)
	refused.hasNot = unfit
	early := func(x *certs.Template) {
		x.NotBefore, x.NotAfter = pki.Now.Add(24*time.Hour), pki.Now.Add(30*24*time.Hour)
	}
	for _, c := range []struct {
		name    string
		client  *clientPair
		want    want
		start   string // finding at the start; empty: nothing is wrong
		title   string
		refusal string
	}{
		{"none", nil, fails("backend-requires-client-cert", inspect.FaultProxy), wanted, "wants a client certificate", "400 No required SSL certificate was sent"},
		{"good", clientOf(t, pki, pki.Root, nil), fine, "", "", ""},
		{"expired", clientOf(t, pki, pki.Root, tooOld(pki)), refused, unfit, "expired", "400 The SSL certificate error"},
		{"not valid yet", clientOf(t, pki, pki.Root, early), refused, unfit, "not yet valid", "400 The SSL certificate error"},
		{"of a server", clientOf(t, pki, pki.Root, forServers), refused, unfit, "not meant for clients", "400 The SSL certificate error"},
		{"of another authority", clientOf(t, pki, pki.OtherRoot, nil), refused, unfit, "of no authority that the backend names", "400 The SSL certificate error"},
		{"revoked", revoked, refused, "", "does not accept", "400 The SSL certificate error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var flags []string
			if c.client != nil {
				flags = []string{"--backend-cert", c.client.cert, "--backend-key", c.client.key}
			}
			p := startProxy(t, backend{addr: addr, ca: ca}.args(flags...)...)
			waitFor(t, p.stderr, "the backend is checked", func() bool { return strings.Contains(p.stderr.String(), `"msg":"backend checked`) })
			if log := p.stderr.String(); strings.Contains(log, unfit) != (c.start == unfit) || strings.Contains(log, wanted) != (c.start == wanted) || strings.Contains(log, "nothing is wrong") != (c.start == "") {
				t.Errorf("at the start: %s", log)
			}
			for _, version := range []string{"1.2", "1.3"} {
				for _, protocol := range []string{"--http1.1", "--http2"} {
					got := curl(protocol, "--tlsv"+version, "--tls-max", version)(t, p.Addr)
					r := p.nextFor(t)
					expect(t, r, c.want)
					if served := c.want.cause == ""; served != strings.Contains(got.out, greeting) {
						t.Errorf("%s %s: exit %d: %s", protocol, version, got.code, got.out)
					}
					if c.title != "" && !strings.Contains(r.Findings[0].Title, c.title) {
						t.Errorf("title %q, want %q in it", r.Findings[0].Title, c.title)
					}
					if asked := r.BackendLeg.TLS.Server.CertificateRequest; asked == nil || asked.Refusal != c.refusal {
						t.Errorf("the record: %+v, want %q", asked, c.refusal)
					}
				}
			}
		})
	}
}

// A key that signs in none of the ways that a backend takes: the handshake cannot end, and that is nobody's fault but ours.
func TestKeyThatFitsNoSchemeOfTheBackend(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	cert, key := healthyChain(pki).WriteFiles(t)
	c := clientOf(t, pki, pki.Root, nil)
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		addr := sServer(t, cert, key, version, "-Verify", "4", "-CAfile", ca, "-verify_return_error", "-client_sigalgs", "rsa_pss_rsae_sha256")
		p := startProxy(t, backend{addr: addr, ca: ca}.args("--backend-cert", c.cert, "--backend-key", c.key)...)
		curl("--http1.1")(t, p.Addr)
		r := p.nextFor(t)
		expect(t, r, broken("backend-client-cert-unfit", inspect.FaultProxy))
		if !strings.Contains(r.Findings[0].Title, "signs in no way") {
			t.Errorf("%s: %s", version, r)
		}
	}
}

// Nobody in the middle can hand a client's certificate on. Passing the bytes through is the way out, and is said.
func TestPassthroughLetsTheClientsCertificateThrough(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	cert, key := healthyChain(pki).WriteFiles(t)
	c := clientOf(t, pki, pki.Issuing, nil)
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		t.Run(version, func(t *testing.T) {
			b := backend{addr: sServer(t, cert, key, version, "-Verify", "4", "-CAfile", ca, "-verify_return_error"), ca: ca}
			with := append(c.openssl(), version)

			ended := startProxy(t, b.args("--client-ca", ca, "--client-auth", "request")...)
			got := sClient(append(with, "-alpn", "http/1.1")...)(t, ended.Addr)
			r := ended.nextFor(t)
			w := broken("backend-requires-client-cert", inspect.FaultProxy)
			w.has = "client-cert-cannot-pass"
			expect(t, r, w)
			if strings.Contains(got.out, greeting) {
				t.Errorf("exit %d: %s", got.code, got.out)
			}
			ways := ""
			for _, f := range r.Findings {
				for _, x := range f.Fixes {
					ways += x.Snippet + "\n"
				}
			}
			if !strings.Contains(ways, "--mode passthrough") || !strings.Contains(ways, "--backend-cert") {
				t.Errorf("the ways out are not named: %s", ways)
			}

			through := startProxy(t, "--mode", "passthrough", "--backend", "tls://"+b.addr)
			got = sClient(append(with, "-CAfile", ca)...)(t, through.Addr)
			if r := through.nextFor(t); !strings.Contains(got.out, greeting) || r.Verdict != inspect.OK {
				t.Errorf("exit %d: %s\n%s", got.code, got.out, r)
			}
			got = sClient(version, "-CAfile", ca)(t, through.Addr)
			if r := through.nextFor(t); strings.Contains(got.out, greeting) {
				t.Errorf("served without a certificate: exit %d: %s\n%s", got.code, got.out, r)
			}
		})
	}
}

// A certificate that the backend only asks for is none that it needs, and the client hears nothing of it.
func TestBackendsThatAskWithoutNeed(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := &tls.Config{ClientAuth: tls.RequestClientCert, ClientCAs: pki.Roots(), MaxVersion: version}
		b := backend{addr: goBackend(t, healthyChain(pki), config), ca: pki.WriteRoot(t)}
		p := startProxy(t, b.args()...)
		if got := curl()(t, p.Addr); got.code != 0 {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
		w := fine
		w.has = "backend-requires-client-cert"
		expect(t, p.next(), w)
	}
}

// tidy is a directory for files that a program writes, with what is in it.
func tidy(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, fmt.Sprintf("%s %o", e.Name(), info.Mode().Perm()))
	}
	return strings.Join(names, ", ")
}
