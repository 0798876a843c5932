package scan

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/porttest"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// resolverOf answers every name with addresses of IPv4.
func resolverOf(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	dial := func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		t.Cleanup(func() { client.Close(); server.Close() })
		go func() {
			for { // over a stream, each message has two bytes of length (RFC 1035, Section 4.2.2)
				var size [2]byte
				if _, err := io.ReadFull(server, size[:]); err != nil {
					return
				}
				question := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(server, question); err != nil || len(question) < 12 {
					return
				}
				end := 12 + slices.Index(question[12:], 0) + 5 // the name, its end, type and class
				answer := append([]byte{question[0], question[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question[12:end]...)
				if question[end-3] == 1 { // A
					answer[7] = byte(len(addresses))
					for _, a := range addresses {
						answer = append(append(answer, 0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4), net.ParseIP(a).To4()...)
					}
				}
				if _, err := server.Write(append([]byte{byte(len(answer) >> 8), byte(len(answer))}, answer...)); err != nil {
					return
				}
			}
		}()
		return client, nil
	}
	return &net.Resolver{PreferGo: true, Dial: dial}
}

// at serves crypto/tls on one address of the loopback.
func at(t *testing.T, host, port string, config *tls.Config) {
	t.Helper()
	l, err := tls.Listen("tcp", net.JoinHostPort(host, port), config)
	if err != nil && runtime.GOOS != "linux" { // there the loopback is a network
		t.Skipf("%s cannot be listened on: %v", host, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(20 * time.Second))
				_, _ = c.Read(make([]byte, 1024))
				_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
			}()
		}
	}()
}

// TestAddressesOfOneNameAreHeldAgainstEachOther: what differs is a finding, and whether sessions of one are taken up at the others.
func TestAddressesOfOneNameAreHeldAgainstEachOther(t *testing.T) {
	t.Parallel()
	pair := certificate(t)
	shared := [32]byte{1, 2, 3}
	config := func(lowest uint16, tickets [32]byte) *tls.Config {
		c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: lowest}
		c.SetSessionTicketKeys([][32]byte{tickets})
		return c
	}
	for _, c := range []struct {
		name     string
		second   *tls.Config
		severity string // of the finding; empty: none
		says     []string
	}{
		{"the same", config(tls.VersionTLS12, shared), "", nil},
		{"other tickets", config(tls.VersionTLS12, [32]byte{4}), "info", []string{"is not taken up at 127.0.0.2:"}},
		{"another version", config(tls.VersionTLS13, shared), "warning", []string{"versions: without TLSv1.2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			port := strconv.Itoa(porttest.Free(t)) // on every address of the loopback
			at(t, "127.0.0.1", port, config(tls.VersionTLS12, shared))
			at(t, "127.0.0.2", port, c.second)
			scanner := &Scanner{}
			e := scanner.Endpoint(t.Context(), resolverOf(t, "127.0.0.1", "127.0.0.2"), Target{Endpoint: probe.Target{Address: "www.example.test:" + port}, ServerName: "localhost"})
			if len(e.Reports) != 2 {
				t.Fatalf("%d reports: %+v, %v", len(e.Reports), e.DNS, e.Error)
			}
			for _, r := range e.Reports {
				if r.BrokenLayer() != nil || len(r.Inconclusive) > 0 {
					t.Errorf("%s: layers %+v, inconclusive %v", r.Address, r.Layers, r.Inconclusive)
				}
			}
			f := e.Differences()
			if (f != nil) != (c.severity != "") || f != nil && string(f.Severity) != c.severity {
				t.Fatalf("finding %+v, want severity %q", f, c.severity)
			}
			for _, text := range c.says {
				if !strings.Contains(f.Detail, text) {
					t.Errorf("%q lacks %q", f.Detail, text)
				}
			}
		})
	}
	t.Run("one is down", func(t *testing.T) {
		port := strconv.Itoa(porttest.Free(t))
		at(t, "127.0.0.1", port, config(tls.VersionTLS12, shared))
		e := (&Scanner{}).Endpoint(t.Context(), resolverOf(t, "127.0.0.1", "127.0.0.3"), Target{Endpoint: probe.Target{Address: "www.example.test:" + port}, ServerName: "localhost"})
		if f := e.Differences(); f == nil || !strings.Contains(f.Detail, "broken layer: tcp") {
			t.Errorf("finding %+v", f)
		}
	})
}

// TestAnEndpointOfSSLv2 answers in SSLv2 alone, as none of today's programs does any more.
func TestAnEndpointOfSSLv2(t *testing.T) {
	t.Parallel()
	leaf := certificate(t).Certificate[0]
	kinds := []byte{0x01, 0, 0x80, 0x07, 0, 0xC0}
	body := []byte{4, 0, 1, 0, 2, byte(len(leaf) >> 8), byte(len(leaf)), 0, byte(len(kinds)), 0, 16}
	body = append(append(append(body, leaf...), kinds...), make([]byte, 16)...)
	hello := append([]byte{0x80 | byte(len(body)>>8), byte(len(body))}, body...)
	address := listen(t, func(c net.Conn) {
		head := make([]byte, 5)
		if _, err := io.ReadFull(c, head); err != nil || head[0]&0x80 == 0 || head[2] != 1 || head[3] != 0 || head[4] != 2 {
			return // no CLIENT-HELLO of SSLv2
		}
		_, _ = c.Write(hello)
		_, _ = io.Copy(io.Discard, c)
	})
	r := scanned(t, address)
	if want := []string{wire.VersionSSLv2.String()}; !slices.Equal(r.Versions, want) || len(r.Ciphers[want[0]]) != 2 {
		t.Fatalf("versions %v, ciphers %v", r.Versions, r.Ciphers)
	}
	if len(r.Certificates) != 1 || r.BrokenLayer() != nil {
		t.Errorf("%d certificates, layers %+v", len(r.Certificates), r.Layers)
	}
	if c := r.Connection(); c == nil || !c.ClientLeg.TLS.Established || c.ClientLeg.Error != nil {
		t.Errorf("the record is not of the SERVER-HELLO: %+v", c)
	}
	var severity string
	for _, f := range r.Findings() {
		if f.ID == FindingObsoleteVersion {
			severity = string(f.Severity)
		}
	}
	if severity != "error" {
		t.Errorf("severity of the old version: %q", severity)
	}
}
