package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// TestHandshakesOfFailedConnectionsAreWritten reads what the proxy writes with the program's own eyes for captures.
func TestHandshakesOfFailedConnectionsAreWritten(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	sick := backend{addr: goBackend(t, pki.Make(certstest.Expired, site), nil), ca: ca}
	well := backend{addr: goBackend(t, pki.Make(certstest.Healthy, site), nil), ca: ca}
	for _, keys := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "handshakes")
		args := []string{"--backend-verify", "enforce", "--write-pcapng", dir, "--pcapng-files", "2"}
		keyLog := filepath.Join(t.TempDir(), "keys.log")
		if keys {
			args = append(args, "--keylog", keyLog)
		}
		for _, b := range []backend{well, sick} {
			p := startProxy(t, b.args(args...)...)
			var last *record
			for range 3 {
				c := goClient(t, p.Addr, false, nil)
				if response, err := c.Get("https://" + site + "/hello"); err == nil {
					response.Body.Close()
				}
				c.CloseIdleConnections()
				last = p.nextFor(t)
			}
			p.stop()
			files, _ := filepath.Glob(filepath.Join(dir, "*.pcapng"))
			if b == well {
				if len(files) != 0 {
					t.Errorf("a healthy connection was written: %v", files)
				}
				continue
			}
			if len(files) != 2 {
				t.Fatalf("%d files for three failures and room for two", len(files))
			}
			checkHandshake(t, filepath.Join(dir, last.Event.ID+".pcapng"), ca, keys)
		}
		if info, err := os.Stat(keyLog); keys != (err == nil) || keys && (info.Size() == 0 || info.Mode().Perm() != 0o600) {
			t.Errorf("key log: %v %v", info, err)
		}
	}
}

// checkHandshake wants both legs of a backend that is refused for its certificate, which only the keys make visible.
func checkHandshake(t *testing.T, file, ca string, keys bool) {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	out := client(t, "", program, "pcap", file, "--ca", ca, "-o", "json")
	var expired, legs int
	for line := range strings.Lines(out.out) {
		if !strings.HasPrefix(line, "{") {
			continue
		}
		var c inspect.Connection
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		legs++
		for _, f := range c.Findings {
			if f.ID == "cert-expired" {
				expired++
			}
		}
	}
	if want := map[bool]int{false: 0, true: 1}[keys]; legs != 2 || expired != want {
		t.Errorf("keys %v: %d legs, %d expired certificates seen\n%s", keys, legs, expired, out.out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), "cert-expired") {
		t.Error("no comment says what was found")
	}
}
