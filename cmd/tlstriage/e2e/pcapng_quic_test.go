package e2e

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
)

// rawQUIC is a client that sends Initial packets of its own making, and listens to nothing.
type rawQUIC struct {
	conn   net.Conn
	hello  []byte
	header quicwire.Header
	keys   *quicwire.Keys
	number uint64
}

func newRawQUIC(t *testing.T, addr string, protocols ...string) *rawQUIC {
	t.Helper()
	conn, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ids := make([]byte, 16)
	rand.Read(ids)
	c := &rawQUIC{conn: conn, header: quicwire.Header{Type: quicwire.PacketInitial, Version: quicwire.Version1, DestinationID: ids[:8], SourceID: ids[8:]}}
	if c.keys, _, err = quicwire.InitialKeys(quicwire.Version1, ids[:8]); err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{ServerName: site, MinVersion: tls.VersionTLS13, NextProtos: protocols, CurvePreferences: []tls.CurveID{tls.X25519}}
	q := tls.QUICClient(&tls.QUICConfig{TLSConfig: config})
	defer q.Close()
	q.SetTransportParameters(append([]byte{0x04, 0x04, 0x80, 0x10, 0, 0, 0x0f, 8}, ids[8:]...)) // initial_max_data, initial_source_connection_id
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for c.hello == nil {
		switch e := q.NextEvent(); e.Kind {
		case tls.QUICWriteData:
			c.hello = append([]byte(nil), e.Data...)
		case tls.QUICNoEvent:
			t.Fatal("no hello")
		}
	}
	return c
}

// send sends the beginning of the hello in a datagram with so many bytes of frames.
func (c *rawQUIC) send(hello []byte, size int) {
	frames := quicwire.AppendCrypto(nil, 0, hello)
	frames = append(frames, make([]byte, max(0, size-len(frames)))...)
	_, _ = c.conn.Write(c.keys.Seal(nil, &c.header, c.number, frames)) // that nobody listens is no matter
	c.number++
}

// again sends it again and again for two seconds, as clients do that hear nothing.
func (c *rawQUIC) again(hello []byte, size int) {
	every := time.NewTicker(500 * time.Millisecond)
	defer every.Stop()
	for range 4 {
		c.send(hello, size)
		<-every.C
	}
	c.send(hello, size)
}

// TestDatagramsOfFailedConnectionsAreWritten has clients over QUIC fail, and reads what the proxy writes of them with the program's own eyes for
// captures, and with Wireshark's.
func TestDatagramsOfFailedConnectionsAreWritten(t *testing.T) {
	t.Parallel()
	need(t, "tshark", "caddy")
	b := healthyGo(t)
	cert, key, ca := files(t)
	real := backend{addr: caddyServer(t, cert, key), ca: ca}
	mode := []string{"--mode", "http", "--timeout-client-hello", "8s"}
	passing := []string{"--mode", "passthrough", "--timeout-handshake", "8s"}
	for _, test := range []struct {
		name   string
		b      backend
		args   []string
		client func(t *testing.T, addr string)
		cause  string
		shows  string // by tshark
	}{
		{"no HTTP/3", b, mode, func(t *testing.T, addr string) {
			c := newRawQUIC(t, addr, "doq")
			c.send(c.hello, 1200)
		}, "quic-no-h3", site + "\tdoq"},
		{"half a hello", b, mode, func(t *testing.T, addr string) {
			c := newRawQUIC(t, addr, "h3")
			c.again(c.hello[:len(c.hello)/2], 1200)
		}, "quic-hello-incomplete", "CRYPTO"},
		{"small datagrams", b, mode, func(t *testing.T, addr string) {
			c := newRawQUIC(t, addr, "h3")
			c.again(c.hello, 600)
		}, "quic-datagram-too-small", site + "\th3"},
		{"a Retry that is not heard", b, append([]string{"--quic-retry", "always"}, mode...), func(t *testing.T, addr string) {
			c := newRawQUIC(t, addr, "h3")
			c.again(c.hello, 1200)
		}, "quic-retry-loop", "Retry"},
		{"another version", b, mode, func(t *testing.T, addr string) {
			c := newRawQUIC(t, addr, "h3")
			c.header.Version = quicwire.VersionDraft29
			c.keys, _, _ = quicwire.InitialKeys(c.header.Version, c.header.DestinationID)
			c.again(c.hello, 1200)
		}, "quic-version-negotiation", "Version Negotiation"},
		{"passed through, and refused", real, passing, func(t *testing.T, addr string) {
			c := newRawQUIC(t, addr, "doq")
			c.send(c.hello, 1200)
		}, "quic-no-h3", site + "\tdoq"},
		{"passed through, and another version", real, passing, func(t *testing.T, addr string) {
			c := newRawQUIC(t, addr, "h3")
			c.header.Version = 0xff000020 // draft-32
			c.keys, _, _ = quicwire.InitialKeys(c.header.Version, c.header.DestinationID)
			c.again(c.hello, 1200)
		}, "quic-version-negotiation", "Version Negotiation"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "handshakes")
			p := startProxy(t, test.b.args(append(test.args, "--quic", "--write-pcapng", dir)...)...)
			test.client(t, p.Addr)
			r := p.nextFor(t)
			p.stop()
			if r.Cause != test.cause || r.Verdict != inspect.Failed {
				t.Errorf("the proxy says %s, %s; want %s", r.Verdict, r.Cause, test.cause)
			}
			file := filepath.Join(dir, r.Event.ID+".pcapng")
			read := captured(t, file)
			if len(read) != 1 {
				t.Fatalf("%d connections in the file", len(read))
			}
			c := read[0]
			if c.Cause != r.Cause || c.Fault != r.Fault || c.Verdict != r.Verdict {
				t.Errorf("the capture says %s, %s, %s; want %s, %s, %s", c.Verdict, c.Cause, c.Fault, r.Verdict, r.Cause, r.Fault)
			}
			if c.Client.Port != r.Client.Port || c.Server.Port != r.Server.Port || c.Client.Address != r.Client.Address || c.ClientLeg.QUIC.Version != r.ClientLeg.QUIC.Version {
				t.Errorf("%+v to %+v, %+v", c.Client, c.Server, c.ClientLeg.QUIC)
			}
			out := tshark(t, r, file, "-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-T", "fields", "-e", "frame.comment", "-e", "_ws.col.Protocol", "-e", "_ws.col.Info",
				"-e", "tls.handshake.extensions_server_name", "-e", "tls.handshake.extensions_alpn_str", "-e", "udp.srcport", "-e", "_ws.expert.message")
			if out.code != 0 || !strings.Contains(out.out, test.cause) || !strings.Contains(out.out, "QUIC") || !strings.Contains(out.out, test.shows) || !strings.Contains(out.out, fmt.Sprint(r.Client.Port)) {
				t.Errorf("exit %d: %s", out.code, out.out)
			}
			if strings.Contains(out.out, "ad checksum") || strings.Contains(out.out, "alformed") {
				t.Error(out.out)
			}
		})
	}
}

// tshark reads a file with the connection of a record. That it is QUIC is said: a port that the system gives may be known for something else.
func tshark(t *testing.T, r *record, file string, args ...string) ran {
	t.Helper()
	all := []string{"-r", file}
	for _, port := range []int{r.Client.Port, r.Server.Port} {
		all = append(all, "-d", fmt.Sprintf("udp.port==%d,quic", port))
	}
	return client(t, "", "tshark", append(all, args...)...)
}

// captured is what the program reads in a capture.
func captured(t *testing.T, file string) (all []*inspect.Connection) {
	t.Helper()
	for line := range strings.Lines(client(t, "", program, "pcap", file, "-o", "json").out) {
		if !strings.HasPrefix(line, "{") {
			continue
		}
		c := new(inspect.Connection)
		if err := json.Unmarshal([]byte(line), c); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// TestBothLegsOfAFailureOverQUICAreWritten has a client over QUIC served well, in front of a backend that is refused.
func TestBothLegsOfAFailureOverQUICAreWritten(t *testing.T) {
	t.Parallel()
	need(t, "gtlsclient", "tshark")
	pki := certstest.New(t)
	sick := backend{addr: goBackend(t, pki.Make(certstest.Expired, site), nil), ca: pki.WriteRoot(t)}
	dir := filepath.Join(t.TempDir(), "handshakes")
	p := startProxy(t, sick.args("--mode", "http", "--quic", "--backend-verify", "enforce", "--write-pcapng", dir, "--keylog", filepath.Join(t.TempDir(), "keys.log"))...)
	gtls(t, p.Addr, "-s")
	r := p.nextFor(t)
	p.stop()
	if r.Transport != inspect.TransportQUIC || r.Cause != "cert-expired" {
		t.Fatalf("%s: %s", r.Transport, r.Cause)
	}
	file := filepath.Join(dir, r.Event.ID+".pcapng")
	legs := map[string]*inspect.Connection{}
	for _, c := range captured(t, file) {
		legs[c.Transport] = c
	}
	front, back := legs[inspect.TransportQUIC], legs[inspect.TransportTCP]
	if front == nil || back == nil {
		t.Fatalf("%v", legs)
	}
	if !front.ClientLeg.TLS.Established || !front.Capture.Decrypted || len(front.ClientLeg.TLS.Server.CertificateChain) == 0 || front.ClientLeg.TLS.NextProtocol != "h3" {
		t.Errorf("the client's leg: %+v, %+v", front.ClientLeg.TLS, front.Capture)
	}
	if !slices.ContainsFunc(back.Findings, func(f inspect.Finding) bool { return f.ID == "cert-expired" }) {
		t.Errorf("the backend's leg: %+v", back.Findings)
	}
	out := tshark(t, r, file, "-Y", "quic", "-T", "fields", "-e", "tls.handshake.type", "-e", "_ws.expert.message")
	if !strings.Contains(out.out, "11") || strings.Contains(out.out, "alformed") { // its certificate, opened with the secrets in the file
		t.Errorf("exit %d: %s", out.code, out.out)
	}
}
