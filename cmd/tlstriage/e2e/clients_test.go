package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// strict is the policy that clients are held against.
const strict = "aws/ELBSecurityPolicy-TLS13-1-2-2021-06"

// front is a healthy backend behind three proxies: without a policy, with one that is only reported, and with one that is enforced.
type front struct{ plain, report, enforce *proxy }

func newFront(t *testing.T, policy string) front {
	t.Helper()
	b := healthyGo(t)
	return front{startProxy(t, b.args()...), startProxy(t, b.args("--policy", policy)...), startProxy(t, b.args("--policy", policy, "--enforce")...)}
}

// clientCase is one client with what becomes of it in front of each of the three. The zero want is not run.
type clientCase struct {
	name                   string
	run                    func(t *testing.T, addr string) ran
	plain, report, enforce want
}

func (f front) try(t *testing.T, cases []clientCase) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, x := range []struct {
				name  string
				proxy *proxy
				want  want
			}{{"no policy", f.plain, c.plain}, {"policy", f.report, c.report}, {"enforced policy", f.enforce, c.enforce}} {
				if x.want == (want{}) {
					continue
				}
				t.Run(x.name, func(t *testing.T) {
					got := c.run(t, x.proxy.Addr)
					r := x.proxy.nextFor(t)
					expect(t, r, x.want)
					served := x.want.outcome == inspect.Success
					if served != (got.code == 0) || served != strings.Contains(got.out, greeting) {
						t.Errorf("the client ended with %d: %.1500s", got.code, got.out)
					}
				})
			}
		})
	}
}

// What becomes of clients, in the words of the record.
var (
	fineByPolicy = want{verdict: inspect.OK, outcome: inspect.Success, policy: "accepted"}
	legacy       = want{cause: "client-legacy-version", fault: inspect.FaultClient, verdict: inspect.Warning, outcome: inspect.Success}
	oldReported  = want{cause: "policy-rejects-version", fault: inspect.FaultClient, verdict: inspect.Failed, outcome: inspect.Success, policy: "version"}
	oldRefused   = want{cause: "policy-rejects-version", fault: inspect.FaultClient, verdict: inspect.Failed, outcome: inspect.Failure, policy: "version"}
	unserved     = want{cause: "proxy-cannot-serve", fault: inspect.FaultProxy, verdict: inspect.Failed, outcome: inspect.Failure}
	untrusting   = want{cause: "server-cert-rejected-by-client", fault: inspect.FaultClient, verdict: inspect.Failed, outcome: inspect.Failure}
)

// and returns a copy with the policy's outcome.
func (w want) and(policy string) want {
	w.policy = policy
	return w
}

// refused is a client that the enforced policy refuses in a dimension.
func refused(cause string, fault inspect.Fault, dimension string) want {
	return want{cause: cause, fault: fault, verdict: inspect.Failed, outcome: inspect.Failure, policy: dimension}
}

// sClient is `openssl s_client` with more options, which asks for /hello.
func sClient(more ...string) func(*testing.T, string) ran {
	return func(t *testing.T, addr string) ran {
		args := []string{"s_client", "-connect", addr, "-CAfile", authorityCA, "-verify_return_error", "-quiet", "-ign_eof"}
		if !contains(more, "-noservername") && !contains(more, "-servername") {
			args = append(args, "-servername", site, "-verify_hostname", site)
		}
		return client(t, request("/hello"), "openssl", append(args, more...)...)
	}
}

func TestOpenSSLClients(t *testing.T) {
	t.Parallel()
	f := newFront(t, strict)
	f.try(t, []clientCase{
		{"TLS 1.0", sClient("-tls1", "-cipher", "DEFAULT@SECLEVEL=0"), legacy, oldReported, oldRefused},
		{"TLS 1.1", sClient("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"), legacy, oldReported, oldRefused},
		{"TLS 1.2", sClient("-tls1_2"), fine, fineByPolicy, fineByPolicy},
		{"TLS 1.3", sClient("-tls1_3"), fine, fineByPolicy, fineByPolicy},
		{"one suite of TLS 1.2", sClient("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"), fine, want{}, want{}},
		{"one suite of TLS 1.2 for RSA", sClient("-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"), fine, fineByPolicy, fineByPolicy},
		{"one suite of TLS 1.3", sClient("-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"), fine, fineByPolicy, fineByPolicy},
		{"DHE only", sClient("-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"), unserved, unserved.and("cipher"), refused("policy-rejects-cipher", inspect.FaultPolicy, "cipher")},
		{"RSA key exchange only", sClient("-tls1_2", "-cipher", "AES128-SHA"),
			want{cause: "cipher-no-overlap", fault: inspect.FaultClient, verdict: inspect.Failed, outcome: inspect.Failure},
			want{cause: "cipher-no-overlap", fault: inspect.FaultClient, verdict: inspect.Failed, outcome: inspect.Failure, policy: "cipher"},
			refused("policy-rejects-cipher", inspect.FaultClient, "cipher")},
		{"AES-CCM of TLS 1.2", sClient("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-CCM"), unserved, unserved.and("cipher"), refused("policy-rejects-cipher", inspect.FaultPolicy, "cipher")},
		{"AES-CCM of TLS 1.3", sClient("-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"), unserved, unserved.and("cipher"), refused("policy-rejects-cipher", inspect.FaultPolicy, "cipher")},
		{"no server name", sClient("-noservername", "-verify_ip", "127.0.0.1"), fine, fineByPolicy, fineByPolicy},
		{"P-521 only", sClient("-groups", "P-521"), fine, want{}, want{}},
		{"a group that needs a retry", sClient("-tls1_3", "-groups", "X448:P-256"), fine, fineByPolicy, fineByPolicy},
		{"ffdhe2048 only", sClient("-tls1_3", "-groups", "ffdhe2048"), unserved, unserved.and("curve"), refused("policy-rejects-group", inspect.FaultPolicy, "curve")},
		{"SHA-1 signatures only", sClient("-tls1_2", "-sigalgs", "RSA+SHA1", "-cipher", "DEFAULT@SECLEVEL=0"),
			want{cause: "signature-no-overlap", fault: inspect.FaultClient, verdict: inspect.Failed, outcome: inspect.Failure}, want{}, want{}},
		{"another trust", sClient("-CAfile", emptyTrust(t)), untrusting, untrusting.and("accepted"), untrusting.and("accepted")},
		{"another trust, TLS 1.2", sClient("-tls1_2", "-CAfile", emptyTrust(t)), untrusting, untrusting.and("accepted"), untrusting.and("accepted")},
	})
}

// emptyTrust is a file with a root that signed nothing.
func emptyTrust(t *testing.T) string {
	t.Helper()
	return certstest.WriteCertificates(t, certstest.New(t).OtherRoot.Certificate)
}

func TestRetryIsRecordedWithBothHellos(t *testing.T) {
	t.Parallel()
	p := startProxy(t, healthyGo(t).args()...)
	sClient("-tls1_3", "-groups", "X448:P-256")(t, p.Addr)
	r := p.next()
	x := r.ClientLeg.TLS
	if !x.HelloRetryRequest || x.Curve != "secp256r1" || x.Client.Retry == nil || len(x.Client.KeyShareGroups) != 1 || x.Client.KeyShareGroups[0] != "x448" || x.Client.Retry.KeyShareGroups[0] != "secp256r1" {
		t.Errorf("the retry is not in the record: %s", r.line)
	}
}

// An older policy takes clients that the program serves with suites that it would not serve otherwise.
func TestOpenSSLClientsOfAnOlderPolicy(t *testing.T) {
	t.Parallel()
	f := newFront(t, "aws/ELBSecurityPolicy-2016-08")
	weak := want{cause: "client-weak-ciphers", fault: inspect.FaultClient, verdict: inspect.Warning, outcome: inspect.Success, policy: "accepted"}
	newOnly := refused("policy-rejects-version", inspect.FaultPolicy, "version")
	reported := newOnly
	reported.outcome = inspect.Success
	f.try(t, []clientCase{
		{"RSA key exchange", sClient("-tls1_2", "-cipher", "AES128-GCM-SHA256"), want{}, weak, weak},
		{"TLS 1.0", sClient("-tls1", "-cipher", "DEFAULT@SECLEVEL=0"), want{}, legacy.and("accepted"), legacy.and("accepted")},
		{"TLS 1.3 alone", sClient("-tls1_3"), want{}, reported, newOnly},
		{"TLS 1.2 and 1.3", sClient(), want{}, fineByPolicy, fineByPolicy},
	})
}

func TestServerNamesWithoutADefaultRoute(t *testing.T) {
	t.Parallel()
	p := startProxy(t, healthyGo(t).args("--server-names", site)...)
	cases := []struct {
		name string
		run  func(*testing.T, string) ran
		want want
	}{
		{"known", sClient(), fine},
		{"unknown", sClient("-servername", "unknown.example"), want{cause: "sni-unknown", fault: inspect.FaultProxy, verdict: inspect.Failed, outcome: inspect.Failure}},
		{"none", sClient("-noservername"), want{cause: "sni-missing", fault: inspect.FaultClient, verdict: inspect.Failed, outcome: inspect.Failure}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := c.run(t, p.Addr)
			r := p.nextFor(t)
			expect(t, r, c.want)
			if (got.code == 0) != (c.want.verdict == inspect.OK) {
				t.Errorf("exit %d: %s", got.code, got.out)
			}
			if c.want.verdict != inspect.OK && !strings.Contains(got.out, "unrecognized name") {
				t.Errorf("the client was not told: %s", got.out)
			}
		})
	}
}

func TestUnknownProtocolIsTheBackendsAnswer(t *testing.T) {
	t.Parallel()
	cert, key, ca := files(t)
	cases := []struct {
		name    string
		backend backend
		want    want
	}{
		{"go", healthyGo(t), want{cause: "backend-alpn-mismatch", fault: inspect.FaultBackend, verdict: inspect.Failed, outcome: inspect.Failure}},
		{"nginx", backend{addr: nginxServer(t, cert, key, ""), ca: ca}, want{cause: "backend-alpn-mismatch", fault: inspect.FaultBackend, verdict: inspect.Failed, outcome: inspect.Failure}},
		{"s_server without ALPN", backend{addr: sServer(t, cert, key), ca: ca}, fine},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := startProxy(t, c.backend.args()...)
			got := sClient("-alpn", "acme-tls/9")(t, p.Addr)
			expect(t, p.nextFor(t), c.want)
			if strings.Contains(got.out, greeting) != (c.want.outcome == inspect.Success) {
				t.Errorf("exit %d: %s", got.code, got.out)
			}
		})
	}
}

func TestClientCertificates(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	b := backend{addr: goBackend(t, healthyChain(pki), nil), ca: pki.WriteRoot(t)}
	require := startProxy(t, b.args("--client-auth", "require", "--client-ca", b.ca)...)
	request := startProxy(t, b.args("--client-auth", "request", "--client-ca", b.ca)...)
	clientAuth := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	give := func(by *certs.Pair, template certs.Template) []string {
		template.CommonName, template.Usages = "a client", clientAuth
		leaf := pki.Issue(by, template)
		cert, key := (&certstest.Chain{Leaf: leaf, Presented: leaf.Chain()}).WriteFiles(t)
		return []string{"-cert", cert, "-cert_chain", cert, "-key", key}
	}
	day := pki.Now.AddDate(0, 0, 1).Sub(pki.Now)
	failed := func(cause string) want {
		return want{cause: cause, fault: inspect.FaultClient, verdict: inspect.Failed, outcome: inspect.Failure}
	}
	cases := []struct {
		name      string
		args      []string
		required  want
		requested want
	}{
		{"good", give(pki.Issuing, certs.Template{}), fine, fine},
		{"none", nil, failed("client-cert-missing"), fine},
		{"expired", give(pki.Issuing, certs.Template{NotBefore: pki.Now.Add(-30 * day), NotAfter: pki.Now.Add(-day)}), failed("client-cert-expired"), failed("client-cert-expired")},
		{"not yet valid", give(pki.Issuing, certs.Template{NotBefore: pki.Now.Add(day), NotAfter: pki.Now.Add(30 * day)}), failed("client-cert-expired"), failed("client-cert-expired")},
		{"of another authority", give(pki.OtherIntermediate, certs.Template{}), failed("client-cert-untrusted"), failed("client-cert-untrusted")},
	}
	for _, c := range cases {
		for _, version := range []string{"-tls1_2", "-tls1_3"} {
			t.Run(c.name+version, func(t *testing.T) {
				for _, x := range []struct {
					proxy *proxy
					want  want
				}{{require, c.required}, {request, c.requested}} {
					got := sClient(append(c.args, version)...)(t, x.proxy.Addr)
					r := x.proxy.nextFor(t)
					expect(t, r, x.want)
					if strings.Contains(got.out, greeting) != (x.want == fine) {
						t.Errorf("exit %d: %s", got.code, got.out)
					}
					if x := r.ClientLeg.TLS.Client.Certificate; c.args != nil && (x == nil || !strings.Contains(x.Subject, "a client")) {
						t.Errorf("the certificate is not in the record: %v", x)
					}
				}
			})
		}
	}
}

// curl asks for /hello.
func curl(more ...string) func(*testing.T, string) ran {
	return func(t *testing.T, addr string) ran {
		args := []string{"-sS", "--fail", "--cacert", authorityCA, "--connect-to", "::" + addr, "https://" + site + "/hello"}
		return client(t, "", "curl", append(args, more...)...)
	}
}

func TestCurl(t *testing.T) {
	t.Parallel()
	newFront(t, strict).try(t, []clientCase{
		{"HTTP/1.1", curl("--http1.1"), fine, fineByPolicy, fineByPolicy},
		{"HTTP/2", curl("--http2"), fine, fineByPolicy, fineByPolicy},
		{"no ALPN", curl("--no-alpn"), fine, fineByPolicy, fineByPolicy},
		{"TLS 1.0", curl("--tlsv1.0", "--tls-max", "1.0", "--ciphers", "DEFAULT@SECLEVEL=0"), legacy, oldReported, oldRefused},
		{"TLS 1.2", curl("--tls-max", "1.2"), fine, fineByPolicy, fineByPolicy},
		{"another trust", curl("--cacert", emptyTrust(t)), untrusting, untrusting.and("accepted"), untrusting.and("accepted")},
	})
}

func TestCurlUploadsWithHTTP11(t *testing.T) {
	t.Parallel()
	p := startProxy(t, healthyGo(t).args()...)
	b := backend{post: true}
	connections := askCurl("--http1.1")(t, p.Addr, b)
	for range connections - 1 {
		p.next()
	}
	r := p.next()
	expect(t, r, fine)
	if r.ClientLeg.TLS.NextProtocol != "http/1.1" || r.BackendLeg.TLS.NextProtocol != "http/1.1" {
		t.Errorf("protocols: %s", r)
	}
}

// gnutls is gnutls-cli with a priority string.
func gnutls(priority string, more ...string) func(*testing.T, string) ran {
	return func(t *testing.T, addr string) ran {
		args := []string{"--x509cafile", authorityCA, "--sni-hostname", site, "--verify-hostname", site, "--priority", priority, "-p", portOf(addr)}
		return client(t, request("/hello"), "gnutls-cli", append(append(args, more...), "127.0.0.1")...)
	}
}

func TestGnuTLSClients(t *testing.T) {
	t.Parallel()
	newFront(t, strict).try(t, []clientCase{
		{"default", gnutls("NORMAL"), fine, fineByPolicy, fineByPolicy},
		{"TLS 1.0", gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.0"), legacy, oldReported, oldRefused},
		{"TLS 1.1", gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.1"), legacy, oldReported, oldRefused},
		{"TLS 1.2", gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.2"), fine, fineByPolicy, fineByPolicy},
		{"TLS 1.3", gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.3"), fine, fineByPolicy, fineByPolicy},
		{"DHE only", gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-RSA"), unserved, unserved.and("cipher"), refused("policy-rejects-cipher", inspect.FaultPolicy, "cipher")},
		{"AES-CCM only", gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-CCM"), unserved, unserved.and("cipher"), refused("policy-rejects-cipher", inspect.FaultPolicy, "cipher")},
		{"ffdhe2048 only", gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-FFDHE2048"), unserved, unserved.and("curve"), refused("policy-rejects-group", inspect.FaultPolicy, "curve")},
		{"another trust", gnutls("NORMAL", "--x509cafile", emptyTrust(t)), untrusting, want{}, want{}},
	})
}

// python is one request of http.client over a context set up by a line of Python.
func python(setup string) func(*testing.T, string) ran {
	return func(t *testing.T, addr string) ran {
		return client(t, "", "python3", "-W", "ignore", "-c", fmt.Sprintf(`
import http.client, socket, ssl
context = ssl.create_default_context(cafile=%q)
%s
connection = http.client.HTTPSConnection(%q, context=context)
try:
    connection.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", %s), 60), server_hostname=%q)
    connection.request("GET", "/hello")
    print(connection.getresponse().read().decode(), end="")
except ssl.SSLError as e:
    raise SystemExit(str(e))
`, authorityCA, setup, site, portOf(addr), site))
	}
}

func TestPythonClients(t *testing.T) {
	t.Parallel()
	newFront(t, strict).try(t, []clientCase{
		{"default", python(""), fine, fineByPolicy, fineByPolicy},
		{"TLS 1.0", python("context.set_ciphers('DEFAULT@SECLEVEL=0'); context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1"), legacy, oldReported, oldRefused},
		{"TLS 1.2", python("context.maximum_version = ssl.TLSVersion.TLSv1_2"), fine, fineByPolicy, fineByPolicy},
		{"RSA key exchange only", python("context.maximum_version = ssl.TLSVersion.TLSv1_2; context.set_ciphers('AES256-SHA')"),
			want{cause: "cipher-no-overlap", fault: inspect.FaultClient, verdict: inspect.Failed, outcome: inspect.Failure}, want{}, refused("policy-rejects-cipher", inspect.FaultClient, "cipher")},
		{"another trust", python("context = ssl.create_default_context()"), untrusting, want{}, want{}},
	})
}

// java is testdata/Client.java with a choice of protocols and suites.
func java(legacy bool, protocols, suites string) func(*testing.T, string) ran {
	return func(t *testing.T, addr string) ran {
		return client(t, "", "java", append(javaFlags(t, legacy), "Client", site, portOf(addr), authorityCA, protocols, suites)...)
	}
}

func TestJavaClients(t *testing.T) {
	t.Parallel()
	v2 := want{cause: "sslv2-hello", fault: inspect.FaultClient, verdict: inspect.Failed, outcome: inspect.Failure}
	f := newFront(t, strict)
	f.try(t, []clientCase{
		{"default", java(false, "default", "default"), fine, want{}, fineByPolicy},
		{"TLS 1.2", java(false, "TLSv1.2", "default"), fine, want{}, want{}},
		{"TLS 1.0", java(true, "TLSv1", "default"), legacy, oldReported, oldRefused},
		{"SSLv3", java(true, "SSLv3", "default"), unserved, want{}, oldRefused},
		{"SSLv2 hello", java(true, "SSLv2Hello,TLSv1", "default"), v2, v2.and("version"), want{}},
		{"DHE only", java(false, "TLSv1.2", "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"), unserved, want{}, want{}},
	})
	t.Run("another trust", func(t *testing.T) {
		got := client(t, "", "java", append(javaFlags(t, false), "Client", site, portOf(f.plain.Addr), emptyTrust(t), "default", "default")...)
		if got.code != 1 || !strings.Contains(got.out, "PKIX path building failed") {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
		expect(t, f.plain.nextFor(t), untrusting)
	})
}

// node is one request of https.get with more options in JavaScript.
func node(options string) func(*testing.T, string) ran {
	return func(t *testing.T, addr string) ran {
		return client(t, "", "node", "-e", fmt.Sprintf(`
const options = { host: '127.0.0.1', port: %s, path: '/hello', servername: %q, ca: require('fs').readFileSync(%q), agent: false, %s };
require('https').get(options, (r) => r.pipe(process.stdout)).on('error', (e) => { console.log(e.code, e.message); process.exitCode = 1; });
`, portOf(addr), site, authorityCA, options))
	}
}

func TestNodeClients(t *testing.T) {
	t.Parallel()
	newFront(t, strict).try(t, []clientCase{
		{"default", node(""), fine, fineByPolicy, fineByPolicy},
		{"TLS 1.0", node("minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0'"), legacy, oldReported, oldRefused},
		{"TLS 1.2", node("maxVersion: 'TLSv1.2'"), fine, fineByPolicy, fineByPolicy},
		{"DHE only", node("maxVersion: 'TLSv1.2', ciphers: 'DHE-RSA-AES128-GCM-SHA256'"), unserved, unserved.and("cipher"), want{}},
	})
}

// Node ends the connection without an alert when it does not like the certificate; GnuTLS programs finish the handshake, look
// at the certificate then, and leave: nothing was wrong with the legs, as far as anybody but the client can tell.
func TestClientsThatRefuseTheCertificateWithoutAWord(t *testing.T) {
	t.Parallel()
	p := startProxy(t, healthyGo(t).args()...)
	got := node("ca: []")(t, p.Addr)
	if got.code == 0 || !strings.Contains(got.out, "UNABLE_TO_") && !strings.Contains(got.out, "SELF_SIGNED") {
		t.Errorf("exit %d: %s", got.code, got.out)
	}
	expect(t, p.next(), want{cause: "client-aborted", fault: inspect.FaultClient, verdict: inspect.Failed, outcome: inspect.Failure})
	got = client(t, "", "wget", "-t", "1", "-O", "-", "--ca-certificate", emptyTrust(t), "https://localhost:"+portOf(p.Addr)+"/hello")
	if got.code != 5 {
		t.Errorf("exit %d: %s", got.code, got.out)
	}
	expect(t, p.next(), fine)
}

func TestSessionsAreResumed(t *testing.T) {
	t.Parallel()
	p := startProxy(t, healthyGo(t).args("--policy", strict, "--enforce")...)
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		t.Run(version, func(t *testing.T) {
			session := filepath.Join(t.TempDir(), "session.pem")
			for _, more := range [][]string{{"-sess_out", session}, {"-sess_in", session}} {
				if got := sClient(append(more, version)...)(t, p.Addr); got.code != 0 || !strings.Contains(got.out, greeting) {
					t.Errorf("exit %d: %s", got.code, got.out)
				}
				r := p.nextFor(t)
				expect(t, r, fineByPolicy)
				if resumed := more[0] == "-sess_in"; r.ClientLeg.TLS.Resumed != resumed {
					t.Errorf("resumed %v, want %v: %s", r.ClientLeg.TLS.Resumed, resumed, r)
				}
			}
		})
	}
}

// Two listeners, named routes with a policy each, and a default.
func TestRoutesHaveTheirOwnPolicies(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	route := func(name string) string {
		return fmt.Sprintf("backend: {url: \"tls://%s\", ca: %s}", goBackend(t, pki.Make(certstest.Healthy, name), nil), ca)
	}
	config := fmt.Sprintf(`listeners:
  - name: edge
    address: 127.0.0.1:0
    routes:
      - {server_names: [new.example], policy: aws/ELBSecurityPolicy-TLS13-1-3-2021-06, enforce: true, %s}
      - {server_names: [old.example, "*.old.example"], policy: aws/ELBSecurityPolicy-2016-08, %s}
      - {%s}
  - name: watched
    address: 127.0.0.1:0
    mode: passthrough
    routes:
      - {%s}
ca_dir: %s
`, route("new.example"), route("a.old.example"), route(site), route(site), authority)
	p := startProxy(t, "--config", writeFile(t, "proxy.yaml", config))
	cases := []struct {
		listener, name, ca, route string
		want                      want
	}{
		{"edge", "new.example", authorityCA, "new.example", refused("policy-rejects-version", inspect.FaultPolicy, "version")},
		{"edge", "a.old.example", authorityCA, "old.example", fineByPolicy},
		{"edge", site, authorityCA, "default", fine},
		{"watched", site, ca, "default", fine},
	}
	for _, c := range cases {
		got := sClient("-tls1_2", "-servername", c.name, "-verify_hostname", c.name, "-CAfile", c.ca)(t, p.Addrs[c.listener])
		r := p.next()
		expect(t, r, c.want)
		if r.Listener != c.listener || r.Route != c.route || (got.code == 0) != (c.want.outcome == inspect.Success) {
			t.Errorf("%s: listener %s, route %s, exit %d: %s", c.name, r.Listener, r.Route, got.code, got.out)
		}
	}
}

// golang is net/http with a configuration.
func golang(h2 bool, config *tls.Config) func(*testing.T, string) ran {
	return func(t *testing.T, addr string) ran {
		c := goClient(t, addr, h2, config)
		body, err := goAsk(c, "/hello")
		c.CloseIdleConnections()
		if err != nil {
			return ran{err.Error(), 1}
		}
		return ran{string(body), 0}
	}
}

func TestGoClients(t *testing.T) {
	t.Parallel()
	newFront(t, strict).try(t, []clientCase{
		{"HTTP/1.1", golang(false, nil), fine, fineByPolicy, fineByPolicy},
		{"HTTP/2", golang(true, nil), fine, fineByPolicy, fineByPolicy},
		{"TLS 1.0", golang(false, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}), legacy, oldReported, oldRefused},
		{"TLS 1.2", golang(false, &tls.Config{MaxVersion: tls.VersionTLS12}), fine, fineByPolicy, fineByPolicy},
		{"P-384 only", golang(false, &tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP384}}), fine, fineByPolicy, fineByPolicy},
		{"another trust", golang(false, &tls.Config{RootCAs: x509.NewCertPool()}), untrusting, want{}, want{}},
	})
}
