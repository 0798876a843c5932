package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
)

// streamingBackend sends an event for each that is asked for, echoes what is uploaded as it comes, and switches to an echo.
func streamingBackend(events <-chan int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		switch r.URL.Path {
		case "/events":
			w.Header().Set("Content-Type", "text/event-stream")
			control.Flush()
			for e := range events {
				fmt.Fprintf(w, "data: %d\n\n", e)
				control.Flush()
			}
		case "/chat":
			control.Flush()
			buffer := make([]byte, 100)
			for {
				n, err := r.Body.Read(buffer)
				w.Write(buffer[:n])
				control.Flush()
				if err != nil {
					return
				}
			}
		case "/socket":
			conn, rw, err := control.Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			io.WriteString(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			rw.Flush()
			io.Copy(conn, rw)
		default:
			io.WriteString(w, "fine")
		}
	})
}

// streams are the long ones: server-sent events, both directions at once as gRPC has them, and a WebSocket.
type streams struct {
	t      *testing.T
	events chan int
	lines  *bufio.Reader
	said   *io.PipeWriter
	heard  io.Reader
	socket *bufio.ReadWriter
	end    []io.Closer
	idle   []func() // end the connections that streams went over
}

func newStreams(t *testing.T, r *rig, events chan int) *streams {
	t.Helper()
	s := &streams{t: t, events: events}
	one, other := httpClient(t, r, true), httpClient(t, r, true)
	s.idle = []func(){one.CloseIdleConnections, other.CloseIdleConnections}
	listening, err := one.Do(get(t, "https://"+testName+"/events"))
	if err != nil {
		t.Fatal(err)
	}
	s.lines = bufio.NewReader(listening.Body)
	pr, pw := io.Pipe()
	chat := get(t, "https://"+testName+"/chat")
	chat.Method, chat.Body, chat.ContentLength = http.MethodPost, pr, -1
	chatting, err := other.Do(chat)
	if err != nil {
		t.Fatal(err)
	}
	s.said, s.heard = pw, chatting.Body
	conn := r.tls(protocols("http/1.1"))
	fmt.Fprintf(conn, "GET /socket HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", testName)
	reader := bufio.NewReader(conn)
	if response, err := http.ReadResponse(reader, nil); err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(response, err)
	}
	s.socket = bufio.NewReadWriter(reader, bufio.NewWriter(conn))
	s.end = []io.Closer{listening.Body, chatting.Body, conn}
	return s
}

// speak has something go through each of them.
func (s *streams) speak(i int) {
	s.t.Helper()
	s.events <- i
	if line, err := s.lines.ReadString('\n'); err != nil || line != fmt.Sprintf("data: %d\n", i) {
		s.t.Fatalf("event %d: %q %v", i, line, err)
	}
	s.lines.ReadString('\n')
	text := fmt.Sprintf("%06d", i)
	go io.WriteString(s.said, text)
	back := make([]byte, len(text))
	if _, err := io.ReadFull(s.heard, back); err != nil || string(back) != text {
		s.t.Fatalf("chat %d: %q %v", i, back, err)
	}
	s.socket.WriteString(text)
	s.socket.Flush()
	if _, err := io.ReadFull(s.socket, back); err != nil || string(back) != text {
		s.t.Fatalf("socket %d: %q %v", i, back, err)
	}
}

func (s *streams) close() {
	close(s.events)
	s.said.Close()
	for _, c := range s.end {
		c.Close()
	}
}

// TestHTTPModeReloadsUnderStreams exchanges the configuration two thousand times while long streams go on and requests come: none is lost,
// and nothing is left of it.
func TestHTTPModeReloadsUnderStreams(t *testing.T) {
	pki := certstest.New(t)
	events := make(chan int)
	b := httpBackend(t, pki, streamingBackend(events), false, true)
	serve := serves(pki.Make(certstest.Healthy, testName))
	configuration := func(i int) *Listener {
		return &Listener{Name: "edge", Address: "127.0.0.1:0", Mode: HTTP, Routes: []*Route{
			{Name: fmt.Sprintf("default %d", i), Backend: &Backend{Address: b.Address}, GetCertificate: serve},
		}}
	}
	limits := shortLimits()
	limits.Timeouts.Idle, limits.Timeouts.RequestBody = time.Minute, time.Minute
	r := newRig(t, pki, limits, configuration(0))
	s := newStreams(t, r, events)
	s.speak(0)
	goroutines := runtime.NumGoroutine()
	stop := make(chan struct{})
	var asking sync.WaitGroup
	asked := 0
	var clients []*http.Client
	asking.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			for _, h2 := range []bool{false, true} {
				c := httpClient(t, r, h2)
				response, err := c.Do(get(t, "https://"+testName+"/"))
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(response.Body)
				response.Body.Close()
				if err != nil || string(body) != "fine" {
					t.Errorf("%s %q %v", response.Status, body, err)
				}
				clients = append(clients, c)
				c.CloseIdleConnections()
				asked++
			}
		}
	})
	const reloads = 2000
	for i := range reloads {
		if err := r.server.Reload([]*Listener{configuration(1 + i)}); err != nil {
			t.Fatal(err)
		}
		if i%20 == 0 {
			s.speak(i)
		}
	}
	close(stop)
	asking.Wait()
	s.speak(reloads)
	if asked == 0 {
		t.Error("nobody asked meanwhile")
	}
	r.eventually("what was asked to end", func() bool {
		for _, c := range clients {
			c.CloseIdleConnections() // those that were not idle yet
		}
		return r.server.Active() == 3 && runtime.NumGoroutine() <= goroutines+10
	})
	s.close()
	r.eventually("the streams to end", func() bool {
		for _, end := range s.idle {
			end()
		}
		return r.server.Active() == 0
	})
}

// TestHTTPModeDrainsLongStreams ends with streams that go on: they may until the time is over, and then are cut, with a record.
func TestHTTPModeDrainsLongStreams(t *testing.T) {
	pki := certstest.New(t)
	events := make(chan int)
	r := inHTTPMode(t, pki, httpBackend(t, pki, streamingBackend(events), false, true))
	s := newStreams(t, r, events)
	s.speak(1)
	ctx, cut := context.WithCancel(t.Context())
	down := make(chan error)
	go func() { down <- r.server.Shutdown(ctx) }()
	r.eventually("the end to begin", r.server.draining.Load)
	for i := range 50 {
		s.speak(2 + i)
	}
	cut()
	if err := <-down; err == nil {
		t.Error("streams that go on were not cut")
	}
	for range 3 {
		if record := r.record(); record.HTTP == nil || record.HTTP.Requests != 1 {
			t.Errorf("%+v", record.HTTP)
		}
	}
	s.close()
}
