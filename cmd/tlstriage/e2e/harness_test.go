package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/porttest"
)

const (
	site     = "backend.example" // the name that the backends serve
	greeting = "hello from the backend\n"
	patience = 90 * time.Second // for anything that must happen: Java alone takes a while where much else runs
)

// need skips a test whose program is not there, except where everything must be.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is needed and is not installed", program)
			}
			t.Skipf("%s is not installed", program)
		}
	}
}

// proxy is one running `tlstriage proxy`.
type proxy struct {
	t       *testing.T
	cmd     *exec.Cmd
	Addr    string // of the first listener
	Addrs   map[string]string
	records chan *record
	stderr  *lockedBuffer
	exited  chan struct{}
	mu      sync.Mutex
	stopped bool
}

// record is one line of output: as the program's own type, and as it was printed.
type record struct {
	inspect.Connection
	line []byte
}

// startProxy runs the program in front of a backend. A --listen is added unless the arguments bring a configuration.
func startProxy(t *testing.T, args ...string) *proxy {
	t.Helper()
	full := append([]string{"proxy", "--admin", "off", "-o", "json", "--log-format", "json"}, args...)
	if !contains(args, "--config") {
		full = append(full, "--ca-dir", authority)
		if !contains(args, "--listen") {
			full = append(full, "--listen", "127.0.0.1:0")
		}
	}
	p := &proxy{t: t, cmd: exec.Command(program, full...), Addrs: map[string]string{}, records: make(chan *record, 256), stderr: &lockedBuffer{}, exited: make(chan struct{})}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening := make(chan struct{})
	var readers sync.WaitGroup
	readers.Go(func() { p.readRecords(stdout) })
	readers.Go(func() { p.readLog(stderr, listening) })
	go func() {
		readers.Wait()
		p.cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(p.stop)
	select {
	case <-listening:
	case <-p.exited:
		t.Fatalf("the proxy ended at once: %v\n%s", p.cmd.ProcessState, p.stderr)
	case <-time.After(patience):
		t.Fatalf("the proxy does not listen\n%s", p.stderr)
	}
	return p
}

func (p *proxy) readRecords(r io.Reader) {
	defer close(p.records)
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			c := &record{line: line}
			if err := json.Unmarshal(line, &c.Connection); err != nil {
				p.t.Errorf("a line of output is no record: %v\n%s", err, line)
			}
			p.records <- c
		}
		if err != nil {
			return
		}
	}
}

// readLog looks for the addresses; the last listener to be logged says that all of them listen.
func (p *proxy) readLog(r io.Reader, listening chan<- struct{}) {
	defer func() { io.Copy(p.stderr, r) }()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	said := false
	for lines.Scan() {
		io.WriteString(p.stderr, lines.Text()+"\n")
		var entry struct{ Msg, Listener, Address string }
		if json.Unmarshal(lines.Bytes(), &entry) != nil {
			continue
		}
		if entry.Msg == "listening" && !said {
			if p.Addr == "" {
				p.Addr = entry.Address
			}
			p.Addrs[entry.Listener] = entry.Address
			if len(p.Addrs) >= p.listeners() {
				close(listening)
				said = true
			}
		}
	}
}

// listeners is how many the configuration has.
func (p *proxy) listeners() int {
	for i, a := range p.cmd.Args {
		if a == "--config" {
			data, _ := os.ReadFile(p.cmd.Args[i+1])
			return max(1, bytes.Count(data, []byte("address:")))
		}
	}
	return 1
}

// next is the next record, which must come.
func (p *proxy) next() *record {
	p.t.Helper()
	return p.nextFor(p.t)
}

// nextFor is next for a subtest.
func (p *proxy) nextFor(t *testing.T) *record {
	t.Helper()
	select {
	case r, ok := <-p.records:
		if !ok {
			t.Fatalf("the proxy ended\n%s", p.stderr)
		}
		checkContract(t, r)
		return r
	case <-time.After(patience):
		t.Fatalf("no record came\n%s", p.stderr)
	}
	return nil
}

// stop ends the proxy as an operator does, and holds it to it.
func (p *proxy) stop() {
	p.rest(func(r *record) { p.t.Errorf("a record that no test asked for: %s", r) })
}

// left waits until no client is there any more: one that is still being served when the proxy ends would be told so.
func (p *proxy) left(admin string) {
	p.t.Helper()
	waitFor(p.t, p.stderr, "all clients have gone", func() bool {
		answer, err := http.Get("http://" + admin + "/metrics")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		metrics, err := io.ReadAll(answer.Body)
		return err == nil && strings.Contains(string(metrics), "\ntlstriage_connections_active 0\n")
	})
}

// rest is stop for who makes many connections and does not count them: it looks at the records that nobody waited for.
func (p *proxy) rest(look func(*record)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return
	}
	p.stopped = true
	p.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(patience, func() {
		p.t.Errorf("the proxy does not end at SIGTERM\n%s", p.stderr)
		p.cmd.Process.Kill()
	})
	for r := range p.records { // to the end of its output
		look(r)
	}
	<-p.exited
	late.Stop()
	if code := p.cmd.ProcessState.ExitCode(); code != 0 && code != 1 {
		p.t.Errorf("the proxy ended with %v\n%s", p.cmd.ProcessState, p.stderr)
	}
	if strings.Contains(p.stderr.String(), "panic") {
		p.t.Errorf("panic\n%s", p.stderr)
	}
}

// lockedBuffer collects what a process says.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// ran is what became of a client.
type ran struct {
	out  string // both streams
	code int
}

// client runs a program to its end. Its standard input stays open after what it is given, like a person's at a terminal.
func client(t *testing.T, stdin, program string, args ...string) ran {
	t.Helper()
	return clientWithin(t, patience, stdin, program, args...)
}

// clientWithin is client where much is to be done.
func clientWithin(t *testing.T, limit time.Duration, stdin, program string, args ...string) ran {
	t.Helper()
	need(t, program)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = t.TempDir()
	cmd.WaitDelay = time.Second
	if stdin != "" {
		input, feed, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer input.Close()
		defer feed.Close()
		if _, err := feed.WriteString(stdin); err != nil {
			t.Fatal(err)
		}
		cmd.Stdin = input
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("%s %s: %v, %v\n%s", program, strings.Join(args, " "), err, ctx.Err(), out)
	}
	return ran{string(out), cmd.ProcessState.ExitCode()}
}

// server runs a program until the end of the test and waits until addr takes connections.
func server(t *testing.T, dir, addr, program string, args ...string) {
	t.Helper()
	need(t, program)
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	out := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	// A server that reads its standard input must not find its end.
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	// Servers fork, and their children end with them.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s said:\n%s", program, out)
		}
		stdin.Close()
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-exited
	})
	for deadline := time.Now().Add(patience); ; {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-exited:
			t.Fatalf("%s ended at once: %v\n%s", program, cmd.ProcessState, out)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen on %s: %v\n%s", program, addr, err, out)
		}
	}
}

// freePort is an address on which nothing listens.
func freePort(t *testing.T) (addr, port string) {
	t.Helper()
	addr = porttest.FreeAddress(t)
	return addr, portOf(addr)
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// writeFile writes a file of the test's own.
func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func contains(list []string, x string) bool {
	for _, y := range list {
		if y == x {
			return true
		}
	}
	return false
}

// want is what a record must say. Cause "" is verdict ok.
type want struct {
	cause   string
	fault   inspect.Fault
	verdict inspect.Verdict
	outcome inspect.Outcome // "": not looked at
	policy  string          // "": not looked at; "accepted", or what rejects
	has     string          // ids that must be among the findings, in words
	hasNot  string
}

var fine = want{verdict: inspect.OK, outcome: inspect.Success}

// expect holds a record against what it must say.
func expect(t *testing.T, r *record, w want) {
	t.Helper()
	var wrong []string
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if r.Cause != w.cause || r.Fault != w.fault || r.Verdict != w.verdict {
		complain("cause %q, fault %q, verdict %q; want %q, %q, %q", r.Cause, r.Fault, r.Verdict, w.cause, w.fault, w.verdict)
	}
	if w.outcome != "" && r.Event.Outcome != w.outcome {
		complain("outcome %q, want %q", r.Event.Outcome, w.outcome)
	}
	if w.policy != "" {
		got := "none given"
		if r.Policy != nil && r.Policy.Accepted {
			got = "accepted"
		} else if r.Policy != nil {
			got = r.Policy.RejectedBy
		}
		if got != w.policy {
			complain("policy: %s, want %s", got, w.policy)
		}
	}
	for _, id := range strings.Fields(w.has) {
		if !r.found(id) {
			complain("%s is not among the findings", id)
		}
	}
	for _, id := range strings.Fields(w.hasNot) {
		if r.found(id) {
			complain("%s is among the findings", id)
		}
	}
	if w.verdict == inspect.OK {
		for _, f := range r.Findings {
			if f.Severity != inspect.SeverityInfo {
				complain("%s %s found where nothing is wrong", f.Severity, f.ID)
			}
		}
	}
	if len(wrong) > 0 {
		t.Errorf("%s\n%s", strings.Join(wrong, "\n"), r)
	}
}

func (r *record) found(id string) bool {
	for _, f := range r.Findings {
		if f.ID == id {
			return true
		}
	}
	return false
}

// String is what a reader of a failed test needs of a record.
func (r *record) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %s %s, %.0f ms, outcome %s, verdict %s, cause %q, fault %q", r.Event.ID, r.Route, r.Event.DurationMS, r.Event.Outcome, r.Verdict, r.Cause, r.Fault)
	for name, leg := range map[string]*inspect.Leg{"client": r.ClientLeg, "backend": r.BackendLeg} {
		if leg == nil {
			continue
		}
		fmt.Fprintf(&b, "\n  %s leg:", name)
		if x := leg.TLS; x != nil {
			fmt.Fprintf(&b, " established %v %s %s %s alpn %q", x.Established, x.Version, x.Cipher, x.Curve, x.NextProtocol)
			if x.Client != nil {
				fmt.Fprintf(&b, ", name %q, versions %v", x.Client.ServerName, x.Client.SupportedVersions)
			}
			if x.Handshake != nil {
				fmt.Fprintf(&b, ", history %s", x.Handshake.History)
			}
			for _, a := range x.Alerts {
				fmt.Fprintf(&b, ", alert %s %s from %s", a.Level, a.Description, a.From)
			}
		}
		if e := leg.Error; e != nil {
			fmt.Fprintf(&b, ", error %s in %s: %s", e.Type, e.Phase, e.Message)
		}
		if f := leg.FirstBytes; f != nil {
			fmt.Fprintf(&b, ", first bytes %s %q", f.Protocol, f.Summary)
		}
	}
	if p := r.Policy; p != nil {
		fmt.Fprintf(&b, "\n  policy %s: accepted %v, rejected by %q", p.Name, p.Accepted, p.RejectedBy)
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "\n  %s %s caused by %v: %.300s", f.Severity, f.ID, f.CausedBy, f.Detail)
	}
	return b.String()
}
