package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// nginx accepts every certificate in the handshake and refuses in HTTP: what it answers is in the record.
func TestRefusalsOfCertificatesInHTTP(t *testing.T) {
	pki := certstest.New(t)
	clients := newClientCertificates(pki)
	cert, key := pki.Make(certstest.Healthy, testName).WriteFiles(t)
	address := nginx(t, fmt.Sprintf(`server { listen %%[1]s ssl http2; ssl_certificate %s; ssl_certificate_key %s; ssl_client_certificate %s; ssl_verify_client on; ssl_verify_depth 3; location / { return 200 "fine"; } }`, cert, key, pki.WriteRoot(t)))
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, protocol := range []string{"http/1.1", "h2"} {
			for _, tt := range []struct {
				name, want string
				ours       *tls.Certificate
			}{
				{"none", "400 No required SSL certificate was sent", nil},
				{"good", "", clients.good},
				{"expired", "400 The SSL certificate error", clients.expired},
				{"untrusted", "400 The SSL certificate error", clients.untrusted},
			} {
				t.Run(fmt.Sprintf("%s %#x %s", protocol, version, tt.name), func(t *testing.T) {
					r := bridged(t, pki, &Backend{Address: address, Certificate: tt.ours, MaxVersion: version})
					transport := &http.Transport{
						ForceAttemptHTTP2: protocol == "h2", DisableKeepAlives: true,
						TLSClientConfig: &tls.Config{RootCAs: pki.Roots(), ServerName: testName, NextProtos: []string{protocol}},
					}
					answer, err := (&http.Client{Transport: transport}).Get("https://" + r.address)
					if err != nil {
						t.Fatal(err)
					}
					body, _ := io.ReadAll(answer.Body)
					answer.Body.Close()
					transport.CloseIdleConnections()
					if (answer.StatusCode == http.StatusOK) != (tt.want == "") || (answer.ProtoMajor == 2) != (protocol == "h2") {
						t.Errorf("%s %s: %s", answer.Proto, answer.Status, body)
					}
					leg := r.record().BackendLeg
					if request := leg.TLS.Server.CertificateRequest; request == nil || request.Refusal != tt.want {
						t.Errorf("in the record: %+v, want %q", request, tt.want)
					}
				})
			}
		}
	}
}

func TestRefusalWatch(t *testing.T) {
	page := "<html><head><title>400 The SSL certificate error</title></head>"
	settings := "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80"
	for _, tt := range []struct {
		name, want string
		reads      []string
		over       bool
	}{
		{"a page behind its header", "400 The SSL certificate error", []string{"HTTP/1.1 400 Bad Request\r\n\r\n", page}, true},
		{"a page of HTTP/2", "400 The SSL certificate error", []string{settings, "\x00\x00\x20\x01headers", page}, true},
		{"the page itself is no answer", "", []string{page}, true},
		{"a page that tells of it", "", []string{"HTTP/1.1 200 OK\r\n\r\n" + page}, true},
		{"another error", "", []string{"HTTP/1.1 404 Not Found\r\n\r\n", "nothing"}, false},
		{"a status let out", "495 SSL certificate error", []string{"HTTP/1.1 495 SSL Certificate Error\r\n"}, true},
		{"another one", "496 SSL certificate required", []string{"HTTP/1.0 496 \r\n"}, true},
		{"short", "", []string{"HTTP/1.1 4"}, true},
		{"too late", "", []string{"HTTP/1.1 400 Bad Request\r\n\r\n", strings.Repeat("x", maxRefusal), page}, true},
		{"another protocol", "", []string{"220 mail\r\n", page}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := watchRefusal(&inspect.Leg{TLS: &inspect.TLS{Server: &inspect.Server{CertificateRequest: &inspect.CertificateRequest{}}}})
			over := false
			for _, b := range tt.reads {
				if over {
					break
				}
				over = w.read([]byte(b))
			}
			if over != tt.over || w.request.Refusal != tt.want {
				t.Errorf("over %v, refusal %q", over, w.request.Refusal)
			}
		})
	}
	if watchRefusal(&inspect.Leg{TLS: &inspect.TLS{Server: &inspect.Server{}}}) != nil || watchRefusal(&inspect.Leg{Plain: true}) != nil {
		t.Error("backends that ask for nothing are watched")
	}
}
