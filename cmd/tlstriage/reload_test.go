//go:build unix

package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
)

// hangUp asks for a reload and waits until it is done, or refused.
func (p *process) hangUp(outcome string) {
	p.t.Helper()
	before := strings.Count(p.stderr.String(), outcome)
	p.signal(syscall.SIGHUP)
	p.stderr.wait(p.t, outcome, func(text string) bool { return strings.Count(text, outcome) > before })
}

const (
	reloadedLine    = `"msg":"reloaded"`
	notReloadedLine = `"msg":"not reloaded; the old configuration stays"`
)

// metric is the value of a series of /metrics.
func (p *process) metric(series string) string {
	p.t.Helper()
	status, body := p.admin("/metrics")
	if status != http.StatusOK {
		return fmt.Sprintf("status %d", status)
	}
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// replaceFile exchanges a file as careful programs do.
func replaceFile(t *testing.T, path string, data []byte) {
	t.Helper()
	certstest.WriteFile(t, path+".new", data)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// A reload is for new connections: an open one goes on with the backend that it has. A configuration that is wrong changes
// nothing, is said so, and shows in the metrics until a right one comes.
func TestReload(t *testing.T) {
	s := newSite(t)
	const name = "app.example"
	held := s.backend(certstest.Healthy, name, nil, echo)
	first, second := s.web(certstest.Healthy, name, "first"), s.web(certstest.Healthy, name, "second")
	cert, key := s.pki.Make(certstest.Healthy, name).WriteFiles(t)
	holdCert, holdKey := s.pki.Make(certstest.Healthy, "hold.example").WriteFiles(t)
	file := filepath.Join(t.TempDir(), "proxy.yaml")
	write := func(routes string) {
		replaceFile(t, file, fmt.Appendf(nil, `
listeners:
  - address: 127.0.0.1:0
    certificates: [{cert: %q, key: %q}, {cert: %q, key: %q}]
    routes:
%s
output: json
`, cert, key, holdCert, holdKey, routes))
	}
	route := func(names, backend string) string {
		return fmt.Sprintf("      - {server_names: [%s], backend: {url: \"tls://%s\", ca: %q, server_name: %s}}\n", names, backend, s.root, name)
	}
	write(route("app.example", first) + route("hold.example", held))
	p := startProxy(t, nil, "--config", file)
	address := p.address("default")
	const ok = "tlstriage_config_last_reload_successful"
	if got := p.metric(ok); got != "1" {
		t.Errorf("%s %q after the start", ok, got)
	}
	s.answers(address, name, "first")
	open := dialTLS(t, address, s.client("hold.example"))
	exchange(t, open, "before the reload")

	// The route of the open connection is gone, the other leads elsewhere.
	write(route("app.example", second))
	p.hangUp(reloadedLine)
	s.answers(address, name, "second")
	exchange(t, open, "after the reload")
	if _, err := s.ask(address, "hold.example"); err == nil {
		t.Error("a route that is no more still answers")
	}

	// Wrong ones of every kind, one after the other.
	for _, wrong := range []string{
		"      - {backnd: x}\n",
		route("app.example", first) + route("app.example", second),
		strings.Replace(route("app.example", first), s.root, filepath.Join(t.TempDir(), "none.pem"), 1),
		strings.Replace(route("app.example", first), "server_names", "policy: aws/none, server_names", 1),
	} {
		write(wrong)
		p.hangUp(notReloadedLine)
		if got := p.metric(ok); got != "0" {
			t.Errorf("%s %q after a wrong configuration", ok, got)
		}
		s.answers(address, name, "second")
		exchange(t, open, "after a wrong configuration")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	p.hangUp(notReloadedLine)
	s.answers(address, name, "second")

	write(route("app.example", first))
	p.hangUp(reloadedLine)
	if got := p.metric(ok); got != "1" {
		t.Errorf("%s %q after a right configuration", ok, got)
	}
	s.answers(address, name, "first")
	exchange(t, open, "to the end")
	open.Close()

	// The old connection is judged by what it was served under: it is no failure.
	eventually(t, "the record of the connection that outlived its route", func() error {
		for _, r := range p.records(1) {
			if r["route"] == "hold.example" {
				if r["verdict"] != "ok" {
					t.Errorf("verdict %v, cause %v", r["verdict"], r["cause"])
				}
				return nil
			}
		}
		return errors.New("not there yet")
	})
}

// A reload opens and closes listeners; one that cannot be opened leaves all as it was.
func TestReloadListeners(t *testing.T) {
	s := newSite(t)
	const name = "app.example"
	backend := s.web(certstest.Healthy, name, "hello")
	cert, key := s.pki.Make(certstest.Healthy, name).WriteFiles(t)
	file := filepath.Join(t.TempDir(), "proxy.yaml")
	one, two, taken := freePort(t), freePort(t), s.web(certstest.Healthy, name, "somebody else")
	write := func(addresses ...string) {
		text := "output: json\nlisteners:\n"
		for i, address := range addresses {
			text += fmt.Sprintf("  - {name: l%d, address: %q, certificates: [{cert: %q, key: %q}], routes: [{backend: {url: \"tls://%s\", ca: %q}}]}\n",
				i, address, cert, key, backend, s.root)
		}
		replaceFile(t, file, []byte(text))
	}
	write(one)
	p := startProxy(t, nil, "--config", file)
	s.answers(one, name, "hello")
	write(one, two)
	p.hangUp(reloadedLine)
	s.answers(one, name, "hello")
	s.answers(two, name, "hello")
	write(one, taken)
	p.hangUp(notReloadedLine)
	s.answers(one, name, "hello")
	s.answers(two, name, "hello")
	write(two)
	p.hangUp(reloadedLine)
	s.answers(two, name, "hello")
	if c, err := tls.Dial("tcp", one, s.client(name)); err == nil {
		c.Close()
		t.Error("a listener that is no more still answers")
	}
}

// A certificate that is renewed on disk is served without a signal, after a reload too; one that is wrong leaves the old in place.
func TestCertificatesFollowTheirFiles(t *testing.T) {
	s := newSite(t)
	const name = "app.example"
	backend := s.web(certstest.Healthy, name, "hello")
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	renew := func() string {
		chain := s.pki.Make(certstest.Healthy, name)
		newCert, newKey := chain.WriteFiles(t)
		for from, to := range map[string]string{newKey: key, newCert: cert} {
			data, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			replaceFile(t, to, data)
		}
		return chain.Leaf.Certificate.SerialNumber.String()
	}
	first := renew()
	file := filepath.Join(dir, "proxy.yaml")
	certstest.WriteFile(t, file, fmt.Appendf(nil, `
output: json
listeners: [{address: "127.0.0.1:0", certificates: [{cert: tls.crt, key: tls.key}], routes: [{backend: {url: "tls://%s", ca: %q}}]}]
`, backend, s.root))
	p := startProxy(t, nil, "--config", file)
	address := p.address("default")
	served := func(want string) error {
		c, err := tls.Dial("tcp", address, s.client(name))
		if err != nil {
			return err
		}
		defer c.Close()
		if got := c.ConnectionState().PeerCertificates[0].SerialNumber.String(); got != want {
			return fmt.Errorf("serial %s, want %s", got, want)
		}
		return nil
	}
	if err := served(first); err != nil {
		t.Fatal(err)
	}
	second := renew()
	eventually(t, "the renewed certificate", func() error { return served(second) })

	p.hangUp(reloadedLine)
	third := renew()
	eventually(t, "the certificate renewed after a reload", func() error { return served(third) })

	replaceFile(t, cert, []byte("not a certificate"))
	p.waitLogged("certificates not reloaded; the old ones stay")
	if err := served(third); err != nil {
		t.Error(err)
	}
	fourth := renew()
	eventually(t, "a right certificate after a wrong one", func() error { return served(fourth) })
}

// A recording that was moved away, as programs do that rotate files, is left alone from a reload on: records go to a new file of its name.
func TestReloadOpensTheRecordingAgain(t *testing.T) {
	s := newSite(t)
	backend := s.backend(certstest.Healthy, "app.example", nil, echo)
	file := filepath.Join(t.TempDir(), "recording.ndjson")
	p := startProxy(t, nil, s.flags(backend, "app.example", "--record", file)...)
	connect := func() {
		c := dialTLS(t, p.address("default"), s.client("app.example"))
		exchange(t, c, "one")
		c.Close()
	}
	lines := func(name string, want int) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d records in %s", want, filepath.Base(name)), func() error {
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			if n := strings.Count(string(data), "\n"); n != want {
				return fmt.Errorf("%d records", n)
			}
			return nil
		})
	}
	connect()
	lines(file, 1)
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	connect()
	lines(file+".1", 2) // nobody has said yet that it was moved
	p.hangUp(reloadedLine)
	connect()
	connect()
	lines(file, 2)
	lines(file+".1", 2)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// A hang-up while the program drains is no reason to cut anything.
func TestHangUpWhileDraining(t *testing.T) {
	s := newSite(t)
	backend := s.backend(certstest.Healthy, "app.example", nil, echo)
	p := startProxy(t, nil, s.flags(backend, "app.example")...)
	open := dialTLS(t, p.address("default"), s.client("app.example"))
	exchange(t, open, "one")
	p.terminate()
	p.waitLogged("draining")
	p.signal(syscall.SIGHUP)
	exchange(t, open, "two")
	open.CloseWrite()
	if _, err := bufio.NewReader(open).ReadByte(); err == nil {
		t.Error("more came")
	}
	if code := p.exitCode(); code != exitClean {
		t.Errorf("exit code %d", code)
	}
}
