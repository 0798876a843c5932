package replay

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect/fingerprint"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// OverQUIC are the subjects as their clients might say hello over QUIC: those that offer TLS 1.3, with transport parameters, without
// what QUIC forbids, and with h3 where they offer HTTP. The others cannot, and are counted.
func OverQUIC(subjects []*Subject) (over []*Subject, left int) {
	for _, s := range subjects {
		if s.QUIC {
			over = append(over, s)
			continue
		}
		if !slices.ContainsFunc(versionsOf(s.View), wire.Version.IsTLS13) {
			left++
			continue
		}
		h := s.Hello.ForQUIC(0)
		if slices.ContainsFunc(h.ALPN(), func(p string) bool { return p == "h2" || p == "http/1.1" }) {
			h.SetALPN("h3")
		}
		if own, ok := s.with(h, fingerprint.QUIC); ok {
			own.QUIC = true
			over = append(over, own)
		} else {
			left++
		}
	}
	return over, left
}

// OverTCP are the subjects as their clients might say hello over TCP.
func OverTCP(subjects []*Subject) []*Subject {
	var over []*Subject
	for _, s := range subjects {
		if !s.QUIC {
			over = append(over, s)
			continue
		}
		if own, ok := s.with(s.Hello.ForTCP(), fingerprint.TCP); ok {
			own.QUIC = false
			over = append(over, own)
		}
	}
	return over
}

// with is the subject with another hello.
func (s *Subject) with(h *probe.Hello, transport byte) (*Subject, bool) {
	h = h.Fresh()
	view, err := h.View()
	if err != nil {
		return nil, false
	}
	own := *s
	own.Hello, own.View = h, view
	own.Shape = fingerprint.Shape(view)
	own.JA4, _ = fingerprint.JA4(view, transport)
	return &own, true
}
