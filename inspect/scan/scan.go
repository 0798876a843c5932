package scan

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Address scans one address, and always gives a Report: of an endpoint that cannot be reached, how far one gets. Cancelling ctx
// ends it early with what is known by then. All goroutines end before it returns.
func (s *Scanner) Address(ctx context.Context, target Target) *Report {
	began := time.Now()
	r := NewReport(target.Endpoint.Address)
	if target.Endpoint.QUIC && target.ALPN == nil { // "endpoints MUST use ALPN" over QUIC (RFC 9001, Section 8.1)
		target.ALPN = []string{"h3"}
	}
	session := newSession(s, &target)
	session.scan(ctx, r)
	if session.needsToBeAlone(ctx, r) {
		alone := newSession(s, &target)
		alone.slots, alone.connections, alone.client = make(chan struct{}, 1), session.connections, session.client
		session, r = alone, NewReport(target.Endpoint.Address)
		session.scan(ctx, r)
		r.OneAtATime = !session.unsteady()
	}
	session.tellUnsteady(r)
	session.endUnsure(r)
	session.mu.Lock()
	defer session.mu.Unlock()
	r.Connections, r.LongestHello, r.LongestReplied = session.connections, session.longest, session.answered
	r.Inconclusive = append(r.Inconclusive, session.doubts...)
	r.Partial = r.StoppedAfter > 0 || session.connections >= session.most() || ctx.Err() != nil
	r.Unsure = slices.Sorted(slices.Values(session.about))
	slices.Sort(r.Inconclusive)
	r.DurationMS = float64(time.Since(began).Microseconds()) / 1000
	if ctx.Err() != nil {
		r.Inconclusive = append(r.Inconclusive, "The scan was ended before everything was asked.")
	}
	return r
}

// scan goes from layer to layer, and enumerates where hellos are answered.
func (s *session) scan(ctx context.Context, r *Report) {
	r.opening = s.ask(ctx, s.open(), probe.Options{})
	if !s.connected(ctx, r, r.opening) {
		return
	}
	s.hurry()
	s.getAlong(ctx, r)
	s.enumerateAll(ctx, r)
	if r.newest() == 0 && natureOf(r.opening) == chosen { // there was an answer, and nothing more could be asked
		s.stillThere(ctx, r)
		r.layer(LayerHello, Unclear, r.opening.FirstByte, "One hello was answered (%s), and no other: %s.", r.opening.Describe(), r.commonEvidence())
		r.present(r.opening, r.opening.Scheme)
		return
	}
	if r.newest() == 0 {
		s.nothing(ctx, r)
		return
	}
	r.layer(LayerFirstBytes, Works, r.opening.FirstByte, "The endpoint speaks TLS.")
	r.layer(LayerHello, Works, r.opening.FirstByte, "Hellos are answered in %s.", r.newest())
	s.hurry()
	if r.newest() == wire.VersionSSLv2 {
		s.ancient(r)
		return
	}
	s.keyExchange(ctx, r)
	s.details(ctx, r)
	s.stillThere(ctx, r)
	s.sameAsEver(ctx, r)
	s.furthest(r)
}

// ancient reports on an endpoint that speaks nothing but SSLv2, whose SERVER-HELLO has its certificate.
func (s *session) ancient(r *Report) {
	x := r.enumerated[wire.VersionSSLv2].first
	r.whole = x
	if len(x.SSLv2ServerHello.Certificate) == 0 {
		r.layer(LayerCertificate, Unclear, x.FirstByte, "No certificate is presented in SSLv2.")
		return
	}
	if len(x.Certificates) == 0 {
		x.Certificates = [][]byte{x.SSLv2ServerHello.Certificate}
	}
	r.present(x, 0)
	r.layer(LayerCertificate, Works, x.FirstByte, "A certificate is presented: %s.", r.Certificates[0].Chain[0].Subject)
}

// open is the first hello: that of a client that speaks everything from TLS 1.0 on.
func (s *session) open() *probe.Hello {
	o := probe.Offer{ServerName: s.target.ServerName, ALPN: s.target.ALPN}
	if !s.target.Endpoint.QUIC {
		o.Versions = []wire.Version{wire.VersionTLS13, wire.VersionTLS12, wire.VersionTLS11, wire.VersionTLS10}
	} else {
		o.Versions = []wire.Version{wire.VersionTLS13}
	}
	return o.Hello()
}

// enumerateAll asks about all versions at the same time.
func (s *session) enumerateAll(ctx context.Context, r *Report) {
	asked := versions()
	if s.target.Endpoint.QUIC { // "clients MUST NOT offer TLS versions older than 1.3" (RFC 9001, Section 4.2)
		asked = []wire.Version{wire.VersionTLS13}
	}
	found := make([]*enumerated, len(asked))
	questions := make([]func(), len(asked))
	for i, v := range asked {
		questions[i] = func() { found[i] = s.enumerate(ctx, v) }
	}
	together(questions...)
	for i, e := range found {
		questions[i] = func() { found[i] = s.insist(ctx, e) }
	}
	together(questions...)
	r.VersionAnswers = map[string]Answer{}
	for _, e := range found {
		r.enumerated[e.version] = e
		name := e.version.String()
		r.VersionAnswers[name] = e.answer
		if e.answer.Reply == Inconclusive {
			s.doubt(WhatVersions, name+": "+e.answer.Evidence)
		}
		if e.answer.Reply != Yes {
			continue
		}
		r.accept(e)
	}
	if s.groupLimit > 0 {
		if r.Tolerance == nil {
			r.Tolerance = map[string]Answer{}
		}
		r.Tolerance[ToleranceManyGroups], r.GroupLimit = s.crowdAnswer, s.groupLimit
	}
}

// nothing looks for the reason why no hello is answered.
func (s *session) nothing(ctx context.Context, r *Report) {
	proxyHeader := false
	together(func() { r.SNI = s.names(ctx, s.open()) }, func() {
		if s.target.Endpoint.QUIC || natureOf(r.opening) == said {
			return
		}
		other := *s.target
		if other.Endpoint.Proxy != nil {
			other.Endpoint.Proxy = nil
			r.ProxyHeaderRefused = natureOf(s.beside(ctx, &other, s.open())) == chosen
			return
		}
		other.Endpoint.Proxy = &probe.ProxyHeader{Version: 1}
		proxyHeader = natureOf(s.beside(ctx, &other, s.open())) == chosen
	})
	status := Broken
	if natureOf(r.opening) == silent || natureOf(r.opening) == unconnected {
		r.layer(LayerFirstBytes, Unclear, 0, "Nothing came back.")
	}
	r.layer(LayerHello, status, r.opening.FirstByte, "%s", unanswered(r, proxyHeader))
	r.ProxyHeaderExpected = proxyHeader
}

// aside is a session of its own with another target, within the bounds of this one.
func (s *session) aside(other *Target) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &session{scanner: s.scanner, target: other, slots: s.slots, client: s.client, asked: map[shape]*history{}, shunned: s.shunned, padded: s.padded, plain: s.plain, groupLimit: s.groupLimit}
}

// beside asks in another way than the target says.
func (s *session) beside(ctx context.Context, other *Target, hello *probe.Hello) *probe.Exchange {
	aside := s.aside(other)
	x := aside.ask(ctx, hello, probe.Options{Until: probe.UntilHello})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connections += aside.connections
	return x
}

// keyExchange finds groups and parameters.
func (s *session) keyExchange(ctx context.Context, r *Report) {
	var mu sync.Mutex
	r.GroupsByVersion, r.GroupPreference = map[string][]string{}, map[string]string{}
	note := func(e *enumerated) {
		c := s.groupsOf(ctx, e)
		mu.Lock()
		defer mu.Unlock()
		r.noteGroups(e.version, c.found)
		if c.prefers != "" {
			r.GroupPreference[e.version.String()] = c.prefers
		}
		if c.retry != nil {
			r.Retry = c.retry
		}
	}
	var questions []func()
	if e := r.enumerated[wire.VersionTLS13]; r.accepts(wire.VersionTLS13) {
		questions = append(questions, func() { note(e) })
	}
	if v, ok := r.oldest12(); ok {
		questions = append(questions, func() { r.FiniteFields = s.finiteFields(ctx, v, r) })
		if v > wire.VersionSSLv3 {
			questions = append(questions, func() { note(r.enumerated[v]) })
		}
	}
	together(questions...)
	for _, v := range versions() {
		for _, g := range r.groups[v] {
			if !slices.Contains(r.Groups, g.String()) {
				r.Groups = append(r.Groups, g.String())
			}
		}
	}
}

// details asks what is left, all at the same time.
func (s *session) details(ctx context.Context, r *Report) {
	var mu sync.Mutex
	r.Features = map[string]Answer{}
	if r.Tolerance == nil {
		r.Tolerance = map[string]Answer{}
	}
	into := func(m map[string]Answer) func(string, Answer) {
		return func(name string, a Answer) {
			mu.Lock()
			defer mu.Unlock()
			m[name] = a
		}
	}
	var signed13, signed12 []signed
	group, shareable := r.shareable()
	older, hasOlder := r.oldest12()
	questions := []func(){
		func() { s.alpn(ctx, r, into(r.Tolerance)) },
		func() { r.SNI = s.names(ctx, s.broad(r)) },
		func() { s.features(ctx, r, into(r.Features)) },
		func() { s.tolerance(ctx, r, into(r.Tolerance)) },
	}
	if s.target.Endpoint.QUIC {
		questions = append(questions, func() { s.quic(ctx, r) })
	} else { // over QUIC no handshake is finished here
		questions = append(questions, func() { s.resumption(ctx, r, into(r.Resumption)) })
	}
	var wholes [2]*probe.Exchange
	if r.accepts(wire.VersionTLS13) && shareable {
		questions = append(questions,
			func() { signed13 = s.schemesOf(ctx, wire.VersionTLS13, r.modern(), group) },
			func() { wholes[0] = s.finish(ctx, s.shared(r.modern(), group)) })
	}
	if hasOlder && !s.target.Endpoint.QUIC {
		questions = append(questions, func() { wholes[1] = s.finish(ctx, s.whole(r, older)) })
		if older == wire.VersionTLS12 {
			questions = append(questions, func() { signed12 = s.schemesOf(ctx, older, signing(r.suites(older)), 0) })
		}
	}
	together(questions...)
	if s.plain {
		r.Tolerance[ToleranceStatusRequest] = Answer{Reply: No, Attempts: 2, Evidence: s.plainEvidence, refused: true}
		together(func() { // what was asked with such a request says nothing
			if signed13 == nil && r.accepts(wire.VersionTLS13) && shareable {
				signed13 = s.schemesOf(ctx, wire.VersionTLS13, r.modern(), group)
			}
		}, func() {
			if signed12 == nil && older == wire.VersionTLS12 {
				signed12 = s.schemesOf(ctx, older, signing(r.suites(older)), 0)
			}
		})
	}
	var withouts [2]*probe.Exchange
	if s.target.Certificate != nil {
		for i, x := range wholes {
			if askedFor(x) {
				withouts[i] = s.withoutCertificate(ctx, x)
			}
		}
	}
	r.SchemesByVersion = map[string][]string{}
	if !s.target.Endpoint.QUIC {
		r.ClientCertificate = &ClientCertificate{Request: CertificateUnclear, ByVersion: map[string]CertificateDemand{}, Sent: s.target.Certificate != nil}
	}
	for i, x := range wholes {
		if x == nil {
			continue
		}
		r.demand(withouts[i], false)
		if r.whole == nil || !r.whole.Flight && x.Flight {
			r.whole = x
		}
		if versionOf(x) == 0 {
			s.doubt(whatClient, "client certificate: "+x.Describe())
		}
		r.demand(x, s.target.Certificate != nil)
		r.present(x, 0)
	}
	for _, found := range []struct {
		v   wire.Version
		all []signed
	}{{wire.VersionTLS13, signed13}, {wire.VersionTLS12, signed12}} {
		r.noteSchemes(found.v, found.all)
		for _, one := range found.all {
			if name := one.scheme.String(); !slices.Contains(r.SignatureSchemes, name) {
				r.SignatureSchemes = append(r.SignatureSchemes, name)
			}
			r.present(one.exchange, one.scheme)
		}
	}
	for _, v := range versions() {
		if e := r.enumerated[v]; e != nil {
			for _, x := range e.leaves {
				r.present(x, x.Scheme)
			}
		}
	}
	s.breakingOff(ctx, r, wholes[:]...)
	r.stapling()
}

// finish goes through a whole handshake and asks the application something.
func (s *session) finish(ctx context.Context, h *probe.Hello) *probe.Exchange {
	options := probe.Options{Until: probe.UntilFinished}
	if s.target.speaksHTTP() {
		options.Until, options.Request = probe.UntilAnswer, probe.HTTPRequest(s.target.host())
	}
	if s.target.Endpoint.QUIC {
		options = probe.Options{}
	}
	bare := h.Clone()
	if h.HasExtensions {
		s.staple(h)
	}
	plain := h.Clone()
	if s.target.ALPN == nil && s.target.speaksHTTP() && h.HasExtensions {
		h.SetALPN("http/1.1")
	}
	x := s.persist(ctx, h, options)
	if s.target.ALPN == nil && h.Has(wire.ExtensionALPN) && (natureOf(x) == silent || natureOf(x) == cut || x.Alert != nil && x.Alert.Description == wire.AlertNoApplicationProtocol) {
		x = s.persist(ctx, plain.Fresh(), options)
	}
	if x.Cut == inspect.ErrorReset { // for what followed the handshake, or for the handshake itself: nothing follows it now
		if y := s.persist(ctx, plain.Fresh(), probe.Options{Until: probe.UntilAnswer}); y.Cut == inspect.ErrorReset {
			return y
		}
	}
	if x.Flight || natureOf(x) == silent || natureOf(x) == unconnected || !h.HasExtensions || h.Size() == bare.Size() {
		return x
	}
	// Servers whose stapling is broken answer a request for a response with internal_error.
	if y := s.persist(ctx, bare.Fresh(), options); y.Flight {
		if again := s.persist(ctx, h.Fresh(), options); !again.Flight {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.plain, s.plainEvidence = true, again.Describe()+", each time; the same hello without it is answered"
			return y
		}
	}
	return x
}

// present notes a chain that was presented. The scheme is 0 where it is not known.
func (r *Report) present(x *probe.Exchange, scheme wire.SignatureScheme) {
	if len(x.Certificates) == 0 {
		return
	}
	id := fingerprintOf(x)
	i := slices.IndexFunc(r.Certificates, func(p Presented) bool { return p.fingerprint() == id })
	if i < 0 {
		if len(r.Certificates) == maxPresented {
			return
		}
		chain := inspect.Certificates(x.Certificates)
		for j := range chain {
			chain[j].Raw = nil
		}
		r.chains[id] = x
		r.Certificates = append(r.Certificates, Presented{Algorithm: chain[0].PublicKeyAlgorithm, Chain: chain})
		i = len(r.Certificates) - 1
	}
	p := &r.Certificates[i]
	p.Staple = p.Staple || x.Staple != nil
	p.SCTs = max(p.SCTs, x.SCTs)
	if x.ServerHello != nil {
		p.SCTs = max(p.SCTs, x.ServerHello.SCTs)
	}
	if name := scheme.String(); scheme != 0 && !slices.Contains(p.Schemes, name) {
		p.Schemes = append(p.Schemes, name)
	}
}

// maxPresented is the most chains of one endpoint that are kept: one that makes a certificate for each handshake has no end of them.
const maxPresented = 8

func fingerprintOf(x *probe.Exchange) string {
	if len(x.Certificates) == 0 {
		return ""
	}
	return inspect.DescribeCertificate(x.Certificates[0]).Hash.SHA256
}

// stapling sums up what came along with the certificates.
func (r *Report) stapling() {
	if len(r.Certificates) == 0 {
		return
	}
	staple, scts := Answer{Reply: No, Attempts: 1, Evidence: "asked for, and none came"}, Answer{Reply: No, Attempts: 1, Evidence: "asked for, and none came in the handshake"}
	for _, p := range r.Certificates {
		if p.Staple {
			staple = yes(1, "an OCSP response came along")
		}
		if p.SCTs > 0 {
			scts = yes(1, "timestamps came along")
		}
	}
	r.Features[FeatureStapling], r.Features[FeatureSCT] = staple, scts
}

// unheardSentence says why a handshake came to nothing that the endpoint has nothing against.
func (s *session) unheardSentence(r *Report, x *probe.Exchange) string {
	switch {
	case r.StoppedAfter > 0:
		return fmt.Sprintf("The endpoint stopped answering after %d connections, so that no handshake was finished: it counts them (--gentle).", r.StoppedAfter)
	case natureOf(x) == unconnected:
		return "No handshake was tried: " + x.Describe() + "."
	}
	return "The endpoint answered hellos before, and not this one: " + x.Describe() + "."
}

// furthest reports on the layers behind the hello, by the handshake that went furthest.
func (s *session) furthest(r *Report) {
	x := r.whole
	if x == nil {
		r.layer(LayerCertificate, Unclear, 0, "No handshake could be read: its keys cannot be made here.")
		return
	}
	switch {
	case len(x.Certificates) > 0:
		leaf := r.Certificates[0].Chain[0]
		r.layer(LayerCertificate, Works, x.FirstByte, "A certificate is presented: %s.", leaf.Subject)
	case x.Flight:
		r.layer(LayerCertificate, Unclear, x.FirstByte, "No certificate is presented: the suite needs none.")
	case r.unheard(x):
		r.layer(LayerCertificate, Unclear, x.FirstByte, "%s", s.unheardSentence(r, x))
		return
	case x.Unreadable:
		r.layer(LayerCertificate, Unclear, x.FirstByte, "The handshake could not be read: its keys cannot be made here.")
		return
	default:
		r.layer(LayerCertificate, Broken, x.FirstByte, "The handshake breaks off before a certificate comes: %s.", x.Describe())
		return
	}
	if s.target.Endpoint.QUIC {
		return
	}
	switch {
	case x.Finished:
		r.layer(LayerFinished, Works, x.Took, "The handshake is finished.")
	case x.Alert != nil:
		r.layer(LayerFinished, Broken, x.Took, "The endpoint breaks the handshake off behind our Finished: %s.", x.Describe())
		return
	case x.Error != nil && x.Error.Type == inspect.ErrorUnsupported:
		r.layer(LayerFinished, Unclear, x.Took, "The handshake was not finished here: %s.", x.Error.Message)
		return
	case r.ClosedAtRandom > 0 && x.Error != nil && (x.Error.Type == inspect.ErrorClosed || x.Error.Type == inspect.ErrorReset):
		r.layer(LayerFinished, Unclear, x.Took, "The handshake is not finished, and the endpoint closes connections at random: %s.", x.Describe())
		return
	default:
		r.layer(LayerFinished, Broken, x.Took, "The handshake is not finished: %s.", x.Describe())
		return
	}
	if !s.target.speaksHTTP() {
		return
	}
	refused := httpCertificateRefusal(x.Answer)
	status := httpStatus(x.Answer)
	switch {
	case refused != "":
		r.layer(LayerApplication, Broken, x.Took, "The application refuses the request because of the client's certificate: %s.", refused)
	case status != "":
		r.layer(LayerApplication, Works, x.Took, "The application answers: HTTP %s.", status)
	case len(x.Answer) > 0:
		r.layer(LayerApplication, Works, x.Took, "The application answers, and not in HTTP/1.1: \"%s\".", wire.FirstLine(x.Answer, 80))
	default:
		r.layer(LayerApplication, Unclear, x.Took, "The application says nothing to a request of HTTP/1.1.")
	}
}
