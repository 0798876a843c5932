package servertest

import (
	"context"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Program finds a program; without it a test fails in CI and is skipped aloud elsewhere.
func Program(t testing.TB, name string) (path string) {
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

// Start runs a program that listens on a port of the loopback, until the test ends, and waits until it does.
func Start(t testing.TB, port int, name string, args ...string) (address string) {
	t.Helper()
	cmd := exec.Command(Program(t, name), args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	stdin, err := cmd.StdinPipe() // s_server ends with its input
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	var end error
	go func() { end = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("%s %v said:\n%s", name, args, out.String())
		}
	})
	address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute) // a virtual machine on a busy one
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			conn.Close()
			return address
		}
		select {
		case <-ended:
			t.Fatalf("%s %v ended: %v\n%s", name, args, end, out.String())
		case <-ctx.Done():
			// What it said so far is still being written.
			t.Fatalf("%s %v does not listen", name, args)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
