package admin

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Backend is the health of a backend that is watched.
type Backend struct {
	Name      string    // from the configuration, never from a client
	Up        bool      // all of its addresses answer
	Addresses int       // that its name resolves to
	Answering int       // of these
	Checked   time.Time // the last time; zero: not yet
	NotAfter  time.Time // when the first of its certificates ends; zero: not known
}

// maxBackends bounds the series of backends.
const maxBackends = 1024

// SetBackends publishes the health of all backends that are watched, in place of what was published before.
func (a *Admin) SetBackends(list []Backend) { a.metrics.backends.set(list) }

// backendTable publishes the backends as they were set last: one that is no longer watched leaves no series behind.
type backendTable struct {
	up, addresses, answering, checked, days *prometheus.Desc

	mu   sync.Mutex
	list []Backend
}

func newBackendTable() *backendTable {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("tlstriage_backend_"+name, help, []string{"backend"}, nil)
	}
	return &backendTable{
		up:        desc("up", "Whether every address of the backend answered the last check."),
		addresses: desc("addresses", "Addresses of the backend's name."),
		answering: desc("addresses_up", "Addresses of the backend's name that answered the last check."),
		checked:   desc("last_check_timestamp_seconds", "When the backend was checked last."),
		days:      desc("certificate_expiry_days", "Days until the first certificate of the backend's addresses ends; less than zero once it has."),
	}
}

func (t *backendTable) set(list []Backend) {
	seen := make(map[string]bool, len(list))
	kept := make([]Backend, 0, min(len(list), maxBackends))
	for _, b := range list {
		b.Name = strings.ToValidUTF8(b.Name, "?")
		if len(kept) < maxBackends && !seen[b.Name] {
			seen[b.Name] = true
			kept = append(kept, b)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = kept
}

// Describe is prometheus.Collector's.
func (t *backendTable) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{t.up, t.addresses, t.answering, t.checked, t.days} {
		ch <- d
	}
}

// Collect is prometheus.Collector's. The days are counted when they are asked for: they pass between checks, too.
func (t *backendTable) Collect(ch chan<- prometheus.Metric) {
	t.mu.Lock()
	list := t.list
	t.mu.Unlock()
	now := time.Now()
	for _, b := range list {
		gauge := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, b.Name)
		}
		if !b.Checked.IsZero() {
			up := 0.0
			if b.Up {
				up = 1
			}
			gauge(t.up, up)
			gauge(t.addresses, float64(b.Addresses))
			gauge(t.answering, float64(b.Answering))
			gauge(t.checked, float64(b.Checked.UnixMilli())/1e3)
		}
		if !b.NotAfter.IsZero() {
			gauge(t.days, b.NotAfter.Sub(now).Hours()/24)
		}
	}
}

// document answers with what a function of the Options knows, as JSON.
func document(known func() any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		body, err := json.MarshalIndent(known(), "", "  ")
		if err != nil {
			text(w, http.StatusInternalServerError, "what is known has no JSON form\n")
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = w.Write(append(body, '\n'))
	}
}
