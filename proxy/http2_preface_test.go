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
	"github.com/tlstriage/tlstriage/inspect"
)

func TestThePrefaceOfHTTP2(t *testing.T) {
	for begins, want := range map[string]bool{
		"\x00\x00\x00\x04\x00\x00\x00\x00\x00":                         true,
		"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64": true,
		"\x00\x00\x05\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64": false, // no length of settings
		"\x00\x00\x00\x04\x01\x00\x00\x00\x00":                         false, // an acknowledgement
		"\x00\x00\x00\x04\x00\x00\x00\x00\x01":                         false, // of a stream
		"\x00\x00\x08\x07\x00\x00\x00\x00\x00":                         false, // GOAWAY
		"\x00\x00\x00\x04":                                             false,
		"HTTP/1.1 200 OK\r\n\r\n":                                      false,
		"":                                                             false,
	} {
		if got := speaksHTTP2(bufio.NewReader(strings.NewReader(begins))); got != want {
			t.Errorf("%q: %v", begins, got)
		}
	}
}

// A server of gRPC without TLS speaks HTTP/2 at once. Asked in HTTP/1.1 it begins with its settings, and closes.
func TestABackendOfHTTP2InPlainTextIsNamed(t *testing.T) {
	pki := certstest.New(t)
	backend := &Backend{Plain: true, Address: listen(t, func(c net.Conn) {
		c.SetDeadline(time.Now().Add(patience))
		c.Read(make([]byte, 4096))
		io.WriteString(c, "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01")
	})}
	r := bridged(t, pki, backend, func(l *Listener) { l.Mode = HTTP })
	c := r.tls(func(config *tls.Config) { config.NextProtos = []string{"http/1.1"} })
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+testName+"\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	record := r.record()
	if answer.StatusCode != http.StatusBadGateway || record.HTTP == nil || len(record.HTTP.Failures) != 1 || record.HTTP.Failures[0].Type != inspect.HTTPSpeaksHTTP2 {
		t.Errorf("%d: %+v", answer.StatusCode, record.HTTP)
	}
}
