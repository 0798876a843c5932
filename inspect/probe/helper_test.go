package probe_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crypto"

	"github.com/tlstriage/tlstriage/inspect/porttest"
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

// program finds a program; without it a test fails in CI and is skipped aloud elsewhere.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

// identity is a certificate of a server or a client in all forms that servers want it in.
type identity struct {
	tls.Certificate
	pool              *x509.CertPool
	certFile, keyFile string
}

func newIdentity(t testing.TB, key crypto.Signer, name string) identity {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	id := identity{Certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool: x509.NewCertPool(),
		certFile: filepath.Join(dir, "cert.pem"), keyFile: filepath.Join(dir, "key.pem")}
	id.pool.AddCert(leaf)
	for file, block := range map[string]*pem.Block{id.certFile: {Type: "CERTIFICATE", Bytes: der}, id.keyFile: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

func ecdsaIdentity(t testing.TB, name string) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return newIdentity(t, key, name)
}

func rsaIdentity(t testing.TB, name string) identity {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return newIdentity(t, key, name)
}

func ed25519Identity(t testing.TB, name string) identity {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return newIdentity(t, key, name)
}

// freePort is a port of the loopback that nobody listens on for now.
func freePort(t testing.TB) int {
	t.Helper()
	return porttest.Free(t)
}

// serve gives every connection to a handler, until the test ends.
func serve(t testing.TB, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
				handle(conn)
			}()
		}
	}()
	return l.Addr().String()
}

// serveTLS is a server of the standard library that answers with one line of HTTP.
func serveTLS(t testing.TB, config *tls.Config) string {
	t.Helper()
	return serve(t, func(conn net.Conn) {
		c := tls.Server(conn, config)
		if c.Handshake() != nil {
			return
		}
		line, err := bufio.NewReader(c).ReadString('\n')
		if err == nil {
			fmt.Fprintf(c, "HTTP/1.0 200 OK\r\n\r\nyou said %q", strings.TrimSpace(line))
		}
		_ = c.Close()
	})
}

// start runs a program that listens on a port, until the test ends, and waits until it does.
func start(t testing.TB, port int, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program(t, name), args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	stdin, err := cmd.StdinPipe() // s_server ends with its input
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("%s %v said:\n%s", name, args, out.String())
		}
	})
	address := fmt.Sprintf("127.0.0.1:%d", port)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			conn.Close()
			return address
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s %v ended: %v\n%s", name, args, err, out.String())
		case <-ctx.Done():
			t.Fatalf("%s %v does not listen\n%s", name, args, out.String())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// discard reads until the other side closes.
func discard(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }
