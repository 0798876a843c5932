package clients_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/clients"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

var errLeft = errors.New("the client left without a hello")

// firstHello takes the hello of the first client that comes to a listener, refuses it, and closes.
func firstHello(listener net.Listener) (*wire.ClientHello, error) {
	conn, err := listener.Accept()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, err
	}
	reader := wire.Reader{FromClient: true}
	buf := make([]byte, 8<<10)
	for {
		n, err := conn.Read(buf)
		reader.Feed(buf[:n])
		var m wire.Message
		if reader.Next(&m) {
			h := new(wire.ClientHello)
			err := wire.ParseClientHello(append([]byte(nil), m.Bytes...), h)
			_, alertErr := conn.Write([]byte{0x15, 3, 3, 0, 2, 2, 40})
			return h, errors.Join(err, alertErr)
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errLeft
			}
			return nil, errors.Join(err, reader.Err())
		}
	}
}

// TestLocalClientsAreNamed lets the clients that are installed here say hello. A client of a series that was captured must be named
// by it; no client may be given another library's or series' name.
func TestLocalClientsAreNamed(t *testing.T) {
	javaDir := t.TempDir()
	java := filepath.Join(javaDir, "Hello.java")
	if err := os.WriteFile(java, []byte(`import javax.net.ssl.*;
public class Hello { public static void main(String[] a) throws Exception {
 SSLSocket s = (SSLSocket) SSLSocketFactory.getDefault().createSocket("localhost", Integer.parseInt(a[0]));
 s.startHandshake(); } }`), 0o600); err != nil {
		t.Fatal(err)
	}
	const openssl = `OpenSSL[ /](\d+\.\d+)`
	for _, test := range []struct {
		name    string
		version []string // prints the version of the library
		pattern string   // finds its series there
		library string
		series  string   // that was captured
		hello   []string // PORT is the listener's
	}{
		{"openssl", []string{"openssl", "version"}, openssl, "OpenSSL", "3.0", []string{"openssl", "s_client", "-connect", "127.0.0.1:PORT", "-servername", "a.example"}},
		{"openssl without a name", []string{"openssl", "version"}, openssl, "OpenSSL", "3.0", []string{"openssl", "s_client", "-connect", "127.0.0.1:PORT", "-noservername"}},
		{"openssl TLS 1.2", []string{"openssl", "version"}, openssl, "OpenSSL", "3.0", []string{"openssl", "s_client", "-connect", "127.0.0.1:PORT", "-servername", "a.example", "-tls1_2"}},
		{"curl", []string{"curl", "--version"}, openssl, "OpenSSL", "3.0", []string{"curl", "-sk", "https://localhost:PORT/"}},
		{"curl TLS 1.2", []string{"curl", "--version"}, openssl, "OpenSSL", "3.0", []string{"curl", "-sk", "--tls-max", "1.2", "https://localhost:PORT/"}},
		{"gnutls-cli", []string{"gnutls-cli", "--version"}, `gnutls-cli (\d+\.\d+)`, "GnuTLS", "3.7", []string{"gnutls-cli", "--insecure", "-p", "PORT", "localhost"}},
		{"wget", []string{"sh", "-c", "wget --version | grep ssl/gnutls > /dev/null || exit 0; gnutls-cli --version"}, `gnutls-cli (\d+\.\d+)`, "GnuTLS", "3.7", []string{"wget", "-q", "-t", "1", "--no-check-certificate", "-O", "-", "https://localhost:PORT/"}},
		{"python", []string{"python3", "-c", "import ssl; print(ssl.OPENSSL_VERSION)"}, openssl, "OpenSSL", "3.0", []string{"python3", "-c", "import ssl, socket; ssl.create_default_context().wrap_socket(socket.create_connection(('127.0.0.1', PORT)), server_hostname='a.example')"}},
		{"java", []string{"java", "--version"}, `openjdk (\d+)`, "OpenJDK", "17", []string{"java", java, "PORT"}},
		{"node", []string{"node", "-p", "'OpenSSL ' + process.versions.openssl"}, openssl, "OpenSSL", "3.0", []string{"node", "-e", "require('tls').connect({port: PORT, host: 'localhost', rejectUnauthorized: false}).on('error', () => {})"}},
		{"node fetch", []string{"node", "-p", "'OpenSSL ' + process.versions.openssl"}, openssl, "OpenSSL", "3.0", []string{"node", "-e", "fetch('https://localhost:PORT/').catch(() => {})"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, program := range []string{test.version[0], test.hello[0]} {
				if _, err := exec.LookPath(program); err != nil {
					if os.Getenv("CI") == "true" {
						t.Fatalf("%s is needed here: %v", program, err)
					}
					t.Skipf("%s is not installed", program)
				}
			}
			out, err := exec.Command(test.version[0], test.version[1:]...).CombinedOutput()
			if err != nil {
				t.Fatalf("%q: %v\n%s", test.version, err, out)
			}
			found := regexp.MustCompile(test.pattern).FindSubmatch(out)
			if found == nil {
				t.Skipf("%s is built with another library: %.100s", test.name, out)
			}
			series := string(found[1])
			h := helloOf(t, test.hello)
			client, known := clients.Name(h)
			t.Logf("%s %s: %q", test.library, series, client)
			if series == test.series && !known {
				t.Errorf("%s %s is not known by its hello", test.library, series)
			}
			if known && (client.Library != test.library || client.Versions != series) {
				t.Errorf("%s %s is named %q", test.library, series, client)
			}
		})
	}
}

// TestGoIsNamed says hello with the crypto/tls that this test was built with.
func TestGoIsNamed(t *testing.T) {
	if !strings.HasPrefix(runtime.Version(), "go1.26") {
		t.Skipf("the captures are of Go 1.26, this is %s", runtime.Version())
	}
	for name, config := range map[string]*tls.Config{
		"default": {ServerName: "a.example"}, "h2": {ServerName: "a.example", NextProtos: []string{"h2", "http/1.1"}}, "TLS 1.2": {ServerName: "a.example", MaxVersion: tls.VersionTLS12},
	} {
		client, server := net.Pipe()
		listener := &oneConn{conn: server}
		done := make(chan error, 1)
		go func() { done <- tls.Client(client, config).Handshake() }()
		h, err := firstHello(listener)
		client.Close()
		<-done
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := clients.Name(h); !ok || c.Library != "Go" || c.Versions != "1.26" {
			t.Errorf("%s: named %q", name, c)
		}
	}
}

// oneConn is a listener with one connection.
type oneConn struct{ conn net.Conn }

func (l *oneConn) Accept() (net.Conn, error) { return l.conn, nil }
func (l *oneConn) Close() error              { return l.conn.Close() }
func (l *oneConn) Addr() net.Addr            { return l.conn.LocalAddr() }

// helloOf runs a client against a listener and gives its hello. One that connects and thinks better of it, as those do that try several
// addresses and have no processor for a while, is run again.
func helloOf(t *testing.T, command []string) *wire.ClientHello {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	const patience = 2 * time.Minute
	if err := listener.(*net.TCPListener).SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	args := make([]string, len(command))
	for i, a := range command {
		args[i] = strings.ReplaceAll(a, "PORT", port)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		running, end := context.WithCancel(ctx)
		client := exec.CommandContext(running, args[0], args[1:]...)
		if err := client.Start(); err != nil {
			end()
			t.Fatal(err)
		}
		h, err := firstHello(listener)
		end()
		_ = client.Wait() // it was refused, or ended by us
		switch {
		case err == nil:
			return h
		case !errors.Is(err, errLeft):
			t.Fatal(err)
		}
	}
}
