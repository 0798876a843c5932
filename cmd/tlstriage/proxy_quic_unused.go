package main

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/proxy/admin"
	"github.com/tlstriage/tlstriage/proxy/h3"
)

// altSvcWatch notices that clients over TCP are told of the way over QUIC and that nobody ever comes there: which is all that can be
// seen here of UDP being blocked on the way. It is used by one goroutine at a time, but for its counts.
type altSvcWatch struct {
	datagrams func(listener string) (n uint64, listens bool) // of QUIC that came to a listener so far

	sent, returned atomic.Uint64

	mu        sync.Mutex
	listeners map[string]*altSvcListener
	last      string // the record that was noted last; records are judged more than once
}

// altSvcListener is what was seen of the clients of one listener.
type altSvcListener struct {
	told     map[string]time.Time // clients by address and shape, and when they were told first
	returned int                  // since a datagram of QUIC came last
	came     uint64               // datagrams of QUIC by then
	said     time.Time            // when a record said so last
}

// Bounds, and what counts as a sign.
const (
	maxAltSvcClients = 4096             // clients of one listener; beyond that all are forgotten
	comesBack        = time.Second      // a connection later than this one is made in the knowledge of the other way
	inVain           = 20               // so many came back without it before anything is said
	saidAgain        = 10 * time.Minute // between two records that say so
)

// note takes a record before it is judged.
func (w *altSvcWatch) note(c *inspect.Connection) {
	if c.HTTP == nil || c.HTTP.AltSvc == nil || c.Transport != inspect.TransportTCP || c.ClientLeg == nil || c.ClientLeg.TLS == nil || c.ClientLeg.TLS.Client == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.Event.ID == w.last {
		return
	}
	w.last = c.Event.ID
	w.sent.Add(1)
	came, listens := w.datagrams(c.Listener)
	if !listens {
		return // another program serves what is told of
	}
	l := w.listeners[c.Listener]
	if l == nil {
		if w.listeners == nil {
			w.listeners = make(map[string]*altSvcListener)
		}
		l = &altSvcListener{told: make(map[string]time.Time)}
		w.listeners[c.Listener] = l
	}
	if came != l.came {
		l.came, l.returned = came, 0
	}
	client := c.Client.Address + " " + c.ClientLeg.TLS.Client.Shape
	told, known := l.told[client]
	if !known {
		if len(l.told) >= maxAltSvcClients {
			clear(l.told)
		}
		l.told[client] = c.Timestamp.Add(time.Duration(c.Event.DurationMS * float64(time.Millisecond)))
		return
	}
	if c.Timestamp.Sub(told) < comesBack {
		return // they were made side by side
	}
	w.returned.Add(1)
	if l.returned++; l.returned >= inVain && c.Timestamp.Sub(l.said) >= saidAgain {
		l.said = c.Timestamp
		c.HTTP.AltSvc.Returned = l.returned
	}
}

// quicNumbers are the metrics of the UDP side.
func (p *proxyCommand) quicNumbers() []admin.Number {
	count := func(name, help string, of func(h3.Stats) uint64) admin.Number {
		return admin.Number{Name: "tlstriage_quic_" + name + "_total", Help: help, Value: func() float64 { return float64(of(p.quicStats())) }}
	}
	return []admin.Number{
		count("datagrams", "Datagrams with a long header, which begin QUIC connections.", func(s h3.Stats) uint64 { return s.Datagrams }),
		count("hellos", "ClientHellos that came over QUIC and became whole.", func(s h3.Stats) uint64 { return s.Hellos }),
		count("hello_datagrams", "Datagrams that these came in.", func(s h3.Stats) uint64 { return s.HelloDatagrams }),
		count("incomplete_hellos", "ClientHellos over QUIC that never became whole.", func(s h3.Stats) uint64 { return s.Incomplete }),
		count("evicted_hellos", "Of hellos that were not whole, those that made room for others.", func(s h3.Stats) uint64 { return s.Evicted }),
		count("unreadable_packets", "Initial packets that no keys open.", func(s h3.Stats) uint64 { return s.Unreadable }),
		count("short_datagrams", "Datagrams with an Initial packet below 1200 bytes, which are discarded.", func(s h3.Stats) uint64 { return s.Short }),
		count("other_versions", "Packets of versions of QUIC that are not spoken here.", func(s h3.Stats) uint64 { return s.OtherVersions }),
		count("retries", "Initial packets that were answered with a Retry.", func(s h3.Stats) uint64 { return s.Retries }),
		count("refused", "Clients over QUIC that were refused before the handshake.", func(s h3.Stats) uint64 { return s.Refused }),
		count("passed", "QUIC connections that were passed through.", func(s h3.Stats) uint64 { return s.Passed }),
		count("strays", "Datagrams that belong to no QUIC connection that is passed through.", func(s h3.Stats) uint64 { return s.Strays }),
		count("migrations", "Clients of connections that are passed through that came from another address.", func(s h3.Stats) uint64 { return s.Migrations }),
		{Name: "tlstriage_quic_handshakes_unchecked", Gauge: true, Help: "Open QUIC handshakes with addresses that may be forged.", Value: func() float64 { return float64(p.quicStats().Handshakes) }},
		{Name: "tlstriage_quic_flows", Gauge: true, Help: "QUIC connections that are passed through at this moment.", Value: func() float64 { return float64(p.quicStats().Flows) }},
		{Name: "tlstriage_alt_svc_sent_total", Help: "Connections over TCP on which clients were told of the way over QUIC.", Value: func() float64 { return float64(p.altSvc.sent.Load()) }},
		{Name: "tlstriage_alt_svc_returned_total", Help: "Of these, those of clients that had been told before and came back over TCP.", Value: func() float64 { return float64(p.altSvc.returned.Load()) }},
	}
}

// quicStats are the counts of the UDP side; it is made after the metrics.
func (p *proxyCommand) quicStats() h3.Stats {
	if q := p.quic.Load(); q != nil {
		return q.Stats()
	}
	return h3.Stats{}
}
