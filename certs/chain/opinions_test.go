package chain_test

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
)

// opinion is what another program says of a chain.
type opinion struct {
	accepts bool
	said    string
}

// program finds a program, or says how its lack is taken: in CI it must be there.
func program(t *testing.T, name string) string {
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

// writeCases writes every case into a directory of its own below the one returned: chain.pem, leaf.pem, above.pem, roots.pem
// and name.
func writeCases(t *testing.T, cases []*certstest.Case) string {
	t.Helper()
	top := t.TempDir()
	for i, c := range cases {
		dir := filepath.Join(top, fmt.Sprintf("%03d", i))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		certstest.WriteFile(t, filepath.Join(dir, "chain.pem"), pemOf(c.Presented...))
		certstest.WriteFile(t, filepath.Join(dir, "leaf.pem"), pemOf(c.Presented[0]))
		certstest.WriteFile(t, filepath.Join(dir, "above.pem"), pemOf(c.Presented[1:]...))
		certstest.WriteFile(t, filepath.Join(dir, "roots.pem"), certs.EncodePEM(c.Roots...))
		certstest.WriteFile(t, filepath.Join(dir, "name"), []byte(c.Asked))
	}
	return top
}

func pemOf(list ...[]byte) []byte {
	var b bytes.Buffer
	for _, der := range list {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return b.Bytes()
}

// askEach runs one program for every case, two at a time.
func askEach(t *testing.T, top string, cases []*certstest.Case, path string, args func(dir string, c *certstest.Case) []string) []opinion {
	t.Helper()
	out := make([]opinion, len(cases))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 2)
	for i, c := range cases {
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer func() { <-slots; wg.Done() }()
			said, err := exec.Command(path, args(filepath.Join(top, fmt.Sprintf("%03d", i)), c)...).CombinedOutput()
			out[i] = opinion{err == nil, string(said)}
		}()
	}
	wg.Wait()
	return out
}

// askOpenSSL asks openssl verify at security level 2, the one of Debian's clients.
func askOpenSSL(t *testing.T, top string, cases []*certstest.Case, extra ...string) []opinion {
	return askEach(t, top, cases, program(t, "openssl"), func(dir string, c *certstest.Case) []string {
		args := []string{"verify", "-auth_level", "2", "-purpose", "sslserver", "-CAfile", dir + "/roots.pem", "-no-CApath", "-no-CAstore"}
		if net.ParseIP(c.Asked) != nil {
			args = append(args, "-verify_ip", c.Asked)
		} else {
			args = append(args, "-verify_hostname", c.Asked)
		}
		if len(c.Presented) > 1 {
			args = append(args, "-untrusted", dir+"/above.pem")
		}
		return append(append(args, extra...), dir+"/leaf.pem")
	})
}

func askGnuTLS(t *testing.T, top string, cases []*certstest.Case) []opinion {
	return askEach(t, top, cases, program(t, "certtool"), func(dir string, c *certstest.Case) []string {
		return []string{"--verify", "--load-ca-certificate", dir + "/roots.pem", "--infile", dir + "/chain.pem", "--verify-hostname", c.Asked,
			"--verify-purpose", "1.3.6.1.5.5.7.3.1"}
	})
}

func askJava(t *testing.T, top string, cases []*certstest.Case) []opinion {
	t.Helper()
	said, err := exec.Command(program(t, "java"), "-XX:TieredStopAtLevel=1", "--add-exports", "java.base/sun.security.util=ALL-UNNAMED", "testdata/Verify.java", top).Output()
	if err != nil {
		t.Fatalf("java: %v\n%s", err, said)
	}
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	if len(lines) != len(cases) {
		t.Fatalf("java answered %d of %d cases", len(lines), len(cases))
	}
	var out []opinion
	for _, l := range lines {
		f := strings.SplitN(l, "\t", 3)
		out = append(out, opinion{f[1] == "yes", l})
	}
	return out
}

// askOldOpenSSL asks OpenSSL with the path building of OpenSSL 1.0.
func askOldOpenSSL(t *testing.T, top string, cases []*certstest.Case) []opinion {
	t.Helper()
	said, err := exec.Command(program(t, "python3"), "testdata/verify_old.py", top).Output()
	if err != nil {
		t.Fatalf("python3: %v\n%s", err, said)
	}
	lines := strings.Split(strings.TrimRight(string(said), "\n"), "\n")
	if len(lines) != len(cases) {
		t.Fatalf("python3 answered %d of %d cases", len(lines), len(cases))
	}
	var out []opinion
	for _, l := range lines {
		f := strings.SplitN(l, "\t", 3)
		out = append(out, opinion{f[1] == "yes", l})
	}
	return out
}
