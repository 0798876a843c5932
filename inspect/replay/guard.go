package replay

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
)

// guard watches a target for the pattern of a firewall or a rate limiter: it answered, and from some point on it answers nobody. A
// server that resets one kind of client answers the others in between; what tells the two apart is a hello that was
// answered before, sent once more.
type guard struct {
	limit int  // exchanges without an answer in a row before the question is asked
	quic  bool // it watches what goes over QUIC, where nobody says that nobody is there

	mu                  sync.Mutex
	known               *probe.Hello  // that was answered
	silent              []*Result     // since the last answer
	doubtful            []*Result     // that came when the door was shut
	asked               chan struct{} // closed when what was asked is judged; nil: nothing is asked
	blocked             string        // why; empty: it is not
	answered, connected bool
}

const (
	noConnection = "no connection could be made: "
	noDatagram   = "nothing ever came back over QUIC: " // a port without a listener, a firewall or a listener that is silent
)

// reached reports whether an exchange shows that something is there that takes connections. Over UDP nothing but an answer shows that.
func reached(x *probe.Exchange, quic bool) bool {
	if quic {
		return x.Received > 0
	}
	if x.Outcome == probe.OutcomeNotConnected {
		return x.Error != nil && x.Error.Type == inspect.ErrorReset // it was made, and ended before this program was told
	}
	return true
}

// answers reports whether an exchange shows that somebody is there who reads hellos.
func answers(x *probe.Exchange) bool {
	switch x.Outcome {
	case probe.OutcomeServerHello, probe.OutcomeRetryRequest, probe.OutcomeAlert, probe.OutcomeNotTLS:
		return true
	}
	return false
}

// note takes an exchange into account. ask: the caller is to send known once more and to tell judge what came of it.
func (g *guard) note(r *Result, hello *probe.Hello) (known *probe.Hello, ask bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.connected = g.connected || reached(r.Exchange, g.quic)
	if answers(r.Exchange) {
		g.answered = true
		if g.known == nil || r.Answer.Accepted {
			g.known = hello
		}
		// Those that ended before this one began met an endpoint that still answered.
		g.silent = slices.DeleteFunc(g.silent, func(r2 *Result) bool { return ended(r2.Exchange).Before(r.Exchange.Began) })
		return nil, false
	}
	g.silent = append(g.silent, r)
	if g.blocked != "" {
		g.doubtful = append(g.doubtful, r)
	}
	if len(g.silent) < g.limit || g.asked != nil || g.blocked != "" {
		return nil, false
	}
	return g.question(r.Name)
}

func ended(x *probe.Exchange) time.Time { return x.Began.Add(x.Took) }

// question is the hello that tells whether anybody answers. The caller holds the lock.
func (g *guard) question(name string) (known *probe.Hello, ask bool) {
	g.asked = make(chan struct{})
	switch {
	case g.known != nil:
		return g.known.Clone().Fresh(), true
	case g.quic:
		hello := probe.Modern(name).ForQUIC(0)
		hello.SetALPN("h3")
		return hello, true
	}
	return probe.Modern(name), true
}

// last asks once more at the end of a run whose last exchanges had no answer.
func (g *guard) last() (known *probe.Hello, ask bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.quic && !g.connected && len(g.silent) > 0 && g.blocked == "" {
		g.blocked = noConnection + g.silent[0].Exchange.Describe()
		g.doubtful = g.silent
	}
	if len(g.silent) == 0 || g.asked != nil || g.blocked != "" || !g.answered && !(g.quic && !g.connected) {
		return nil, false
	}
	return g.question(g.silent[0].Name)
}

// judge ends what note asked for. Without an exchange the question could not be put.
func (g *guard) judge(x *probe.Exchange) {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.asked)
	g.asked = nil
	if x == nil {
		return
	}
	g.connected = g.connected || reached(x, g.quic)
	switch {
	case answers(x):
		g.silent = slices.DeleteFunc(g.silent, func(r *Result) bool { return ended(r.Exchange).Before(x.Began) }) // it is these clients that it does not answer
		return
	case g.answered:
		g.blocked = "it answered before, and now not even a hello that it accepted: a firewall or a rate limiter has shut the door (" + x.Describe() + ")"
	case !g.connected && g.quic:
		g.blocked = noDatagram + x.Describe()
	case !g.connected:
		g.blocked = noConnection + x.Describe()
	default:
		g.blocked = "it answers nobody: " + x.Describe()
	}
	g.doubtful, g.silent = g.silent, nil
}

// await is until nothing is asked, or ctx ends: nobody else knocks at a door that may be shut. waited: something was asked.
func (g *guard) await(ctx context.Context) (waited bool) {
	for ctx.Err() == nil {
		g.mu.Lock()
		asked := g.asked
		g.mu.Unlock()
		if asked == nil {
			break
		}
		waited = true
		select {
		case <-asked:
		case <-ctx.Done():
		}
	}
	return waited
}

// nothingCame reports whether whatever was sent over QUIC went into the dark so far.
func (g *guard) nothingCame() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.quic && !g.connected
}

// stopped is why no more is to be sent to the target; empty: go on.
func (g *guard) stopped() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.blocked
}

// mark takes back what is doubtful. Nobody else uses the results any more.
func (g *guard) mark() {
	for _, r := range g.doubtful {
		r.Answer.Undetermined = "the endpoint answered nobody then"
	}
}
