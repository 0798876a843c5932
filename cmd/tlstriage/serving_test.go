package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
)

// requireProgram finds a program that a test needs: without it the test is skipped aloud, and fails where everything must be there.
func requireProgram(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// What is wrong with a backend stands on standard error before the first client comes.
func TestBackendsAreCheckedAtTheStart(t *testing.T) {
	s := newSite(t)
	for _, test := range []struct {
		kind  certstest.Kind
		cause string
	}{
		{certstest.Expired, "cert-expired"},
		{certstest.MissingIntermediate, "chain-missing-intermediate"},
		{certstest.UntrustedRoot, "chain-untrusted-root"},
		{certstest.SelfSigned, "cert-self-signed"},
		{certstest.ExpiringSoon, "cert-expiring-soon"},
		{certstest.Healthy, ""},
	} {
		t.Run(string(test.kind), func(t *testing.T) {
			s := &site{t: t, pki: s.pki, root: s.root, roots: s.roots}
			backend := s.web(test.kind, "app.example", "hello")
			p := startProxy(t, nil, s.flags(backend, "app.example", "--server-names", "app.example")...)
			if test.cause == "" {
				p.waitLogged("backend checked: nothing is wrong", "backend", backend)
				return
			}
			p.waitLogged("backend checked", "cause", test.cause)
			for _, want := range []string{test.cause, "fix ", backend} {
				if !strings.Contains(p.stderr.String(), want) {
					t.Errorf("%q is not on standard error", want)
				}
			}
			if text := p.stdout.String(); text != "" {
				t.Errorf("on standard output, which is for connections: %s", text)
			}
			p.terminate() // no client came: there is nothing to fail on
			if code := p.exitCode(); code != exitClean {
				t.Errorf("exit code %d", code)
			}
		})
	}

	t.Run("closed port", func(t *testing.T) {
		s := &site{t: t, pki: s.pki, root: s.root, roots: s.roots}
		p := startProxy(t, nil, s.flags(freePort(t), "app.example")...)
		p.waitLogged("backend checked", "cause", "backend-refused")
	})
}

// At level error, a run without errors says nothing of itself.
func TestLogLevelErrorIsSilent(t *testing.T) {
	s := newSite(t)
	backend := s.web(certstest.Healthy, "app.example", "hello")
	address := freePort(t)
	p := start(t, nil, append([]string{"proxy", "--admin", "off", "--log-level", "error"}, s.flags(backend, "app.example", "--listen", address)...)...)
	eventually(t, "the proxy accepts", func() error {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err
	})
	s.answers(address, "app.example", "hello")
	p.records(2)
	p.terminate()
	if code := p.exitCode(); code != exitClean {
		t.Errorf("exit code %d", code)
	}
	if p.stderr.String() != "" {
		t.Errorf("on standard error: %s", p.stderr)
	}
}

// The operator's endpoint after one good and one bad connection.
func TestAdmin(t *testing.T) {
	s := newSite(t)
	const name = "secret-project.example"
	backend := s.web(certstest.Healthy, name, "hello")
	p := startProxy(t, nil, s.flags(backend, name)...)
	address := p.address("default")
	s.answers(address, name, "hello")
	p.records(1) // the other one's comes behind it
	if c, err := tls.Dial("tcp", address, &tls.Config{ServerName: name, RootCAs: certstest.New(t).Roots()}); err == nil {
		c.Close()
		t.Fatal("the client trusts what it should not")
	}
	p.records(2)

	for path, want := range map[string]int{
		"/healthz": 200, "/readyz": 200, "/": 200, "/metrics": 200, "/connections": 200, "/connections?limit=1": 200,
		"/connections?limit=0": 400, "/connections?failed=maybe": 400, "/debug/pprof/": 404, "/none": 404,
	} {
		if status, body := p.admin(path); status != want {
			t.Errorf("%s: %d, want %d: %s", path, status, want, body)
		}
	}

	var series map[string]string
	eventually(t, "both connections are counted", func() error {
		_, body := p.admin("/metrics")
		var err error
		if series, err = parseMetrics(body); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(body, "secret-project") {
			t.Error("a server name is in the metrics")
		}
		if got := series[`tlstriage_connections_total{cause="server-cert-rejected-by-client",fault="client",listener="default",verdict="failed"}`]; got != "1" {
			return fmt.Errorf("failed connections: %q", got)
		}
		if got := series["tlstriage_connections_active"]; got != "0" { // it is over a moment after it has a record
			return fmt.Errorf("active connections: %q", got)
		}
		return nil
	})
	for name, want := range map[string]string{
		`tlstriage_connections_total{cause="none",fault="none",listener="default",verdict="ok"}`:                              "1",
		`tlstriage_handshakes_total{cause="none",leg="client",outcome="success",version="TLSv1.3"}`:                           "1",
		`tlstriage_handshakes_total{cause="server-cert-rejected-by-client",leg="client",outcome="failure",version="TLSv1.3"}`: "1",
		`tlstriage_handshake_duration_seconds_count{leg="backend"}`:                                                           "2",
		`tlstriage_records_dropped_total`:                          "0",
		`tlstriage_connections_refused_total{reason="overloaded"}`: "0",
		`tlstriage_config_last_reload_successful`:                  "1",
	} {
		if got := series[name]; got != want {
			t.Errorf("%s is %q, want %s", name, got, want)
		}
	}
	for _, prefix := range []string{
		"tlstriage_build_info{", `tlstriage_certificate_not_after_timestamp_seconds{role="served"`, `tlstriage_certificate_not_after_timestamp_seconds{role="backend"`,
		"tlstriage_config_last_reload_success_timestamp_seconds", "go_goroutines", "process_open_fds",
	} {
		if !slices.ContainsFunc(keysOf(series), func(name string) bool { return strings.HasPrefix(name, prefix) }) {
			t.Errorf("no series %s…", prefix)
		}
	}

	// The latest first, whole records; only the failed ones when asked for.
	var latest []record
	_, body := p.admin("/connections")
	if err := json.Unmarshal([]byte(body), &latest); err != nil {
		t.Fatal(err)
	}
	if len(latest) != 2 || latest[0]["verdict"] != "failed" || latest[1]["verdict"] != "ok" {
		t.Errorf("%d connections: %v", len(latest), body)
	}
	if latest[0].at("client_leg", "tls", "client", "server_name") != name {
		t.Errorf("server name %v", latest[0].at("client_leg", "tls", "client", "server_name"))
	}
	_, body = p.admin("/connections?failed=1")
	if err := json.Unmarshal([]byte(body), &latest); err != nil || len(latest) != 1 {
		t.Errorf("failed connections: %v, %s", err, body)
	}

	// A page that a browser was lured to asks in vain: by another Host (DNS rebinding), another origin, another method.
	for _, test := range []struct {
		what, method, host, header, value string
		want                              int
	}{
		{"loopback name", "GET", "localhost:9090", "", "", 200},
		{"another Host", "GET", "attacker.example", "", "", 403},
		{"another origin", "GET", "", "Origin", "https://attacker.example", 403},
		{"another site", "GET", "", "Sec-Fetch-Site", "cross-site", 403},
		{"another method", "POST", "", "", "", 405},
	} {
		request, err := http.NewRequest(test.method, "http://"+p.logged("admin endpoint")["address"].(string)+"/connections", nil)
		if err != nil {
			t.Fatal(err)
		}
		if test.host != "" {
			request.Host = test.host
		}
		if test.header != "" {
			request.Header.Set(test.header, test.value)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != test.want {
			t.Errorf("%s: %d, want %d", test.what, response.StatusCode, test.want)
		}
	}
}

func keysOf(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}

var (
	metricLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*",?)*\})? ([-+0-9.eE]+|NaN|[+-]Inf)$`)
	metricHelp = regexp.MustCompile(`^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$`)
)

// parseMetrics reads the text format as strictly as promtool checks it: each series once, each family with help and type before its
// series, counters ending in _total.
func parseMetrics(body string) (map[string]string, error) {
	series, help, types := map[string]string{}, map[string]string{}, map[string]string{}
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		if m := metricHelp.FindStringSubmatch(line); m != nil {
			into := help
			if m[1] == "TYPE" {
				into = types
			}
			if into[m[2]] != "" {
				return nil, fmt.Errorf("%s of %s stands there twice", m[1], m[2])
			}
			into[m[2]] = m[3]
			continue
		}
		m := metricLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("no line of the text format: %q", line)
		}
		family := m[1]
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base, ok := strings.CutSuffix(family, suffix); ok && (types[base] == "histogram" || types[base] == "summary") {
				family = base
			}
		}
		if help[family] == "" || types[family] == "" {
			return nil, fmt.Errorf("%s has no help or no type before it", family)
		}
		if types[family] == "counter" && !strings.HasSuffix(family, "_total") {
			return nil, fmt.Errorf("counter %s does not end in _total", family)
		}
		if _, again := series[m[1]+m[2]]; again {
			return nil, fmt.Errorf("%s stands there twice", m[1]+m[2])
		}
		series[m[1]+m[2]] = m[3]
	}
	return series, nil
}

// The command lines that `demo --serve` prints do what they say, and it ends when it is told to, leaving nothing behind.
func TestDemoServe(t *testing.T) {
	temporary := t.TempDir()
	p := start(t, []string{"TMPDIR=" + temporary}, "demo", "--serve")
	p.stderr.wait(t, "the command lines", func(text string) bool { return strings.Contains(text, "curl http://") })
	lines := regexp.MustCompile(`(?m)^   ((?:curl|openssl) .+)$`).FindAllStringSubmatch(p.stderr.String(), -1)
	if len(lines) < 5 {
		t.Fatalf("%d command lines", len(lines))
	}
	for _, line := range lines {
		t.Run(line[1], func(t *testing.T) {
			words := strings.Fields(line[1])
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, requireProgram(t, words[0]), words[1:]...)
			var out, errOut bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &errOut
			err := cmd.Run()
			switch text := out.String(); {
			case words[0] == "openssl":
				if !strings.Contains(text, "Verify return code: 0 (ok)") {
					t.Errorf("openssl: %v: %s", err, text)
				}
			case strings.Contains(line[1], "plain-http"):
				if !strings.Contains(text, "502") && !strings.Contains(text, "backend") {
					t.Errorf("curl: %v: %s %s", err, text, errOut.String())
				}
			case strings.Contains(line[1], "https://"):
				if text != "hello from the backend\n" {
					t.Errorf("curl: %v: %s %s", err, text, errOut.String())
				}
			}
		})
	}
	p.stdout.wait(t, "the diagnosis of what was tried", func(text string) bool {
		_, after, _ := strings.Cut(text, "different causes:")
		return strings.Contains(after, "chain-missing-intermediate (the backend must act)") && strings.Contains(after, "not-tls-http")
	})
	p.terminate()
	if code := p.exitCode(); code != exitClean {
		t.Errorf("exit code %d", code)
	}
	left, err := os.ReadDir(temporary)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// Each fault of the demo is found with the right one to blame, in the order of the demo.
func TestDemoRecords(t *testing.T) {
	code, stdout, stderr := runProgram(t, nil, "demo", "-o", "json")
	if code != exitClean || stderr != "" {
		t.Errorf("exit code %d, on standard error %q", code, stderr)
	}
	objects, err := ndjson([]byte(stdout))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, object := range objects {
		r := record(object)
		got = append(got, fmt.Sprint(r["verdict"], " ", r["cause"], " ", r["fault"]))
	}
	want := []string{
		"ok <nil> <nil>", "ok <nil> <nil>", "warning backend-below-policy backend", "failed cert-expired backend", "warning cert-expiring-soon backend",
		"failed cert-name-mismatch backend", "failed chain-missing-intermediate backend", "failed cert-self-signed backend", "failed chain-untrusted-root backend",
		"failed backend-not-tls backend", "failed backend-requires-client-cert proxy", "failed backend-reset network", "failed backend-refused backend",
		"failed sslv2-hello client", "failed policy-rejects-version client", "failed policy-rejects-version client", "failed policy-rejects-cipher client", "failed policy-rejects-version client",
		"failed server-cert-rejected-by-client client", "failed sni-unknown proxy", "failed not-tls-http client", "failed not-tls-other noise", "warning connection-empty noise",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// A reader that goes away, as head does, ends a command without a word.
func TestBrokenPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	for _, args := range [][]string{{"policy", "list"}, {"demo"}, {"demo", "-o", "json"}} {
		cmd := command(t, nil, args...)
		cmd.Stdout = w
		var errOut bytes.Buffer
		cmd.Stderr = &errOut
		if err := cmd.Run(); err == nil {
			t.Errorf("%q ended well although nothing could be written", args)
		}
		if errOut.Len() > 0 {
			t.Errorf("%q said %s", args, errOut.String())
		}
	}
}
