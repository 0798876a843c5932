package why

import (
	"fmt"
	"slices"
	"time"

	"github.com/tlstriage/tlstriage/inspect/probe"
)

// found is a cause in the making.
type found struct {
	axis                        Axis
	id, evidence, sentence, fix string
	offered, accepted           []string
	limit                       int
	together                    []string
	// denies is true of an exchange whose hello the cause says is refused: one that was accepted refutes it. nil: it cannot be held
	// against others.
	denies func(*probe.Exchange) bool
}

// reserve are connections that are kept back for the end, when everything is sent once more.
const reserve = 4

// spare is how many connections may be used to make causes precise.
func (r *run) spare() int { return r.left() - reserve }

func (r *run) add(f found) {
	if x, refuted := r.refutedBy(f); refuted {
		r.doubt(f, x)
		r.causal[f.axis] = true
		return
	}
	r.causes = append(r.causes, f)
	r.causal[f.axis] = true
	r.result.Causes = append(r.result.Causes, Cause{
		ID: f.id, Axis: f.axis, Evidence: f.evidence, Sentence: f.sentence, Offered: f.offered, Accepted: f.accepted, Limit: f.limit, Fix: f.fix, Together: f.together,
	})
}

// walk goes from the hello that works towards the one in question. It reports whether it came to its end.
func (r *run) walk() bool {
	for _, s := range r.steps() {
		if !r.take(s) {
			return false
		}
	}
	return r.confirm()
}

// take tries one step, and keeps it if the endpoint goes along; otherwise it finds out why not.
func (r *run) take(s step) bool {
	next := s.apply(r, r.working)
	if next.proxy == r.working.proxy && same(next.hello, r.working.hello) {
		return true
	}
	if s.change == itsGREASE && r.unknown {
		return r.refineGREASE(r.failure) // its extensions are unknown as others are
	}
	if r.tooLarge(next.hello) {
		return r.takeReduced(s)
	}
	if r.overCount(next.hello) && s.axis != AxisCipher && s.axis != AxisGroup && s.axis != AxisSignature && s.change != itsExtensions && s.change != itsGREASE {
		return true // it would be too many by this; nothing follows
	}
	a, ok := r.believe("with "+s.change, next)
	if ok && a.works && s.axis == AxisSegmentation { // segments may have come together on the way
		a, ok = r.believe("with "+s.change+", once more", next)
	}
	switch {
	case !ok:
		return false
	case a.works:
		r.working, r.accepted = next, a
		return true
	case r.nothingFollows(a):
		r.result.Tried = append(r.result.Tried, "with "+s.change+": "+a.x.Describe()+", which the hello in question does not get")
		return true
	}
	if r.isEvenness(next, a) || r.isSmall(next, a) {
		return r.take(s) // every hello is made to fit from now on
	}
	if next.hello.Size() > r.largest && r.isSize(next, a) {
		if !r.tooLarge(next.hello) {
			return r.take(s)
		}
		return r.takeReduced(s)
	}
	if s.change == itsExtensions && r.anyUnknown(a) {
		return r.refine(s, next, a)
	}
	if r.isCount(next, a) {
		return r.takeCounted(s, next, a)
	}
	if r.cut {
		return false
	}
	return r.refine(s, next, a)
}

// takeReduced tries what of a step is small enough, once it is known that size matters.
func (r *run) takeReduced(s step) bool {
	next := s.apply(r, r.working)
	switch s.axis {
	case AxisKeyShare:
		next.hello.SetKeyShares(firstShare(next.hello.Groups(), r.failing.hello)...)
	case AxisExtension:
		next = r.fitting()
	default:
		return true
	}
	if same(next.hello, r.working.hello) || r.tooLarge(next.hello) {
		return true
	}
	a, ok := r.believe("with "+s.change+", as far as they fit", next)
	switch {
	case !ok:
		return false
	case a.works:
		r.working, r.accepted = next, a
		return true
	}
	return r.refine(s, next, a)
}

// fitting adds the extensions of the hello in question, as long as they fit.
func (r *run) fitting() trial {
	next := trial{r.working.hello.Clone(), r.working.proxy}
	for _, e := range r.failing.hello.Extensions {
		if walked(e.Type) || stale(e.Type) {
			continue
		}
		larger := next.hello.Clone()
		larger.Set(e.Type, e.Body)
		if !r.tooLarge(larger) {
			next.hello = larger
		}
	}
	return next
}

// believe sends a trial. That it fails is believed when it fails again at once, and the hello that works works still: an endpoint
// that is not steady, or that limits connections, must not be taken for one that minds what was changed. The trial goes first twice,
// so that one that refuses every second connection is found out. ok is false when the experiment is over.
func (r *run) believe(change string, t trial) (a answer, ok bool) {
	for range maxPauses {
		first := r.send(change, t)
		if first.x == nil || first.works {
			return first, first.x != nil
		}
		r.minded = kind(first.x)
		if a = r.expect(change+", again", t); a.x == nil {
			return a, false
		}
		if a.works && timedOut(first.x) && timedOut(r.failure.x) {
			return a, true // it was only slow: silence is waited for shortly, the first time
		}
		if a.works {
			r.unsteady(1, 1, first, t)
			return a, false
		}
		control := r.expect("the hello that works, again", r.working)
		if control.x == nil {
			return a, false
		}
		if control.works {
			return a, true
		}
		if r.banned || !r.recovers(r.working) {
			r.gone(control)
			return a, false
		}
	}
	r.result.Tried = append(r.result.Tried, "slower and slower: the endpoint limits connections too much for an experiment")
	return a, false
}

// How long to wait for an endpoint that limits connections, and how often.
const maxPauses = 4

// recovers waits for the endpoint to accept again what it accepted before, and slows the experiment down for it.
func (r *run) recovers(t trial) bool {
	for _, pause := range [...]time.Duration{300 * time.Millisecond, time.Second, 2 * time.Second} {
		r.wait(pause)
		a := r.send("after a pause", t)
		if a.x == nil {
			return false
		}
		if !a.works {
			continue
		}
		if a = r.send("after a pause", t); a.x != nil && !a.works && r.pace > 0 {
			continue // one at a time comes through: that is a limit, too
		}
		if !r.blocked {
			r.blocked = true
			r.result.Notes = append(r.result.Notes, "The endpoint, or something before it, limits connections: in between it refused everything for a while. The experiment went on more slowly.")
		}
		r.pace = max(2*r.pace, 60*time.Millisecond)
		return true
	}
	return false
}

// confirm sends both hellos again: a cause is one only if they do as they did before.
func (r *run) confirm() bool {
	if len(r.causes) == 0 && len(r.causal) > 0 {
		return false // what was suspected is not so
	}
	if len(r.causes) == 0 {
		r.unsteady(0, 1, r.failure, r.failing)
		return false
	}
	good := r.expect("the hello that works, again", r.working)
	bad := r.send("", r.failing)
	if r.confirmed = true; good.x == nil || bad.x == nil {
		return true // what was found was believed when it was found
	}
	if bad.works {
		r.comesAndGoes()
		return false
	}
	if n, m, broken, _, both := r.contradiction(); both {
		r.withdraw()
		r.flaps(n, m, broken)
		return false
	}
	r.consistent()
	if !good.works && !r.recovers(r.working) {
		r.gone(good)
		return false
	}
	r.cutInTwo()
	return r.insistsOnIt()
}

// refusals is how often the hello in question is refused in all, and accepted not once, before a cause is named, as far as connections suffice:
// an endpoint that accepts one in ten of such hellos passes for a steady one in one of some fifteen experiments.
const refusals = 24

// insistsOnIt sends the hello in question some more times, where an answer takes no time, and reports whether it is refused each time.
func (r *run) insistsOnIt() bool {
	if timedOut(r.failure.x) || r.slow || r.pace > 0 || len(r.causes) == 0 {
		return true
	}
	_, bad, _ := r.counts(r.failing.hello)
	for ; bad < refusals && r.spare() > 0; bad++ {
		if a := r.send("", r.failing); a.works {
			r.comesAndGoes()
			return false
		}
	}
	return true
}

// comesAndGoes says of an endpoint that accepts the hello in question after all that it is not steady.
func (r *run) comesAndGoes() {
	r.withdraw()
	good, bad, broken := r.counts(r.failing.hello)
	if bad == 0 {
		broken = r.failure
	}
	r.unsteady(good, bad, broken, r.failing)
}

// cutInTwo sends the hello in question in two TLS records, where it was not answered by an alert: when that is accepted, what refuses it
// reads the first record only, and is not the TLS server.
func (r *run) cutInTwo() {
	h, x := r.failing.hello, r.failure.x
	if x.Alert != nil || r.Target.QUIC || h.SSLv2 || r.evenness != nil || r.size != nil && (r.size.minds != nil || r.size.floor > 0) || h.Layout.RecordSize > 0 || len(h.Layout.Records) > 0 || r.causal[AxisProxyProtocol] || r.causal[AxisClientCertificate] || r.left() < 1 {
		return
	}
	const first = 64 // before the extensions
	t := trial{h.Clone(), r.failing.proxy}
	t.hello.Layout.Records = []int{first}
	if a := r.send("cut into two TLS records", t); a.works {
		r.result.Notes = append(r.result.Notes, "The same hello is accepted in two TLS records: what refuses it reads the first record only, and is not the TLS server but something before it.")
	}
}

// withdraw takes back causes that turned out to be none.
func (r *run) withdraw() {
	r.causes, r.result.Causes = nil, nil
	clear(r.causal)
}

// refine makes the cause precise that a step has shown, and keeps of the step what the endpoint accepts.
func (r *run) refine(s step, next trial, a answer) bool {
	switch s.axis {
	case AxisProxyProtocol:
		return r.refineProxy(a)
	case AxisServerName:
		return r.refineName(next, a)
	case AxisVersion:
		return r.refineVersion(s, next, a)
	case AxisCipher:
		return r.refineSuites(next, a)
	case AxisGroup:
		return r.refineGroups(next, a)
	case AxisKeyShare:
		return r.refineShares(next, a)
	case AxisSignature:
		return r.refineSchemes(next, a)
	case AxisALPN:
		return r.refineALPN(a)
	case AxisExtension:
		return r.refineExtensions(s, next, a)
	}
	return r.refineForm(s, next, a)
}

// withoutControl says what can be said when no hello at all is accepted.
func (r *run) withoutControl() {
	if r.result.Exhausted {
		return
	}
	x := r.failure.x
	everything := fmt.Sprintf("%d hellos of every kind, with and without names and extensions, old and new: %s each time", r.outcomes[x.Outcome], x.Describe())
	if x.Outcome == probe.OutcomeTimeout && x.Received > 0 {
		everything = fmt.Sprintf("%d hellos of every kind: each was answered in part or not at all; the one that was waited for longest by %d bytes in %.1f s", r.outcomes[x.Outcome], x.Received, x.Took.Seconds())
	}
	if x.Outcome == probe.OutcomeTimeout && x.Received == 0 {
		everything += fmt.Sprintf(" (the hello in question was waited for %.1f s)", x.Took.Seconds())
	}
	if r.cutting && r.nobodyFinishes() {
		return
	}
	if len(r.outcomes) == 1 {
		switch {
		case x.Endless:
			r.add(found{axis: AxisNetwork, id: EndlessAnswer, evidence: everything,
				sentence: fmt.Sprintf("The endpoint answers every hello with more than is read: data without an end, or a message that claims to be longer than any is (%d bytes were read).", x.Received),
				fix:      "Look at what listens on this port: it is no TLS server that is well."})
			return
		case x.Outcome == probe.OutcomeNotTLS:
			r.add(found{axis: AxisNotTLS, id: OtherProtocol, evidence: everything,
				sentence: "The endpoint answers every hello with bytes that make no sense as TLS: " + x.Describe() + ".",
				fix:      "Look at what listens on this port: it is no TLS server that is well."})
			return
		case x.Outcome == probe.OutcomeTimeout && x.Received > 0:
			r.add(found{axis: AxisNetwork, id: IncompleteAnswer, evidence: everything,
				sentence: fmt.Sprintf("The endpoint begins an answer and does not finish it: %d bytes came in %.1f s, which make no ServerHello.", x.Received, x.Took.Seconds()),
				fix:      "Look at the endpoint and at the path from it: it stalls or drips, or what it sends after the first bytes is lost (path MTU)."})
			return
		}
		if x.Outcome == probe.OutcomeTimeout && r.Target.QUIC {
			r.silentOverQUIC(everything)
			return
		}
		if r.asksForTLS() {
			return
		}
		switch x.Outcome {
		case probe.OutcomeTimeout:
			r.add(found{axis: AxisNetwork, id: Silent, evidence: everything,
				sentence: "The endpoint takes connections and never answers a hello, whatever it says: a service that speaks something else and waits, one that hangs, or a firewall that lets connections through and drops what they carry.",
				fix:      "Look at what listens on this port, and whether it is well."})
			return
		case probe.OutcomeReset:
			r.add(found{axis: AxisNetwork, id: ResetsAll, evidence: everything,
				sentence: "The endpoint, or something before it, resets every connection as soon as a hello comes, whatever of what was tried it says.",
				fix:      "Look for a firewall or an allow-list before the endpoint, and at the endpoint's own log."})
			return
		case probe.OutcomeClosed:
			r.add(found{axis: AxisNetwork, id: ClosesAll, evidence: everything,
				sentence: "The endpoint closes every connection as soon as a hello comes, whatever of what was tried it says: it speaks no TLS, has no certificate, or does not want this client.",
				fix:      "Look at what listens on this port, and at its own log."})
			return
		}
	}
	if r.changed() {
		return
	}
	if r.byAlert(x) {
		return
	}
	for _, p := range r.result.Probes {
		if p.Change != "" {
			r.result.Tried = append(r.result.Tried, p.Change+": "+p.Answer)
		}
	}
}

// unfinished notes what was not looked at for want of connections; what was found stands.
func (r *run) unfinished(what string) {
	note := "The connections that are allowed did not suffice to look at " + what + ": there may be more causes."
	if !slices.Contains(r.result.Notes, note) {
		r.result.Notes = append(r.result.Notes, note)
	}
}
