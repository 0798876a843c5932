package proxy

import (
	"bufio"
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

// impatient is a proxy in mode http whose connections may rest for a moment only.
func impatient(t *testing.T, pki *certstest.PKI, backend *Backend, edit ...func(*Timeouts)) *rig {
	t.Helper()
	limits := shortLimits()
	limits.Timeouts.Idle, limits.Timeouts.Response = 3*time.Second, patience // it begins with the handshake's end
	for _, e := range edit {
		e(&limits.Timeouts)
	}
	return newRig(t, pki, limits, &Listener{Name: "edge", Mode: HTTP, Routes: []*Route{{Name: "default", Backend: backend, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}})
}

// Who waits for an answer is not idle, however short the idle time: how long that may take has a bound of its own.
func TestHTTPModeWaitsForAnswersLongerThanTheIdleTime(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	for _, h2 := range []bool{false, true} {
		for _, backendH2 := range []bool{false, true} {
			asked, answer := make(chan struct{}), make(chan struct{})
			r := impatient(t, pki, httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				close(asked)
				<-answer
				io.WriteString(w, "late")
			}), false, backendH2))
			client := httpClient(t, r, h2)
			got := make(chan string, 1)
			go func() {
				response, err := client.Get("https://" + testName + "/")
				if err != nil {
					got <- err.Error()
					return
				}
				body, _ := io.ReadAll(response.Body)
				response.Body.Close()
				got <- response.Status + " " + string(body)
			}()
			select {
			case <-asked:
			case text := <-got:
				t.Fatal(text)
			}
			r.tls(protocols("http/1.1")) // which has no request
			if end := r.record().Event.End; end != inspect.EndedIdle {
				t.Errorf("a connection without a request ended by %q", end)
			}
			close(answer)
			if body := <-got; body != "200 OK late" {
				t.Errorf("h2 %v: %s", h2, body)
			}
			client.CloseIdleConnections()
			if record := r.record(); len(record.HTTP.Failures) > 0 {
				t.Errorf("h2 %v: %+v", h2, record.HTTP.Failures)
			}
		}
	}
}

// An answer that stops in the middle has failed, and the record says so.
func TestHTTPModeEndsAnswersThatStop(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	for _, h2 := range []bool{false, true} {
		for _, backendH2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("h2 %v, backend h2 %v", h2, backendH2), func(t *testing.T) {
				t.Parallel()
				r := impatient(t, pki, httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Length", "10")
					io.WriteString(w, "abc")
					http.NewResponseController(w).Flush()
					<-r.Context().Done() // which is how the proxy lets go of it
				}), false, backendH2))
				client := httpClient(t, r, h2)
				response, err := client.Do(get(t, "https://"+testName+"/"))
				if err != nil {
					t.Fatal(err)
				}
				if body, err := io.ReadAll(response.Body); string(body) != "abc" || err == nil {
					t.Errorf("%q, %v", body, err)
				}
				response.Body.Close()
				client.CloseIdleConnections()
				record := r.record()
				if f := record.HTTP.Failures; len(f) != 1 || f[0].Type != inspect.HTTPTimeout || f[0].Status != http.StatusOK || !f[0].Midway {
					t.Errorf("%+v", f)
				}
				if record.Event.End != inspect.EndedByBackend {
					t.Errorf("ended by %q", record.Event.End)
				}
			})
		}
	}
}

// A backend that takes nothing of a request is told from one that has not answered it yet.
func TestHTTPModeAnswersForBackendsThatStopReading(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	for _, h2 := range []bool{false, true} {
		letGo := make(chan struct{})
		r := impatient(t, pki, tlsBackend(t, pki, func(c *tls.Conn) { <-letGo }))
		t.Cleanup(func() { close(letGo) })
		client := httpClient(t, r, h2)
		request := get(t, "https://"+testName+"/")
		request.Method, request.Body, request.ContentLength = http.MethodPost, io.NopCloser(endless{}), 1<<40
		response, err := client.Do(request)
		if err != nil {
			c := r.record()
			t.Fatalf("h2 %v: %v; ended by %q, %+v", h2, err, c.Event.End, c.HTTP)
		}
		if response.StatusCode != http.StatusGatewayTimeout || response.Header.Get(RecordIDHeader) == "" {
			t.Errorf("h2 %v: %s", h2, response.Status)
		}
		response.Body.Close()
		client.CloseIdleConnections()
		if f := r.record().HTTP.Failures; len(f) != 1 || f[0].Type != inspect.HTTPTimeout || f[0].Status != http.StatusGatewayTimeout || f[0].Midway {
			t.Errorf("h2 %v: %+v", h2, f)
		}
	}
}

// endless is a body without end.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// A client that does not read is the client's fault, and no request is taken for answered.
func TestHTTPModeEndsClientsThatStopReading(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	for _, h2 := range []bool{false, true} {
		r := impatient(t, pki, httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, endless{}) }), false, false))
		var held io.Closer
		if h2 {
			response, err := httpClient(t, r, true).Do(get(t, "https://"+testName+"/"))
			if err != nil {
				t.Fatal(err)
			}
			held = response.Body
		} else {
			conn := r.tls(protocols("http/1.1"))
			fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", testName)
			if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
				t.Fatal(err)
			}
			held = conn
		}
		record := r.record()
		if f := record.HTTP.Failures; len(f) != 1 || f[0].Type != inspect.HTTPUnread || f[0].Status != http.StatusOK || !f[0].Midway {
			t.Errorf("h2 %v: %+v", h2, f)
		}
		if record.Event.End != inspect.EndedIdle {
			t.Errorf("h2 %v: ended by %q", h2, record.Event.End)
		}
		held.Close()
	}
}

// A request that is cut because its connection is too old has failed.
func TestHTTPModeTellsOfRequestsThatOutlivedTheirConnection(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	for _, h2 := range []bool{false, true} {
		letGo := make(chan struct{})
		r := impatient(t, pki, httpBackend(t, pki, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-letGo }), false, false), func(l *Timeouts) {
			l.Idle, l.Lifetime = patience, 3*time.Second
		})
		t.Cleanup(func() { close(letGo) })
		if response, err := httpClient(t, r, h2).Do(get(t, "https://"+testName+"/")); err == nil {
			response.Body.Close()
			t.Errorf("h2 %v: %s", h2, response.Status)
		}
		record := r.record()
		if f := record.HTTP.Failures; len(f) != 1 || f[0].Type != inspect.HTTPOutlived || f[0].Status != 0 || f[0].Midway {
			t.Errorf("h2 %v: %+v", h2, f)
		}
		if record.Event.End != inspect.EndedByAge {
			t.Errorf("h2 %v: ended by %q", h2, record.Event.End)
		}
	}
}

// The last bytes of an answer may have to be written yet when its request is over: nothing has moved for long then, and the timer that comes
// between ends the connection only where nothing moves for the idle time from there on.
func TestHTTPModeHasTimeToWriteTheEndOfALateAnswer(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		c := &connection{server: &Server{}, conn: near, started: time.Now(), limits: Limits{Timeouts: Timeouts{Idle: time.Hour}}}
		s := &httpSession{c: c}
		s.front = &frontConn{Conn: near, session: s}
		if h2 {
			s.front.frames = new(frameWatch)
		}
		c.watchIdle(s.checkIdle, patience*60)
		q := &httpRequest{s: s, started: time.Now().Add(-2 * time.Hour), in: &http.Request{ContentLength: 0}}
		s.asking = append(s.asking, q)
		s.front.begin()
		long := ticks() - int64(2*time.Hour)
		c.lastActive.Store(long)
		s.checkIdle()
		if c.idled.Load() {
			t.Errorf("h2 %v: a request that waits for its answer is taken for rest", h2)
		}
		s.release(q) // and nothing is written yet
		s.checkIdle()
		if c.idled.Load() {
			t.Errorf("h2 %v: the connection ended before its answer was written", h2)
		}
		c.lastActive.Store(long)
		s.checkIdle()
		if !c.idled.Load() {
			t.Errorf("h2 %v: a connection on which nothing moves goes on", h2)
		}
		c.stopWatching()
	}
}
