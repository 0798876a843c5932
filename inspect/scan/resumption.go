package scan

import (
	"context"
	"fmt"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Ways to take up a session.
const (
	ResumeID     = "session_id"
	ResumeTicket = "ticket" // RFC 5077
	ResumePSK    = "psk"    // TLS 1.3
)

// resuming is one way, as hellos without a session.
type resuming struct {
	name  string
	hello func() *probe.Hello
}

// ways are those that fit what is spoken.
func (s *session) ways(r *Report) []resuming {
	var ways []resuming
	if group, ok := r.shareable(); ok && r.accepts(wire.VersionTLS13) {
		ways = append(ways, resuming{ResumePSK, func() *probe.Hello {
			h := s.shared(r.modern(), group)
			h.SetGroups(group) // an endpoint with an order of its own would send a HelloRetryRequest, and resume behind that only
			h.SetKeyShares(group)
			return h
		}})
	}
	if v, ok := r.oldest12(); ok && v > wire.VersionSSLv3 && !s.target.Endpoint.QUIC {
		ways = append(ways,
			resuming{ResumeTicket, func() *probe.Hello { return s.whole(r, v) }},
			resuming{ResumeID, func() *probe.Hello {
				h := s.whole(r, v)
				h.Remove(wire.ExtensionSessionTicket)
				return h
			}})
	}
	return ways
}

// resumption makes a session in each way, and offers it in a second connection. An endpoint of several processes that share no
// cache takes up some: a refusal is believed after another attempt.
func (s *session) resumption(ctx context.Context, r *Report, note func(way string, a Answer)) {
	var questions []func()
	for _, w := range s.ways(r) {
		questions = append(questions, func() {
			given, a := s.newSession(ctx, w)
			if given != nil {
				a = s.takenUp(ctx, w, given)
			}
			note(w.name, a)
			s.mu.Lock()
			defer s.mu.Unlock()
			if given != nil && w.name != ResumeID {
				r.TicketLifetime = max(r.TicketLifetime, given.Lifetime)
				r.MaxEarlyData = max(r.MaxEarlyData, given.MaxEarlyData)
			}
		})
	}
	together(questions...)
}

// newSession goes through a handshake, and gives what was handed out.
func (s *session) newSession(ctx context.Context, w resuming) (*probe.Session, Answer) {
	x := s.persist(ctx, w.hello(), probe.Options{Until: probe.UntilFinished})
	switch {
	case len(x.Sessions) > 0 && (w.name == ResumeID) == (len(x.Sessions[0].Ticket) == 0):
		return x.Sessions[0], Answer{}
	case x.Finished && w.name == ResumeID:
		return nil, Answer{Reply: No, Attempts: 1, Evidence: "no session id is given"}
	case x.Finished:
		return nil, Answer{Reply: No, Attempts: 1, Evidence: "no ticket is handed out"}
	}
	return nil, Answer{Reply: Inconclusive, Attempts: 1, Evidence: "no handshake was finished: " + x.Describe()}
}

// takenUp offers a session, a second time if need be.
func (s *session) takenUp(ctx context.Context, w resuming, given *probe.Session) Answer {
	var x *probe.Exchange
	for attempt := 1; attempt <= 2; attempt++ {
		h := w.hello()
		h.Resume(given)
		options := probe.Options{Until: probe.UntilHello, NoRetry: true}
		if w.name != ResumePSK {
			options.Until = probe.UntilFlight // that it is taken up shows behind the ServerHello
		}
		x = s.ask(ctx, h, options)
		if x.Resumed {
			evidence := "taken up"
			if attempt > 1 {
				evidence = "taken up in the second attempt: not all processes or nodes share sessions"
			}
			return yes(attempt, evidence)
		}
	}
	if natureOf(x) != chosen || x.RetryRequest != nil && x.ServerHello == nil { // whether it is taken up would show behind a second hello
		return Answer{Reply: Inconclusive, Attempts: 2, Evidence: x.Describe()}
	}
	return Answer{Reply: No, Attempts: 2, Evidence: "a full handshake instead, each time"}
}

// Across is whether a session of one address is taken up at another.
type Across struct {
	From string `json:"from"`
	To   string `json:"to"`
	Way  string `json:"way"`
	Answer
}

// across takes sessions of the first address to the others.
func (s *Scanner) across(ctx context.Context, e *Endpoint, target Target) []Across {
	var out []Across
	for i, r := range e.Reports {
		if r.newest() == 0 || i > 0 && e.Reports[0].newest() == 0 {
			return out
		}
	}
	first := e.Reports[0]
	from := target
	from.Endpoint.Address = first.Address
	giver := newSession(s, &from)
	for _, w := range giver.ways(first) {
		if first.Resumption[w.name].Reply != Yes {
			continue
		}
		for _, r := range e.Reports[1:] {
			given, _ := giver.newSession(ctx, w)
			if given == nil {
				continue
			}
			to := target
			to.Endpoint.Address = r.Address
			taker := newSession(s, &to)
			out = append(out, Across{From: first.Address, To: r.Address, Way: w.name, Answer: taker.takenUp(ctx, w, given)})
			first.Connections += giver.connections + taker.connections
			giver.connections = 0
		}
	}
	return out
}

// unshared are the ways in which a session of one address is not taken up at another, in a sentence; empty: all are.
func unshared(all []Across) string {
	for _, a := range all {
		if a.Reply == No {
			return fmt.Sprintf("a session of %s is not taken up at %s (%s)", a.From, a.To, a.Way)
		}
	}
	return ""
}
