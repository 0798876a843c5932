package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect/porttest"
)

// The benchmarks run each proxy as a process of its own in front of the same backend, which is one too, with the same client:
// this process. All share the machine, so what counts is the ratio between the proxies of one run.
//
//	go test ./cmd/tlstriage -run '^$' -bench . -benchtime 3s

// benchRole makes the test binary play one of the other processes.
const benchRole = "TLSTRIAGE_TEST_ROLE"

func TestMain(m *testing.M) {
	role := os.Getenv(benchRole)
	os.Unsetenv(benchRole) // the program would wonder what it means
	switch role {
	case "":
		testscript.Main(m, map[string]func(){"tlstriage": main})
	case "tlstriage":
		main()
	case "bare":
		bareBridge(os.Args[1], os.Args[2], os.Args[3], os.Args[4])
	case "blind":
		blindBridge(os.Args[1], os.Args[2], os.Args[3], os.Args[4])
	case "backend":
		benchBackend(os.Args[1], os.Args[2], os.Args[3])
	}
}

// blindBridge is the same bridge without inspection: the same order of the legs, name and protocol carried across, time limits
// in every phase, half-closes passed on, and the same collector; nothing is looked at, recorded, judged or reported.
func blindBridge(listen, backend, cert, key string) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		panic(err)
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		panic(err)
	}
	var active atomic.Int64
	if os.Getenv("GOGC") == "" {
		go tuneCollector(context.Background(), active.Load)
	}
	b := &blind{backend: backend, pair: pair}
	for {
		client, err := l.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			active.Add(1)
			defer active.Add(-1)
			b.serve(client)
		}()
	}
}

type blind struct {
	backend string
	pair    tls.Certificate
}

const blindTimeout = 10 * time.Second

func (b *blind) serve(conn net.Conn) {
	defer conn.Close()
	var server *tls.Conn
	client := tls.Server(conn, &tls.Config{GetConfigForClient: func(chi *tls.ClientHelloInfo) (*tls.Config, error) {
		var err error
		if server, err = b.dial(chi.ServerName, chi.SupportedProtos); err != nil {
			return nil, err
		}
		c := &tls.Config{Certificates: []tls.Certificate{b.pair}, MinVersion: tls.VersionTLS10, DynamicRecordSizingDisabled: true}
		if p := server.ConnectionState().NegotiatedProtocol; p != "" {
			c.NextProtos = []string{p}
		}
		return c, nil
	}})
	conn.SetDeadline(time.Now().Add(blindTimeout))
	err := client.Handshake()
	if server != nil {
		defer server.NetConn().Close()
	}
	if err != nil {
		return
	}
	conn.SetDeadline(time.Time{})
	var last atomic.Int64
	idle := time.AfterFunc(time.Minute, func() { conn.Close() })
	defer idle.Stop()
	var copying sync.WaitGroup
	pass := func(to, from *tls.Conn) {
		buffer := blindBuffers.Get().(*[16 << 10]byte)
		defer blindBuffers.Put(buffer)
		for {
			n, err := from.Read(buffer[:])
			if n > 0 {
				last.Store(time.Now().UnixNano())
				if _, err := to.Write(buffer[:n]); err != nil {
					return
				}
			}
			if err != nil {
				to.CloseWrite()
				return
			}
		}
	}
	copying.Go(func() { pass(server, client) })
	pass(client, server)
	copying.Wait()
}

var blindBuffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

func (b *blind) dial(name string, protocols []string) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), blindTimeout)
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", b.backend)
	cancel()
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(blindTimeout))
	server := tls.Client(conn, &tls.Config{
		ServerName: name, NextProtos: protocols, MinVersion: tls.VersionTLS10, InsecureSkipVerify: true, DynamicRecordSizingDisabled: true,
	})
	if err := server.Handshake(); err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	return server, nil
}

// bareBridge is the least that a program can do: terminate, dial, copy. It knows no name, no protocol and no time limit.
func bareBridge(listen, backend, cert, key string) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		panic(err)
	}
	var active atomic.Int64
	if os.Getenv("GOGC") == "" {
		go tuneCollector(context.Background(), active.Load)
	}
	l, err := tls.Listen("tcp", listen, &tls.Config{Certificates: []tls.Certificate{pair}, DynamicRecordSizingDisabled: true})
	if err != nil {
		panic(err)
	}
	for {
		client, err := l.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			active.Add(1)
			defer active.Add(-1)
			defer client.Close()
			if client.(*tls.Conn).Handshake() != nil {
				return
			}
			server, err := tls.Dial("tcp", backend, &tls.Config{InsecureSkipVerify: true, DynamicRecordSizingDisabled: true})
			if err != nil {
				return
			}
			defer server.Close()
			go func() {
				io.Copy(server, client)
				server.CloseWrite()
			}()
			io.Copy(client, server)
		}()
	}
}

// benchBackend is a TLS server that answers a line with as many bytes as it names.
func benchBackend(listen, cert, key string) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		panic(err)
	}
	l, err := tls.Listen("tcp", listen, &tls.Config{Certificates: []tls.Certificate{pair}, DynamicRecordSizingDisabled: true})
	if err != nil {
		panic(err)
	}
	block := make([]byte, 256<<10)
	for {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			defer c.Close()
			r := bufio.NewReaderSize(c, 64)
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				for n, _ := strconv.Atoi(strings.TrimSpace(line)); n > 0; n -= len(block) {
					if _, err := c.Write(block[:min(n, len(block))]); err != nil {
						return
					}
				}
			}
		}()
	}
}

// bench is the set-up of one run: certificates, and the backend.
type bench struct {
	dir, cert, key, combined, root string
	roots                          *x509.CertPool
	backend                        string
}

const benchName = "bench.example"

func newBench(b *testing.B) *bench {
	b.Helper()
	pki := certstest.New(b)
	chain := pki.Make(certstest.Healthy, benchName)
	s := &bench{dir: b.TempDir(), roots: pki.Roots()}
	s.cert, s.key = chain.WriteFiles(b)
	s.combined = chain.WriteCombined(b)
	s.root = pki.WriteRoot(b)
	s.backend = freePort(b)
	startProcess(b, s.backend, roleCommand("backend", s.backend, s.cert, s.key))
	return s
}

func freePort(tb testing.TB) string {
	tb.Helper()
	return porttest.FreeAddress(tb)
}

func roleCommand(role string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), benchRole+"="+role)
	return cmd
}

// startProcess starts a server, waits until it accepts on address, and ends it with the test. It returns the time that took.
func startProcess(tb testing.TB, address string, cmd *exec.Cmd) time.Duration {
	tb.Helper()
	var output bytes.Buffer
	cmd.Stderr = &output
	start := time.Now()
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			took := time.Since(start)
			c.Close()
			return took
		}
		if time.Since(start) > 10*time.Second {
			tb.Fatalf("%s does not accept on %s: %s", cmd.Path, address, output.String())
		}
		time.Sleep(time.Millisecond)
	}
}

// proxyUnderTest is one of the proxies that are compared.
type proxyUnderTest struct {
	name  string
	start func(*testing.B, *bench, string) *exec.Cmd
}

func ours(flags ...string) func(*testing.B, *bench, string) *exec.Cmd {
	return func(_ *testing.B, s *bench, listen string) *exec.Cmd {
		args := append([]string{"proxy", "--listen", listen, "--backend", "tls://" + s.backend, "--backend-ca", s.root, "--cert", s.cert, "--key", s.key,
			"--admin", "off", "--log-level", "error", "--policy", "aws/ELBSecurityPolicy-TLS13-1-2-2021-06"}, flags...)
		return roleCommand("tlstriage", args...)
	}
}

func bare(_ *testing.B, s *bench, listen string) *exec.Cmd {
	return roleCommand("bare", listen, s.backend, s.cert, s.key)
}

func uninspected(_ *testing.B, s *bench, listen string) *exec.Cmd {
	return roleCommand("blind", listen, s.backend, s.cert, s.key)
}

// haproxy bridges TLS to TLS in TCP mode, verifying the backend; or passes TCP through.
func haproxy(terminate bool) func(*testing.B, *bench, string) *exec.Cmd {
	return func(b *testing.B, s *bench, listen string) *exec.Cmd {
		program, err := exec.LookPath("haproxy")
		if err != nil {
			program = "/usr/sbin/haproxy"
		}
		if _, err := os.Stat(program); err != nil {
			b.Skip("haproxy, the peer of this benchmark, is not installed")
		}
		bind, server := "", ""
		if terminate {
			bind = "ssl crt " + s.combined
			server = "ssl verify required ca-file " + s.root + " verifyhost " + benchName + " sni str(" + benchName + ")"
		}
		config := fmt.Sprintf(`global
  maxconn 4000
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option splice-auto
listen bench
  bind %s %s
  server backend %s %s no-ssl-reuse
`, listen, bind, s.backend, server)
		if !terminate {
			config = strings.Replace(config, " no-ssl-reuse", "", 1)
		}
		file := filepath.Join(s.dir, "haproxy.cfg")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			b.Fatal(err)
		}
		return exec.Command(program, "-db", "-f", file)
	}
}

func (p proxyUnderTest) run(b *testing.B, s *bench) (address string, cmd *exec.Cmd, ready time.Duration) {
	b.Helper()
	address = freePort(b)
	cmd = p.start(b, s, address)
	return address, cmd, startProcess(b, address, cmd)
}

func (s *bench) dial(ctx context.Context, address string) (*tls.Conn, error) {
	d := &tls.Dialer{Config: &tls.Config{RootCAs: s.roots, ServerName: benchName}}
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return c.(*tls.Conn), nil
}

// ask requests n bytes and reads them.
func ask(c net.Conn, n int, buffer []byte) error {
	if _, err := fmt.Fprintf(c, "%d\n", n); err != nil {
		return err
	}
	for n > 0 {
		got, err := c.Read(buffer)
		if err != nil {
			return err
		}
		n -= got
	}
	return nil
}

// cpuTime is the processor time a process has used so far, over all its threads (Linux).
func cpuTime(pid int) time.Duration {
	var total time.Duration
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, file := range threads {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		ran, _, _ := strings.Cut(string(stat), " ")
		n, _ := strconv.ParseInt(ran, 10, 64)
		total += time.Duration(n)
	}
	return total
}

// handshakesPerTurn is how many handshakes one proxy gets before it is the next one's turn.
const handshakesPerTurn = 40

// BenchmarkHandshake is full handshakes through the proxies, both legs each, with one byte of payload. The proxies run side by
// side and take turns, so that what else happens on the machine happens to all of them. b.N is the number of turns.
func BenchmarkHandshake(b *testing.B) {
	s := newBench(b)
	type contender struct {
		proxyUnderTest
		address string
		pid     int
		took    time.Duration
		cpu     time.Duration
	}
	var all []*contender
	for _, p := range []proxyUnderTest{
		{"tlstriage", ours("--no-resumption")}, {"uninspected", uninspected}, {"bare", bare}, {"haproxy", haproxy(true)}, {"tlstriage-json", ours("-o", "json", "--no-resumption")},
	} {
		c := &contender{proxyUnderTest: p}
		var cmd *exec.Cmd
		c.address, cmd, _ = p.run(b, s)
		c.pid = cmd.Process.Pid
		s.handshakes(b, c.address, handshakesPerTurn) // caches and heaps are warm
		all = append(all, c)
	}
	b.ResetTimer()
	for turn := range b.N {
		for i := range all {
			c := all[(turn+i)%len(all)]
			before, start := cpuTime(c.pid), time.Now()
			s.handshakes(b, c.address, handshakesPerTurn)
			c.took += time.Since(start)
			c.cpu += cpuTime(c.pid) - before
		}
	}
	b.StopTimer()
	rate := func(c *contender) float64 { return float64(b.N*handshakesPerTurn) / c.took.Seconds() }
	for _, c := range all {
		b.ReportMetric(rate(c), c.name+"/s")
		b.ReportMetric(float64(c.cpu.Microseconds())/float64(b.N*handshakesPerTurn), c.name+"-cpu-µs")
	}
	for _, c := range all[1:4] {
		b.ReportMetric(rate(all[0])/rate(c), "x-"+c.name)
	}
	b.ReportMetric(0, "ns/op")
}

// handshakes makes n connections, four at a time, and asks each for a byte.
func (s *bench) handshakes(b *testing.B, address string, n int64) {
	var next atomic.Int64
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			buffer := make([]byte, 16)
			for next.Add(1) <= n {
				c, err := s.dial(b.Context(), address)
				if err != nil {
					b.Error(err)
					return
				}
				if err := ask(c, 1, buffer); err != nil {
					b.Error(err)
				}
				c.Close()
			}
		})
	}
	clients.Wait()
}

// BenchmarkBulk is bytes from the backend to the client.
func BenchmarkBulk(b *testing.B) {
	s := newBench(b)
	const size = 64 << 20
	for _, p := range []proxyUnderTest{
		{"bridge/bare", bare}, {"bridge/tlstriage", ours()}, {"bridge/haproxy", haproxy(true)},
		{"passthrough/tlstriage", ours("--mode", "passthrough")}, {"passthrough/haproxy", haproxy(false)},
	} {
		b.Run(p.name, func(b *testing.B) {
			address, cmd, _ := p.run(b, s)
			c, err := s.dial(b.Context(), address)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			buffer := make([]byte, 64<<10)
			before := cpuTime(cmd.Process.Pid)
			b.SetBytes(size)
			b.ResetTimer()
			for range b.N {
				if err := ask(c, size, buffer); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64((cpuTime(cmd.Process.Pid)-before).Microseconds())/float64(b.N)/(size>>20), "proxy-cpu-µs/MiB")
		})
	}
}

// BenchmarkRequest is small requests and answers on one connection that stays open.
func BenchmarkRequest(b *testing.B) {
	s := newBench(b)
	for _, p := range []proxyUnderTest{{"bare", bare}, {"tlstriage", ours()}, {"haproxy", haproxy(true)}} {
		b.Run(p.name, func(b *testing.B) {
			address, _, _ := p.run(b, s)
			c, err := s.dial(b.Context(), address)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			buffer := make([]byte, 4096)
			b.ResetTimer()
			for range b.N {
				if err := ask(c, 1000, buffer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkIdle is the memory of the proxy for each connection that is established and idle, both legs.
func BenchmarkIdle(b *testing.B) {
	if runtime.GOOS != "linux" {
		b.Skip("the memory of a process is read from /proc, which only Linux has")
	}
	s := newBench(b)
	const connections = 2000
	for _, p := range []proxyUnderTest{{"bare", bare}, {"tlstriage", ours()}, {"haproxy", haproxy(true)}} {
		b.Run(p.name, func(b *testing.B) {
			address, cmd, _ := p.run(b, s)
			warm, err := s.dial(b.Context(), address)
			if err != nil {
				b.Fatal(err)
			}
			defer warm.Close()
			before := resident(b, cmd.Process.Pid)
			var mu sync.Mutex
			var open []net.Conn
			defer func() {
				for _, c := range open {
					c.Close()
				}
			}()
			var clients sync.WaitGroup
			for range 4 {
				clients.Go(func() {
					buffer := make([]byte, 16)
					for range connections / 4 {
						c, err := s.dial(b.Context(), address)
						if err != nil {
							b.Error(err)
							return
						}
						if err := ask(c, 1, buffer); err != nil {
							b.Error(err)
						}
						mu.Lock()
						open = append(open, c)
						mu.Unlock()
					}
				})
			}
			clients.Wait()
			b.ReportMetric(float64(resident(b, cmd.Process.Pid)-before)/connections/1000, "kB/connection")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// resident is the memory of a process in bytes.
func resident(b *testing.B, pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kB, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kB << 10
		}
	}
	b.Fatal("no VmRSS")
	return 0
}

// BenchmarkStart is the time from the start of the process until it accepts connections.
func BenchmarkStart(b *testing.B) {
	s := newBench(b)
	for _, p := range []proxyUnderTest{{"tlstriage", ours()}, {"haproxy", haproxy(true)}} {
		b.Run(p.name, func(b *testing.B) {
			var total time.Duration
			for range b.N {
				_, cmd, took := p.run(b, s)
				total += took
				cmd.Process.Kill()
				cmd.Wait()
			}
			b.ReportMetric(float64(total.Microseconds())/float64(b.N)/1000, "ms/start")
		})
	}
}
