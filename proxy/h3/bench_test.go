package h3

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect/porttest"
)

// The benchmark of HTTP/3 puts the program beside Caddy, which has the same library below, in front of one nginx that answers by itself,
// TLS on both legs of both. They are asked in turns by one client in this process.
//
//	go test ./proxy/h3 -run '^$' -bench HTTP3 -benchtime 5x

// started is a process with what it says, ended with the benchmark.
func started(b *testing.B, ready string, cmd *exec.Cmd) {
	b.Helper()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { defer close(exited); _ = cmd.Wait() }()
	b.Cleanup(func() { cmd.Process.Kill(); <-exited })
	await(b, cmd.Path+" listens", func() bool {
		select {
		case <-exited:
			b.Fatalf("%s ended: %s", cmd.Path, said.String())
		default:
		}
		c, err := net.DialTimeout("tcp", ready, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func freeAddress(b *testing.B) string {
	b.Helper()
	return porttest.FreeAddress(b)
}

func installed(b *testing.B, name string) string {
	b.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	b.Skipf("%s, which this benchmark needs, is not installed", name)
	return ""
}

// asking is a client of one proxy: connections that are kept, and on each some requests at a time.
type asking struct {
	clients []*http3.ClientConn
	url     string
}

const (
	benchConns   = 8
	benchStreams = 16
	benchTurn    = time.Second
)

func newAsking(b *testing.B, address string, roots *x509.CertPool) *asking {
	b.Helper()
	a := &asking{url: "https://" + testName + "/"}
	to, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		b.Fatal(err)
	}
	for range benchConns {
		transport := &quic.Transport{Conn: udpSocket(b)}
		b.Cleanup(func() { transport.Close() })
		ctx, cancel := context.WithTimeout(b.Context(), patience)
		conn, err := transport.Dial(ctx, to, &tls.Config{ServerName: testName, RootCAs: roots, NextProtos: []string{"h3"}}, &quic.Config{MaxIdleTimeout: time.Minute})
		cancel()
		if err != nil {
			b.Fatal(err)
		}
		a.clients = append(a.clients, (&http3.Transport{DisableCompression: true}).NewClientConn(conn))
	}
	return a
}

// turn asks for a while and says how many were answered.
func (a *asking) turn(b *testing.B) int {
	var done atomic.Int64
	var failed atomic.Pointer[error]
	var running sync.WaitGroup
	end := time.Now().Add(benchTurn)
	for _, c := range a.clients {
		for range benchStreams {
			running.Go(func() {
				for time.Now().Before(end) {
					request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, a.url, nil)
					if err == nil {
						var answer *http.Response
						if answer, err = c.RoundTrip(request); err == nil {
							n, _ := io.Copy(io.Discard, answer.Body)
							answer.Body.Close()
							if answer.StatusCode != 200 || n != 1000 {
								err = fmt.Errorf("%d with %d bytes", answer.StatusCode, n)
							}
						}
					}
					if err != nil {
						failed.Store(&err)
						return
					}
					done.Add(1)
				}
			})
		}
	}
	running.Wait()
	if err := failed.Load(); err != nil {
		b.Fatal(*err)
	}
	return int(done.Load())
}

// BenchmarkHTTP3AgainstCaddy gives requests a second of both, and ours as a multiple of Caddy's, of turns that they take one after the
// other.
func BenchmarkHTTP3AgainstCaddy(b *testing.B) {
	pki := certstest.New(b)
	dir := b.TempDir()
	chain := pki.Make(certstest.Healthy, testName)
	cert, key := chain.WriteFiles(b)
	root := pki.WriteRoot(b)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		return path
	}
	nginx, caddy := installed(b, "nginx"), installed(b, "caddy")
	backend, ours, theirs := freeAddress(b), freeAddress(b), freeAddress(b)
	temp := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temp += fmt.Sprintf("%s_temp_path %s/%s;\n", kind, dir, kind)
	}
	started(b, backend, exec.Command(nginx, "-p", dir, "-c", write("nginx.conf", fmt.Sprintf(
		"daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/log;\nevents { worker_connections 4096; }\nhttp { access_log off; keepalive_requests 100000000; http2_max_concurrent_streams 512; keepalive_timeout 300s; %[2]s\nserver { listen %[3]s ssl http2; ssl_certificate %[4]s; ssl_certificate_key %[5]s; location / { return 200 '%[6]s'; } } }",
		dir, temp, backend, cert, key, strings.Repeat("x", 1000)))))
	program := filepath.Join(dir, "tlstriage")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/tlstriage").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	started(b, ours, exec.Command(program, "proxy", "--listen", ours, "--mode", "http", "--quic", "--backend", "https://"+backend, "--backend-sni", testName, "--backend-ca", root, "--cert", cert, "--key", key, "--admin", "off"))
	host, port, err := net.SplitHostPort(theirs)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(caddy, "run", "--adapter", "caddyfile", "--config", write("Caddyfile", fmt.Sprintf(
		"{\n admin off\n auto_https off\n}\n:%s {\n bind %s\n tls %s %s\n reverse_proxy https://%s {\n  transport http {\n   tls_server_name %s\n   tls_trusted_ca_certs %s\n   keepalive_idle_conns_per_host 1000\n   compression off\n  }\n }\n}\n",
		port, host, cert, key, backend, testName, root)))
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir, "HOME="+dir)
	started(b, theirs, cmd)
	pool := x509.NewCertPool()
	text, err := os.ReadFile(root)
	if err != nil {
		b.Fatal(err)
	}
	if block, _ := pem.Decode(text); block == nil || !pool.AppendCertsFromPEM(text) {
		b.Fatal("no root")
	}
	a, c := newAsking(b, ours, pool), newAsking(b, theirs, pool)
	a.turn(b)
	c.turn(b)
	var mine, other int
	for b.Loop() {
		mine += a.turn(b)
		other += c.turn(b)
	}
	seconds := float64(b.N) * benchTurn.Seconds()
	b.ReportMetric(float64(mine)/seconds, "req/s")
	b.ReportMetric(float64(other)/seconds, "caddy-req/s")
	b.ReportMetric(float64(mine)/float64(other), "ratio")
	b.ReportMetric(0, "ns/op")
}
