package e2e

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// TestHTTPModeBetweenRealClientsAndBackends has all healthy clients ask all healthy backends: each speaks what it likes, and large bodies
// arrive as they were sent.
func TestHTTPModeBetweenRealClientsAndBackends(t *testing.T) {
	backends := append(healthyBackends(), healthyBackend{"caddy", func(t *testing.T) backend {
		cert, key, ca := files(t)
		return backend{addr: caddyServer(t, cert, key), ca: ca, h2: true, post: true}
	}})
	for _, x := range backends {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			b := x.start(t)
			p := startProxy(t, b.args("--mode", "http", "--backend-verify", "enforce")...)
			for _, c := range healthyClients() {
				if strings.HasPrefix(c.name, "java") && x.name != "go" && x.name != "java" {
					continue // it takes seconds to start, and asks all of them alike
				}
				to := b
				if c.name == "node h2" && !b.h2 {
					to.post = false // it does not say how long its body is, and these servers know no chunks
				}
				t.Run(c.name, func(t *testing.T) {
					n := c.ask(t, p.Addr, to)
					asked := 0
					for range n {
						r := p.nextFor(t)
						expect(t, r, fine)
						if r.HTTP == nil || len(r.HTTP.Failures) > 0 {
							t.Errorf("%+v", r.HTTP)
							continue
						}
						asked += r.HTTP.Requests
					}
					if asked < n {
						t.Errorf("%d requests in the records, want %d at least", asked, n)
					}
				})
			}
		})
	}
}

// caddyServer is Caddy in front of what all HTTP backends do, in plain HTTP.
func caddyServer(t *testing.T, cert, key string) string {
	t.Helper()
	addr, port := freePort(t)
	config := fmt.Sprintf("{\n admin off\n auto_https off\n default_sni %s\n}\n:%s {\n bind 127.0.0.1\n tls %s %s\n reverse_proxy %s\n}\n", site, port, cert, key, plainBackend(t))
	dir := t.TempDir()
	need(t, "caddy")
	server(t, dir, addr, "env", "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir, "caddy", "run", "--adapter", "caddyfile", "--config", writeFile(t, "Caddyfile", config))
	return addr
}

// systemPython is the interpreter that Debian's packages of Python are for.
func systemPython(t *testing.T, module string) string {
	t.Helper()
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(python, "-c", "import "+module).Run() == nil {
			return python
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("no python3 with the module %s", module)
	}
	t.Skipf("no python3 with the module %s", module)
	return ""
}

// TestGRPCThroughHTTPMode has grpc's C core (by Python) and grpc-go (by grpcurl) call a server: single calls, streams in each direction, statuses and
// trailers.
func TestGRPCThroughHTTPMode(t *testing.T) {
	t.Parallel()
	python := systemPython(t, "grpc")
	cert, key, ca := files(t)
	addr, port := freePort(t)
	server(t, t.TempDir(), addr, python, testdata("grpc_echo.py"), "server", port, cert, key)
	p := startProxy(t, backend{addr: addr, ca: ca}.args("--mode", "http")...)
	got := client(t, "", python, testdata("grpc_echo.py"), "client", p.Addr, authorityCA, site)
	if got.code != 0 || !strings.Contains(got.out, "all of gRPC went through") {
		t.Fatalf("exit %d: %s", got.code, got.out)
	}
	r := p.nextFor(t)
	expect(t, r, want{verdict: inspect.OK, outcome: inspect.Success})
	if r.HTTP.Requests != 5 || r.HTTP.BackendProtocol != "HTTP/2.0" || r.HTTP.BackendConnections != 1 || len(r.HTTP.Failures) > 0 {
		t.Errorf("%+v", r.HTTP)
	}

	grpcurl := tool(t, "grpcurl")
	args := []string{"-cacert", authorityCA, "-authority", site, "-import-path", filepath.Dir(testdata("echo.proto")), "-proto", "echo.proto", "-max-time", "60"}
	call := func(data, method string) ran {
		return client(t, "", grpcurl, append(append(args, "-d", data), p.Addr, method)...)
	}
	if got := call(`{"text":"one"}`, "echo.Echo/Unary"); got.code != 0 || !strings.Contains(got.out, `"one"`) {
		t.Errorf("exit %d: %s", got.code, got.out)
	}
	if got := call(`{"text":"one"}{"text":"two"}{"text":"three"}`, "echo.Echo/Chat"); got.code != 0 || !strings.Contains(got.out, `"three"`) {
		t.Errorf("exit %d: %s", got.code, got.out)
	}
	if got := call(`{}`, "echo.Echo/Refused"); got.code == 0 || !strings.Contains(got.out, "FailedPrecondition") {
		t.Errorf("exit %d: %s", got.code, got.out)
	}
	for range 3 {
		expect(t, p.nextFor(t), want{verdict: inspect.OK, outcome: inspect.Success})
	}
}

// tool is a program that make builds into .tools, or one on the path.
func tool(t *testing.T, name string) string {
	t.Helper()
	if path, err := filepath.Abs("../../../.tools/" + name); err == nil {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	need(t, name)
	return name
}

// TestWebSocketsThroughHTTPMode has Python's websockets talk to a server of its own.
func TestWebSocketsThroughHTTPMode(t *testing.T) {
	t.Parallel()
	python := systemPython(t, "websockets")
	cert, key, ca := files(t)
	addr, port := freePort(t)
	server(t, t.TempDir(), addr, python, testdata("websocket_echo.py"), "server", port, cert, key)
	p := startProxy(t, backend{addr: addr, ca: ca}.args("--mode", "http")...)
	got := client(t, "", python, testdata("websocket_echo.py"), "client", portOf(p.Addr), authorityCA, site)
	if got.code != 0 || !strings.Contains(got.out, "all of WebSocket went through") {
		t.Fatalf("exit %d: %s", got.code, got.out)
	}
	r := p.nextFor(t)
	expect(t, r, want{verdict: inspect.OK, outcome: inspect.Success})
	if r.HTTP.Requests != 1 || len(r.HTTP.Statuses) != 1 || r.HTTP.Statuses[0].Code != http.StatusSwitchingProtocols {
		t.Errorf("%+v", r.HTTP)
	}
}

// TestChromiumThroughHTTPMode has a browser load a page over HTTP/2, which fetches more over the same connection.
func TestChromiumThroughHTTPMode(t *testing.T) {
	t.Parallel()
	need(t, "chromium")
	cert, key, ca := files(t)
	page := `<!doctype html><title>page</title><p id=said></p><script>
fetch('/hello').then(r => r.text()).then(async text => {
  const all = await Promise.all([1, 2, 3, 4, 5].map(i => fetch('/hello?' + i).then(r => r.status)));
  document.getElementById('said').textContent = [text.trim(), all.join('+'), performance.getEntriesByType('navigation')[0].nextHopProtocol].join(' | ');
});</script>`
	addr := nginx(t, fmt.Sprintf(`server { listen %%[1]s ssl http2; ssl_certificate %s; ssl_certificate_key %s;
  location = /hello { return 200 "hello from the backend\n"; } location / { default_type text/html; root %s; } }`, cert, key, filepath.Dir(writeFile(t, "index.html", page))))
	admin, _ := freePort(t)
	p := startProxy(t, backend{addr: addr, ca: ca}.args("--mode", "http", "--cert", cert, "--key", key, "--admin", admin)...)
	_, port, err := net.SplitHostPort(p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	got := client(t, "", "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run",
		"--user-data-dir="+t.TempDir(), "--ignore-certificate-errors-spki-list="+keyHash(t, cert), "--host-resolver-rules=MAP * 127.0.0.1",
		"--virtual-time-budget=10000", "--dump-dom", "https://"+site+":"+port+"/index.html")
	if want := "hello from the backend | 200+200+200+200+200 | h2"; !strings.Contains(got.out, want) {
		t.Fatalf("exit %d: %.3000s", got.code, got.out)
	}
	p.left(admin)
	requests := 0
	p.rest(func(r *record) { // also of connections that the browser opened and did not use
		if r.HTTP != nil {
			requests += r.HTTP.Requests
			if len(r.HTTP.Failures) > 0 {
				t.Errorf("%+v", r.HTTP)
			}
		}
	})
	if requests < 7 {
		t.Errorf("%d requests", requests)
	}
}

// keyHash is the SHA-256 of a certificate's public key, as Chromium wants it.
func keyHash(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

var h2specPassed = regexp.MustCompile(`(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed`)

// TestHTTP2ConformanceThroughHTTPMode runs h2spec against a backend in Go and against the proxy in front of it.
func TestHTTP2ConformanceThroughHTTPMode(t *testing.T) {
	t.Parallel()
	h2spec := tool(t, "h2spec")
	pki := certstest.New(t)
	addr := goBackend(t, healthyChain(pki), nil)
	p := startProxy(t, backend{addr: addr, ca: pki.WriteRoot(t)}.args("--mode", "http", "--backend-sni", site)...)
	passes := func(addr string) (int, string) {
		got := clientWithin(t, 3*time.Minute, "", h2spec, "-t", "-k", "-h", "127.0.0.1", "-p", portOf(addr), "-P", "/", "-o", "5")
		m := h2specPassed.FindStringSubmatch(got.out)
		if m == nil {
			t.Fatalf("exit %d: %.2000s", got.code, got.out)
		}
		n, _ := strconv.Atoi(m[2])
		return n, got.out
	}
	direct, _ := passes(addr)
	through, said := passes(p.Addr)
	for range 2 { // it waits for frames, for so long; what fails for want of time does not do so each time
		if through < direct {
			through, said = passes(p.Addr)
		}
	}
	p.rest(func(*record) {})
	t.Logf("%d pass against the backend, %d through the proxy", direct, through)
	if direct < 130 || through < direct {
		t.Errorf("%d pass against the backend, %d through the proxy:\n%.8000s", direct, through, said[strings.LastIndex(said, "Failures:")+1:])
	}
}

// TestLoadersThroughHTTPMode has h2load and wrk ask a lot: every request is answered with 200.
func TestLoadersThroughHTTPMode(t *testing.T) {
	t.Parallel()
	need(t, "h2load", "wrk")
	pki := certstest.New(t)
	addr := goBackend(t, healthyChain(pki), nil)
	admin, _ := freePort(t)
	p := startProxy(t, backend{addr: addr, ca: pki.WriteRoot(t)}.args("--mode", "http", "--backend-sni", site, "--access-log", filepath.Join(t.TempDir(), "access.log"), "--admin", admin)...)
	got := client(t, "", "h2load", "-t1", "-c8", "-m16", "-n4000", "-H", ":authority: "+site, "https://"+p.Addr+"/hello")
	if got.code != 0 || !strings.Contains(got.out, "4000 succeeded, 0 failed, 0 errored, 0 timeout") {
		t.Errorf("exit %d: %.2000s", got.code, got.out)
	}
	got = client(t, "", "wrk", "-t1", "-c8", "-d1", "--timeout", "60s", "-H", "Host: "+site, "https://"+p.Addr+"/hello")
	if got.code != 0 || !strings.Contains(got.out, "requests in") || strings.Contains(got.out, "Non-2xx") || strings.Contains(got.out, "Socket errors") {
		t.Errorf("exit %d: %.2000s", got.code, got.out)
	}
	p.left(admin) // wrk goes without its last answers: what it asked for them would be told of the end
	p.rest(func(r *record) {
		if r.HTTP != nil && len(r.HTTP.Failures) > 0 {
			t.Errorf("%+v", r.HTTP)
		}
	})
}

// TestLargeBodiesThroughHTTPMode sends a gigabyte in each direction: the program's memory does not follow.
func TestLargeBodiesThroughHTTPMode(t *testing.T) {
	if testing.Short() {
		t.Skip("a gigabyte in each direction takes its time")
	}
	t.Parallel()
	const size = 1 << 30
	pki := certstest.New(t)
	addr := goServer(t, healthyChain(pki), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		buffer := make([]byte, 64<<10)
		if r.Method == http.MethodPut {
			n := 0
			for {
				m, err := r.Body.Read(buffer)
				n += m
				if err != nil {
					break
				}
			}
			fmt.Fprint(w, n)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(size))
		for range size / len(buffer) {
			if _, err := w.Write(buffer); err != nil {
				return
			}
		}
	}))
	p := startProxy(t, backend{addr: addr, ca: pki.WriteRoot(t)}.args("--mode", "http", "--backend-verify", "enforce")...)
	for _, version := range []string{"--http2", "--http1.1"} {
		got := curlModeWithin(t, 5*time.Minute, p, version, "-sS", "-o", os.DevNull, "-w", "%{http_code} %{size_download}", "https://"+site+"/")
		if !strings.Contains(got.out, fmt.Sprintf("200 %d", size)) {
			t.Errorf("%s: exit %d: %.500s", version, got.code, got.out)
		}
	}
	file := filepath.Join(t.TempDir(), "sparse")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, size); err != nil {
		t.Fatal(err)
	}
	got := curlModeWithin(t, 5*time.Minute, p, "--http2", "-sS", "-T", file, "https://"+site+"/")
	if !strings.Contains(got.out, strconv.Itoa(size)) {
		t.Errorf("exit %d: %.500s", got.code, got.out)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Skip("no /proc here: ", err)
	}
	p.rest(func(*record) {})
	_, high, _ := strings.Cut(string(status), "VmHWM:")
	high, _, _ = strings.Cut(strings.TrimSpace(high), " ")
	if kib, err := strconv.Atoi(high); err != nil || kib > 200<<10 {
		t.Errorf("the program took %s KiB at its most: %v", high, err)
	}
}

// goServer serves HTTP with net/http in the process of the tests.
func goServer(t *testing.T, chain *certstest.Chain, handler http.Handler) string {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{Certificates: []tls.Certificate{*chain.TLS()}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// TestAccessLogOfRealRequests has lines for the requests of curl that are joined to their records.
func TestAccessLogOfRealRequests(t *testing.T) {
	t.Parallel()
	cert, key, ca := files(t)
	file := filepath.Join(t.TempDir(), "access.log")
	p := startProxy(t, backend{addr: nginxServer(t, cert, key, ""), ca: ca}.args("--mode", "http", "--access-log", file)...)
	curlMode(t, p, "--http2", "-sS", "-H", "Cookie: canary=secret", "-H", "Authorization: Bearer canary", "https://"+site+"/hello?token=canary")
	r := p.nextFor(t)
	p.stop()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(`"event_id":"`+r.Event.ID+`"`)) || !bytes.Contains(text, []byte(`"path":"/hello"`)) || bytes.Contains(text, []byte("canary")) {
		t.Errorf("%s", text)
	}
}
