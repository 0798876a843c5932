package e2e

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// serverCase is a backend with what becomes of a modern client in front of it.
type serverCase struct {
	name  string
	addr  func(t *testing.T) string
	flags []string
	want  want
	check func(t *testing.T, r *record)
}

// tryServers asks each backend through a proxy of its own.
func tryServers(t *testing.T, ca string, cases []serverCase) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := backend{addr: c.addr(t), ca: ca}
			p := startProxy(t, b.args(c.flags...)...)
			got := curl("--http1.1", "-i")(t, p.Addr)
			r := p.nextFor(t)
			expect(t, r, c.want)
			if c.want.outcome == inspect.Success {
				if got.code != 0 || !strings.Contains(got.out, greeting) {
					t.Errorf("exit %d: %s", got.code, got.out)
				}
			} else if got.code == 0 || !strings.Contains(got.out, r.Event.ID) {
				t.Errorf("exit %d, want the page with %s: %s", got.code, r.Event.ID, got.out)
			}
			if c.check != nil {
				c.check(t, r)
			}
		})
	}
}

// negotiated checks the backend leg's version.
func negotiated(version string) func(*testing.T, *record) {
	return func(t *testing.T, r *record) {
		t.Helper()
		if got := r.BackendLeg.TLS.Version; got != version {
			t.Errorf("the backend leg speaks %s, want %s", got, version)
		}
	}
}

// mutual is what belongs to backends that ask for a client certificate.
type mutual struct {
	cert, key, ca   string   // the backend's own
	good, untrusted []string // flags with a certificate for the proxy
}

func newMutual(t *testing.T) mutual {
	pki := certstest.New(t)
	m := mutual{ca: pki.WriteRoot(t)}
	m.cert, m.key = healthyChain(pki).WriteFiles(t)
	m.good, m.untrusted = certificateOf(t, pki, pki.Issuing), certificateOf(t, pki, pki.OtherIntermediate)
	return m
}

// certificateOf is a client certificate for the proxy, as flags.
func certificateOf(t *testing.T, pki *certstest.PKI, by *certs.Pair) []string {
	t.Helper()
	leaf := pki.Issue(by, certs.Template{CommonName: "the proxy", Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	cert, key := (&certstest.Chain{Leaf: leaf, Presented: leaf.Chain()}).WriteFiles(t)
	return []string{"--backend-cert", cert, "--backend-key", key}
}

func TestNginx(t *testing.T) {
	t.Parallel()
	m := newMutual(t)
	with := func(directives string) func(*testing.T) string {
		return func(t *testing.T) string { return nginxServer(t, m.cert, m.key, directives) }
	}
	byName := func(t *testing.T) string {
		return nginx(t, fmt.Sprintf(`server { listen %%[1]s ssl; ssl_reject_handshake on; }
  server { listen %%[1]s ssl; server_name %s; ssl_certificate %s; ssl_certificate_key %s; location / { return 200 "hello from the backend\n"; } }`, site, m.cert, m.key))
	}
	tryServers(t, m.ca, []serverCase{
		{"healthy", with("ssl_protocols TLSv1.2 TLSv1.3;"), nil, fine, negotiated("TLSv1.3")},
		{"TLS 1.2 only", with("ssl_protocols TLSv1.2;"), nil, fine, negotiated("TLSv1.2")},
		{"TLS 1.0 only", with("ssl_protocols TLSv1; ssl_ciphers DEFAULT:@SECLEVEL=0;"), []string{"--policy", strict},
			want{cause: "backend-below-policy", fault: inspect.FaultBackend, verdict: inspect.Warning, outcome: inspect.Success, has: "version-downgrade-between-legs", policy: "accepted"}, negotiated("TLSv1.0")},
		{"TLS 1.0 only, no policy", with("ssl_protocols TLSv1; ssl_ciphers DEFAULT:@SECLEVEL=0;"), nil,
			want{cause: "version-downgrade-between-legs", fault: inspect.FaultBackend, verdict: inspect.Warning, outcome: inspect.Success}, nil},
		{"TLS 1.3 only before a proxy with TLS 1.2", with("ssl_protocols TLSv1.3;"), []string{"--backend-max-version", "TLSv1.2"}, broken("backend-version-no-overlap", inspect.FaultProxy), nil},
		{"known name", byName, nil, fine, nil},
		{"unknown name", byName, []string{"--backend-sni", "elsewhere.example"}, broken("sni-required-by-backend", inspect.FaultProxy), nil},
		// nginx ends TLS and answers 400 where the certificate is missing; curl --fail says so.
		{"client certificate required and given", with("ssl_verify_client on; ssl_verify_depth 3; ssl_client_certificate " + m.ca + ";"), m.good, fine, nil},
	})
	t.Run("client certificate required and missing", func(t *testing.T) {
		b := backend{addr: nginxServer(t, m.cert, m.key, "ssl_verify_client on; ssl_client_certificate "+m.ca+";"), ca: m.ca}
		p := startProxy(t, b.args()...)
		got := curl("--http1.1")(t, p.Addr)
		if got.code != 22 || !strings.Contains(got.out, "400") {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
		// The handshake went through; what the backend answered then tells.
		expect(t, p.nextFor(t), want{cause: "backend-requires-client-cert", fault: inspect.FaultProxy, verdict: inspect.Failed, outcome: inspect.Success})
	})
}

func TestHAProxy(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	combined := healthyChain(pki).WriteCombined(t)
	with := func(options string) func(*testing.T) string {
		return func(t *testing.T) string { return haproxy(t, combined, options) }
	}
	tryServers(t, ca, []serverCase{
		{"healthy", with("alpn h2,http/1.1"), nil, fine, negotiated("TLSv1.3")},
		{"TLS 1.2 only", with("ssl-max-ver TLSv1.2"), nil, fine, negotiated("TLSv1.2")},
		{"TLS 1.0 only", with("ssl-min-ver TLSv1.0 ssl-max-ver TLSv1.0 ciphers DEFAULT:@SECLEVEL=0"), []string{"--policy", strict},
			want{cause: "backend-below-policy", fault: inspect.FaultBackend, verdict: inspect.Warning, outcome: inspect.Success}, negotiated("TLSv1.0")},
		{"strict names, unknown name", with("strict-sni"), []string{"--backend-sni", "elsewhere.example"}, broken("sni-required-by-backend", inspect.FaultProxy), nil},
		{"client certificate missing, TLS 1.3", with("verify required ca-file " + ca), nil, broken("backend-requires-client-cert", inspect.FaultProxy), nil},
		{"client certificate missing, TLS 1.2", with("ssl-max-ver TLSv1.2 verify required ca-file " + ca), nil, broken("backend-requires-client-cert", inspect.FaultProxy), nil},
		{"client certificate given", with("verify required ca-file " + ca), certificateOf(t, pki, pki.Issuing), fine, nil},
		{"client certificate of another authority", with("verify required ca-file " + ca), certificateOf(t, pki, pki.OtherIntermediate), broken("backend-rejects-client-cert", inspect.FaultProxy), nil},
	})
}

func TestOpenSSLServers(t *testing.T) {
	t.Parallel()
	m := newMutual(t)
	pki := certstest.New(t)
	rsaCA := pki.WriteRoot(t)
	rsaCert, rsaKey := pki.Make(certstest.HealthyRSA, site).WriteFiles(t)
	with := func(more ...string) func(*testing.T) string {
		return func(t *testing.T) string { return sServer(t, m.cert, m.key, more...) }
	}
	withRSA := func(more ...string) func(*testing.T) string {
		return func(t *testing.T) string { return sServer(t, rsaCert, rsaKey, more...) }
	}
	below := want{cause: "backend-below-policy", fault: inspect.FaultBackend, verdict: inspect.Warning, outcome: inspect.Success, has: "version-downgrade-between-legs"}
	tryServers(t, m.ca, []serverCase{
		{"TLS 1.0", with("-tls1", "-cipher", "DEFAULT:@SECLEVEL=0"), []string{"--policy", strict}, below, negotiated("TLSv1.0")},
		{"TLS 1.1", with("-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"), []string{"--policy", strict}, below, negotiated("TLSv1.1")},
		{"TLS 1.2", with("-tls1_2"), []string{"--policy", strict}, fine.and("accepted"), negotiated("TLSv1.2")},
		{"TLS 1.3", with("-tls1_3"), []string{"--policy", strict}, fine.and("accepted"), negotiated("TLSv1.3")},
		{"TLS 1.0, TLS 1.2 offered at least", with("-tls1", "-cipher", "DEFAULT:@SECLEVEL=0"), []string{"--backend-min-version", "TLSv1.2"}, broken("backend-version-no-overlap", inspect.FaultBackend), nil},
		{"AES-CCM only", with("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-CCM"), nil, broken("backend-cipher-no-overlap", inspect.FaultBackend), nil},
		{"client certificate missing, TLS 1.2", with("-tls1_2", "-Verify", "3", "-CAfile", m.ca, "-verify_return_error"), nil, broken("backend-requires-client-cert", inspect.FaultProxy), nil},
		{"client certificate missing, TLS 1.3", with("-tls1_3", "-Verify", "3", "-CAfile", m.ca, "-verify_return_error"), nil, broken("backend-requires-client-cert", inspect.FaultProxy), nil},
		{"client certificate given, TLS 1.2", with("-tls1_2", "-Verify", "3", "-CAfile", m.ca, "-verify_return_error"), m.good, fine, nil},
		{"client certificate given, TLS 1.3", with("-tls1_3", "-Verify", "3", "-CAfile", m.ca, "-verify_return_error"), m.good, fine, nil},
		{"client certificate of another authority, TLS 1.2", with("-tls1_2", "-Verify", "3", "-CAfile", m.ca, "-verify_return_error"), m.untrusted, broken("backend-rejects-client-cert", inspect.FaultProxy), nil},
		{"client certificate of another authority, TLS 1.3", with("-tls1_3", "-Verify", "3", "-CAfile", m.ca, "-verify_return_error"), m.untrusted, broken("backend-rejects-client-cert", inspect.FaultProxy), nil},
		{"client certificate asked for, none given", with("-verify", "3", "-CAfile", m.ca), nil, want{verdict: inspect.OK, outcome: inspect.Success, has: "backend-requires-client-cert"}, nil},
	})
	tryServers(t, rsaCA, []serverCase{
		{"DHE only", withRSA("-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"), nil, broken("backend-cipher-no-overlap", inspect.FaultBackend), nil},
		{"RSA key exchange", withRSA("-tls1_2", "-cipher", "AES128-SHA"), []string{"--policy", strict},
			want{cause: "backend-below-policy", fault: inspect.FaultBackend, verdict: inspect.Warning, outcome: inspect.Success}, negotiated("TLSv1.2")},
	})
}

func TestJavaServers(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	chain := pki.Make(certstest.HealthyRSA, site)
	with := func(protocols string) func(*testing.T) string {
		return func(t *testing.T) string { return javaServer(t, chain, protocols) }
	}
	tryServers(t, pki.WriteRoot(t), []serverCase{
		{"default", with("default"), nil, fine, negotiated("TLSv1.3")},
		{"SSLv3 only", with("SSLv3"), nil, broken("backend-version-no-overlap", inspect.FaultBackend), nil},
		{"TLS 1.0 only", with("TLSv1"), []string{"--policy", strict},
			want{cause: "backend-below-policy", fault: inspect.FaultBackend, verdict: inspect.Warning, outcome: inspect.Success, has: "version-downgrade-between-legs"}, negotiated("TLSv1.0")},
	})
}

func TestGnuTLSServers(t *testing.T) {
	t.Parallel()
	cert, key, ca := files(t)
	with := func(priority string) func(*testing.T) string {
		return func(t *testing.T) string { return gnutlsServer(t, cert, key, priority) }
	}
	for _, c := range []struct {
		name, priority, version string
		want                    want
	}{
		{"default", "NORMAL", "TLSv1.3", fine},
		{"TLS 1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.2", "TLSv1.2", fine},
		{"TLS 1.0", "NORMAL:-VERS-ALL:+VERS-TLS1.0", "TLSv1.0", want{cause: "version-downgrade-between-legs", fault: inspect.FaultBackend, verdict: inspect.Warning, outcome: inspect.Success}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := startProxy(t, backend{addr: with(c.priority)(t), ca: ca}.args()...)
			// Its page tells of the connection that it sees: the backend leg.
			got := curl("--http1.1")(t, p.Addr)
			r := p.nextFor(t)
			expect(t, r, c.want)
			negotiated(c.version)(t, r)
			if spelled := strings.Replace(c.version, "v", "", 1); got.code != 0 || !strings.Contains(got.out, spelled) {
				t.Errorf("exit %d: %s", got.code, got.out)
			}
		})
	}
	t.Run("AES-CCM only", func(t *testing.T) {
		p := startProxy(t, backend{addr: with("NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-CCM")(t), ca: ca}.args()...)
		ask502(t, p, broken("backend-cipher-no-overlap", inspect.FaultBackend))
	})
}
