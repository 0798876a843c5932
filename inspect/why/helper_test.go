package why_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/porttest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// identity is a certificate in the forms that servers want it in.
type identity struct {
	tls.Certificate
	pool              *x509.CertPool
	certFile, keyFile string
}

// identities are made once: RSA keys take time.
var identities = sync.OnceValues(func() (map[string]identity, error) {
	dir, err := os.MkdirTemp("", "why")
	if err != nil {
		return nil, err
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	ecdsaKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	all := map[string]identity{}
	for kind, key := range map[string]crypto.Signer{"rsa": rsaKey, "ecdsa": ecdsaKey} {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: serverName}, DNSNames: []string{serverName},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
			KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageCertSign,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			return nil, err
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, err
		}
		id := identity{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, x509.NewCertPool(), filepath.Join(dir, kind+".crt"), filepath.Join(dir, kind+".key")}
		id.pool.AddCert(leaf)
		for file, block := range map[string]*pem.Block{id.certFile: {Type: "CERTIFICATE", Bytes: der}, id.keyFile: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
			if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
				return nil, err
			}
		}
		all[kind] = id
	}
	return all, nil
})

const serverName = "shop.example"

func identityOf(t testing.TB, kind string) identity {
	t.Helper()
	all, err := identities()
	if err != nil {
		t.Fatal(err)
	}
	return all[kind]
}

// waiting is how many tests run at a time, unless it is told otherwise: most of them wait for endpoints that are silent, and compute nothing.
const waiting = 12

func TestMain(m *testing.M) {
	flag.Parse()
	told := false
	flag.Visit(func(f *flag.Flag) { told = told || f.Name == "test.parallel" })
	if !told && runtime.GOMAXPROCS(0) < waiting {
		_ = flag.Set("test.parallel", strconv.Itoa(waiting)) // it is a number
	}
	m.Run()
	if all, err := identities(); err == nil {
		os.RemoveAll(filepath.Dir(all["rsa"].certFile))
	}
}

// serve gives every connection with its number to a handler, until the test ends.
func serve(t testing.TB, handle func(n int, conn net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for n := 0; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
				handle(n, conn)
			}()
		}
	}()
	return l.Addr().String()
}

// seen is a hello as a front sees it: the message, how it came, and the bytes.
type seen struct {
	wire.ClientHello
	message       wire.Message
	from          string // the client's address
	raw           []byte
	recordVersion wire.Version
	number        int
}

// reaction is what a front does with a hello.
type reaction int

const (
	pass reaction = iota
	reset
	shut
	silence
	fatal // plus an alert's description
)

func alert(description wire.AlertDescription) reaction { return fatal + reaction(description) }

// front stands before a TLS server, looks at every hello and decides what becomes of it.
func front(t testing.TB, config *tls.Config, decide func(*seen) reaction) string {
	t.Helper()
	return serve(t, func(n int, conn net.Conn) {
		s := &seen{number: n, from: conn.RemoteAddr().String()}
		r := wire.Reader{FromClient: true}
		room := make([]byte, 16<<10)
		for {
			k, err := conn.Read(room)
			s.raw = append(s.raw, room[:k]...)
			if k > 0 {
				r.Feed(bytes.Clone(room[:k]))
			}
			if k > 0 && r.Next(&s.message) {
				break
			}
			if err != nil || r.Err() != nil {
				react(conn, reset)
				return
			}
		}
		message := bytes.Clone(s.message.Bytes)
		s.recordVersion = s.message.RecordVersion
		if s.message.SSLv2 {
			_ = wire.ParseSSLv2ClientHello(message, &s.ClientHello)
		} else {
			_ = wire.ParseClientHello(message, &s.ClientHello)
		}
		if d := decide(s); d != pass {
			react(conn, d)
			return
		}
		serveTLS(&replayed{conn, s.raw}, config)
	})
}

// deafToSecondHellos ends the connection when a hello follows a HelloRetryRequest.
type deafToSecondHellos struct{ net.Conn }

func (d *deafToSecondHellos) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	rest := bytes.TrimPrefix(b[:n], []byte{20, 3, 3, 0, 1, 1})
	if len(rest) > 5 && rest[0] == 22 && rest[5] == 1 {
		react(d.Conn, reset)
		d.Conn.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

func react(conn net.Conn, d reaction) {
	switch d {
	case reset:
		_ = conn.(*net.TCPConn).SetLinger(0)
	case shut:
	case silence:
		_, _ = io.Copy(io.Discard, conn)
	default:
		_, _ = conn.Write([]byte{21, 3, 3, 0, 2, 2, byte(d - fatal)})
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
	}
}

// replayed is a connection of which something was read already.
type replayed struct {
	net.Conn
	before []byte
}

func (r *replayed) Read(b []byte) (int, error) {
	if len(r.before) > 0 {
		n := copy(b, r.before)
		r.before = r.before[n:]
		return n, nil
	}
	return r.Conn.Read(b)
}

func serveTLS(conn net.Conn, config *tls.Config) {
	c := tls.Server(conn, config)
	if c.Handshake() == nil {
		if line, err := bufio.NewReader(c).ReadString('\n'); err == nil {
			fmt.Fprintf(c, "HTTP/1.0 200 OK\r\n\r\nyou said %q", strings.TrimSpace(line))
		}
		_ = c.Close()
	}
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

func freePort(t testing.TB) int {
	t.Helper()
	return porttest.Free(t)
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

// nginx starts nginx with directives for one server that listens on the port.
func nginx(t testing.TB, id identity, listen, directives string) string {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	config := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log info;
events { worker_connections 256; }
http { access_log off; client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
 server { listen 127.0.0.1:%[2]d ssl %[3]s; ssl_certificate %[4]s; ssl_certificate_key %[5]s; %[6]s
  location / { return 200 ok; } } }`, dir, port, listen, id.certFile, id.keyFile, strings.ReplaceAll(directives, "PORT", fmt.Sprint(port)))
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, port, "nginx", "-c", file, "-p", dir)
}

// haproxy starts HAProxy with the rest of a bind line, and global directives.
func haproxy(t testing.TB, id identity, bind, global string) string {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	cert, err := os.ReadFile(id.certFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(id.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "both.pem"), append(cert, key...), 0o600); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("global\n %s\ndefaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect 5s\nfrontend f\n bind 127.0.0.1:%d ssl crt %s/both.pem %s\n http-request return status 200\n", global, port, dir, bind)
	file := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, port, "haproxy", "-f", file, "-db")
}

// openssl starts `openssl s_server` with arguments.
func openssl(t testing.TB, id identity, args ...string) string {
	t.Helper()
	port := freePort(t)
	return start(t, port, "openssl", append([]string{"s_server", "-accept", fmt.Sprintf("127.0.0.1:%d", port), "-cert", id.certFile, "-key", id.keyFile, "-quiet", "-www"}, args...)...)
}
