package keylog_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/keylog"
)

// FuzzLines takes anything as a key log: it never panics, and keeps no more than it may.
func FuzzLines(f *testing.F) {
	r := fmt.Sprintf("%x", random(1))
	f.Add([]byte("CLIENT_RANDOM " + r + " " + strings.Repeat("11", 48) + "\n# comment\nRSA 0 1\n"))
	f.Add([]byte("CLIENT_TRAFFIC_SECRET_0 " + r + " " + strings.Repeat("22", 32) + "\r\nQUIC_CLIENT_HANDSHAKE_TRAFFIC_SECRET " + r + " 33"))
	f.Add([]byte("ECH_CONFIG " + r + " 00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		store := keylog.Store{MaxClients: 2}
		_ = store.AddAll(b) // an error is as good as none
		s := store.Stats()
		if s.Clients > 2 || s.Legacy+s.Unknown+s.Malformed+s.Secrets > s.Lines {
			t.Errorf("%+v", s)
		}
		if s.Lines > bytes.Count(b, []byte{'\n'})+1 {
			t.Errorf("%d lines", s.Lines)
		}
	})
}

// FuzzOpener gives anything to the openers of every suite and version: they never panic, and open nothing.
func FuzzOpener(f *testing.F) {
	for _, suite := range []uint16{0x1301, 0x1303, 0x1304, 0x1305, 0xC02F, 0xCCA8, 0xC09C, 0xC0A0, 0x002F, 0x003C, 0x000A, 0x0005, 0x0002} {
		for _, version := range []uint16{0x0300, 0x0301, 0x0302, 0x0303, 0x0304, 0x7F17} {
			f.Add(version, suite, true, byte(23), make([]byte, 64), make([]byte, 48))
			f.Add(version, suite, false, byte(21), make([]byte, 24), []byte{})
		}
	}
	var store keylog.Store
	r := random(1)
	for _, label := range []keylog.Label{keylog.ClientRandom, keylog.ClientEarlyTraffic, keylog.ClientHandshakeTraffic, keylog.ServerHandshakeTraffic, keylog.ClientTraffic0, keylog.ServerTraffic0} {
		size := 32
		if label == keylog.ClientRandom {
			size = 48
		}
		if err := store.Add(fmt.Appendf(nil, "%s %x %s", label, r, strings.Repeat("5a", size))); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, version, suite uint16, etm bool, contentType byte, first, second []byte) {
		for from := range keylog.Side(2) {
			o, err := store.ForTLS(keylog.Connection{Version: version, Suite: suite, ClientRandom: r, ServerRandom: random(2), EncryptThenMAC: etm}, from)
			if err != nil {
				return
			}
			for _, payload := range [][]byte{first, second, first} {
				before := bytes.Clone(payload)
				if _, _, err := o.Open(contentType, version, payload); err == nil {
					t.Error("opened without its keys") // a MAC was guessed
				}
				if !bytes.Equal(before, payload) {
					t.Error("the payload was changed")
				}
				o.Skip(1)
			}
		}
	})
}

// BenchmarkLines reads a log of a thousand connections of TLS 1.2.
func BenchmarkLines(b *testing.B) {
	var log bytes.Buffer
	for n := range 1000 {
		fmt.Fprintf(&log, "CLIENT_RANDOM %x %s\n", random(n), strings.Repeat("11", 48))
	}
	b.SetBytes(int64(log.Len()))
	b.ReportAllocs()
	for b.Loop() {
		var store keylog.Store
		if err := store.AddAll(log.Bytes()); err != nil {
			b.Fatal(err)
		}
	}
}
