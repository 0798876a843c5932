package e2e

import (
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
)

// gtls is ngtcp2's client with the TLS of GnuTLS. Where it is given an address, it asks for localhost.
func gtls(t *testing.T, addr string, more ...string) ran {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-q", "--exit-on-all-streams-close", "--timeout=60s", "--handshake-timeout=60s"}, more...)
	return client(t, "", "gtlsclient", append(args, host, port, "https://"+site+":"+port+"/")...)
}

// TestHTTP3WithRealPeers has ngtcp2 ask nginx, Caddy over HTTP/3, and a server in Go through the program.
func TestHTTP3WithRealPeers(t *testing.T) {
	t.Parallel()
	need(t, "gtlsclient", "nginx", "caddy")
	cert, key, ca := files(t)
	for _, test := range []struct {
		name, addr, to, asked string
	}{
		{"nginx", nginxServer(t, cert, key, ""), "auto", "HTTP/1.1"},
		{"nginx in HTTP/1.1", nginxServer(t, cert, key, ""), "h1", "HTTP/1.1"},
		{"Caddy in HTTP/3", caddyServer(t, cert, key), "h3", "HTTP/3.0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := startProxy(t, backend{addr: test.addr, ca: ca}.args("--mode", "http", "--quic", "--alt-svc", "--backend-protocol", test.to)...)
			got := gtls(t, p.Addr, "--no-quic-dump", "--no-http-dump", "-s")
			if got.code != 0 {
				t.Fatalf("exit %d: %s", got.code, got.out)
			}
			r := p.nextFor(t)
			expect(t, r, want{verdict: inspect.OK, outcome: inspect.Success})
			if r.Transport != inspect.TransportQUIC || r.HTTP == nil || r.HTTP.Protocol != "HTTP/3.0" || r.HTTP.BackendProtocol != test.asked || r.HTTP.Requests != 1 || r.HTTP.Statuses[0].Code != 200 {
				t.Errorf("%s: %+v", r.Transport, r.HTTP)
			}
			leg := r.ClientLeg
			if leg.QUIC == nil || leg.QUIC.Version != "v1" || leg.TLS.Client.ServerName != "localhost" || !strings.HasPrefix(leg.TLS.Client.JA4, "q13d") {
				t.Errorf("leg %+v, hello %+v", leg, leg.TLS.Client)
			}
			if test.to == "h3" && (r.BackendLeg.QUIC == nil || r.BackendLeg.TLS.NextProtocol != "h3") {
				t.Errorf("backend leg %+v", r.BackendLeg)
			}
			// The same answers over TCP tell of the way over QUIC.
			out := curlMode(t, p, "--http2", "-sS", "-D", "-", "https://"+site+"/")
			_, port, _ := net.SplitHostPort(p.Addr)
			if want := fmt.Sprintf(`alt-svc: h3=":%s"; ma=86400`, port); !strings.Contains(out.out, want) {
				t.Errorf("no %s in %s", want, out.out)
			}
			p.nextFor(t)
		})
	}
}

// TestHTTP3ClientsThatFail has ngtcp2's client do what clients do wrong.
func TestHTTP3ClientsThatFail(t *testing.T) {
	t.Parallel()
	need(t, "gtlsclient")
	b := healthyGo(t)
	p := startProxy(t, b.args("--mode", "http", "--quic", "--policy", strict, "--enforce", "--timeout-client-hello", "8s")...)
	for _, test := range []struct {
		name string
		args []string
		want want
	}{
		{"no version in common", []string{"--version=0xff00001d", "--handshake-timeout=3s"}, want{cause: "quic-version-negotiation", fault: inspect.FaultClient, verdict: inspect.Failed, outcome: inspect.Failure}},
		{"the policy has none of its groups", []string{"--groups=-GROUP-ALL:+GROUP-X448"}, want{cause: "policy-rejects-group", fault: inspect.FaultPolicy, verdict: inspect.Failed, outcome: inspect.Failure, has: "policy-rejects-group"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := gtls(t, p.Addr, test.args...)
			r := p.nextFor(t)
			if r.Transport != inspect.TransportQUIC {
				t.Errorf("a record over %s; the client said %s", r.Transport, got.out)
			}
			expect(t, r, test.want)
		})
	}
}

// TestQUICPassesThroughToRealPeers has ngtcp2 speak to Caddy, and the program hear of it only what is in the clear.
func TestQUICPassesThroughToRealPeers(t *testing.T) {
	t.Parallel()
	need(t, "gtlsclient", "caddy")
	cert, key, ca := files(t)
	p := startProxy(t, backend{addr: caddyServer(t, cert, key), ca: ca}.args("--mode", "passthrough", "--quic", "--timeout-idle", "8s")...)
	if got := gtls(t, p.Addr, "-s"); got.code != 0 {
		t.Fatalf("exit %d: %s", got.code, got.out)
	}
	r := p.nextFor(t)
	expect(t, r, want{verdict: inspect.OK, outcome: inspect.Success})
	if !r.ClientLeg.Passthrough || r.ClientLeg.TLS.Version != "TLSv1.3" || r.ClientLeg.TLS.Client.ServerName != "localhost" {
		t.Errorf("leg %+v", r.ClientLeg)
	}
}

// TestChromiumOverHTTP3 has a browser load a page over HTTP/3, which fetches more over the same connection. Its hello has a
// post-quantum key share and comes scattered over two datagrams.
func TestChromiumOverHTTP3(t *testing.T) {
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
	p := startProxy(t, backend{addr: addr, ca: ca}.args("--mode", "http", "--quic", "--cert", cert, "--key", key)...)
	_, port, err := net.SplitHostPort(p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	got := client(t, "", "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run",
		"--user-data-dir="+t.TempDir(), "--ignore-certificate-errors-spki-list="+keyHash(t, cert), "--host-resolver-rules=MAP * 127.0.0.1",
		"--enable-quic", "--origin-to-force-quic-on="+site+":"+port,
		"--virtual-time-budget=10000", "--dump-dom", "https://"+site+":"+port+"/index.html")
	if want := "hello from the backend | 200+200+200+200+200 | h3"; !strings.Contains(got.out, want) {
		t.Fatalf("exit %d: %.3000s", got.code, got.out)
	}
	requests := 0
	p.rest(func(r *record) {
		if r.Transport != inspect.TransportQUIC || r.HTTP == nil { // also of connections that the browser opened and did not use
			return
		}
		requests += r.HTTP.Requests
		hello := r.ClientLeg.TLS.Client
		if q := r.ClientLeg.QUIC; q.CryptoFrames < 3 || q.Datagrams < 2 || hello.Message.Segments < 2 || !strings.Contains(strings.Join(hello.KeyShareGroups, " "), "MLKEM768") {
			t.Errorf("quic %+v, hello %+v", q, hello)
		}
		if !regexp.MustCompile(`^q13d\d{4}h3_`).MatchString(hello.JA4) {
			t.Errorf("JA4 %s", hello.JA4)
		}
	})
	if requests < 7 {
		t.Errorf("%d requests", requests)
	}
}
