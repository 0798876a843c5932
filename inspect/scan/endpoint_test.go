package scan

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/tlstriage/tlstriage/inspect/probe"
)

// resolving is a resolver that knows one name, with these addresses.
func resolving(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			for {
				head := make([]byte, 2)
				if _, err := server.Read(head); err != nil {
					return
				}
				question := make([]byte, int(head[0])<<8|int(head[1]))
				if _, err := server.Read(question); err != nil {
					return
				}
				answer := answerDNS(question, addresses)
				_, _ = server.Write(append([]byte{byte(len(answer) >> 8), byte(len(answer))}, answer...))
			}
		}()
		return client, nil
	}}
}

func answerDNS(question []byte, addresses []string) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil {
		return nil
	}
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	q := m.Questions[0]
	for _, a := range addresses {
		ip := net.ParseIP(a)
		header := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60}
		if v4 := ip.To4(); v4 != nil && q.Type == dnsmessage.TypeA {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: [4]byte(v4)}})
		} else if v4 == nil && q.Type == dnsmessage.TypeAAAA {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: [16]byte(ip)}})
		}
	}
	out, _ := m.Pack()
	return out
}

// routed connects addresses to servers. One that is not there has no route.
func routed(servers map[string]string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(address)
		if to, ok := servers[host]; ok {
			return (&net.Dialer{}).DialContext(ctx, network, to)
		}
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ENETUNREACH}
	}
}

func TestAddressesOfANameAreCompared(t *testing.T) {
	strong := serve(t, &tls.Config{MinVersion: tls.VersionTLS12}, goesOn).address
	old := serve(t, &tls.Config{MinVersion: tls.VersionTLS10, NextProtos: []string{"h2"}}, goesOn).address
	s := &Scanner{Client: &probe.Client{Dial: routed(map[string]string{"192.0.2.1": strong, "192.0.2.2": old})}}
	e := s.Endpoint(context.Background(), resolving(t, "192.0.2.1", "192.0.2.2", "2001:db8::1"), Target{Endpoint: probe.Target{Address: "www.example.com:443"}, ServerName: "localhost"})
	if len(e.Reports) != 2 {
		t.Fatalf("%d reports, want 2: %+v", len(e.Reports), e.DNS)
	}
	if !strings.Contains(e.DNS.Sentence, "no route to [2001:db8::1]:443") {
		t.Errorf("DNS: %s", e.DNS.Sentence)
	}
	f := e.Differences()
	if f == nil || !strings.Contains(f.Detail, "versions") || !strings.Contains(f.Detail, "alpn") || f.Severity != "warning" {
		t.Fatalf("differences %+v", f)
	}
	found := false
	for _, a := range e.Across {
		found = found || a.Reply == No
	}
	if !found || !strings.Contains(f.Detail, "not taken up") {
		t.Errorf("two servers with keys of their own take up each other's sessions: %+v; %s", e.Across, f.Detail)
	}
}

func TestAddressesOfOneServerDoNotDiffer(t *testing.T) {
	server := serve(t, nil, goesOn).address
	s := &Scanner{Client: &probe.Client{Dial: routed(map[string]string{"192.0.2.1": server, "192.0.2.2": server})}}
	e := s.Endpoint(context.Background(), resolving(t, "192.0.2.1", "192.0.2.2"), Target{Endpoint: probe.Target{Address: "www.example.com:443"}, ServerName: "localhost"})
	if f := e.Differences(); f != nil || len(e.Reports) != 2 {
		t.Errorf("%d reports, differences %+v", len(e.Reports), f)
	}
}

func TestANameWithoutAddresses(t *testing.T) {
	e := (&Scanner{}).Endpoint(context.Background(), resolving(t), Target{Endpoint: probe.Target{Address: "nowhere.example.com:443"}})
	if len(e.Reports) != 0 || e.DNS.Status != Broken || e.Error == nil {
		t.Errorf("%+v", e)
	}
}
