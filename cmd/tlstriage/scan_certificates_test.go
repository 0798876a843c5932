package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/scan"
)

// TestScanOfHAProxyWithTwoCertificates: it takes the ECDSA certificate where any ECDSA suite that its library knows is in the hello, so that
// those for RSA show only without.
func TestScanOfHAProxyWithTwoCertificates(t *testing.T) {
	haproxy := importertest.Program(t, "haproxy")
	dir, port := t.TempDir(), importertest.FreePort(t)
	importertest.KeyPairs(t, dir, "rsa", "ec")
	pairs := filepath.Join(dir, "pairs")
	if err := os.Mkdir(pairs, 0o700); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"rsa.pem": "site.pem.rsa", "ec.pem": "site.pem.ecdsa"} {
		if err := os.Rename(filepath.Join(dir, from), filepath.Join(pairs, to)); err != nil {
			t.Fatal(err)
		}
	}
	const ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-SHA:AES128-SHA"
	file := filepath.Join(dir, "haproxy.cfg")
	importertest.Write(t, file, "defaults\n  mode http\n  timeout client 60s\n  timeout server 60s\n  timeout connect 60s\nfrontend f\n  bind 127.0.0.1:"+port+" ssl crt "+pairs+"/ ssl-min-ver TLSv1.2 ciphers "+ciphers+"\n  http-request return status 200 content-type text/plain string ok\n")
	importertest.Start(t, "Loading success|New worker", haproxy, "-W", "-f", file)
	importertest.AwaitPort(t, "127.0.0.1:"+port)
	s := scanOnce(t, "127.0.0.1:"+port, "--sni", "localhost")
	got, want := slices.Sorted(slices.Values(s.Ciphers["TLSv1.2"])), slices.Sorted(slices.Values(opensslSuites(t, "-tls1_2", ciphers)))
	if !slices.Equal(got, want) {
		t.Errorf("ciphers %v, want %v", got, want)
	}
	if len(s.Certificates) != 2 {
		t.Errorf("%d certificates, want both", len(s.Certificates))
	}
	for _, scheme := range []string{"ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256"} {
		if !slices.Contains(s.SchemesByVersion["TLSv1.2"], scheme) {
			t.Errorf("%s is not among %v", scheme, s.SchemesByVersion)
		}
	}
	for _, n := range s.SNI {
		if n.Reply != scan.Yes || !n.Same {
			t.Errorf("name %s: %+v", n.Form, n)
		}
	}
}

// TestScanOfVirtualHostsWithOtherKeys: clients that send no name, or another, get the certificate of the default server, whose key and
// suites are not those of the name that is scanned; and the order in which schemes were asked about is no drift.
func TestScanOfVirtualHostsWithOtherKeys(t *testing.T) {
	nginx := importertest.Program(t, "nginx")
	version := importertest.Version(t, nginx, `nginx/([0-9.]+)`, "-v")
	dir, port, both := t.TempDir(), importertest.FreePort(t), importertest.FreePort(t)
	importertest.KeyPairs(t, dir, "rsa", "ec", "ed")
	file := filepath.Join(dir, "nginx.conf")
	importertest.Write(t, file, fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr notice;
events {}
http { access_log off; client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
server { listen 127.0.0.1:%[2]s ssl default_server; server_name a.test; ssl_protocols TLSv1.2; ssl_certificate ec.crt; ssl_certificate_key ec.key; return 200 ok; }
server { listen 127.0.0.1:%[2]s ssl; server_name localhost; ssl_protocols TLSv1.2; ssl_certificate rsa.crt; ssl_certificate_key rsa.key; return 200 ok; }
server { listen 127.0.0.1:%[3]s ssl; server_name localhost; ssl_certificate rsa.crt; ssl_certificate_key rsa.key; ssl_certificate ec.crt; ssl_certificate_key ec.key; ssl_certificate ed.crt; ssl_certificate_key ed.key; return 200 ok; }
}
`, dir, port, both))
	importertest.Start(t, "using the|nginx/", nginx, "-p", dir, "-c", file)
	importertest.AwaitPort(t, "127.0.0.1:"+both)
	s := scanOnce(t, "127.0.0.1:"+port, "--sni", "localhost")
	for _, n := range s.SNI {
		if same := n.Form == scan.NameRight || n.Form == scan.NameUpper || n.Form == scan.NameDot; n.Reply != scan.Yes || n.Same != same {
			t.Errorf("name %s: %+v", n.Form, n)
		}
	}
	for _, f := range s.Findings {
		if f.ID == "server-name-required" {
			t.Error(f.Detail)
		}
	}
	configured(t, both, file+"#version="+version+"&listen=127.0.0.1:"+both)
}

// TestScanOfGnuTLSWithAnOrderOfItsOwn: it resumes, although it would rather have another group than the one that there is a share of.
func TestScanOfGnuTLSWithAnOrderOfItsOwn(t *testing.T) {
	serv := importertest.Program(t, "gnutls-serv")
	dir, port := t.TempDir(), importertest.FreePort(t)
	importertest.KeyPairs(t, dir, "rsa")
	importertest.Start(t, "listening on IPv4", serv, "--x509certfile", filepath.Join(dir, "rsa.crt"), "--x509keyfile", filepath.Join(dir, "rsa.key"), "--http", "-p", port, "--priority", "NORMAL:%SERVER_PRECEDENCE")
	importertest.AwaitPort(t, "127.0.0.1:"+port)
	s := scanOnce(t, "127.0.0.1:"+port, "--sni", "localhost")
	if a := s.Resumption[scan.ResumePSK]; a.Reply != scan.Yes {
		t.Errorf("psk: %+v", a)
	}
}

// TestScanOfAServerWhoseStaplingFails: the name that was sent has nothing to do with it.
func TestScanOfAServerWhoseStaplingFails(t *testing.T) {
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "rsa")
	s := scanOnce(t, "127.0.0.1:"+sServer(t, dir, "rsa", "-status_file", "/dev/null"), "--sni", "localhost", "--ca", filepath.Join(dir, "rsa.crt"))
	if s.Tolerance[scan.ToleranceStatusRequest].Reply != scan.No || len(s.SignatureSchemes) == 0 {
		t.Errorf("status_request %+v, schemes %v", s.Tolerance[scan.ToleranceStatusRequest], s.SignatureSchemes)
	}
	wantFinding(t, s, "server-hello-intolerance")
	for _, f := range s.Findings {
		if strings.HasPrefix(f.ID, "sni-") {
			t.Errorf("%s: %s", f.ID, f.Detail)
		}
	}
}
