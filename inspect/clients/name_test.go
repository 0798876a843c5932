package clients_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/clients"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// captured is a hello of the collection.
type captured struct {
	ID     string `json:"id"`
	Client string `json:"client"`
	Record string `json:"record_hex"`
}

// collection reads the captured hellos that the table was made from.
func collection(t testing.TB) []captured {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
	data, err := os.ReadFile(filepath.Join(dir, "..", "shared", "facts", "clienthellos.json"))
	if err != nil {
		t.Skip("the captured hellos are not beside the module: ", err)
	}
	var all []captured
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// parse reads a hello in its record.
func parse(t testing.TB, record []byte) *wire.ClientHello {
	t.Helper()
	reader := wire.Reader{FromClient: true}
	reader.Feed(record)
	var m wire.Message
	if !reader.Next(&m) {
		t.Fatalf("no message in the record: %v", reader.Err())
	}
	h := new(wire.ClientHello)
	read := wire.ParseClientHello
	if m.SSLv2 {
		read = wire.ParseSSLv2ClientHello
	}
	if err := read(append([]byte(nil), m.Bytes...), h); err != nil {
		t.Fatal(err)
	}
	return h
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCollectionIsNamed holds names against hand-written ones for some captures of the collection.
func TestCollectionIsNamed(t *testing.T) {
	want := map[string]string{
		"openssl-3.0.22-s_client-default": "OpenSSL 3.0",
		"openssl-3.0.22-s_client-no-sni":  "OpenSSL 3.0",
		"curl-7.88.1-default":             "curl 7.88.1 (OpenSSL 3.0)",
		"gnutls-3.7.9-cli-default":        "GnuTLS 3.7",
		"java-17.0.15-httpclient":         "OpenJDK 17",
		"java-17.0.15-sslv2hello":         "OpenJDK 17",
		"node-20.20.2-tls":                "Node.js 20.20.2 (OpenSSL 3.0)",
		"go-1.26.8-default":               "Go 1.26",
		"chromium-156.0.8078.79-again":    "Chromium 156",
		"openssl-1.0.1a":                  "OpenSSL 1.0.1-beta1 to 1.0.1, 1.0.1a to 1.0.1e",
		"gnutls-3.4.19":                   "GnuTLS 3.4.19",
		"matrixssl-3-8-3":                 "MatrixSSL 3-8-3",
		"boringssl-chromium-stable":       "",
		"sslscan-2.0.7":                   "sslscan 2.0.7",
	}
	checked := 0
	for _, c := range collection(t) {
		name, ok := want[c.ID]
		if !ok {
			continue
		}
		checked++
		client, known := clients.Name(parse(t, unhex(t, c.Record)))
		if got := client.String(); got != name || known != (name != "") {
			t.Errorf("%s: named %q (known: %v), want %q", c.ID, got, known, name)
		}
		if known && (client.Source == "" || client.Confidence == "") {
			t.Errorf("%s: no source or confidence: %+v", c.ID, client)
		}
	}
	if checked != len(want) {
		t.Errorf("%d of %d captures are in the collection", checked, len(want))
	}
}

func BenchmarkName(b *testing.B) {
	h := parse(b, unhex(b, collection(b)[100].Record))
	b.ReportAllocs()
	for b.Loop() {
		clients.Name(h)
	}
}
