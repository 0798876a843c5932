package why

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// isSound reports whether the parts of a hello agree with each other, as makeSound has it. One that is recorded may not be.
func isSound(h *probe.Hello) bool {
	c := h.InTLSFormat()
	makeSound(c, c.Clone())
	return same(c, h.InTLSFormat())
}

// makeSound makes the parts of a hello of an experiment agree with each other: a server that refuses a hello that contradicts
// itself does what it has to, and nothing follows from it. f is the hello in question, from whose key shares is chosen.
func makeSound(h, f *probe.Hello) {
	if !offersTLS13(h) {
		// Extensions of TLS 1.3 without TLS 1.3: servers differ in whether they read them.
		h.Remove(wire.ExtensionKeyShare, wire.ExtensionPSKKeyExchangeModes)
		return
	}
	groups := h.Groups()
	if !h.Has(wire.ExtensionKeyShare) || len(groups) == 0 {
		return
	}
	// "Clients MUST NOT offer any KeyShareEntry values for groups not listed in the client's "supported_groups" extension", and
	// have them in the same order (RFC 8446, Section 4.2.8).
	shares := h.KeyShareGroups()
	ordered := meet(groups, shares)
	if len(shares) > 0 && len(ordered) == 0 {
		ordered = firstShare(groups, f)
	}
	if len(shares) != len(ordered) || !slices.Equal(shares, ordered) {
		h.SetKeyShares(ordered...)
	}
}

// nothingFollows reports whether an answer only says that a hello of the experiment was malformed in the server's eyes, where the hello
// in question was not.
func (r *run) nothingFollows(a answer) bool {
	if a.x == nil || a.x.Alert == nil || r.failure.x == nil || kind(a.x) == kind(r.failure.x) {
		return false
	}
	switch a.x.Alert.Description {
	case wire.AlertIllegalParameter, wire.AlertDecodeError, wire.AlertMissingExtension:
		return true
	}
	return false
}

// noSessionID is the step of a hello that has no session id.
const noSessionID = "no session id, as in question"

// dropSessionID takes the session id away where the hello in question is sent without one.
func dropSessionID(_ *run, h, f *probe.Hello) {
	if len(f.Fresh().SessionID) == 0 {
		h.SessionID = nil
	}
}
