package proxy

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
)

// What comes behind a request that was answered, and is none itself, is no request whose header does not come in time: neither the rest of a
// body that the backend did not wait for, nor an empty line behind one.
func TestHTTPModeTakesNoRestForARequest(t *testing.T) {
	pki := certstest.New(t)
	for _, tt := range []struct{ name, request, rest string }{
		{"of a body", "POST / HTTP/1.1\r\nHost: " + testName + "\r\nContent-Length: 100000\r\n\r\n" + repeat("x", 9000), "0123456789"},
		{"an empty line", "POST / HTTP/1.1\r\nHost: " + testName + "\r\nContent-Length: 10\r\n\r\n0123456789", "\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := tlsBackend(t, pki, func(c *tls.Conn) {
				in := bufio.NewReader(c)
				if _, err := http.ReadRequest(in); err == nil {
					io.WriteString(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
					io.Copy(io.Discard, in)
				}
			})
			r := impatient(t, pki, b, func(l *Timeouts) {
				l.RequestHeader, l.RequestBody, l.Idle = 5*time.Second, 5*time.Second, 5*time.Second
			})
			c := r.tls(protocols("http/1.1"))
			io.WriteString(c, tt.request)
			in := bufio.NewReader(c)
			answer, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, answer.Body)
			if answer.StatusCode != http.StatusUnauthorized {
				t.Error(answer.Status)
			}
			io.WriteString(c, tt.rest)
			if behind, _ := io.ReadAll(in); len(behind) > 0 {
				t.Errorf("%q behind the answer", behind)
			}
			c.Close()
			if h := r.record().HTTP; len(h.Failures) > 0 {
				t.Errorf("%+v", h.Failures)
			}
		})
	}
}

// A client that was answered before it had sent all has the time for a body to go on, not that of a connection that rests.
func TestHTTPModeWaitsForARestAsLongAsForABody(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	b := &Backend{Plain: true, Address: listen(t, func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReaderSize(c, 16)); err == nil {
			io.WriteString(c, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c)
		}
	})}
	r := impatient(t, pki, b, func(l *Timeouts) { l.RequestBody, l.Idle = 5*time.Second, 4*patience })
	c := r.tls(protocols("http/1.1"))
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: "+testName+"\r\nContent-Length: 100\r\n\r\n0123456789")
	c.SetReadDeadline(time.Now().Add(patience))
	if answer, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(answer), "\r\n\r\nno") {
		t.Errorf("%q, %v", answer, err)
	}
	c.Close()
	r.record()
}
