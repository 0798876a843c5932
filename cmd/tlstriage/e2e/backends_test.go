package e2e

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
)

// backend is a server with what is needed to trust it.
type backend struct {
	addr string
	ca   string // file with the root that it chains to
	h2   bool
	post bool // it answers a POST to /digest with the SHA-256 of the body
	cuts bool // it ends connections without close_notify, which OpenSSL calls an error
}

// args are the flags for a proxy in front of it.
func (b backend) args(more ...string) []string {
	return append([]string{"--backend", "tls://" + b.addr, "--backend-ca", b.ca}, more...)
}

// healthyChain is a chain for the names that healthy clients use.
func healthyChain(p *certstest.PKI) *certstest.Chain {
	leaf := p.Issue(p.Issuing, certs.Template{Names: []string{site, "localhost"}})
	return &certstest.Chain{Kind: certstest.Healthy, Leaf: leaf, Presented: leaf.Chain()}
}

// files is the healthy chain as files.
func files(t *testing.T) (cert, key, ca string) {
	t.Helper()
	p := certstest.New(t)
	cert, key = healthyChain(p).WriteFiles(t)
	return cert, key, p.WriteRoot(t)
}

// answer is what all HTTP backends do.
var answer = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/large":
		w.Header().Set("Content-Length", fmt.Sprint(len(large)))
		w.Write(large)
	case "/digest":
		sum := sha256.New()
		io.Copy(sum, r.Body)
		fmt.Fprint(w, hex.EncodeToString(sum.Sum(nil)))
	default:
		io.WriteString(w, greeting)
	}
})

// goBackend serves HTTP with crypto/tls. The configuration may be nil.
func goBackend(t *testing.T, chain *certstest.Chain, config *tls.Config) string {
	t.Helper()
	l := listen(t)
	if config == nil {
		config = &tls.Config{}
	}
	config = config.Clone()
	config.Certificates = []tls.Certificate{*chain.TLS()}
	if config.NextProtos == nil {
		config.NextProtos = []string{"h2", "http/1.1"}
	}
	serveHTTP(t, tls.NewListener(l, config))
	return l.Addr().String()
}

// plainBackend serves HTTP without TLS.
func plainBackend(t *testing.T) string {
	t.Helper()
	l := listen(t)
	serveHTTP(t, l)
	return l.Addr().String()
}

func serveHTTP(t *testing.T, l net.Listener) {
	server := &http.Server{Handler: answer, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: patience}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// rawBackend does what it is told to each connection, and closes it.
func rawBackend(t *testing.T, do func(net.Conn)) string {
	t.Helper()
	l := listen(t)
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for c := range open {
			c.Close()
		}
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			go func() {
				c.SetDeadline(time.Now().Add(patience))
				do(c)
				c.Close()
				mu.Lock()
				delete(open, c)
				mu.Unlock()
			}()
		}
	}()
	return l.Addr().String()
}

// healthyGo is the healthy backend most tests stand on.
func healthyGo(t *testing.T) backend {
	t.Helper()
	p := certstest.New(t)
	return backend{addr: goBackend(t, healthyChain(p), nil), ca: p.WriteRoot(t), h2: true, post: true}
}

// nginx starts one with the body of a http block, in which %[1]s is the address to listen on.
func nginx(t *testing.T, body string) string {
	t.Helper()
	need(t, "nginx")
	addr, _ := freePort(t)
	dir := t.TempDir()
	for _, d := range []string{"logs", "tmp"} {
		os.Mkdir(filepath.Join(dir, d), 0o777)
	}
	user := ""
	if os.Getuid() == 0 {
		user = "user root;" // its workers must reach the test's files
	}
	config := filepath.Join(dir, "nginx.conf")
	certstest.WriteFile(t, config, fmt.Appendf(nil, `daemon off; %s worker_processes 1; pid %[2]s/pid; error_log stderr;
events { worker_connections 64; }
http {
  access_log off; client_max_body_size 0; client_body_temp_path %[2]s/tmp/a; proxy_temp_path %[2]s/tmp/b; fastcgi_temp_path %[2]s/tmp/c; uwsgi_temp_path %[2]s/tmp/d; scgi_temp_path %[2]s/tmp/e;
  %[3]s
}
`, user, dir, fmt.Sprintf(body, addr)))
	server(t, dir, addr, "nginx", "-p", dir, "-e", "stderr", "-c", config)
	return addr
}

// nginxServer is a server block with more directives, in front of a plain backend.
func nginxServer(t *testing.T, cert, key, more string) string {
	t.Helper()
	return nginx(t, fmt.Sprintf("server { listen %%s ssl http2; ssl_certificate %s; ssl_certificate_key %s; %s location / { proxy_pass http://%s; proxy_http_version 1.1; proxy_request_buffering off; } }",
		cert, key, more, plainBackend(t)))
}

// haproxy starts one with a bind line's options, in front of a plain backend.
func haproxy(t *testing.T, combined, options string) string {
	t.Helper()
	need(t, "haproxy")
	addr, _ := freePort(t)
	config := writeFile(t, "haproxy.cfg", fmt.Sprintf(`global
  maxconn 100
  tune.ssl.default-dh-param 2048
defaults
  mode http
  timeout connect 60s
  timeout client 60s
  timeout server 60s
frontend front
  bind %s ssl crt %s %s
  default_backend back
backend back
  server s %s
`, addr, combined, options, plainBackend(t)))
	server(t, filepath.Dir(config), addr, "haproxy", "-db", "-f", config)
	return addr
}

// sServer is `openssl s_server`, which serves the files of the shared directory.
func sServer(t *testing.T, cert, key string, more ...string) string {
	t.Helper()
	addr, port := freePort(t)
	args := []string{"s_server", "-accept", "127.0.0.1:" + port, "-cert", cert, "-key", key, "-WWW"}
	// It takes the leaf alone from that file.
	pem, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	if _, above, more := strings.Cut(string(pem), "-----END CERTIFICATE-----\n"); more && above != "" {
		args = append(args, "-cert_chain", writeFile(t, "above.pem", above))
	}
	server(t, shared, addr, "openssl", append(args, more...)...)
	return addr
}

// javaServer is testdata/Server.java with the given protocols open (comma-separated; "default" leaves all as it is).
func javaServer(t *testing.T, chain *certstest.Chain, protocols string) string {
	t.Helper()
	addr, port := freePort(t)
	cert, key := chain.WriteFiles(t)
	args := append(javaFlags(t, protocols != "default"), "Server", port, cert, key, protocols, filepath.Join(shared, "large"))
	server(t, t.TempDir(), addr, "java", args...)
	return addr
}

// javaClasses compiles the Java sources once.
var javaClasses = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(shared, "classes")
	return dir, command("javac", "-d", dir, "testdata/Client.java", "testdata/Server.java")
})

// javaFlags run one of the compiled classes; legacy opens what Java has disabled since.
func javaFlags(t *testing.T, legacy bool) []string {
	t.Helper()
	need(t, "java", "javac")
	dir, err := javaClasses()
	if err != nil {
		t.Fatal(err)
	}
	flags := []string{"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-cp", dir}
	if legacy {
		flags = append(flags, "-Djava.security.properties="+writeFile(t, "legacy.security", "jdk.tls.disabledAlgorithms=\njdk.tls.legacyAlgorithms=\njdk.certpath.disabledAlgorithms=\n"))
	}
	return flags
}

// nodeServer is testdata/server.js.
func nodeServer(t *testing.T, cert, key string, more ...string) string {
	t.Helper()
	addr, port := freePort(t)
	server(t, t.TempDir(), addr, "node", append([]string{testdata("server.js"), port, cert, key, filepath.Join(shared, "large")}, more...)...)
	return addr
}

// pythonServer is testdata/server.py.
func pythonServer(t *testing.T, cert, key string) string {
	t.Helper()
	addr, port := freePort(t)
	server(t, t.TempDir(), addr, "python3", testdata("server.py"), port, cert, key, filepath.Join(shared, "large"))
	return addr
}

// gnutlsServer is gnutls-serv as a HTTP server.
func gnutlsServer(t *testing.T, cert, key, priority string) string {
	t.Helper()
	addr, port := freePort(t)
	server(t, t.TempDir(), addr, "gnutls-serv", "--http", "--disable-client-cert", "-p", port, "--x509certfile", cert, "--x509keyfile", key, "--priority", priority)
	return addr
}

// testdata is the full path of a file there: clients run in directories of their own.
func testdata(name string) string {
	dir, err := os.Getwd()
	if err != nil {
		return name
	}
	return filepath.Join(dir, "testdata", name)
}

// readHello reads the first record of a client, so that what follows answers the hello.
func readHello(c net.Conn) {
	r := bufio.NewReader(c)
	header := make([]byte, 5)
	if _, err := io.ReadFull(r, header); err == nil {
		io.CopyN(io.Discard, r, int64(header[3])<<8|int64(header[4]))
	}
}
