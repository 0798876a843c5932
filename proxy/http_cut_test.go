package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// answers is a backend that reads a request and answers with bytes; end ends the connection, or leaves that to be.
func answers(answer string, end func(*tls.Conn)) func(*tls.Conn) {
	return func(c *tls.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			return
		}
		io.WriteString(c, answer)
		end(c)
		io.Copy(io.Discard, c)
	}
}

func cutTCP(c *tls.Conn) { c.NetConn().Close() }

// cutRecord ends TCP behind half a record.
func cutRecord(c *tls.Conn) {
	c.NetConn().Write([]byte{23, 3, 3, 0, 99, 1, 2, 3})
	c.NetConn().Close()
}

// What the backend sent before it failed reaches the client, and never looks complete.
func TestHTTPModeSendsOnWhatCameOfAnAnswer(t *testing.T) {
	pki := certstest.New(t)
	closes := func(c *tls.Conn) { c.Close() }
	for _, tt := range []struct {
		name, answer, body string
		end                func(*tls.Conn)
		whole              bool
		want               inspect.HTTPFailureType
	}{
		{"less than its length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "abc", closes, false, inspect.HTTPClosed},
		{"a chunk that is none", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n", "abc", closes, false, inspect.HTTPBadResponse},
		{"without length, without close_notify", "HTTP/1.1 200 OK\r\n\r\nabc", "abc", cutTCP, true, ""},
		{"without length, cut within a record", "HTTP/1.1 200 OK\r\n\r\nabc", "abc", cutRecord, false, inspect.HTTPClosed},
		{"without length, with close_notify", "HTTP/1.1 200 OK\r\n\r\nabc", "abc", closes, true, ""},
		{"of its length, without close_notify", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc", cutTCP, true, ""},
	} {
		for _, client := range []string{"HTTP/1.1", "HTTP/1.0", "HTTP/2.0"} {
			t.Run(tt.name+" "+client, func(t *testing.T) {
				r := inHTTPMode(t, pki, tlsBackend(t, pki, answers(tt.answer, tt.end)))
				var got *http.Response
				var err error
				h2 := httpClient(t, r, true)
				if client == "HTTP/2.0" {
					got, err = h2.Do(get(t, "https://"+testName+"/"))
				} else {
					conn := r.tls(protocols("http/1.1"))
					defer conn.Close()
					fmt.Fprintf(conn, "GET / %s\r\nHost: %s\r\nConnection: close\r\n\r\n", client, testName)
					got, err = http.ReadResponse(bufio.NewReader(conn), nil)
				}
				if err != nil {
					t.Fatal("not even a header: ", err)
				}
				body, err := io.ReadAll(got.Body)
				if got.StatusCode != http.StatusOK || string(body) != tt.body {
					t.Errorf("%s %q", got.Status, body)
				}
				// Go takes an end without close_notify for a whole answer where nothing else tells: then the record is the only witness.
				untold := client == "HTTP/1.0" || client == "HTTP/1.1" && strings.HasPrefix(tt.name, "without length")
				if complete := err == nil; complete != tt.whole && !untold {
					t.Errorf("the client takes it for whole: %v (%v)", complete, err)
				}
				got.Body.Close()
				record := r.recordOf(h2)
				if tt.want == "" && len(record.HTTP.Failures) > 0 || tt.want != "" && (len(record.HTTP.Failures) != 1 || record.HTTP.Failures[0].Type != tt.want) {
					t.Errorf("%+v, want %s", record.HTTP.Failures, tt.want)
				}
				if doubt := tt.name == "without length, without close_notify"; record.BackendLeg.OpenEnded != doubt {
					t.Errorf("open_ended is %v (%s)", record.BackendLeg.OpenEnded, record.BackendLeg.PeerEnd)
				}
			})
		}
	}
}

// Nothing but close_notify says that an answer without a length is whole. A client of HTTP/1 gets it in the form in which it came: what the
// backend's own clients take, it can take, too.
func TestHTTPModeEndsAnAnswerAsTheBackendDid(t *testing.T) {
	pki := certstest.New(t)
	for _, tt := range []struct {
		version string
		body    string
		whole   bool
	}{
		{"1.0", "abc", false}, {"1.0", "abc", true}, {"1.1", "abc", false}, {"1.1", repeat("abc", 10_000), false}, {"1.1", repeat("abc", 10_000), true}, {"1.1", "", false},
	} {
		end := cutTCP
		if tt.whole {
			end = func(c *tls.Conn) { c.Close() }
		}
		r := inHTTPMode(t, pki, tlsBackend(t, pki, answers("HTTP/1.0 200 OK\r\n\r\n"+tt.body, end)))
		client := &closeWatch{Conn: dialTCP(t, r.address)}
		conn := tls.Client(client, r.clientConfig(protocols("http/1.1")))
		fmt.Fprintf(conn, "GET / HTTP/%s\r\nHost: %s\r\n\r\n", tt.version, testName)
		got, _ := io.ReadAll(conn)
		header, body, _ := strings.Cut(string(got), "\r\n\r\n")
		if body != tt.body || strings.Contains(header, "chunked") || strings.Contains(header, "Content-Length") || tt.version == "1.1" && !strings.Contains(header, "Connection: close") {
			t.Errorf("HTTP/%s: %s, and %d bytes", tt.version, header, len(body))
		}
		if client.ended == tt.whole {
			t.Errorf("HTTP/%s, whole %v: the end of TCP was read: %v", tt.version, tt.whole, client.ended)
		}
		conn.Close()
		record := r.record()
		if record.BackendLeg.OpenEnded == tt.whole || len(record.HTTP.Failures) > 0 || !tt.whole && record.Event.End != inspect.EndedByBackend {
			t.Errorf("HTTP/%s, whole %v: open_ended %v, end %q, %+v", tt.version, tt.whole, record.BackendLeg.OpenEnded, record.Event.End, record.HTTP.Failures)
		}
	}
}

// Of several connections to the backend, the one whose answer is in doubt is that of the record.
func TestHTTPModeRecordsTheDoubtOfALaterAnswer(t *testing.T) {
	pki := certstest.New(t)
	var asked atomic.Int32
	r := inHTTPMode(t, pki, tlsBackend(t, pki, func(c *tls.Conn) {
		if asked.Add(1) == 1 {
			answers("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc", func(c *tls.Conn) { c.Close() })(c)
		} else {
			answers("HTTP/1.0 200 OK\r\n\r\nabc", cutTCP)(c)
		}
	}))
	client := httpClient(t, r, true)
	for range 2 {
		if response, body := fetch(t, client, get(t, "https://"+testName+"/")); response.StatusCode != http.StatusOK || body != "abc" {
			t.Errorf("%s %q", response.Status, body)
		}
	}
	record := r.recordOf(client)
	if leg := record.BackendLeg; !leg.OpenEnded || leg.PeerEnd != inspect.PeerTruncated || leg.TLS == nil || !leg.Established() || leg.TLS.Server == nil || leg.TCP == nil {
		t.Errorf("%+v", leg)
	}
}

// closeWatch notes whether the end of TCP was read, which nobody does behind a close_notify.
type closeWatch struct {
	net.Conn
	ended bool
}

func (w *closeWatch) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.ended = w.ended || err != nil
	return n, err
}

// A header or a piece of a body that waits for more does not wait long.
func TestHTTPModeDoesNotHoldAnswersBack(t *testing.T) {
	pki := certstest.New(t)
	for _, h2 := range []bool{false, true} {
		goOn := make(chan struct{})
		b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "8")
			w.WriteHeader(http.StatusOK)
			for _, piece := range []string{"", "once", "more"} {
				io.WriteString(w, piece)
				http.NewResponseController(w).Flush()
				<-goOn
			}
		}), false, true)
		r := inHTTPMode(t, pki, b)
		response, err := httpClient(t, r, h2).Do(get(t, "https://"+testName+"/"))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"once", "more"} {
			goOn <- struct{}{}
			got := make([]byte, 4)
			if _, err := io.ReadFull(response.Body, got); err != nil || string(got) != want {
				t.Errorf("%q, %v", got, err)
			}
		}
		goOn <- struct{}{}
		response.Body.Close()
	}
}

// An answer without a Content-Type stays without one.
func TestHTTPModeGuessesNoContentType(t *testing.T) {
	pki := certstest.New(t)
	for _, h2 := range []bool{false, true} {
		r := inHTTPMode(t, pki, tlsBackend(t, pki, answers("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", func(*tls.Conn) {})))
		response, body := fetch(t, httpClient(t, r, h2), get(t, "https://"+testName+"/"))
		if kind, ok := response.Header["Content-Type"]; ok || body != "<html>" {
			t.Errorf("h2 %v: %q, %q", h2, kind, body)
		}
	}
}

// A connection that ends in the middle of a header is closed, not a bad answer.
func TestHTTPModeTellsACutHeader(t *testing.T) {
	pki := certstest.New(t)
	closes := func(c *tls.Conn) { c.Close() }
	for _, tt := range []struct {
		answer string
		end    func(*tls.Conn)
		want   inspect.HTTPFailureType
	}{
		{"HTTP/1.1 200 OK\r\nContent-Le", closes, inspect.HTTPClosed},
		{"HTTP/1.1 200 OK\r\nContent-Le\r\n\r\n", func(*tls.Conn) {}, inspect.HTTPBadResponse},
		{"HTTP/1.1 200 OK\r\nContent-Le\r\n\r\n", closes, inspect.HTTPBadResponse}, // the header is whole
		{"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n", closes, inspect.HTTPClosed},
	} {
		answer, want := tt.answer, tt.want
		r := inHTTPMode(t, pki, tlsBackend(t, pki, answers(answer, tt.end)))
		request := get(t, "https://"+testName+"/")
		request.Method = http.MethodPost // which is asked once only
		if response, _ := fetch(t, httpClient(t, r, false), request); response.StatusCode != http.StatusBadGateway {
			t.Errorf("%q: %s", answer, response.Status)
		}
		if got := r.record().HTTP.Failures; len(got) != 1 || got[0].Type != want {
			t.Errorf("%q: %+v, want %s", answer, got, want)
		}
	}
}

// What a client says of itself is taken away wherever and however it says it.
func TestHTTPModeBelievesNoTrailersAndNoUnderscores(t *testing.T) {
	pki := certstest.New(t)
	seen := make(chan http.Header, 1)
	trailers := make(chan http.Header, 1)
	b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header
		io.Copy(io.Discard, r.Body)
		trailers <- r.Trailer
	}), false, true)
	for _, protocol := range []HTTPProtocol{HTTP1, HTTP2} {
		b.Protocol = protocol
		r := inHTTPMode(t, pki, b)
		conn := r.tls(protocols("http/1.1"))
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: %s\r\nX-Request_Id: evil\r\nX_Request-Id: evil\r\nX_REQUEST_ID: evil\r\nTransfer-Encoding: chunked\r\n"+
			"Trailer: X-Forwarded-For, X-Sum, Client-Cert, X-Request-Id\r\n\r\n3\r\nabc\r\n0\r\n"+
			"X-Forwarded-For: 6.6.6.6\r\nX-Request-Id: evil\r\nx_request_id: evil\r\nClient-Cert: :x:\r\nHost: evil\r\nX-Real-Ip: 6.6.6.6\r\nAuthorization: evil\r\nX-Sum: 1\r\n\r\n", testName)
		for name, values := range <-seen {
			if strings.Contains(strings.Join(values, " "), "evil") || strings.Contains(name, "_") {
				t.Errorf("%s: the backend was told %s: %s", protocol, name, values)
			}
		}
		if got := <-trailers; len(got) != 1 || !slices.Equal(got["X-Sum"], []string{"1"}) {
			t.Errorf("%s: trailers %v", protocol, got)
		}
		conn.Close()
		r.record()
	}
}

// Trailers that nobody announced are passed on, too.
func TestHTTPModeCarriesTrailersThatWereNotAnnounced(t *testing.T) {
	pki := certstest.New(t)
	got := make(chan string, 1)
	r := inHTTPMode(t, pki, tlsBackend(t, pki, func(c *tls.Conn) {
		request, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		io.Copy(io.Discard, request.Body)
		got <- request.Trailer.Get("X-Sum") // which net/http's own reader takes as it comes
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	}))
	conn := r.tls(protocols("http/1.1"))
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n", testName)
	if sum := <-got; sum != "1" {
		t.Errorf("%q", sum)
	}
}

// What a client sends right behind its wish to switch protocols is part of the new one.
func TestHTTPModeKeepsWhatComesBehindASwitch(t *testing.T) {
	pki := certstest.New(t)
	r := inHTTPMode(t, pki, tlsBackend(t, pki, func(c *tls.Conn) {
		reader := bufio.NewReader(c)
		if _, err := http.ReadRequest(reader); err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		io.Copy(c, reader)
	}))
	conn := r.tls(protocols("http/1.1"))
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nEARLY", testName)
	reader := bufio.NewReader(conn)
	if response, err := http.ReadResponse(reader, nil); err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(response, err)
	}
	io.WriteString(conn, "LATE")
	got := make([]byte, len("EARLYLATE"))
	conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(reader, got); err != nil || string(got) != "EARLYLATE" {
		t.Errorf("%q, %v", got, err)
	}
}

// A client of HTTP/2 that waits with its body is answered by the backend, not by us.
func TestHTTPModePassesOnExpectOverHTTP2(t *testing.T) {
	pki := certstest.New(t)
	for _, protocol := range []HTTPProtocol{HTTP1, HTTP2} {
		var took atomic.Int64
		b := httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/deny" {
				w.WriteHeader(http.StatusExpectationFailed)
				return
			}
			n, _ := io.Copy(io.Discard, r.Body)
			took.Add(n)
		}), false, true)
		b.Protocol = protocol
		r := inHTTPMode(t, pki, b)
		c := httpClient(t, r, true)
		c.Transport.(*http.Transport).ExpectContinueTimeout = patience
		for path, want := range map[string]int{"/deny": http.StatusExpectationFailed, "/take": http.StatusOK} {
			var sent atomic.Int64
			request := get(t, "https://"+testName+path)
			request.Method, request.ContentLength = http.MethodPost, 1000
			request.Body = io.NopCloser(&counted{strings.NewReader(repeat("x", 1000)), &sent})
			request.Header.Set("Expect", "100-continue")
			response, _ := fetch(t, c, request)
			if response.StatusCode != want || path == "/deny" && sent.Load() > 0 {
				t.Errorf("%s %s: %s, %d bytes were sent", protocol, path, response.Status, sent.Load())
			}
		}
		if took.Load() != 1000 {
			t.Errorf("%s: the backend got %d bytes", protocol, took.Load())
		}
	}
}

type counted struct {
	io.Reader
	n *atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// http2Backend answers what comes by frames of its own: refuse is called for each request, with the number of the connection.
func http2Backend(t *testing.T, pki *certstest.PKI, answer func(f *http2.Framer, stream uint32, connection int32) (goOn bool)) *Backend {
	var accepted atomic.Int32
	b := tlsBackend(t, pki, func(c *tls.Conn) {
		number := accepted.Add(1)
		if c.Handshake() != nil {
			return
		}
		io.ReadFull(c, make([]byte, len(http2.ClientPreface)))
		f := http2.NewFramer(c, c)
		f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
		f.WriteWindowUpdate(0, 1<<20)
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			switch frame := frame.(type) {
			case *http2.SettingsFrame:
				if !frame.IsAck() {
					f.WriteSettingsAck()
				}
			case *http2.HeadersFrame:
				if frame.StreamEnded() && !answer(f, frame.StreamID, number) {
					return
				}
			case *http2.DataFrame:
				if frame.StreamEnded() && !answer(f, frame.StreamID, number) {
					return
				}
			}
		}
	}, protocols("h2"))
	b.Protocol = HTTP2
	return b
}

func wellAnswered(f *http2.Framer, stream uint32) {
	var block bytes.Buffer
	hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true})
}

// A backend that refuses every stream does not keep a client waiting for longer than the time for an answer.
func TestHTTPModeBoundsRefusedStreams(t *testing.T) {
	pki := certstest.New(t)
	b := http2Backend(t, pki, func(f *http2.Framer, stream uint32, _ int32) bool {
		f.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
		return true
	})
	limits := shortLimits()
	limits.Timeouts.Response = 500 * time.Millisecond
	r := newRig(t, pki, limits, &Listener{Name: "edge", Mode: HTTP, Routes: []*Route{{Name: "default", Backend: b, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}})
	for _, h2 := range []bool{false, true} {
		if response, _ := fetch(t, httpClient(t, r, h2), get(t, "https://"+testName+"/")); response.StatusCode != http.StatusGatewayTimeout {
			t.Errorf("h2 %v: %s", h2, response.Status)
		}
		if got := r.record().HTTP.Failures; len(got) != 1 || got[0].Type != inspect.HTTPTimeout {
			t.Errorf("h2 %v: %+v", h2, got)
		}
	}
}

// A request that a backend did not process before it ended the connection is sent again, body and all.
func TestHTTPModeSendsUnprocessedRequestsAgain(t *testing.T) {
	pki := certstest.New(t)
	for size, want := range map[int]int{10: http.StatusOK, maxRepeated: http.StatusOK, maxRepeated + 1: http.StatusBadGateway} {
		b := http2Backend(t, pki, func(f *http2.Framer, stream uint32, connection int32) bool {
			if connection == 1 {
				f.WriteGoAway(0, http2.ErrCodeNo, nil)
				return true // the peer closes it
			}
			wellAnswered(f, stream)
			return true
		})
		r := inHTTPMode(t, pki, b)
		request := get(t, "https://"+testName+"/")
		request.Method, request.Body, request.ContentLength = http.MethodPost, io.NopCloser(strings.NewReader(repeat("x", size))), int64(size)
		c := httpClient(t, r, true)
		if response, _ := fetch(t, c, request); response.StatusCode != want {
			t.Errorf("%d bytes: %s, want %d", size, response.Status, want)
		}
		if got := r.recordOf(c).HTTP.Failures; want != http.StatusOK && (len(got) != 1 || got[0].Type != inspect.HTTPClosed) {
			t.Errorf("%d bytes: %+v", size, got)
		}
	}
}
