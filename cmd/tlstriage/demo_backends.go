package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/tlstriage/tlstriage/certs"
)

// demoBackend is a real server with one fault.
type demoBackend struct {
	name  string // its server name
	fault string // what is wrong with it, for the reader
	start func(*demoPKI, string) (net.Listener, error)
}

// demoDomain is under a name that never exists (RFC 2606).
const demoDomain = ".demo.example"

func demoBackends() []demoBackend {
	day := 24 * time.Hour
	return []demoBackend{
		{"healthy", "nothing is wrong", serveWith(certs.Template{}, nil, intermediate)},
		{"tls12", "speaks TLS 1.2 at most", serveWith(certs.Template{}, &tls.Config{MaxVersion: tls.VersionTLS12}, intermediate)},
		{"tls10", "speaks TLS 1.0 only", serveWith(certs.Template{}, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, NextProtos: []string{"http/1.1"}}, intermediate)},
		{"expired", "its certificate ended a week ago", serveWith(certs.Template{NotBefore: time.Now().Add(-97 * day), NotAfter: time.Now().Add(-7 * day)}, nil, intermediate)},
		{"expiring", "its certificate ends in three days", serveWith(certs.Template{NotBefore: time.Now().Add(-87 * day), NotAfter: time.Now().Add(3 * day)}, nil, intermediate)},
		{"wrong-name", "its certificate is for another name", serveWith(certs.Template{Names: []string{"intranet" + demoDomain}}, nil, intermediate)},
		{"incomplete", "it does not send its intermediate", serveWith(certs.Template{}, nil, leafOnly)},
		{"self-signed", "its certificate is signed by itself", serveSelfSigned},
		{"foreign", "its root is not among the trusted ones", serveForeign},
		{"plain-http", "plain HTTP on the TLS port", servePlainHTTP},
		{"mutual", "it requires a client certificate", serveWith(certs.Template{}, &tls.Config{ClientAuth: tls.RequireAnyClientCert}, intermediate)},
		{"reset", "it resets every connection", serveReset},
		{"closed", "nothing listens on its port", serveNothing},
	}
}

// demoPKI issues what the backends serve.
type demoPKI struct {
	root, issuing, foreign *certs.Pair
	servers                []io.Closer
	mu                     sync.Mutex
}

func newDemoPKI() (*demoPKI, error) {
	root, err := certs.SelfSign(certs.Template{CommonName: "Demo Root CA", CA: true})
	if err != nil {
		return nil, err
	}
	issuing, err := root.Issue(certs.Template{CommonName: "Demo Issuing CA", CA: true})
	if err != nil {
		return nil, err
	}
	foreign, err := certs.SelfSign(certs.Template{CommonName: "Foreign Root CA", CA: true})
	if err != nil {
		return nil, err
	}
	return &demoPKI{root: root, issuing: issuing, foreign: foreign}, nil
}

func (p *demoPKI) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.servers {
		s.Close()
	}
}

func (p *demoPKI) keep(c io.Closer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.servers = append(p.servers, c)
}

// What is sent after the leaf.
func intermediate(p *demoPKI) []*x509.Certificate { return []*x509.Certificate{p.issuing.Certificate} }
func leafOnly(*demoPKI) []*x509.Certificate       { return nil }

// serveWith starts an HTTPS server with a certificate made from a template.
func serveWith(t certs.Template, config *tls.Config, above func(*demoPKI) []*x509.Certificate) func(*demoPKI, string) (net.Listener, error) {
	return func(p *demoPKI, name string) (net.Listener, error) {
		if t.Names == nil {
			t.Names = []string{name}
		}
		leaf, err := p.issuing.Issue(t)
		if err != nil {
			return nil, err
		}
		return p.serve(leaf.TLSWith(above(p)...), config)
	}
}

func serveSelfSigned(p *demoPKI, name string) (net.Listener, error) {
	leaf, err := certs.SelfSign(certs.Template{Names: []string{name}})
	if err != nil {
		return nil, err
	}
	return p.serve(leaf.TLS(), nil)
}

func serveForeign(p *demoPKI, name string) (net.Listener, error) {
	issuing, err := p.foreign.Issue(certs.Template{CommonName: "Foreign Issuing CA", CA: true})
	if err != nil {
		return nil, err
	}
	leaf, err := issuing.Issue(certs.Template{Names: []string{name}})
	if err != nil {
		return nil, err
	}
	return p.serve(leaf.TLS(), nil)
}

// serve starts an HTTPS server on a free loopback port.
func (p *demoPKI) serve(certificate *tls.Certificate, config *tls.Config) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if config == nil {
		config = &tls.Config{}
	}
	config = config.Clone()
	config.Certificates = []tls.Certificate{*certificate}
	if config.NextProtos == nil {
		config.NextProtos = []string{"h2", "http/1.1"}
	}
	p.keep(p.http(tls.NewListener(l, config)))
	return l, nil
}

func (p *demoPKI) http(l net.Listener) *http.Server {
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello from the backend") }),
		ReadHeaderTimeout: 5 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	go func() { _ = server.Serve(l) }() // until close
	return server
}

func servePlainHTTP(p *demoPKI, _ string) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.keep(p.http(l))
	return l, nil
}

// serveReset answers every connection with a TCP reset.
func serveReset(p *demoPKI, _ string) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.keep(l)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			// Read first, so that the reset answers the hello rather than the connection.
			c.SetReadDeadline(time.Now().Add(time.Second))
			_, _ = c.Read(make([]byte, 16))
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
	}()
	return l, nil
}

// serveNothing takes a port and lets go of it.
func serveNothing(*demoPKI, string) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return l, l.Close()
}
