package h3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
	"github.com/tlstriage/tlstriage/proxy"
)

// decision is what of a record must not depend on the transport.
type decision struct {
	route, served, why, alerts, policy, asked, shown string
	established                                      bool
}

func decisionOf(c *inspect.Connection) decision {
	leg := c.ClientLeg
	d := decision{route: c.Route, established: leg.Established()}
	if leg.Error != nil {
		d.why = string(leg.Error.Type) + " " + string(leg.Error.Phase)
	}
	if leg.TLS == nil {
		return d
	}
	for _, a := range leg.TLS.Alerts {
		if a.Level == "fatal" {
			d.alerts += fmt.Sprintf("%s from %s;", a.Description, a.From)
		}
	}
	if s := leg.TLS.Server; s != nil {
		if len(s.CertificateChain) > 0 {
			d.served = s.CertificateChain[0].Subject
		}
		if s.CertificateRequest != nil {
			d.asked = fmt.Sprint(s.CertificateRequest.Authorities, s.CertificateRequest.CertificateSent)
		}
	}
	if h := leg.TLS.Client; h != nil && h.Certificate != nil {
		d.shown = h.Certificate.Subject
	}
	if p := c.Policy; p != nil {
		d.policy = fmt.Sprint(p.Name, p.Accepted, p.RejectedBy, p.Enforced)
	}
	return d
}

// Whatever is decided about a client is decided by the same table over TCP and QUIC: route, certificate, client certificate, policy,
// fallback.
func TestDecisionsAreTheSameOverTCPAndQUIC(t *testing.T) {
	pki := certstest.New(t)
	backend := httpBackend(t, pki, true, func(http.ResponseWriter, *http.Request) {})
	ours, theirs := certstest.New(t), certstest.New(t)
	clientOf := func(p *certstest.PKI, name string) *tls.Certificate {
		return p.Issue(p.Root, certs.Template{CommonName: name, Names: []string{name}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}).TLSWith()
	}
	one, other := clientOf(ours, "one"), clientOf(theirs, "other")
	noCurve := func(hello *wire.ClientHello) proxy.Action {
		o := &inspect.PolicyOutcome{Name: "strict", Accepted: hello.SupportedGroups.Contains(wire.NamedGroup(tls.X25519)), RejectedBy: "curve"}
		return proxy.Action{Policy: o, Refuse: !o.Accepted, Alert: wire.AlertHandshakeFailure}
	}
	route := func(name string, edit ...func(*proxy.Route)) *proxy.Route {
		r := &proxy.Route{Name: name, ServerNames: []string{name}, Backend: backend, GetCertificate: serves(pki.Make(certstest.Healthy, strings.Replace(name, "*", "any", 1)))}
		for _, e := range edit {
			e(r)
		}
		return r
	}
	asks := func(how tls.ClientAuthType, pool *x509.CertPool) func(*proxy.Route) {
		return func(r *proxy.Route) { r.ClientAuth, r.ClientCAs = how, pool }
	}
	routes := []*proxy.Route{
		route("plain.example.com"), route("*.wild.example.com"),
		route("request.example.com", asks(tls.VerifyClientCertIfGiven, ours.Roots())),
		route("require.example.com", asks(tls.RequireAndVerifyClientCert, ours.Roots())),
		route("judged.example.com", asks(tls.RequireAndVerifyClientCert, ours.Roots()), func(r *proxy.Route) {
			r.VerifyClient = func(tls.ConnectionState) error { return fmt.Errorf("not today") }
		}),
		route("policy.example.com", func(r *proxy.Route) { r.Decide = noCurve }),
		route("none.example.com", func(r *proxy.Route) { r.GetCertificate = nil }),
		route("unserved.example.com", func(r *proxy.Route) {
			r.Decide = func(*wire.ClientHello) proxy.Action {
				return proxy.Action{Unservable: "group", OwnRejected: inspect.ErrorNoCommonGroup}
			}
		}),
	}
	withDefault := append([]*proxy.Route{route("*")}, routes...)
	for _, test := range []struct {
		name, sni string
		routes    []*proxy.Route
		client    *tls.Certificate
		edit      func(*tls.Config)
	}{
		{"exact name", "plain.example.com", routes, nil, nil},
		{"name in capitals", "PLAIN.Example.com", routes, nil, nil},
		{"wildcard", "a.wild.example.com", routes, nil, nil},
		{"two labels under a wildcard", "a.b.wild.example.com", routes, nil, nil},
		{"unknown name", "nobody.example.com", routes, nil, nil},
		{"unknown name with a default", "nobody.example.com", withDefault, nil, nil},
		{"no name", "", routes, nil, nil},
		{"no name with a default", "", withDefault, nil, nil},
		{"requested and not shown", "request.example.com", routes, nil, nil},
		{"requested and shown", "request.example.com", routes, one, nil},
		{"requested and foreign", "request.example.com", routes, other, nil},
		{"required and not shown", "require.example.com", routes, nil, nil},
		{"required and shown", "require.example.com", routes, one, nil},
		{"required and foreign", "require.example.com", routes, other, nil},
		{"judged", "judged.example.com", routes, one, nil},
		{"policy accepts", "policy.example.com", routes, nil, nil},
		{"policy refuses", "policy.example.com", routes, nil, func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP384} }},
		{"no certificate", "none.example.com", routes, nil, nil},
		{"unservable, without fallback", "unserved.example.com", routes, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, pki, &proxy.Listener{Name: "edge", Mode: proxy.HTTP, Routes: test.routes})
			config := r.clientConfig(func(c *tls.Config) {
				c.NextProtos, c.MinVersion, c.ServerName = []string{"h3", "h2"}, tls.VersionTLS13, test.sni
				c.InsecureSkipVerify = true // of names that no certificate is for
				if test.client != nil {
					c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return test.client, nil }
				}
				if test.edit != nil {
					test.edit(c)
				}
			})
			overTCP(t, r, config)
			tcp := r.record()
			overQUIC(t, r, config)
			udp := r.record()
			if tcp.Transport != inspect.TransportTCP || udp.Transport != inspect.TransportQUIC {
				t.Fatalf("records of %s and %s", tcp.Transport, udp.Transport)
			}
			if a, b := decisionOf(tcp), decisionOf(udp); a != b {
				t.Errorf("over TCP  %+v\nover QUIC %+v", a, b)
			}
			r.none()
		})
	}
}

// overTCP does a handshake, waits for what the server thinks of it, and leaves.
func overTCP(t *testing.T, r *rig, config *tls.Config) {
	t.Helper()
	c, err := net.DialTimeout("tcp", r.tcp.Addr(r.listener).String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	s := tls.Client(c, config)
	if s.Handshake() == nil {
		io.WriteString(s, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00") // RFC 9113, Section 3.4
		s.Read(make([]byte, 1))                                                                   // the server's SETTINGS, or an alert
		s.Close()
	}
}

func overQUIC(t *testing.T, r *rig, config *tls.Config) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	transport := &quic.Transport{Conn: udpSocket(t)}
	defer transport.Close()
	config = config.Clone()
	if config.ServerName == "" {
		config.ServerName = "127.0.0.1" // quic-go wants a name; addresses are not sent
	}
	conn, err := transport.Dial(ctx, r.address(), config, patientQUIC())
	if err != nil {
		return
	}
	select {
	case <-handshakeConfirmed(ctx, conn):
	case <-conn.Context().Done():
	}
	conn.CloseWithError(0x100, "")
}

// handshakeConfirmed is closed when the server has taken the client's Finished: it opens its control stream then.
func handshakeConfirmed(ctx context.Context, conn *quic.Conn) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = conn.AcceptUniStream(ctx)
	}()
	return done
}
