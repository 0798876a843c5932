package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The benchmarks of mode http put it beside the reverse proxies that people use, TLS on both legs of all of them, in front of one nginx that
// answers by itself. wrk asks in HTTP/1.1 and h2load in HTTP/2; both are programs of C that take little of the machine.
//
//	go test ./cmd/tlstriage -run '^$' -bench HTTP -benchtime 10x

// program finds a program that a benchmark needs.
func program(b *testing.B, name string) string {
	b.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	if path := "/usr/sbin/" + name; fileExists(path) {
		return path
	}
	b.Skipf("%s, which this benchmark needs, is not installed", name)
	return ""
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (s *bench) file(b *testing.B, name, content string) string {
	b.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// nginxCommand runs nginx as one process with a configuration of servers.
func (s *bench) nginxCommand(b *testing.B, name, servers string) *exec.Cmd {
	b.Helper()
	temp := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temp += fmt.Sprintf("%s_temp_path %s/%s-%s;\n", kind, s.dir, name, kind)
	}
	config := s.file(b, name+".conf", fmt.Sprintf("daemon off; master_process off; pid %[1]s/%[2]s.pid; error_log %[1]s/%[2]s.log;\nevents { worker_connections 8192; }\nhttp { access_log off; keepalive_requests 100000000; keepalive_timeout 300s;\n%[3]s%[4]s\n}\n", s.dir, name, temp, servers))
	return exec.Command(program(b, "nginx"), "-p", s.dir, "-c", config)
}

// httpProxies are those that are compared, as their documentation has them: kept connections to a backend that is verified.
func httpProxies() []proxyUnderTest {
	return []proxyUnderTest{
		{"tlstriage", ours("--mode", "http", "--backend-sni", benchName)},
		{"caddy", func(b *testing.B, s *bench, listen string) *exec.Cmd {
			host, port, _ := net.SplitHostPort(listen)
			config := s.file(b, "Caddyfile", fmt.Sprintf("{\n admin off\n auto_https off\n default_sni %s\n}\n:%s {\n bind %s\n tls %s %s\n reverse_proxy https://%s {\n  transport http {\n   tls_server_name %s\n   tls_trusted_ca_certs %s\n   keepalive_idle_conns_per_host 1000\n   compression off\n  }\n }\n}\n",
				benchName, port, host, s.cert, s.key, s.backend, benchName, s.root))
			cmd := exec.Command(program(b, "caddy"), "run", "--adapter", "caddyfile", "--config", config)
			cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+s.dir, "XDG_CONFIG_HOME="+s.dir, "HOME="+s.dir)
			return cmd
		}},
		{"haproxy", func(b *testing.B, s *bench, listen string) *exec.Cmd {
			config := s.file(b, "haproxy.cfg", fmt.Sprintf("global\n nbthread %d\n maxconn 8000\ndefaults\n mode http\n timeout connect 5s\n timeout client 300s\n timeout server 300s\nfrontend f\n bind %s ssl crt %s alpn h2,http/1.1\n option forwardfor\n default_backend b\nbackend b\n server s %s ssl verify required ca-file %s sni str(%s) alpn http/1.1\n",
				runtime.NumCPU(), listen, s.combined, s.backend, s.root, benchName))
			return exec.Command(program(b, "haproxy"), "-db", "-f", config)
		}},
		{"nginx", func(b *testing.B, s *bench, listen string) *exec.Cmd {
			return s.nginxCommand(b, "front", fmt.Sprintf("upstream u { server %s; keepalive 1000; keepalive_requests 100000000; }\nserver { listen %s ssl http2; ssl_certificate %s; ssl_certificate_key %s; location / { proxy_pass https://u; proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_ssl_verify on; proxy_ssl_verify_depth 3; proxy_ssl_trusted_certificate %s; proxy_ssl_name %s; proxy_ssl_server_name on; } }",
				s.backend, listen, s.cert, s.key, s.root, benchName))
		}},
	}
}

// newHTTPBench has nginx for a backend.
func newHTTPBench(b *testing.B) *bench {
	b.Helper()
	s := newBench(b)
	s.backend = freePort(b)
	startProcess(b, s.backend, s.nginxCommand(b, "backend", fmt.Sprintf("server { listen %s ssl http2 backlog=4096; ssl_certificate %s; ssl_certificate_key %s; location / { return 200 '%s'; } }",
		s.backend, s.cert, s.key, strings.Repeat("x", 1000))))
	return s
}

// loaded is what a program that asks a lot says of one turn.
type loaded struct {
	requests int
	took     time.Duration
	p50, p99 time.Duration
}

var (
	wrkRequests = regexp.MustCompile(`(\d+) requests in ([\d.]+m?s)`)
	wrkLatency  = regexp.MustCompile(`(50|99)% +([\d.]+[mu]?s)`)
	h2loadDone  = regexp.MustCompile(`finished in ([\d.]+m?s).*\n.*requests: \d+ total.* (\d+) succeeded, 0 failed`)
)

// wrk asks in HTTP/1.1 over kept connections for a second.
func wrk(b *testing.B, address string) loaded {
	b.Helper()
	out, err := exec.Command(program(b, "wrk"), "-t1", "-c32", "-d1s", "--latency", "-H", "Host: "+benchName, "https://"+address+"/").CombinedOutput()
	m := wrkRequests.FindSubmatch(out)
	if err != nil || m == nil || strings.Contains(string(out), "Non-2xx") || strings.Contains(string(out), "Socket errors") {
		b.Fatalf("wrk: %v\n%s", err, out)
	}
	var l loaded
	l.requests, _ = strconv.Atoi(string(m[1]))
	l.took, _ = time.ParseDuration(string(m[2]))
	for _, m := range wrkLatency.FindAllSubmatch(out, -1) {
		d, _ := time.ParseDuration(string(m[2]))
		if string(m[1]) == "50" {
			l.p50 = d
		} else {
			l.p99 = d
		}
	}
	return l
}

// h2load asks in HTTP/2.
func h2load(b *testing.B, address string) loaded {
	b.Helper()
	out, err := exec.Command(program(b, "h2load"), "-t1", "-c8", "-m8", "-n8000", "-H", ":authority: "+benchName, "https://"+address+"/").CombinedOutput()
	m := h2loadDone.FindSubmatch(out)
	if err != nil || m == nil {
		b.Fatalf("h2load: %v\n%s", err, out)
	}
	var l loaded
	l.took, _ = time.ParseDuration(string(m[1]))
	l.requests, _ = strconv.Atoi(string(m[2]))
	return l
}

// BenchmarkHTTPRequests is requests on kept connections through the proxies, which take turns. b.N is the number of turns of each; of
// their rates and latencies the middle one counts. CPU time is that of the proxy alone.
func BenchmarkHTTPRequests(b *testing.B) {
	for _, load := range []struct {
		name string
		run  func(*testing.B, string) loaded
	}{{"h1", wrk}, {"h2", h2load}} {
		b.Run(load.name, func(b *testing.B) {
			s := newHTTPBench(b)
			type contender struct {
				proxyUnderTest
				address          string
				pid              int
				rates, p50, p99  []float64
				requests, cpuSum float64
			}
			var all []*contender
			for _, p := range httpProxies() {
				c := &contender{proxyUnderTest: p}
				var cmd *exec.Cmd
				c.address, cmd, _ = p.run(b, s)
				c.pid = cmd.Process.Pid
				load.run(b, c.address) // caches and heaps are warm
				all = append(all, c)
			}
			b.ResetTimer()
			for turn := range b.N {
				for i := range all {
					c := all[(turn+i)%len(all)]
					before := cpuTime(c.pid)
					l := load.run(b, c.address)
					c.cpuSum += float64((cpuTime(c.pid) - before).Microseconds())
					c.requests += float64(l.requests)
					c.rates = append(c.rates, float64(l.requests)/l.took.Seconds())
					c.p50 = append(c.p50, l.p50.Seconds()*1e3)
					c.p99 = append(c.p99, l.p99.Seconds()*1e3)
				}
			}
			b.StopTimer()
			for _, c := range all {
				b.ReportMetric(middle(c.rates), c.name+"/s")
				b.ReportMetric(c.cpuSum/c.requests, c.name+"-cpu-µs")
				if load.name == "h1" {
					b.ReportMetric(middle(c.p50), c.name+"-p50-ms")
					b.ReportMetric(middle(c.p99), c.name+"-p99-ms")
				}
			}
			for _, c := range all[1:] {
				b.ReportMetric(middle(all[0].rates)/middle(c.rates), "x-"+c.name)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func middle(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// BenchmarkHTTPIdle is the memory of each proxy for a connection that was asked over once and is kept.
func BenchmarkHTTPIdle(b *testing.B) {
	if runtime.GOOS != "linux" {
		b.Skip("the memory of a process is read from /proc, which only Linux has")
	}
	s := newHTTPBench(b)
	const connections = 1000
	for _, p := range httpProxies() {
		b.Run(p.name, func(b *testing.B) {
			address, cmd, _ := p.run(b, s)
			wrk(b, address)
			before := resident(b, cmd.Process.Pid)
			var open []net.Conn
			defer func() {
				for _, c := range open {
					c.Close()
				}
			}()
			buffer := make([]byte, 4096)
			for range connections {
				c, err := tls.Dial("tcp", address, &tls.Config{RootCAs: s.roots, ServerName: benchName, NextProtos: []string{"http/1.1"}})
				if err != nil {
					b.Fatal(err)
				}
				open = append(open, c)
				fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", benchName)
				got := ""
				for !strings.HasSuffix(got, strings.Repeat("x", 1000)) {
					n, err := c.Read(buffer)
					if got += string(buffer[:n]); err != nil {
						b.Fatal(err, got)
					}
				}
				if !strings.HasPrefix(got, "HTTP/1.1 200") {
					b.Fatalf("%.200s", got)
				}
			}
			b.ReportMetric(float64(resident(b, cmd.Process.Pid)-before)/connections/1000, "kB/connection")
			b.ReportMetric(0, "ns/op")
		})
	}
}
