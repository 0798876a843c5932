package quicwire_test

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/quicwire"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// keyLogOf gives the key log in a pcapng file's decryption secrets blocks.
func keyLogOf(tb testing.TB, path string) string {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	var log strings.Builder
	for len(b) >= 20 {
		kind, n := binary.LittleEndian.Uint32(b), int(binary.LittleEndian.Uint32(b[4:]))
		if n < 12 || n > len(b) {
			break
		}
		if kind == 0x0A && string(b[8:12]) == "KSLT" { // TLS Key Log, little-endian
			log.Write(b[16 : 16+binary.LittleEndian.Uint32(b[12:])])
		}
		b = b[n:]
	}
	return log.String()
}

// TestCapturesWithTheirSecrets opens the handshakes of captures of drafts that carry their own key log.
func TestCapturesWithTheirSecrets(t *testing.T) {
	for _, file := range []string{"doq.pcapng", "quic-33.pcapng"} {
		t.Run(file, func(t *testing.T) {
			path := shared(t, "captures", "files", "ntop+nDPI", "tests", "cfgs", "default", "pcap", file)
			log := keyLogOf(t, path)
			if log == "" {
				t.Fatal("no key log in the capture")
			}
			found := map[wire.HandshakeType]bool{}
			closed := false
			for _, c := range converse(t, datagrams(t, path), secretsOf(log)) {
				for _, err := range c.errors {
					t.Error(err)
				}
				for _, m := range c.messages {
					found[wire.HandshakeType(m.Type)] = true
					if m.Type != uint8(wire.HandshakeTypeCertificate) {
						continue
					}
					var certificate wire.Certificate
					if err := wire.ParseCertificate(m.Bytes, wire.VersionTLS13, &certificate); err != nil || certificate.Len() == 0 {
						t.Errorf("%d certificates, error %v", certificate.Len(), err)
					}
				}
				for _, f := range c.flows {
					closed = closed || f.Close() != nil
					if s := f.Stats(quicwire.FromServer); s.OneRTT == 0 || s.Unopened > 0 {
						t.Errorf("the server's %+v", s)
					}
				}
			}
			for _, want := range []wire.HandshakeType{wire.HandshakeTypeEncryptedExtensions, wire.HandshakeTypeCertificate, wire.HandshakeTypeFinished} {
				if !found[want] {
					t.Errorf("no %s among %v", want, found)
				}
			}
			t.Logf("messages %v, closed %v", found, closed)
		})
	}
}
