package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// A target that is taken apart and put together again may mean something else: the backend must see the client's bytes.
func TestHTTPModeSendsTargetsAsTheyCame(t *testing.T) {
	pki := certstest.New(t)
	b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI) }), false, true)
	r := inHTTPMode(t, pki, b)
	for _, target := range []string{
		"/", "/a%2Fb|c", `/a"b`, "/a%2f..%2F..%2Fetc|", "/a//b", "//evil.example/x", "/a/../b", "/a/./b", "/%zz"[:1] + "ok", "/a?x=1;y=2", "/a?x=%zz", "/a?",
		"/a?b?c", "/a^b`{}", "/é", "/%41", "/a:b", "/?https://x/", "/a?x=a b"[:6], "/*",
	} {
		conn := r.tls(protocols("http/1.1"))
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, testName)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(response.Body); string(body) != target {
			t.Errorf("%q arrived as %d %q", target, response.StatusCode, body)
		}
		conn.Close()
		r.record()
	}
	conn := r.tls(protocols("http/1.1"))
	fmt.Fprintf(conn, "GET https://%s?a HTTP/1.1\r\nHost: other\r\n\r\n", testName)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(response.Body); string(body) != "/?a" {
		t.Errorf("absolute form: %q", body)
	}
}

// What is spoken behind a switch of protocols nobody reads: a client must not reach the backend in HTTP/2 that way, past the checks of its
// requests and with headers of its own making.
func TestHTTPModeDoesNotSwitchToHTTP(t *testing.T) {
	pki := certstest.New(t)
	switched := make(chan string, 1)
	b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switched <- strings.Join(r.Header["Upgrade"], "|") + " " + strings.Join(r.Header["Http2-Settings"], "|")
	}), true, false)
	r := inHTTPMode(t, pki, b)
	for offered, want := range map[string]string{"h2c": " ", "websocket, h2c": "websocket ", "H2C": " ", "HTTP/2.0": " ", "TLS/1.2": " ", "websocket": "websocket "} {
		conn := r.tls(protocols("http/1.1"))
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: %s\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n", testName, offered)
		if got := <-switched; got != want {
			t.Errorf("%s: the backend was asked for %q, want %q", offered, got, want)
		}
		conn.Close()
		r.record()
	}
}

// A backend that switches without being asked makes no tunnel.
func TestHTTPModeRefusesSwitchesNobodyAskedFor(t *testing.T) {
	pki := certstest.New(t)
	r := inHTTPMode(t, pki, tlsBackend(t, pki, func(c *tls.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nContent-Length: 0\r\n\r\nsecret")
		io.Copy(io.Discard, c)
	}))
	response, body := fetch(t, httpClient(t, r, false), get(t, "https://"+testName+"/"))
	if response.StatusCode != http.StatusBadGateway || strings.Contains(body, "secret") {
		t.Errorf("%s %q", response.Status, body)
	}
	if got := r.record().HTTP.Failures; len(got) != 1 || got[0].Type != inspect.HTTPBadResponse {
		t.Errorf("%+v", got)
	}
}

// The backend's connection is opened before the client's first request. A client that takes its time must not find it closed.
func TestHTTPModeOpensAnotherConnectionWhenTheFirstOneIsGone(t *testing.T) {
	pki := certstest.New(t)
	closed := make(chan struct{}, 1)
	var accepted atomic.Int32
	b := tlsBackend(t, pki, func(c *tls.Conn) {
		if accepted.Add(1) == 1 {
			c.Close() // as a server does that waits for a request no longer
			closed <- struct{}{}
			return
		}
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
		io.Copy(io.Discard, c)
	})
	r := inHTTPMode(t, pki, b)
	conn := r.tls(protocols("http/1.1"))
	<-closed
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", testName)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", response, err)
	}
}

func TestWhetherAPeerHasClosed(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells")
	}
	finish := make(chan struct{})
	address := listen(t, func(c net.Conn) {
		io.WriteString(c, "said before the end")
		<-finish
	})
	r := &rig{t: t}
	conn := dialTCP(t, address)
	if peerHasClosed(conn) {
		t.Error("it is open")
	}
	close(finish)
	r.eventually("the end to be known", func() bool { return peerHasClosed(conn) })
}

// The backend may close that connection at the very moment when the request comes. What may be asked twice is.
func TestHTTPModeAsksAgainWhereTheFirstConnectionEndsAsItIsUsed(t *testing.T) {
	pki := certstest.New(t)
	for method, want := range map[string]int{http.MethodGet: 200, http.MethodPost: 502} {
		var accepted atomic.Int32
		b := tlsBackend(t, pki, func(c *tls.Conn) {
			first := accepted.Add(1) == 1
			for {
				if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil || first {
					return
				}
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			}
		})
		r := inHTTPMode(t, pki, b)
		request := get(t, "https://"+testName+"/")
		request.Method = method
		if response, _ := fetch(t, httpClient(t, r, false), request); response.StatusCode != want {
			t.Errorf("%s: %s, want %d", method, response.Status, want)
		}
	}
}

// eventually waits for a condition.
func (r *rig) eventually(what string, met func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			r.t.Fatal("waited in vain for ", what)
		}
	}
}

// An answer that comes before the body was sent reaches a client that waits for it.
func TestHTTPModeLetsAnswersComeEarly(t *testing.T) {
	pki := certstest.New(t)
	b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(http.StatusAccepted) // net/http's client sends no more of a body after an error
		http.NewResponseController(w).Flush()
		piece := make([]byte, 5)
		io.ReadFull(r.Body, piece)
		w.Write(piece)
		http.NewResponseController(w).Flush()
	}), false, true)
	for _, h2 := range []bool{false, true} {
		r := inHTTPMode(t, pki, b)
		pr, pw := io.Pipe()
		request := get(t, "https://"+testName+"/")
		request.Method, request.Body, request.ContentLength = http.MethodPost, pr, 100_000
		response, err := httpClient(t, r, h2).Do(request) // nothing of the body was sent yet
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != http.StatusAccepted {
			t.Errorf("h2 %v: %s", h2, response.Status)
		}
		if h2 { // and both directions go on; net/http's client sends no more in HTTP/1.1
			go pw.Write([]byte("later"))
			later := make([]byte, 5)
			if _, err := io.ReadFull(response.Body, later); err != nil || string(later) != "later" {
				t.Errorf("%q %v", later, err)
			}
		}
		response.Body.Close()
		pw.Close()
	}
}

// Trailers of requests reach the backend, announced ones with their values.
func TestHTTPModeCarriesTrailersOfRequests(t *testing.T) {
	pki := certstest.New(t)
	for _, backendH2 := range []bool{false, true} {
		b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			io.WriteString(w, r.Trailer.Get("X-Sum"))
		}), false, backendH2)
		for _, h2 := range []bool{false, true} {
			request := get(t, "https://"+testName+"/")
			request.Method, request.Body, request.ContentLength = http.MethodPost, io.NopCloser(strings.NewReader("body")), -1
			request.Trailer = http.Header{"X-Sum": {"42"}}
			if _, body := fetch(t, httpClient(t, inHTTPMode(t, pki, b), h2), request); body != "42" {
				t.Errorf("h2 %v, backend h2 %v: %q", h2, backendH2, body)
			}
		}
	}
}

// Interim answers pass to those who know them.
func TestHTTPModeCarriesEarlyHints(t *testing.T) {
	pki := certstest.New(t)
	b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		io.WriteString(w, "done")
	}), false, false)
	r := inHTTPMode(t, pki, b)
	for version, want := range map[string]bool{"1.1": true, "1.0": false} {
		conn := r.tls(protocols("http/1.1"))
		fmt.Fprintf(conn, "GET / HTTP/%s\r\nHost: %s\r\nConnection: close\r\n\r\n", version, testName)
		all, _ := io.ReadAll(conn)
		if got := bytes.Contains(all, []byte("103 Early Hints")); got != want || !bytes.HasSuffix(all, []byte("done")) {
			t.Errorf("HTTP/%s: %q", version, all)
		}
	}
}

// HEAD, 204 and 304 have no body, and keep the length that they tell of one.
func TestHTTPModeCarriesAnswersWithoutBody(t *testing.T) {
	pki := certstest.New(t)
	b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/204":
			w.WriteHeader(http.StatusNoContent)
		case "/304":
			w.Header().Set("ETag", `"1"`)
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Header().Set("Content-Length", "1234")
		}
	}), false, true)
	for _, h2 := range []bool{false, true} {
		c := httpClient(t, inHTTPMode(t, pki, b), h2)
		for path, want := range map[string]int{"/204": 204, "/304": 304, "/": 200} {
			request := get(t, "https://"+testName+path)
			request.Method = http.MethodHead
			response, body := fetch(t, c, request)
			if response.StatusCode != want || body != "" || want == 200 && response.ContentLength != 1234 {
				t.Errorf("h2 %v: %s: %s, length %d, %q", h2, path, response.Status, response.ContentLength, body)
			}
		}
	}
}

// What the client breaks is not the backend's fault.
func TestHTTPModeBlamesClientsForTheirRequests(t *testing.T) {
	pki := certstest.New(t)
	b := httpBackend(t, pki, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }), false, false)
	for name, test := range map[string]struct {
		request string
		status  int
		kind    inspect.HTTPFailureType
	}{
		"no header":           {"GET / HTTP/1.1\r\nHost : " + testName + "\r\n\r\n", 400, inspect.HTTPBadRequest},
		"a large header":      {"GET / HTTP/1.1\r\nHost: " + testName + "\r\nX: " + repeat("x", 70<<10) + "\r\n\r\n", 431, inspect.HTTPBadRequest},
		"a broken chunk":      {"POST / HTTP/1.1\r\nHost: " + testName + "\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, inspect.HTTPBadRequest},
		"a strange coding":    {"POST / HTTP/1.1\r\nHost: " + testName + "\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, inspect.HTTPBadRequest},
		"a strange version":   {"GET / HTTP/3.1\r\nHost: " + testName + "\r\n\r\n", 505, inspect.HTTPBadRequest},
		"half a header":       {"GET / HTTP/1.1\r\nHost: " + testName + "\r\nX-Half", 408, inspect.HTTPSlowRequest},
		"half a body":         {"POST / HTTP/1.1\r\nHost: " + testName + "\r\nContent-Length: 10\r\n\r\nhalf", 408, inspect.HTTPSlowRequest},
		"user in the host":    {"GET / HTTP/1.1\r\nHost: a@" + testName + "\r\n\r\n", 400, inspect.HTTPBadRequest},
		"a port that is none": {"GET / HTTP/1.1\r\nHost: " + testName + ":x\r\n\r\n", 400, inspect.HTTPBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			limits := shortLimits()
			if test.kind == inspect.HTTPSlowRequest {
				limits.Timeouts.RequestHeader, limits.Timeouts.RequestBody = 300*time.Millisecond, 300*time.Millisecond
			}
			r := newRig(t, pki, limits, &Listener{Name: "edge", Mode: HTTP, Routes: []*Route{{Name: "default", Backend: b, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}})
			conn := r.tls(protocols("http/1.1"))
			go io.WriteString(conn, test.request)
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != test.status {
				t.Errorf("%s, want %d", response.Status, test.status)
			}
			conn.Close()
			got := r.record().HTTP
			if len(got.Failures) != 1 || got.Failures[0].Type != test.kind || got.Failures[0].Status != test.status ||
				!slices.Equal(got.Statuses, []inspect.HTTPStatus{{Code: test.status, Count: 1}}) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// A client that goes in the middle of its body leaves no mark on the backend.
func TestHTTPModeTellsClientsThatGo(t *testing.T) {
	pki := certstest.New(t)
	began := make(chan struct{})
	b := httpBackend(t, pki, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		io.Copy(io.Discard, r.Body)
	}), false, false)
	r := inHTTPMode(t, pki, b)
	conn := r.tls(protocols("http/1.1"))
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 10\r\n\r\nhalf", testName)
	<-began
	conn.Close()
	if got := r.record().HTTP; len(got.Failures) != 0 || len(got.Statuses) != 0 || got.Requests != 1 {
		t.Errorf("%+v", got)
	}
}

// A client that is still sending when it is answered has broken no rule.
func TestHTTPModeBlamesNobodyForWhatIsOnItsWay(t *testing.T) {
	pki := certstest.New(t)
	b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }), false, true)
	r := inHTTPMode(t, pki, b)
	c := rawHTTP2(r)
	c.headers(1, plainFields("POST", "/"), false)
	c.flush()
	if got := c.outcome(1); got != "401" {
		t.Error(got)
	}
	for range 10 {
		c.WriteData(1, false, []byte("more"))
	}
	c.headers(3, plainFields("GET", "/"), true)
	c.flush()
	if got := c.outcome(3); got != "401" {
		t.Error(got)
	}
	c.Close()
	if got := r.record().HTTP; len(got.Failures) != 0 {
		t.Errorf("%+v", got)
	}
}

// A connection of HTTP/2 that ends for its idleness has no request that was slow, whatever frames came behind the last one.
func TestHTTPModeBlamesNobodyForIdleness(t *testing.T) {
	pki := certstest.New(t)
	b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "fine") }), false, true)
	limits := shortLimits()
	limits.Timeouts.Idle = 3 * time.Second // it begins before the request
	r := newRig(t, pki, limits, &Listener{Name: "edge", Mode: HTTP, Routes: []*Route{{Name: "default", Backend: b, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}})
	c := rawHTTP2(r)
	c.headers(1, plainFields("GET", "/"), true)
	c.flush()
	if got := c.outcome(1); got != "200 OK" {
		t.Error(got)
	}
	c.WriteWindowUpdate(0, 4)
	c.flush()
	if got := r.record().HTTP; len(got.Failures) != 0 {
		t.Errorf("%+v", got)
	}
}

// Failures of the backend that have a name of their own.
func TestHTTPModeNamesFailuresOfBackends(t *testing.T) {
	pki := certstest.New(t)
	large := tlsBackend(t, pki, func(c *tls.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 200 OK\r\nX: "+repeat("x", 300<<10)+"\r\n\r\n")
	})
	resets := httpBackend(t, pki, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), false, true)
	resets.Protocol = HTTP2
	for want, b := range map[inspect.HTTPFailureType]*Backend{inspect.HTTPLargeHeader: large, inspect.HTTPStreamReset: resets} {
		r := inHTTPMode(t, pki, b)
		response, _ := fetch(t, httpClient(t, r, false), get(t, "https://"+testName+"/"))
		if got := r.record().HTTP.Failures; response.StatusCode != 502 || len(got) != 1 || got[0].Type != want {
			t.Errorf("%s: %s, %+v", want, response.Status, got)
		}
	}
}

// Redirects to plain HTTP are a loop, too, also where other requests come in between.
func TestHTTPModeNotesLoopsAmongOthers(t *testing.T) {
	pki := certstest.New(t)
	b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			w.Header().Set("Location", "http://"+r.Host+r.RequestURI)
			w.WriteHeader(http.StatusFound)
		}
	}), true, false)
	r := inHTTPMode(t, pki, b)
	c := httpClient(t, r, true)
	for range 4 {
		fetch(t, c, get(t, "https://"+testName+"/login?token=secret"))
		fetch(t, c, get(t, "https://"+testName+"/favicon.ico"))
	}
	got := r.recordOf(c).HTTP
	if len(got.Failures) != 1 || got.Failures[0].Type != inspect.HTTPRedirectLoop || strings.Contains(got.Failures[0].Message, "secret") {
		t.Errorf("%+v", got)
	}
}

// Only one connection of many is misdirected: the others go on.
func TestHTTPModeKeepsConnectionsThatAreMisdirected(t *testing.T) {
	pki := certstest.New(t)
	b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) }), false, true)
	r := inHTTPMode(t, pki, b, func(l *Listener) {
		l.Routes = append(l.Routes, &Route{Name: "other", ServerNames: []string{"other.example"}, Backend: b, GetCertificate: l.Routes[0].GetCertificate})
	})
	c := httpClient(t, r, true)
	for _, host := range []string{testName, "other.example", testName} {
		request := get(t, "https://"+testName+"/")
		request.Host = host
		fetch(t, c, request)
	}
	if got := r.recordOf(c).HTTP; got.Requests != 3 || len(got.Failures) != 1 {
		t.Errorf("%+v", got)
	}
}

// Requests that come together share one connection to a backend that speaks HTTP/2.
func TestHTTPModeOpensOneConnectionForManyRequests(t *testing.T) {
	pki := certstest.New(t)
	const n = 30
	var all sync.WaitGroup
	all.Add(n)
	b := httpBackend(t, pki, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		all.Done()
		all.Wait() // they are all there at once
	}), false, true)
	r := inHTTPMode(t, pki, b)
	c := rawHTTP2(r)
	for stream := range uint32(n) {
		c.headers(1+2*stream, plainFields("GET", "/"), true)
	}
	c.flush()
	if got := c.outcome(1); got != "200 OK" {
		t.Error(got)
	}
	c.Conn.NetConn().Close()
	if got := r.record().HTTP; got.Requests != n || got.BackendConnections != 1 {
		t.Errorf("%d requests over %d connections", got.Requests, got.BackendConnections)
	}
}

// Each request of a connection is told of once, in the record's terms.
func TestHTTPModeTellsOfEachRequest(t *testing.T) {
	pki := certstest.New(t)
	b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "four")
	}), false, true)
	for _, h2 := range []bool{false, true} {
		requests := make(chan *inspect.HTTPRequest, 10)
		r := &rig{t: t, pki: pki, records: make(chan *inspect.Connection, 10)}
		r.server = &Server{
			Limits: shortLimits(), OnConnection: func(c *inspect.Connection) { r.records <- c }, OnRequest: func(q *inspect.HTTPRequest) { requests <- q },
		}
		l := &Listener{Name: "edge", Address: "127.0.0.1:0", Mode: HTTP, Routes: []*Route{{Name: "default", Backend: b, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}}
		if err := r.server.Start([]*Listener{l}); err != nil {
			t.Fatal(err)
		}
		r.address = r.at(l)
		c := httpClient(t, r, h2)
		request := get(t, "https://"+testName+"/path?q=1")
		request.Method, request.Body, request.ContentLength = http.MethodPut, io.NopCloser(strings.NewReader("body12")), 6
		request.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		request.Header.Set("User-Agent", "test")
		fetch(t, c, request)
		q, record := <-requests, r.recordOf(c)
		if q.EventID != record.Event.ID || q.RequestID != record.Event.ID+"-1" || q.Number != 1 || q.Method != "PUT" || q.Path != "/path" || q.Query != "q=1" ||
			q.Status != 200 || q.BackendStatus != 200 || q.BytesReceived != 6 || q.BytesSent != 4 || q.Host != testName || q.ServerName != testName ||
			q.TraceID != "0af7651916cd43dd8448eb211c80319c" || q.Listener != "edge" || q.Route != "default" || q.UserAgent != "test" || q.Failure != "" || q.Aborted {
			t.Errorf("%+v", q)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		if err := r.server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		cancel()
	}
}

// What goes over a connection behind a switch of protocols is counted with the request that asked for it, also what came with the request.
func TestHTTPModeCountsWhatGoesBehindASwitch(t *testing.T) {
	pki := certstest.New(t)
	b := tlsBackend(t, pki, func(c *tls.Conn) {
		reader := bufio.NewReader(c)
		if _, err := http.ReadRequest(reader); err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello")
		io.Copy(c, reader)
	})
	requests := make(chan *inspect.HTTPRequest, 1)
	r := &rig{t: t, pki: pki, records: make(chan *inspect.Connection, 1)}
	r.server = &Server{
		Limits: shortLimits(), OnConnection: func(c *inspect.Connection) { r.records <- c }, OnRequest: func(q *inspect.HTTPRequest) { requests <- q },
	}
	l := &Listener{Address: "127.0.0.1:0", Mode: HTTP, Routes: []*Route{{Name: "default", Backend: b, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}}
	if err := r.server.Start([]*Listener{l}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		r.server.Shutdown(ctx)
	})
	r.address = r.at(l)
	conn := r.tls(protocols("http/1.1"))
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nEARLY", testName)
	reader := bufio.NewReader(conn)
	if response, err := http.ReadResponse(reader, nil); err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(response, err)
	}
	const much = 3 << 20
	go func() {
		io.WriteString(conn, repeat("x", much))
		conn.CloseWrite()
	}()
	if n, err := io.Copy(io.Discard, reader); err != nil || n != int64(len("helloEARLY")+much) {
		t.Fatalf("%d bytes, %v", n, err)
	}
	conn.Close()
	if q := <-requests; q.Status != http.StatusSwitchingProtocols || q.BytesReceived != int64(len("EARLY")+much) || q.BytesSent != int64(len("helloEARLY")+much) {
		t.Errorf("%+v", q)
	}
}

// The empty line that some clients begin with may come in pieces, and is no request.
func TestHTTPModePassesOverAnEmptyLine(t *testing.T) {
	pki := certstest.New(t)
	r := inHTTPMode(t, pki, httpBackend(t, pki, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), false, true))
	conn := r.tls(protocols("http/1.1"))
	for _, piece := range []string{"\r", "\n", "G", "ET / HTTP/1.1\r\nHost: " + testName + "\r\n\r\n"} { // each is a record of its own
		if _, err := io.WriteString(conn, piece); err != nil {
			t.Fatal(err)
		}
	}
	if response, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("%v %v", response, err)
	}
	conn.Close()
	if got := r.record().HTTP; got.Requests != 1 || len(got.Failures) != 0 {
		t.Errorf("%+v", got)
	}
}

// Whoever does not keep up with the requests loses some; nobody waits.
func TestRequestsAreDroppedRatherThanWaitedFor(t *testing.T) {
	var l requestLog
	stop := make(chan struct{})
	told := 0
	l.start(func(*inspect.HTTPRequest) { <-stop; told++ })
	for range requestQueue + 100 {
		l.add(new(inspect.HTTPRequest))
	}
	dropped := l.dropped.Load()
	close(stop)
	l.end()
	if dropped < 99 || told+int(dropped) != requestQueue+100 {
		t.Errorf("%d told, %d dropped", told, dropped)
	}
}

func TestTraceIDs(t *testing.T) {
	const id = "0af7651916cd43dd8448eb211c80319c"
	for said, want := range map[string]string{
		"00-" + id + "-b7ad6b7169203331-01": id, "01-" + id + "-b7ad6b7169203331-01-more": id, "00-" + id + "-b7ad6b7169203331-01-more": "",
		"ff-" + id + "-b7ad6b7169203331-01": "", "00-" + strings.Repeat("0", 32) + "-b7ad6b7169203331-01": "", "00-" + id + "-0000000000000000-01": "",
		"00-" + strings.ToUpper(id) + "-b7ad6b7169203331-01": "", "": "", "00": "", "01-" + id + "-b7ad6b7169203331-01x": "",
	} {
		if got := traceID([]string{said}); got != want {
			t.Errorf("%q: %q, want %q", said, got, want)
		}
	}
	if traceID([]string{"00-" + id + "-b7ad6b7169203331-01", "x"}) != "" || isRequestID("a b") || isRequestID("") || isRequestID(strings.Repeat("a", maxRequestID+1)) || !isRequestID("a-1") {
		t.Error("what is no id is taken for one")
	}
}
