package why_test

import (
	"bytes"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/porttest"
	"github.com/tlstriage/tlstriage/inspect/servertest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

const serverName = "shop.example"

// identityOf is a certificate for serverName with a key of a kind, rsa or ecdsa.
func identityOf(t testing.TB, kind string) servertest.Identity {
	t.Helper()
	if kind == "rsa" {
		return servertest.RSA(t, serverName)
	}
	return servertest.ECDSA(t, serverName)
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
}

// What fronts see and do.
type (
	seen     = servertest.Hello
	reaction = servertest.Reaction
)

const (
	pass    = servertest.Pass
	reset   = servertest.Reset
	shut    = servertest.Close
	silence = servertest.Silence
)

func alert(description wire.AlertDescription) reaction { return servertest.Alert(description) }

// deafToSecondHellos ends the connection when a hello follows a HelloRetryRequest.
type deafToSecondHellos struct{ net.Conn }

func (d *deafToSecondHellos) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	rest := bytes.TrimPrefix(b[:n], []byte{20, 3, 3, 0, 1, 1})
	if len(rest) > 5 && rest[0] == 22 && rest[5] == 1 {
		servertest.React(d.Conn, reset)
		d.Conn.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

// nginx starts nginx with directives for one server that listens on the port.
func nginx(t testing.TB, id servertest.Identity, listen, directives string) string {
	t.Helper()
	dir, port := t.TempDir(), porttest.Free(t)
	config := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log info;
events { worker_connections 256; }
http { access_log off; client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
 server { listen 127.0.0.1:%[2]d ssl %[3]s; ssl_certificate %[4]s; ssl_certificate_key %[5]s; %[6]s
  location / { return 200 ok; } } }`, dir, port, listen, id.CertFile, id.KeyFile, strings.ReplaceAll(directives, "PORT", fmt.Sprint(port)))
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return servertest.Start(t, port, "nginx", "-c", file, "-p", dir)
}

// haproxy starts HAProxy with the rest of a bind line, and global directives.
func haproxy(t testing.TB, id servertest.Identity, bind, global string) string {
	t.Helper()
	dir, port := t.TempDir(), porttest.Free(t)
	cert, err := os.ReadFile(id.CertFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(id.KeyFile)
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
	return servertest.Start(t, port, "haproxy", "-f", file, "-db")
}

// openssl starts `openssl s_server` with arguments.
func openssl(t testing.TB, id servertest.Identity, args ...string) string {
	t.Helper()
	port := porttest.Free(t)
	return servertest.Start(t, port, "openssl", append([]string{"s_server", "-accept", fmt.Sprintf("127.0.0.1:%d", port), "-cert", id.CertFile, "-key", id.KeyFile, "-quiet", "-www"}, args...)...)
}
