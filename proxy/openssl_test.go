package proxy

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"testing"
)

// opensslPath finds the program. In CI it must be there.
func opensslPath(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("no openssl to test with")
	} else if err != nil {
		t.Skip("no openssl to test with")
	}
	return path
}

// openSSL is a running `openssl s_client`.
type openSSL struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	output bytes.Buffer
}

func startOpenSSL(t *testing.T, address string, args ...string) *openSSL {
	t.Helper()
	o := &openSSL{t: t, cmd: exec.Command(opensslPath(t), append([]string{"s_client", "-connect", address}, args...)...)}
	o.cmd.Stdout, o.cmd.Stderr = &o.output, &o.output
	var err error
	if o.stdin, err = o.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := o.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		o.cmd.Process.Kill()
		o.cmd.Wait()
	})
	return o
}

func (o *openSSL) write(text string) { io.WriteString(o.stdin, text) }

// wait waits for its end and gives what it printed.
func (o *openSSL) wait() string {
	o.cmd.Wait()
	return o.output.String()
}
