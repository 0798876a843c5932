package proxy

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// plainFields are those of a request that is right.
func plainFields(method, path string) [][2]string {
	return [][2]string{{":method", method}, {":scheme", "https"}, {":authority", testName}, {":path", path}}
}

// How much a flood may make the heap grow, and for how long it may go on.
const (
	attackMemory = 64 << 20
	attackTime   = 10 * time.Second
)

// TestHTTPModeWithstandsFloods has one connection of HTTP/2 attack while others ask: those are answered, memory stays, the backend is not asked
// more at once than a client may, and all that was begun ends.
func TestHTTPModeWithstandsFloods(t *testing.T) {
	pki := certstest.New(t)
	var asking, most atomic.Int64
	b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Good") == "" {
			most.Store(max(most.Load(), asking.Add(1)))
			defer asking.Add(-1)
		}
		if r.URL.Path == "/large" {
			for range 64 {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
			return
		}
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "fine")
	}), false, true)
	for _, attack := range []struct {
		name   string
		ends   bool // the proxy ends the connection, and its record says that the client broke a rule
		flood  func(c *http2Conn, going func() bool)
		before []http2.Setting
	}{
		{name: "rapid reset", flood: func(c *http2Conn, going func() bool) {
			for stream := uint32(1); going() && stream < 60_000; stream += 2 {
				c.headers(stream, plainFields("GET", "/"), true)
				if c.WriteRSTStream(stream, http2.ErrCodeCancel) != nil {
					return
				}
			}
			c.flush()
		}},
		{name: "CONTINUATION", ends: true, flood: func(c *http2Conn, going func() bool) {
			c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.block(plainFields("GET", "/")), EndStream: true})
			fragment := c.block([][2]string{{"x", strings.Repeat("y", 8000)}})
			for i := 0; going() && i < 20_000; i++ {
				if c.WriteContinuation(1, false, fragment) != nil {
					return
				}
			}
			c.flush()
		}},
		{name: "SETTINGS", flood: func(c *http2Conn, going func() bool) {
			for i := 0; going() && i < 100_000; i++ {
				if c.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: uint32(i)}) != nil {
					return
				}
			}
			c.flush()
		}},
		{name: "PING", flood: func(c *http2Conn, going func() bool) {
			for i := 0; going() && i < 200_000; i++ {
				if c.WritePing(false, [8]byte{byte(i)}) != nil {
					return
				}
			}
			c.flush()
		}},
		{name: "empty DATA", flood: func(c *http2Conn, going func() bool) {
			c.headers(1, plainFields("POST", "/"), false)
			for i := 0; going() && i < 200_000; i++ {
				if c.WriteData(1, false, nil) != nil {
					return
				}
			}
			c.flush()
		}},
		{name: "no window", before: []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 0}}, flood: func(c *http2Conn, _ func() bool) {
			for stream := uint32(1); stream < 2*maxStreams; stream += 2 {
				c.headers(stream, plainFields("GET", "/large"), true)
			}
			c.flush()
		}},
		{name: "a window beyond its bound", ends: true, flood: func(c *http2Conn, _ func() bool) {
			c.WriteWindowUpdate(0, 1<<31-1)
			c.WriteWindowUpdate(0, 1<<31-1)
			c.flush()
		}},
		{name: "more streams than are allowed", ends: true, flood: func(c *http2Conn, _ func() bool) {
			for stream := uint32(1); stream < 6*maxStreams; stream += 2 {
				c.headers(stream, plainFields("POST", "/"), false)
			}
			c.flush()
		}},
		{name: "a header list too large", flood: func(c *http2Conn, _ func() bool) {
			c.headers(1, append(plainFields("GET", "/"), [2]string{"x", strings.Repeat("y", 200<<10)}), true)
			c.flush()
		}},
		{name: "PRIORITY", flood: func(c *http2Conn, going func() bool) {
			for i := uint32(0); going() && i < 200_000; i++ {
				if c.WritePriority(1+2*(i%1000), http2.PriorityParam{StreamDep: 3 + 2*(i%997)}) != nil {
					return
				}
			}
			c.flush()
		}},
	} {
		t.Run(attack.name, func(t *testing.T) {
			r := inHTTPMode(t, pki, b)
			good := httpClient(t, r, true)
			ask := func() {
				request := get(t, "https://"+testName+"/")
				request.Header.Set("X-Good", "1")
				if response, body := fetch(t, good, request); response.StatusCode != 200 || body != "fine" {
					t.Errorf("a good client was told %s %q", response.Status, body)
				}
			}
			ask()
			most.Store(0)
			before := heap()
			c := rawHTTP2(r, attack.before...)
			c.SetDeadline(time.Now().Add(attackTime))
			began := time.Now()
			var running sync.WaitGroup
			running.Go(func() { attack.flood(c, func() bool { return time.Since(began) < attackTime }) })
			for range 20 {
				ask()
			}
			running.Wait()
			if grown := int64(heap()) - int64(before); grown > attackMemory {
				t.Errorf("the heap grew by %d MiB", grown>>20)
			}
			if attack.ends {
				for {
					f, err := c.ReadFrame()
					if err != nil {
						break
					}
					if f, ok := f.(*http2.RSTStreamFrame); ok && f.ErrCode != http2.ErrCodeNo {
						break
					}
				}
			}
			c.Close()
			blamed := false
			for range 2 {
				got := r.recordOf(good).HTTP
				for _, f := range got.Failures {
					blamed = blamed || f.Type == inspect.HTTPBadRequest
				}
			}
			if attack.ends && !blamed {
				t.Error("no record says that the client broke a rule")
			}
			if n := most.Load(); n > maxStreams {
				t.Errorf("the backend was asked %d times at once", n)
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestHTTPModeWithSlowClients has many clients stall in each phase of a request: each is ended in its time, and others are answered meanwhile.
func TestHTTPModeWithSlowClients(t *testing.T) {
	pki := certstest.New(t)
	b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "fine")
	}), false, true)
	limits := shortLimits()
	limits.Timeouts.RequestHeader, limits.Timeouts.RequestBody, limits.Timeouts.Idle = 15*time.Second, 15*time.Second, 17*time.Second // enough for all to come so far on a busy machine
	limits.Timeouts.Response = patience
	r := newRig(t, pki, limits, &Listener{Name: "edge", Mode: HTTP, Routes: []*Route{{Name: "default", Backend: b, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}})
	phases := []struct {
		protocol, sent string
	}{
		{"http/1.1", ""}, {"http/1.1", "GET / HT"}, {"http/1.1", "GET / HTTP/1.1\r\nHost: " + testName + "\r\nX: "},
		{"http/1.1", "POST / HTTP/1.1\r\nHost: " + testName + "\r\nContent-Length: 100\r\n\r\nhalf"},
		{"h2", ""}, {"h2", "PRI * HTTP/2.0\r\n"}, {"h2", http2.ClientPreface},
		{"h2", http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x40\x01\x00\x00\x00\x00\x01half"},
	}
	const each = 25
	var stalled sync.WaitGroup
	for range each {
		for _, phase := range phases {
			stalled.Go(func() {
				conn, err := r.try(protocols(phase.protocol))
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				io.WriteString(conn, phase.sent)
				if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
					t.Errorf("%s after %q was not ended", phase.protocol, phase.sent)
				}
			})
		}
	}
	good := httpClient(t, r, true)
	for range 50 {
		if response, body := fetch(t, good, get(t, "https://"+testName+"/")); response.StatusCode != 200 || body != "fine" {
			t.Errorf("%s %q", response.Status, body)
		}
	}
	stalled.Wait()
	slow := 0
	for range each*len(phases) + 1 {
		for _, f := range r.recordOf(good).HTTP.Failures {
			if f.Type == inspect.HTTPSlowRequest {
				slow++
			}
		}
	}
	if want := each * 3; slow < want { // half a line, half a header, half a body
		t.Errorf("%d requests are said to have come too slowly, want %d", slow, want)
	}
}

// TestHTTPModeForgetsWhoGoes has clients come, ask and go in all manners: nothing of them is left.
func TestHTTPModeForgetsWhoGoes(t *testing.T) {
	pki := certstest.New(t)
	hold := make(chan struct{})
	b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			select {
			case <-r.Context().Done():
			case <-hold:
			}
			return
		}
		io.WriteString(w, "fine")
	}), false, true)
	defer close(hold)
	r := inHTTPMode(t, pki, b)
	round := func(n int) {
		var running sync.WaitGroup
		clients := make([]*http.Client, n)
		for i := range n {
			running.Go(func() {
				switch i % 3 {
				case 0: // goes while it is answered
					conn := r.tls(protocols("http/1.1"))
					fmt.Fprintf(conn, "GET /hold HTTP/1.1\r\nHost: %s\r\n\r\n", testName)
					conn.Close()
				case 1: // goes in HTTP/2 with many requests open
					c := rawHTTP2(r)
					for stream := uint32(1); stream < 40; stream += 2 {
						c.headers(stream, plainFields("GET", "/hold"), true)
					}
					c.flush()
					c.Conn.NetConn().Close()
				default:
					clients[i] = httpClient(t, r, true)
					fetch(t, clients[i], get(t, "https://"+testName+"/"))
				}
			})
		}
		running.Wait()
		clients = slices.DeleteFunc(clients, func(c *http.Client) bool { return c == nil })
		for range n {
			r.recordOf(clients...)
		}
	}
	round(9)
	settled := func(most int) func() bool {
		return func() bool { return runtime.NumGoroutine() <= most && r.server.Active() == 0 }
	}
	r.eventually("the connections to end", func() bool { return r.server.Active() == 0 })
	start := runtime.NumGoroutine()
	for range 5 {
		round(60)
	}
	r.eventually(fmt.Sprintf("the goroutines to be %d again", start), settled(start+10))
	r.server.mu.Lock()
	if n := len(r.server.open); n != 0 {
		t.Errorf("%d connections are still known", n)
	}
	r.server.mu.Unlock()
}
