package why

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"slices"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/fingerprint"
	"github.com/tlstriage/tlstriage/inspect/probe"
)

// DefaultBudget is how many connections an experiment makes at most, unless it is told otherwise.
const DefaultBudget = 60

// Experiment is the question why an endpoint does not accept a hello.
type Experiment struct {
	Client *probe.Client // makes the connections; nil: a probe.Client with timeouts for experiments
	Target probe.Target
	Hello  *probe.Hello // the hello in question; each connection gets a fresh one of its form
	// Names are server names that may be right, the likeliest first: of the target, or told by the user. They are tried when
	// the hello's own is not accepted, or it has none.
	Names       []string
	Certificate *tls.Certificate // that the client presents when it is asked; nil: none
	// Addresses are those behind the name of the target, HOST:PORT each, where it is a name: each is asked, and the experiment is made
	// with one. None: Target.Address is dialled as it is.
	Addresses []string
	Budget    int // connections at most; 0: DefaultBudget
}

// trial is what is sent in one connection.
type trial struct {
	hello *probe.Hello
	proxy *probe.ProxyHeader
}

// answer is what came of it.
type answer struct {
	x     *probe.Exchange
	works bool
}

// run is one experiment in the making.
type run struct {
	*Experiment
	ctx       context.Context
	client    *probe.Client
	result    *Result
	failing   trial  // the hello in question
	failure   answer // to it
	working   trial  // the hello that works, as near to it as the walk has come
	accepted  answer // to that
	largest   int    // bytes of the largest hello that worked
	sizes     []int  // bytes of the hellos that worked
	causes    []found
	causal    map[Axis]bool
	size      *sizeFound            // nil: size does not matter
	evenness  *int                  // nil: it does not matter whether the number of suites is even; otherwise what is left of it by 2
	pace      time.Duration         // before each connection, for an endpoint that limits them
	outcomes  map[probe.Outcome]int // of what was sent without changing what goes before TLS
	patience  time.Duration         // the longest that an answer is waited for
	usual     time.Duration         // what it was at first
	slowest   time.Duration         // the longest that any answer took
	silent    *answer               // to the first hello, where the second one was answered in no time
	slow      bool                  // it answered only when it was given more time
	most      map[string]int        // by id of the cause that they would be: how many of a countable worked
	limits    map[string]int        // those that were found
	cut       bool                  // a question that matters could not be asked for want of connections
	confirmed bool                  // the walk came to its end
	unknown   bool                  // the endpoint fails on every extension that it does not know
	keepsID   bool                  // the endpoint needs a session id
	minded    string                // the kind of the last answer to a step that failed
	differ    *found                // that the addresses behind the name do
	cutting   bool                  // the connection is ended when the client's Finished comes: nothing else follows that, so that it is known why
	provoked  bool                  // it is reset when anything follows the handshake
	history   []event
	blocked   bool // the endpoint limits connections, and did so in the middle of the experiment
	provokes  bool // a request behind the handshake makes it cut the connection, perhaps
	banned    bool // it did not accept again what it had accepted, also after pauses
	cuts      bool // it cuts connections for what hellos hold, or too often to be asked again each time
	excused   int  // connections that were cut and answered when they were made again
}

// Timeouts of experiments: an endpoint that answers at all answers at once, and silence is asked many times.
const (
	dialTimeout   = 5 * time.Second
	answerTimeout = 3 * time.Second
	finishTimeout = time.Second
	shortAnswer   = 400 * time.Millisecond  // once the endpoint has answered anything, or shown that it does not
	lateFinish    = 1500 * time.Millisecond // where connections are cut, and the endpoint cannot be asked to show that it goes along
	longestFinish = 5 * time.Second         // where connections are cut, and that takes long
)

// answerTimes is how many times as long as the slowest answer took to begin one is waited for, where silence is not waited for long.
const answerTimes = 4

// cutTimes is how many times as long as the slowest connection that was cut one is waited for to be.
const cutTimes = 4

// Run makes the experiment. Cancelling ctx ends it with what is known by then.
func (e *Experiment) Run(ctx context.Context) *Result {
	began := time.Now()
	r := &run{Experiment: e, ctx: ctx, causal: map[Axis]bool{}, most: map[string]int{}, limits: map[string]int{}, outcomes: map[probe.Outcome]int{}, failing: trial{e.Hello, e.Target.Proxy}}
	client := probe.Client{}
	if e.Client != nil {
		client = *e.Client
	}
	client.Timeouts = probe.Timeouts{
		Dial: orDefault(client.Timeouts.Dial, dialTimeout), Preface: client.Timeouts.Preface, Answer: orDefault(client.Timeouts.Answer, answerTimeout),
		Finish: orDefault(client.Timeouts.Finish, finishTimeout), Idle: client.Timeouts.Idle,
	}
	if client.Describer == nil {
		client.Describer = &inspect.Describer{}
	}
	r.client, r.patience, r.usual = &client, client.Timeouts.Answer, client.Timeouts.Answer
	r.result = &Result{Target: e.Target.Address, ServerName: inspect.Bounded(e.Hello.ServerName()), HelloSize: e.Hello.Size(), Verdict: Undetermined}
	if view, err := e.Hello.View(); err == nil {
		r.result.Shape = fingerprint.Shape(view)
	}
	if r.addresses() {
		r.investigate()
	}
	r.conclude()
	r.result.finish(began)
	return r.result
}

func orDefault(d, v time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return v
}

func (r *run) budget() int {
	if r.Budget > 0 {
		return r.Budget
	}
	return DefaultBudget
}

// left is how many connections may still be made.
func (r *run) left() int {
	if r.ctx.Err() != nil {
		return 0
	}
	return r.budget() - len(r.result.Probes)
}

// send makes one connection. change says in words what is different from the hello in question. Without anything left it gives
// an answer without an exchange, and the experiment ends where it is.
func (r *run) send(change string, t trial) answer {
	if r.left() <= 0 {
		r.result.Exhausted = true
		return answer{}
	}
	if r.pace > 0 {
		r.wait(r.pace)
	}
	a := r.exchange(t, probe.Options{Until: probe.UntilFinished, Certificate: r.Certificate})
	if a.x.Nudged && a.x.Cut != "" { // late, or for what followed the handshake: that is not known
		a.works, r.provokes = false, true
		r.note(change, t, a)
		r.history = r.history[:len(r.history)-1]
		r.client.Timeouts.Finish = max(r.client.Timeouts.Finish, lateFinish)
		return r.send(change+", again, with nothing behind the handshake", t)
	}
	r.note(change, t, a)
	if r.failure.x != nil && !timedOut(r.failure.x) {
		return r.unlike(change, t, r.patiently(change, t, a)) // an endpoint that is not silent otherwise
	}
	return a
}

// expect sends what worked before: silence is not believed at once, whatever the endpoint does to other hellos.
func (r *run) expect(change string, t trial) answer {
	a := r.send(change, t)
	if a.x == nil || !timedOut(r.failure.x) {
		return a
	}
	return r.patiently(change, t, a)
}

// patiently asks once more, and waits longer, when nothing came: somebody may have been busy.
func (r *run) patiently(change string, t trial, a answer) answer {
	if !timedOut(a.x) || r.left() <= 0 {
		return a
	}
	short, begun := r.client.Timeouts.Answer, a.x.Received > 0
	r.client.Timeouts.Answer = max(r.patience, min(slower*r.slowest, slower*r.usual))
	a = r.exchange(t, probe.Options{Until: probe.UntilFinished, Certificate: r.Certificate})
	r.client.Timeouts.Answer = short
	r.note(change+", again, as nothing came", t, a)
	// That it was the time shows in when the answer began, or in that a part of it came in the time there was.
	switch late := a.x.FirstByte >= short || a.works && (begun || a.x.Took-r.client.Timeouts.Finish >= short); {
	case late && short >= r.usual:
		r.tellSlow(a)
	case late: // it was waited for shortly
		r.client.Timeouts.Answer = max(r.client.Timeouts.Answer, min(2*a.x.Took, r.patience))
	}
	return a
}

// timedOut reports whether an exchange ended because what was waited for did not come: nothing at all, or not all of it.
func timedOut(x *probe.Exchange) bool {
	return x.Outcome == probe.OutcomeTimeout || x.Error != nil && x.Error.Type == inspect.ErrorTimeout
}

// exchange is a connection that is not yet in the result.
func (r *run) exchange(t trial, o probe.Options) answer {
	target := r.Target
	target.Proxy = t.proxy
	own := r.fitted(t)
	if r.Target.QUIC && t.hello != r.failing.hello {
		own = own.ForQUIC(r.Target.QUICVersion)
	}
	hello := own.Fresh()
	if r.keepsID && !target.QUIC && t.hello != r.failing.hello && !hello.SSLv2 && len(hello.SessionID) == 0 {
		hello.SessionID = make([]byte, 32)
		_, _ = rand.Read(hello.SessionID) // never fails
	}
	if target.QUIC {
		o.Until = min(o.Until, probe.UntilFlight) // further it does not go
	}
	if r.cutting && o.Until == probe.UntilFinished {
		o.Until, o.Request = probe.UntilAnswer, nil
		if !r.provokes {
			o.Nudge = probe.HTTPRequest(r.host())
		}
	}
	x := r.client.Exchange(r.ctx, target, hello, o)
	if r.cutting {
		return answer{x, finishes(x)}
	}
	return answer{x, works(x)}
}

func (r *run) note(change string, t trial, a answer) {
	if a.x.FirstByte > 0 { // silence is that of an endpoint that answers as fast as this one
		r.client.Timeouts.Answer = max(r.client.Timeouts.Answer, min(answerTimes*a.x.FirstByte, r.patience))
	}
	if r.slowest = max(r.slowest, a.x.FirstByte); a.works {
		r.slowest = max(r.slowest, a.x.Took)
	}
	if a.works {
		r.largest = max(r.largest, a.x.Hello.Size())
		if t.proxy == r.failing.proxy && !slices.Contains(r.sizes, a.x.Hello.Size()) {
			r.sizes = append(r.sizes, a.x.Hello.Size())
		}
		for _, c := range countables() {
			r.most[c.id] = max(r.most[c.id], c.of(a.x.Hello))
		}
	}
	if t.proxy == r.failing.proxy {
		r.outcomes[a.x.Outcome]++
	}
	if r.cutting && ended(a.x) { // who cuts later than that goes along
		r.client.Timeouts.Finish = max(r.client.Timeouts.Finish, min(cutTimes*a.x.Took, longestFinish))
	}
	r.remember(t, a)
	if r.result.Address == "" && a.x.Address.IsValid() {
		r.result.Address = a.x.Address.String()
	}
	r.result.Probes = append(r.result.Probes, Probe{
		Number: len(r.result.Probes) + 1, Change: change, Size: a.x.Hello.Size(), Outcome: a.x.Outcome, Answer: inspect.Bounded(a.x.Describe()), Works: a.works,
		DurationMS: float64(a.x.Took.Microseconds()) / 1000,
	})
}

// wait lets time pass.
func (r *run) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.ctx.Done():
	}
}

// works reports whether the endpoint accepts a hello: the handshake went as far as it can be taken here. One that ends because the
// client has no certificate, or the wrong one, has accepted the hello.
func works(x *probe.Exchange) bool {
	if x.ServerHello == nil && x.SSLv2ServerHello == nil {
		return false
	}
	if certificateRefused(x) {
		return true
	}
	return x.Alert == nil && (x.Error == nil || x.Error.Type == inspect.ErrorUnsupported)
}

// certificateRefused reports whether the handshake ended because of the client's certificate.
func certificateRefused(x *probe.Exchange) bool {
	if x.CertificateRequest == nil || !x.Flight || x.Finished {
		return false
	}
	if x.Alert != nil {
		return x.Alert.Moment == probe.AfterFinished
	}
	return x.Error != nil && x.Error.Type != inspect.ErrorUnsupported
}

// kind is an answer as far as two answers are compared by it: what ended the exchange.
func kind(x *probe.Exchange) string {
	switch {
	case x == nil:
		return "nothing"
	case works(x):
		return "works"
	case x.Alert != nil:
		return fmt.Sprintf("alert %d", x.Alert.Description)
	case x.Error != nil:
		return string(x.Error.Type)
	}
	return string(x.Outcome)
}
