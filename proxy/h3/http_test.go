package h3

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

func TestHTTP3CarriesRequests(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("backend with HTTP/2: %t", h2), func(t *testing.T) {
			pki := certstest.New(t)
			r := inHTTPMode(t, pki, httpBackend(t, pki, h2, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				w.Header().Set("X-Seen", fmt.Sprint(r.Method, " ", r.Host, r.URL.Path, " ", len(body), " ", r.Header.Get("X-Forwarded-Proto"), " ", r.Header.Get("X-Forwarded-For")))
				fmt.Fprint(w, "hello over three")
			}))
			c := r.client()
			for i := range 3 {
				answer, text := fetch(t, c, http.MethodPost, "https://"+testName+"/a", strings.NewReader(strings.Repeat("x", 100_000*i)))
				if want := fmt.Sprint("POST ", testName, "/a ", 100_000*i, " https 127.0.0.1"); answer.StatusCode != 200 || text != "hello over three" || answer.Header.Get("X-Seen") != want {
					t.Errorf("answer %d %q, backend saw %q, want %q", answer.StatusCode, text, answer.Header.Get("X-Seen"), want)
				}
			}
			closeClient(c)
			record := r.record()
			leg := record.ClientLeg
			if record.Transport != inspect.TransportQUIC || record.Event.Outcome != inspect.Success || leg.Error != nil || leg.TLS.Version != "TLSv1.3" || leg.TLS.NextProtocol != "h3" || leg.TLS.Cipher == "" {
				t.Errorf("record: %+v, leg %+v, tls %+v", record, leg, leg.TLS)
			}
			if record.Client.Address != "127.0.0.1" || record.Client.Port == 0 || record.Server.Port != r.address().Port {
				t.Errorf("from %+v to %+v", record.Client, record.Server)
			}
			hello := leg.TLS.Client
			if hello == nil || hello.ServerName != testName || !hello.Message.Complete || hello.Message.Records != 0 || hello.Message.Segments < 2 || !strings.HasPrefix(hello.JA4, "q13") {
				t.Errorf("hello: %+v", hello)
			}
			if q := leg.QUIC; q == nil || q.Version != "v1" || q.Datagrams < 2 || q.CryptoFrames < 2 || len(q.TransportParameters) < 5 || q.Close != nil {
				t.Errorf("quic: %+v", q)
			}
			if h := record.HTTP; h == nil || h.Protocol != "HTTP/3.0" || h.Requests != 3 || h.BackendConnections != 1 || len(h.Statuses) != 1 || h.Statuses[0] != (inspect.HTTPStatus{Code: 200, Count: 3}) {
				t.Errorf("http: %+v", h)
			}
			if b := record.BackendLeg; !b.Established() {
				t.Errorf("backend leg: %+v", b)
			}
			r.none()
		})
	}
}
