package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
)

// site is a PKI with what a proxy and its clients need of it.
type site struct {
	t     *testing.T
	pki   *certstest.PKI
	root  string // PEM file
	roots *x509.CertPool
}

func newSite(t *testing.T) *site {
	t.Helper()
	pki := certstest.New(t)
	return &site{t: t, pki: pki, root: pki.WriteRoot(t), roots: pki.Roots()}
}

// served writes a healthy certificate for name, and gives the flags that serve it.
func (s *site) served(name string) []string {
	s.t.Helper()
	cert, key := s.pki.Make(certstest.Healthy, name).WriteFiles(s.t)
	return []string{"--cert", cert, "--key", key}
}

// client is a client's configuration that trusts this PKI.
func (s *site) client(name string) *tls.Config {
	return &tls.Config{RootCAs: s.roots, ServerName: name}
}

// flags are a proxy's with one listener on a free port, in front of a backend, serving name.
func (s *site) flags(backend, name string, more ...string) []string {
	s.t.Helper()
	args := append([]string{"--listen", "127.0.0.1:0", "--backend", "tls://" + backend, "--backend-ca", s.root, "-o", "json"}, s.served(name)...)
	return append(args, more...)
}

// backend is a TLS server that gives each connection, its handshake done, to handle. It ends with the test.
func (s *site) backend(kind certstest.Kind, name string, config *tls.Config, handle func(*tls.Conn)) string {
	s.t.Helper()
	if config == nil {
		config = &tls.Config{}
	}
	config = config.Clone()
	config.Certificates = []tls.Certificate{*s.pki.Make(kind, name).TLS()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				c := tls.Server(conn, config)
				if c.Handshake() == nil {
					handle(c)
				}
			}()
		}
	}()
	return l.Addr().String()
}

// echo sends back what comes.
func echo(c *tls.Conn) {
	io.Copy(c, c)
	c.CloseWrite()
}

// web is an HTTPS backend that answers with its name.
func (s *site) web(kind certstest.Kind, name, says string) string {
	s.t.Helper()
	return s.webOn("127.0.0.1:0", kind, name, says)
}

func (s *site) webOn(address string, kind certstest.Kind, name, says string) string {
	s.t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		s.t.Fatal(err)
	}
	server := &http.Server{
		ErrorLog:  log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{*s.pki.Make(kind, name).TLS()}},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, says)
		}),
	}
	s.t.Cleanup(func() { server.Close() })
	go server.ServeTLS(l, "", "")
	return l.Addr().String()
}

// ask makes a request through the proxy and gives the body.
func (s *site) ask(address, name string) (string, error) {
	transport := &http.Transport{
		TLSClientConfig:   s.client(name),
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}
	client := &http.Client{Transport: transport, Timeout: patience}
	response, err := client.Get("https://" + name + "/")
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK {
		err = errors.Join(err, errors.New(response.Status))
	}
	return string(body), err
}

// answers holds that a name is answered by the backend that says so.
func (s *site) answers(address, name, says string) {
	s.t.Helper()
	if body, err := s.ask(address, name); err != nil || body != says {
		s.t.Errorf("%s at %s: %q, %v; want %q", name, address, body, err, says)
	}
}

// exchange writes a line and reads it back.
func exchange(t *testing.T, c net.Conn, line string) {
	t.Helper()
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(line)+1)
	if _, err := io.ReadFull(c, got); err != nil || strings.TrimSpace(string(got)) != line {
		t.Fatalf("got %q back, %v; want %q", got, err, line)
	}
}
