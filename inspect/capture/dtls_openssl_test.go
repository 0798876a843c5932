package capture_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
	"github.com/tlstriage/tlstriage/inspect/porttest"
)

// openSSL is the program, which CI has.
func openSSL(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("openssl is not installed")
	}
	return path
}

// datagramRelay hands datagrams between a client and a server, and keeps them.
type datagramRelay struct {
	sync.Mutex
	address string
	said    []turn
	client  net.Addr
}

func relayDatagrams(t *testing.T, server string) *datagramRelay {
	t.Helper()
	front, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	back, err := net.Dial("udp", server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { front.Close(); back.Close() })
	r := &datagramRelay{address: front.LocalAddr().String()}
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, from, err := front.ReadFrom(b)
			if err != nil {
				return
			}
			r.Lock()
			r.client = from
			r.said = append(r.said, turn{true, append([]byte(nil), b[:n]...)})
			r.Unlock()
			_, _ = back.Write(b[:n])
		}
	}()
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, err := back.Read(b)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue // the server is not there yet, or not any more
			}
			r.Lock()
			r.said = append(r.said, turn{false, append([]byte(nil), b[:n]...)})
			to := r.client
			r.Unlock()
			_, _ = front.WriteTo(b[:n], to)
		}
	}()
	return r
}

// TestOpenSSLDatagrams has openssl speak DTLS with itself, in every form that it has.
func TestOpenSSLDatagrams(t *testing.T) {
	program, dir := openSSL(t), t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if out, err := exec.Command(program, "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=test", "-out", cert, "-keyout", key).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	long := strings.Repeat("a-label-that-is-long.", 10) + "example"
	for _, test := range []struct {
		name           string
		server, client []string
		version        string
		fragments      bool
	}{
		{"1.2, GCM", []string{"-dtls1_2"}, []string{"-dtls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"}, "DTLSv1.2", false},
		{"1.2, ChaCha20", []string{"-dtls1_2"}, []string{"-dtls1_2", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305"}, "DTLSv1.2", false},
		{"1.2, CBC", []string{"-dtls1_2"}, []string{"-dtls1_2", "-cipher", "ECDHE-RSA-AES256-SHA384"}, "DTLSv1.2", false},
		{"1.2, CCM", []string{"-dtls1_2"}, []string{"-dtls1_2", "-cipher", "AES256-CCM8"}, "DTLSv1.2", false},
		{"1.2, cookies", []string{"-dtls1_2", "-listen"}, []string{"-dtls1_2"}, "DTLSv1.2", false},
		{"1.2, fragments", []string{"-dtls1_2", "-mtu", "300"}, []string{"-dtls1_2", "-mtu", "256", "-servername", long}, "DTLSv1.2", true},
		{"1.2, cookies and fragments", []string{"-dtls1_2", "-listen", "-mtu", "300"}, []string{"-dtls1_2", "-mtu", "300", "-servername", long}, "DTLSv1.2", true},
		{"1.0", []string{"-dtls1"}, []string{"-dtls1"}, "DTLSv1.0", false},
		{"any", []string{"-dtls"}, []string{"-dtls"}, "DTLSv1.2", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			address := porttest.FreeAddress(t)
			server := exec.CommandContext(ctx, program, append([]string{"s_server", "-accept", address, "-cert", cert, "-key", key, "-cipher", "ALL:@SECLEVEL=0"}, test.server...)...)
			feed, err := server.StdinPipe() // which must stay open
			if err != nil {
				t.Fatal(err)
			}
			defer feed.Close()
			ready, err := server.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { cancel(); _ = server.Wait() }()
			if line, err := bufio.NewReader(ready).ReadString('\n'); err != nil {
				t.Fatalf("%q, %v", line, err)
			}
			go func() { _, _ = io.Copy(io.Discard, ready) }()
			relay, log := relayDatagrams(t, address), filepath.Join(t.TempDir(), "keys")
			arguments := append([]string{"s_client", "-connect", relay.address, "-keylogfile", log}, test.client...)
			if test.version == "DTLSv1.0" {
				arguments = append(arguments, "-cipher", "ALL:@SECLEVEL=0")
			}
			client := exec.CommandContext(ctx, program, arguments...)
			client.Stdin = strings.NewReader("hello\nQ\n")
			if out, err := client.CombinedOutput(); err != nil && !strings.Contains(string(out), "Cipher is") {
				t.Fatalf("%v: %s", err, out)
			}
			secrets, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			w := newBuilder()
			c, s := client4433()
			relay.Lock()
			for _, x := range relay.said {
				if x.client {
					w.udpDatagram(c, s, x.data, 100)
				} else {
					w.udpDatagram(s, c, x.data, 100)
				}
			}
			relay.Unlock()
			opened := map[string]bool{}
			records, stats := recordsOf(t, w.b, capture.Options{KeyLog: secrets, OnPackets: func(*inspect.Connection, []capture.Packet) {}, OnSecrets: func(_ *inspect.Connection, lines []byte) {
				opened[strings.ToUpper(string(lines))] = true
			}})
			if len(records) != 1 {
				t.Fatalf("%d records, %+v", len(records), stats)
			}
			r := records[0]
			tls := r.ClientLeg.TLS
			if !tls.Established || tls.Version != test.version || tls.Server == nil || len(tls.Server.CertificateChain) != 1 || r.ClientLeg.Error != nil {
				t.Errorf("%+v, %+v", tls, r.ClientLeg.Error)
			}
			if !r.Capture.Decrypted || stats.Decrypted != 1 {
				t.Errorf("not opened: %+v", stats)
			}
			if len(opened) != 1 || !opened[secretLines(secrets)] {
				t.Errorf("what opens it: %d times", len(opened))
			}
			if got := tls.Client.Message.Records; got > 1 != test.fragments {
				t.Errorf("the hello came in %d fragments", got)
			}
		})
	}
}

// secretLines are the master secrets of a key log, in capitals.
func secretLines(log []byte) string {
	var lines strings.Builder
	for line := range strings.Lines(string(log)) {
		if strings.HasPrefix(line, "CLIENT_RANDOM ") {
			lines.WriteString(strings.ToUpper(line))
		}
	}
	return lines.String()
}

func client4433() (c, s *side) {
	c, s = client(5), server()
	s.port = 4433
	return c, s
}
