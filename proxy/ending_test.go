package proxy

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// How a client ended is told by what it sent, and is no fault of anybody's.
func TestEndOfTheClientIsRecorded(t *testing.T) {
	pki := certstest.New(t)
	for _, tt := range []struct {
		name string
		end  func(*tls.Conn)
		want inspect.PeerEnd
	}{
		{"close_notify", func(c *tls.Conn) { c.CloseWrite() }, inspect.PeerCloseNotify},
		{"FIN alone", func(c *tls.Conn) { c.NetConn().(*net.TCPConn).CloseWrite() }, inspect.PeerTruncated},
		{"reset", func(c *tls.Conn) { c.NetConn().(*net.TCPConn).SetLinger(0); c.NetConn().Close() }, inspect.PeerReset},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := bridged(t, pki, tlsBackend(t, pki, echo))
			c := r.tls()
			exchange(t, c, "a line")
			tt.end(c)
			if tt.want != inspect.PeerReset {
				io.Copy(io.Discard, c)
			}
			c.Close()
			record := r.record()
			if got := record.ClientLeg.PeerEnd; got != tt.want {
				t.Errorf("the client's end is %q, want %q", got, tt.want)
			}
			if record.Event.End != inspect.EndedByClient {
				t.Errorf("%q ended it", record.Event.End)
			}
		})
	}
}

// An answer that only the end of the connection ends, and that was cut, is one of which nobody knows whether it is whole.
func TestOpenEndedAnswersAreRecorded(t *testing.T) {
	pki := certstest.New(t)
	cut := func(c *tls.Conn) { c.NetConn().(*net.TCPConn).CloseWrite() }
	for _, tt := range []struct {
		name, request, answer string
		end                   func(*tls.Conn)
		want                  bool
	}{
		{"cut", "GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhalf", cut, true},
		{"ended", "GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nwhole", func(c *tls.Conn) { c.Close() }, false},
		{"length", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nhalf", cut, false},
		{"chunks", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", cut, false},
		{"no body", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 304 Not Modified\r\n\r\n", cut, false},
		{"header only", "HEAD / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", cut, false},
		{"no HTTP", "EHLO a\r\n", "HTTP/1.0 200 OK\r\n\r\nhalf", cut, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := bridged(t, pki, tlsBackend(t, pki, func(c *tls.Conn) {
				io.ReadFull(c, make([]byte, len(tt.request)))
				io.WriteString(c, tt.answer)
				tt.end(c)
				io.Copy(io.Discard, c)
			}))
			c := r.tls()
			io.WriteString(c, tt.request)
			if got, err := io.ReadAll(c); err != nil || string(got) != tt.answer {
				t.Errorf("got %q, %v", got, err)
			}
			c.Close()
			if leg := r.record().BackendLeg; leg.OpenEnded != tt.want {
				t.Errorf("open_ended is %v, want %v (%s)", leg.OpenEnded, tt.want, leg.PeerEnd)
			}
		})
	}
}

// A backend that resets is told from one that ends, and it is known whether anything of an answer had come.
func TestResetsOfTheBackendAreRecorded(t *testing.T) {
	pki := certstest.New(t)
	for answer, unanswered := range map[string]bool{"": true, "220 half an ans": false} {
		r := bridged(t, pki, tlsBackend(t, pki, func(c *tls.Conn) {
			io.ReadFull(c, make([]byte, len("HELLO\r\n")))
			io.WriteString(c, answer)
			io.ReadFull(c, make([]byte, len("MORE\r\n")))
			c.NetConn().(*net.TCPConn).SetLinger(0)
			c.NetConn().Close()
		}))
		c := r.tls()
		io.WriteString(c, "HELLO\r\n")
		if _, err := io.ReadFull(c, make([]byte, len(answer))); err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, "MORE\r\n")
		io.Copy(io.Discard, c)
		record := r.record()
		if leg := record.BackendLeg; leg.PeerEnd != inspect.PeerReset || leg.Unanswered != unanswered || record.Event.End != inspect.EndedByBackend {
			t.Errorf("%q: %+v, %q ended it", answer, leg, record.Event.End)
		}
	}
}

// A connection that is never idle ends all the same when it is as old as it may become, in both modes.
func TestLifetimeEndsBusyConnections(t *testing.T) {
	pki := certstest.New(t)
	for _, mode := range []Mode{Bridge, Passthrough} {
		t.Run(string(mode), func(t *testing.T) {
			limits := shortLimits()
			limits.Timeouts.Lifetime = 300 * time.Millisecond
			l := &Listener{Mode: mode, Routes: []*Route{{Backend: tlsBackend(t, pki, echo), GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}}
			r := newRig(t, pki, limits, l)
			c := r.tls()
			c.SetDeadline(time.Now().Add(patience))
			line := make([]byte, 5)
			for {
				if _, err := io.WriteString(c, "again"); err != nil {
					break
				}
				if _, err := io.ReadFull(c, line); err != nil {
					break
				}
			}
			c.Close()
			record := r.record()
			wantError(t, record.ClientLeg, inspect.ErrorTimeout, inspect.PhaseTransfer)
			wantOutcome(t, record, inspect.Success)
			if record.Event.End != inspect.EndedByAge {
				t.Errorf("%q ended it", record.Event.End)
			}
			if ms := record.Event.DurationMS; ms < 300 {
				t.Errorf("it ended after %v ms already", ms)
			}
		})
	}
}

// Whichever of the two is over first ends a connection.
func TestRestIsTheShorterOfIdleAndLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &connection{limits: Limits{Timeouts: Timeouts{Idle: time.Minute, Lifetime: 3 * time.Minute}}, started: time.Now()}
		if got := c.firstRest(); got != time.Minute {
			t.Errorf("at first %v", got)
		}
		for range 3 { // a byte each 50 seconds
			time.Sleep(50 * time.Second)
			c.lastActive.Store(ticks())
		}
		if got := c.rest(); got != 30*time.Second || c.expired.Load() {
			t.Errorf("after 150 s: %v", got)
		}
		time.Sleep(30 * time.Second)
		if got := c.rest(); got > 0 || !c.expired.Load() {
			t.Errorf("after 180 s: %v", got)
		}
		idle := &connection{limits: Limits{Timeouts: Timeouts{Idle: time.Minute}}, started: time.Now()}
		idle.firstRest()
		time.Sleep(time.Minute)
		if got := idle.rest(); got > 0 || idle.expired.Load() {
			t.Errorf("idle for a minute: %v, of age %v", got, idle.expired.Load())
		}
	})
}

// Times of this package come from the clock that nobody sets: what is kept as a number must not be the time of day, or a
// correction of the system's clock would end every connection at once, or none ever.
func TestIdleTimesDoNotFollowTheWallClock(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, wall := range []string{"UnixNano()", "UnixMilli()", "time.Unix(0,", ".Round(0)"} {
			if bytes.Contains(source, []byte(wall)) {
				t.Errorf("%s: %s", name, wall)
			}
		}
	}
	before := ticks()
	if after := ticks(); before < 0 || after < before || since(before) < 0 {
		t.Errorf("ticks went from %d to %d", before, after)
	}
}
