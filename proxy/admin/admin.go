package admin

import (
	"encoding/json"
	"log"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tlstriage/tlstriage/inspect"
)

// Options of an Admin. The zero value is useful.
type Options struct {
	Version  string                                    // of the program, for tlstriage_build_info; empty: "unknown"
	Revision string                                    // of its source, for the same; empty: "unknown"
	Recent   int                                       // connections kept for /connections; 0: DefaultRecent, at most MaxRecent
	Hosts    []string                                  // Host names accepted over loopback besides localhost and loopback addresses
	Active   func() int64                              // open client connections at this moment; nil: always 0
	Refused  func() uint64                             // connections refused since the start because the bound on them was reached; nil: always 0
	Dropped  func() uint64                             // records dropped since the start because the queue was full; nil: always 0
	Numbers  []Number                                  // further metrics
	Shadow   func() any                                // what /shadow answers, as JSON; nil: there is no such page
	Backends func() any                                // what /backends answers, as JSON; nil: there is no such page
	Encode   func(*inspect.Connection) ([]byte, error) // the JSON of a record for /connections; nil: encoding/json's
	ErrorLog *log.Logger                               // what net/http has to complain about; nil: nothing is logged
}

// Bounds of the connections kept.
const (
	DefaultRecent = 256
	MaxRecent     = 100_000
)

// Admin gathers what was observed and answers for it over HTTP. It is safe for concurrent use.
type Admin struct {
	options  Options
	hosts    map[string]bool
	registry *prometheus.Registry
	metrics  *metrics
	recent   *recent

	mu     sync.Mutex
	ready  bool
	reason string
}

// New makes an Admin that is not ready yet.
func New(options Options) *Admin {
	if options.Recent <= 0 {
		options.Recent = DefaultRecent
	}
	if options.Encode == nil {
		options.Encode = encodeRecord
	}
	a := &Admin{
		options:  options,
		hosts:    hostSet(options.Hosts),
		registry: prometheus.NewRegistry(),
		recent:   newRecent(min(options.Recent, MaxRecent)),
		reason:   "starting",
	}
	a.metrics = newMetrics(a.registry, options)
	return a
}

func encodeRecord(c *inspect.Connection) ([]byte, error) { return json.Marshal(c) }

// Observe counts a finished connection and keeps it for /connections. It takes microseconds, so it may be called for every
// connection, off the data path; the connection must not be changed afterwards.
func (a *Admin) Observe(c *inspect.Connection) {
	if c == nil {
		return
	}
	a.metrics.observe(c)
	a.recent.add(c)
}

// SetReady says whether the proxy takes connections, and if not, why ("draining"). It decides the answer of /readyz.
func (a *Admin) SetReady(ready bool, reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ready, a.reason = ready, reason
}

func (a *Admin) readiness() (ready bool, reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ready, a.reason
}

// Roles of a certificate.
const (
	RoleServed  = "served"  // shown to clients
	RoleBackend = "backend" // shown by a backend
)

// SetCertificate publishes when a certificate ends. route is a name from the configuration, never one that a client sent.
// The number of series is bounded: beyond it, the one that was set longest ago is forgotten. Observe sets the backends' ends by
// itself, under LISTENER/ROUTE, from the first certificate of the chain to end.
func (a *Admin) SetCertificate(role, route string, notAfter time.Time) {
	a.metrics.certificates.set(role, route, notAfter)
}

// Reloaded publishes the outcome of reading the configuration, the first time and at every reload; at is the time of it.
func (a *Admin) Reloaded(err error, at time.Time) {
	if err != nil {
		a.metrics.reloadOK.Set(0)
		return
	}
	a.metrics.reloadOK.Set(1)
	a.metrics.reloadTime.Set(float64(at.UnixNano()) / 1e9)
}
