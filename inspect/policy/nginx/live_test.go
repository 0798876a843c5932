package nginx_test

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"io/fs"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/exchange"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// files is the machine's file system with names as users write them.
type files struct{}

func (files) Open(name string) (fs.File, error) { return os.Open(name) }

func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path = filepath.Join("/usr/sbin", name)
		if _, err := os.Stat(path); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not installed", name)
			}
			t.Skipf("%s is not installed", name)
		}
	}
	return path
}

// start runs a program until the test ends. It is ready when a line of its output matches.
func start(t testing.TB, ready, path string, args ...string) {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "OPENSSL_CONF=/dev/null", "LC_ALL=C")
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM) // killed, it would leave its workers behind
		late := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		late.Stop()
		out.Close()
	})
	if err := out.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(ready)
	lines := bufio.NewScanner(out)
	var seen []string
	for lines.Scan() {
		seen = append(seen, lines.Text())
		if pattern.MatchString(lines.Text()) {
			if err := out.SetReadDeadline(time.Time{}); err != nil {
				t.Fatal(err)
			}
			go io.Copy(io.Discard, out) // ends when the program does
			return
		}
	}
	t.Fatalf("%s was not ready: %s", path, strings.Join(seen, " | "))
}

// freePort is a loopback port that was free a moment ago.
func freePort(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// writeKeyPair writes a self-signed certificate and its key as NAME.crt and NAME.key.
func writeKeyPair(t testing.TB, dir, name string, key crypto.Signer, names ...string) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: names,
		NotBefore: time.Unix(1e9, 0), NotAfter: time.Unix(1e10, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, name+".crt"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, filepath.Join(dir, name+".key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// keyPairs writes rsa, ec and ec384.
func keyPairs(t testing.TB, dir string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	writeKeyPair(t, dir, "rsa", key, "localhost")
	for name, curve := range map[string]elliptic.Curve{"ec": elliptic.P256(), "ec384": elliptic.P384()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		writeKeyPair(t, dir, name, key, "localhost")
	}
}

// hello is a hello of a real program.
type hello struct {
	ID     string `json:"id"`
	Format string `json:"format"`
	Hex    string `json:"record_hex"`
	record []byte
	parsed wire.ClientHello
}

// hellos are the recorded ones that ask for name; empty: for none.
func hellos(t testing.TB, name string) []*hello {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	data, err := os.ReadFile(filepath.Join(dir, "..", "shared", "facts", "clienthellos.json"))
	if err != nil {
		t.Skipf("the collected facts are not here: %v", err)
	}
	var all, out []*hello
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	for _, h := range all {
		record, err := hex.DecodeString(h.Hex)
		if err != nil {
			t.Fatal(err)
		}
		var ok bool
		switch h.record, ok = exchange.WithServerName(record, name); {
		case ok:
			err = wire.ParseClientHello(h.record[5:], &h.parsed)
		case name != "": // without extensions no name can be asked for
			continue
		case h.Format == "sslv2":
			h.record, err = record, wire.ParseSSLv2ClientHello(record[2:], &h.parsed)
		default:
			h.record, err = record, wire.ParseClientHello(record[5:], &h.parsed)
		}
		if err != nil {
			t.Fatalf("%s: %v", h.ID, err)
		}
		out = append(out, h)
	}
	if len(out) < 100 {
		t.Fatalf("%d recorded hellos can be used, want at least 100", len(out))
	}
	return out
}

// agree sends every hello to an address and holds the answers against what a policy predicts. It returns how many were sent.
func agree(t *testing.T, address, name string, p *policy.Policy) int {
	t.Helper()
	sent, accepted := 0, 0
	for _, h := range hellos(t, name) {
		want := policy.Negotiate(&h.parsed, p)
		conn, err := net.DialTimeout("tcp", address, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		got, err := exchange.Ask(conn, h.record)
		conn.Close()
		if err != nil {
			t.Errorf("%s for %q: %v", h.ID, name, err)
			continue
		}
		if difference := exchange.Difference(want, got); difference != "" {
			t.Errorf("%s for %q: %s", h.ID, name, difference)
		}
		sent++
		if want.Accepted {
			accepted++
		}
	}
	t.Logf("%q: %d of %d accepted", name, accepted, sent)
	return sent
}

func mkdir(t testing.TB, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}
