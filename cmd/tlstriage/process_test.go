package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait of these tests. Nothing that works comes near it, even on a machine with much else to do.
const patience = time.Minute

// output is what a process has written so far; a reader can wait for more.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed and replaced at each write
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// wait waits until what was written satisfies the condition.
func (o *output) wait(t *testing.T, what string, satisfied func(string) bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		o.mu.Lock()
		text, changed := o.text.String(), o.changed
		o.mu.Unlock()
		if satisfied(text) {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%s did not come; there was:\n%s", what, text)
		}
	}
}

// eventually asks again and again until the answer is yes.
func eventually(t *testing.T, what string, answer func() error) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(patience)
	for {
		err := answer()
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// process is a run of the program that goes on beside the test.
type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr *output
	ended          chan struct{}
}

// command is the program with an environment of its own: nothing of the developer's set-up, and a configuration directory that
// goes away with the test.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "TLSTRIAGE_") && !strings.HasPrefix(entry, "XDG_CONFIG_HOME=") {
			cmd.Env = append(cmd.Env, entry)
		}
	}
	cmd.Env = append(cmd.Env, benchRole+"=tlstriage")
	if !slices.ContainsFunc(env, func(entry string) bool { return strings.HasPrefix(entry, "XDG_CONFIG_HOME=") }) {
		cmd.Env = append(cmd.Env, "XDG_CONFIG_HOME="+t.TempDir())
	}
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// runProgram runs the program to its end.
func runProgram(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	p := start(t, env, args...)
	code = p.exitCode()
	return code, p.stdout.String(), p.stderr.String()
}

func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	return startIn(t, "", env, args...)
}

// startIn starts the program in a directory; it is killed at the latest when the test ends.
func startIn(t *testing.T, dir string, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: command(t, env, args...), stdout: newOutput(), stderr: newOutput(), ended: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("the process said on stderr:\n%s", p.stderr)
		}
	})
	return p
}

// startProxy starts `tlstriage proxy` with a log that can be read by a program, and waits until it accepts connections.
func startProxy(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := start(t, env, append([]string{"proxy", "--log-format", "json", "--admin", "127.0.0.1:0"}, args...)...)
	p.ready()
	return p
}

func (p *process) ready() {
	p.t.Helper()
	eventually(p.t, "the proxy is ready", func() error {
		select {
		case <-p.ended:
			p.t.Fatalf("the process ended: %s", p.stderr)
		default:
		}
		if p.logged("listening") == nil {
			return fmt.Errorf("no listener in %q", p.stderr)
		}
		if admin := p.logged("admin endpoint"); admin != nil {
			if status, _ := p.admin("/readyz"); status != http.StatusOK {
				return fmt.Errorf("/readyz: %d", status)
			}
		}
		return nil
	})
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// exitCode waits for the end; a process that does not end is made to say where it hangs.
func (p *process) exitCode() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.cmd.Process.Signal(syscall.SIGQUIT)
		select {
		case <-p.ended:
		case <-time.After(patience):
		}
		p.t.Fatalf("%q did not end", p.cmd.Args[1:])
	}
	return p.cmd.ProcessState.ExitCode()
}

// logLines are the lines of the JSON log so far.
func (p *process) logLines() []map[string]any {
	var lines []map[string]any
	for line := range strings.Lines(p.stderr.String()) {
		var entry map[string]any
		if json.Unmarshal([]byte(line), &entry) == nil {
			lines = append(lines, entry)
		}
	}
	return lines
}

// logged is the latest line with a message, where these keys have these values; nil if there is none.
func (p *process) logged(message string, keyValues ...string) map[string]any {
	lines := p.logLines()
next:
	for i := len(lines) - 1; i >= 0; i-- {
		if lines[i]["msg"] != message {
			continue
		}
		for k := 0; k+1 < len(keyValues); k += 2 {
			if fmt.Sprint(lines[i][keyValues[k]]) != keyValues[k+1] {
				continue next
			}
		}
		return lines[i]
	}
	return nil
}

// waitLogged waits for a line of the log.
func (p *process) waitLogged(message string, keyValues ...string) map[string]any {
	p.t.Helper()
	var found map[string]any
	p.stderr.wait(p.t, fmt.Sprintf("log line %q %q", message, keyValues), func(string) bool {
		found = p.logged(message, keyValues...)
		return found != nil
	})
	return found
}

// address of a listener, by its name.
func (p *process) address(listener string) string {
	p.t.Helper()
	return p.waitLogged("listening", "listener", listener)["address"].(string)
}

// admin asks the operator's endpoint.
func (p *process) admin(path string) (status int, body string) {
	p.t.Helper()
	entry := p.logged("admin endpoint")
	if entry == nil {
		p.t.Fatal("there is no admin endpoint")
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + entry["address"].(string) + path)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}

// record is one connection as the program prints it.
type record map[string]any

// at follows keys; nil when one is missing.
func (r record) at(keys ...string) any {
	var value any = map[string]any(r)
	for _, key := range keys {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[key]
	}
	return value
}

// records waits until n records were printed on standard output (-o json), and gives them.
func (p *process) records(n int) []record {
	p.t.Helper()
	p.stdout.wait(p.t, fmt.Sprintf("record %d", n), func(text string) bool { return strings.Count(text, "\n") >= n })
	objects, err := ndjson([]byte(p.stdout.String()))
	if err != nil {
		p.t.Fatal(err)
	}
	list := make([]record, len(objects))
	for i, object := range objects {
		list[i] = object
	}
	return list
}

// dialTLS connects a client to the proxy.
func dialTLS(t *testing.T, address string, config *tls.Config) *tls.Conn {
	t.Helper()
	d := &tls.Dialer{NetDialer: &net.Dialer{Timeout: patience}, Config: config}
	c, err := d.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c.(*tls.Conn)
}

// dialTCP connects without TLS.
func dialTCP(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

// terminate asks for an orderly end.
func (p *process) terminate() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
}
