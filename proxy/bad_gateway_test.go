package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// broken is a rig whose backend nobody runs.
func broken(t *testing.T, pki *certstest.PKI, edit ...func(*Limits)) *rig {
	limits := shortLimits()
	for _, e := range edit {
		e(&limits)
	}
	return newRig(t, pki, limits, &Listener{Routes: []*Route{{Backend: &Backend{Address: freePort(t)}, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}})
}

func TestBadGatewayForHTTPClients(t *testing.T) {
	pki := certstest.New(t)
	for _, tt := range []struct {
		name     string
		http2    bool
		protocol string
		body     int
	}{
		{"HTTP/1.1", false, "HTTP/1.1", 0},
		{"HTTP/1.1 with a body", false, "HTTP/1.1", 8 << 20},
		{"HTTP/2", true, "HTTP/2.0", 0},
		{"HTTP/2 with a body", true, "HTTP/2.0", 8 << 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := broken(t, pki)
			var offered http.Protocols
			offered.SetHTTP1(!tt.http2)
			offered.SetHTTP2(tt.http2)
			transport := &http.Transport{
				TLSClientConfig: r.clientConfig(), Protocols: &offered,
				DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("tcp", r.address) },
			}
			defer transport.CloseIdleConnections()
			request, _ := http.NewRequest("POST", "https://"+testName+"/", bytes.NewReader(make([]byte, tt.body)))
			answer, err := transport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			page, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			record := r.record()
			id := record.Event.ID
			if answer.StatusCode != 502 || answer.Proto != tt.protocol || answer.Header.Get(RecordIDHeader) != id || !strings.Contains(string(page), id) || err != nil {
				t.Errorf("%s %s, %v, %v", answer.Proto, answer.Status, answer.Header, err)
			}
			wantError(t, record.BackendLeg, inspect.ErrorRefused, inspect.PhaseDial)
			if record.ClientLeg.Error != nil {
				t.Errorf("client leg: %+v", record.ClientLeg.Error)
			}
			r.none()
		})
	}
}

// Without ALPN the first bytes decide; with an ALPN protocol that is no HTTP there is nothing to say, and no clean end.
func TestBadGatewayForOthers(t *testing.T) {
	pki := certstest.New(t)
	for _, tt := range []struct {
		name, alpn, says, want string
		clean                  bool
	}{
		{"no ALPN, HTTP", "", "GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 502 Bad Gateway", true},
		{"no ALPN, HTTP/2", "", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", "\x00\x00", true},
		{"no ALPN, something else", "", "EHLO client\r\n", "", false},
		{"no ALPN, nothing", "", "", "", false},
		{"HTTP/1.0", "http/1.0", "HEAD / HTTP/1.0\r\n\r\n", "HTTP/1.0 502 Bad Gateway", true},
		{"MQTT", "mqtt", "\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", "", false},
		{"HTTP/1.1 that is none", "http/1.1", "\x00\x01\x02\x03\x04\x05\x06\x07", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := broken(t, pki, func(l *Limits) {
				if tt.says == "" || tt.name == "no ALPN, HTTP/2" { // they ask for nothing: the wait for a request ends them
					l.Timeouts.BadGateway = 3 * time.Second
				}
			})
			below := &endWatcher{Conn: r.tcp()}
			config := r.clientConfig()
			if tt.alpn != "" {
				config.NextProtos = []string{tt.alpn}
			}
			c := tls.Client(below, config)
			io.WriteString(c, tt.says)
			if tt.says == "" {
				c.Handshake()
			}
			answer, err := io.ReadAll(bufio.NewReader(c))
			if !strings.HasPrefix(string(answer), tt.want) || tt.want == "" && len(answer) > 0 {
				t.Errorf("got %q, want %q", answer, tt.want)
			}
			if clean := err == nil && !below.fin; clean != tt.clean {
				t.Errorf("clean end: %v (%v), want %v", clean, err, tt.clean)
			}
			c.Close()
			record := r.record()
			wantOutcome(t, record, inspect.Failure)
			if !record.ClientLeg.Established() {
				t.Errorf("client leg: %+v", record.ClientLeg.Error)
			}
			r.none()
		})
	}
}

// A client cannot hold the page's server for ever.
func TestBadGatewayEnds(t *testing.T) {
	pki := certstest.New(t)
	for name, says := range map[string]string{
		"half a request":     "GET / HTTP/1.1\r\nHost: x\r\n",
		"an endless header":  "GET / HTTP/1.1\r\nX: " + repeat("x", 100_000),
		"HTTP/2 and nothing": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			r := broken(t, pki, func(l *Limits) { l.Timeouts.BadGateway = 300 * time.Millisecond })
			c := r.tls()
			io.WriteString(c, says)
			io.Copy(io.Discard, c)
			r.record()
			r.none()
		})
	}
}

// Threat 11: a client none of whose protocols the backend speaks hears it, unless a page can tell more.
func TestBackendThatSpeaksNoneOfTheProtocols(t *testing.T) {
	pki := certstest.New(t)
	r := bridged(t, pki, tlsBackend(t, pki, echo, protocols("spdy/3")))
	_, err := r.try(protocols("unheard-of"))
	if code, ok := remoteAlert(err); !ok || code != wire.AlertNoApplicationProtocol {
		t.Errorf("the client saw %v", err)
	}
	record := r.record()
	wantError(t, record.ClientLeg, inspect.ErrorNoCommonALPN, inspect.PhaseDecide)
	wantError(t, record.BackendLeg, inspect.ErrorAlertReceived, inspect.PhaseHandshake)

	c := r.tls(protocols("h2", "http/1.1"))
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if answer, _ := io.ReadAll(c); !bytes.HasPrefix(answer, []byte("HTTP/1.1 502")) || c.ConnectionState().NegotiatedProtocol != "http/1.1" {
		t.Errorf("got %q", answer)
	}
	c.Close()
	wantError(t, r.record().BackendLeg, inspect.ErrorAlertReceived, inspect.PhaseHandshake)
}

// What the backend chose is what the client gets.
func TestProtocolOfTheBackendIsTheClients(t *testing.T) {
	pki := certstest.New(t)
	for _, tt := range []struct {
		name             string
		backend, offered []string
		plain            bool
		want             string
	}{
		{"h2", []string{"h2", "http/1.1"}, []string{"h2", "http/1.1"}, false, "h2"},
		{"http/1.1", []string{"http/1.1"}, []string{"h2", "http/1.1"}, false, "http/1.1"},
		{"none", nil, []string{"h2", "http/1.1"}, false, ""},
		{"none offered", []string{"h2"}, nil, false, ""},
		{"plain, HTTP", nil, []string{"h2", "http/1.1"}, true, "http/1.1"},
		{"plain, one", nil, []string{"mqtt"}, true, "mqtt"},
		{"plain, several", nil, []string{"a", "b"}, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			backend := tlsBackend(t, pki, echo, protocols(tt.backend...))
			if tt.plain {
				backend = &Backend{Plain: true, Address: listen(t, func(c net.Conn) { io.Copy(c, c) })}
			}
			r := bridged(t, pki, backend)
			c := r.tls(protocols(tt.offered...))
			exchange(t, c, "x")
			if got := c.ConnectionState().NegotiatedProtocol; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			c.Close()
			record := r.record()
			if got := record.ClientLeg.TLS.NextProtocol; got != tt.want {
				t.Errorf("in the record: %q", got)
			}
		})
	}
}

// A TLS 1.3 backend that thinks about our certificate for longer than we wait: the refusal comes when the client's leg stands.
func TestLateBadGateway(t *testing.T) {
	pki := certstest.New(t)
	for protocol, want := range map[string]string{"http/1.1": "HTTP/1.1 502 Bad Gateway\r\n", "h2": ""} {
		t.Run(protocol, func(t *testing.T) {
			secrets := &secretLog{}
			asked := make(chan struct{})
			backend := tlsBackend(t, pki, func(c *tls.Conn) {
				c.Read(make([]byte, 1)) // not before the client's request
				<-asked
				own := newRecords(t, secrets.server())
				c.NetConn().Write(own.seal(21, []byte{2, byte(wire.AlertCertificateRequired)}))
				c.NetConn().(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, c.NetConn())
			}, logged(secrets), protocols(protocol), func(c *tls.Config) { c.ClientAuth = tls.RequestClientCert })
			limits := shortLimits()
			limits.Timeouts.Settle = 100 * time.Millisecond
			r := newRig(t, pki, limits, &Listener{Routes: []*Route{{Backend: backend, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}})
			c := r.tls(protocols(protocol))
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			close(asked)
			answer, _ := io.ReadAll(c)
			if !strings.HasPrefix(string(answer), want) || want == "" && len(answer) > 0 {
				t.Errorf("got %q", answer)
			}
			c.Close()
			record := r.record()
			wantError(t, record.BackendLeg, inspect.ErrorAlertReceived, inspect.PhaseTransfer)
			wantAlert(t, record.BackendLeg, wire.AlertCertificateRequired, inspect.FromServer)
			wantOutcome(t, record, inspect.Failure)
		})
	}
}
