package scan

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// enumerated is what is known about one version.
type enumerated struct {
	version wire.Version
	answer  Answer
	suites  []wire.CipherSuite     // in the endpoint's order
	kinds   []wire.SSLv2CipherKind // SSLv2
	first   *probe.Exchange        // the first that was taken up
	seen    []taken                // all of them
	leaves  []*probe.Exchange      // one for each leaf certificate among them
	brief   bool                   // flights are not read: they do not come to an end
	many    Answer                 // whether all suites in one hello are borne
	shares  bool                   // TLS 1.3: a hello without a key share is not answered
	group   wire.NamedGroup        // with which it is
	open    bool                   // there may be more suites
	curves  *curvesOf              // its groups, where they were asked about at once; nil: not yet
	prefers string                 // server, client
	classes map[string]string
}

// taken is what is kept of a hello that was taken up.
type taken struct {
	hello    *wire.ServerHello
	exchange *wire.ServerKeyExchange // nil: the suite has none, or it was not read
}

// curvesOf is what is known about the groups of a version.
type curvesOf struct {
	found   []wire.NamedGroup
	prefers string
	retry   *Retry // TLS 1.3
}

// groupsOf asks about the groups of a version, once.
func (s *session) groupsOf(ctx context.Context, e *enumerated) *curvesOf {
	if e.curves == nil {
		c := &curvesOf{}
		switch {
		case e.version.IsTLS13():
			c.found, c.prefers, c.retry = s.groupsOf13(ctx, e)
		case e.version > wire.VersionSSLv3:
			c.found, c.prefers = s.groupsOf12(ctx, e.version, e.suites)
		}
		e.curves = c
	}
	return e.curves
}

// enumerate finds out whether a version is spoken, and with which suites. Of TLS 1.2 and 1.3 the groups are asked about along the way, so that
// neither waits for the other.
func (s *session) enumerate(ctx context.Context, v wire.Version) *enumerated {
	e := &enumerated{version: v}
	if v == wire.VersionSSLv2 {
		s.sslv2(ctx, e)
		return e
	}
	all := suitesFor(v)
	x, ok := s.offer(ctx, e, all)
	switch {
	case ok:
		e.many = yes(1, "")
		s.exhaustSuites(ctx, e, all, suiteClasses(v))
	case natureOf(x) == plain || natureOf(x) == unconnected:
		e.answer = refusal(x, 1)
		return e
	default:
		s.smaller(ctx, e, x)
	}
	if len(e.suites) > 0 {
		e.answer = yes(1, e.first.Describe())
		together(func() { s.preference(ctx, e) }, func() {
			if v >= wire.VersionTLS12 {
				s.groupsOf(ctx, e)
			}
		})
	}
	return e
}

// offer asks in the version about suites.
func (s *session) offer(ctx context.Context, e *enumerated, suites []wire.CipherSuite) (*probe.Exchange, bool) {
	h := s.hello(e.version, suites)
	if e.shares {
		h.SetKeyShares(e.group)
	}
	options := probe.Options{Until: probe.UntilHello, NoRetry: true}
	s.mu.Lock()
	brief := e.brief
	s.mu.Unlock()
	if !e.version.IsTLS13() && !brief { // parameters and certificate of each suite come along in the same packets
		options.Until = probe.UntilFlight
	}
	x := s.ask(ctx, h, options)
	ok := versionOf(x) == e.version
	if ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		if e.first == nil {
			e.first = x
		}
		e.note(x)
		e.brief = e.brief || options.Until == probe.UntilFlight && !x.Flight && x.Error != nil && x.Error.Type == inspect.ErrorTimeout
	}
	return x, ok
}

// note keeps of an exchange what is asked for later.
func (e *enumerated) note(x *probe.Exchange) {
	if x.ServerHello == nil {
		return
	}
	e.seen = append(e.seen, taken{x.ServerHello, x.KeyExchange})
	if len(x.Certificates) > 0 && len(e.leaves) < maxPresented && !slices.ContainsFunc(e.leaves, func(have *probe.Exchange) bool {
		return bytes.Equal(have.Certificates[0], x.Certificates[0])
	}) {
		e.leaves = append(e.leaves, x)
	}
}

// exhaustSuites finds all suites among some, and appends them.
func (s *session) exhaustSuites(ctx context.Context, e *enumerated, among []wire.CipherSuite, classes func(left []wire.CipherSuite) [][]wire.CipherSuite) {
	found := exhaust(s, among, chunkSize, classes, func(remaining []wire.CipherSuite) (wire.CipherSuite, bool, *probe.Exchange) {
		x, ok := s.offer(ctx, e, remaining)
		return suiteOf(x), ok, x
	})
	e.suites = append(e.suites, found.found...)
	if found.last != nil && len(e.suites) > 0 {
		s.ended(WhatCiphers+" "+e.version.String(), found.refused, found.last)
	}
	if found.open {
		e.open = true
		s.doubt(WhatCiphers+" "+e.version.String(), fmt.Sprintf("%s: there may be more suites than were found: %s", e.version, found.last.Describe()))
	}
	if found.odd {
		s.doubt("", fmt.Sprintf("%s: the endpoint chose %s, which was not offered", e.version, suiteOf(found.last)))
	}
}

// suiteClasses are the suites that want a key of RSA, and the others: servers choose their certificate by whether there is any ECDSA suite in a hello,
// spoken by them or not (HAProxy), and have no other then. nil: a version whose suites want none.
func suiteClasses(v wire.Version) func(left []wire.CipherSuite) [][]wire.CipherSuite {
	if v.IsTLS13() {
		return nil
	}
	return func(left []wire.CipherSuite) [][]wire.CipherSuite {
		of := make([][]wire.CipherSuite, 2)
		for _, suite := range left {
			kind := 0
			if kindOfSuite(suite) == keyRSA {
				kind = 1
			}
			of[kind] = append(of[kind], suite)
		}
		return slices.DeleteFunc(of, func(some []wire.CipherSuite) bool { return len(some) == 0 })
	}
}

// The most suites in a hello to an endpoint that may not bear many, and to one that is known to speak the version and does not bear all.
const (
	chunkSize = 112
	fewSuites = 48
)

// smaller asks again where a large hello was not taken up, first with little and then with everything in chunks: endpoints and
// middleboxes fail on long hellos and on many suites.
func (s *session) smaller(ctx context.Context, e *enumerated, large *probe.Exchange) {
	little := s.ask(ctx, s.small(e.version), probe.Options{Until: probe.UntilHello, NoRetry: true})
	taken := versionOf(little) == e.version
	if taken {
		base := s.hello(e.version, s.small(e.version).CipherSuites)
		if e.version.IsTLS13() && little.ServerHello != nil {
			base.SetKeyShares(little.ServerHello.Group)
		}
		if s.crowded(ctx, base) {
			x, ok := s.offer(ctx, e, suitesFor(e.version))
			if large = x; ok {
				e.many = yes(2, "")
				s.exhaustSuites(ctx, e, suitesFor(e.version), suiteClasses(e.version))
				return
			}
		}
	}
	if taken {
		e.first = little
		if !e.version.IsTLS13() {
			e.many = refusal(large, 1)
			if again, ok := s.offer(ctx, e, suitesFor(e.version)); ok {
				e.many = yes(2, "")
			} else {
				e.many = refusal(again, 2)
			}
		}
	}
	protocol := large.Alert != nil && large.Alert.Description == wire.AlertProtocolVersion || versionOf(large) != 0
	if !taken && (protocol || natureOf(little) == unconnected || natureOf(little) == silent && natureOf(large) == silent) {
		e.answer = refusal(little, 2)
		if versionOf(little) != 0 {
			e.answer = Answer{Reply: No, Attempts: 2, Evidence: "answered with " + versionOf(little).String()}
		}
		return
	}
	all := suitesFor(e.version)
	if e.version.IsTLS13() {
		if taken && little.ServerHello != nil {
			e.shares, e.group = true, little.ServerHello.Group
			s.exhaustSuites(ctx, e, all, suiteClasses(e.version))
		}
	} else {
		classes := suiteClasses(e.version)
		if taken {
			for chunk := range slices.Chunk(all, fewSuites) { // how many are too many is not known: 64 are, for some
				s.exhaustSuites(ctx, e, chunk, classes)
			}
		} else { // refused twice already: once more by class is enough
			for _, class := range classes(all) {
				for chunk := range slices.Chunk(class, chunkSize) {
					s.exhaustSuites(ctx, e, chunk, func([]wire.CipherSuite) [][]wire.CipherSuite { return nil })
				}
			}
		}
		s.inOrder(ctx, e)
	}
	if len(e.suites) == 0 {
		if taken {
			e.suites = []wire.CipherSuite{suiteOf(little)}
			e.open = true
			s.doubt(WhatCiphers+" "+e.version.String(), fmt.Sprintf("%s: only the smallest hello is answered, so that not all suites could be asked about", e.version))
			return
		}
		e.answer = refusal(little, 2)
		if natureOf(large) == said && e.answer.Reply == Inconclusive {
			e.answer = refusal(large, 2)
		}
	}
}

// inOrder brings suites that were found in chunks into the endpoint's order.
func (s *session) inOrder(ctx context.Context, e *enumerated) {
	if len(e.suites) < 2 || len(e.suites) > chunkSize {
		return
	}
	found := e.suites
	e.suites = nil
	s.exhaustSuites(ctx, e, found, suiteClasses(e.version))
	for _, suite := range found { // what did not come a second time was there all the same
		if !slices.Contains(e.suites, suite) {
			e.suites = append(e.suites, suite)
		}
	}
}

// sslv2 asks in the SSLv2 format for SSLv2, which lists all its kinds in one answer.
func (s *session) sslv2(ctx context.Context, e *enumerated) {
	h := s.small(wire.VersionTLS10)
	h.SSLv2, h.Version, h.CipherSuites = true, wire.VersionSSLv2, nil
	h.RemoveExtensions()
	h.SessionID, h.Random = nil, h.Random[:16]
	h.CipherKinds = sslv2Kinds()
	for attempt := 1; attempt <= 2; attempt++ {
		x := s.ask(ctx, h, probe.Options{Until: probe.UntilHello})
		e.answer = refusal(x, attempt)
		if hello := x.SSLv2ServerHello; hello != nil {
			e.first, e.answer = x, yes(attempt, "SERVER-HELLO in SSLv2")
			for kinds := hello.SSLv2CipherKinds; len(kinds) >= 3; kinds = kinds[3:] {
				e.kinds = append(e.kinds, wire.SSLv2CipherKind(uint32(kinds[0])<<16|uint32(kinds[1])<<8|uint32(kinds[2])))
			}
			return
		}
		switch natureOf(x) {
		case said, unconnected, plain:
			return
		case chosen:
			e.answer = Answer{Reply: No, Attempts: attempt, Evidence: "answered with " + versionOf(x).String()}
			return
		case silent: // a server that reads records waits for the rest of one: it takes the length for another
			if attempt == 2 {
				e.answer = Answer{Reply: No, Attempts: attempt, Evidence: "no answer in SSLv2, each time"}
			}
		}
	}
}

// sslv2Kinds are the seven of the SSL 2.0 draft.
func sslv2Kinds() []wire.SSLv2CipherKind {
	return []wire.SSLv2CipherKind{0x010080, 0x020080, 0x030080, 0x040080, 0x050080, 0x060040, 0x0700C0}
}
