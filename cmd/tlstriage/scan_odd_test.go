package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/scan"
)

// sServer starts openssl s_server with a key, or without one where it is empty.
func sServer(t *testing.T, dir, key string, args ...string) (port string) {
	t.Helper()
	port = importertest.FreePort(t)
	all := []string{"s_server", "-accept", "127.0.0.1:" + port, "-www"}
	if key != "" {
		all = append(all, "-cert", filepath.Join(dir, key+".crt"), "-key", filepath.Join(dir, key+".key"))
	}
	importertest.Start(t, "ACCEPT", importertest.Program(t, "openssl"), append(all, args...)...)
	return port
}

// TestScanReadsTheParametersOfEverySuite: OpenSSL takes primes by the strength of the suite where there is no certificate, and by that of the
// certificate where there is one.
func TestScanReadsTheParametersOfEverySuite(t *testing.T) {
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "rsa", "ec")
	for _, c := range []struct {
		name, key string
		args      []string
		bits      []int
	}{
		{"ECDSA, TLS 1.2", "ec", []string{"-cipher", "ALL:@SECLEVEL=0", "-serverpref"}, []int{1024, 3072}},
		{"RSA, TLS 1.0", "rsa", []string{"-cipher", "ALL:@SECLEVEL=0", "-tls1"}, []int{1024, 2048, 3072}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := scanOnce(t, "127.0.0.1:"+sServer(t, dir, c.key, c.args...), "--sni", "localhost")
			for _, bits := range c.bits {
				i := slices.IndexFunc(s.FiniteFields, func(f scan.FiniteField) bool { return f.Bits == bits })
				if i < 0 {
					t.Errorf("parameters %+v, want %d bits, too", s.FiniteFields, bits)
				} else if len(s.FiniteFields[i].Ciphers) == 0 || len(s.FiniteFields[i].Versions) == 0 {
					t.Errorf("%+v: which suites and versions they belong to is not said", s.FiniteFields[i])
				}
			}
			wantFinding(t, s, "server-weak-dh")
		})
	}
}

// TestScanOfPreSharedKeysBlamesNobody: there is no key here, which is not the endpoint's fault.
func TestScanOfPreSharedKeysBlamesNobody(t *testing.T) {
	s := scanOnce(t, "127.0.0.1:"+sServer(t, "", "", "-nocert", "-cipher", "PSK:@SECLEVEL=0", "-psk", "0102030405"), "--sni", "localhost")
	wantFinding(t, s, "server-only-pre-shared-keys")
	for _, f := range s.Findings {
		if strings.HasPrefix(f.ID, "backend-") || f.ID == "handshake-unexplained" {
			t.Errorf("%s: %s", f.ID, f.Detail)
		}
	}
	if len(s.Groups) == 0 || len(s.FiniteFields) == 0 {
		t.Errorf("groups %v, parameters %v: its ECDHE and DHE suites have some", s.Groups, s.FiniteFields)
	}
	for _, n := range s.SNI {
		if n.Reply == scan.Yes && !n.Same {
			t.Errorf("name %s: another certificate, where there is none", n.Form)
		}
	}
	if line := s.namesLine(); strings.Contains(line, "other certificate") {
		t.Error(line)
	}
}

// TestScanFinishesWithACurveThatItKnows: the endpoint likes curves best that are not computed here.
func TestScanFinishesWithACurveThatItKnows(t *testing.T) {
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "ec")
	s := scanOnce(t, "127.0.0.1:"+sServer(t, dir, "ec", "-cipher", "ALL:@SECLEVEL=0", "-serverpref", "-groups", "P-224:brainpoolP256r1:P-256:K-283"), "--sni", "localhost")
	if want := []string{"secp224r1", "brainpoolP256r1", "secp256r1", "sect283k1"}; !slices.Equal(s.GroupsByVersion["TLSv1.2"], want) {
		t.Errorf("groups %v, want %v", s.GroupsByVersion["TLSv1.2"], want)
	}
	for _, way := range []string{"session_id", "ticket"} {
		if a := s.Resumption[way]; a.Reply != scan.Yes {
			t.Errorf("%s: %+v", way, a)
		}
	}
}

// TestScanOfGnuTLSThatWantsACertificate: it answers an empty Certificate with decode_error.
func TestScanOfGnuTLSThatWantsACertificate(t *testing.T) {
	serv := importertest.Program(t, "gnutls-serv")
	dir, port := t.TempDir(), importertest.FreePort(t)
	importertest.KeyPairs(t, dir, "rsa")
	pair := []string{"--x509certfile", filepath.Join(dir, "rsa.crt"), "--x509keyfile", filepath.Join(dir, "rsa.key")}
	importertest.Start(t, "listening on IPv4", serv, append(pair, "--http", "-p", port, "--priority", "SECURE256:-VERS-ALL:+VERS-TLS1.2:%SERVER_PRECEDENCE", "--require-client-cert", "--x509cafile", filepath.Join(dir, "rsa.crt"))...)
	importertest.AwaitPort(t, "127.0.0.1:"+port)
	s := scanOnce(t, "127.0.0.1:"+port, "--sni", "localhost", "--ca", filepath.Join(dir, "rsa.crt"))
	if s.Cause != "backend-requires-client-cert" {
		t.Errorf("cause %s", s.Cause)
	}
	with := scanOnce(t, "127.0.0.1:"+port, "--sni", "localhost", "--ca", filepath.Join(dir, "rsa.crt"), "--client-cert", filepath.Join(dir, "rsa.crt"), "--client-key", filepath.Join(dir, "rsa.key"))
	if d := with.ClientCertificate.ByVersion["TLSv1.2"]; d.Accepted == nil || !*d.Accepted {
		t.Errorf("with its own certificate: %+v, findings %v", d, with.Findings)
	}
}

// TestScanOverQUICOfAHealthyEndpoint: nothing is wrong with Caddy's HTTP/3.
func TestScanOverQUICOfAHealthyEndpoint(t *testing.T) {
	caddy := importertest.Program(t, "caddy")
	dir, port := t.TempDir(), importertest.FreePort(t)
	importertest.KeyPairs(t, dir, "ec")
	file := filepath.Join(dir, "Caddyfile")
	importertest.Write(t, file, fmt.Sprintf("{\n admin off\n auto_https off\n storage file_system %s\n}\nhttps://localhost:%s {\n bind 127.0.0.1\n tls %s/ec.crt %s/ec.key\n respond ok\n}\n", dir, port, dir, dir))
	importertest.Start(t, "serving initial configuration", caddy, "run", "--adapter", "caddyfile", "--config", file)
	importertest.AwaitPort(t, "127.0.0.1:"+port)
	for _, flags := range [][]string{{"--quic"}, nil} {
		s := scanOnce(t, append([]string{"127.0.0.1:" + port, "--sni", "localhost", "--ca", filepath.Join(dir, "ec.crt")}, flags...)...)
		if s.BrokenLayer() != nil || len(s.Inconclusive) > 0 {
			t.Errorf("%v: layers %+v, inconclusive %v", flags, s.Layers, s.Inconclusive)
		}
		for _, f := range s.Findings {
			if f.Severity != "info" && !strings.HasPrefix(f.ID, "c") { // the certificate is a test's
				t.Errorf("%v: %s %s: %s", flags, f.Severity, f.ID, f.Detail)
			}
		}
	}
}

// says is an endpoint that handles each connection in its own way.
func says(t *testing.T, handle func(c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				handle(c)
				_, _ = io.Copy(io.Discard, c) // until the other side has gone
			}()
		}
	}()
	return l.Addr().String()
}

// TestCausesThatLieBeforeTLS: the cause is the step that failed, in words of a scan.
func TestCausesThatLieBeforeTLS(t *testing.T) {
	line := func(c net.Conn) { _, _ = c.Read(make([]byte, 512)) }
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "ec")
	tls := "127.0.0.1:" + sServer(t, dir, "ec")
	for _, c := range []struct {
		name, address, cause, sentence string
		args                           []string
	}{
		{"STARTTLS refused", says(t, func(c net.Conn) {
			for _, text := range []string{"220 x\r\n", "250-x\r\n250 PIPELINING\r\n", "502 no\r\n"} {
				_, _ = io.WriteString(c, text)
				line(c)
			}
		}), "server-starttls-failed", `"502 no"`, []string{"--starttls", "smtp"}},
		{"STARTTLS of PostgreSQL refused", says(t, func(c net.Conn) { line(c); _, _ = io.WriteString(c, "N") }), "server-starttls-failed", "refuses", []string{"--starttls", "postgres"}},
		{"STARTTLS where TLS is spoken at once", tls, "server-starttls-failed", "leave --starttls out", []string{"--starttls", "smtp", "--timeout", "4s"}},
		{"PROXY protocol where none is wanted", tls, "server-refuses-proxy-protocol", "leave --proxy-protocol out", []string{"--proxy-protocol", "v1"}},
		{"SOCKS", says(t, func(c net.Conn) { line(c); _, _ = c.Write([]byte{5, 0xFF}) }), "backend-not-tls", "SOCKS", nil},
		{"bytes that are escaped once", says(t, func(c net.Conn) { line(c); _, _ = c.Write([]byte("\x01\x02binary\x02 and more of it\n")) }), "backend-not-tls", `("\x01\x02binary`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := scanOnce(t, append([]string{c.address, "--sni", "localhost"}, c.args...)...)
			if s.Cause != c.cause || !strings.Contains(s.sentence(), c.sentence) {
				t.Errorf("cause %s: %s; want %s with %q", s.Cause, s.sentence(), c.cause, c.sentence)
			}
			for _, f := range s.Findings {
				for _, odd := range []string{"the proxy", "read tcp", "EOF"} {
					if strings.Contains(f.Detail, odd) {
						t.Errorf("%s: %q is said: %s", f.ID, odd, f.Detail)
					}
				}
			}
		})
	}
}

// TestTheBoundOnConnectionsIsNoFailure: whatever the bound, it is not the endpoint that is blamed.
func TestTheBoundOnConnectionsIsNoFailure(t *testing.T) {
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "ec")
	port := sServer(t, dir, "ec", "-serverpref")
	for _, most := range []string{"1", "2", "3", "5", "8", "12", "20", "40"} {
		s := scanOnce(t, "127.0.0.1:"+port, "--sni", "localhost", "--ca", filepath.Join(dir, "ec.crt"), "--max-connections", most)
		if s.BrokenLayer() != nil || len(s.Inconclusive) == 0 || !s.Partial {
			t.Errorf("%s: layers %+v, inconclusive %v", most, s.Layers, s.Inconclusive)
		}
		for _, f := range s.Findings {
			if f.Severity == "error" && !strings.HasPrefix(f.ID, "c") {
				t.Errorf("%s: %s: %s", most, f.ID, f.Detail)
			}
		}
	}
}

// TestFlagsOfScanThatMeanNothing are refused.
func TestFlagsOfScanThatMeanNothing(t *testing.T) {
	dir := t.TempDir()
	targets := filepath.Join(dir, "targets")
	importertest.Write(t, targets, "www.example.com\nbad line here\n")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"x:1", "--concurrency", "0"}, "--concurrency"},
		{[]string{"x:1", "--concurrency", "-1"}, "--concurrency"},
		{[]string{"x:1", "--max-connections", "0"}, "--max-connections"},
		{[]string{"x:1", "--sni", ""}, "--no-sni"},
		{[]string{"x:1", "--alpn", strings.Repeat("a", 256)}, "1 to 255"},
		{[]string{"x:1", "--as", "no-such-balancer"}, "haproxy"},
		{[]string{"--targets", targets}, ":2: "},
	} {
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), append([]string{"scan"}, c.args...), strings.NewReader(""), &stdout, &stderr)
		if code != 2 || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("scan %.60q: exit code %d: %s; want 2 and %q", c.args, code, stderr.String(), c.want)
		}
	}
}

// TestSamplesWithoutANameAreNotRefused: how a sample was captured is not what its client can do.
func TestSamplesWithoutANameAreNotRefused(t *testing.T) {
	haproxy := importertest.Program(t, "haproxy")
	dir, port := t.TempDir(), importertest.FreePort(t)
	importertest.KeyPairs(t, dir, "ec")
	file := filepath.Join(dir, "haproxy.cfg")
	importertest.Write(t, file, "defaults\n  mode http\n  timeout client 60s\n  timeout server 60s\n  timeout connect 60s\nfrontend f\n  bind 127.0.0.1:"+port+" ssl crt "+dir+"/ec.pem strict-sni\n  http-request return status 200 content-type text/plain string ok\n")
	importertest.Start(t, "Loading success|New worker", haproxy, "-W", "-f", file)
	importertest.AwaitPort(t, "127.0.0.1:"+port)
	s := scanOnce(t, "127.0.0.1:"+port, "--sni", "localhost", "--clients", "boringssl-3538,java6")
	if s.Clients == nil || s.Clients.Tried != 2 {
		t.Fatalf("clients %+v", s.Clients)
	}
	if len(s.Clients.Nameless) != 1 || !strings.HasPrefix(s.Clients.Nameless[0], "boringssl") || len(s.Clients.Refused) != 1 {
		t.Errorf("need a name: %v; refused: %+v", s.Clients.Nameless, s.Clients.Refused)
	}
	wantFinding(t, s, "server-clients-need-name")
}

// TestScanOfNginxStreamIsWhatIsConfigured scans TLS that carries no HTTP.
func TestScanOfNginxStreamIsWhatIsConfigured(t *testing.T) {
	nginx := importertest.Program(t, "nginx")
	const module = "/usr/lib/nginx/modules/ngx_stream_module.so"
	load := "load_module " + module + ";\n"
	if _, err := os.Stat(module); err != nil {
		load = "" // it may be built in
		if said, _ := importertest.Run(t, nginx, "-V"); !strings.Contains(said, "--with-stream ") {
			t.Skipf("nginx has no stream module: %v", err)
		}
	}
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "rsa")
	const ciphers = "ECDHE-RSA-AES256-GCM-SHA384:AES128-SHA:ECDHE-RSA-AES128-SHA256"
	one, two := importertest.FreePort(t), importertest.FreePort(t)
	file := filepath.Join(dir, "nginx.conf")
	importertest.Write(t, file, fmt.Sprintf(`%sdaemon off; master_process off; pid %s/pid; error_log stderr notice;
events {}
stream {
  ssl_certificate rsa.crt; ssl_certificate_key rsa.key;
  server { listen 127.0.0.1:%s ssl; ssl_protocols TLSv1.2; ssl_ciphers %s; ssl_prefer_server_ciphers on; return ok; }
  server { listen 127.0.0.1:%s ssl; ssl_protocols TLSv1.3; ssl_ecdh_curve secp384r1:X25519; return ok; }
}
`, load, dir, one, ciphers, two))
	importertest.Start(t, "using the|nginx/", nginx, "-p", dir, "-c", file)
	importertest.AwaitPort(t, "127.0.0.1:"+two)
	s := scanOnce(t, "127.0.0.1:"+one, "--sni", "localhost")
	if want := opensslSuites(t, "-tls1_2", ciphers); !slices.Equal(s.Versions, []string{"TLSv1.2"}) || !slices.Equal(s.Ciphers["TLSv1.2"], want) || s.CipherPreference["TLSv1.2"] != "server" {
		t.Errorf("versions %v, ciphers %v by %v; want %v in this order", s.Versions, s.Ciphers, s.CipherPreference, want)
	}
	if s = scanOnce(t, "127.0.0.1:"+two, "--sni", "localhost"); !slices.Equal(s.Versions, []string{"TLSv1.3"}) || !slices.Equal(s.Groups, []string{"secp384r1", "x25519"}) {
		t.Errorf("versions %v, groups %v", s.Versions, s.Groups)
	}
}
