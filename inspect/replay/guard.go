package replay

import (
	"slices"
	"sync"
	"time"

	"github.com/tlstriage/tlstriage/inspect/probe"
)

// guard watches a target for the pattern of a firewall or a rate limiter: it answered, and from some point on it answers nobody. A
// server that resets one kind of client answers the others in between; what tells the two apart is a hello that was
// answered before, sent once more.
type guard struct {
	limit int // exchanges without an answer in a row before the question is asked

	mu                  sync.Mutex
	known               *probe.Hello // that was answered
	quic                bool         // known was sent over QUIC
	silent              []*Result    // since the last answer
	doubtful            []*Result    // that came when the door was shut
	asking              bool
	blocked             string // why; empty: it is not
	answered, connected bool
}

const noConnection = "no connection could be made: "

// answers reports whether an exchange shows that somebody is there who reads hellos.
func answers(x *probe.Exchange) bool {
	switch x.Outcome {
	case probe.OutcomeServerHello, probe.OutcomeRetryRequest, probe.OutcomeAlert, probe.OutcomeNotTLS:
		return true
	}
	return false
}

// note takes an exchange into account. ask: the caller is to send known once more and to tell judge what came of it.
func (g *guard) note(r *Result, hello *probe.Hello) (known *probe.Hello, quic, ask bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.connected = g.connected || r.Exchange.Outcome != probe.OutcomeNotConnected
	if answers(r.Exchange) {
		g.answered = true
		if g.known == nil || r.Answer.Accepted {
			g.known, g.quic = hello, r.Subject.QUIC
		}
		// Those that ended before this one began met an endpoint that still answered.
		g.silent = slices.DeleteFunc(g.silent, func(r2 *Result) bool { return ended(r2.Exchange).Before(r.Exchange.Began) })
		return nil, false, false
	}
	g.silent = append(g.silent, r)
	if g.blocked != "" {
		g.doubtful = append(g.doubtful, r)
	}
	if len(g.silent) < g.limit || g.asking || g.blocked != "" {
		return nil, false, false
	}
	return g.question(r.Name)
}

func ended(x *probe.Exchange) time.Time { return x.Began.Add(x.Took) }

// question is the hello that tells whether anybody answers. The caller holds the lock.
func (g *guard) question(name string) (known *probe.Hello, quic, ask bool) {
	g.asking = true
	if g.known == nil {
		return probe.Modern(name), false, true
	}
	return g.known.Clone().Fresh(), g.quic, true
}

// last asks once more at the end of a run whose last exchanges had no answer.
func (g *guard) last() (known *probe.Hello, quic, ask bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.connected && len(g.silent) > 0 && g.blocked == "" {
		g.blocked = noConnection + g.silent[0].Exchange.Describe()
		g.doubtful = g.silent
	}
	if len(g.silent) == 0 || g.asking || g.blocked != "" || !g.answered {
		return nil, false, false
	}
	return g.question(g.silent[0].Name)
}

// judge ends what note asked for.
func (g *guard) judge(x *probe.Exchange) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asking = false
	switch {
	case answers(x):
		g.silent = slices.DeleteFunc(g.silent, func(r *Result) bool { return ended(r.Exchange).Before(x.Began) }) // it is these clients that it does not answer
		return
	case g.answered:
		g.blocked = "it answered before, and now not even a hello that it accepted: a firewall or a rate limiter has shut the door (" + x.Describe() + ")"
	case !g.connected && x.Outcome == probe.OutcomeNotConnected:
		g.blocked = noConnection + x.Describe()
	default:
		g.blocked = "it answers nobody: " + x.Describe()
	}
	g.doubtful, g.silent = g.silent, nil
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
