package admin

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tlstriage/tlstriage/inspect"
)

func TestBackendsAreAnsweredAsJSON(t *testing.T) {
	type state struct {
		Name string `json:"name"`
	}
	list := []state{{"edge/\x1b[31m"}}
	a := New(Options{Backends: func() any { return list }})
	response := get(t, a, "/backends", nil)
	var got []state
	if err := json.Unmarshal([]byte(bodyOf(t, response)), &got); err != nil || len(got) != 1 || got[0] != list[0] {
		t.Errorf("%+v, %v", got, err)
	}
	if kind := response.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		t.Errorf("Content-Type %q", kind)
	}
	if !strings.Contains(bodyOf(t, get(t, a, "/", nil)), "/backends") {
		t.Error("the index does not name the page")
	}
	if response := get(t, New(Options{}), "/backends", nil); response.StatusCode != http.StatusNotFound {
		t.Errorf("without backends: %d", response.StatusCode)
	}
	broken := New(Options{Backends: func() any { return math.Inf(1) }})
	if response := get(t, broken, "/backends", nil); response.StatusCode != http.StatusInternalServerError {
		t.Errorf("without a JSON form: %d", response.StatusCode)
	}
}

func TestBackendsHaveMetricsAsLongAsTheyAreWatched(t *testing.T) {
	a := New(Options{})
	checked := time.Unix(1_700_000_000, 500e6)
	a.SetBackends([]Backend{
		{Name: "edge/one", Up: false, Addresses: 4, Answering: 3, Checked: checked, NotAfter: time.Now().Add(10*24*time.Hour + time.Minute)},
		{Name: "edge/new"},
		{Name: "edge/one", Up: true},
	})
	const want = `
# HELP tlstriage_backend_addresses Addresses of the backend's name.
# TYPE tlstriage_backend_addresses gauge
tlstriage_backend_addresses{backend="edge/one"} 4
# HELP tlstriage_backend_addresses_up Addresses of the backend's name that answered the last check.
# TYPE tlstriage_backend_addresses_up gauge
tlstriage_backend_addresses_up{backend="edge/one"} 3
# HELP tlstriage_backend_last_check_timestamp_seconds When the backend was checked last.
# TYPE tlstriage_backend_last_check_timestamp_seconds gauge
tlstriage_backend_last_check_timestamp_seconds{backend="edge/one"} 1.7000000005e+09
# HELP tlstriage_backend_up Whether every address of the backend answered the last check.
# TYPE tlstriage_backend_up gauge
tlstriage_backend_up{backend="edge/one"} 0
`
	names := []string{"tlstriage_backend_up", "tlstriage_backend_addresses", "tlstriage_backend_addresses_up", "tlstriage_backend_last_check_timestamp_seconds"}
	if err := testutil.GatherAndCompare(a.registry, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	families, err := a.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var days float64
	for _, f := range families {
		if f.GetName() == "tlstriage_backend_certificate_expiry_days" {
			days = f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	if math.Abs(days-10) > 0.01 {
		t.Errorf("%f days", days)
	}
	var many []Backend
	for i := range 2 * maxBackends {
		many = append(many, Backend{Name: fmt.Sprint(i), Checked: checked})
	}
	a.SetBackends(many)
	if n, err := testutil.GatherAndCount(a.registry, "tlstriage_backend_up"); err != nil || n != maxBackends {
		t.Errorf("%d series, %v", n, err)
	}
	a.SetBackends(nil)
	if n, err := testutil.GatherAndCount(a.registry, names...); err != nil || n != 0 {
		t.Errorf("%d series are left, %v", n, err)
	}
}

func TestChallengesAreNoClients(t *testing.T) {
	a := New(Options{})
	c := healthy("1")
	c.Route, c.BackendLeg = "acme-tls/1", nil
	a.Observe(c)
	b := failed("2")
	b.Route, b.BackendLeg = "acme-tls/1", nil
	a.Observe(b)
	a.Observe(failed("3"))
	for result, want := range map[inspect.Outcome]float64{inspect.Success: 1, inspect.Failure: 1} {
		if got := testutil.ToFloat64(a.metrics.challenges[result]); got != want {
			t.Errorf("%s: %v", result, got)
		}
	}
	if n := testutil.CollectAndCount(a.metrics.connections); n != 1 {
		t.Errorf("%d series of connections, want that of the client's", n)
	}
}
