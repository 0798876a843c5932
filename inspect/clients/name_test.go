package clients_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
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
		"curl-7.88.1-default":             "OpenSSL 3.0 (as curl 7.88.1)",
		"gnutls-3.7.9-cli-default":        "GnuTLS 3.7",
		"java-17.0.15-httpclient":         "OpenJDK 17",
		"java-17.0.15-sslv2hello":         "OpenJDK 17",
		"node-20.20.2-tls":                "OpenSSL 3.0 (as Node.js 20.20.2)",
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

// TestResemblanceIsNotEnough changes a little in every captured hello: what a library does not do is not that library.
func TestResemblanceIsNotEnough(t *testing.T) {
	mutations := map[string]func(h *wire.ClientHello) bool{
		"two suites change places": func(h *wire.ClientHello) bool {
			n := h.CipherSuites.Len()
			if n < 2 || h.SSLv2 {
				return false
			}
			s := append(wire.List[wire.CipherSuite](nil), h.CipherSuites...)
			copy(s[2*n-4:], h.CipherSuites[2*n-2:])
			copy(s[2*n-2:], h.CipherSuites[2*n-4:2*n-2])
			h.CipherSuites = s
			return true
		},
		"a suite more": func(h *wire.ClientHello) bool {
			h.CipherSuites = append(append(wire.List[wire.CipherSuite](nil), h.CipherSuites...), 0xFE, 0xED)
			return true
		},
		"another last group": func(h *wire.ClientHello) bool {
			if n := len(h.SupportedGroups); n > 0 {
				h.SupportedGroups = append(append(wire.List[wire.NamedGroup](nil), h.SupportedGroups[:n-2]...), 0x63, 0x99)
			}
			return len(h.SupportedGroups) > 0
		},
		"an extension more": func(h *wire.ClientHello) bool {
			h.HasExtensions = true
			h.Extensions = append(append(wire.Extensions(nil), h.Extensions...), 0xFA, 0xCE, 0, 0)
			return true
		},
		"another protocol": func(h *wire.ClientHello) bool {
			h.ALPN = wire.ProtocolNamesOf("h2", "toast")
			return true
		},
		"another legacy version": func(h *wire.ClientHello) bool {
			h.LegacyVersion ^= 0x0F00
			return true
		},
		"a signature algorithm less": func(h *wire.ClientHello) bool {
			n := len(h.SignatureSchemes)
			if n > 2 {
				h.SignatureSchemes = append(append(wire.List[wire.SignatureScheme](nil), h.SignatureSchemes[:n-2]...), 0xFE, 0xED)
			}
			return n > 2
		},
		"extensions in another order": func(h *wire.ClientHello) bool {
			if client, _ := clients.Name(h); client.Library == "Chromium" || h.Extensions.Len() < 2 {
				return false // it shuffles them itself
			}
			var turned wire.Extensions
			for kind, body := range h.Extensions.All() {
				one := wire.Extensions{byte(kind >> 8), byte(kind), byte(len(body) >> 8), byte(len(body))}
				turned = append(append(one, body...), turned...)
			}
			h.Extensions = turned
			return true
		},
	}
	mutated := 0
	for _, c := range collection(t) {
		record := unhex(t, c.Record)
		for what, mutate := range mutations {
			h := parse(t, record)
			if !mutate(h) {
				continue
			}
			mutated++
			if client, ok := clients.Name(h); ok {
				t.Errorf("%s, %s: still named %s", c.ID, what, client)
			}
		}
	}
	if mutated < 1000 {
		t.Errorf("only %d hellos were changed", mutated)
	}
}

// TestWhatVariesDoesNotMatter changes what is new with every connection.
func TestWhatVariesDoesNotMatter(t *testing.T) {
	for _, c := range collection(t) {
		h := parse(t, unhex(t, c.Record))
		before, known := clients.Name(h)
		h.Random, h.SessionID = make([]byte, 32), nil
		if h.ServerName != nil {
			h.ServerName = []byte("another.example")
		}
		if after, ok := clients.Name(h); ok != known || after.String() != before.String() {
			t.Errorf("%s: %q became %q", c.ID, before, after)
		}
	}
}

// TestRebuiltHellosAreNamedAlike takes the bytes from hellos, as a recording without bytes does.
func TestRebuiltHellosAreNamedAlike(t *testing.T) {
	named := 0
	for _, c := range collection(t) {
		h := parse(t, unhex(t, c.Record))
		recorded := inspect.DescribeHello(h, 0, inspect.TransportTCP)
		recorded.Message.Raw = nil
		rebuilt, err := recorded.ClientHello()
		if err != nil {
			t.Fatal(c.ID, err)
		}
		want, known := clients.Name(h)
		if got, ok := clients.NameRebuilt(recorded.Shape, rebuilt); ok != known || got.String() != want.String() {
			t.Errorf("%s: %q, rebuilt %q", c.ID, want, got)
		}
		if known {
			named++
		}
		for _, bad := range []string{"", "s1_", "s0" + recorded.Shape[2:], recorded.Shape + "0", recorded.Shape[:18] + "G"} {
			if got, ok := clients.NameRebuilt(bad, rebuilt); ok {
				t.Errorf("%s: by the shape %q named %s", c.ID, bad, got)
			}
		}
	}
	if named < 150 {
		t.Errorf("only %d are named", named)
	}
}

func BenchmarkName(b *testing.B) {
	h := parse(b, unhex(b, collection(b)[100].Record))
	b.ReportAllocs()
	for b.Loop() {
		clients.Name(h)
	}
}
