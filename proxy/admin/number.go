package admin

import "github.com/prometheus/client_golang/prometheus"

// Number is a metric that is counted elsewhere.
type Number struct {
	Name  string // tlstriage_…; of a counter it ends in _total
	Help  string
	Gauge bool           // it may fall; false: a counter
	Value func() float64 // safe for concurrent use
}

func (n Number) collector() prometheus.Collector {
	if n.Gauge {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: n.Name, Help: n.Help}, n.Value)
	}
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: n.Name, Help: n.Help}, n.Value)
}
