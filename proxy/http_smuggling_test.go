package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/tlstriage/tlstriage/certs/certstest"
)

// seenRequest is a request as a backend reads it.
type seenRequest struct {
	Method string `json:"method"`
	Target string `json:"target"`
	Host   string `json:"host"`
	Body   string `json:"body"`
}

// hostileRequest is what a client sends, and which requests a backend may see of it: none where it must be refused. The files in
// testdata hold those of HTTP/1 as bytes and those of HTTP/2 and HTTP/3 as fields.
type hostileRequest struct {
	Name   string        `json:"name"`
	Raw    string        `json:"raw"`
	Fields [][2]string   `json:"fields"`
	Body   string        `json:"body"`
	Seen   []seenRequest `json:"seen"`
}

func hostileRequests(t *testing.T, file string) []hostileRequest {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var all []hostileRequest
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// witness is a backend that notes what it is asked, byte for byte.
type witness struct {
	mu   sync.Mutex
	seen []seenRequest
	odd  []string // what should not be
}

func (w *witness) take() ([]seenRequest, []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen, odd := w.seen, w.odd
	w.seen, w.odd = nil, nil
	return seen, odd
}

func (w *witness) note(r *http.Request, body []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, seenRequest{r.Method, r.RequestURI, r.Host, string(body)})
	for _, name := range []string{"Http2-Settings", "X_forwarded_for"} {
		if _, ok := r.Header[name]; ok {
			w.odd = append(w.odd, name)
		}
	}
	if got := r.Header["X-Forwarded-For"]; !slices.Equal(got, []string{"127.0.0.1"}) {
		w.odd = append(w.odd, fmt.Sprint("X-Forwarded-For ", got))
	}
}

// overHTTP1 reads the bytes of connections by itself: the strict reading is part of the test.
func (w *witness) overHTTP1(c *tls.Conn) {
	r := bufio.NewReader(c)
	for {
		request, err := http.ReadRequest(r)
		if err != nil {
			if rest, _ := r.Peek(r.Buffered()); !errors.Is(err, io.EOF) && len(rest) > 0 {
				w.mu.Lock()
				w.odd = append(w.odd, fmt.Sprintf("%v before %q", err, rest))
				w.mu.Unlock()
			}
			return
		}
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return // it did not come to its end, and nobody acts on it
		}
		w.note(request, body)
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	}
}

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.note(r, body)
	io.WriteString(rw, "ok")
}

// judged compares what the backend saw with what it may have seen.
func (w *witness) judged(t *testing.T, request hostileRequest, sent string) {
	t.Helper()
	seen, odd := w.take()
	if len(seen) == 0 {
		seen = nil
	}
	want := request.Seen
	if len(want) == 0 {
		want = nil
	}
	if !slices.Equal(seen, want) || len(odd) > 0 {
		t.Errorf("the backend saw %q %q, want %q; the client was told %.80q", seen, odd, want, sent)
	}
	if strings.HasPrefix(sent, "HTTP") && strings.Contains(sent, "200 OK") {
		t.Errorf("answered as if it were right: %.80q", sent)
	}
}

// What the backend sees is what the client sent, or the request is refused: in HTTP/1.1.
func TestHTTPModeSmugglesNothing(t *testing.T) {
	pki := certstest.New(t)
	all := hostileRequests(t, "requests_http1.json")
	const shards = 8 // a refusal takes half a second, in which the server waits for the client to read it
	for shard := range shards {
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("shard %d, backend h2 %v", shard, h2), func(t *testing.T) {
				t.Parallel()
				w := new(witness)
				b := tlsBackend(t, pki, w.overHTTP1)
				if h2 {
					b = httpBackend(t, pki, w, false, true)
					b.Protocol = HTTP2
				}
				limits := shortLimits()
				limits.Timeouts.RequestHeader, limits.Timeouts.RequestBody, limits.Timeouts.Idle = time.Second, time.Second, 5*time.Second
				r := newRig(t, pki, limits, &Listener{Name: "edge", Mode: HTTP, Routes: []*Route{{Name: "default", Backend: b, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}})
				for i := shard; i < len(all); i += shards {
					t.Run(all[i].Name, func(t *testing.T) { w.judged(t, all[i], w.ask(t, r, all[i])) })
				}
			})
		}
	}
}

// ask sends a request as it stands, reads the answers that are due, and returns what came behind them, when all is over.
func (w *witness) ask(t *testing.T, r *rig, request hostileRequest) string {
	conn := r.tls(protocols("http/1.1"))
	go io.WriteString(conn, request.Raw)
	reader := bufio.NewReader(conn)
	for range request.Seen { // whoever closes its side before it has its answers is taken for gone
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Error(err)
			break
		}
		io.Copy(io.Discard, response.Body)
	}
	if len(request.Seen) > 0 {
		conn.CloseWrite()
	}
	rest, _ := io.ReadAll(reader)
	conn.Close()
	r.record()
	return string(rest)
}

// The same in HTTP/2, whose fields may hold what HTTP/1 would read as lines.
func TestHTTPModeSmugglesNothingOverHTTP2(t *testing.T) {
	pki := certstest.New(t)
	for _, h2 := range []bool{false, true} {
		w := new(witness)
		b := tlsBackend(t, pki, w.overHTTP1)
		b.Protocol = HTTP1
		if h2 {
			b = httpBackend(t, pki, w, false, true)
			b.Protocol = HTTP2
		}
		r := inHTTPMode(t, pki, b)
		for _, request := range hostileRequests(t, "requests_fields.json") {
			t.Run(fmt.Sprintf("%s, backend h2 %v", request.Name, h2), func(t *testing.T) {
				conn := rawHTTP2(r)
				conn.headers(1, request.Fields, request.Body == "")
				if request.Body != "" {
					conn.WriteData(1, true, []byte(request.Body))
				}
				conn.flush()
				status := conn.outcome(1)
				conn.Close()
				r.record()
				if (status == "200 OK") != (len(request.Seen) > 0) {
					t.Errorf("the client was told %s", status)
				}
				w.judged(t, request, status)
			})
		}
	}
}

// http2Conn writes frames of HTTP/2 as a test wants them.
type http2Conn struct {
	*http2.Framer
	*tls.Conn
	t   testing.TB
	out *bufio.Writer
	enc *hpack.Encoder
	buf bytes.Buffer
}

// rawHTTP2 is a connection to the proxy behind the preface and an empty SETTINGS.
func rawHTTP2(r *rig, settings ...http2.Setting) *http2Conn {
	r.t.Helper()
	conn := r.tls(protocols("h2"))
	c := &http2Conn{Conn: conn, t: r.t, out: bufio.NewWriterSize(conn, 64<<10)}
	c.Framer = http2.NewFramer(c.out, conn)
	c.Framer.AllowIllegalWrites = true
	c.Framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.enc = hpack.NewEncoder(&c.buf)
	c.out.WriteString(http2.ClientPreface)
	c.WriteSettings(settings...)
	c.flush()
	return c
}

func (c *http2Conn) flush() error { return c.out.Flush() }

func (c *http2Conn) block(fields [][2]string) []byte {
	c.buf.Reset()
	for _, f := range fields {
		c.enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	return bytes.Clone(c.buf.Bytes())
}

func (c *http2Conn) headers(stream uint32, fields [][2]string, end bool) error {
	return c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.block(fields), EndStream: end, EndHeaders: true})
}

// outcome reads until a stream was answered or something ended it.
func (c *http2Conn) outcome(stream uint32) string {
	c.SetReadDeadline(time.Now().Add(patience))
	for {
		f, err := c.ReadFrame()
		if err != nil {
			if e := net.Error(nil); errors.As(err, &e) && e.Timeout() {
				c.t.Error("no answer: ", err)
			}
			return err.Error()
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			if f.StreamID == stream && f.PseudoValue("status") == "200" {
				return "200 OK"
			} else if f.StreamID == stream && f.PseudoValue("status")[0] != '1' {
				return f.PseudoValue("status")
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == stream {
				return f.ErrCode.String()
			}
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo {
				return "GOAWAY " + f.ErrCode.String()
			}
		case *http2.SettingsFrame:
			if !f.IsAck() {
				c.WriteSettingsAck()
				c.flush()
			}
		}
	}
}
