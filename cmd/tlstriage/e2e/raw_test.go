package e2e

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// dial connects to a proxy.
func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// send writes bytes, says that no more will come, and returns what comes back.
func send(t *testing.T, addr string, data []byte) []byte {
	t.Helper()
	c := dial(t, addr)
	c.Write(data)
	c.CloseWrite()
	answer, _ := io.ReadAll(c)
	return answer
}

// hello is a ClientHello of crypto/tls with its record header.
func hello(t *testing.T) []byte {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	go tls.Client(here, &tls.Config{ServerName: site}).Handshake()
	header := make([]byte, 5)
	if _, err := io.ReadFull(there, header); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint16(header[3:]))
	if _, err := io.ReadFull(there, body); err != nil {
		t.Fatal(err)
	}
	return append(header, body...)
}

// recordedHello is one of the shared collection of real hellos.
func recordedHello(t *testing.T, id string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "facts", "clienthellos.json"))
	if err != nil {
		t.Skipf("no collection of recorded hellos: %v", err)
	}
	var list []struct {
		ID     string `json:"id"`
		Record string `json:"record_hex"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	for _, x := range list {
		if x.ID == id {
			raw, err := hex.DecodeString(x.Record)
			if err != nil {
				t.Fatal(err)
			}
			return raw
		}
	}
	t.Fatalf("no hello %q in the collection", id)
	return nil
}

// alert is the record of a fatal alert in the clear.
func alert(description byte) func([]byte) bool {
	return func(b []byte) bool { return len(b) == 7 && b[0] == 21 && b[5] == 2 && b[6] == description }
}

func nothing(b []byte) bool { return len(b) == 0 }

func TestWhatIsNoHandshake(t *testing.T) {
	t.Parallel()
	p := startProxy(t, healthyGo(t).args("--limit-hello-bytes", "8KiB")...)
	failed := func(cause string, fault inspect.Fault) want {
		return want{cause: cause, fault: fault, verdict: inspect.Failed, outcome: inspect.Failure}
	}
	good := hello(t)
	malformed := bytes.Clone(good)
	malformed[9+2+32] = 0xFF // a session id longer than the hello
	oversized := append([]byte{22, 3, 1, 0x40, 0, 1, 0, 0x3F, 0xFC}, make([]byte, 0x4000-4)...)
	cases := []struct {
		name   string
		data   []byte
		want   want
		answer func([]byte) bool
	}{
		{"plain HTTP", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), failed("not-tls-http", inspect.FaultClient), func(b []byte) bool { return bytes.HasPrefix(b, []byte("HTTP/1.1 400 ")) }},
		{"HTTP/2 in the clear", []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), failed("not-tls-http", inspect.FaultClient), nil},
		{"SSH", []byte("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), failed("not-tls-other", inspect.FaultNoise), nothing},
		{"garbage", []byte("\x00\xff\xfe\x07garbage\x00\x00"), failed("not-tls-other", inspect.FaultNoise), nothing},
		{"an unexpected PROXY header", []byte("PROXY TCP4 192.0.2.9 192.0.2.1 51234 443\r\n"), failed("not-tls-other", inspect.FaultProxy), nothing},
		{"hello cut short", good[:len(good)-20], failed("client-hello-incomplete", inspect.FaultClient), nil},
		{"hello cut in the record header", good[:3], failed("client-hello-incomplete", inspect.FaultClient), nil},
		{"malformed hello", malformed, failed("client-hello-malformed", inspect.FaultClient), alert(50)},
		{"oversized hello", oversized, failed("client-hello-malformed", inspect.FaultClient), alert(22)},
		{"connect and close", nil, want{cause: "connection-empty", fault: inspect.FaultNoise, verdict: inspect.Warning, outcome: inspect.Failure}, nothing},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			answer := send(t, p.Addr, c.data)
			expect(t, p.nextFor(t), c.want)
			if c.answer != nil && !c.answer(answer) {
				t.Errorf("the answer: %q", answer)
			}
		})
	}
	t.Run("SSLv2 hello", func(t *testing.T) {
		send(t, p.Addr, recordedHello(t, "openssl-0.9.8zf"))
		r := p.nextFor(t)
		expect(t, r, failed("sslv2-hello", inspect.FaultClient))
		if m := r.ClientLeg.TLS.Client.Message; m == nil || !m.SSLv2 {
			t.Errorf("not told as SSLv2: %s", r.line)
		}
	})
	t.Run("reset in the middle of the hello", func(t *testing.T) {
		c := dial(t, p.Addr)
		c.Write(good[:40])
		c.SetLinger(0)
		c.Close()
		r := p.nextFor(t)
		if r.Verdict != inspect.Failed || r.Cause != "client-aborted" && r.Cause != "client-hello-incomplete" || r.Fault != inspect.FaultNetwork && r.Fault != inspect.FaultClient {
			t.Errorf("%s", r)
		}
	})
	t.Run("a good client after all of that", func(t *testing.T) {
		if got := curl()(t, p.Addr); got.code != 0 {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
		expect(t, p.nextFor(t), fine)
	})
}

func TestSilenceHasATimeLimit(t *testing.T) {
	t.Parallel()
	p := startProxy(t, healthyGo(t).args("--timeout-client-hello", "300ms")...)
	for name, data := range map[string][]byte{"not a byte": nil, "half a hello": hello(t)[:200]} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			c := dial(t, p.Addr)
			c.Write(data)
			io.Copy(io.Discard, c) // the proxy ends it
			if took := time.Since(start); took < 250*time.Millisecond {
				t.Errorf("ended after %v", took)
			}
			r := p.nextFor(t)
			expect(t, r, want{cause: "client-timeout", fault: inspect.FaultNetwork, verdict: inspect.Failed, outcome: inspect.Failure})
			if r.Event.DurationMS < 250 {
				t.Errorf("duration %v ms", r.Event.DurationMS)
			}
		})
	}
}

// reshaped sends what its user writes in another form.
type reshaped struct {
	net.Conn
	shape func(net.Conn, []byte) error
}

func (r *reshaped) Write(b []byte) (int, error) {
	if shape := r.shape; shape != nil {
		r.shape = nil // the first flight alone
		return len(b), shape(r.Conn, b)
	}
	return r.Conn.Write(b)
}

// byteByByte writes single bytes, of which the first ones are read before the others come.
func byteByByte(c net.Conn, b []byte) error {
	for i := range b {
		if i < 8 && !allRead(c) {
			return os.ErrDeadlineExceeded
		}
		if _, err := c.Write(b[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}

// allRead waits until the program at the other end, on this machine, has read what was written. Only Linux tells.
func allRead(c net.Conn) bool {
	at := func(a net.Addr) string { // an address of the loopback as the kernel writes it
		return fmt.Sprintf("0100007F:%04X", a.(*net.TCPAddr).Port)
	}
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-again.C {
		table, err := os.ReadFile("/proc/net/tcp")
		if err != nil {
			return true
		}
		for line := range strings.Lines(string(table)) {
			if f := strings.Fields(line); len(f) > 4 && f[1] == at(c.RemoteAddr()) && f[2] == at(c.LocalAddr()) && strings.HasSuffix(f[4], ":00000000") {
				return true
			}
		}
	}
	return false
}

// inRecords writes a record's content in records of at most n bytes.
func inRecords(n int) func(net.Conn, []byte) error {
	return func(c net.Conn, b []byte) error {
		var out []byte
		for rest := b[5:]; len(rest) > 0; {
			piece := rest[:min(n, len(rest))]
			out = append(out, b[0], b[1], b[2], byte(len(piece)>>8), byte(len(piece)))
			out = append(out, piece...)
			rest = rest[len(piece):]
		}
		_, err := c.Write(out)
		return err
	}
}

func TestHellosInPiecesAreServed(t *testing.T) {
	t.Parallel()
	b := healthyGo(t)
	plain, routed := startProxy(t, b.args()...), startProxy(t, b.args("--server-names", site)...)
	cases := []struct {
		name  string
		shape func(net.Conn, []byte) error
		has   string
		check func(*inspect.HelloBytes) bool
	}{
		{"byte by byte", byteByByte, "", func(m *inspect.HelloBytes) bool { return m.Records == 1 && m.Segments > 1 }},
		{"records of 100 bytes", inRecords(100), "client-hello-fragmented", func(m *inspect.HelloBytes) bool { return m.Records == (m.Size+99)/100 }},
		{"records of 7 bytes", inRecords(7), "client-hello-fragmented", func(m *inspect.HelloBytes) bool { return m.Records == (m.Size+6)/7 }},
		{"records of one byte", inRecords(1), "client-hello-fragmented", func(m *inspect.HelloBytes) bool { return m.Records == m.Size }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, p := range []*proxy{plain, routed} {
				conn := tls.Client(&reshaped{dial(t, p.Addr), c.shape}, &tls.Config{ServerName: site, RootCAs: trusted(t)})
				io.WriteString(conn, request("/hello"))
				answer, err := io.ReadAll(conn)
				if err != nil || !strings.HasSuffix(string(answer), greeting) {
					t.Errorf("%v: %q", err, answer)
				}
				conn.Close()
				r := p.nextFor(t)
				expect(t, r, want{verdict: inspect.OK, outcome: inspect.Success, has: c.has})
				if r.ClientLeg.TLS.Client.ServerName != site || !c.check(r.ClientLeg.TLS.Client.Message) {
					t.Errorf("the hello: %+v", r.ClientLeg.TLS.Client.Message)
				}
			}
		})
	}
}

func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	p := startProxy(t, healthyGo(t).args("--proxy-protocol")...)
	v2 := append([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"), 192, 0, 2, 9, 192, 0, 2, 1, 0xC8, 0x22, 0x01, 0xBB)
	v6 := append([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x21\x00\x24"), append(append(net.ParseIP("2001:db8::9"), net.ParseIP("2001:db8::1")...), 0xC8, 0x22, 0x01, 0xBB)...)
	local := []byte("\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00")
	cases := []struct {
		name   string
		header []byte
		client string
	}{
		{"version 1", []byte("PROXY TCP4 192.0.2.9 192.0.2.1 51234 443\r\n"), "192.0.2.9"},
		{"version 1, IPv6", []byte("PROXY TCP6 2001:db8::9 2001:db8::1 51234 443\r\n"), "2001:db8::9"},
		{"version 2", v2, "192.0.2.9"},
		{"version 2, IPv6", v6, "2001:db8::9"},
		{"version 2, of the load balancer itself", local, "127.0.0.1"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			raw := dial(t, p.Addr)
			raw.Write(c.header)
			conn := tls.Client(raw, &tls.Config{ServerName: site, RootCAs: trusted(t)})
			io.WriteString(conn, request("/hello"))
			if answer, err := io.ReadAll(conn); err != nil || !strings.HasSuffix(string(answer), greeting) {
				t.Errorf("%v: %q", err, answer)
			}
			conn.Close()
			r := p.nextFor(t)
			expect(t, r, fine)
			if r.Client.Address != c.client || c.client != "127.0.0.1" && (r.Client.Port != 51234 || r.Server.Port != 443) {
				t.Errorf("client %v, server %v", r.Client, r.Server)
			}
		})
	}
	missing := want{cause: "proxy-protocol-missing", fault: inspect.FaultProxy, verdict: inspect.Failed, outcome: inspect.Failure}
	t.Run("missing before a hello", func(t *testing.T) {
		if got := curl()(t, p.Addr); got.code == 0 {
			t.Errorf("served: %s", got.out)
		}
		expect(t, p.nextFor(t), missing)
	})
	t.Run("garbled", func(t *testing.T) {
		send(t, p.Addr, []byte("PROXY TCP4 192.0.2.999 nowhere\r\n"))
		expect(t, p.nextFor(t), missing)
	})
}

// What the proxy sends is what the next proxy takes: the client's address survives both.
func TestProxyProtocolToTheBackend(t *testing.T) {
	t.Parallel()
	b := healthyGo(t)
	for _, version := range []string{"v1", "v2"} {
		t.Run(version, func(t *testing.T) {
			inner := startProxy(t, b.args("--proxy-protocol")...)
			outer := startProxy(t, "--backend", "tls://"+inner.Addr, "--backend-ca", authorityCA, "--backend-proxy-protocol", version)
			if body, err := goAsk(goClient(t, outer.Addr, false, nil), "/hello"); err != nil || string(body) != greeting {
				t.Errorf("%v: %q", err, body)
			}
			// The check of the backend before the first client is a connection as well.
			first, second := inner.nextFor(t), inner.nextFor(t)
			seen := outer.nextFor(t)
			expect(t, seen, fine)
			if first.Client != seen.Client && second.Client != seen.Client {
				t.Errorf("the inner proxy saw %v and %v, the outer %v", first.Client, second.Client, seen.Client)
			}
		})
	}
}

func TestRawPipelinedRequestBytesAreKept(t *testing.T) {
	t.Parallel()
	p := startProxy(t, healthyGo(t).args()...)
	conn := tls.Client(dial(t, p.Addr), &tls.Config{ServerName: site, RootCAs: trusted(t), NextProtos: []string{"http/1.1"}})
	defer conn.Close()
	one := "GET /hello HTTP/1.1\r\nHost: " + site + "\r\n\r\n"
	last := "GET /hello HTTP/1.1\r\nHost: " + site + "\r\nConnection: close\r\n\r\n"
	io.WriteString(conn, strings.Repeat(one, 9)+last)
	answer, err := io.ReadAll(conn)
	if n := strings.Count(string(answer), greeting); err != nil || n != 10 || strings.Count(string(answer), "HTTP/1.1 200 ") != 10 {
		t.Errorf("%d answers, %v", n, err)
	}
	conn.Close()
	expect(t, p.next(), fine)
}
