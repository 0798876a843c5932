package proxy

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// answer reads a request and answers it.
func answer(c *tls.Conn, in *bufio.Reader, body string) error {
	r, err := http.ReadRequest(in)
	if err != nil {
		return err
	}
	io.Copy(io.Discard, r.Body)
	_, err = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	return err
}

// What a backend says without being asked is nobody's answer.
func TestHTTPModeTakesNoAnswerThatNobodyAskedFor(t *testing.T) {
	pki := certstest.New(t)
	const unasked = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
	for name, say := range map[string]func(c *tls.Conn){
		"with the answer": func(c *tls.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine"+unasked) },
		"behind the answer": func(c *tls.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine")
			io.WriteString(c, unasked)
		},
	} {
		t.Run(name, func(t *testing.T) {
			said := make(chan struct{}, 2)
			r := inHTTPMode(t, pki, tlsBackend(t, pki, func(c *tls.Conn) {
				in := bufio.NewReader(c)
				if _, err := http.ReadRequest(in); err != nil {
					return
				}
				say(c)
				said <- struct{}{}
				io.Copy(io.Discard, in)
			}))
			client := httpClient(t, r, false)
			for range 2 {
				if _, body := fetch(t, client, get(t, "https://"+testName+"/")); body != "mine" {
					t.Errorf("%q", body)
				}
				<-said
			}
			if record := r.recordOf(client); record.HTTP.BackendConnections != 2 {
				t.Errorf("%d connections to the backend, want one for each request", record.HTTP.BackendConnections)
			}
		})
	}
}

// A kept connection that the backend has ended takes no request, not even one that could not be sent twice.
func TestHTTPModeSendsNothingOverAConnectionThatTheBackendEnded(t *testing.T) {
	pki := certstest.New(t)
	for name, end := range map[string]func(c *tls.Conn){
		"close_notify": func(c *tls.Conn) { c.Close() },
		"FIN":          func(c *tls.Conn) { c.NetConn().Close() },
		"half closed":  func(c *tls.Conn) { c.CloseWrite() },
		"reset":        func(c *tls.Conn) { sever(c.NetConn()) },
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan struct{}, 1)
			var accepted atomic.Int32
			r := inHTTPMode(t, pki, tlsBackend(t, pki, func(c *tls.Conn) {
				in, last := bufio.NewReader(c), accepted.Add(1) == 1
				for answer(c, in, "fine") == nil {
					if last {
						end(c)
						ended <- struct{}{}
						return
					}
				}
			}))
			client := httpClient(t, r, false)
			for range 3 {
				request := get(t, "https://"+testName+"/")
				request.Method, request.Body, request.ContentLength = http.MethodPost, io.NopCloser(strings.NewReader("form")), 4
				if response, body := fetch(t, client, request); response.StatusCode != 200 || body != "fine" {
					t.Errorf("%s %q", response.Status, body)
				}
				select {
				case <-ended:
				case <-time.After(patience):
					t.Fatal("the backend was not asked")
				}
				ended <- struct{}{} // once is enough
			}
			if record := r.recordOf(client); record.HTTP.BackendConnections != 2 || len(record.HTTP.Failures) > 0 {
				t.Errorf("%+v", record.HTTP)
			}
		})
	}
}

// Requests that come one after another share a connection, whatever their bodies are.
func TestHTTPModeKeepsTheConnectionToTheBackend(t *testing.T) {
	pki := certstest.New(t)
	r := inHTTPMode(t, pki, httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/chunks" {
			w.(http.Flusher).Flush()
		}
		if r.URL.Path != "/nothing" {
			fmt.Fprint(w, n)
		}
	}), false, false))
	client := httpClient(t, r, false)
	for _, path := range []string{"/", "/chunks", "/nothing", "/"} {
		for _, body := range []string{"", repeat("x", 100_000)} {
			for _, length := range []int64{int64(len(body)), -1} {
				for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodHead} {
					request := get(t, "https://"+testName+path)
					request.Method = method
					if body != "" {
						request.Body, request.ContentLength = io.NopCloser(strings.NewReader(body)), length
					}
					want := fmt.Sprint(len(body))
					if path == "/nothing" || method == http.MethodHead {
						want = ""
					}
					if response, got := fetch(t, client, request); response.StatusCode != 200 || got != want {
						t.Errorf("%s %s with %d bytes: %s %q", method, path, len(body), response.Status, got)
					}
				}
			}
		}
	}
	if record := r.recordOf(client); record.HTTP.BackendConnections != 1 {
		t.Errorf("%d connections to the backend, want 1", record.HTTP.BackendConnections)
	}
}

// A body that the backend does not want, as it says when it is asked, is not sent.
func TestHTTPModeSendsNoBodyThatTheBackendDoesNotWant(t *testing.T) {
	pki := certstest.New(t)
	got := make(chan string, 1)
	r := inHTTPMode(t, pki, tlsBackend(t, pki, func(c *tls.Conn) {
		in := bufio.NewReader(c)
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
		rest, _ := io.ReadAll(in)
		got <- string(rest)
	}))
	client := httpClient(t, r, false)
	client.Transport.(*http.Transport).ExpectContinueTimeout = patience
	request := get(t, "https://"+testName+"/")
	request = request.WithContext(httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{Got100Continue: func() { t.Error("the client was told to go on") }}))
	request.Method, request.Body = http.MethodPut, io.NopCloser(strings.NewReader("body"))
	request.Header.Set("Expect", "100-continue")
	if response, body := fetch(t, client, request); response.StatusCode != http.StatusRequestEntityTooLarge || body != "no" {
		t.Errorf("%s %q", response.Status, body)
	}
	if rest := <-got; rest != "" {
		t.Errorf("the backend was sent %q", rest)
	}
}

// A request whose client has gone is not waited for.
func TestHTTPModeLetsGoOfRequestsWhoseClientHasGone(t *testing.T) {
	pki := certstest.New(t)
	for _, h2 := range []bool{false, true} {
		asked, let := make(chan struct{}), make(chan struct{})
		limits := shortLimits()
		limits.Timeouts.Response = time.Hour
		b := tlsBackend(t, pki, func(c *tls.Conn) {
			in := bufio.NewReader(c)
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			close(asked)
			io.Copy(io.Discard, in)
			close(let)
		})
		r := newRig(t, pki, limits, &Listener{Name: "edge", Mode: HTTP, Routes: []*Route{{Name: "default", Backend: b, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}})
		conn := r.tls(protocols(map[bool]string{true: "h2", false: "http/1.1"}[h2]))
		if h2 {
			clientConn, err := new(http2.Transport).NewClientConn(conn)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				<-asked
				conn.Close()
			}()
			if _, err := clientConn.RoundTrip(get(t, "https://"+testName+"/")); err == nil {
				t.Error("there was an answer")
			}
		} else {
			fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", testName)
			<-asked
			conn.Close()
		}
		select {
		case <-let:
		case <-time.After(patience):
			t.Fatalf("h2 %v: the backend's connection was kept", h2)
		}
		if record := r.record(); record.Event.End != inspect.EndedByClient {
			t.Errorf("h2 %v: ended by %q", h2, record.Event.End)
		}
	}
}

// The connection that was opened before the first request may end as this is sent, over HTTP/2 as over HTTP/1.
func TestHTTPModeAsksAgainOverHTTP2(t *testing.T) {
	pki := certstest.New(t)
	for method, want := range map[string]int{http.MethodGet: 200, http.MethodPost: 502} {
		var accepted atomic.Int32
		b := tlsBackend(t, pki, func(c *tls.Conn) {
			if accepted.Add(1) > 1 {
				new(http2.Server).ServeConn(c, &http2.ServeConnOpts{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})})
				return
			}
			framer := http2.NewFramer(c, c)
			io.ReadFull(c, make([]byte, len(http2.ClientPreface)))
			framer.WriteSettings()
			for {
				frame, err := framer.ReadFrame()
				if _, asked := frame.(*http2.HeadersFrame); err != nil || asked {
					return
				}
			}
		}, protocols("h2"))
		r := inHTTPMode(t, pki, b)
		request := get(t, "https://"+testName+"/")
		request.Method = method
		client := httpClient(t, r, true)
		if response, _ := fetch(t, client, request); response.StatusCode != want {
			t.Errorf("%s: %s, want %d: %+v", method, response.Status, want, r.recordOf(client).HTTP)
		}
	}
}

// A deadline that was put off holds, though the socket was not told, and a read that was broken off takes nothing away.
func TestFrontConnDeadlines(t *testing.T) {
	theirs := make(chan net.Conn, 1)
	conn := dialTCP(t, listen(t, func(c net.Conn) {
		theirs <- c
		io.Copy(io.Discard, c)
	}))
	peer := <-theirs
	c := &connection{conn: conn, client: &tap{Conn: conn}}
	f := &frontConn{Conn: conn, framing: new(framingWatch), session: &httpSession{c: c}}
	f.begin() // a request, which has its own time
	read := func(n int) string {
		t.Helper()
		b := make([]byte, n)
		n, err := f.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	f.SetReadDeadline(time.Now().Add(patience))
	io.WriteString(peer, "one")
	if got := read(10); got != "one" {
		t.Errorf("%q", got)
	}
	// The socket's deadline comes while another is wanted.
	f.SetReadDeadline(f.deadlines.applied.Add(deadlineSlack / 2))
	conn.SetReadDeadline(time.Now().Add(-time.Hour))
	io.WriteString(peer, "two")
	if got := read(10); got != "two" {
		t.Errorf("%q", got)
	}
	// Broken off: before it begins, while it waits, and while it reads.
	for _, when := range []func(d *deadlines) bool{
		func(*deadlines) bool { return true },
		func(d *deadlines) bool { return d.waiting },
		func(d *deadlines) bool { return d.reading },
	} {
		f.SetReadDeadline(time.Time{})
		broken := make(chan error)
		go func() {
			_, err := f.Read(make([]byte, 1))
			broken <- err
		}()
		for d := &f.deadlines; ; runtime.Gosched() {
			d.mu.Lock()
			now := when(d)
			d.mu.Unlock()
			if now {
				break
			}
		}
		f.SetReadDeadline(time.Unix(1, 0))
		if err := <-broken; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v", err)
		}
		f.SetReadDeadline(time.Now().Add(patience))
		io.WriteString(peer, "three")
		if got := read(10); got != "three" {
			t.Errorf("%q", got)
		}
	}
	// One that has come ends a read.
	f.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := f.Read(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
	// The end of the connection is nobody's to put off.
	f.SetReadDeadline(time.Time{})
	f.expire()
	f.SetDeadline(time.Now().Add(patience))
	if _, err := f.Read(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if _, err := f.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
}
