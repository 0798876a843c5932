package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/configs"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/starttls"
	"github.com/tlstriage/tlstriage/proxy"
)

// planOf is the plan of a listener on any free port.
func planOf(t *testing.T, listener string) *plan {
	t.Helper()
	config, err := configs.Resolve([]byte("listeners: [{address: \"127.0.0.1:0\", "+listener+"}]"), "p.yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPlan(config, func() (*certs.Authority, error) { return nil, nil }, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}

// A backend that is looked at is offered HTTP's protocols only where HTTP is spoken to it.
func TestChecksOfferHTTPWhereItIsSpoken(t *testing.T) {
	for _, test := range []struct {
		listener string
		http     bool
	}{
		{`routes: [{backend: {url: "https://127.0.0.1:9"}}]`, true},
		{`routes: [{backend: {url: "HTTPS://127.0.0.1:9"}}]`, true},
		{`mode: http, routes: [{backend: {url: "tls://127.0.0.1:9"}}]`, true},
		{`mode: http, routes: [{backend: {url: "https://127.0.0.1:9"}}]`, true},
		{`routes: [{backend: {url: "tls://127.0.0.1:9"}}]`, false},
		{`starttls: smtp, routes: [{backend: {url: "tls://127.0.0.1:9", starttls: smtp}}]`, false},
		{`routes: [{backend: {url: "https://127.0.0.1:9", starttls: imap}}]`, false},
		{`starttls: postgres, routes: [{backend: {url: "https://127.0.0.1:9"}}]`, false},
	} {
		targets := planOf(t, test.listener).targets()
		if len(targets) != 1 {
			t.Fatalf("%s: %+v", test.listener, targets)
		}
		var want []string
		if test.http {
			want = []string{"h2", "http/1.1"}
		}
		if got := targets[0].Protocols; !slices.Equal(got, want) {
			t.Errorf("%s: offers %q, want %q", test.listener, got, want)
		}
	}
}

// A mail server that refuses every protocol but its own is well when it is looked at.
func TestMailServersAreWell(t *testing.T) {
	chain := certstest.New(t).Make(certstest.Healthy, "mx.example")
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(time.Minute))
				if _, err := (&starttls.Desk{Protocol: starttls.SMTP, Client: conn, Greeting: []byte("220 mx.example ESMTP\r\n")}).Agree(); err != nil {
					return
				}
				s := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{*chain.TLS()}, NextProtos: []string{"smtp"}})
				if s.Handshake() == nil {
					io.Copy(io.Discard, s)
				}
			}()
		}
	}()
	p := planOf(t, fmt.Sprintf(`starttls: smtp, routes: [{backend: {url: "tls://%s", starttls: smtp, server_name: mx.example}}]`, server.Addr()))
	s := &proxy.Server{}
	for _, target := range p.targets() {
		if c := s.CheckAddress(t.Context(), target.Backend, "", target.ServerName, target.Protocols); c.Event.Outcome != inspect.Success {
			t.Errorf("it is looked at: %+v", c.BackendLeg.Error)
		}
		if c := s.CheckAddress(t.Context(), target.Backend, "", target.ServerName, []string{"h2", "http/1.1"}); c.Event.Outcome == inspect.Success {
			t.Error("this mail server takes HTTP's protocols, and shows nothing")
		}
	}
}
