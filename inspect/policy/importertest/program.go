// Package importertest is what the tests of importers share: programs to hold imports against, certificates for them, recorded hellos,
// and questions to what was imported. It is for tests alone.
package importertest

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/porttest"
)

// patience is how long a program may take to start, or to answer: on a busy machine it takes its time.
const patience = 3 * time.Minute

// Files is the machine's file system with names as users write them.
type Files struct{}

// Open opens a file by any name.
func (Files) Open(name string) (fs.File, error) { return os.Open(name) }

// Program finds a program. Where CI lacks one the test fails; elsewhere what needs it is skipped.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	path = filepath.Join("/usr/sbin", name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// Environment is that of programs: without the machine's own settings of OpenSSL and GnuTLS, and in English.
func Environment(more ...string) []string {
	return append(append(os.Environ(), "OPENSSL_CONF=/dev/null", "GNUTLS_SYSTEM_PRIORITY_FILE=/dev/null", "LC_ALL=C", "XDG_DATA_HOME=", "XDG_CONFIG_HOME="), more...)
}

// Run runs a program to its end and gives what it said, and whether it ended well.
func Run(t testing.TB, path string, args ...string) (said string, ok bool) {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Env = Environment("HOME=" + t.TempDir())
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// Version is what matches in what a program says when run with these arguments.
func Version(t testing.TB, path, pattern string, args ...string) string {
	t.Helper()
	said, _ := Run(t, path, args...)
	m := regexp.MustCompile(pattern).FindStringSubmatch(said)
	if m == nil {
		t.Fatalf("%s says no version: %s", path, said)
	}
	return m[1]
}

// Start runs a program until the test ends. It is ready when a line of its output matches: what matched, as FindStringSubmatch gives it.
func Start(t testing.TB, ready, path string, args ...string) (match []string) {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Env = Environment("HOME=" + t.TempDir())
	stdin, err := cmd.StdinPipe() // kept open: openssl s_server ends with its input
	if err != nil {
		t.Fatal(err)
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = in, in
	err = cmd.Start()
	in.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop(cmd)
		stdin.Close()
		out.Close()
	})
	if err := out.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(ready)
	lines := bufio.NewScanner(out)
	var seen []string
	for lines.Scan() {
		seen = append(seen, lines.Text())
		if match = pattern.FindStringSubmatch(lines.Text()); match == nil {
			continue
		}
		if err := out.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		go discard(out) // ends when the program does
		return match
	}
	t.Fatalf("%s was not ready: %s", path, strings.Join(seen, " | "))
	return nil
}

func discard(r io.Reader) {
	_, _ = io.Copy(io.Discard, r) // what a program says after its start is nobody's
}

// stop asks a program to end: killed, it would leave its workers behind. One that does not in time is killed all the same.
func stop(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(syscall.SIGTERM) // an error: it has ended
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // how it ends by a signal is no matter
	late.Stop()
}

// FreePort is a port of the loopback that no other test is given, and the system gives to nobody, until the test ends.
func FreePort(t testing.TB) string {
	t.Helper()
	return strconv.Itoa(porttest.Free(t))
}

// AwaitPort returns when something listens.
func AwaitPort(t testing.TB, address string) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-again.C {
		if conn, err := net.DialTimeout("tcp", address, patience); err == nil {
			conn.Close()
			return
		}
	}
	t.Fatalf("nothing listens on %s", address)
}

// Write writes a file, and the directories on the way to it.
func Write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Starts reports whether a program starts: whether a line of what it says matches before it ends. It does not go on.
func Starts(t testing.TB, ready, path string, args ...string) (said string, ok bool) {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Env = Environment()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = in, in
	err = cmd.Start()
	in.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer stop(cmd)
	if err := out.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(ready)
	lines := bufio.NewScanner(out)
	var seen []string
	for lines.Scan() {
		seen = append(seen, lines.Text())
		if pattern.MatchString(lines.Text()) {
			return strings.Join(seen, "\n"), true
		}
	}
	if errors.Is(lines.Err(), os.ErrDeadlineExceeded) { // it may start yet
		t.Fatalf("%s neither started nor ended: %s", path, strings.Join(seen, " | "))
	}
	return strings.Join(seen, "\n"), false
}
