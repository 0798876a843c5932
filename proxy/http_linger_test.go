package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// refuses is a backend that answers a request by its header alone, reads nothing of the body, and keeps the connection until it is let go.
func refuses(answer string, letGo <-chan struct{}) func(*tls.Conn) {
	return func(c *tls.Conn) {
		if _, err := http.ReadRequest(bufio.NewReaderSize(c, 16)); err != nil {
			return
		}
		io.WriteString(c, answer)
		<-letGo
		c.Close()
	}
}

const answer413 = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno\n"

// Clients that write all of a request before they read get to read an answer that came before its end.
func TestHTTPModeReadsOnBehindAnEarlyAnswer(t *testing.T) {
	pki := certstest.New(t)
	body := bytes.Repeat([]byte("x"), 16<<20)
	chunked := fmt.Appendf(nil, "%x\r\n", len(body))
	chunked = append(append(chunked, body...), "\r\n0\r\n\r\n"...)
	for _, tt := range []struct {
		name, header string
		body         []byte
	}{
		{"with a length", fmt.Sprintf("Content-Length: %d\r\n", len(body)), body},
		{"with a length, the last one", fmt.Sprintf("Connection: close\r\nContent-Length: %d\r\n", len(body)), body},
		{"in chunks", "Transfer-Encoding: chunked\r\n", chunked},
		{"in chunks, the last one", "Connection: close\r\nTransfer-Encoding: chunked\r\n", chunked},
	} {
		t.Run(tt.name, func(t *testing.T) {
			letGo := make(chan struct{})
			defer close(letGo)
			limits := shortLimits()
			limits.Timeouts.Linger = patience
			r := newRig(t, pki, limits, &Listener{Name: "edge", Mode: HTTP, Routes: []*Route{{Name: "default", Backend: tlsBackend(t, pki, refuses(answer413, letGo)), GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}})
			conn := r.tls(protocols("http/1.1"))
			conn.SetDeadline(time.Now().Add(patience))
			fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: %s\r\n%s\r\n", testName, tt.header)
			for part := range bytesOf(tt.body, 64<<10) {
				if _, err := conn.Write(part); err != nil {
					t.Fatal("while sending: ", err)
				}
			}
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusRequestEntityTooLarge || string(got) != "no\n" || !answer.Close {
				t.Errorf("%s %q, the last one: %v", answer.Status, got, answer.Close)
			}
			conn.Close()
			if record := r.record(); len(record.HTTP.Failures) > 0 || len(record.HTTP.Statuses) != 1 || record.HTTP.Statuses[0] != (inspect.HTTPStatus{Code: 413, Count: 1}) {
				t.Errorf("%+v", record.HTTP)
			}
		})
	}
}

// bytesOf cuts b into parts.
func bytesOf(b []byte, size int) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			n := min(size, len(b))
			if !yield(b[:n]) {
				return
			}
			b = b[n:]
		}
	}
}

// A client may wait for the answer before it sends the rest of its request, however little that is.
func TestHTTPModeAnswersBeforeTheRestOfARequest(t *testing.T) {
	pki := certstest.New(t)
	for name, head := range map[string]string{"with a length": "Content-Length: 100\r\n\r\nabc", "in chunks": "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"} {
		t.Run(name, func(t *testing.T) {
			letGo := make(chan struct{})
			defer close(letGo)
			limits := shortLimits()
			limits.Timeouts.RequestBody, limits.Timeouts.Idle = time.Hour, time.Hour
			r := newRig(t, pki, limits, &Listener{Name: "edge", Mode: HTTP, Routes: []*Route{{Name: "default", Backend: tlsBackend(t, pki, refuses(answer413, letGo)), GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}})
			conn := r.tls(protocols("http/1.1"))
			conn.SetDeadline(time.Now().Add(patience))
			fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: %s\r\n%s", testName, head)
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(answer.Body); answer.StatusCode != http.StatusRequestEntityTooLarge || string(got) != "no\n" || err != nil || !answer.Close {
				t.Errorf("%s %q %v, the last one: %v", answer.Status, got, err, answer.Close)
			}
			conn.Close()
			r.record()
		})
	}
}

// What was read to its end leaves the connection to the next request.
func TestHTTPModeKeepsTheConnectionBehindAWholeRequest(t *testing.T) {
	pki := certstest.New(t)
	r := inHTTPMode(t, pki, httpBackend(t, pki, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	}), false, false))
	client := httpClient(t, r, false)
	for range 20 {
		request := get(t, "https://"+testName+"/")
		request.Method, request.Body, request.ContentLength = http.MethodPost, io.NopCloser(bytes.NewReader(make([]byte, 50_000))), 50_000
		if response, body := fetch(t, client, request); body != "50000" || response.Close {
			t.Errorf("%q, the last one: %v", body, response.Close)
		}
	}
}
