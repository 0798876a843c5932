package why

import (
	"fmt"
	"math"
	"time"

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
	if tail := r.tail(); tail < bad || r.byChance(tail, broken) {
		r.flaps(good, bad, broken)
		return
	}
	if r.recovers(t) {
		r.add(found{axis: AxisNetwork, id: RateLimited,
			evidence: fmt.Sprintf("the same hello was accepted %s, then refused %s in a row (%s), and accepted again after a pause", times(good), times(bad), broken.x.Describe()),
			sentence: fmt.Sprintf("The endpoint, or something before it, limits connections: after %d of them it answers %s until some time has passed.", good, broken.x.Describe()),
			fix:      "Raise the limit for this client, or let it open fewer connections."})
		return
	}
	r.gone(broken)
}

// afterPauses asks an endpoint that refuses everything without a word once more, later: one that limits connections may have been asked too
// often before the experiment began. over: what it is is said.
func (r *run) afterPauses() (over bool) {
	x := r.failure.x
	if r.result.Exhausted || len(r.outcomes) != 1 || r.Target.QUIC || x.Outcome != probe.OutcomeReset && x.Outcome != probe.OutcomeClosed {
		return false
	}
	refused := len(r.result.Probes)
	for _, pause := range [...]time.Duration{time.Second, 2 * time.Second, 3 * time.Second} {
		if r.left() < 2 {
			return false
		}
		r.wait(pause)
		if a := r.send("after a pause", r.failing); a.works {
			r.accepted, r.working = a, r.failing
			r.add(found{axis: AxisNetwork, id: RateLimited,
				evidence: fmt.Sprintf("%d hellos of every kind were refused (%s); after a pause the hello in question was accepted", refused, x.Describe()),
				sentence: fmt.Sprintf("The endpoint, or something before it, limits connections: at first it answered everything by %s, and after a pause it accepts this hello.", x.Describe()),
				fix:      "Raise the limit for this client, or let it open fewer connections."})
			return true
		}
		plain := trial{ordinary(r.failing.hello.ServerName()), r.failing.proxy}
		if a := r.send("an ordinary hello after a pause", plain); a.works {
			r.accepted, r.working = a, plain
			r.blocked, r.pace = true, 300*time.Millisecond
			return false
		}
	}
	return false
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

// byChance reports whether an endpoint that answers now so and now so would have refused so many in a row once in a hundred experiments, or
// more often: one that refused some in the same way before may be such, and accepts what it accepted before the row as often after it.
func (r *run) byChance(bad int, broken answer) bool {
	good, like := 0, false
	before := r.result.Probes[:len(r.result.Probes)-bad]
	for _, p := range before {
		if p.Works {
			good++
		}
		like = like || !p.Works && p.Answer == inspect.Bounded(broken.x.Describe())
	}
	return like && math.Pow(1-float64(good)/float64(len(before)), float64(bad)) > 0.01
}

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
	if r.othersWork() {
		r.flaps(r.counts(broken.x.Hello))
		return
	}
	bad := r.tail()
	before := len(r.result.Probes) - bad
	if good == 0 || bad < surelyGone || r.byChance(bad, broken) {
		r.flaps(good, len(r.result.Probes)-good, broken)
		return
	}
	r.add(found{axis: AxisNetwork, id: RateLimited, limit: before,
		evidence: fmt.Sprintf("of the first %d connections %d were accepted; of the %d after that none, also after pauses (%s)", before, good, bad, broken.x.Describe()),
		sentence: fmt.Sprintf("The endpoint, or something before it, bans this client: after about %d connections it refuses every one, whatever is sent, with %s.", before, broken.x.Describe()),
		fix:      "Raise the limit for this client, or ask again when the ban is over with fewer connections (--max-connections)."})
}

// othersWork sends hellos of other kinds to an endpoint that seems to refuse everything since some moment, and reports whether it accepts any
// of them: then it is not everything.
func (r *run) othersWork() bool {
	name := r.working.hello.ServerName()
	for _, c := range []control{
		{"an ordinary hello", trial{ordinary(name), r.working.proxy}}, {"a small hello of TLS 1.2", trial{small12(name), r.working.proxy}}, {"a plain hello of many versions and suites", trial{broad(name), r.working.proxy}},
	} {
		if r.left() <= 0 {
			return false
		}
		if a := r.send(c.change, c.trial); a.works {
			return true
		}
	}
	return false
}

// counts are how often a hello was accepted and refused, and how.
func (r *run) counts(h *probe.Hello) (good, bad int, broken answer) {
	for _, e := range r.history {
		if !same(e.x.Hello, h) {
			continue
		}
		if e.works {
			good++
		} else {
			bad++
			broken = answer{e.x, false}
		}
	}
	return good, bad, broken
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
	if refused, accepted, ok := r.once(broken.x.Hello); ok {
		r.withdraw()
		r.add(found{axis: AxisNetwork, id: Flapping,
			evidence: fmt.Sprintf("the same hello was refused %s (%s), and accepted %s after that", times(refused), broken.x.Describe(), times(accepted)),
			sentence: "The endpoint refused this hello at first, and accepts it since then: it was not well, was starting or has been changed in the meantime, or something before it let this client wait. What is sent makes no difference.",
			fix:      "Ask again; if the hello is accepted then, look into the endpoint's own log for the time of the first connections."})
		return
	}
	steady := r.plainIsSteady()
	sentence := "The endpoint answers the same hello now so, now so: behind its address there are several that differ, or one that is not always well. What is sent makes no difference."
	if steady != "" {
		sentence = "The endpoint answers the same hello now so, now so: behind its address there are several that differ, or one that is not always well. " + steady
	}
	r.withdraw() // what was found of an endpoint that is not steady is found of one of several
	r.add(found{axis: AxisNetwork, id: Flapping,
		evidence: fmt.Sprintf("the same hello was accepted %s and refused %s (%s), in no order", times(good), times(bad), broken.x.Describe()),
		sentence: sentence,
		fix:      "Look at each of the endpoints behind this address by itself."})
}

// surelyWell is how many times in a row what was refused before has to be accepted for an endpoint to be one that is well since then.
const surelyWell = 6

// once reports whether a hello was refused up to some moment, and was accepted ever since: how often it was the one and the other.
func (r *run) once(h *probe.Hello) (refused, accepted int, ok bool) {
	for _, e := range r.history {
		switch {
		case !same(e.x.Hello, h):
		case e.works:
			accepted++
		case accepted > 0:
			return 0, 0, false
		default:
			refused++
		}
	}
	return refused, accepted, refused > 1 && accepted >= surelyWell
}

// times is how often, in words.
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// plainIsSteady says of an endpoint that answers a hello now so and now so how it answers another one; empty: in the same way.
func (r *run) plainIsSteady() string {
	const asked = 4
	name := r.failing.hello.ServerName()
	plain, good := trial{small12(name), r.failing.proxy}, 0
	if r.Target.QUIC {
		return "Whether other hellos fare better was not asked."
	}
	for range asked {
		a := r.send("a small hello of TLS 1.2, for comparison", plain)
		if a.x == nil {
			return "Whether other hellos fare better was not asked."
		}
		if a.works {
			good++
		}
	}
	switch good {
	case asked:
		return fmt.Sprintf("A small hello of TLS 1.2 was accepted each of %d times: it may be the hello that some of them mind.", asked)
	case 0:
		return fmt.Sprintf("A small hello of TLS 1.2 was refused each of %d times.", asked)
	}
	return ""
}

// sometimesConnected names an endpoint that can be connected to now and then.
func (r *run) sometimesConnected(first answer) {
	const asked = 6
	failed, made := 1, 1
	for range asked {
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
