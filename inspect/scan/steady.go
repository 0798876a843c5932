package scan

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// How often a hello has to fail in the same way before that is believed: of an endpoint that was never seen to answer one hello in
// two ways, and of one that was.
const (
	repeatsOfSteady   = 2
	repeatsOfUnsteady = 6
)

// shape is a hello without what differs between two that are made alike: its random, its session id, the keys of its shares.
type shape [sha256.Size]byte

func shapeOf(h *probe.Hello) shape {
	sum := sha256.New()
	fmt.Fprintln(sum, h.SSLv2, h.Version, len(h.SessionID), h.CipherSuites, h.CipherKinds, h.CompressionMethods, h.HasExtensions, h.Layout)
	for _, e := range h.Extensions {
		if e.Type == wire.ExtensionKeyShare {
			fmt.Fprintln(sum, e.Type, len(e.Body), h.KeyShareGroups())
			continue
		}
		fmt.Fprintln(sum, e.Type, e.Body)
	}
	var out shape
	sum.Sum(out[:0])
	return out
}

// history is what hellos of one shape came to.
type history struct {
	chosen, said, cut int
	choice, leaf      string // what was chosen, and the certificate that came
}

// remember notes what a hello came to, and notices where one of the same shape came to something else: that does not lie in the hello.
// It is called with the lock held.
func (s *session) remember(hello *probe.Hello, x *probe.Exchange) {
	id := shapeOf(hello)
	h := s.asked[id]
	if h == nil {
		h = &history{}
		s.asked[id] = h
	}
	switch natureOf(x) {
	case chosen:
		choice, leaf := "", fingerprintOf(x)
		if v := versionOf(x); v != 0 {
			choice = fmt.Sprintf("%s in %s", suiteOf(x), v)
		}
		switch {
		case h.chosen == 0: // those that failed before it did so for another reason
			s.random += h.cut
			s.refused += h.said
		case choice != h.choice:
			s.differ("the same hello is answered with " + h.choice + " and with " + choice)
		case leaf != "" && h.leaf != "" && leaf != h.leaf && !x.Resumed:
			s.leavesDiffer = true
		}
		h.chosen++
		h.choice = choice
		if leaf != "" {
			h.leaf = leaf
		}
	case said:
		if h.said++; h.chosen > 0 {
			s.refused++
		}
	case cut:
		if h.cut++; h.chosen > 0 {
			s.random++
		}
	}
}

// maxDiffering is the most sentences about answers that differ.
const maxDiffering = 4

func (s *session) differ(sentence string) {
	s.differing++
	if len(s.differences) < maxDiffering && !slices.Contains(s.differences, sentence) {
		s.differences = append(s.differences, sentence)
	}
}

// unsteady reports whether the endpoint refuses hellos, or closes connections, or chooses, for reasons that do not lie in the hello.
func (s *session) unsteady() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random+s.refused+s.differing > 0
}

// persist asks again where the connection is closed without a word or the hello is refused, as often as that takes to be believed.
func (s *session) persist(ctx context.Context, hello *probe.Hello, options probe.Options) *probe.Exchange {
	x := s.ask(ctx, hello, options)
	for attempt := 1; (natureOf(x) == cut || natureOf(x) == said) && attempt < s.repeats(natureOf(x)); attempt++ {
		x = s.ask(ctx, hello.Fresh(), options)
	}
	return x
}

// repeats is how often a hello has to fail before that is believed.
func (s *session) repeats(nature nature) int {
	if (nature == cut || nature == said) && s.unsteady() {
		return repeatsOfUnsteady
	}
	return repeatsOfSteady
}

// listEnd is a list that was asked about until nothing was chosen any more, and how often that was tried.
type listEnd struct {
	about   string
	refused int
	cut     bool // by a connection that was closed, and not by a word
}

// ended notes the end of a list. What it is about is said as Compare says it.
func (s *session) ended(about string, refused int, last *probe.Exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends = append(s.ends, listEnd{about, refused, last != nil && natureOf(last) == cut})
}

// sureOf takes back what rests on refusals and closed connections alone, now that it is known that they come at random. What was asked
// about often enough stands.
func (s *session) sureOf(a Answer) Answer {
	several := len(s.differences) > 0 // what one of several endpoints says is no word of the others, however often it was asked
	if a.Reply != No || !several && (!a.refused || a.Attempts >= repeatsOfUnsteady || !s.unsteady()) {
		return a
	}
	a.Reply, a.refused = Inconclusive, false
	a.Evidence += "; but the endpoint answers the same hello in one way now and in another then"
	return a
}

// endUnsure goes through a report in the end.
func (s *session) endUnsure(r *Report) {
	s.endShut(r)
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
		a := s.sureOf(Answer{Reply: n.Reply, Attempts: n.attempts, Evidence: n.Evidence, refused: n.Reply == No})
		n.Reply, n.Evidence = a.Reply, a.Evidence
	}
	for _, e := range s.ends {
		if slices.Contains(s.about, e.about) {
			continue
		}
		if e.refused < repeatsOfUnsteady || len(s.differences) > 0 {
			s.doubt(e.about, e.about+": there may be more than were found, as the same hello is answered in one way now and in another then")
		}
	}
}

// stillThere finds out whether an endpoint that has not answered for a while has stopped answering at all.
func (s *session) stillThere(ctx context.Context, r *Report) {
	s.mu.Lock()
	tail, replies, shut := s.tail, s.replies, s.shut
	s.mu.Unlock()
	if shut > 0 {
		r.StoppedAfter = shut
		s.doubt("", fmt.Sprintf("the endpoint stopped answering after %d connections", shut))
		return
	}
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
	return s.connections >= s.most() || s.shut > 0
}

// insist asks again about a version that was refused, once it is known that the endpoint refuses hellos at random.
func (s *session) insist(ctx context.Context, e *enumerated) *enumerated {
	for e.answer.refused && e.answer.Attempts < repeatsOfUnsteady && s.unsteady() {
		x := s.ask(ctx, s.small(e.version), probe.Options{Until: probe.UntilHello, NoRetry: true})
		attempts := e.answer.Attempts + 1
		switch {
		case versionOf(x) == e.version:
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
