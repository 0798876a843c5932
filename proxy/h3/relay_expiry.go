package h3

import (
	"time"

	"github.com/tlstriage/tlstriage/inspect/quicwire"
)

// forget takes a connection out of the tables.
func (r *relays) forget(x *relay) {
	r.mu.Lock()
	if _, ok := r.all[x]; !ok {
		r.mu.Unlock()
		return
	}
	delete(r.all, x)
	r.socket.server.counts.flows.Add(-1)
	for _, id := range x.ids {
		delete(r.byID, id)
		r.sizes[len(id)]--
	}
	r.leave(x, x.client)
	r.leave(x, x.home)
	r.mu.Unlock()
	r.socket.settle()
}

// expire ends what is over: connections that said goodbye, that did not come about in time, and on which nothing moves.
func (r *relays) expire(now time.Time) {
	t := r.socket.server.limits.Timeouts
	if r.socket.isStopped() {
		t.Idle = min(t.Idle, partingTime) // that it is over nobody says in the clear
	}
	r.mu.Lock()
	var over []*relay
	for x := range r.all {
		idle := now.Sub(x.last) >= t.Idle
		switch {
		case x.ended:
			continue
		case !x.closing.IsZero() && now.Sub(x.closing) >= goodbyeTime:
		case idle:
			x.why.Idle = true
		default:
			continue
		}
		over = append(over, x)
	}
	handshaking := make([]*relay, 0, len(r.all))
	for x := range r.all {
		switch {
		case x.ended || now.Sub(x.began) < t.ClientHandshake:
		case !x.present():
			x.why.Late = true
			over = append(over, x)
		default:
			x.shown = true
			handshaking = append(handshaking, x)
		}
	}
	r.mu.Unlock()
	for _, x := range handshaking {
		x.watch.Lock()
		late := x.reader != nil && x.reader.Stats(quicwire.FromClient).OneRTT == 0
		x.watch.Unlock()
		if late {
			r.mu.Lock()
			x.why.Late = true
			r.mu.Unlock()
			over = append(over, x)
		}
	}
	for _, x := range over {
		x.end()
	}
}
