package why

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// ended reports whether an exchange was ended when the server had our Finished, without a word.
func ended(x *probe.Exchange) bool {
	return x != nil && x.Replied && !x.Finished && x.Alert == nil && x.Error != nil && (x.Error.Type == inspect.ErrorReset || x.Error.Type == inspect.ErrorClosed) && !certificateRefused(x)
}

// cutBehindHandshake looks into a connection that was ended when the server had our Finished. Before TLS 1.3 the server's own Finished
// is missing then. In TLS 1.3 it may be what followed the handshake that was minded, and a connection on which nothing does tells.
func (r *run) cutBehindHandshake(first answer) answer {
	defer func() {
		if r.cutting { // who does not end the connection within a few round trips goes along, unless that takes longer here
			r.client.Timeouts.Finish = max(min(r.client.Timeouts.Finish, max(shortAnswer, roundTrips*first.x.Dialled)), min(cutTimes*first.x.Took, longestFinish))
		}
	}()
	if ended(first.x) {
		r.cutting = true
		return first
	}
	if !first.works || first.x.Cut == "" || r.left() <= 0 {
		return first
	}
	a := r.exchange(r.failing, probe.Options{Until: probe.UntilAnswer, Certificate: r.Certificate})
	r.cutting = a.x.Cut != ""
	r.provoked = a.works && first.x.Cut == inspect.ErrorReset
	if r.cutting { // the first one did not work either
		p := &r.result.Probes[len(r.result.Probes)-1]
		p.Works, p.Answer = false, a.x.Describe()
		r.history, r.sizes, r.largest = nil, nil, 0
		clear(r.most)
		r.failure, r.result.Failure = a, a.x.Describe()
		first = a
	}
	r.note("nothing behind the handshake", r.failing, a)
	return first
}

// finishes reports whether a hello is accepted where others are cut when the client's Finished comes: the handshake has to be finished.
func finishes(x *probe.Exchange) bool {
	return works(x) && (x.Error == nil || x.Error.Type != inspect.ErrorUnsupported)
}

// behindHandshake asks an endpoint that reset a connection behind the handshake something that is no end of it.
func (r *run) behindHandshake() {
	if !r.provoked || r.left() <= 0 {
		r.provoked = false
		return
	}
	t := r.failing
	t.hello = t.hello.Clone()
	t.hello.SetALPN()
	a := r.exchange(t, probe.Options{Until: probe.UntilAnswer, Certificate: r.Certificate, Request: probe.HTTPRequest(r.host())})
	r.note("an HTTP request behind the handshake, without ALPN", t, a)
	if r.provoked = a.x.Cut == inspect.ErrorReset; r.provoked {
		r.result.Notes = append(r.result.Notes, "An end of the connection (close_notify) and an HTTP request behind the handshake were both answered by a reset: what stands before the endpoint does not let it through, or the application is not well, or speaks something else.")
	}
}

// nobodyFinishes names an endpoint that chooses, and ends every connection when the client's Finished comes, whatever the hello was.
func (r *run) nobodyFinishes() bool {
	cut, refused := 0, 0
	for _, e := range r.history {
		switch {
		case ended(e.x):
			cut++
		case e.x.ServerHello != nil && e.x.Version >= wire.VersionTLS10:
			return false // it is not that, or not that alone
		default:
			refused++
		}
	}
	x := r.failure.x
	how := "resets the connection"
	if x.Error.Type == inspect.ErrorClosed {
		how = "closes the connection"
	}
	evidence := fmt.Sprintf("%d hellos of every kind were answered, and the connection was ended when the client's Finished came and before anything else did (%s)", cut, x.Describe())
	if refused > 0 {
		evidence += fmt.Sprintf("; %d others got no ServerHello", refused)
	}
	r.add(found{axis: AxisNetwork, id: HandshakeCut, evidence: evidence,
		sentence: fmt.Sprintf("The endpoint accepts hellos and %s as soon as the client's Finished comes, without an alert, whatever of what was tried the hello says: a device that lets the first bytes pass and nothing behind them, an endpoint that crashes, or one whose service behind TLS is not there.", how),
		fix:      "Look at what stands before the endpoint (inspection, limits), at what it hands connections on to, and at its own log."})
	return true
}
