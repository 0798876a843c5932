//go:build unix

package main

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"os"
	"regexp"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
)

// Whoever reads the records may go, as `| head` does: the clients must not suffer from it.
func TestClosedStandardOutputEndsNoConnection(t *testing.T) {
	s := newSite(t)
	backend := s.backend(certstest.Healthy, "app.example", nil, func(c *tls.Conn) { io.Copy(c, c) })
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := command(t, nil, append([]string{"proxy", "--admin", "off", "--log-format", "json"}, s.flags(backend, "app.example")...)...)
	said := newOutput()
	cmd.Stdout, cmd.Stderr = writer, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	writer.Close()
	reader.Close()
	listening := regexp.MustCompile(`"msg":"listening",.*"address":"(127\.0\.0\.1:\d+)"`)
	said.wait(t, "the listener's address", listening.MatchString)
	address := listening.FindStringSubmatch(said.String())[1]
	for range 5 {
		c := dialTLS(t, address, s.client("app.example"))
		echo := make([]byte, 4)
		if _, err := c.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, echo); err != nil || !bytes.Equal(echo, []byte("ping")) {
			t.Fatalf("%q %v", echo, err)
		}
		c.Close()
	}
	said.wait(t, "the warning", regexp.MustCompile("nobody reads standard output").MatchString)
	if c, err := net.Dial("tcp", address); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
}
