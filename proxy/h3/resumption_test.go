package h3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"sync"
	"testing"

	"github.com/quic-go/quic-go"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/proxy"
)

// oneSession is a client's cache that gives its latest session for any name.
type oneSession struct {
	mu    sync.Mutex
	state *tls.ClientSessionState
	came  chan struct{}
}

func (o *oneSession) Get(string) (*tls.ClientSessionState, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.state, o.state != nil
}

func (o *oneSession) Put(_ string, state *tls.ClientSessionState) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if state != nil {
		o.state = state
		select {
		case o.came <- struct{}{}:
		default:
		}
	}
}

// A session over QUIC is resumed under the name that it was made for, its client's certificate is held against the route's authorities
// again, and under no other name is it worth anything: whoever came without a certificate does not come in with an older session.
func TestSessionsOverQUICAreBoundToTheirName(t *testing.T) {
	pki := certstest.New(t)
	backend := answering(t, pki)
	route := func(name string, auth tls.ClientAuthType) *proxy.Route {
		return &proxy.Route{
			Name: name, ServerNames: []string{name}, Backend: backend, GetCertificate: serves(pki.Make(certstest.Healthy, name)),
			ClientAuth: auth, ClientCAs: pki.Roots(), TicketKeys: [][32]byte{{1}},
		}
	}
	r := newRig(t, pki, &proxy.Listener{Name: "edge", Mode: proxy.HTTP, Routes: []*proxy.Route{
		route("open.example", tls.NoClientCert), route("closed.example", tls.RequireAndVerifyClientCert),
	}})
	shown := pki.Issue(pki.Root, certs.Template{CommonName: "somebody", Names: []string{"somebody.example"}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}).TLSWith()
	connect := func(name string, cache *oneSession, certificate *tls.Certificate) (in bool, resumed bool) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		transport := &quic.Transport{Conn: udpSocket(t)}
		defer transport.Close()
		config := r.clientConfig(named(name), func(c *tls.Config) {
			c.ClientSessionCache, c.InsecureSkipVerify = cache, true
			if certificate != nil {
				c.Certificates = []tls.Certificate{*certificate}
			}
		})
		conn, err := transport.Dial(ctx, r.address(), config, patientQUIC())
		if err == nil {
			select {
			case <-handshakeConfirmed(ctx, conn):
			case <-conn.Context().Done():
			}
			select {
			case <-cache.came:
			case <-conn.Context().Done():
			}
			conn.CloseWithError(0x100, "")
		}
		record := r.record()
		tls := record.ClientLeg.TLS
		if tls.Established && name == "closed.example" && tls.Client.Certificate == nil {
			t.Errorf("%s: in without a certificate in the record", name)
		}
		return tls.Established, tls.Resumed
	}
	open, closed := &oneSession{came: make(chan struct{}, 1)}, &oneSession{came: make(chan struct{}, 1)}
	for _, step := range []struct {
		what, name  string
		cache       *oneSession
		certificate *tls.Certificate
		in, resumed bool
	}{
		{"first", "open.example", open, nil, true, false},
		{"again", "open.example", open, nil, true, true},
		{"the session of the open name, without a certificate", "closed.example", open, nil, false, false},
		{"with a certificate", "closed.example", closed, shown, true, false},
		{"again with a certificate", "closed.example", closed, shown, true, true},
		{"the session of the closed name elsewhere", "open.example", closed, nil, true, false},
	} {
		if in, resumed := connect(step.name, step.cache, step.certificate); in != step.in || resumed != step.resumed {
			t.Errorf("%s: in %t, resumed %t", step.what, in, resumed)
		}
	}
}
