package scan

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/probe"
)

// mail speaks SMTP until STARTTLS, and TLS then.
func mail(config *tls.Config, starttls bool) func(c net.Conn) {
	return func(c net.Conn) {
		in := bufio.NewReader(c)
		_, _ = io.WriteString(c, "220 mail.example.com ESMTP\r\n")
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			switch command := strings.ToUpper(strings.TrimSpace(line)); {
			case strings.HasPrefix(command, "EHLO") && starttls:
				_, _ = io.WriteString(c, "250-mail.example.com\r\n250 STARTTLS\r\n")
			case strings.HasPrefix(command, "EHLO"):
				_, _ = io.WriteString(c, "250 mail.example.com\r\n")
			case command == "STARTTLS" && starttls:
				_, _ = io.WriteString(c, "220 go ahead\r\n")
				conn := tls.Server(c, config)
				if conn.Handshake() == nil {
					_, _ = io.Copy(io.Discard, conn)
				}
				return
			default:
				_, _ = io.WriteString(c, "502 no\r\n")
			}
		}
	}
}

func TestSTARTTLSBeforeEveryHello(t *testing.T) {
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}, MinVersion: tls.VersionTLS12}
	plain := scanned(t, serve(t, config.Clone(), goesOn).address)
	s := &Scanner{}
	r := s.Address(context.Background(), Target{Endpoint: probe.Target{Address: listen(t, mail(config, true)), StartTLS: probe.StartTLSSMTP, Name: "localhost"}, ServerName: "localhost"})
	if !slices.Equal(r.Versions, plain.Versions) || !slices.Equal(r.Ciphers["TLSv1.2"], plain.Ciphers["TLSv1.2"]) || len(r.Versions) != 2 {
		t.Errorf("behind STARTTLS %v %v, without %v %v; %+v", r.Versions, r.Ciphers, plain.Versions, plain.Ciphers, r.Layers)
	}
	r = s.Address(context.Background(), Target{Endpoint: probe.Target{Address: listen(t, mail(config, false)), StartTLS: probe.StartTLSSMTP, Name: "localhost"}, ServerName: "localhost"})
	b := r.BrokenLayer()
	if b == nil || b.Name != LayerFirstBytes {
		t.Fatalf("a server without STARTTLS: %+v", r.Layers)
	}
	has(t, r, FindingNotTLSUpgrade)
}

func TestAPROXYHeaderBeforeEveryHello(t *testing.T) {
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	address := listen(t, func(c net.Conn) {
		line := []byte{}
		for one := make([]byte, 1); !strings.HasSuffix(string(line), "\r\n") && len(line) < 107; line = append(line, one[0]) {
			if _, err := io.ReadFull(c, one); err != nil {
				return
			}
		}
		if conn := tls.Server(c, config); strings.HasPrefix(string(line), "PROXY TCP4 ") && conn.Handshake() == nil {
			_, _ = io.Copy(io.Discard, conn)
		}
	})
	s := &Scanner{}
	r := s.Address(context.Background(), Target{Endpoint: probe.Target{Address: address, Proxy: &probe.ProxyHeader{Version: 1}}, ServerName: "localhost", NoRequest: true})
	if !slices.Contains(r.Versions, "TLSv1.3") || len(r.Inconclusive) > 0 {
		t.Errorf("versions %v, inconclusive %v; %+v", r.Versions, r.Inconclusive, r.Layers)
	}
}
