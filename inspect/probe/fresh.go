package probe

import (
	"crypto/rand"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Fresh is the hello as its client would send it to a server that it has never met: with a new random, session id and key
// shares of the same groups, to which the private keys are kept where they can be made; without what belongs to a session
// that is gone (tickets, pre-shared keys, early data, a cookie, a renegotiation); with padding recalculated. Everything else
// stays as it stands, in its order.
func (h *Hello) Fresh() *Hello {
	c := h.Clone()
	c.Random = random(32)
	if h.SSLv2 {
		c.Random, c.SessionID = random(max(16, min(32, len(h.Random)))), nil
		return c
	}
	if c.offersTLS13() {
		c.SessionID = random(len(h.SessionID)) // of middlebox compatibility (RFC 8446, Appendix D.4)
	} else {
		c.SessionID = nil // of a session that is gone
	}
	c.Remove(wire.ExtensionPreSharedKey, wire.ExtensionEarlyData, wire.ExtensionCookie)
	for _, stale := range [...]struct {
		extension wire.ExtensionType
		body      []byte
	}{{wire.ExtensionSessionTicket, []byte{}}, {wire.ExtensionRenegotiationInfo, []byte{0}}} {
		if c.Has(stale.extension) {
			c.Set(stale.extension, stale.body)
		}
	}
	c.renewKeyShares()
	c.repad()
	return c
}

// renewKeyShares makes the key shares anew, of the same groups. GREASE and groups that cannot be made keep their bytes.
func (h *Hello) renewKeyShares() {
	h.keys = nil
	for _, t := range [...]wire.ExtensionType{wire.ExtensionKeyShare, wire.ExtensionKeyShareOld} { // the second until draft 22
		body, _ := h.Extension(t)
		var list []byte
		for group, recorded := range wire.KeyShares(unvector(2, body)).All() {
			list = h.appendShare(list, group, recorded)
		}
		if list != nil {
			h.Set(t, vector(2, list))
		}
	}
}

// SetKeyShares sends new shares of these groups, to which the private keys are kept. With none the extension is sent empty,
// which asks for a HelloRetryRequest (RFC 8446, Section 4.2.8). Groups that cannot be made are sent as random bytes.
func (h *Hello) SetKeyShares(groups ...wire.NamedGroup) {
	h.keys = nil
	var list []byte
	for _, group := range groups {
		list = h.appendShare(list, group, nil)
	}
	h.Set(wire.ExtensionKeyShare, append([]byte{byte(len(list) >> 8), byte(len(list))}, list...))
}

// KeepKeyShares takes all key shares away but those of these groups; the private keys stay.
func (h *Hello) KeepKeyShares(groups ...wire.NamedGroup) {
	body, ok := h.Extension(wire.ExtensionKeyShare)
	if !ok {
		return
	}
	var list []byte
	for group, key := range wire.KeyShares(unvector(2, body)).All() {
		if slices.Contains(groups, group) {
			list = appendEntry(list, group, key)
		}
	}
	h.Set(wire.ExtensionKeyShare, append([]byte{byte(len(list) >> 8), byte(len(list))}, list...))
}

// appendShare appends a new share of a group to a list of shares and keeps its private key.
func (h *Hello) appendShare(list []byte, group wire.NamedGroup, recorded []byte) []byte {
	if share, ok := newShare(group); ok {
		h.keys = append(h.keys, share)
		return appendEntry(list, group, share.public)
	}
	if !wire.IsGREASE(group) {
		size := len(recorded)
		if info, ok := group.Info(); ok && size == 0 {
			size = info.ClientShare
		}
		recorded = random(max(size, 1))
	} else if recorded == nil {
		recorded = []byte{0} // as Chromium sends it (RFC 8701, Section 3.1)
	}
	return appendEntry(list, group, recorded)
}

func appendEntry(list []byte, group wire.NamedGroup, key []byte) []byte {
	list = append(list, byte(group>>8), byte(group), byte(len(key)>>8), byte(len(key)))
	return append(list, key...)
}

// offersTLS13 reports whether TLS 1.3 is among the versions offered.
func (h *Hello) offersTLS13() bool {
	return slices.ContainsFunc(h.Versions(), wire.Version.IsTLS13)
}

// random gives so many random bytes.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}
