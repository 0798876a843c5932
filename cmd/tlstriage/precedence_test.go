package main

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
)

// Flags beat the environment, which beats the file, which beats the default: each layer names the backend that answers.
func TestPrecedence(t *testing.T) {
	s := newSite(t)
	byFile := s.web(certstest.Healthy, "app.example", "file")
	byEnv := s.web(certstest.Healthy, "app.example", "env")
	byFlag := s.web(certstest.Healthy, "app.example", "flag")
	cert, key := s.pki.Make(certstest.Healthy, "app.example").WriteFiles(t)
	file := filepath.Join(t.TempDir(), "proxy.yaml")
	certstest.WriteFile(t, file, fmt.Appendf(nil, `
listeners:
  - address: 127.0.0.1:0
    name: from-file
    certificates: [{cert: %q, key: %q}]
    routes:
      - backend: {url: "tls://%s", ca: %q}
        policy: mozilla/mozilla-modern-5.7
output: json
`, cert, key, byFile, s.root))
	const policyEnv = "TLSTRIAGE_POLICY=mozilla/mozilla-intermediate-5.7"
	for _, test := range []struct {
		name                 string
		env, args            []string
		says, listens, holds string
	}{
		{"file", nil, []string{"--config", file}, "file", "from-file", "mozilla/mozilla-modern-5.7"},
		{"file by variable", []string{"TLSTRIAGE_CONFIG=" + file}, nil, "file", "from-file", "mozilla/mozilla-modern-5.7"},
		{"variable over file", []string{"TLSTRIAGE_BACKEND=tls://" + byEnv, policyEnv}, []string{"-c", file}, "env", "from-file", "mozilla/mozilla-intermediate-5.7"},
		{"flag over variable", []string{"TLSTRIAGE_BACKEND=tls://" + byEnv, policyEnv, "TLSTRIAGE_LISTENER_NAME=from-env"},
			[]string{"-c", file, "--backend", "tls://" + byFlag, "--policy", "mozilla/mozilla-old-5.7"}, "flag", "from-env", "mozilla/mozilla-old-5.7"},
		{"an empty variable is none", []string{"TLSTRIAGE_BACKEND=", "TLSTRIAGE_POLICY="}, []string{"-c", file}, "file", "from-file", "mozilla/mozilla-modern-5.7"},
		{"flag --config over TLSTRIAGE_CONFIG", []string{"TLSTRIAGE_CONFIG=/nonexistent.yaml"}, []string{"-c", file}, "file", "from-file", "mozilla/mozilla-modern-5.7"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := startProxy(t, test.env, test.args...)
			s := &site{t: t, pki: s.pki, root: s.root, roots: s.roots}
			s.answers(p.address(test.listens), "app.example", test.says)
			r := p.records(1)[0]
			if got := r.at("policy", "name"); got != test.holds {
				t.Errorf("held against %v, want %s", got, test.holds)
			}
		})
	}
}

// Without file, variable and flag, the default holds: text on standard output.
func TestDefaults(t *testing.T) {
	s := newSite(t)
	backend := s.web(certstest.Healthy, "app.example", "hello")
	p := startProxy(t, nil, append(s.served("app.example"), "--listen", "127.0.0.1:0", "--backend", "tls://"+backend, "--backend-ca", s.root)...)
	s.answers(p.address("default"), "app.example", "hello")
	p.stdout.wait(t, "a line of text", func(text string) bool { return len(text) > 0 && text[0] != '{' })
}

// Several listeners, and routes by server name: the exact name before the wildcard before the default, each with a backend and
// a policy of its own.
func TestRoutes(t *testing.T) {
	s := newSite(t)
	exact := s.web(certstest.Healthy, "a.app.example", "exact")
	wildcard := s.web(certstest.Wildcard, "x.app.example", "wildcard")
	fallback := s.web(certstest.Healthy, "other.example", "default")
	watched := s.web(certstest.Healthy, "a.app.example", "watched")
	var pairs string
	for _, chain := range []*certstest.Chain{
		s.pki.Make(certstest.Wildcard, "x.app.example"), s.pki.Make(certstest.Healthy, "other.example"), s.pki.Make(certstest.Healthy, "deep.x.app.example"),
	} {
		cert, key := chain.WriteFiles(t)
		pairs += fmt.Sprintf("{cert: %q, key: %q}, ", cert, key)
	}
	file := filepath.Join(t.TempDir(), "proxy.yaml")
	certstest.WriteFile(t, file, fmt.Appendf(nil, `
listeners:
  - name: public
    address: 127.0.0.1:0
    certificates: [%[1]s]
    routes:
      - backend: {url: "tls://%[2]s", ca: %[6]q, server_name: other.example}
        policy: mozilla/mozilla-old-5.7
      - server_names: ["*.app.example"]
        backend: {url: "tls://%[3]s", ca: %[6]q}
        policy: mozilla/mozilla-intermediate-5.7
      - server_names: [A.app.example]
        backend: {url: "tls://%[4]s", ca: %[6]q}
        policy: mozilla/mozilla-modern-5.7
        enforce: true
  - name: watching
    address: localhost:0
    mode: passthrough
    routes:
      - backend: {url: "tls://%[5]s"}
output: json
`, pairs, fallback, wildcard, exact, watched, s.root))
	p := startProxy(t, nil, "--config", file)
	public, watching := p.address("public"), p.address("watching")
	type want struct{ listener, name, says, route, policy string }
	wants := []want{
		{public, "a.app.example", "exact", "a.app.example", "mozilla/mozilla-modern-5.7"},
		{public, "b.app.example", "wildcard", "*.app.example", "mozilla/mozilla-intermediate-5.7"},
		{public, "B.App.Example", "wildcard", "*.app.example", "mozilla/mozilla-intermediate-5.7"},
		{public, "other.example", "default", "default", "mozilla/mozilla-old-5.7"},
		{public, "deep.x.app.example", "default", "default", "mozilla/mozilla-old-5.7"},
		{watching, "a.app.example", "watched", "default", ""},
	}
	for i, w := range wants {
		s.answers(w.listener, w.name, w.says)
		r := p.records(i + 1)[i]
		if got := fmt.Sprint(r["route"]); got != w.route {
			t.Errorf("%s: route %s, want %s", w.name, got, w.route)
		}
		if got := r.at("policy", "name"); got != w.policy && (got != nil || w.policy != "") {
			t.Errorf("%s: held against %v, want %s", w.name, got, w.policy)
		}
	}

	// One route enforces and the next does not, for the same client.
	tls12 := s.client("a.app.example")
	tls12.MaxVersion = tls.VersionTLS12
	if c, err := tls.Dial("tcp", public, tls12); err == nil {
		c.Close()
		t.Error("TLS 1.2 came through to the route that enforces 1.3")
	}
	r := p.records(len(wants) + 1)[len(wants)]
	if r["cause"] != "policy-rejects-version" || r["verdict"] != "failed" {
		t.Errorf("cause %v, verdict %v", r["cause"], r["verdict"])
	}
	tls12.ServerName = "b.app.example"
	dialTLS(t, public, tls12)
}

// The recording is the owner's alone, holds one JSON object a line, and is appended to; record.raw says whose raw hellos it keeps.
func TestRecording(t *testing.T) {
	s := newSite(t)
	backend := s.web(certstest.Healthy, "app.example", "hello")
	for _, test := range []struct {
		raw          string
		failed, good bool
	}{{"all", true, true}, {"failures", true, false}, {"none", false, false}} {
		t.Run(test.raw, func(t *testing.T) {
			s := &site{t: t, pki: s.pki, root: s.root, roots: s.roots}
			file := filepath.Join(t.TempDir(), "record.ndjson")
			if test.raw != "all" { // that one begins without a file
				certstest.WriteFile(t, file, []byte(`{"schema":1,"earlier":true}`+"\n"))
				if err := os.Chmod(file, 0o644); err != nil { // made by another program
					t.Fatal(err)
				}
			}
			p := startProxy(t, nil, s.flags(backend, "app.example", "--record", file, "--record-raw", test.raw, "--fail-on", "never")...)
			s.answers(p.address("default"), "app.example", "hello")
			distrusting := &tls.Config{ServerName: "app.example", RootCAs: certstest.New(t).Roots()}
			if c, err := tls.Dial("tcp", p.address("default"), distrusting); err == nil {
				c.Close()
				t.Fatal("the client trusts what it should not")
			}
			p.records(2)
			p.terminate()
			if code := p.exitCode(); code != exitClean {
				t.Errorf("exit code %d", code)
			}
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			if mode := info.Mode().Perm(); mode != fs.FileMode(0o600) && runtime.GOOS != "windows" {
				t.Errorf("mode %04o", mode)
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			objects, err := ndjson(data)
			if err != nil {
				t.Fatal(err)
			}
			if test.raw != "all" {
				if objects[0]["earlier"] != true {
					t.Error("what was there is gone")
				}
				objects = objects[1:]
			}
			if len(objects) != 2 {
				t.Fatalf("%d records", len(objects))
			}
			for _, object := range objects {
				r := record(object)
				want := test.good
				if r["verdict"] == "failed" {
					want = test.failed
				}
				if got := r.at("client_leg", "tls", "client", "hello", "raw") != nil; got != want {
					t.Errorf("verdict %v: raw hello kept: %v, want %v", r["verdict"], got, want)
				}
			}
		})
	}
}

// A client that is not the first to come still finds the proxy when the admin endpoint's default port is taken.
func TestDefaultAdminPortTaken(t *testing.T) {
	const taken = "no admin endpoint: its default address is taken; choose one with --admin"
	s := newSite(t)
	backend := s.web(certstest.Healthy, "app.example", "hello")
	var p *process
	eventually(t, "somebody has the port", func() error {
		l, err := net.Listen("tcp", "127.0.0.1:9090")
		if err == nil {
			t.Cleanup(func() { l.Close() })
		} // else somebody else has it, which is as good, as long as they keep it
		p = start(t, nil, append([]string{"proxy", "--log-format", "json"}, s.flags(backend, "app.example")...)...)
		p.ready()
		if p.logged(taken) == nil && err != nil {
			p.signal(syscall.SIGKILL)
			<-p.ended
			return err
		}
		return nil
	})
	s.answers(p.address("default"), "app.example", "hello")
	p.waitLogged(taken)

	code, _, stderr := runProgram(t, nil, append([]string{"proxy", "--admin", "127.0.0.1:9090", "--log-level", "error"}, s.flags(backend, "app.example")...)...)
	if message := errorLine(t, stderr); code != exitFailed {
		t.Errorf("asked for, and taken: exit code %d: %s", code, message)
	}
}
