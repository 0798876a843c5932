package why

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
)

// unsteady names an endpoint that answers the same hello in different ways: one that limits how often it may be asked, which
// goes on after a pause, or one behind whose address several endpoints are that differ.
func (r *run) unsteady(good, bad int, broken answer, t trial) {
	for range 8 {
		a := r.send("", t)
		if a.x == nil {
			break
		}
		if a.works {
			good++
		} else {
			bad++
			broken = a
		}
	}
	if good == 0 {
		r.result.Tried = append(r.result.Tried, "each property of the hello by itself: accepted; the hello as a whole is not")
		return
	}
	if !r.lastFailed() {
		r.flaps(good, bad, broken)
		return
	}
	// What fails since some moment and works again after a pause is limited; what works in between is not.
	if r.tail() < bad {
		r.flaps(good, bad, broken)
		return
	}
	if r.recovers(t) {
		r.add(found{axis: AxisNetwork, id: RateLimited,
			evidence: fmt.Sprintf("the same hello was accepted %d times, then refused %d times in a row (%s), and accepted again after a pause", good, bad, broken.x.Describe()),
			sentence: fmt.Sprintf("The endpoint, or something before it, limits connections: after %d of them it answers %s until some time has passed.", good, broken.x.Describe()),
			fix:      "Raise the limit for this client, or let it open fewer connections."})
		return
	}
	r.gone(broken)
}

// tail is how many connections failed since the last one that worked.
func (r *run) tail() int {
	n := 0
	for i := len(r.result.Probes) - 1; i >= 0 && !r.result.Probes[i].Works; i-- {
		n++
	}
	return n
}

// surelyGone is how many times in a row what worked before has to fail for an endpoint to be one that takes no connections any more:
// one that answers now so and now so does that once in hundreds of experiments.
const surelyGone = 8

// gone names an endpoint that accepted hellos and does not any more, also after a pause: it bans whoever asks too often.
func (r *run) gone(broken answer) {
	good := 0
	for _, p := range r.result.Probes {
		if p.Works {
			good++
		}
	}
	for good > 0 && r.tail() < surelyGone && r.left() > 0 {
		a := r.send("what was accepted before", r.working)
		if a.x == nil || a.works {
			break
		}
	}
	bad := r.tail()
	if good == 0 || bad < surelyGone {
		r.flaps(good, len(r.result.Probes)-good, broken)
		return
	}
	before := len(r.result.Probes) - bad
	r.add(found{axis: AxisNetwork, id: RateLimited, limit: before,
		evidence: fmt.Sprintf("of the first %d connections %d were accepted; of the %d after that none, also after pauses (%s)", before, good, bad, broken.x.Describe()),
		sentence: fmt.Sprintf("The endpoint, or something before it, bans this client: after about %d connections it refuses every one, whatever is sent, with %s.", before, broken.x.Describe()),
		fix:      "Raise the limit for this client, or ask again when the ban is over with fewer connections (--max-connections)."})
}

// changed names an endpoint that no hello was found for because it answers everything in another way since some moment, the hello in
// question too.
func (r *run) changed() bool {
	last := r.send("", r.failing)
	first := inspect.Bounded(r.failure.x.Describe())
	if last.x == nil || last.works || inspect.Bounded(last.x.Describe()) == first {
		return false
	}
	probes := r.result.Probes
	since := 0 // connections without that answer
	for i := len(probes) - 1; i >= 0 && probes[i].Answer != first; i-- {
		since++
	}
	if since < surelyGone {
		return false
	}
	before := len(probes) - since
	r.add(found{axis: AxisNetwork, id: RateLimited, limit: before,
		evidence: fmt.Sprintf("the hello in question: %s; after %d connections everything, that hello too: %s", r.failure.x.Describe(), before, last.x.Describe()),
		sentence: fmt.Sprintf("The endpoint, or something before it, bans this client: after about %d connections it answers everything by %s. Why it refused the hello before that (%s) could not be told.", before, last.x.Describe(), r.failure.x.Describe()),
		fix:      "Raise the limit for this client, or ask again when the ban is over; then look into the first answer."})
	return true
}

func (r *run) lastFailed() bool {
	n := len(r.result.Probes)
	return n > 0 && !r.result.Probes[n-1].Works
}

func (r *run) flaps(good, bad int, broken answer) {
	r.withdraw() // what was found of an endpoint that is not steady is found of one of several
	r.add(found{axis: AxisNetwork, id: Flapping,
		evidence: fmt.Sprintf("the same hello was accepted %d times and refused %d times (%s), in no order", good, bad, broken.x.Describe()),
		sentence: "The endpoint answers the same hello now so, now so: behind its address there are several that differ, or one that is not always well. What is sent makes no difference.",
		fix:      "Look at each of the endpoints behind this address by itself."})
}

// sometimesConnected names an endpoint that can be connected to now and then.
func (r *run) sometimesConnected(first answer) {
	const times = 6
	failed, made := 1, 1
	for range times {
		a := r.send("", r.failing)
		switch {
		case a.x == nil:
			r.result.Tried = append(r.result.Tried, "the connection itself came about once and once not")
			return
		case a.x.Outcome == probe.OutcomeNotConnected:
			failed++
		default:
			made++
		}
	}
	r.add(found{axis: AxisNetwork, id: Flapping,
		evidence: fmt.Sprintf("of %d connections %d were not made (%s)", failed+made, failed, first.x.Describe()),
		sentence: "The endpoint can be connected to now and then: behind its address there are several, of which one is not there, or something before it refuses some connections. What is sent makes no difference.",
		fix:      "Look at each of the endpoints behind this address by itself."})
}
