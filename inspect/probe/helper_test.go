package probe_test

import (
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/servertest"
)

// shared finds a file of the shared facts, and skips aloud where they are not there.
func shared(t testing.TB, name string) []byte {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if b, err := os.ReadFile(filepath.Join(dir, "shared", name)); err == nil {
			return b
		}
	}
	t.Skipf("no ../shared/%s beside the module", name)
	return nil
}

// recordedHello is an entry of the collection of hellos.
type recordedHello struct {
	ID     string `json:"id"`
	Client string `json:"client"`
	Format string `json:"format"`
	Hex    string `json:"record_hex"`
}

func recordedHellos(t testing.TB) []recordedHello {
	t.Helper()
	var hellos []recordedHello
	if err := json.Unmarshal(shared(t, "facts/clienthellos.json"), &hellos); err != nil {
		t.Fatal(err)
	}
	return hellos
}

func (r recordedHello) bytes(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString(r.Hex)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ecdsaIdentity(t testing.TB, name string) servertest.Identity { return servertest.ECDSA(t, name) }

func rsaIdentity(t testing.TB, name string) servertest.Identity { return servertest.RSA(t, name) }

// serve gives every connection to a handler, until the test ends.
func serve(t testing.TB, handle func(net.Conn)) string {
	t.Helper()
	return servertest.Serve(t, func(_ int, conn net.Conn) { handle(conn) })
}

// serveTLS is a server of the standard library that answers with one line of HTTP.
func serveTLS(t testing.TB, config *tls.Config) string {
	t.Helper()
	return serve(t, func(conn net.Conn) { servertest.Echo(conn, config) })
}

// discard reads until the other side closes.
func discard(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// patient is a client that waits long for what comes: programs that have no processor for a while are not silent.
func patient() *probe.Client {
	const long = 20 * time.Second
	return &probe.Client{Timeouts: probe.Timeouts{Dial: long, Preface: long, Answer: long, Finish: long}}
}
