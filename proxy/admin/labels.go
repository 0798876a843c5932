package admin

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// labelSet lets a bounded number of words through as label values. Listeners and causes come from the configuration and from
// the catalogue of findings; the bound holds even if one day they do not.
type labelSet struct {
	most int

	mu   sync.Mutex
	seen map[string]bool
}

func newLabelSet(most int) *labelSet { return &labelSet{most: most, seen: make(map[string]bool)} }

func (s *labelSet) label(word string) string {
	if word == "" {
		return labelNone
	}
	if !isWord(word) {
		return labelOther
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.seen[word] {
		if len(s.seen) >= s.most {
			return labelOther
		}
		s.seen[word] = true
	}
	return word
}

// isWord holds what names of listeners and findings are made of.
func isWord(word string) bool {
	if len(word) > 64 {
		return false
	}
	for i := range len(word) {
		switch b := word[i]; {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '-', b == '_', b == '.':
		default:
			return false
		}
	}
	return true
}

// maxCertificates bounds the series of certificate ends: a backend's name may resolve to ever new addresses.
const maxCertificates = 256

// certificateTable publishes certificate ends and forgets those that were not heard of for longest.
type certificateTable struct {
	gauge *prometheus.GaugeVec

	mu    sync.Mutex
	clock uint64 // counts settings: an order is all that forgetting needs
	last  map[certificateKey]uint64
}

type certificateKey struct{ role, route string }

func newCertificateTable() *certificateTable {
	return &certificateTable{
		gauge: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tlstriage_certificate_not_after_timestamp_seconds",
			Help: "When a certificate, or the first of its chain to end, ends.",
		}, []string{"role", "route"}),
		last: make(map[certificateKey]uint64),
	}
}

func (t *certificateTable) set(role, route string, notAfter time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := certificateKey{role, route}
	if _, known := t.last[key]; !known && len(t.last) >= maxCertificates {
		oldest, oldestAt := certificateKey{}, ^uint64(0)
		for k, at := range t.last {
			if at < oldestAt {
				oldest, oldestAt = k, at
			}
		}
		delete(t.last, oldest)
		t.gauge.DeleteLabelValues(oldest.role, oldest.route)
	}
	t.clock++
	t.last[key] = t.clock
	t.gauge.WithLabelValues(role, route).Set(float64(notAfter.Unix()))
}
