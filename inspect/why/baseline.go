package why

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// How often a hello is sent before its answer is believed.
const (
	repeatsOfSuccess = 4
	repeatsOfFailure = 3
	repeatsOfSilence = 2
)

// roundTrips is how many round trips are waited for an answer once the endpoint has been silent.
const roundTrips = 8

// investigate is the experiment from the beginning to the end.
func (r *run) investigate() {
	r.history = nil // what other addresses accept says nothing about this one
	first := r.send("", r.failing)
	if first.x == nil {
		return
	}
	r.failure = first
	r.result.Failure = first.x.Describe()
	if first.x.Outcome == probe.OutcomeNotConnected {
		r.notConnected(first)
		return
	}
	if timedOut(first.x) {
		if first = r.patient(first); first.x == nil {
			return
		}
	}
	if first = r.cutBehindHandshake(first); first.x == nil {
		return
	}
	if x := r.failure.x; x.Received == 0 || !timedOut(x) { // what is begun is no silence
		r.client.Timeouts.Rest = slower * r.usual
	}
	if r.repeat(first) || r.overQUIC(first) || r.beginsWithTLS(first) {
		return
	}
	switch {
	case first.works && certificateRefused(first.x):
		r.certificateCause(first.x)
		return
	case first.works:
		r.accepts(first)
		return
	}
	r.result.Meaning = meaning(first.x)
	controls := r.controls()
	if first.x.Plain != nil {
		controls = r.fewControls() // what speaks another protocol does so whatever it is asked; a filter that says something does not
	}
	if !r.findControl(controls) {
		if r.unasked(first.x) && !r.result.Exhausted {
			r.noDialogue(first)
			return
		}
		if first.x.Plain != nil {
			r.notTLS(first.x)
			return
		}
		if over := r.afterPauses(); over {
			return
		}
		if !r.accepted.works {
			r.withoutControl()
			return
		}
	}
	if !r.walk() {
		return
	}
	if certificateRefused(r.accepted.x) {
		r.certificateCause(r.accepted.x)
	}
}

// repeat sends the hello in question again. It reports whether its answers differ, which ends the experiment.
func (r *run) repeat(first answer) bool {
	times := repeatsOfFailure
	switch {
	case r.slow:
		times = repeatsOfSilence
	case first.works:
		times = repeatsOfSuccess
	case first.x.Outcome == probe.OutcomeTimeout, first.x.Outcome == probe.OutcomeNotTLS, first.x.Outcome == probe.OutcomeServerHello:
		times = repeatsOfSilence
	}
	good, bad := 0, 0
	var broken answer
	count := func(a answer) {
		if a.works {
			good++
			return
		}
		bad++
		broken = a
	}
	count(first)
	if r.silent != nil {
		count(*r.silent)
	}
	if first.works {
		r.working = r.failing
	}
	if first.x.Outcome == probe.OutcomeTimeout {
		// Several round trips, as long as connecting shows that one takes.
		r.client.Timeouts.Answer = min(r.client.Timeouts.Answer, max(shortAnswer, roundTrips*first.x.Dialled))
	}
	for range times - 1 {
		a := r.send("", r.failing)
		if a.x == nil {
			break // what was seen so far is all that may be seen
		}
		count(a)
	}
	if good == 0 || bad == 0 {
		return false
	}
	r.unsteady(good, bad, broken, r.failing)
	return true
}

// slower is how many times as long as at first is waited once before an endpoint is called silent.
const slower = 3

// patient asks an endpoint that did not answer once more and gives it more time: one that is slow is not silent.
func (r *run) patient(first answer) answer {
	if r.left() <= 0 {
		return first
	}
	r.client.Timeouts.Answer = slower * r.patience
	a := r.send("", r.failing)
	r.client.Timeouts.Answer = r.patience
	if a.x == nil {
		return first
	}
	if timedOut(a.x) {
		r.failure, r.result.Failure = a, a.x.Describe() // as the one that was waited for longest
		return a
	}
	if a.x.FirstByte < r.patience && a.x.Took < r.patience { // it was not the time: once it answers, and once it does not
		r.silent = &first
		r.failure, r.result.Failure = a, a.x.Describe()
		return a
	}
	r.tellSlow(a)
	r.failure = a
	r.result.Failure = a.x.Describe()
	return a
}

// tellSlow says that an endpoint is slow, and gives it more time from now on.
func (r *run) tellSlow(a answer) {
	if !r.slow {
		r.result.Notes = append(r.result.Notes, fmt.Sprintf("The endpoint is slow: its answer took %.1f s. A client that waits less gives up.", a.x.Took.Seconds()))
	}
	r.slow = true
	r.patience = max(r.patience, 2*a.x.Took)
	r.client.Timeouts.Answer = r.patience
}

// notConnected names what kept the hello from being sent.
func (r *run) notConnected(first answer) {
	again := r.send("", r.failing)
	if again.x == nil {
		return
	}
	if again.x.Outcome != probe.OutcomeNotConnected {
		r.sometimesConnected(first)
		return
	}
	e := first.x.Error
	f := found{axis: AxisNetwork, evidence: "twice: " + e.Message}
	switch e.Type {
	case inspect.ErrorRefused:
		f.id, f.sentence = ConnectionRefused, "Nothing listens at "+r.Target.Address+": the connection is refused."
		f.fix = "Start the service, or correct the address or port."
	case inspect.ErrorUnreachable:
		f.id, f.sentence = Unreachable, "There is no way to "+r.Target.Address+": the network says unreachable."
		f.fix = "Look at routes and firewalls between here and there."
	case inspect.ErrorUnresolvable:
		f.id, f.sentence = Unresolvable, "The name of "+r.Target.Address+" has no address."
		f.fix = "Correct the name, or the DNS."
	case inspect.ErrorTimeout:
		f.id, f.sentence = ConnectTimeout, "Connections to "+r.Target.Address+" are not answered: the packets are dropped on the way, or the host is down."
		f.fix = "Look at firewalls and security groups between here and there."
	default:
		r.result.Tried = append(r.result.Tried, "connecting: "+e.Message)
		return
	}
	r.add(f)
}

// notTLS names an endpoint that does not speak TLS.
func (r *run) notTLS(x *probe.Exchange) {
	protocol, summary := "unknown", ""
	if x.Plain != nil {
		protocol, summary = x.Plain.Protocol, x.Plain.Summary
	}
	f := found{axis: AxisNotTLS, id: OtherProtocol, evidence: fmt.Sprintf("the hello is answered by \"%s\"", summary)} // which is printable
	switch wire.Protocol(protocol) {
	case wire.ProtocolHTTPResponse, wire.ProtocolHTTP, wire.ProtocolHTTP2:
		f.id, f.sentence = PlainHTTP, "The port speaks HTTP without TLS: it answers the hello with an HTTP error."
		f.fix = "Use the port that speaks TLS, or configure TLS on this one (nginx: listen … ssl)."
	case wire.ProtocolSMTP, wire.ProtocolIMAP, wire.ProtocolPOP3, wire.ProtocolFTP, wire.ProtocolXMPP, wire.ProtocolLDAP, wire.ProtocolMySQL:
		f.sentence = fmt.Sprintf("The port speaks %s, which begins without TLS.", protocol)
		f.fix = fmt.Sprintf("Ask for TLS first (--starttls %s), or use the port on which %s begins with TLS.", protocol, protocol)
	case wire.ProtocolUnknown:
		f.sentence = "The port does not speak TLS: what it answers is none of the protocols that are known here."
	default:
		f.sentence = fmt.Sprintf("The port does not speak TLS but %s.", protocol)
	}
	r.add(f)
}
