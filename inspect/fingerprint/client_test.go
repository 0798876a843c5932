package fingerprint_test

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/fingerprint"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// helloOf runs a client against a listener that reads its hello and hangs up. ADDRESS among the arguments is where it listens.
func helloOf(t *testing.T, program string, args ...string) *wire.ClientHello {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is needed in CI", program)
		}
		t.Skipf("%s is not installed", program)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for i, arg := range args {
		args[i] = strings.Replace(arg, "ADDRESS", listener.Addr().String(), 1)
	}
	client := exec.CommandContext(t.Context(), path, args...)
	client.Stdin = bytes.NewReader(nil)
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Wait() }() // it fails: the server hung up

	if err := listener.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := wire.Reader{FromClient: true}
	var m wire.Message
	for buf := make([]byte, 4096); ; {
		n, err := conn.Read(buf)
		r.Feed(buf[:n])
		if r.Next(&m) {
			break
		}
		if err != nil || r.Err() != nil {
			t.Fatalf("no hello: %v, %v", err, r.Err())
		}
	}
	h := new(wire.ClientHello)
	if err := wire.ParseClientHello(bytes.Clone(m.Bytes), h); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestShapeOfOneClientStaysTheSame(t *testing.T) {
	one := helloOf(t, "openssl", "s_client", "-connect", "ADDRESS", "-servername", "one.example")
	two := helloOf(t, "openssl", "s_client", "-connect", "ADDRESS", "-servername", "another.example")
	if bytes.Equal(one.Random, two.Random) || string(one.ServerName) == string(two.ServerName) {
		t.Fatal("this is one hello twice")
	}
	if a, b := fingerprint.Shape(one), fingerprint.Shape(two); a != b {
		t.Errorf("shapes %s and %s of two connections of one client", a, b)
	}
	other := helloOf(t, "openssl", "s_client", "-connect", "ADDRESS", "-servername", "one.example", "-tls1_2")
	if a, b := fingerprint.Shape(one), fingerprint.Shape(other); a == b {
		t.Errorf("shape %s with TLS 1.2 alone, too", a)
	}
	curl := helloOf(t, "curl", "--insecure", "--silent", "https://ADDRESS/")
	if a, b := fingerprint.Shape(one), fingerprint.Shape(curl); a == b {
		t.Errorf("openssl and curl have one shape %s", a)
	}
}
