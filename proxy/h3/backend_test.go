package h3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/proxy"
)

// http3Backend is a backend that serves HTTP/3 alone.
func http3Backend(t testing.TB, pki *certstest.PKI, handler http.HandlerFunc, edit ...func(*tls.Config)) *proxy.Backend {
	t.Helper()
	config := &tls.Config{GetCertificate: serves(pki.Make(certstest.Healthy, testName))}
	for _, e := range edit {
		e(config)
	}
	socket := udpSocket(t)
	s := &http3.Server{Handler: handler, TLSConfig: http3.ConfigureTLSConfig(config)}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(socket) }()
	t.Cleanup(func() { s.Close(); <-done })
	return &proxy.Backend{Address: socket.LocalAddr().String(), Protocol: proxy.HTTP3, HTTP3: Dial}
}

func TestBackendsInHTTP3(t *testing.T) {
	pki := certstest.New(t)
	backend := http3Backend(t, pki, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "X-After")
		fmt.Fprintf(w, "%s %s %d", r.Proto, r.Host, len(body))
		w.Header().Set("X-After", "all")
	})
	r := inHTTPMode(t, pki, backend)
	c := r.client()
	for i := range 3 {
		answer, text := fetch(t, c, http.MethodPost, "https://"+testName+"/", strings.NewReader(strings.Repeat("y", 200_000*i)))
		if want := fmt.Sprint("HTTP/3.0 ", testName, " ", 200_000*i); text != want || answer.Trailer.Get("X-After") != "all" {
			t.Errorf("%q, want %q; trailer %v", text, want, answer.Trailer)
		}
	}
	closeClient(c)
	record := r.record()
	leg := record.BackendLeg
	if !leg.Established() || leg.QUIC == nil || leg.QUIC.Version != "v1" || leg.TLS.NextProtocol != "h3" || leg.TLS.Client == nil || leg.TLS.Server == nil || len(leg.TLS.Server.CertificateChain) == 0 || leg.Port == 0 {
		t.Errorf("backend leg: %+v", leg)
	}
	if h := record.HTTP; h.BackendProtocol != "HTTP/3.0" || h.BackendConnections != 1 {
		t.Errorf("http: %+v", h)
	}
	if history := leg.TLS.Handshake.History; !strings.HasPrefix(history, "Cs") {
		t.Errorf("history %q", history)
	}
	r.none()
}

// A client's handshake does not wait until a backend that says nothing is known for one: it would have given up by then.
func TestBackendsThatSayNothingGetAnAnswer(t *testing.T) {
	pki := certstest.New(t)
	for _, leaves := range []bool{false, true} {
		t.Run(fmt.Sprintf("the client leaves: %t", leaves), func(t *testing.T) {
			asked, late := make(chan struct{}, 1), make(chan struct{})
			r := inHTTPMode(t, pki, &proxy.Backend{Address: "192.0.2.1:443", Protocol: proxy.HTTP3, HTTP3: func(context.Context, proxy.HTTP3Dial) (*proxy.HTTP3Conn, error) {
				asked <- struct{}{}
				<-late
				return nil, &proxy.QUICError{QUICEnd: proxy.QUICEnd{Type: inspect.ErrorTimeout, Text: "nothing came"}}
			}})
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			transport := &quic.Transport{Conn: udpSocket(t)}
			defer transport.Close()
			conn, err := transport.Dial(ctx, r.address(), r.clientConfig(), &quic.Config{HandshakeIdleTimeout: patience})
			if err != nil {
				t.Fatalf("the handshake waited for the backend: %v", err)
			}
			<-asked
			if leaves {
				await(t, "the end of the handshake here", func() bool { return r.udp.Stats().Handshakes == 0 })
				conn.CloseWithError(0x100, "")
				await(t, "the end of the connection", func() bool { return conn.Context().Err() != nil })
				close(late)
			} else {
				request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+testName+"/", nil)
				if err != nil {
					t.Fatal(err)
				}
				close(late)
				answer, err := (&http3.Transport{}).NewClientConn(conn).RoundTrip(request)
				if err != nil {
					t.Fatal(err)
				}
				answer.Body.Close()
				if answer.StatusCode != http.StatusGatewayTimeout {
					t.Errorf("status %d", answer.StatusCode)
				}
				conn.CloseWithError(0x100, "")
			}
			record := r.record()
			if e := record.BackendLeg.Error; e == nil || e.Type != inspect.ErrorTimeout || record.ClientLeg.Error != nil || !record.ClientLeg.TLS.Established {
				t.Errorf("client leg %+v, backend leg %+v", record.ClientLeg, record.BackendLeg)
			}
			r.none()
		})
	}
}

func TestBackendsInHTTP3ThatFail(t *testing.T) {
	pki := certstest.New(t)
	for _, test := range []struct {
		name    string
		backend func(t *testing.T) *proxy.Backend
		status  int
		want    inspect.ErrorType
		phase   inspect.Phase
	}{
		{"nothing listens", func(t *testing.T) *proxy.Backend {
			return &proxy.Backend{Address: nobody(t), Protocol: proxy.HTTP3, HTTP3: Dial}
		}, 502, inspect.ErrorRefused, inspect.PhaseDial},
		{"the name has no address", func(*testing.T) *proxy.Backend {
			return &proxy.Backend{Address: "nowhere.invalid:443", Protocol: proxy.HTTP3, HTTP3: Dial}
		}, 502, inspect.ErrorUnresolvable, inspect.PhaseResolve},
		{"another protocol", func(t *testing.T) *proxy.Backend {
			return http3Backend(t, pki, nil, func(c *tls.Config) {
				c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, errors.New("no") }
			})
		}, 502, inspect.ErrorAlertReceived, inspect.PhaseHandshake},
		{"a certificate that is refused", func(t *testing.T) *proxy.Backend {
			b := http3Backend(t, pki, nil)
			b.VerifyPeer = func(*proxy.BackendPeer) error { return errors.New("not this one") }
			return b
		}, 502, inspect.ErrorCertificate, inspect.PhaseHandshake},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := inHTTPMode(t, pki, test.backend(t))
			c := r.client()
			answer, text := fetch(t, c, http.MethodGet, "https://"+testName+"/", nil)
			if answer.StatusCode != test.status || answer.Header.Get(proxy.RecordIDHeader) == "" || answer.Header.Get("Connection") != "" || !strings.Contains(text, answer.Header.Get(proxy.RecordIDHeader)) {
				t.Errorf("%d %v %q", answer.StatusCode, answer.Header, text)
			}
			closeClient(c)
			record := r.record()
			if e := record.BackendLeg.Error; e == nil || e.Type != test.want || e.Phase != test.phase {
				t.Errorf("error %+v, leg %+v", e, record.BackendLeg)
			}
		})
	}
}
