package proxy

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// httpBackend is a backend that serves HTTP with net/http, over TLS with the given protocols or in the clear.
func httpBackend(t *testing.T, pki *certstest.PKI, handler http.Handler, plain, h2 bool) *Backend {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = discardLog
	s.Config.DisableGeneralOptionsHandler = true
	if plain {
		s.Start()
	} else {
		s.EnableHTTP2 = h2
		s.TLS = &tls.Config{GetCertificate: serves(pki.Make(certstest.Healthy, testName))}
		s.StartTLS()
	}
	t.Cleanup(s.Close)
	return &Backend{Address: s.Listener.Addr().String(), Plain: plain}
}

// inHTTPMode is a proxy in HTTP mode before a backend.
func inHTTPMode(t *testing.T, pki *certstest.PKI, backend *Backend, edit ...func(*Listener)) *rig {
	return bridged(t, pki, backend, append([]func(*Listener){func(l *Listener) { l.Mode = HTTP }}, edit...)...)
}

// httpClient is a client of the proxy in HTTP/1.1 or HTTP/2; everything it asks goes there.
func httpClient(t *testing.T, r *rig, h2 bool) *http.Client {
	t.Helper()
	var protocols http.Protocols
	protocols.SetHTTP1(!h2)
	protocols.SetHTTP2(h2)
	transport := &http.Transport{
		Protocols:       &protocols,
		TLSClientConfig: r.clientConfig(),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", r.address)
		},
		DisableCompression: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// recordOf is the next record, once clients have gone. A connection is idle, and can be closed, only a moment after its last answer was read.
func (r *rig) recordOf(clients ...*http.Client) *inspect.Connection {
	r.t.Helper()
	var record *inspect.Connection
	r.eventually("a record", func() bool {
		for _, c := range clients {
			c.CloseIdleConnections()
		}
		select {
		case record = <-r.records:
			return true
		default:
			return false
		}
	})
	return record
}

func fetch(t *testing.T, c *http.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func get(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHTTPModeCarriesRequests(t *testing.T) {
	pki := certstest.New(t)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "X-End")
		fmt.Fprintf(w, "%s %s %s %d %s", r.Proto, r.Method, r.Host, len(body), r.Header.Get("X-Forwarded-Proto"))
		w.Header().Set("X-End", "here")
	})
	for _, h2 := range []bool{false, true} {
		for _, backend := range []struct {
			plain, h2 bool
			protocol  HTTPProtocol
			want      string // what the backend is asked in
		}{
			{want: "HTTP/1.1"}, {h2: true, want: map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[h2]},
			{h2: true, protocol: HTTP1, want: "HTTP/1.1"}, {h2: true, protocol: HTTP2, want: "HTTP/2.0"}, {plain: true, want: "HTTP/1.1"},
		} {
			t.Run(fmt.Sprintf("h2 %v, backend %+v", h2, backend), func(t *testing.T) {
				b := httpBackend(t, pki, handler, backend.plain, backend.h2)
				b.Protocol = backend.protocol
				r := inHTTPMode(t, pki, b)
				c := httpClient(t, r, h2)
				for range 3 {
					request := get(t, "https://"+testName+"/path?q=1")
					request.Method, request.Body = http.MethodPost, io.NopCloser(strings.NewReader(repeat("x", 100_000)))
					response, body := fetch(t, c, request)
					if want := fmt.Sprintf("%s POST %s 100000 https", backend.want, testName); body != want {
						t.Errorf("%q, want %q", body, want)
					}
					if response.Trailer.Get("X-End") != "here" || response.ProtoMajor != map[bool]int{false: 1, true: 2}[h2] {
						t.Errorf("%s, trailers %v", response.Proto, response.Trailer)
					}
				}
				record := r.recordOf(c)
				wantOutcome(t, record, inspect.Success)
				got := record.HTTP
				if got == nil || got.Requests != 3 || got.BackendConnections != 1 || got.BackendProtocol != backend.want || len(got.Failures) > 0 ||
					!slices.Equal(got.Statuses, []inspect.HTTPStatus{{Code: 200, Count: 3}}) {
					t.Errorf("%+v", got)
				}
				if !backend.plain && (record.BackendLeg.TCP == nil || record.BackendLeg.TLS.Version != "TLSv1.3") {
					t.Errorf("backend leg %+v", record.BackendLeg)
				}
			})
		}
	}
}

func TestHTTPModeTellsTheBackendWhoAsks(t *testing.T) {
	pki := certstest.New(t)
	seen := make(chan http.Header, 1)
	b := httpBackend(t, pki, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header }), false, false)
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for _, trusted := range []bool{false, true} {
		r := inHTTPMode(t, pki, b, func(l *Listener) {
			if trusted {
				l.ForwardedTrusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
			}
		})
		request := get(t, "https://"+testName+"/")
		request.Header = http.Header{
			"X-Forwarded-For": {"10.9.9.9"}, "X_forwarded_for": {"10.9.9.8"}, "Forwarded": {"for=10.9.9.9"}, "X-Real-Ip": {"10.9.9.9"},
			"X-Forwarded-Proto": {"http"}, "Connection": {"X-Forwarded-Host, x-real-ip"}, "Traceparent": {trace}, "X-Request-Id": {"mine"},
		}
		fetch(t, httpClient(t, r, false), request)
		got := <-seen
		want := map[string]string{
			"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": testName, "X-Real-Ip": "127.0.0.1",
			"Forwarded": `for=127.0.0.1;proto=https;host="` + testName + `"`, "Traceparent": trace,
		}
		if trusted {
			want["X-Forwarded-For"], want["Forwarded"] = "10.9.9.9, 127.0.0.1", "for=10.9.9.9, "+want["Forwarded"]
			want["X-Forwarded-Proto"], want["X-Real-Ip"], want["X-Request-Id"] = "http", "10.9.9.9", "mine"
		} else if id := got.Get("X-Request-Id"); !strings.HasSuffix(id, "-1") {
			t.Errorf("X-Request-Id %q of a client that is not trusted", id)
		}
		for name, value := range want {
			if strings.Join(got[name], "|") != value {
				t.Errorf("trusted %v: %s: %q, want %q", trusted, name, got[name], value)
			}
		}
		if _, ok := got["X_forwarded_for"]; ok {
			t.Error("a header that CGI takes for X-Forwarded-For reached the backend")
		}
	}
}

// TestHTTPModeTellsTheClientOfFailures has a backend fail in each of its ways, and wants status, page and record.
func TestHTTPModeTellsTheClientOfFailures(t *testing.T) {
	pki := certstest.New(t)
	raw := func(answer func(*tls.Conn)) *Backend {
		return tlsBackend(t, pki, func(c *tls.Conn) {
			http.ReadRequest(bufio.NewReader(c))
			answer(c)
		})
	}
	for _, test := range []struct {
		name    string
		backend *Backend
		status  int
		kind    inspect.HTTPFailureType
	}{
		{"refused", &Backend{Address: freePort(t)}, 502, inspect.HTTPBackendLeg},
		{"closes", raw(func(*tls.Conn) {}), 502, inspect.HTTPClosed},
		{"resets", raw(func(c *tls.Conn) {
			c.NetConn().(*net.TCPConn).SetLinger(0)
			c.NetConn().Close()
		}), 502, inspect.HTTPReset},
		{"speaks another protocol", raw(func(c *tls.Conn) { io.WriteString(c, "220 mail.example ESMTP\r\n") }), 502, inspect.HTTPBadResponse},
		{"breaks TLS", raw(func(c *tls.Conn) {
			c.NetConn().Write(append([]byte{23, 3, 3, 0, 32}, make([]byte, 32)...))
			io.Copy(io.Discard, c.NetConn())
		}), 502, inspect.HTTPAlert},
		{"answers too late", raw(discard), 504, inspect.HTTPTimeout},
	} {
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, h2 %v", test.name, h2), func(t *testing.T) {
				limits := shortLimits()
				if test.kind == inspect.HTTPTimeout {
					limits.Timeouts.Response = 500 * time.Millisecond
				}
				r := newRig(t, pki, limits, &Listener{Name: "edge", Mode: HTTP, Routes: []*Route{{Name: "default", Backend: test.backend, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}})
				request := get(t, "https://"+testName+"/")
				request.Method = http.MethodPost // which is never sent twice
				response, body := fetch(t, httpClient(t, r, h2), request)
				record := r.record()
				if response.StatusCode != test.status || response.Header.Get(RecordIDHeader) != record.Event.ID || !strings.Contains(body, record.Event.ID) {
					t.Errorf("%s %v: %s", response.Status, response.Header, body)
				}
				if got := record.HTTP; len(got.Failures) != 1 || got.Failures[0].Type != test.kind || got.Failures[0].Status != test.status {
					t.Errorf("%+v", got)
				}
				if test.kind == inspect.HTTPAlert {
					wantError(t, record.BackendLeg, inspect.ErrorAlertSent, inspect.PhaseTransfer)
					wantAlert(t, record.BackendLeg, wire.AlertBadRecordMAC, inspect.FromClient)
				}
				if failed := test.kind == inspect.HTTPBackendLeg; failed != (record.Event.Outcome == inspect.Failure) {
					t.Errorf("outcome %s", record.Event.Outcome)
				}
			})
		}
	}
}

func TestHTTPModeRefusesHostsOfOtherRoutes(t *testing.T) {
	pki := certstest.New(t)
	b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) }), false, true)
	r := inHTTPMode(t, pki, b, func(l *Listener) {
		other := &Route{Name: "other", ServerNames: []string{"other.example", "*.other.example"}, Backend: b, GetCertificate: l.Routes[0].GetCertificate}
		l.Routes = append(l.Routes, other)
	})
	for host, want := range map[string]int{
		testName: 200, strings.ToUpper(testName): 200, testName + ".": 200, testName + ":8443": 200, "unknown.example": 200,
		"other.example": 421, "OTHER.example": 421, "other.example.": 421, "other.example:443": 421, "a.other.example": 421, "a.OTHER.example.:1": 421,
	} {
		for _, h2 := range []bool{false, true} {
			request := get(t, "https://"+testName+"/")
			request.Host = host
			c := httpClient(t, r, h2)
			response, _ := fetch(t, c, request)
			if response.StatusCode != want {
				t.Errorf("h2 %v: %s: %s, want %d", h2, host, response.Status, want)
			}
			if record := r.recordOf(c); (want == 421) != (len(record.HTTP.Failures) == 1) {
				t.Errorf("%s: %+v", host, record.HTTP)
			}
		}
	}
	// An absolute form names its host, too.
	conn := r.tls(protocols("http/1.1"))
	fmt.Fprintf(conn, "GET https://other.example/ HTTP/1.1\r\nHost: %s\r\n\r\n", testName)
	if response, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || response.StatusCode != 421 {
		t.Errorf("%v %v", response, err)
	}
	conn.Close()
}

func TestHTTPModeCarriesWebSockets(t *testing.T) {
	pki := certstest.New(t)
	b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+r.Header.Get("Upgrade")+"\r\n\r\n")
		rw.Flush()
		io.Copy(conn, rw)
	}), false, true)
	r := inHTTPMode(t, pki, b)
	conn := r.tls(protocols("h2", "http/1.1"))
	if p := conn.ConnectionState().NegotiatedProtocol; p != "h2" {
		t.Errorf("%q", p)
	}
	conn.Close()
	r.record()
	conn = r.tls(protocols("http/1.1"))
	fmt.Fprintf(conn, "GET /socket HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", testName)
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v %v", response, err)
	}
	for _, frame := range []string{"ping", repeat("frame", 10_000)} {
		go io.WriteString(conn, frame)
		back := make([]byte, len(frame))
		if _, err := io.ReadFull(reader, back); err != nil || string(back) != frame {
			t.Fatal(err)
		}
	}
	conn.Close()
	if record := r.record(); record.HTTP.Requests != 1 || len(record.HTTP.Failures) != 0 || record.HTTP.Statuses[0].Code != 101 {
		t.Errorf("%+v", record.HTTP)
	}
}

// TestHTTPModeStreams has a backend that answers in pieces, each of which must come through before the next is sent.
func TestHTTPModeStreams(t *testing.T) {
	pki := certstest.New(t)
	next := make(chan struct{})
	b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			http.NewResponseController(w).Flush()
			<-next
		}
	}), false, true)
	for _, h2 := range []bool{false, true} {
		r := inHTTPMode(t, pki, b)
		response, err := httpClient(t, r, h2).Do(get(t, "https://"+testName+"/events"))
		if err != nil {
			t.Fatal(err)
		}
		lines := textproto.NewReader(bufio.NewReader(response.Body))
		for i := range 3 {
			if line, err := lines.ReadLine(); err != nil || line != fmt.Sprintf("data: %d", i) {
				t.Fatalf("%q %v", line, err)
			}
			lines.ReadLine()
			next <- struct{}{}
		}
		response.Body.Close()
	}
}

func TestHTTPModeAsksBeforeLargeBodies(t *testing.T) {
	pki := certstest.New(t)
	b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }), false, false)
	r := inHTTPMode(t, pki, b)
	var told sync.WaitGroup
	told.Add(1)
	request := get(t, "https://"+testName+"/")
	request = request.WithContext(httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{Got100Continue: told.Done}))
	request.Method, request.Body = http.MethodPut, io.NopCloser(strings.NewReader(repeat("x", 1000)))
	request.Header.Set("Expect", "100-continue")
	c := httpClient(t, r, false)
	c.Transport.(*http.Transport).ExpectContinueTimeout = time.Minute
	if response, _ := fetch(t, c, request); response.StatusCode != 200 {
		t.Error(response.Status)
	}
	told.Wait()
}

// A body that the backend cuts must not look complete.
func TestHTTPModeCutsWhatTheBackendCuts(t *testing.T) {
	pki := certstest.New(t)
	b := tlsBackend(t, pki, func(c *tls.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
	})
	for _, h2 := range []bool{false, true} {
		r := inHTTPMode(t, pki, b)
		c := httpClient(t, r, h2)
		if response, err := c.Do(get(t, "https://"+testName+"/")); err == nil {
			if body, err := io.ReadAll(response.Body); err == nil {
				t.Errorf("h2 %v: %q looks complete", h2, body)
			}
			response.Body.Close()
		}
		httpRecord := r.recordOf(c).HTTP
		if len(httpRecord.Failures) != 1 || httpRecord.Failures[0].Type != inspect.HTTPClosed || httpRecord.Failures[0].Status != 200 {
			t.Errorf("%+v", httpRecord)
		}
	}
}

func TestHTTPModeNotesRedirectLoops(t *testing.T) {
	pki := certstest.New(t)
	b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://"+r.Host+r.RequestURI, http.StatusMovedPermanently)
	}), true, false)
	r := inHTTPMode(t, pki, b)
	c := httpClient(t, r, false)
	for range 5 {
		fetch(t, c, get(t, "https://"+testName+"/login"))
	}
	if got := r.recordOf(c).HTTP; len(got.Failures) != 1 || got.Failures[0].Type != inspect.HTTPRedirectLoop {
		t.Errorf("%+v", got)
	}
}

func TestHTTPModeRefusesConnectAndUnknownProtocols(t *testing.T) {
	pki := certstest.New(t)
	b := httpBackend(t, pki, http.NotFoundHandler(), false, true)
	r := inHTTPMode(t, pki, b)
	conn := r.tls(protocols("http/1.1"))
	fmt.Fprintf(conn, "CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n", testName, testName)
	if response, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("%v %v", response, err)
	}
	conn.Close()
	r.record()
	if _, err := r.try(protocols("imap")); err == nil {
		t.Error("imap is taken")
	}
	record := r.record()
	wantError(t, record.ClientLeg, inspect.ErrorNoCommonALPN, inspect.PhaseDecide)
	wantAlert(t, record.ClientLeg, 120, inspect.FromServer)
}

// TestHTTPModeDrains lets a request that is being answered end, and closes connections that wait for one.
func TestHTTPModeDrains(t *testing.T) {
	pki := certstest.New(t)
	begun, finish := make(chan struct{}), make(chan struct{})
	b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			begun <- struct{}{}
			<-finish
		}
		io.WriteString(w, "done")
	}), false, true)
	for _, h2 := range []bool{false, true} {
		r := inHTTPMode(t, pki, b)
		waits := httpClient(t, r, h2)
		fetch(t, waits, get(t, "https://"+testName+"/"))
		answer := make(chan string)
		go func() {
			_, body := fetch(t, httpClient(t, r, h2), get(t, "https://"+testName+"/slow"))
			answer <- body
		}()
		<-begun
		down := make(chan error)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			down <- r.server.Shutdown(ctx)
		}()
		r.record() // of the one that waits
		finish <- struct{}{}
		if body := <-answer; body != "done" {
			t.Errorf("%q", body)
		}
		if err := <-down; err != nil {
			t.Error(err)
		}
	}
}

// TestHTTPModeTellsWhoTheClientIs wants the identity of a verified client, and nobody else's, in the header that was chosen.
func TestHTTPModeTellsWhoTheClientIs(t *testing.T) {
	pki := certstest.New(t)
	clients := newClientCertificates(pki)
	leaf := clients.good.Certificate[0]
	seen := make(chan http.Header, 1)
	b := httpBackend(t, pki, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header }), false, true)
	sum := sha256.Sum256(leaf)
	for _, test := range []struct {
		how   ClientIdentity
		shows bool
		want  map[string]string
	}{
		{"", true, nil},
		{IdentityClientCert, false, nil},
		{IdentityClientCert, true, map[string]string{"Client-Cert": ":" + base64.StdEncoding.EncodeToString(leaf) + ":"}},
		{IdentityXFCC, true, map[string]string{"X-Forwarded-Client-Cert": "Hash=" + hex.EncodeToString(sum[:]) + `;Subject="CN=good client"`}},
	} {
		r := inHTTPMode(t, pki, b, func(l *Listener) {
			l.ClientIdentity = test.how
			l.Routes[0].ClientAuth, l.Routes[0].ClientCAs = tls.VerifyClientCertIfGiven, clients.trusted
		})
		c := httpClient(t, r, false)
		if test.shows {
			presents(clients.good)(c.Transport.(*http.Transport).TLSClientConfig)
		}
		request := get(t, "https://"+testName+"/")
		request.Header = http.Header{"Client-Cert": {"forged"}, "X-Forwarded-Client-Cert": {"forged"}, "X_forwarded_client_cert": {"forged"}, "client-cert-chain": {"forged"}}
		fetch(t, c, request)
		got := <-seen
		for _, name := range identityHeaders {
			if value := strings.Join(got[name], "|"); value != test.want[name] {
				t.Errorf("%q, certificate shown %v: %s: %q, want %q", test.how, test.shows, name, value, test.want[name])
			}
		}
		if _, ok := got["X_forwarded_client_cert"]; ok {
			t.Error("a forged header reached the backend")
		}
	}
}
