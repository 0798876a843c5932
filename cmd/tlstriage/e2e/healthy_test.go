package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
)

// healthyClient asks a backend through the proxy for /hello and /large and, where the backend takes it, sends a large body
// to /digest, each over a connection of its own. It fails the test where an answer is wrong, and returns the number of connections.
type healthyClient struct {
	name string
	h2   bool // speaks HTTP/2 alone
	ask  func(t *testing.T, addr string, b backend) int
}

func healthyClients() []healthyClient {
	return []healthyClient{
		{"openssl", false, askOpenSSL},
		{"curl h1", false, askCurl("--http1.1")},
		{"curl h2", false, askCurl("--http2")}, // falls back
		{"gnutls-cli", false, askGnuTLS},
		{"python", false, askPython},
		{"java h1", false, askJava("h1")},
		{"java h2", false, askJava("h2")}, // falls back
		{"node h1", false, askNode("h1")},
		{"node h2", true, askNode("h2")},
		{"go h1", false, askGo(false)},
		{"go h2", true, askGo(true)},
		{"wget", false, askWget},
	}
}

// healthyBackend is a server, and how it is started.
type healthyBackend struct {
	name  string
	start func(*testing.T) backend
}

func healthyBackends() []healthyBackend {
	return []healthyBackend{
		{"go", healthyGo},
		{"nginx", func(t *testing.T) backend {
			cert, key, ca := files(t)
			return backend{addr: nginxServer(t, cert, key, ""), ca: ca, h2: true, post: true}
		}},
		{"haproxy", func(t *testing.T) backend {
			p := certstest.New(t)
			return backend{addr: haproxy(t, healthyChain(p).WriteCombined(t), "alpn h2,http/1.1"), ca: p.WriteRoot(t), h2: true, post: true}
		}},
		{"openssl s_server", func(t *testing.T) backend {
			cert, key, ca := files(t)
			return backend{addr: sServer(t, cert, key), ca: ca}
		}},
		{"java", func(t *testing.T) backend {
			p := certstest.New(t)
			return backend{addr: javaServer(t, healthyChain(p), "default"), ca: p.WriteRoot(t), post: true, cuts: true}
		}},
		{"node", func(t *testing.T) backend {
			cert, key, ca := files(t)
			return backend{addr: nodeServer(t, cert, key), ca: ca, h2: true, post: true}
		}},
		{"python", func(t *testing.T) backend {
			cert, key, ca := files(t)
			return backend{addr: pythonServer(t, cert, key), ca: ca, post: true, cuts: true}
		}},
	}
}

func TestHealthyClientsAndBackendsRaiseNoAlarm(t *testing.T) {
	for _, x := range healthyBackends() {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			b := x.start(t)
			p := startProxy(t, b.args("--policy", "aws/ELBSecurityPolicy-TLS13-1-2-2021-06", "--enforce", "--backend-verify", "enforce")...)
			for _, c := range healthyClients() {
				if c.h2 && !b.h2 {
					continue
				}
				t.Run(c.name, func(t *testing.T) {
					n := c.ask(t, p.Addr, b)
					for range n {
						expect(t, p.nextFor(t), fine)
					}
				})
			}
		})
	}
}

// checkBody holds an answer against what the path must give.
func checkBody(t *testing.T, path string, body []byte) {
	t.Helper()
	switch path {
	case "/large":
		if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != largeSum {
			t.Errorf("%s: %d bytes that are not those of the backend", path, len(body))
		}
	case "/digest":
		if string(body) != largeSum {
			t.Errorf("%s: the backend got something else: %.100q", path, body)
		}
	default:
		if string(body) != greeting {
			t.Errorf("%s: %.100q", path, body)
		}
	}
}

func (b backend) paths() []string {
	if b.post {
		return []string{"/hello", "/large", "/digest"}
	}
	return []string{"/hello", "/large"}
}

// request is one in HTTP/1.0, after whose answer the server closes.
func request(path string) string {
	return "GET " + path + " HTTP/1.0\r\nHost: " + site + "\r\n\r\n"
}

// afterHeader is the body of an answer in what a client printed.
func afterHeader(out string) []byte {
	_, answer, _ := strings.Cut(out, "HTTP/1.")
	_, body, _ := strings.Cut(answer, "\r\n\r\n")
	return []byte(body)
}

func askOpenSSL(t *testing.T, addr string, b backend) int {
	for _, path := range []string{"/hello", "/large"} {
		got := client(t, request(path), "openssl", "s_client", "-connect", addr, "-servername", site, "-verify_hostname", site, "-CAfile", authorityCA, "-verify_return_error", "-quiet", "-ign_eof")
		_, answer, ok := strings.Cut(got.out, "HTTP/1.")
		if !ok || got.code != 0 && !b.cuts {
			t.Fatalf("exit %d: %.500s", got.code, got.out)
		}
		body := afterHeader("HTTP/1." + answer)
		// What s_client says at the end may stand behind the body.
		size := len(greeting)
		if path == "/large" {
			size = len(large)
		}
		checkBody(t, path, body[:min(size, len(body))])
	}
	return 2
}

func askCurl(version string) func(*testing.T, string, backend) int {
	return func(t *testing.T, addr string, b backend) int {
		for _, path := range b.paths() {
			args := []string{version, "-sS", "--fail", "--cacert", authorityCA, "--connect-to", "::" + addr, "https://" + site + path}
			if path == "/digest" {
				args = append(args, "--data-binary", "@"+filepath.Join(shared, "large"))
			}
			got := client(t, "", "curl", args...)
			if got.code != 0 {
				t.Fatalf("%s: exit %d: %.500s", path, got.code, got.out)
			}
			checkBody(t, path, []byte(got.out))
		}
		return len(b.paths())
	}
}

func askGnuTLS(t *testing.T, addr string, b backend) int {
	got := client(t, request("/hello"), "gnutls-cli", "--x509cafile", authorityCA, "--sni-hostname", site, "--verify-hostname", site, "-p", portOf(addr), "127.0.0.1")
	if got.code != 0 && !b.cuts || !strings.Contains(got.out, greeting) {
		t.Fatalf("exit %d: %.2000s", got.code, got.out)
	}
	return 1
}

func askPython(t *testing.T, addr string, b backend) int {
	return script(t, b, "python3", testdata("client.py"), site, portOf(addr), authorityCA, filepath.Join(shared, "large"))
}

func askNode(version string) func(*testing.T, string, backend) int {
	return func(t *testing.T, addr string, b backend) int {
		return script(t, b, "node", testdata("client.js"), site, portOf(addr), authorityCA, version, filepath.Join(shared, "large"))
	}
}

func askJava(version string) func(*testing.T, string, backend) int {
	return func(t *testing.T, addr string, b backend) int {
		if !b.post {
			// java.net.http waits for more of a body that only the end of the connection ends.
			got := java(false, "default", "default")(t, addr)
			if got.code != 0 || !strings.Contains(got.out, greeting) {
				t.Fatalf("exit %d: %.2000s", got.code, got.out)
			}
			return 1
		}
		hosts := writeFile(t, "hosts", "127.0.0.1 "+site+"\n")
		args := append(javaFlags(t, false), "-Djdk.net.hosts.file="+hosts, "Client", site, portOf(addr), authorityCA, version, filepath.Join(shared, "large"))
		return script(t, b, "java", args...)
	}
}

// script runs one of the clients of testdata.
func script(t *testing.T, b backend, program string, args ...string) int {
	t.Helper()
	if b.post {
		args = append(args, "upload")
	}
	if got := client(t, "", program, args...); got.code != 0 {
		t.Fatalf("exit %d: %.2000s", got.code, got.out)
	}
	return len(b.paths())
}

func askWget(t *testing.T, addr string, b backend) int {
	for _, path := range b.paths() {
		file := filepath.Join(t.TempDir(), "body")
		args := []string{"-q", "-t", "1", "--ca-certificate", authorityCA, "-O", file, "https://localhost:" + portOf(addr) + path}
		if path == "/digest" {
			args = append(args, "--post-file", filepath.Join(shared, "large"))
		}
		if got := client(t, "", "wget", args...); got.code != 0 {
			t.Fatalf("%s: exit %d: %.500s", path, got.code, got.out)
		}
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		checkBody(t, path, body)
	}
	return len(b.paths())
}

// trusted is a pool with the proxy's own authority.
func trusted(t *testing.T) *x509.CertPool {
	t.Helper()
	pem, err := os.ReadFile(authorityCA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return pool
}

// goClient makes one connection a request to addr, whatever the name. The configuration may be nil.
func goClient(t *testing.T, addr string, h2 bool, config *tls.Config) *http.Client {
	t.Helper()
	if config == nil {
		config = &tls.Config{}
	}
	config = config.Clone()
	if config.RootCAs == nil {
		config.RootCAs = trusted(t)
	}
	var protocols http.Protocols
	protocols.SetHTTP1(!h2)
	protocols.SetHTTP2(h2)
	transport := &http.Transport{
		TLSClientConfig: config, Protocols: &protocols, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func askGo(h2 bool) func(*testing.T, string, backend) int {
	return func(t *testing.T, addr string, b backend) int {
		for _, path := range b.paths() {
			c := goClient(t, addr, h2, nil)
			body, err := goAsk(c, path)
			if err != nil {
				t.Fatal(err)
			}
			checkBody(t, path, body)
			c.CloseIdleConnections()
		}
		return len(b.paths())
	}
}

func goAsk(c *http.Client, path string) ([]byte, error) {
	method, upload := http.MethodGet, io.Reader(nil)
	if path == "/digest" {
		method, upload = http.MethodPost, bytes.NewReader(large)
	}
	r, err := http.NewRequest(method, "https://"+site+path, upload)
	if err != nil {
		return nil, err
	}
	response, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, response.Status)
	}
	return body, err
}
