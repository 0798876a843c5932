package wire_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// recorded is one entry of the recorded ClientHellos.
type recorded struct {
	ID         string   `json:"id"`
	Format     string   `json:"format"`
	RecordHex  string   `json:"record_hex"`
	MaxVersion string   `json:"max_version"`
	HasSNI     bool     `json:"has_sni"`
	ServerName string   `json:"server_name"`
	ALPN       []string `json:"alpn"`
	record     []byte
}

// message is the handshake message inside the record, or the SSLv2 message without its length.
func (r recorded) message() []byte {
	if r.Format == "sslv2" {
		return r.record[2:]
	}
	return r.record[5:]
}

func (r recorded) parse(h *wire.ClientHello) error {
	if r.Format == "sslv2" {
		return wire.ParseSSLv2ClientHello(r.message(), h)
	}
	return wire.ParseClientHello(r.message(), h)
}

// shared gives the path of a file that is kept beside the module, and skips the test where it is not.
func shared(tb testing.TB, elem ...string) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		tb.Fatal("no go.mod above the test")
	}
	path := filepath.Join(append([]string{dir, "..", "shared"}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("the shared facts are not here: %v", err)
	}
	return path
}

// recordedHellos reads the recorded ClientHellos.
func recordedHellos(tb testing.TB) []recorded {
	tb.Helper()
	b, err := os.ReadFile(shared(tb, "facts", "clienthellos.json"))
	if err != nil {
		tb.Fatal(err)
	}
	var hellos []recorded
	if err := json.Unmarshal(b, &hellos); err != nil {
		tb.Fatal(err)
	}
	for i := range hellos {
		if hellos[i].record, err = hex.DecodeString(hellos[i].RecordHex); err != nil {
			tb.Fatalf("%s: %v", hellos[i].ID, err)
		}
	}
	if len(hellos) == 0 {
		tb.Fatal("no hellos recorded")
	}
	return hellos
}

// hello gives the recorded hello of that id.
func hello(tb testing.TB, id string) recorded {
	tb.Helper()
	for _, r := range recordedHellos(tb) {
		if r.ID == id {
			return r
		}
	}
	tb.Fatalf("no recorded hello %q", id)
	return recorded{}
}
