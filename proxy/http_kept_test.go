package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// session is the session of the one client that there is.
func (r *rig) session() *httpSession {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	for c := range r.server.open {
		return c.client.session
	}
	r.t.Fatal("nobody is connected")
	return nil
}

// closedConn is a leg that proves closed when it is written to, behind so many bytes.
type closedConn struct {
	io.ReadWriteCloser
	takes int
}

func (c closedConn) Write(b []byte) (int, error) {
	if c.takes == 0 {
		return 0, syscall.EPIPE
	}
	n, err := c.ReadWriteCloser.Write(b[:min(c.takes, len(b))])
	if err == nil {
		err = syscall.EPIPE
	}
	return n, err
}

// A request of which nothing was sent goes over another connection when that which it was to go over proves closed, whatever it asks. One of
// which the backend may have seen something is not asked twice.
func TestHTTPModeSendsAgainWhatWasNotSent(t *testing.T) {
	pki := certstest.New(t)
	for _, tt := range []struct {
		name   string
		takes  int
		length int // of the body
		want   int
	}{
		{"nothing was sent", 0, 10_000, http.StatusOK}, {"of a large body", 0, 1 << 20, http.StatusOK}, {"something was sent", 10, 10_000, http.StatusBadGateway},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var asked atomic.Int32
			r := impatient(t, pki, httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if n, err := io.Copy(io.Discard, r.Body); err == nil && r.Method == http.MethodPost {
					asked.Add(1)
					fmt.Fprint(w, n)
				}
			}), false, false), func(l *Timeouts) { l.Idle, l.Response = patience, 3*time.Second }) // what proves closed only when it is written to has no end to be read
			client := httpClient(t, r, false)
			fetch(t, client, get(t, "https://"+testName+"/"))
			s := r.session()
			r.eventually("the connection to rest", func() bool { s.http1.mu.Lock(); defer s.http1.mu.Unlock(); return len(s.http1.idle) == 1 })
			s.http1.mu.Lock()
			s.http1.idle[0].conn = closedConn{s.http1.idle[0].conn, tt.takes}
			s.http1.mu.Unlock()
			request := get(t, "https://"+testName+"/")
			request.Method, request.Body, request.ContentLength = http.MethodPost, io.NopCloser(bytes.NewReader(make([]byte, tt.length))), int64(tt.length)
			response, body := fetch(t, client, request)
			if response.StatusCode != tt.want || tt.want == http.StatusOK && (body != fmt.Sprint(tt.length) || asked.Load() != 1) || tt.want != http.StatusOK && asked.Load() != 0 {
				t.Errorf("%s %q, asked %d times", response.Status, body, asked.Load())
			}
			client.CloseIdleConnections()
			if f := r.record().HTTP.Failures; (len(f) == 0) != (tt.want == http.StatusOK) {
				t.Errorf("%+v", f)
			}
		})
	}
}

// A request that got no answer in time over a connection that is in order is not sent again.
func TestHTTPModeSendsNothingAgainForWantOfTime(t *testing.T) {
	pki := certstest.New(t)
	var asked atomic.Int32
	letGo := make(chan struct{})
	b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) > 1 {
			<-letGo
		}
	}), false, false)
	t.Cleanup(func() { close(letGo) })
	r := impatient(t, pki, b, func(l *Timeouts) { l.Idle, l.Response = patience, 500*time.Millisecond })
	client := httpClient(t, r, false)
	for _, want := range []int{http.StatusOK, http.StatusGatewayTimeout} {
		if response, _ := fetch(t, client, get(t, "https://"+testName+"/")); response.StatusCode != want {
			t.Errorf("%s, want %d", response.Status, want)
		}
	}
	client.CloseIdleConnections()
	if f := r.record().HTTP.Failures; len(f) != 1 || f[0].Type != inspect.HTTPTimeout || asked.Load() != 2 {
		t.Errorf("asked %d times, %+v", asked.Load(), f)
	}
}

// What a backend says of how long it keeps connections is believed: for the last of that time nothing is asked over them.
func TestHTTPModeHeedsHowLongBackendsKeepConnections(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 0, "timeout=5": 5 * time.Second, "timeout=5, max=100": 5 * time.Second, "max=3, Timeout=20": 20 * time.Second, "timeout": 0, "timeout=x": 0, "timeout=0": 0, "timeout=99999999999": 0xffff * time.Second,
	} {
		header := http.Header{}
		if value != "" {
			header.Set("Keep-Alive", value)
		}
		if got := keepAlive(header); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
	legs := &http1Legs{s: &httpSession{c: &connection{limits: Limits{Timeouts: Timeouts{Idle: time.Minute}}}}}
	for keeps, want := range map[time.Duration]time.Duration{0: time.Minute, time.Second: 750 * time.Millisecond, 5 * time.Second: 4 * time.Second, time.Hour: time.Minute} {
		if got := (&http1Leg{legs: legs, keeps: keeps}).rest(); got != want {
			t.Errorf("kept for %s: %s, want %s", keeps, got, want)
		}
	}
	pki := certstest.New(t)
	r := inHTTPMode(t, pki, httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Keep-Alive", "timeout=7") }), false, false))
	client := httpClient(t, r, false)
	fetch(t, client, get(t, "https://"+testName+"/"))
	s := r.session()
	r.eventually("the connection to rest", func() bool { s.http1.mu.Lock(); defer s.http1.mu.Unlock(); return len(s.http1.idle) == 1 })
	if got := s.http1.idle[0].rest(); got != 6*time.Second {
		t.Errorf("kept for %s", got)
	}
}

// The time that an answer had is over long before the next request goes over its connection: that one has a time of its own.
func TestHTTPModeGivesRequestsWithABodyTheirOwnTime(t *testing.T) {
	pki := certstest.New(t)
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain %v", plain), func(t *testing.T) {
			r := inHTTPMode(t, pki, httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n, _ := io.Copy(io.Discard, r.Body)
				fmt.Fprint(w, n)
			}), plain, false))
			client := httpClient(t, r, false)
			fetch(t, client, get(t, "https://"+testName+"/"))
			s := r.session()
			r.eventually("the connection to rest", func() bool { s.http1.mu.Lock(); defer s.http1.mu.Unlock(); return len(s.http1.idle) == 1 })
			s.http1.idle[0].tap.SetReadDeadline(time.Unix(1, 0)) // as if a minute went by
			post := get(t, "https://"+testName+"/")
			post.Method, post.Body, post.ContentLength = http.MethodPost, io.NopCloser(strings.NewReader("12345")), 5
			if response, body := fetch(t, client, post); response.StatusCode != http.StatusOK || body != "5" {
				t.Errorf("%s %q", response.Status, body)
			}
			client.CloseIdleConnections()
			if h := r.record().HTTP; len(h.Failures) > 0 || h.BackendConnections != 1 {
				t.Errorf("%+v, %d connections to the backend", h.Failures, h.BackendConnections)
			}
		})
	}
}
