package admin

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/tlstriage/tlstriage/inspect"
)

// metrics are counted by labels of closed sets only. What a stranger chooses (server names, fingerprints, addresses) is never
// a label: it would let anyone grow the process, and the time series database behind it, without end.
type metrics struct {
	connections  *prometheus.CounterVec
	refused      map[inspect.ErrorType]prometheus.Counter
	handshakes   *prometheus.CounterVec
	duration     *prometheus.HistogramVec
	reloadOK     prometheus.Gauge
	reloadTime   prometheus.Gauge
	certificates *certificateTable
	backends     *backendTable
	challenges   map[inspect.Outcome]prometheus.Counter
	orders       *prometheus.CounterVec
	listeners    *labelSet
	causes       *labelSet
}

// Bounds on label values that are words of the configuration or of the catalogue of findings.
const (
	maxListenerLabels = 128
	maxCauseLabels    = 256
)

func newMetrics(registry *prometheus.Registry, options Options) *metrics {
	m := &metrics{
		connections: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tlstriage_connections_total",
			Help: "Client connections that ended, by what to think of them, the root cause and who must act.",
		}, []string{"listener", "verdict", "cause", "fault"}),
		refused: make(map[inspect.ErrorType]prometheus.Counter),
		handshakes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tlstriage_handshakes_total",
			Help: "TLS handshakes that were tried, by leg, negotiated version, outcome and root cause.",
		}, []string{"leg", "version", "outcome", "cause"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tlstriage_handshake_duration_seconds",
			Help:    "Duration of the TLS handshakes that succeeded.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"leg"}),
		reloadOK: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tlstriage_config_last_reload_successful",
			Help: "Whether the configuration was read without an error the last time that it was tried.",
		}),
		reloadTime: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tlstriage_config_last_reload_success_timestamp_seconds",
			Help: "When the configuration in force was read.",
		}),
		certificates: newCertificateTable(),
		backends:     newBackendTable(),
		challenges:   newChallengeCounters(registry),
		orders:       newOrderCounter(registry),
		listeners:    newLabelSet(maxListenerLabels),
		causes:       newLabelSet(maxCauseLabels),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "tlstriage_build_info",
		Help: "Always 1; the labels say which build this is.",
		ConstLabels: prometheus.Labels{
			"version": orUnknown(options.Version), "revision": orUnknown(options.Revision), "goversion": runtime.Version(),
		},
	})
	build.Set(1)
	registry.MustRegister(m.connections, m.handshakes, m.duration, m.reloadOK, m.reloadTime,
		m.certificates.gauge, m.backends, build,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tlstriage_connections_active",
			Help: "Client connections that are open.",
		}, floatOf(options.Active)),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "tlstriage_records_dropped_total",
			Help: "Connection records dropped because the queue was full, or the recording could not be written.",
		}, floatOf(options.Dropped)),
		prometheus.NewCounterFunc(refusedOpts(inspect.ErrorOverloaded), floatOf(options.Refused)),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	for _, n := range options.Numbers {
		registry.MustRegister(n.collector())
	}
	// A series that exists from the start lets rate() see the first event.
	for _, reason := range refusals() {
		m.refused[reason] = prometheus.NewCounter(refusedOpts(reason))
		registry.MustRegister(m.refused[reason])
	}
	for _, leg := range []string{inspect.LegClient, inspect.LegBackend} {
		m.duration.WithLabelValues(leg)
	}
	return m
}

func refusedOpts(reason inspect.ErrorType) prometheus.CounterOpts {
	return prometheus.CounterOpts{
		Name:        "tlstriage_connections_refused_total",
		Help:        "Client connections that the proxy itself refused, by reason.",
		ConstLabels: prometheus.Labels{"reason": string(reason)},
	}
}

// floatOf makes a number that is kept elsewhere readable for Prometheus; a nil function is a number that stays 0.
func floatOf[T int64 | uint64](number func() T) func() float64 {
	if number == nil {
		return func() float64 { return 0 }
	}
	return func() float64 { return float64(number()) }
}

// refusals are the errors of a client leg by which the proxy, not the client, ended the connection. A connection beyond the
// bound is not among them: it has no record, and is counted by whoever refused it.
func refusals() []inspect.ErrorType {
	return []inspect.ErrorType{
		inspect.ErrorPolicy, inspect.ErrorNoRoute, inspect.ErrorViewsDiffer,
		inspect.ErrorNoCertificate, inspect.ErrorCertificatePending, inspect.ErrorClientCertificate, inspect.ErrorProxyProtocol,
		inspect.ErrorHelloTooLarge, inspect.ErrorUnsupported, inspect.ErrorShutdown,
	}
}

func orUnknown(text string) string {
	if text == "" {
		return "unknown"
	}
	return text
}
