package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tlstriage/tlstriage/inspect"
)

// Handler answers /healthz, /readyz, /metrics, /connections, /backends, /shadow and /, after the checks of guard.
func (a *Admin) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.index)
	mux.HandleFunc("GET /healthz", a.healthz)
	mux.HandleFunc("GET /readyz", a.readyz)
	mux.HandleFunc("GET /connections", a.connections)
	if a.options.Backends != nil {
		mux.HandleFunc("GET /backends", document(a.options.Backends))
	}
	if a.options.Shadow != nil {
		mux.HandleFunc("GET /shadow", document(a.options.Shadow))
	}
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{
		Registry:            a.registry,
		MaxRequestsInFlight: 4,
		Timeout:             10 * time.Second,
		EnableOpenMetrics:   true,
	}))
	return a.guard(mux)
}

func (a *Admin) index(w http.ResponseWriter, _ *http.Request) {
	page := `tlstriage

/healthz                        the process answers
/readyz[?verbose]               the proxy takes connections, or why it does not
/metrics                        Prometheus metrics
/connections[?limit=N&failed=1] the latest connections, newest first
`
	if a.options.Backends != nil {
		page += "/backends                       every backend and each of its addresses, as checked last\n"
	}
	if a.options.Shadow != nil {
		page += "/shadow                         how live clients fare at the canary\n"
	}
	text(w, http.StatusOK, page)
}

// healthz looks at nothing but the process: a probe that asked the backend would restart the proxy for the backend's faults.
func (a *Admin) healthz(w http.ResponseWriter, _ *http.Request) {
	text(w, http.StatusOK, "ok\n")
}

func (a *Admin) readyz(w http.ResponseWriter, r *http.Request) {
	ready, reason := a.readiness()
	status, body := http.StatusOK, "ok\n"
	if !ready {
		status, body = http.StatusServiceUnavailable, "not ready\n"
	}
	if r.URL.Query().Has("verbose") && reason != "" {
		body += reason + "\n"
	}
	text(w, status, body)
}

func (a *Admin) connections(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	limit := len(a.recent.ring)
	if given := query.Get("limit"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil || n < 1 {
			text(w, http.StatusBadRequest, "limit: a number from 1 on is expected\n")
			return
		}
		limit = min(n, limit)
	}
	keep := func(*inspect.Connection) bool { return true }
	if failed := query.Get("failed"); failed != "" {
		only, err := strconv.ParseBool(failed)
		if err != nil {
			text(w, http.StatusBadRequest, "failed: 1 or 0 is expected\n")
			return
		}
		if only {
			keep = func(c *inspect.Connection) bool { return c.Verdict == inspect.Failed }
		}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	a.writeArray(w, a.recent.latest(limit, keep))
}

// writeArray writes a record a line, so that neither side has to hold all of them as text.
func (a *Admin) writeArray(w io.Writer, connections []*inspect.Connection) {
	separator := "["
	for _, c := range connections {
		line, err := a.options.Encode(c)
		if err != nil {
			// A record that has no JSON form (a number that is not finite) must not cost the others.
			line, _ = json.Marshal(map[string]any{"event": map[string]string{"id": c.Event.ID}, "error": err.Error()})
		}
		if _, err := fmt.Fprintf(w, "%s\n%s", separator, bytes.TrimSpace(line)); err != nil {
			return
		}
		separator = ","
	}
	if len(connections) == 0 {
		_, _ = io.WriteString(w, "[")
	}
	_, _ = io.WriteString(w, "\n]\n")
}

func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, strings.ToValidUTF8(body, "?"))
}
