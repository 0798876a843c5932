package admin

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tlstriage/tlstriage/inspect"
)

// get asks the handler as a client on loopback would.
func get(t *testing.T, a *Admin, target string, change func(*http.Request)) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Host = "127.0.0.1:9090"
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	a.Handler().ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t *testing.T, response *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// failed is a connection whose backend leg failed by an expired certificate, and whose client leg was never established.
func failed(id string) *inspect.Connection {
	return &inspect.Connection{
		Schema:    inspect.SchemaVersion,
		Timestamp: time.Unix(1_700_000_000, 0).UTC(),
		Event:     inspect.Event{ID: id, Source: inspect.SourceProxy, Outcome: inspect.Failure},
		Listener:  "edge",
		Verdict:   inspect.Failed,
		Cause:     "cert-expired",
		Fault:     inspect.FaultBackend,
		Findings:  []inspect.Finding{{ID: "cert-expired", Severity: inspect.SeverityError, Leg: inspect.LegBackend}},
		ClientLeg: &inspect.Leg{TLS: &inspect.TLS{Client: &inspect.Hello{ServerName: "secret.example"}}, Error: &inspect.Error{Type: inspect.ErrorPolicy}},
		BackendLeg: &inspect.Leg{Address: "192.0.2.7", Port: 443, TLS: &inspect.TLS{Version: "TLSv1.2", Server: &inspect.Server{
			CertificateChain: []inspect.Certificate{{NotAfter: time.Unix(1_600_000_500, 0)}, {NotAfter: time.Unix(1_600_000_000, 0)}, {}},
		}}},
	}
}

// healthy is a connection with both legs established.
func healthy(id string) *inspect.Connection {
	leg := func() *inspect.Leg {
		return &inspect.Leg{TLS: &inspect.TLS{Established: true, Version: "TLSv1.3", Handshake: &inspect.Handshake{DurationMS: 20}}}
	}
	return &inspect.Connection{
		Schema: inspect.SchemaVersion, Event: inspect.Event{ID: id, Outcome: inspect.Success}, Listener: "edge",
		Verdict: inspect.OK, ClientLeg: leg(), BackendLeg: leg(),
	}
}

func TestReadyzFollowsSetReady(t *testing.T) {
	a := New(Options{})
	for _, step := range []struct {
		name    string
		set     func()
		target  string
		status  int
		content string
	}{
		{"before the start", func() {}, "/readyz?verbose", 503, "not ready\nstarting\n"},
		{"without verbose", func() {}, "/readyz", 503, "not ready\n"},
		{"running", func() { a.SetReady(true, "2 listeners") }, "/readyz", 200, "ok\n"},
		{"running, verbose", func() {}, "/readyz?verbose", 200, "ok\n2 listeners\n"},
		{"draining", func() { a.SetReady(false, "draining") }, "/readyz?verbose=1", 503, "not ready\ndraining\n"},
		{"health does not follow", func() {}, "/healthz", 200, "ok\n"},
	} {
		step.set()
		response := get(t, a, step.target, nil)
		if body := bodyOf(t, response); response.StatusCode != step.status || body != step.content {
			t.Errorf("%s: %d %q, want %d %q", step.name, response.StatusCode, body, step.status, step.content)
		}
	}
}

func TestConnectionsAreNewestFirstAndBounded(t *testing.T) {
	a := New(Options{Recent: 3})
	ids := func(target string) string {
		t.Helper()
		response := get(t, a, target, nil)
		if got := response.Header.Get("Content-Type"); got != "application/json; charset=utf-8" {
			t.Errorf("%s: content type %q", target, got)
		}
		var records []inspect.Connection
		if err := json.NewDecoder(response.Body).Decode(&records); err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		var all []string
		for _, c := range records {
			all = append(all, c.Event.ID)
		}
		return strings.Join(all, " ")
	}
	if got := ids("/connections"); got != "" {
		t.Errorf("of nothing: %q", got)
	}
	a.Observe(failed("a"))
	a.Observe(nil)
	for _, test := range []struct {
		add          *inspect.Connection
		target, want string
	}{
		{nil, "/connections", "a"},
		{healthy("b"), "/connections", "b a"},
		{failed("c"), "/connections", "c b a"},
		{healthy("d"), "/connections", "d c b"},
		{nil, "/connections?limit=2", "d c"},
		{nil, "/connections?limit=1000000", "d c b"},
		{nil, "/connections?failed=1", "c"},
		{nil, "/connections?failed=0&limit=1", "d"},
	} {
		a.Observe(test.add)
		if got := ids(test.target); got != test.want {
			t.Errorf("%s: %q, want %q", test.target, got, test.want)
		}
	}
	for _, target := range []string{"/connections?limit=0", "/connections?limit=x", "/connections?failed=perhaps"} {
		if got := get(t, a, target, nil).StatusCode; got != http.StatusBadRequest {
			t.Errorf("%s: status %d, want 400", target, got)
		}
	}
}

func TestARecordWithoutJSONFormDoesNotCostTheOthers(t *testing.T) {
	a := New(Options{})
	broken := healthy("broken")
	broken.Event.DurationMS = inf()
	a.Observe(healthy("fine"))
	a.Observe(broken)
	var records []map[string]any
	if err := json.Unmarshal([]byte(bodyOf(t, get(t, a, "/connections", nil))), &records); err != nil {
		t.Fatal(err)
	}
	if len(records) != 2 || records[0]["error"] == nil {
		t.Errorf("got %v, want the error of one and the other", records)
	}
}

func inf() float64 {
	one, zero := 1.0, 0.0
	return one / zero
}

func TestMetricsCountWhatWasObserved(t *testing.T) {
	a := New(Options{
		Version: "v1.2.3",
		Active:  func() int64 { return 4 },
		Refused: func() uint64 { return 5 },
		Dropped: func() uint64 { return 6 },
	})
	a.Observe(failed("a"))
	a.Observe(healthy("b"))
	routed := failed("c")
	routed.Listener, routed.Route = "other", "*.example"
	a.Observe(routed)
	a.Observe(&inspect.Connection{Listener: "edge", Verdict: inspect.OK, Cause: "connection-empty", Fault: inspect.FaultNoise, ClientLeg: &inspect.Leg{}})
	a.SetCertificate(RoleServed, "edge", time.Unix(1_800_000_000, 0))
	a.CountOrder("")
	a.CountOrder("rate-limited")
	a.CountOrder("rate-limited")
	a.Reloaded(nil, time.Unix(1_700_000_000, 500_000_000))
	body := bodyOf(t, get(t, a, "/metrics", nil))
	for _, line := range []string{
		`tlstriage_connections_total{cause="cert-expired",fault="backend",listener="edge",verdict="failed"} 1`,
		`tlstriage_connections_total{cause="none",fault="none",listener="edge",verdict="ok"} 1`,
		`tlstriage_connections_total{cause="connection-empty",fault="noise",listener="edge",verdict="ok"} 1`,
		`tlstriage_connections_refused_total{reason="policy"} 2`,
		`tlstriage_connections_refused_total{reason="overloaded"} 5`,
		`tlstriage_connections_refused_total{reason="no_route"} 0`,
		`tlstriage_handshakes_total{cause="cert-expired",leg="backend",outcome="failure",version="TLSv1.2"} 2`,
		`tlstriage_handshakes_total{cause="none",leg="client",outcome="failure",version="none"} 2`,
		`tlstriage_handshakes_total{cause="none",leg="client",outcome="success",version="TLSv1.3"} 1`,
		`tlstriage_handshake_duration_seconds_bucket{leg="client",le="0.01"} 0`,
		`tlstriage_handshake_duration_seconds_bucket{leg="client",le="0.025"} 1`,
		`tlstriage_handshake_duration_seconds_sum{leg="backend"} 0.02`,
		`tlstriage_certificate_not_after_timestamp_seconds{role="backend",route="192.0.2.7:443"} 1.6e+09`,
		`tlstriage_certificate_not_after_timestamp_seconds{role="backend",route="other/*.example"} 1.6e+09`,
		`tlstriage_certificate_not_after_timestamp_seconds{role="served",route="edge"} 1.8e+09`,
		`tlstriage_acme_orders_total{reason="",result="success"} 1`,
		`tlstriage_acme_orders_total{reason="rate-limited",result="failure"} 2`,
		`tlstriage_connections_active 4`,
		`tlstriage_records_dropped_total 6`,
		`tlstriage_config_last_reload_successful 1`,
		`tlstriage_config_last_reload_success_timestamp_seconds 1.7000000005e+09`,
	} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("missing: %s", line)
		}
	}
	if !strings.Contains(body, `tlstriage_build_info{`) || !strings.Contains(body, `version="v1.2.3"`) {
		t.Error("no build info")
	}
	if strings.Contains(body, "secret.example") {
		t.Error("a server name got into the metrics")
	}
	a.Reloaded(errors.New("line 3"), time.Unix(1_800_000_000, 0))
	body = bodyOf(t, get(t, a, "/metrics", nil))
	for _, line := range []string{`tlstriage_config_last_reload_successful 0`, `tlstriage_config_last_reload_success_timestamp_seconds 1.7000000005e+09`} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("after a reload that failed: missing %s", line)
		}
	}
}

func TestMetricsPassPrometheusLint(t *testing.T) {
	a := New(Options{})
	a.Observe(failed("a"))
	a.Observe(healthy("b"))
	problems, err := testutil.GatherAndLint(a.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestLabelsStayBoundedWhateverIsObserved(t *testing.T) {
	a := New(Options{})
	for i := range 2000 {
		c := failed("x")
		c.Listener = "listener-" + strconv.Itoa(i)
		c.Cause = "cause-" + strconv.Itoa(i)
		c.Findings[0].ID = c.Cause
		c.Verdict = inspect.Verdict("verdict-" + strconv.Itoa(i))
		c.Fault = inspect.Fault("fault-" + strconv.Itoa(i))
		c.BackendLeg.Address = "192.0.2." + strconv.Itoa(i)
		c.BackendLeg.TLS.Version = "TLSv9." + strconv.Itoa(i)
		a.Observe(c)
	}
	odd := failed("y")
	odd.Listener = "a\"b\n"
	a.Observe(odd)
	for name, most := range map[string]int{
		"tlstriage_connections_total":                       maxListenerLabels + maxCauseLabels + 2,
		"tlstriage_handshakes_total":                        2 * (maxCauseLabels + 2),
		"tlstriage_certificate_not_after_timestamp_seconds": maxCertificates,
	} {
		got, err := testutil.GatherAndCount(a.registry, name)
		if err != nil {
			t.Fatal(err)
		}
		if got == 0 || got > most {
			t.Errorf("%s: %d series, want 1 to %d", name, got, most)
		}
	}
	body := bodyOf(t, get(t, a, "/metrics", nil))
	if !strings.Contains(body, `listener="other"`) {
		t.Error("listeners beyond the bound are not counted as other")
	}
	// The certificates heard of last are the ones that are kept.
	if !strings.Contains(body, `route="192.0.2.1999:443"`) || strings.Contains(body, `route="192.0.2.0:443"`) {
		t.Error("the table of certificates forgot the wrong ones")
	}
}

func TestGuardRefusesForeignPages(t *testing.T) {
	a := New(Options{Hosts: []string{"Tools.Example.com."}})
	over := func(address string) func(*http.Request) {
		return func(r *http.Request) {
			local, err := net.ResolveTCPAddr("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			*r = *r.WithContext(contextWithLocalAddr(r, local))
		}
	}
	with := func(changes ...func(*http.Request)) func(*http.Request) {
		return func(r *http.Request) {
			for _, change := range changes {
				change(r)
			}
		}
	}
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for _, test := range []struct {
		name   string
		change func(*http.Request)
		status int
	}{
		{"loopback address", host("127.0.0.1:9090"), 200},
		{"other loopback address", host("127.9.9.9"), 200},
		{"IPv6 loopback", host("[::1]:9090"), 200},
		{"localhost", host("LOCALHOST:9090"), 200},
		{"below localhost", host("tls.localhost."), 200},
		{"configured name", host("tools.example.com:9090"), 200},
		{"rebound name", host("evil.example:9090"), 403},
		{"name that begins like loopback", host("127.0.0.1.evil.example"), 403},
		{"name that ends like localhost", host("evillocalhost"), 403},
		{"private address", host("10.0.0.1:9090"), 403},
		{"empty", host(""), 403},
		{"rebound name, over IPv6 loopback", with(over("[::1]:9090"), host("evil.example")), 403},
		{"rebound name, over mapped loopback", with(over("[::ffff:127.0.0.1]:9090"), host("evil.example")), 403},
		{"any name, over another address", with(over("192.0.2.1:9090"), host("pod.example")), 200},
		{"foreign origin", header("Origin", "https://evil.example"), 403},
		{"null origin", header("Origin", "null"), 403},
		{"own origin", header("Origin", "http://127.0.0.1:9090"), 200},
		{"foreign page", header("Sec-Fetch-Site", "cross-site"), 403},
		{"sibling page", header("Sec-Fetch-Site", "same-site"), 403},
		{"typed by a person", header("Sec-Fetch-Site", "none"), 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			response := get(t, a, "/healthz", test.change)
			if response.StatusCode != test.status {
				t.Errorf("status %d, want %d: %s", response.StatusCode, test.status, bodyOf(t, response))
			}
			for name := range response.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s lets other origins in", name)
				}
			}
			if response.Header.Get("X-Content-Type-Options") != "nosniff" || response.Header.Get("Content-Security-Policy") == "" {
				t.Errorf("headers are missing: %v", response.Header)
			}
		})
	}
}

func TestOnlyReadingIsAnswered(t *testing.T) {
	a := New(Options{})
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "BREW"} {
		response := get(t, a, "/healthz", func(r *http.Request) { r.Method = method })
		if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, Allow %q", method, response.StatusCode, response.Header.Get("Allow"))
		}
	}
	if got := get(t, a, "/healthz", func(r *http.Request) { r.Method = "HEAD" }).StatusCode; got != 200 {
		t.Errorf("HEAD: %d", got)
	}
	for target, want := range map[string]int{"/": 200, "/nothing": 404, "/metrics/": 404, "/connections/../healthz": 307} {
		if got := get(t, a, target, nil).StatusCode; got != want {
			t.Errorf("%s: %d, want %d", target, got, want)
		}
	}
}
