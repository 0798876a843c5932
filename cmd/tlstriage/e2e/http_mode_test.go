package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// TestHTTPModeWithRealPeers has curl ask nginx through the program in each pair of protocols.
func TestHTTPModeWithRealPeers(t *testing.T) {
	t.Parallel()
	cert, key, ca := files(t)
	for _, to := range []string{"auto", "h1", "h2"} {
		addr := nginxServer(t, cert, key, "")
		p := startProxy(t, backend{addr: addr, ca: ca}.args("--mode", "http", "--backend-protocol", to)...)
		for _, with := range []string{"--http1.1", "--http2"} {
			out := curlMode(t, p, with, "-sS", "-w", "%{http_version} %{http_code}", "https://"+site+"/")
			version := strings.TrimPrefix(strings.TrimPrefix(with, "--http"), "")
			if !strings.Contains(out.out, version+" 200") && !strings.Contains(out.out, version+".0 200") {
				t.Errorf("%s, backend %s: %s", with, to, out.out)
			}
			r := p.nextFor(t)
			expect(t, r, want{verdict: inspect.OK, outcome: inspect.Success})
			asked := map[string]string{"auto": "HTTP/1.1", "h1": "HTTP/1.1", "h2": "HTTP/2.0"}[to]
			if to == "auto" && with == "--http2" {
				asked = "HTTP/2.0"
			}
			if r.HTTP == nil || r.HTTP.Requests != 1 || r.HTTP.BackendProtocol != asked {
				t.Errorf("%s, backend %s: %+v", with, to, r.HTTP)
			}
		}
	}
}

// TestHTTPModeNamesWhatABackendDoes has a backend end TLS well and HTTP badly.
func TestHTTPModeNamesWhatABackendDoes(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	chain := pki.Make(certstest.Healthy, site).TLS()
	for _, test := range []struct {
		cause, status string
		do            func(*tls.Conn)
	}{
		{"http-backend-closed", "502", func(*tls.Conn) {}},
		{"http-bad-response", "502", func(c *tls.Conn) { c.Write([]byte("220 mail.example ESMTP\r\n")) }},
		{"http-backend-reset", "502", func(c *tls.Conn) {
			c.NetConn().(*net.TCPConn).SetLinger(0)
			c.NetConn().Close()
		}},
	} {
		addr := rawBackend(t, func(conn net.Conn) {
			c := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{*chain}, NextProtos: []string{"http/1.1"}})
			if c.Handshake() != nil {
				return
			}
			request := make([]byte, 4096)
			if _, err := c.Read(request); err == nil {
				test.do(c)
			}
			c.Close()
		})
		p := startProxy(t, backend{addr: addr, ca: ca}.args("--mode", "http")...)
		out := curlMode(t, p, "--http1.1", "-sS", "-X", "POST", "-w", "%{http_code}", "https://"+site+"/")
		r := p.nextFor(t)
		expect(t, r, want{cause: test.cause, fault: inspect.FaultBackend, verdict: inspect.Failed, outcome: inspect.Success})
		if !strings.Contains(out.out, test.status) || !strings.Contains(out.out, r.Event.ID) {
			t.Errorf("%s: %s", test.cause, out.out)
		}
	}
}

// curlMode asks the program as if it were the site.
func curlMode(t *testing.T, p *proxy, args ...string) ran {
	t.Helper()
	return curlModeWithin(t, time.Minute, p, args...)
}

func curlModeWithin(t *testing.T, limit time.Duration, p *proxy, args ...string) ran {
	t.Helper()
	_, port, err := net.SplitHostPort(p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range args {
		if strings.HasPrefix(a, "https://"+site) {
			args[i] = strings.Replace(a, site, site+":"+port, 1)
		}
	}
	return clientWithin(t, limit+patience, "", "curl", append([]string{"--cacert", authorityCA, "--resolve", site + ":" + port + ":127.0.0.1", "--max-time", fmt.Sprint(limit.Seconds())}, args...)...)
}
