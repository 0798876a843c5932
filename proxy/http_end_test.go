package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// Who ended a connection, and how, is in the record of mode http as it is in that of bridge mode.
func TestHTTPModeTellsWhoEnded(t *testing.T) {
	pki := certstest.New(t)
	reset := func(c *tls.Conn) {
		c.NetConn().(*net.TCPConn).SetLinger(0)
		c.NetConn().Close()
	}
	ok := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for _, tt := range []struct {
		name            string
		request, answer string
		backend, client func(*tls.Conn)
		want            inspect.End
		clientEnd       inspect.PeerEnd
		backendEnd      inspect.PeerEnd
	}{
		{name: "close_notify of the client", answer: ok, client: func(c *tls.Conn) { c.Close() }, want: inspect.EndedByClient, clientEnd: inspect.PeerCloseNotify},
		{name: "FIN of the client", answer: ok, client: cutTCP, want: inspect.EndedByClient, clientEnd: inspect.PeerTruncated},
		{name: "reset of the client", answer: ok, client: reset, want: inspect.EndedByClient, clientEnd: inspect.PeerReset},
		{name: "the client wants no more", request: "Connection: close\r\n", answer: ok, client: drain, want: inspect.EndedByClient},
		{name: "idle", answer: ok, client: drain, want: inspect.EndedIdle},
		{name: "no request", request: "Content-Length: x\r\n", client: drain, want: inspect.EndedByProxy},
		{name: "the backend resets", backend: reset, client: drain, want: inspect.EndedByBackend, backendEnd: inspect.PeerReset},
		{name: "the backend cuts", answer: "HTTP/1.1 200 OK\r\n\r\nabc", backend: cutTCP, client: drain, want: inspect.EndedByBackend, backendEnd: inspect.PeerTruncated},
		{name: "the backend closes in the middle", answer: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", backend: func(c *tls.Conn) { c.Close() }, client: drain, want: inspect.EndedByBackend, backendEnd: inspect.PeerCloseNotify},
		{name: "the backend ends a tunnel", request: "Connection: Upgrade\r\nUpgrade: x\r\n", answer: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", backend: func(c *tls.Conn) { c.Close() }, client: drain, want: inspect.EndedByBackend, backendEnd: inspect.PeerCloseNotify},
		{name: "a tunnel is idle", request: "Connection: Upgrade\r\nUpgrade: x\r\n", answer: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", client: drain, want: inspect.EndedIdle},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			end := tt.backend
			if end == nil {
				end = func(*tls.Conn) {}
			}
			limits := shortLimits()
			if tt.want == inspect.EndedIdle {
				limits.Timeouts.Idle = 3 * time.Second // it begins before the request
			}
			b := tlsBackend(t, pki, answers(tt.answer, end))
			r := newRig(t, pki, limits, &Listener{Name: "edge", Mode: HTTP, Routes: []*Route{{Name: "default", Backend: b, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}})
			conn := r.tls(protocols("http/1.1"))
			fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: %s\r\n%s\r\n", testName, tt.request)
			if tt.answer == ok && tt.request == "" {
				response, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, response.Body)
			}
			tt.client(conn)
			conn.Close()
			record := r.record()
			if got := record.Event.End; got != tt.want {
				t.Errorf("%q ended it, want %q", got, tt.want)
			}
			if got := record.ClientLeg.PeerEnd; got != tt.clientEnd && tt.clientEnd != "" {
				t.Errorf("the client's end is %q, want %q", got, tt.clientEnd)
			}
			if got := record.BackendLeg.PeerEnd; got != tt.backendEnd {
				t.Errorf("the backend's end is %q, want %q", got, tt.backendEnd)
			}
		})
	}
}

func drain(c *tls.Conn) { io.Copy(io.Discard, c) }

// Who was accepted before the drain began, and has its handshake done only then, is told so.
func TestHTTPModeAnswersLateHandshakesWhileDraining(t *testing.T) {
	pki := certstest.New(t)
	for _, h2 := range []bool{false, true} {
		r := inHTTPMode(t, pki, httpBackend(t, pki, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), false, true))
		early := r.tls(protocols("http/1.1")) // so that there are servers to be drained
		conn := dialTCP(t, r.address)
		r.eventually("both connections to be accepted", func() bool { return r.server.Active() == 2 })
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		ended := make(chan error, 1)
		go func() { ended <- r.server.Shutdown(ctx) }()
		r.eventually("the drain to begin", r.server.draining.Load)
		fmt.Fprintf(early, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", testName)
		if response, err := http.ReadResponse(bufio.NewReader(early), nil); err != nil || response.StatusCode != http.StatusServiceUnavailable || !response.Close {
			t.Errorf("who was there already: %v %v", response, err)
		}
		early.Close()
		transport := &http.Transport{DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			c := tls.Client(conn, r.clientConfig(protocols(map[bool]string{false: "http/1.1", true: "h2"}[h2])))
			return c, c.HandshakeContext(ctx)
		}, ForceAttemptHTTP2: h2}
		response, body := fetch(t, &http.Client{Transport: transport}, get(t, "https://"+testName+"/"))
		if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get(RecordIDHeader) == "" {
			t.Errorf("h2 %v: %s %q", h2, response.Status, body)
		}
		transport.CloseIdleConnections()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		cancel()
	}
}
