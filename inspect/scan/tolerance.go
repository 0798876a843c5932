package scan

import (
	"context"
	"fmt"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// What endpoints have to bear, and some do not.
const (
	ToleranceFutureVersion = "future_version"         // supported_versions with a version that there is not yet
	ToleranceLegacyVersion = "legacy_version"         // a legacy_version beyond TLS 1.2 (RFC 5246, Appendix E.1)
	ToleranceExtension     = "unknown_extension"      // RFC 8446, Section 4.1.2
	ToleranceGREASE        = "grease"                 // RFC 8701
	ToleranceManySuites    = "many_suites"            // all suites of the registry
	ToleranceManyGroups    = "many_groups"            // asked about where a hello with many of them fails
	ToleranceSmallRecords  = "small_records"          // the hello in records of 64 bytes (RFC 8446, Section 5.1)
	ToleranceSegments      = "small_segments"         // the hello in TCP segments of 200 bytes
	TolerancePadded        = "hello_256_511"          // a hello of 384 bytes (RFC 7685, Section 3)
	ToleranceStatusRequest = "status_request"         // a request for an OCSP response; asked about where a handshake with one fails
	ToleranceALPN          = "alpn"                   // application_layer_protocol_negotiation; where a hello with it fails
	ToleranceVersions      = "supported_versions"     // the extension; where one with a version to come fails, and TLS 1.3 is not spoken
	ToleranceEMS           = "extended_master_secret" // RFC 7627; this and the next two where the first hello fails
	ToleranceEtM           = "encrypt_then_mac"
	ToleranceTicket        = "session_ticket"
	ToleranceLarge         = "large_hello"          // a hello of 4 KiB, in one record
	ToleranceLargeSplit    = "post_quantum_segment" // a hello of 1800 bytes, which needs two packets
)

// HelloLimit is the length from which hellos fail.
type HelloLimit struct {
	Answered int    `json:"largest_answered"`
	Failed   int    `json:"smallest_failed"`
	Silent   bool   `json:"silent"` // nothing came back, as when packets are lost; otherwise the endpoint said or closed
	Evidence string `json:"evidence"`
}

// Sizes of hellos that are tried, in bytes of the handshake message. The largest fills a record nearly.
const (
	sizeF5      = 384
	sizeSplit   = 1800
	sizeLarge   = 4096
	sizeLargest = 16000
)

// tolerance changes a hello that is answered in one thing each.
func (s *session) tolerance(ctx context.Context, r *Report, note func(tolerance string, a Answer)) {
	base := func() *probe.Hello { return s.known(r) }
	if h := base(); h.Version == wire.VersionSSLv3 {
		return // there is nothing to be varied
	}
	try := func(name string, change func(h *probe.Hello)) func() {
		return func() { note(name, s.bears(ctx, base, change)) }
	}
	var future Answer
	questions := []func(){
		try(ToleranceExtension, func(h *probe.Hello) { h.Set(0xABCD, []byte("unknown")) }),
		try(ToleranceGREASE, grease),
		func() {
			future = s.bears(ctx, base, func(h *probe.Hello) {
				list := h.Versions()
				if list == nil {
					list = []wire.Version{h.Version}
				}
				h.SetVersions(append([]wire.Version{wire.VersionTLS13 + 1}, list...)...)
			})
			note(ToleranceFutureVersion, future)
		},
	}
	if e := r.newestOlder(); e != nil {
		a := e.many
		if a.Attempts == 0 {
			a = s.bears(ctx, base, func(h *probe.Hello) { h.CipherSuites = slices.Concat(h.CipherSuites, registry().suites) })
		}
		note(ToleranceManySuites, a)
		questions = append(questions, func() {
			older := func() *probe.Hello { return s.hello(e.version, e.suites) }
			note(ToleranceLegacyVersion, s.bears(ctx, older, func(h *probe.Hello) { h.Version = wire.VersionTLS13 + 1 }))
		})
	}
	if !s.target.Endpoint.QUIC {
		questions = append(questions,
			try(ToleranceSmallRecords, func(h *probe.Hello) { h.Layout = probe.RecordsOf(64) }),
			try(ToleranceSegments, func(h *probe.Hello) { h.Layout = probe.SegmentsOf(200) }),
			func() { s.sizes(ctx, r, note) })
	}
	together(questions...)
	if !r.accepts(wire.VersionTLS13) && future.Reply == No { // it may be the extension itself that every client of TLS 1.3 sends
		if a := s.bears(ctx, base, func(h *probe.Hello) { h.SetVersions(h.Version) }); a.Reply == No {
			note(ToleranceVersions, a)
		}
	}
}

// newestOlder is the newest version before TLS 1.3 that is spoken and has extensions.
func (r *Report) newestOlder() *enumerated {
	if v, ok := r.oldest12(); ok && v > wire.VersionSSLv3 {
		return r.enumerated[v]
	}
	return nil
}

// grease puts the values in that RFC 8701 reserves, where Chromium has them.
func grease(h *probe.Hello) {
	h.CipherSuites = append([]wire.CipherSuite{0x1A1A}, h.CipherSuites...)
	h.SetGroups(append([]wire.NamedGroup{0x2A2A}, h.Groups()...)...)
	if schemes := h.SignatureSchemes(); schemes != nil {
		h.SetSignatureSchemes(append([]wire.SignatureScheme{0x3A3A}, schemes...)...)
	}
	if list := h.Versions(); list != nil {
		h.SetVersions(append([]wire.Version{0x4A4A}, list...)...)
	}
	h.Set(0x5A5A, nil)
	h.Set(0x6A6A, []byte{0})
}

// bears finds out whether a changed hello is answered as the unchanged one is. A failure is believed when it comes twice and the
// unchanged hello is answered still.
func (s *session) bears(ctx context.Context, base func() *probe.Hello, change func(h *probe.Hello)) Answer {
	a, _ := s.tried(ctx, base, change)
	return a
}

// tried is bears, with the nature of what came back last.
func (s *session) tried(ctx context.Context, base func() *probe.Hello, change func(h *probe.Hello)) (Answer, nature) {
	options := probe.Options{Until: probe.UntilHello, NoRetry: true}
	var x *probe.Exchange
	attempt := 1
	for ; ; attempt++ {
		h := base()
		change(h)
		if x = s.ask(ctx, h, options); natureOf(x) == chosen {
			return yes(attempt, ""), chosen
		}
		if attempt >= s.repeats(natureOf(x)) {
			break
		}
	}
	for again := 1; ; again++ {
		control := s.ask(ctx, base(), options)
		if natureOf(control) == chosen {
			break
		}
		if again < s.repeats(natureOf(control)) {
			continue
		}
		return Answer{Reply: Inconclusive, Attempts: attempt, Evidence: x.Describe() + "; but the unchanged hello was not answered any more either: " + control.Describe()}, natureOf(x)
	}
	for ; attempt < s.repeats(natureOf(x)); attempt++ { // that hellos fail at random may have come out by now
		h := base()
		change(h)
		if x = s.ask(ctx, h, options); natureOf(x) == chosen {
			return yes(attempt+1, ""), chosen
		}
	}
	nature := natureOf(x)
	return Answer{Reply: No, Attempts: attempt, Evidence: fmt.Sprintf("%s, in %d attempts, while the unchanged hello is answered", x.Describe(), attempt), refused: nature == cut || nature == said}, nature
}

// sizes finds the length from which hellos fail, to the byte.
func (s *session) sizes(ctx context.Context, r *Report, note func(tolerance string, a Answer)) {
	base := func() *probe.Hello { return s.brief(r) }
	good, bad := base().Size(), 0
	var evidence string
	lost := false
	for _, size := range []int{sizeF5, sizeSplit, sizeLarge, sizeLargest} {
		if size <= base().Size()+4 || size == sizeF5 && s.padded {
			continue
		}
		a, last := s.tried(ctx, base, func(h *probe.Hello) { h.Pad(size) })
		switch size {
		case sizeF5:
			note(TolerancePadded, a)
		case sizeSplit:
			note(ToleranceLargeSplit, a)
		case sizeLarge:
			note(ToleranceLarge, a)
		}
		if a.Reply == Inconclusive {
			s.doubt("", "long hellos: "+a.Evidence)
			return
		}
		if a.Reply == No && size == sizeF5 {
			continue // a range of lengths, not a limit
		}
		if a.Reply == No {
			bad, evidence, lost = size, a.Evidence, last == silent
			break
		}
		good = size
	}
	if bad == 0 {
		return
	}
	good, bad, unasked := s.limit(ctx, base, good, bad)
	if unasked != nil {
		s.doubt("", "the length from which hellos fail: "+unasked.Describe())
		return
	}
	if s.shutAfter() > 0 { // what was not answered any more was not too long
		s.doubt("", "the length from which hellos fail: "+whyShut)
		return
	}
	r.HelloLimit = &HelloLimit{Answered: good, Failed: bad, Silent: lost, Evidence: evidence}
}

// limit finds the length from which hellos fail, between one that is answered and one that was found to fail. What fails once may do so by
// chance: the length that is told is believed when it fails again. unasked is what could not be asked; nil: all could.
func (s *session) limit(ctx context.Context, base func() *probe.Hello, good, known int) (answered, failed int, unasked *probe.Exchange) {
	send := func(size int) (nature, bool) {
		h := base()
		if !h.Pad(size) {
			return chosen, false
		}
		x := s.ask(ctx, h, probe.Options{Until: probe.UntilHello, NoRetry: true})
		if natureOf(x) == unconnected {
			unasked = x
		}
		return natureOf(x), true
	}
	bad := known
	for ctx.Err() == nil {
		for bad-good > 1 && ctx.Err() == nil {
			middle := (good + bad) / 2
			n, ok := send(middle)
			if unasked != nil || !ok {
				break
			}
			if n == chosen {
				good = middle
			} else {
				bad = middle
			}
		}
		n := cut
		for attempt := 1; bad < known && unasked == nil && n != chosen && attempt < s.repeats(n); attempt++ {
			n, _ = send(bad)
		}
		if n != chosen || unasked != nil {
			break
		}
		good, bad = bad, known
	}
	return good, bad, unasked
}

// brief is a hello that is answered, and as short as that goes.
func (s *session) brief(r *Report) *probe.Hello {
	if v := r.newest(); v.IsTLS13() {
		if group, ok := r.shareable(); ok {
			h := s.small(v)
			h.CipherSuites = r.modern()[:1]
			h.SetGroups(group)
			h.SetKeyShares(group)
			return h
		}
	}
	h := s.known(r)
	if e := r.newestOlder(); e != nil {
		h = s.small(e.version)
		h.CipherSuites = e.suites[:min(len(e.suites), 10)]
		if groups := r.groups[e.version]; len(groups) > 0 {
			h.SetGroups(withOthers(groups, r.certificateCurves(e.version)...)...)
		}
	}
	return h
}
