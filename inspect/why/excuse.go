package why

import (
	"fmt"
	"slices"
	"time"

	"github.com/tlstriage/tlstriage/inspect/probe"
)

// mostExcused is how many connections that are cut may be made again and be answered: an endpoint that cuts more is not steady.
const mostExcused = 3

// cutPause is how long is waited before a connection that was cut is made again.
const cutPause = 300 * time.Millisecond

// unlike makes a connection again that was cut before any answer, where the endpoint answers the hello in question by an alert: it may have
// been one too many, which is no answer to what was sent. When it comes to the same once more, and the hello that works works still, it
// is what this hello gets.
func (r *run) unlike(change string, t trial, a answer) answer {
	if r.cuts || r.working.hello == nil || r.failure.x.Alert == nil || !cutAtOnce(a.x) || r.left() < 2*reserve {
		return a
	}
	r.cuts = true // what is sent from here is not asked about again
	at := len(r.history) - 1
	r.wait(cutPause)
	b := r.send(change+", again, as the connection was cut", t)
	if b.x == nil {
		return a
	}
	if cutAtOnce(b.x) {
		control := r.send("the hello that works, again", r.working)
		if control.x == nil || control.works {
			return b
		}
		if r.banned = !r.recovers(r.working); r.banned {
			return b
		}
		if c := r.send(change+", again, after a pause", t); c.x != nil {
			b = c
		}
		r.cuts = false
		return b
	}
	r.history = slices.Delete(r.history, at, at+1)
	r.excused++
	r.cuts = r.excused >= mostExcused
	r.pace = max(2*r.pace, 60*time.Millisecond)
	return b
}

// cutAtOnce reports whether a connection was ended before anything came, and no reason was given.
func cutAtOnce(x *probe.Exchange) bool {
	if x == nil || x.Received > 0 || x.ServerHello != nil {
		return false
	}
	return x.Outcome == probe.OutcomeReset || x.Outcome == probe.OutcomeClosed || x.Outcome == probe.OutcomeNotConnected
}

// tellExcused notes what was cut and answered when it was sent again.
func (r *run) tellExcused() {
	if r.excused > 0 && !r.blocked {
		r.result.Notes = append(r.result.Notes, fmt.Sprintf("Of %d connections %d were cut without a word, and the same hello was answered when it was sent again: the endpoint, or something before it, limits connections or is not always well. The experiment went on more slowly.", len(r.result.Probes), r.excused))
	}
}
