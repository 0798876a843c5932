package proxy

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// Servers that are asked in plain text where they speak TLS say so in an answer, which is passed on, and is no success.
func TestABackendThatWantsTLSIsNamed(t *testing.T) {
	pki := certstest.New(t)
	cert, key := pki.Make(certstest.Healthy, testName).WriteFiles(t)
	for _, tt := range []struct {
		name, address, says string
	}{
		{"nginx", nginx(t, fmt.Sprintf(`server { listen %%[1]s ssl; ssl_certificate %s; ssl_certificate_key %s; location / { return 200 "fine"; } }`, cert, key)), "The plain HTTP request was sent to HTTPS port"},
		{"Go", goTLS(t), "Client sent an HTTP request to an HTTPS server"},
		{"another 400", says(t, "HTTP/1.1 400 Bad Request\r\nContent-Length: 7\r\nConnection: close\r\n\r\nno HTTP"), ""},
		{"another 400 without a length", says(t, "HTTP/1.0 400 Bad Request\r\n\r\nno HTTP"), ""},
		{"a page that tells of it", says(t, "HTTP/1.1 200 OK\r\nContent-Length: 45\r\nConnection: close\r\n\r\nThe plain HTTP request was sent to HTTPS port"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := bridged(t, pki, &Backend{Plain: true, Address: tt.address}, func(l *Listener) { l.Mode = HTTP })
			c := r.tls(func(config *tls.Config) { config.NextProtos = []string{"http/1.1"} })
			c.SetDeadline(time.Now().Add(patience))
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+testName+"\r\n\r\n")
			answer, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(answer.Body)
			c.Close()
			if err != nil || len(body) == 0 || !strings.Contains(string(body), tt.says) {
				t.Errorf("%q, %v", body, err)
			}
			record := r.record()
			if tt.says == "" {
				if len(record.HTTP.Failures) > 0 {
					t.Errorf("%+v", record.HTTP)
				}
				return
			}
			want := inspect.HTTPFailure{Type: inspect.HTTPSpeaksTLS, Status: http.StatusBadRequest, Message: tt.says}
			if answer.StatusCode != http.StatusBadRequest || len(record.HTTP.Failures) != 1 || record.HTTP.Failures[0] != want {
				t.Errorf("%d: %+v", answer.StatusCode, record.HTTP)
			}
		})
	}
}

// goTLS is Go's own server of HTTPS.
func goTLS(t *testing.T) string {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// says is a server that answers each request with the same bytes, and closes.
func says(t *testing.T, answer string) string {
	return listen(t, func(c net.Conn) {
		c.SetDeadline(time.Now().Add(patience))
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			io.WriteString(c, answer)
		}
	})
}
