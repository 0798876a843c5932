package admin

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tlstriage/tlstriage/inspect"
)

// routeChallenge is the route in the record of a connection that validated a name for an authority (RFC 8737).
const routeChallenge = "acme-tls/1"

// newChallengeCounters counts validations, by how they went.
func newChallengeCounters(registry *prometheus.Registry) map[inspect.Outcome]prometheus.Counter {
	counters := make(map[inspect.Outcome]prometheus.Counter)
	for _, result := range []inspect.Outcome{inspect.Success, inspect.Failure} {
		counters[result] = prometheus.NewCounter(prometheus.CounterOpts{
			Name:        "tlstriage_acme_challenges_total",
			Help:        "Connections by which an authority validated a name (TLS-ALPN-01), by how the handshake went. They are no client connections.",
			ConstLabels: prometheus.Labels{"result": string(result)},
		})
		registry.MustRegister(counters[result])
	}
	return counters
}

// newOrderCounter counts orders of certificates.
func newOrderCounter(registry *prometheus.Registry) *prometheus.CounterVec {
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tlstriage_acme_orders_total",
		Help: "Certificates ordered from an authority, renewals included, by how that went and why it failed. An order that failed is tried again.",
	}, []string{"result", "reason"})
	registry.MustRegister(counter)
	counter.WithLabelValues(string(inspect.Success), "")
	return counter
}

// CountOrder counts an order of a certificate. reason is one of a closed set of words for why it failed; empty: it did not.
func (a *Admin) CountOrder(reason string) {
	result := inspect.Success
	if reason != "" {
		result = inspect.Failure
	}
	a.metrics.orders.WithLabelValues(string(result), reason).Inc()
}

// challenge counts a validation and reports whether the connection was one.
func (m *metrics) challenge(c *inspect.Connection) bool {
	if c.Route != routeChallenge || c.BackendLeg != nil {
		return false
	}
	if counter := m.challenges[c.Event.Outcome]; counter != nil {
		counter.Inc()
	}
	return true
}
