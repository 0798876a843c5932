package keylog_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/keylog"
)

func isUnsupported(err error) bool {
	var unsupported *keylog.UnsupportedError
	return errors.As(err, &unsupported)
}

// random is the n-th client random.
func random(n int) []byte {
	b := bytes.Repeat([]byte{0xA5}, 32)
	b[0], b[1] = byte(n>>8), byte(n)
	return b
}

func TestLinesAreReadAndWrongOnesAreNamed(t *testing.T) {
	r, secret := hex.EncodeToString(random(1)), strings.Repeat("0f", 48)
	for _, test := range []struct {
		name, line string
		label      keylog.Label
		want       int // bytes of the secret; 0: none is kept
		kind       keylog.LineErrorKind
		bad        bool
	}{
		{name: "TLS 1.2", line: "CLIENT_RANDOM " + r + " " + secret, label: keylog.ClientRandom, want: 48},
		{name: "TLS 1.3", line: "SERVER_HANDSHAKE_TRAFFIC_SECRET " + r + " " + secret + "\r\n", label: keylog.ServerHandshakeTraffic, want: 48},
		{name: "upper case and tabs", line: "\tCLIENT_TRAFFIC_SECRET_0\t" + strings.ToUpper(r) + "  " + strings.ToUpper(secret[:64]) + " ", label: keylog.ClientTraffic0, want: 32},
		{name: "QUIC of old", line: "QUIC_SERVER_TRAFFIC_SECRET_0 " + r + " " + secret, label: keylog.ServerTraffic0, want: 48},
		{name: "exporter", line: "EXPORTER_SECRET " + r + " " + secret, label: keylog.Exporter, want: 48},
		{name: "early exporter", line: "EARLY_EXPORTER_SECRET " + r + " " + secret, label: keylog.EarlyExporter, want: 48},
		{name: "ECH, which opens no record", line: "ECH_SECRET " + r + " " + secret, label: keylog.ECHSecret},
		{name: "ECH configuration, long", line: "ECH_CONFIG " + r + " " + strings.Repeat("00", 300), label: keylog.ECHConfig},
		{name: "comment", line: "# SSL/TLS secrets log file"},
		{name: "empty", line: "   \n"},
		{name: "by encrypted premaster secret", line: "RSA 0123456789abcdef " + secret},
		{name: "by session id", line: "RSA Session-ID:00 Master-Key:00"},
		{name: "unknown label", line: "CLIENT_SOMETHING " + r + " " + secret},
		{name: "two fields", line: "CLIENT_RANDOM " + r, bad: true, kind: keylog.ErrFields},
		{name: "four fields", line: "CLIENT_RANDOM " + r + " 00 00", bad: true, kind: keylog.ErrFields},
		{name: "no line of a key log", line: "-----BEGIN PRIVATE KEY-----", bad: true, kind: keylog.ErrLabel},
		{name: "short random", line: "CLIENT_RANDOM " + r[2:] + " " + secret, bad: true, kind: keylog.ErrRandom},
		{name: "random not hexadecimal", line: "CLIENT_RANDOM zz" + r[2:] + " " + secret, bad: true, kind: keylog.ErrRandom},
		{name: "secret of half a byte", line: "CLIENT_RANDOM " + r + " " + secret[1:], bad: true, kind: keylog.ErrSecret},
		{name: "long secret", line: "CLIENT_RANDOM " + r + " " + secret + secret, bad: true, kind: keylog.ErrSecret},
		{name: "secret not hexadecimal", line: "CLIENT_RANDOM " + r + " 0x", bad: true, kind: keylog.ErrSecret},
	} {
		t.Run(test.name, func(t *testing.T) {
			var store keylog.Store
			err := store.Add([]byte(test.line))
			var bad *keylog.LineError
			if errors.As(err, &bad) != test.bad || test.bad && (bad.Kind != test.kind || bad.Number != 1) {
				t.Fatalf("error %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "0f0f") {
				t.Errorf("the error shows the secret: %v", err)
			}
			if got := store.Secret(random(1), test.label); len(got) != test.want {
				t.Errorf("a secret of %d bytes is kept, want %d", len(got), test.want)
			}
		})
	}
}

func TestTheStoreIsBounded(t *testing.T) {
	store := keylog.Store{MaxClients: 3}
	for n := range 10 {
		for _, label := range []keylog.Label{keylog.ClientHandshakeTraffic, keylog.ServerHandshakeTraffic, keylog.ServerHandshakeTraffic} {
			line := fmt.Sprintf("%s %x %s", label, random(n), strings.Repeat(fmt.Sprintf("%02x", n), 32))
			if err := store.Add([]byte(line)); err != nil {
				t.Fatal(err)
			}
		}
	}
	stats := store.Stats()
	if stats.Clients != 3 || stats.Evicted != 7 || stats.Lines != 30 {
		t.Errorf("%+v", stats)
	}
	for n := range 10 {
		got := store.Secret(random(n), keylog.ServerHandshakeTraffic)
		if kept := n >= 7; kept != bytes.Equal(got, bytes.Repeat([]byte{byte(n)}, 32)) {
			t.Errorf("connection %d: secret %x", n, got)
		}
	}
	if store.Secret(random(1)[:31], keylog.ClientRandom) != nil || store.Secret(random(9), 200) != nil {
		t.Error("a secret for what is no random, or no label")
	}
}

func TestABadLineDoesNotHideTheOthers(t *testing.T) {
	var store keylog.Store
	r := hex.EncodeToString(random(1))
	err := store.AddAll([]byte("# a\nCLIENT_RANDOM 00 11\nRSA 00 11\nX_Y " + r + " 00\n\nCLIENT_RANDOM " + r + " " + strings.Repeat("11", 48)))
	var bad *keylog.LineError
	if !errors.As(err, &bad) || bad.Number != 2 {
		t.Errorf("error %v, want one of line 2", err)
	}
	want := keylog.Stats{Lines: 6, Secrets: 1, Clients: 1, Legacy: 1, Unknown: 1, Malformed: 1}
	if got := store.Stats(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestWhatCannotBeOpenedIsSaid(t *testing.T) {
	var store keylog.Store
	r := random(1)
	if err := store.AddAll(fmt.Appendf(nil, "CLIENT_RANDOM %x %s\nSERVER_HANDSHAKE_TRAFFIC_SECRET %x %s\n", r, strings.Repeat("11", 48), r, strings.Repeat("22", 32))); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name           string
		version, suite uint16
		random         []byte
		from           keylog.Side
		want           string // "": an opener; "secret", "unsupported"
	}{
		{name: "TLS 1.2", version: 0x0303, suite: 0xC02F, random: r},
		{name: "TLS 1.3", version: 0x0304, suite: 0x1301, random: r, from: keylog.FromServer},
		{name: "TLS 1.3, draft 23", version: 0x7F17, suite: 0x1301, random: r, from: keylog.FromServer},
		{name: "SSL 3.0", version: 0x0300, suite: 0x000A, random: r},
		{name: "TLS 1.3, the other side", version: 0x0304, suite: 0x1301, random: r, want: "secret"},
		{name: "TLS 1.3, secret of another hash", version: 0x0304, suite: 0x1302, random: r, from: keylog.FromServer, want: "secret"},
		{name: "another connection", version: 0x0303, suite: 0xC02F, random: random(2), want: "secret"},
		{name: "TLS 1.3, draft 18", version: 0x7F12, suite: 0x1301, random: r, from: keylog.FromServer, want: "unsupported"},
		{name: "suite of another version", version: 0x0303, suite: 0x1301, random: r, want: "unsupported"},
		{name: "GCM in TLS 1.1", version: 0x0302, suite: 0xC02F, random: r, want: "unsupported"},
		{name: "Camellia", version: 0x0303, suite: 0x0041, random: r, want: "unsupported"},
		{name: "DTLS", version: 0xFEFD, suite: 0xC02F, random: r, want: "unsupported"},
		{name: "SSLv2", version: 0x0002, suite: 0x0005, random: r, want: "unsupported"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o, err := store.ForTLS(keylog.Connection{Version: test.version, Suite: test.suite, ClientRandom: test.random, ServerRandom: random(7)}, test.from)
			got := ""
			switch {
			case errors.Is(err, keylog.ErrNoSecret):
				got = "secret"
			case isUnsupported(err):
				got = "unsupported"
			case err != nil:
				got = err.Error()
			}
			if got != test.want || (o == nil) != (err != nil) {
				t.Errorf("opener %v, error %v", o != nil, err)
			}
			if o == nil {
				return
			}
			for n := range 64 { // nothing that is no record opens, and nothing panics
				if _, _, err := o.Open(23, 0x0303, make([]byte, n)); !errors.Is(err, keylog.ErrNotOpened) {
					t.Errorf("%d zero bytes: error %v", n, err)
				}
			}
		})
	}
}

// A key log that was copied out of a shell script has a backslash at the end of its lines.
func TestBackslashAtTheEndOfLines(t *testing.T) {
	var store keylog.Store
	r := random(1)
	if err := store.AddAll(fmt.Appendf(nil, "CLIENT_HANDSHAKE_TRAFFIC_SECRET %x %s\\\nSERVER_HANDSHAKE_TRAFFIC_SECRET %x %s\\\r\n", r, strings.Repeat("11", 32), r, strings.Repeat("22", 32))); err != nil {
		t.Fatal(err)
	}
	if got := store.Stats(); got.Secrets != 2 {
		t.Errorf("%+v", got)
	}
}
