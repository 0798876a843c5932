package importertest

import (
	"encoding/hex"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/exchange"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Hello is a hello of a real program, as it is sent.
type Hello struct {
	ID     string `json:"id"`
	Format string `json:"format"`
	Hex    string `json:"record_hex"`

	Record []byte           `json:"-"`
	Parsed wire.ClientHello `json:"-"`
}

// Recorded are the hellos of the collection as they were recorded. The test is skipped where the collection is missing.
func Recorded(t testing.TB) []*Hello {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	data, err := os.ReadFile(filepath.Join(dir, "..", "shared", "facts", "clienthellos.json"))
	if err != nil {
		t.Skipf("the collected facts are not here: %v", err)
	}
	var all []*Hello
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	for _, h := range all {
		if h.Record, err = hex.DecodeString(h.Hex); err == nil {
			err = h.parse()
		}
		if err != nil {
			t.Fatalf("%s: %v", h.ID, err)
		}
	}
	if len(all) < 150 {
		t.Fatalf("%d recorded hellos, want at least 150", len(all))
	}
	return all
}

// SSLv2 reports whether the hello has that format.
func (h *Hello) SSLv2() bool { return h.Format == "sslv2" }

func (h *Hello) parse() error {
	if h.SSLv2() {
		return wire.ParseSSLv2ClientHello(h.Record[2:], &h.Parsed)
	}
	return wire.ParseClientHello(h.Record[5:], &h.Parsed)
}

// Hellos are the recorded ones, made to ask for name; empty: for none. Those that cannot ask for any are left out where one is named.
func Hellos(t testing.TB, name string) []*Hello {
	t.Helper()
	var out []*Hello
	for _, h := range Recorded(t) {
		if record, ok := exchange.WithServerName(h.Record, name); ok {
			h.Record, h.Parsed = record, wire.ClientHello{}
			if err := h.parse(); err != nil {
				t.Fatalf("%s: %v", h.ID, err)
			}
		} else if name != "" { // without extensions no name can be asked for
			continue
		}
		out = append(out, h)
	}
	if len(out) < 100 {
		t.Fatalf("%d recorded hellos can be used, want at least 100", len(out))
	}
	return out
}

// Count is what became of the hellos that were sent to an endpoint.
type Count struct{ Sent, Accepted, Retried int }

// Agree sends every hello to an address and holds the answers against what a policy predicts.
func Agree(t testing.TB, address, name string, p *policy.Policy) (n Count) {
	t.Helper()
	for _, h := range Hellos(t, name) {
		want := policy.Negotiate(&h.Parsed, p)
		got, err := ask(address, h.Record)
		if err != nil {
			t.Errorf("%s for %q: %v", h.ID, name, err)
			continue
		}
		if difference := exchange.Difference(want, got); difference != "" {
			t.Errorf("%s for %q: %s", h.ID, name, difference)
		}
		n.Sent++
		if want.Accepted {
			n.Accepted++
		}
		if want.HelloRetry {
			n.Retried++
		}
	}
	t.Logf("%q: %d of %d accepted, %d asked again", name, n.Accepted, n.Sent, n.Retried)
	return n
}

func ask(address string, record []byte) (exchange.Answer, error) {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return exchange.Answer{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return exchange.Answer{}, err
	}
	return exchange.Ask(conn, record)
}
