package why

import (
	"fmt"
	"slices"

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
	if first.x.Outcome == probe.OutcomeTimeout {
		if first = r.patient(first); first.x == nil {
			return
		}
	}
	if r.repeat(first) || r.overQUIC(first) {
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
		if first.x.Plain != nil {
			r.notTLS(first.x)
			return
		}
		r.withoutControl()
		return
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
	if a.x.Outcome == probe.OutcomeTimeout {
		r.failure, r.result.Failure = a, a.x.Describe() // as the one that was waited for longest
		return a
	}
	if a.x.FirstByte < r.patience && a.x.Took < r.patience { // it was not the time: once it answers, and once it does not
		r.silent = &first
		r.failure, r.result.Failure = a, a.x.Describe()
		return a
	}
	r.slow = true
	r.patience = max(r.patience, 2*a.x.Took)
	r.client.Timeouts.Answer = r.patience
	r.failure = a
	r.result.Failure = a.x.Describe()
	r.result.Notes = append(r.result.Notes, fmt.Sprintf("The endpoint is slow: its answer took %.1f s. A client that waits less gives up.", a.x.Took.Seconds()))
	return a
}

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
	f := found{axis: AxisNotTLS, id: OtherProtocol, evidence: fmt.Sprintf("the hello is answered by %q", summary)}
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

// accepts looks closer at an endpoint that accepts the hello.
func (r *run) accepts(first answer) {
	r.accepted, r.working = first, r.failing
	r.result.Failure = ""
	if r.illegalChoice(first.x) || r.staleSession() {
		return
	}
	x := first.x
	if r.Target.QUIC && x.CertificateRequest != nil && r.Certificate == nil {
		r.result.Notes = append(r.result.Notes, "The endpoint asks for a client certificate. Whether it insists is not seen over QUIC, where the handshake is not finished.")
	}
	if x.CertificateRequest == nil || !x.Finished || r.Certificate != nil {
		return
	}
	// Some servers finish the handshake and tell an HTTP client afterwards that they want a certificate.
	t := r.failing
	t.hello = t.hello.Clone()
	t.hello.SetALPN()
	if r.left() <= 0 {
		return
	}
	a := r.exchange(t, probe.Options{Until: probe.UntilAnswer, Request: probe.HTTPRequest(r.host())})
	r.note("an HTTP request behind the handshake, without ALPN", t, a)
	if status, ok := wantsCertificate(a.x.Answer); ok {
		r.result.Failure = "HTTP " + status
		r.add(found{axis: AxisClientCertificate, id: ClientCertificateRequired,
			evidence: fmt.Sprintf("the handshake asks for a client certificate and is finished without one; the HTTP answer is %s", status),
			sentence: "The endpoint requires a client certificate: it finishes the handshake without one and then refuses the request (nginx: ssl_verify_client on).",
			fix:      "Give the client a certificate of one of the authorities that the endpoint names."})
	}
}

// staleSession sends a hello that resumes a session as it was recorded: a server may stumble over just that.
func (r *run) staleSession() bool {
	h := r.failing.hello
	if !h.Has(wire.ExtensionPreSharedKey) && !h.Has(wire.ExtensionEarlyData) || r.left() <= 0 {
		return false
	}
	target := r.Target
	target.Proxy = r.failing.proxy
	x := r.client.Exchange(r.ctx, target, h, probe.Options{Until: probe.UntilHello})
	a := answer{x, x.Outcome == probe.OutcomeServerHello || x.RetryRequest != nil}
	r.note("as recorded, with the pre-shared key of a session that is gone", r.failing, a)
	if a.works {
		r.result.Notes = append(r.result.Notes, "The recorded hello resumes a session; fresh hellos were sent without it.")
		return false
	}
	r.result.Failure = x.Describe()
	r.add(found{axis: AxisExtension, id: ExtensionIntolerance,
		evidence: fmt.Sprintf("with the recorded pre_shared_key: %s; without it the hello is accepted", x.Describe()),
		sentence: "The endpoint fails on the session that the client wants to resume (pre_shared_key), and accepts the same client without it.",
		fix:      "Let servers behind one name share their ticket keys, or have the client forget its sessions."})
	return true
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

// illegalChoice names a server that chooses what was not offered: it accepts the hello, and a client that looks breaks off.
func (r *run) illegalChoice(x *probe.Exchange) bool {
	h := x.Hello
	if h.SSLv2 || x.ServerHello == nil || x.Resumed {
		return false
	}
	var f found
	switch {
	case !slices.Contains(versionsOf(h), x.Version):
		f = found{axis: AxisVersion, offered: names(versionsOf(h)), accepted: []string{x.Version.String()}}
	case !slices.Contains(h.CipherSuites, x.CipherSuite):
		f = found{axis: AxisCipher, offered: names(h.CipherSuites), accepted: []string{x.CipherSuite.String()}}
	case x.ALPN != "" && !slices.Contains(h.ALPN(), x.ALPN):
		f = found{axis: AxisALPN, offered: h.ALPN(), accepted: []string{inspect.Bounded(x.ALPN)}}
	case x.Group != 0 && len(h.Groups()) > 0 && !slices.Contains(h.Groups(), x.Group):
		f = found{axis: AxisGroup, offered: names(h.Groups()), accepted: []string{x.Group.String()}}
	default:
		return false
	}
	r.result.Failure = x.Describe()
	f.id = IllegalChoice
	f.evidence = "the hello is answered by " + x.Describe() + " and " + f.accepted[0] + " was not offered"
	f.sentence = fmt.Sprintf("The endpoint chooses %s, which the client did not offer: clients break off with illegal_parameter (RFC 8446, Section 4.1.3).", f.accepted[0])
	f.fix = "Update the endpoint, or what stands before it."
	r.add(f)
	return true
}
