package proxy

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// FuzzHTTPRequest wants of every request that is let through that it is written so that it is read as what it was.
func FuzzHTTPRequest(f *testing.F) {
	f.Add("GET", "/a?b", "api.example.com", "a, b")
	f.Add("GET", "//a//b", "[::1]:443", "websocket, h2c")
	f.Add("OPTIONS", "*", "a:1", "")
	f.Add("GET", "https://a/%2F|?x", "a", "HTTP/2.0")
	f.Add("G T", "/ HTTP/1.1\r\nX: y", "a@b", "\x00")
	f.Fuzz(func(t *testing.T, method, target, host, upgraded string) {
		raw := method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: Upgrade\r\nUpgrade: " + upgraded + "\r\n\r\n"
		in, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
		if err != nil || checkRequest(in) != nil {
			return
		}
		path, err := originForm(in)
		if err != nil {
			t.Fatal("a checked request has no target: ", err)
		}
		u, err := targetURL("https", "127.0.0.1:1", path, in.URL)
		if err != nil {
			return
		}
		asked := in.Host
		if asked == "" {
			asked = testName // HTTP/1.0 does without, and the handshake's name is sent
		}
		out := &http.Request{Method: in.Method, URL: u, Host: asked, Header: in.Header.Clone()}
		upgrade(out.Header, &Backend{})
		var written bytes.Buffer
		if err := out.Write(&written); err != nil {
			return // net/http refuses to write it
		}
		back, err := http.ReadRequest(bufio.NewReader(&written))
		if err != nil {
			t.Fatalf("%q is written so that it cannot be read: %v", raw, err)
		}
		if back.Method != in.Method || back.RequestURI != path || !strings.EqualFold(back.Host, asked) {
			t.Fatalf("%q is read as %q %q %q", raw, back.Method, back.RequestURI, back.Host)
		}
		for _, word := range strings.FieldsFunc(back.Header.Get("Upgrade"), func(c rune) bool { return c != '/' && !isToken(string(c)) }) {
			if name, _, _ := strings.Cut(word, "/"); strings.EqualFold(name, "h2c") {
				t.Fatalf("%q may switch to HTTP/2", raw)
			}
		}
		if written.Len() > 0 {
			t.Fatalf("%q leaves %q behind it", raw, written.Bytes())
		}
	})
}

// FuzzFrameWatch wants the same codes told however the frames are cut into pieces, and nothing of what is no frame of theirs.
func FuzzFrameWatch(f *testing.F) {
	var frames bytes.Buffer
	framer := http2.NewFramer(&frames, nil)
	framer.WriteSettings()
	framer.WriteData(1, false, []byte("data"))
	framer.WriteRSTStream(1, http2.ErrCodeProtocol)
	framer.WriteGoAway(1, http2.ErrCodeEnhanceYourCalm, []byte("debug"))
	f.Add(frames.Bytes(), uint8(1))
	f.Add([]byte{0, 0, 3, frameResetStream, 0, 0, 0, 0, 1, 0, 0, 0}, uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		var whole, pieces []uint32
		new(frameWatch).write(b, func(kind byte, code uint32) { whole = append(whole, uint32(kind), code) })
		w := new(frameWatch)
		for rest := b; len(rest) > 0; {
			n := min(len(rest), int(size)%16+1)
			w.write(rest[:n], func(kind byte, code uint32) { pieces = append(pieces, uint32(kind), code) })
			rest = rest[n:]
		}
		if len(whole) != len(pieces) {
			t.Fatalf("%v in one piece, %v in pieces of %d", whole, pieces, size)
		}
		for i := range whole {
			if whole[i] != pieces[i] {
				t.Fatalf("%v in one piece, %v in pieces of %d", whole, pieces, size)
			}
		}
	})
}

// FuzzTraceID wants an id of 32 digits or none.
func FuzzTraceID(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Fuzz(func(t *testing.T, s string) {
		if id := traceID([]string{s}); id != "" && (len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" || !strings.Contains(s, id)) {
			t.Fatalf("%q of %q", id, s)
		}
	})
}
