package capture_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// said are the chunks of a recorded handshake.
func said(tb testing.TB, began time.Time) []capture.Chunk {
	tb.Helper()
	var chunks []capture.Chunk
	for i, turn := range recorded(tb, "zeek+zeek", "testing", "btest", "Traces", "tls", "ecdhe.pcap") {
		from := inspect.FromServer
		if turn.client {
			from = inspect.FromClient
		}
		chunks = append(chunks, capture.Chunk{At: began.Add(time.Duration(i) * time.Millisecond), From: from, Data: turn.data})
	}
	return chunks
}

func TestExchangeIsReadAgain(t *testing.T) {
	began := time.Date(2026, 11, 21, 12, 0, 0, 123456789, time.UTC)
	client4, server4 := netip.MustParseAddrPort("192.0.2.7:40000"), netip.MustParseAddrPort("198.51.100.1:8443")
	client6 := netip.MustParseAddrPort("[2001:db8::7]:40001")
	for _, test := range []struct {
		name           string
		client, server netip.AddrPort
		end            inspect.CaptureEnd
		wantClient     string
		wantEnd        inspect.CaptureEnd
	}{
		{"IPv4, closed by the client", client4, server4, inspect.EndFINClient, "192.0.2.7", inspect.EndFINClient},
		{"IPv6, reset by the server", client6, netip.MustParseAddrPort("[2001:db8::1]:443"), inspect.EndResetServer, "2001:db8::7", inspect.EndResetServer},
		{"one of each", client6, server4, inspect.EndFINServer, "2001:db8::7", inspect.EndFINServer},
		{"mapped", netip.MustParseAddrPort("[::ffff:192.0.2.7]:40000"), server4, inspect.EndResetClient, "192.0.2.7", inspect.EndResetClient},
		{"left open", client4, server4, "", "192.0.2.7", inspect.EndOpen},
	} {
		t.Run(test.name, func(t *testing.T) {
			file, err := capture.Compose(capture.Exchange{
				Client: test.client, Server: test.server, Began: began, Chunks: said(t, began), End: test.end, Comment: "failed: cert-expired",
			})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(file, []byte(capture.MadeUp+"\nfailed: cert-expired")) {
				t.Error("no comment")
			}
			records, stats := recordsOf(t, file, capture.Options{})
			if len(records) != 1 || stats.Malformed > 0 {
				t.Fatalf("%d records, %+v", len(records), stats)
			}
			r := records[0]
			if r.Client.Address != test.wantClient || r.Client.Port != int(test.client.Port()) || r.Server.Port != int(test.server.Port()) {
				t.Errorf("%v to %v", r.Client, r.Server)
			}
			if !r.Timestamp.Equal(began) || !r.ClientLeg.TLS.Established || len(r.ClientLeg.TLS.Server.CertificateChain) == 0 || r.Capture.End != test.wantEnd {
				t.Errorf("at %v, %+v, %+v", r.Timestamp, r.ClientLeg.TLS, r.Capture)
			}
			if r.Capture.Midstream || r.Capture.Client.LostBytes+r.Capture.Server.LostBytes != 0 {
				t.Errorf("%+v", r.Capture)
			}
		})
	}
}

func TestExchangeBothLegsAndSecrets(t *testing.T) {
	began := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	secret := []byte("CLIENT_RANDOM " + strings.Repeat("ab", 32) + " " + strings.Repeat("cd", 48) + "\n")
	leg := capture.Exchange{
		Client: netip.MustParseAddrPort("192.0.2.7:40000"), Server: netip.MustParseAddrPort("192.0.2.8:443"), Chunks: said(t, began), End: inspect.EndFINClient,
	}
	other := leg
	other.Client, other.Server, other.KeyLog = leg.Server, netip.MustParseAddrPort("192.0.2.9:8443"), secret
	file, err := capture.Compose(leg, other)
	if err != nil {
		t.Fatal(err)
	}
	records, stats := recordsOf(t, file, capture.Options{})
	if len(records) != 2 || stats.Secrets != 1 {
		t.Fatalf("%d records, %+v", len(records), stats)
	}
	if open, err := capture.Compose(leg); err != nil || bytes.Contains(open, secret[:20]) {
		t.Errorf("secrets without a key log, %v", err)
	}
}

func TestExchangeBounds(t *testing.T) {
	huge := slices.Repeat([]capture.Chunk{{From: inspect.FromClient, Data: make([]byte, 1<<20)}}, 65)
	if _, err := capture.Compose(capture.Exchange{Chunks: huge}); err == nil {
		t.Error("65 MiB were written")
	}
	if _, err := capture.Compose(capture.Exchange{Transport: inspect.TransportQUIC, Chunks: []capture.Chunk{{Data: make([]byte, 70_000)}}}); err == nil {
		t.Error("a datagram of 70,000 bytes was written")
	}
	// A chunk that no packet can hold is several, and nothing at all is a connection all the same.
	file, err := capture.Compose(capture.Exchange{Chunks: []capture.Chunk{{From: inspect.FromClient, Data: make([]byte, 200_000)}}, End: inspect.EndResetClient}, capture.Exchange{})
	if err != nil {
		t.Fatal(err)
	}
	_, stats := recordsOf(t, file, capture.Options{})
	if stats.Malformed > 0 || stats.Packets != 3+4+1+3 {
		t.Errorf("%+v", stats)
	}
}

// TestExchangeDatagrams writes QUIC out of the collection once more.
func TestExchangeDatagrams(t *testing.T) {
	path := shared(t, "captures", "files", "ntop+nDPI", "tests", "cfgs", "default", "pcap", "quic-33.pcapng")
	var chunks []capture.Chunk
	wants := ""
	_, _ = readCapture(t, path, capture.Options{OnPackets: func(c *inspect.Connection, packets []capture.Packet) {
		if len(chunks) > 0 || c.ClientLeg.TLS.Client == nil {
			return
		}
		wants = c.ClientLeg.TLS.Client.JA4
		port := binary.BigEndian.AppendUint16(nil, uint16(c.Client.Port))
		port = binary.BigEndian.AppendUint16(port, uint16(c.Server.Port))
		for _, p := range packets {
			from, at := inspect.FromClient, bytes.Index(p.Data, port) // the ports are where UDP begins
			if at < 0 {
				from, at = inspect.FromServer, bytes.Index(p.Data, append(port[2:4:4], port[:2]...))
			}
			udp := p.Data[at:]
			chunks = append(chunks, capture.Chunk{At: p.Time, From: from, Data: udp[8:binary.BigEndian.Uint16(udp[4:])]})
		}
	}})
	file, err := capture.Compose(capture.Exchange{
		Client: netip.MustParseAddrPort("[2001:db8::7]:40001"), Server: netip.MustParseAddrPort("[2001:db8::1]:443"), Transport: inspect.TransportQUIC, Chunks: chunks,
	})
	if err != nil {
		t.Fatal(err)
	}
	records, stats := recordsOf(t, file, capture.Options{})
	if len(records) != 1 || records[0].Transport != inspect.TransportQUIC || records[0].ClientLeg.TLS.Client == nil || records[0].ClientLeg.TLS.Client.JA4 != wants || stats.Packets != uint64(len(chunks)) {
		t.Fatalf("%d records, %+v", len(records), stats)
	}
}

// TestExchangeOfCutDatagrams writes the beginning of a datagram in place of the whole: its length is that of the whole.
func TestExchangeOfCutDatagrams(t *testing.T) {
	whole := initial(t, true, 0, quicHello(t))
	following := append([]byte{0x41}, make([]byte, 40)...)
	for _, ends := range [][2]string{{"192.0.2.7:40001", "192.0.2.1:443"}, {"[2001:db8::7]:40001", "[2001:db8::1]:443"}} {
		file, err := capture.Compose(capture.Exchange{
			Client: netip.MustParseAddrPort(ends[0]), Server: netip.MustParseAddrPort(ends[1]), Transport: inspect.TransportQUIC,
			Chunks: []capture.Chunk{{From: inspect.FromClient, Data: whole}, {From: inspect.FromServer, Data: following, Size: 1400}, {From: inspect.FromServer, Data: append([]byte{0x42}, following[1:]...), Size: 3}},
		})
		if err != nil {
			t.Fatal(err)
		}
		records, stats := recordsOf(t, file, capture.Options{})
		if len(records) != 1 || stats.CutPackets != 1 || stats.Malformed != 0 {
			t.Fatalf("%d records, %+v", len(records), stats)
		}
		if server := records[0].Capture.Server; server.Packets != 2 || server.Bytes != 1441 || server.Largest != 1400 {
			t.Errorf("%+v", server)
		}
	}
	if _, err := capture.Compose(capture.Exchange{Transport: inspect.TransportQUIC, Chunks: []capture.Chunk{{Data: whole, Size: 70_000}}}); err == nil {
		t.Error("a datagram of 70,000 bytes was written")
	}
}

// TestExchangeOpensElsewhere has programs of others read what was written: no checksum may be wrong, no segment missing.
func TestExchangeOpensElsewhere(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("tshark is not installed")
	}
	began := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	name := filepath.Join(t.TempDir(), "leg.pcapng")
	for _, ends := range [][2]string{{"192.0.2.7:40000", "192.0.2.8:443"}, {"[2001:db8::7]:40000", "[2001:db8::8]:443"}} {
		file, err := capture.Compose(capture.Exchange{
			Client: netip.MustParseAddrPort(ends[0]), Server: netip.MustParseAddrPort(ends[1]), Chunks: said(t, began), End: inspect.EndFINClient, Comment: "failed: cert-expired",
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, file, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "tshark", "-r", name, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-T", "fields",
			"-e", "frame.comment", "-e", "tls.handshake.type", "-e", "tcp.checksum.status", "-e", "_ws.expert.message").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		text := string(out)
		if !strings.Contains(text, "failed: cert-expired") || !strings.Contains(text, "2,11") && !strings.Contains(text, "\t11\t") || strings.Contains(text, "\t0\t") {
			t.Errorf("%s", text)
		}
		for _, bad := range []string{"Bad checksum", "retransmission", "not captured", "out-of-order", "out-of-Order"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s in %s", bad, text)
			}
		}
	}
}
