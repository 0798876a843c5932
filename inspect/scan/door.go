package scan

import (
	"context"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/probe"
)

// whyShut is why nothing is asked any more of an endpoint that has stopped answering.
const whyShut = "the endpoint stopped answering"

// After so many connections in a row without an answer the endpoint is asked, with nothing beside it, whether it answers at all; it has so many
// attempts to show it.
const (
	tailOfShut     = 12
	attemptsAtDoor = 3
)

// knock finds out whether an endpoint has stopped answering: a limit on connections shuts the door, and every connection into it counts for the
// next period. All others wait for the answer, so that it is none about many connections at a time.
func (s *session) knock(ctx context.Context) {
	if s.paper != nil || !s.suspicious() {
		return
	}
	s.door.Lock()
	defer s.door.Unlock()
	for attempt := range attemptsAtDoor {
		if !s.suspicious() || s.spent() || attempt > 0 && !wait(ctx, connectPause<<attempt) || ctx.Err() != nil {
			return
		}
		if x := s.once(ctx, s.control.Fresh(), probe.Options{Until: probe.UntilHello, NoRetry: true}); x.Hello == nil {
			return // it was not asked
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tail > 0 && ctx.Err() == nil {
		s.shut, s.random = s.replies, 0 // what was closed, was closed by this
	}
}

// suspicious reports whether there was no answer for a while, of an endpoint that gave some.
func (s *session) suspicious() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shut == 0 && s.tail >= tailOfShut && s.control != nil
}

// shutAfter is the number of connections that were answered before the endpoint stopped answering; 0: it did not.
func (s *session) shutAfter() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shut
}

// endShut takes back what rests on connections that were closed alone, where the endpoint closed the door on all of them in the end.
func (s *session) endShut(r *Report) {
	if s.shutAfter() == 0 {
		return
	}
	take := func(about string, answers map[string]Answer) {
		for name, a := range answers {
			if a.Reply == No && a.cut {
				a.Reply, a.refused, a.cut = Inconclusive, false, false
				a.Evidence += "; but " + whyShut + " altogether"
				answers[name] = a
				s.doubt(about, name+": "+a.Evidence)
			}
		}
	}
	take(WhatVersions, r.VersionAnswers)
	take("", r.Features)
	take("", r.Resumption)
	for i := range r.SNI {
		if n := &r.SNI[i]; n.Reply == No && n.cut {
			n.Reply = Inconclusive
			n.Evidence += "; but " + whyShut + " altogether"
		}
	}
	for _, e := range s.ends {
		if e.cut && !slices.Contains(s.about, e.about) {
			s.doubt(e.about, e.about+": there may be more than were found, as "+whyShut)
		}
	}
}
