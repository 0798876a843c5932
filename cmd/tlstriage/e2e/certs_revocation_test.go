package e2e

import (
	"encoding/json"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/proxy/monitor"
)

// `certs check` reads what is stapled whatever it is told about revocation, and asks a real responder when it is told to; `certs watch`
// does, too.
func TestCertsCheckAndWatchOfRevokedCertificates(t *testing.T) {
	t.Parallel()
	a := newRevoking(t)
	names := certs.Template{OCSPServer: []string{"http://" + a.responder}}
	good, revoked := a.leaf(names), a.leaf(names)
	a.enter(t, good.Certificate, false)
	a.enter(t, revoked.Certificate, true)
	a.respond(t)
	serving := a.serve(t, revoked)
	for name, tt := range map[string]struct {
		addr, mode string
		code       int
		cause      string
	}{
		"not asked":                     {serving, "off", 0, ""},
		"asked":                         {serving, "check", 1, "cert-revoked"},
		"demanded":                      {serving, "require", 1, "cert-revoked"},
		"good":                          {a.serve(t, good), "check", 0, ""},
		"stapled as revoked, not asked": {a.serve(t, revoked, "-status_file", a.staple(t, revoked, ocsp.Revoked, a.pki.Now.Add(-time.Hour))), "off", 1, "cert-revoked"},
	} {
		got := client(t, "", program, "certs", "check", tt.addr, "--name", site, "--ca", a.ca, "--revocation", tt.mode, "--revocation-host", "127.0.0.1", "-o", "json")
		var seen checkedChain
		if err := json.Unmarshal([]byte(got.out), &seen); err != nil || got.code != tt.code || seen.Cause != tt.cause {
			t.Errorf("%s: exit %d, cause %q, want %d, %q: %s", name, got.code, seen.Cause, tt.code, tt.cause, got.out)
		}
		got = client(t, "", program, "certs", "check", tt.addr, "--name", site, "--ca", a.ca, "--revocation", tt.mode, "--revocation-host", "127.0.0.1")
		if strings.Contains(got.out, "certificate REVOKED") != (tt.cause == "cert-revoked") || tt.cause == "cert-revoked" && strings.Contains(got.out, "certificate valid") {
			t.Errorf("%s: %s", name, got.out)
		}
	}

	cmd := exec.Command(program, "certs", "watch", serving, "--ca", a.ca, "--revocation", "check", "--revocation-host", "127.0.0.1", "-o", "json")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	printed := lines(t, stdout)
	seen := ""
	for !strings.Contains(seen, `"cert-revoked"`) {
		select {
		case text, ok := <-printed:
			if !ok {
				t.Fatalf("it ended: %s", seen)
			}
			seen += text + "\n"
		case <-time.After(patience):
			t.Fatalf("nobody says that it is revoked: %s", seen)
		}
	}
	if strings.Contains(seen, string(monitor.CertificateChanged)) || !strings.Contains(seen, string(inspect.Failed)) {
		t.Errorf("%s", seen)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	for range printed {
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// What a pile of two sites becomes is served under each site's own name, by nginx and by HAProxy.
func TestCertsFixOfTwoSitesServesBoth(t *testing.T) {
	t.Parallel()
	need(t, "nginx", "haproxy")
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	pile := []string{}
	sites := []string{"one.example", "*.two.example"}
	for i, name := range sites {
		leaf := pki.Issue(pki.Issuing, certs.Template{Names: []string{name}})
		key, err := leaf.KeyPEM()
		if err != nil {
			t.Fatal(err)
		}
		pile = append(pile, writeFile(t, string(rune('a'+i))+".pem", string(certs.EncodePEM(leaf.Chain()...))+string(key)))
	}
	fix := func(target string) (dir string, use []string) {
		dir = t.TempDir() + "/out"
		got := client(t, "", program, append([]string{"certs", "fix", "--ca", ca, "--for", target, "--out", dir, "-o", "json"}, pile...)...)
		var view struct{ Use []string }
		if err := json.Unmarshal([]byte(got.out), &view); err != nil || got.code != 0 {
			t.Fatalf("%s: exit %d: %s", target, got.code, got.out)
		}
		return dir, view.Use
	}
	dir, use := fix("nginx")
	addrs := map[string]string{"nginx": nginx(t, strings.NewReplacer("/etc/nginx/tls", dir, "listen 443", "listen %[1]s").Replace(strings.Join(use, "\n")))}
	dir, use = fix("haproxy")
	first, others, ok := strings.Cut(strings.TrimPrefix(strings.ReplaceAll(use[0], "/etc/haproxy/tls", dir), "bind :443 ssl crt "), " ")
	if !ok {
		t.Fatalf("%q", use)
	}
	addrs["haproxy"] = haproxy(t, first, others)
	for server, addr := range addrs {
		for _, name := range []string{"one.example", "www.two.example"} {
			got := client(t, "", program, "certs", "check", addr, "--name", name, "--ca", ca, "-o", "json")
			var seen checkedChain
			if err := json.Unmarshal([]byte(got.out), &seen); err != nil || got.code != 0 || seen.Cause != "" {
				t.Errorf("%s, %s: exit %d: %s", server, name, got.code, got.out)
			}
		}
	}
}
