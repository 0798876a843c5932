package why

import (
	"bytes"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// step brings a hello that works nearer to the one in question, in one property. What it gives must be a hello that a server can
// accept where it accepts the property: what a later step will change, and what a cause that was found forbids, stays.
type step struct {
	axis   Axis
	change string // what the hello has then, in words
	apply  func(r *run, w trial) trial
}

// steps are the walk, in the order in which a server looks at a hello: what is before TLS, the name, the version, and so on.
func (r *run) steps() []step {
	f := r.failing
	sound := isSound(f.hello)
	hello := func(edit func(r *run, h, f *probe.Hello)) func(*run, trial) trial {
		goal := withoutGREASE(f.hello.InTLSFormat())
		return func(r *run, w trial) trial {
			w.hello = w.hello.Clone()
			edit(r, w.hello, goal)
			if sound {
				makeSound(w.hello, f.hello)
			}
			return w
		}
	}
	return []step{
		{AxisProxyProtocol, "the PROXY protocol header as in question", func(_ *run, w trial) trial { w.proxy = f.proxy; return w }},
		{AxisExtension, noSessionID, hello(dropSessionID)},
		{AxisServerName, "its server name", hello(func(_ *run, h, f *probe.Hello) { h.SetServerName(f.ServerName()) })},
		{AxisVersion, "its versions", hello(takeVersions)},
		{AxisCipher, "its cipher suites", hello(takeSuites)},
		{AxisGroup, "its groups", hello(takeGroups)},
		{AxisKeyShare, "its key shares", hello(takeShares)},
		{AxisSignature, "its signature schemes", hello(takeSchemes)},
		{AxisALPN, "its ALPN", hello(func(_ *run, h, f *probe.Hello) { h.SetALPN(f.ALPN()...) })},
		{AxisExtension, "none but its extensions", hello(dropExtensions)},
		{AxisExtension, itsExtensions, hello(addExtensions)},
		{AxisExtension, "its compression methods and session id", hello(takeRest)},
		{AxisExtension, itsGREASE, hello(takeGREASE)},
		{AxisRecordVersion, "its record version", hello(func(_ *run, h, f *probe.Hello) { h.RecordVersion = f.RecordVersion })},
		{AxisSegmentation, "its records and segments", hello(func(_ *run, h, f *probe.Hello) { h.Layout = f.Layout })},
		{AxisRecordVersion, "its SSLv2 format", takeFormat},
	}
}

// itsExtensions is the step that adds what the hello in question has and the one that works has not.
const itsExtensions = "its extensions"

// offersTLS13 reports whether a hello offers TLS 1.3.
func offersTLS13(h *probe.Hello) bool { return slices.ContainsFunc(h.Versions(), wire.Version.IsTLS13) }

// versionsOf are all versions that a hello offers, at least one; without supported_versions those up to its own are meant.
func versionsOf(h *probe.Hello) []wire.Version {
	if versions := slices.DeleteFunc(h.Versions(), wire.IsGREASE[wire.Version]); len(versions) > 0 {
		return versions
	}
	if h.Version < wire.VersionSSLv3 {
		return []wire.Version{h.Version}
	}
	var versions []wire.Version
	for v := min(h.Version, wire.VersionTLS12); v >= wire.VersionSSLv3; v-- {
		versions = append(versions, v)
	}
	return versions
}

// fewAdded are the suites that come along with a version that there was none for: the others follow in a step of their own.
const fewAdded = 3

// takeVersions offers the versions of f, with suites for each of them that has none.
func takeVersions(_ *run, h, f *probe.Hello) {
	h.Version = f.Version
	h.SetVersions(f.Versions()...)
	for _, v := range versionsOf(f) {
		if slices.ContainsFunc(h.CipherSuites, func(s wire.CipherSuite) bool { return usable(s, v) }) {
			continue
		}
		added := 0
		for _, s := range f.CipherSuites {
			if usable(s, v) && !slices.Contains(h.CipherSuites, s) && added < fewAdded {
				h.CipherSuites = append(h.CipherSuites, s)
				added++
			}
		}
	}
	if !offersTLS13(f) {
		h.Remove(wire.ExtensionKeyShare, wire.ExtensionPSKKeyExchangeModes, wire.ExtensionPreSharedKey, wire.ExtensionEarlyData)
		return
	}
	// What TLS 1.3 cannot do without (RFC 8446, Section 9.2), where the hello that works has not spoken it.
	if len(h.Groups()) == 0 {
		h.SetGroups(f.Groups()...)
	}
	if len(h.SignatureSchemes()) == 0 {
		h.SetSignatureSchemes(f.SignatureSchemes()...)
	}
	if !h.Has(wire.ExtensionKeyShare) && f.Has(wire.ExtensionKeyShare) {
		h.SetKeyShares(firstShare(meet(h.Groups(), f.Groups()), f)...)
	}
	for _, t := range [...]wire.ExtensionType{wire.ExtensionPSKKeyExchangeModes} {
		if body, ok := f.Extension(t); ok && !h.Has(t) {
			h.Set(t, body)
		}
	}
}

// beyond reports whether the hello that works has to speak a version that f does not offer: then what belongs to that version
// cannot be taken from f.
func (r *run) beyond() bool { return r.causal[AxisVersion] }

// takeSuites offers the suites of f; of the others only those that no version of f could use.
func takeSuites(r *run, h, f *probe.Hello) {
	own := h.CipherSuites
	h.CipherSuites = slices.Clone(f.CipherSuites)
	if f.Has(wire.ExtensionRenegotiationInfo) && slices.Contains(own, wire.EmptyRenegotiationInfoSCSV) && !knowsRenegotiation(h) {
		h.CipherSuites = append(h.CipherSuites, wire.EmptyRenegotiationInfoSCSV) // until its extensions come, the client says it in the other form
	}
	if !r.beyond() {
		return
	}
	for _, s := range own {
		info, ok := s.Info()
		if !ok || info.Signal() || slices.Contains(h.CipherSuites, s) {
			continue
		}
		if !slices.ContainsFunc(versionsOf(f), func(v wire.Version) bool { return usable(s, v) }) {
			h.CipherSuites = append(h.CipherSuites, s)
		}
	}
}

// takeGroups offers the groups of f, and of the key shares those that are left, or else one of a group of f.
func takeGroups(r *run, h, f *probe.Hello) {
	groups := f.Groups()
	if len(groups) == 0 && r.beyond() { // one that spoke the version would name some
		return
	}
	shares := h.KeyShareGroups()
	h.SetGroups(groups...)
	if len(groups) == 0 {
		h.Remove(wire.ExtensionECPointFormats)
		return
	}
	if !h.Has(wire.ExtensionKeyShare) {
		return
	}
	kept := slices.DeleteFunc(shares, func(g wire.NamedGroup) bool { return !slices.Contains(groups, g) })
	if len(kept) == 0 {
		kept = firstShare(groups, f)
	}
	h.SetKeyShares(kept...)
}

// firstShare is the one of groups that f itself would send a small share of first, or any small one of them.
func firstShare(groups []wire.NamedGroup, f *probe.Hello) []wire.NamedGroup {
	for _, candidates := range [][]wire.NamedGroup{meet(f.KeyShareGroups(), groups), groups} {
		for _, g := range candidates {
			if info, ok := g.Info(); ok && info.TLS13 && !info.PostQuantum && !wire.IsGREASE(g) {
				return []wire.NamedGroup{g}
			}
		}
	}
	for _, g := range groups {
		if info, ok := g.Info(); ok && info.TLS13 && !wire.IsGREASE(g) {
			return []wire.NamedGroup{g}
		}
	}
	return nil
}

// takeShares sends the key shares of f, or none as f does.
func takeShares(r *run, h, f *probe.Hello) {
	switch {
	case f.Has(wire.ExtensionKeyShare):
		shares := f.KeyShareGroups()
		if r.causal[AxisGroup] { // shares are for groups that are offered
			groups := h.Groups()
			shares = slices.DeleteFunc(shares, func(g wire.NamedGroup) bool { return !slices.Contains(groups, g) })
			for _, g := range h.KeyShareGroups() {
				if !slices.Contains(shares, g) {
					shares = append(shares, g)
				}
			}
		}
		h.SetKeyShares(shares...)
	case !r.beyond():
		h.Remove(wire.ExtensionKeyShare)
	}
}

func takeSchemes(r *run, h, f *probe.Hello) {
	schemes := f.SignatureSchemes()
	if len(schemes) == 0 && r.beyond() && (offersTLS13(h) || h.Version >= wire.VersionTLS12) {
		return
	}
	h.SetSignatureSchemes(schemes...)
	if body, ok := f.Extension(wire.ExtensionSignatureAlgorithmsCert); ok {
		h.Set(wire.ExtensionSignatureAlgorithmsCert, body)
	} else {
		h.Remove(wire.ExtensionSignatureAlgorithmsCert)
	}
}

// walked are the extensions that have a step of their own.
func walked(t wire.ExtensionType) bool {
	switch t {
	case wire.ExtensionServerName, wire.ExtensionSupportedVersions, wire.ExtensionSupportedGroups, wire.ExtensionKeyShare,
		wire.ExtensionSignatureAlgorithms, wire.ExtensionSignatureAlgorithmsCert, wire.ExtensionALPN:
		return true
	}
	return false
}

// needed reports whether an extension has to stay because the version that is spoken needs it.
func (r *run) needed(h *probe.Hello, t wire.ExtensionType) bool {
	return walked(t) || quicParameters(t) || r.beyond() && t == wire.ExtensionPSKKeyExchangeModes && offersTLS13(h)
}

// dropExtensions takes away what f does not have.
func dropExtensions(r *run, h, f *probe.Hello) {
	for _, t := range typesOf(h) {
		if !f.Has(t) && !r.needed(h, t) {
			h.Remove(t)
		}
	}
	if !f.HasExtensions && len(h.Extensions) == 0 {
		h.HasExtensions = false
	}
}

// addExtensions takes over the extensions of f with their bodies, and their order.
func addExtensions(_ *run, h, f *probe.Hello) {
	for _, e := range f.Extensions {
		if walked(e.Type) || stale(e.Type) {
			continue
		}
		h.Set(e.Type, bytes.Clone(e.Body))
	}
	h.Reorder(typesOf(f)...)
	saysItOnce(h, f)
	h.HasExtensions = h.HasExtensions || f.HasExtensions
}

// saysItOnce takes the suite that says that secure renegotiation is known away from a hello that says it by its extension, as f does.
func saysItOnce(h, f *probe.Hello) {
	if f.Has(wire.ExtensionRenegotiationInfo) && h.Has(wire.ExtensionRenegotiationInfo) && !slices.Contains(f.CipherSuites, wire.EmptyRenegotiationInfoSCSV) {
		h.CipherSuites = lessOf(h.CipherSuites, []wire.CipherSuite{wire.EmptyRenegotiationInfoSCSV})
	}
}

// stale are the extensions of a session that is gone, which fresh hellos are without.
func stale(t wire.ExtensionType) bool {
	return t == wire.ExtensionPreSharedKey || t == wire.ExtensionEarlyData || t == wire.ExtensionCookie
}

func typesOf(h *probe.Hello) []wire.ExtensionType {
	var types []wire.ExtensionType
	for _, e := range h.Extensions {
		types = append(types, e.Type)
	}
	return types
}

// takeRest takes over what is left of the message.
func takeRest(r *run, h, f *probe.Hello) {
	h.CompressionMethods = bytes.Clone(f.CompressionMethods)
	if !r.beyond() && !r.keepsID {
		h.SessionID = bytes.Clone(f.SessionID)
	}
}

// takeFormat sends what there is in the SSLv2 format, if that is how the hello in question is sent.
func takeFormat(r *run, w trial) trial {
	if !r.failing.hello.SSLv2 {
		return w
	}
	h := r.failing.hello.Clone()
	if len(r.causes) > 0 { // the kinds of the one that works, as far as the format can say it
		h.CipherKinds = nil
		for _, s := range w.hello.CipherSuites {
			if info, ok := s.Info(); ok && !info.TLS13() {
				h.CipherKinds = append(h.CipherKinds, wire.SSLv2CipherKind(s))
			}
		}
		h.Version = w.hello.Version
	}
	w.hello = h
	return w
}

// same reports whether two hellos differ in nothing but what differs from one connection to the next.
func same(a, b *probe.Hello) bool {
	if a.SSLv2 != b.SSLv2 || recordVersion(a) != recordVersion(b) || a.Version != b.Version || len(a.SessionID) != len(b.SessionID) ||
		!slices.Equal(a.CipherSuites, b.CipherSuites) || !slices.Equal(a.CipherKinds, b.CipherKinds) || !bytes.Equal(a.CompressionMethods, b.CompressionMethods) ||
		len(a.Extensions) != len(b.Extensions) || a.Layout.RecordSize != b.Layout.RecordSize || a.Layout.SegmentSize != b.Layout.SegmentSize ||
		!slices.Equal(a.Layout.Records, b.Layout.Records) {
		return false
	}
	for i, e := range a.Extensions {
		o := b.Extensions[i]
		if e.Type != o.Type || e.Type != wire.ExtensionKeyShare && !bytes.Equal(e.Body, o.Body) {
			return false
		}
	}
	return slices.Equal(a.KeyShareGroups(), b.KeyShareGroups())
}
