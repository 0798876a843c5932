package scan

import (
	"context"
	"fmt"

	"github.com/tlstriage/tlstriage/inspect/probe"
)

// Connections that are closed without a word before that is believed to be about the hello: of an endpoint that was never seen to
// close one for another reason, and of one that was.
const (
	repeatsOfSteady   = 2
	repeatsOfUnsteady = 6
)

// closedAtRandom notes that connections were closed with hellos that were answered at another time.
func (s *session) closedAtRandom(connections int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.random += connections
}

// unsteady reports whether the endpoint closes connections for reasons that do not lie in the hello.
func (s *session) unsteady() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random > 0
}

// persist asks again where the connection is closed without a word, as often as that takes to be believed.
func (s *session) persist(ctx context.Context, hello *probe.Hello, options probe.Options) *probe.Exchange {
	x := s.ask(ctx, hello, options)
	for attempt := 1; natureOf(x) == cut && attempt < s.repeats(cut); attempt++ {
		if x = s.ask(ctx, hello.Fresh(), options); natureOf(x) == chosen || natureOf(x) == said {
			s.closedAtRandom(attempt)
		}
	}
	return x
}

// repeats is how often a hello has to fail before that is believed.
func (s *session) repeats(nature nature) int {
	if nature == cut && s.unsteady() {
		return repeatsOfUnsteady
	}
	return repeatsOfSteady
}

// sureOf takes back what rests on closed connections alone, now that it is known that the endpoint closes some at random. What was
// asked about often enough stands.
func (s *session) sureOf(a Answer) Answer {
	if !a.cut || a.Reply != No || a.Attempts >= repeatsOfUnsteady || !s.unsteady() {
		return a
	}
	a.Reply, a.cut = Inconclusive, false
	a.Evidence += "; but connections are closed now and then with hellos that are answered at other times"
	return a
}

// endUnsure goes through a report in the end.
func (s *session) endUnsure(r *Report) {
	if !s.unsteady() {
		return
	}
	take := func(about string, answers map[string]Answer) {
		for name, a := range answers {
			if sure := s.sureOf(a); sure.Reply != a.Reply {
				answers[name] = sure
				s.doubt(about, name+": "+sure.Evidence)
			}
		}
	}
	take(WhatVersions, r.VersionAnswers)
	take("", r.Tolerance)
	take("", r.Features)
	take("", r.Resumption)
	for i := range r.SNI {
		n := &r.SNI[i]
		a := s.sureOf(Answer{Reply: n.Reply, Attempts: n.attempts, Evidence: n.Evidence, cut: n.cut})
		n.Reply, n.Evidence = a.Reply, a.Evidence
	}
}

// stillThere finds out whether an endpoint that has not answered for a while has stopped answering at all.
func (s *session) stillThere(ctx context.Context, r *Report) {
	s.mu.Lock()
	tail, replies := s.tail, s.replies
	r.ClosedAtRandom = s.random
	s.mu.Unlock()
	if tail < 3 || ctx.Err() != nil || s.spent() {
		return
	}
	for range repeatsOfSteady {
		if x := s.ask(ctx, s.known(r), probe.Options{Until: probe.UntilHello, NoRetry: true}); natureOf(x) == chosen || natureOf(x) == said {
			return
		}
	}
	if ctx.Err() == nil && !s.spent() {
		r.StoppedAfter = replies
		s.doubt("", fmt.Sprintf("the endpoint stopped answering after %d connections", replies))
	}
}

// spent reports whether no connection may be made any more.
func (s *session) spent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connections >= s.most()
}

// insist asks again about a version that was refused by closed connections alone, once it is known that the endpoint closes some at
// random.
func (s *session) insist(ctx context.Context, e *enumerated) *enumerated {
	for e.answer.cut && e.answer.Attempts < repeatsOfUnsteady && s.unsteady() {
		x := s.ask(ctx, s.small(e.version), probe.Options{Until: probe.UntilHello, NoRetry: true})
		attempts := e.answer.Attempts + 1
		switch {
		case versionOf(x) == e.version:
			s.closedAtRandom(e.answer.Attempts)
			return s.enumerate(ctx, e.version)
		case versionOf(x) != 0:
			e.answer = Answer{Reply: No, Attempts: attempts, Evidence: "answered with " + versionOf(x).String()}
		case natureOf(x) == cut || natureOf(x) == said:
			e.answer = refusal(x, attempts)
		default:
			return e
		}
	}
	return e
}
