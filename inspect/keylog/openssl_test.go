package keylog_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/keylog"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// openSSL is the program; where it is missing the test is skipped, in CI it fails.
func openSSL(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("openssl is not here: %v", err)
	}
	return path
}

// startServer starts openssl s_server and gives its address.
func startServer(t *testing.T, args ...string) string {
	t.Helper()
	server := exec.Command(openSSL(t), append([]string{"s_server", "-accept", "127.0.0.1:0"}, args...)...)
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	server.Stderr = server.Stdout
	in, err := server.StdinPipe() // it ends with its input
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "ACCEPT "); ok {
			go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the server
			return address
		}
	}
	t.Fatalf("s_server does not accept: %v", lines.Err())
	return ""
}

// keyPair makes a key and a certificate.
func keyPair(t *testing.T, kind ...string) []string {
	t.Helper()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	args := append([]string{"req", "-x509", "-nodes", "-subj", "/CN=test", "-out", cert, "-keyout", key}, kind...)
	if out, err := exec.Command(openSSL(t), args...).CombinedOutput(); err != nil {
		t.Fatalf("openssl req: %v\n%s", err, out)
	}
	return []string{cert, key}
}

// ask runs openssl s_client through a relay: it sends each line once the answer to the one before has come. A line of one capital letter
// is a command to the program; what is waited for then is given behind it.
func ask(t *testing.T, server string, lines [][2]string, args ...string) (store *keylog.Store, streams [2][]byte, ok bool) {
	t.Helper()
	address, done := relay(t, server)
	log := filepath.Join(t.TempDir(), "keys")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client := exec.CommandContext(ctx, openSSL(t), append([]string{"s_client", "-connect", address, "-keylogfile", log}, args...)...)
	in, err := client.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	client.Stderr = client.Stdout
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(out)
	ok = true
	for _, line := range lines {
		if _, err := io.WriteString(in, line[0]+"\n"); err != nil || !waitFor(said, line[1]) {
			ok = false
			break
		}
	}
	_, _ = io.WriteString(in, "Q\n")
	in.Close()
	_, _ = io.Copy(io.Discard, said)
	_ = client.Wait() // fails where the handshake does, which shows in what was recorded
	b, err := os.ReadFile(log)
	if err != nil && ok {
		t.Fatal(err)
	}
	store = &keylog.Store{}
	if err := store.AddAll(b); err != nil {
		t.Fatal(err)
	}
	return store, <-done, ok
}

func waitFor(r *bufio.Reader, want string) bool {
	for {
		line, err := r.ReadString('\n')
		if strings.Contains(line, want) {
			return true
		}
		if err != nil {
			return false
		}
	}
}

// openSSLSuites lists the suites that openssl has for a version.
func openSSLSuites(t *testing.T, version string) []string {
	t.Helper()
	out, err := exec.Command(openSSL(t), "ciphers", "-s", version, "ALL:COMPLEMENTOFALL:@SECLEVEL=0").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(out)), ":")
}

// TestEverySuiteOfOpenSSL makes a connection with every suite that openssl offers, from its client to its server.
func TestEverySuiteOfOpenSSL(t *testing.T) {
	rsa, ec := keyPair(t, "-newkey", "rsa:2048"), keyPair(t, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
	dsaParameters := filepath.Join(t.TempDir(), "dsa.pem")
	if out, err := exec.Command(openSSL(t), "genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:1024", "-out", dsaParameters).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dsa := keyPair(t, "-newkey", "dsa:"+dsaParameters)
	everything := []string{"-rev", "-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0", "-ciphersuites", strings.Join(openSSLSuites(t, "-tls1_3"), ":"), "-min_protocol", "TLSv1"}
	both := startServer(t, append(everything, "-cert", rsa[0], "-key", rsa[1], "-dcert", ec[0], "-dkey", ec[1])...)
	dss := startServer(t, append(everything, "-cert", dsa[0], "-key", dsa[1], "-sigalgs", "DSA+SHA256:DSA+SHA1", "-client_sigalgs", "DSA+SHA256:DSA+SHA1")...)

	type group struct {
		version string
		extra   []string
		some    string // of the suites only those that have this in their names; all if empty
	}
	opened, closed := 0, map[string]int{}
	for _, g := range []group{
		{version: "-tls1_3"}, {version: "-tls1_2"}, {version: "-tls1_2", extra: []string{"-no_etm"}, some: "SHA"},
		{version: "-tls1_1", some: "AES"}, {version: "-tls1", some: "AES"}, {version: "-tls1", extra: []string{"-no_etm"}, some: "DHE-RSA-AES256"},
	} {
		for _, suite := range openSSLSuites(t, g.version) {
			if !strings.Contains(suite, g.some) || g.extra != nil && strings.Contains(suite, "GCM") {
				continue
			}
			t.Run(strings.Join(append([]string{g.version[1:], suite}, g.extra...), ""), func(t *testing.T) {
				args := append([]string{g.version, "-cipher", suite + ":@SECLEVEL=0"}, g.extra...)
				if g.version == "-tls1_3" {
					args = []string{g.version, "-ciphersuites", suite, "-cipher", "ALL:@SECLEVEL=0"}
				}
				server := both
				if strings.Contains(suite, "DSS") {
					server = dss
				}
				store, streams, ok := ask(t, server, [][2]string{{"question", "noitseuq"}}, args...)
				if !ok {
					t.Fatalf("the connection failed: the server sent %x", streams[1][:min(len(streams[1]), 64)])
				}
				if strings.Contains(suite, "CAMELLIA") || strings.Contains(suite, "ARIA") {
					c, err := negotiated(streams)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := store.ForTLS(c, keylog.FromClient); !isUnsupported(err) {
						t.Errorf("error %v, want unsupported", err)
					}
					closed[g.version]++
					return
				}
				c, sides := check(t, store, streams, [2]string{"question\n", "noitseuq\n"})
				if name := wire.CipherSuite(c.Suite).OpenSSLName(); name != suite {
					t.Errorf("suite %s was negotiated", name)
				}
				if len(sides[0].alerts) != 1 || sides[0].alerts[0] != wire.AlertCloseNotify {
					t.Errorf("the client's alerts are %v, want close_notify", sides[0].alerts)
				}
				opened++
			})
		}
	}
	t.Logf("%d connections opened; closed stay those with Camellia and ARIA: %v", opened, closed)
	if opened < 80 {
		t.Errorf("only %d connections opened", opened)
	}
}

func TestKeyUpdatesAreFollowed(t *testing.T) {
	rsa := keyPair(t, "-newkey", "rsa:2048")
	server := startServer(t, "-rev", "-cert", rsa[0], "-key", rsa[1])
	const said = "KEYUPDATE"
	store, streams, ok := ask(t, server, [][2]string{{"first", "tsrif"}, {"K", said}, {"second", "dnoces"}, {"k", said}, {"third", "driht"}, {"K", said}, {"fourth", "htruof"}}, "-tls1_3")
	if !ok {
		t.Fatal("the connection failed")
	}
	_, sides := check(t, store, streams, [2]string{"first\nsecond\nthird\nfourth\n", "tsrif\ndnoces\ndriht\nhtruof\n"})
	if n := sides[0].handshakes[wire.HandshakeTypeKeyUpdate]; n != 3 {
		t.Errorf("%d key updates of the client, want 3", n)
	}
	if n := sides[1].handshakes[wire.HandshakeTypeKeyUpdate]; n != 2 {
		t.Errorf("%d key updates of the server, want 2", n)
	}
	if !bytes.Contains(streams[0], []byte{23, 3, 3}) {
		t.Error("nothing was encrypted")
	}
}
