package scan

import (
	"context"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Lengths of hellos in which some load balancers lose them (RFC 7685, Section 1), with room for what differs between two of one making,
// and the length that they are given in place of it.
const (
	lostFrom  = 252
	lostTo    = 515
	lengthOut = 520
)

// obstacle is something in the first hello that an endpoint may fail on, and what is left when it is gone.
type obstacle struct {
	tolerance string
	remove    func(h *probe.Hello) bool // false: it was not there
	avoid     func()                    // from now on, with the lock held
}

func (s *session) obstacles() []obstacle {
	without := func(tolerance string, t wire.ExtensionType) obstacle {
		return obstacle{tolerance, func(h *probe.Hello) bool {
			had := h.Has(t)
			h.Remove(t)
			return had
		}, func() { s.shunned = append(s.shunned, t) }}
	}
	return []obstacle{
		{TolerancePadded, func(h *probe.Hello) bool { return lengthened(h) }, func() { s.padded = true }},
		without(ToleranceEMS, wire.ExtensionExtendedMasterSecret),
		without(ToleranceEtM, wire.ExtensionEncryptThenMAC),
		without(ToleranceTicket, wire.ExtensionSessionTicket),
	}
}

// lengthened takes a hello out of the lengths that are lost; false: it was not among them.
func lengthened(h *probe.Hello) bool {
	size := h.Size()
	return size >= lostFrom && size <= lostTo && h.Pad(lengthOut)
}

// getAlong looks for the one thing that an endpoint fails on where the first hello is not answered, so that it is left out of all that
// follow. It is believed when the hello with it fails again and the one without it is answered again.
func (s *session) getAlong(ctx context.Context, r *Report) {
	nature := natureOf(r.opening)
	if nature != cut && nature != said || s.target.Endpoint.QUIC {
		return
	}
	if decisive(r.opening) {
		s.getAlongWithFew(ctx, r)
		return
	}
	options := probe.Options{Until: probe.UntilHello, NoRetry: true}
	all := s.obstacles()
	answers := make([]*probe.Exchange, len(all))
	questions := make([]func(), len(all))
	for i, o := range all {
		questions[i] = func() {
			if h := s.open(); o.remove(h) {
				answers[i] = s.ask(ctx, h, options)
			}
		}
	}
	together(questions...)
	found := -1
	for i, x := range answers {
		if x != nil && natureOf(x) == chosen {
			if found >= 0 {
				return // it is not this
			}
			found = i
		}
	}
	if found < 0 {
		s.getAlongWithFew(ctx, r)
		return
	}
	var last *probe.Exchange
	for range repeatsOfUnsteady / 2 {
		last = s.ask(ctx, s.open(), options)
		h := s.open()
		all[found].remove(h)
		if natureOf(last) == chosen || natureOf(s.ask(ctx, h, options)) != chosen {
			return // it comes and goes
		}
	}
	s.mu.Lock()
	all[found].avoid()
	s.mu.Unlock()
	r.Tolerance = map[string]Answer{all[found].tolerance: {
		Reply: No, Attempts: 1 + repeatsOfUnsteady/2, Evidence: last.Describe() + ", each time, and the same hello without it is answered, each time",
	}}
	r.opening = s.ask(ctx, s.open(), probe.Options{})
}

// getAlongWithFew is getAlong for an endpoint that minds the number of groups.
func (s *session) getAlongWithFew(ctx context.Context, r *Report) {
	if s.crowded(ctx, s.open()) {
		r.opening = s.ask(ctx, s.open(), probe.Options{})
	}
}

// bearable is a hello without what the endpoint was found to fail on.
func (s *session) bearable(hello *probe.Hello) *probe.Hello {
	s.mu.Lock()
	defer s.mu.Unlock()
	groups := 0
	if s.groupLimit > 0 {
		groups = len(hello.Groups())
	}
	if !s.padded && s.shunned == nil && groups <= s.groupLimit || !hello.HasExtensions {
		return hello
	}
	h := hello.Clone()
	h.Remove(s.shunned...)
	if groups > s.groupLimit {
		offerGroups(h, h.Groups()[:s.groupLimit])
	}
	if s.padded {
		lengthened(h)
	}
	return h
}

// sameAsEver sends the first hello again: whether it is answered as it was in the beginning. Where anything was answered in two ways, it
// is sent more often, so that it can be said in which.
func (s *session) sameAsEver(ctx context.Context, r *Report) {
	if natureOf(r.opening) == chosen && !s.spent() && r.StoppedAfter == 0 {
		for sent := 0; sent < 1 || sent < repeatsOfUnsteady && s.unsteady() && ctx.Err() == nil; sent++ {
			s.ask(ctx, s.open(), probe.Options{})
		}
	}
	s.tellUnsteady(r)
}

// tellUnsteady notes what is known of answers that lie in no hello.
func (s *session) tellUnsteady(r *Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.ClosedAtRandom, r.RefusedAtRandom = s.random, s.refused
	r.AnswersDiffer = s.differences
	if s.leavesDiffer && len(r.Certificates) < maxPresented { // one that makes a certificate for each handshake is no two endpoints
		r.AnswersDiffer = append(r.AnswersDiffer[:len(r.AnswersDiffer):len(r.AnswersDiffer)], "the same hello is answered with different certificates")
	}
}

// repeatsOfAlone is how often a hello has to be answered with no other connection beside it, so that one in twenty that fails at random
// is unlikely to pass for one that fails in company.
const repeatsOfAlone = 16

// needsToBeAlone reports whether an endpoint that answered the same hello in more than one way answers it in one as long as there is no
// other connection: then all is worth asking again, one at a time.
func (s *session) needsToBeAlone(ctx context.Context, r *Report) bool {
	if !s.unsteady() || cap(s.slots) == 1 || s.target.Endpoint.QUIC {
		return false
	}
	count := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.random + s.refused + s.differing
	}
	before := count()
	for range repeatsOfAlone {
		if ctx.Err() != nil || s.spent() || natureOf(s.ask(ctx, s.broad(r).Fresh(), probe.Options{Until: probe.UntilHello})) != chosen {
			return false
		}
	}
	return count() == before
}

// withoutCertificate goes through a handshake as finish does, with no certificate to show: whether one is required shows only then.
func (s *session) withoutCertificate(ctx context.Context, x *probe.Exchange) *probe.Exchange {
	other := *s.target
	other.Certificate = nil
	aside := s.aside(&other)
	y := aside.finish(ctx, x.Hello.Fresh())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connections += aside.connections
	return y
}

// askedFor reports whether a client certificate was asked for, in the handshake or behind it.
func askedFor(x *probe.Exchange) bool {
	return x != nil && (x.CertificateRequest != nil || httpCertificateRefusal(x.Answer) != "" || x.Alert != nil && x.Alert.Moment == probe.AfterFinished ||
		x.Flight && x.Error != nil && (x.Error.Type == inspect.ErrorClosed || x.Error.Type == inspect.ErrorReset))
}
