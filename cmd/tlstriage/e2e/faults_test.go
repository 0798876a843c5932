package e2e

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// broken is a backend leg that failed.
func broken(cause string, fault inspect.Fault) want {
	return want{cause: cause, fault: fault, verdict: inspect.Failed, outcome: inspect.Failure}
}

// ask502 asks through the proxy with HTTP/1.1 and with HTTP/2 and wants a page that names the record.
func ask502(t *testing.T, p *proxy, w want) {
	t.Helper()
	for _, h2 := range []bool{false, true} {
		c := goClient(t, p.Addr, h2, nil)
		response, err := c.Get("https://" + site + "/hello")
		if err != nil {
			t.Fatalf("h2 %v: %v", h2, err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		c.CloseIdleConnections()
		r := p.nextFor(t)
		expect(t, r, w)
		if id := response.Header.Get("X-Tlstriage-Record"); response.StatusCode != http.StatusBadGateway || id != r.Event.ID || !strings.Contains(string(body), id) {
			t.Errorf("h2 %v: %s with record %q, want 502 with %q", h2, response.Status, id, r.Event.ID)
		}
		if want := map[bool]int{false: 1, true: 2}[h2]; response.ProtoMajor != want {
			t.Errorf("answered in %s", response.Proto)
		}
		for _, f := range r.Findings {
			if strings.Contains(string(body), f.ID) {
				t.Errorf("the client is told the diagnosis: %s", body)
			}
		}
	}
}

func TestBackendCertificateFaults(t *testing.T) {
	t.Parallel()
	cases := []struct {
		kind    certstest.Kind
		cause   string
		warning bool // reported, and no reason to refuse
	}{
		{certstest.Expired, "cert-expired", false},
		{certstest.NotYetValid, "cert-not-yet-valid", false},
		{certstest.ExpiringSoon, "cert-expiring-soon", true},
		{certstest.WrongName, "cert-name-mismatch", false},
		{certstest.CommonNameOnly, "cert-name-mismatch", false},
		{certstest.SelfSigned, "cert-self-signed", false},
		{certstest.MissingIntermediate, "chain-missing-intermediate", false},
		{certstest.MissingUpper, "chain-missing-intermediate", false},
		{certstest.WrongOrder, "chain-wrong-order", true},
		{certstest.Unrelated, "chain-unrelated-certificate", true},
		{certstest.UntrustedRoot, "chain-untrusted-root", false},
		{certstest.UntrustedRootSent, "chain-untrusted-root", false},
		{certstest.ExpiredIntermediate, "chain-intermediate-expired", false},
		{certstest.WeakKey, "cert-weak-key", false},
		{certstest.WeakSignature, "cert-weak-signature", false},
		{certstest.ClientOnly, "cert-wrong-usage", false},
		{certstest.NoSignatureKeyUsage, "cert-wrong-usage", false},
	}
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	for _, c := range cases {
		t.Run(string(c.kind), func(t *testing.T) {
			b := backend{addr: goBackend(t, pki.Make(c.kind, site), nil), ca: ca}
			reporting, enforcing := startProxy(t, b.args("--backend-verify", "report")...), startProxy(t, b.args("--backend-verify", "enforce")...)
			reported := want{cause: c.cause, fault: inspect.FaultBackend, verdict: inspect.Failed, outcome: inspect.Success}
			if c.warning {
				reported.verdict = inspect.Warning
			}
			for _, h2 := range []bool{false, true} {
				client := goClient(t, reporting.Addr, h2, nil)
				body, err := goAsk(client, "/hello")
				client.CloseIdleConnections()
				if err != nil || string(body) != greeting {
					t.Errorf("reporting, h2 %v: %v: %q", h2, err, body)
				}
				expect(t, reporting.nextFor(t), reported)
			}
			if c.warning {
				body, err := goAsk(goClient(t, enforcing.Addr, false, nil), "/hello")
				if err != nil || string(body) != greeting {
					t.Errorf("enforcing: %v: %q", err, body)
				}
				expect(t, enforcing.nextFor(t), reported)
				return
			}
			ask502(t, enforcing, broken(c.cause, inspect.FaultBackend))
		})
	}
}

func TestBackendsThatDoNotAnswerInTLS(t *testing.T) {
	t.Parallel()
	ca := certstest.New(t).WriteRoot(t)
	closed, _ := freePort(t)
	cases := []struct {
		name string
		addr string
		want want
	}{
		{"plain HTTP", plainBackend(t), broken("backend-not-tls", inspect.FaultBackend)},
		{"closed port", closed, broken("backend-refused", inspect.FaultBackend)},
		{"reset after the hello", rawBackend(t, func(c net.Conn) { readHello(c); c.(*net.TCPConn).SetLinger(0) }), broken("backend-reset", inspect.FaultNetwork)},
		{"silence", rawBackend(t, func(c net.Conn) { io.Copy(io.Discard, c) }), broken("backend-timeout", inspect.FaultBackend)},
		{"closed after the hello", rawBackend(t, readHello), broken("backend-closed", inspect.FaultBackend)},
		{"garbage", rawBackend(t, func(c net.Conn) { readHello(c); io.WriteString(c, "\x01\x02garbage and no end\x00\xff") }), broken("backend-not-tls", inspect.FaultBackend)},
		{"SSH banner", rawBackend(t, func(c net.Conn) { io.WriteString(c, "SSH-2.0-OpenSSH_9.2p1\r\n"); readHello(c) }), broken("backend-not-tls", inspect.FaultBackend)},
		{"handshake_failure", rawBackend(t, func(c net.Conn) { readHello(c); c.Write([]byte{21, 3, 3, 0, 2, 2, 40}) }), broken("backend-cipher-no-overlap", inspect.FaultBackend)},
		{"internal_error", rawBackend(t, func(c net.Conn) { readHello(c); c.Write([]byte{21, 3, 3, 0, 2, 2, 80}) }), broken("backend-alert", inspect.FaultBackend)},
		{"half a ServerHello", rawBackend(t, func(c net.Conn) { readHello(c); c.Write([]byte{22, 3, 3, 0, 90, 2, 0, 0, 86, 3, 3}) }), broken("backend-closed", inspect.FaultBackend)},
		{"a name that nobody has", "nobody.invalid:443", broken("backend-unresolvable", inspect.FaultProxy)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			args := []string{"--backend", "tls://" + c.addr, "--backend-ca", ca}
			if c.name == "silence" {
				args = append(args, "--timeout-backend-handshake", "500ms")
			}
			p := startProxy(t, args...)
			ask502(t, p, c.want)
		})
	}
}

func TestPlainBackend(t *testing.T) {
	t.Parallel()
	p := startProxy(t, "--backend", "tcp://"+plainBackend(t))
	for _, run := range []func(*testing.T, string) ran{curl("--http1.1"), curl("--http2"), sClient("-tls1_2"), sClient("-tls1_3")} {
		got := run(t, p.Addr)
		if !strings.Contains(got.out, greeting) {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
		r := p.next()
		expect(t, r, fine)
		if r.BackendLeg == nil || !r.BackendLeg.Plain || r.BackendLeg.TLS != nil {
			t.Errorf("the backend leg: %+v", r.BackendLeg)
		}
	}
}

func TestNonHTTPClientsOfABrokenBackendAreClosed(t *testing.T) {
	t.Parallel()
	closed, _ := freePort(t)
	p := startProxy(t, "--backend", "tls://"+closed)
	start := time.Now()
	got := sClient("-alpn", "mqtt", "-tls1_3")(t, p.Addr)
	if strings.Contains(got.out, "HTTP/") || time.Since(start) > patience/2 {
		t.Errorf("exit %d after %v: %s", got.code, time.Since(start), got.out)
	}
	expect(t, p.next(), broken("backend-refused", inspect.FaultBackend))
}

// patientConn holds back what the peer sends after its first flight until much has come: the request with it.
type patientConn struct {
	net.Conn
	flown bool
	held  bytes.Buffer
}

const muchForPatientConn = 4096

func (p *patientConn) Write(b []byte) (int, error) {
	p.flown = true
	return p.Conn.Write(b)
}

func (p *patientConn) Read(b []byte) (int, error) {
	if p.flown && p.held.Len() == 0 {
		if _, err := io.CopyN(&p.held, p.Conn, muchForPatientConn); err != nil {
			return 0, err
		}
	}
	if p.held.Len() > 0 {
		return p.held.Read(b)
	}
	return p.Conn.Read(b)
}

// A TLS 1.3 backend may refuse the client certificate that it did not get long after the proxy began to serve the client.
func TestLateRefusalOfTheBackendIsStillTold(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	for _, protocols := range [][]string{{"http/1.1"}, nil} {
		t.Run("ALPN "+strings.Join(protocols, " "), func(t *testing.T) {
			config := &tls.Config{Certificates: []tls.Certificate{*healthyChain(pki).TLS()}, ClientAuth: tls.RequireAnyClientCert, NextProtos: protocols}
			addr := rawBackend(t, func(c net.Conn) {
				tls.Server(&patientConn{Conn: c}, config).Handshake()
				c.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, c) // unread bytes would turn the end into a reset
			})
			p := startProxy(t, "--backend", "tls://"+addr, "--backend-ca", pki.WriteRoot(t))
			conn := tls.Client(dial(t, p.Addr), &tls.Config{ServerName: site, RootCAs: trusted(t), NextProtos: []string{"http/1.1"}})
			if err := conn.Handshake(); err != nil {
				t.Fatal(err)
			}
			io.WriteString(conn, "GET /hello HTTP/1.1\r\nHost: "+site+"\r\nX: "+strings.Repeat("x", muchForPatientConn)+"\r\n\r\n")
			answer, _ := io.ReadAll(conn)
			conn.Close()
			r := p.nextFor(t)
			expect(t, r, broken("backend-requires-client-cert", inspect.FaultProxy))
			if !strings.HasPrefix(string(answer), "HTTP/1.1 502 ") || !strings.Contains(string(answer), r.Event.ID) {
				t.Errorf("the client got %q", answer)
			}
		})
	}
}

// The exit code tells what was found; a clean end is one at SIGTERM.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	b := healthyGo(t)
	for _, c := range []struct {
		name string
		args []string
		ask  bool // a client that the policy would refuse
		code int
	}{
		{"nothing happened", nil, false, 0},
		{"an error was found", nil, true, 1},
		{"an error was found that is no failure", []string{"--fail-on", "never"}, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := startProxy(t, b.args(append(c.args, "--policy", "aws/ELBSecurityPolicy-TLS13-1-3-2021-06")...)...)
			if c.ask {
				client := goClient(t, p.Addr, false, &tls.Config{MaxVersion: tls.VersionTLS12})
				if _, err := goAsk(client, "/hello"); err != nil {
					t.Fatal(err)
				}
				expect(t, p.nextFor(t), want{cause: "policy-rejects-version", fault: inspect.FaultPolicy, verdict: inspect.Failed, outcome: inspect.Success, policy: "version"})
			}
			p.stop()
			if code := p.cmd.ProcessState.ExitCode(); code != c.code {
				t.Errorf("exit %d, want %d", code, c.code)
			}
		})
	}
}

// A certificate fault of the backend is on standard error before the first client comes.
func TestBackendIsCheckedAtTheStart(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	p := startProxy(t, "--backend", "tls://"+goBackend(t, pki.Make(certstest.Expired, site), nil), "--backend-ca", pki.WriteRoot(t), "--backend-sni", site)
	deadline := time.Now().Add(patience)
	for !strings.Contains(p.stderr.String(), "cert-expired") {
		if time.Now().After(deadline) {
			t.Fatalf("not said: %s", p.stderr)
		}
		select {
		case <-p.exited:
			t.Fatalf("ended: %s", p.stderr)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
