package why

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// versions of which it is asked whether they are accepted, the newest first.
func knownVersions() []wire.Version {
	return []wire.Version{wire.VersionTLS13, wire.VersionTLS12, wire.VersionTLS11, wire.VersionTLS10, wire.VersionSSLv3}
}

// refineVersion: next has the versions of the hello in question, and fails.
func (r *run) refineVersion(s step, next trial, a answer) bool {
	offered := versionsOf(r.failing.hello)
	var accepted []wire.Version
	var base, near trial
	var common, nearest, begun answer // begun: what was chosen, and not gone on with
	for _, v := range knownVersions() {
		if r.spare() < 4 {
			r.cut = true
			return false
		}
		t := trial{onlyVersion(r.working.hello, v), r.working.proxy}
		p := r.send("with "+v.String()+" alone", t)
		if p.x != nil && !p.works && v.IsTLS13() && !begins(p.x, v) { // it may want another key share, and not ask for it
			t.hello = t.hello.Clone()
			t.hello.SetKeyShares(meet(commonShares(), t.hello.Groups())...)
			p = r.send("with "+v.String()+" alone and more key shares", t)
		}
		if p.x == nil {
			return false
		}
		if !p.works && slices.Contains(offered, v) {
			if t, p = r.otherwise(t, v, p); p.x == nil {
				return false
			}
		}
		if begins(p.x, v) && slices.Contains(offered, v) && begun.x == nil {
			begun = p
		}
		if !p.works || p.x.Version != v {
			continue
		}
		accepted = append(accepted, v)
		if nearest.x == nil || v > slices.Max(offered) {
			near, nearest = t, p // of what is newer the oldest, and otherwise the newest
		}
		if slices.Contains(offered, v) && common.x == nil {
			base, common = t, p
		}
	}
	if common.x == nil && begun.x != nil {
		if nearest.x == nil {
			near, nearest = r.working, r.accepted
		}
		return r.cannotGoOn(begun.x.Version, begun, accepted, near, nearest)
	}
	if common.x == nil {
		f := found{axis: AxisVersion, id: NoCommonVersion, offered: names(offered), accepted: names(accepted)}
		f.evidence = fmt.Sprintf("with %s: %s; with others: %s", offeredVersions(r.failing.hello), a.x.Describe(), r.accepted.x.Describe())
		f.sentence = fmt.Sprintf("No common version: the client offers %s; the endpoint accepts %s.", offeredVersions(r.failing.hello), onlyThese(accepted, r.accepted.x.Version))
		f.fix = "Update the client, or enable its version at the endpoint if that must be."
		f.denies = deniesVersions(offered)
		r.add(f)
		if nearest.x != nil { // what matters only for versions that are further away is not asked about
			r.keep(near, nearest)
		}
		return true
	}
	// A version is common: it is something else that the first hello lacks for it, or a version that is offered disturbs.
	r.keep(base, common)
	again := s.apply(r, base)
	if same(again.hello, base.hello) {
		return true
	}
	b, ok := r.believe("with its versions, from a hello of "+common.x.Version.String(), again)
	if !ok {
		return false
	}
	if b.works {
		r.keep(again, b)
		return true
	}
	if v := b.x.Version; begins(b.x, v) && !slices.Contains(accepted, v) {
		return r.cannotGoOn(v, b, accepted, base, common)
	}
	disturbing := lessOf(offered, accepted)
	if len(disturbing) == 0 { // each of them is accepted by itself
		return r.refineVersionList(again, offered, common.x.Version, b)
	}
	one := disturbing[0]
	f := found{axis: AxisVersion, id: VersionIntolerance, offered: names(offered), accepted: names(accepted)}
	f.evidence = fmt.Sprintf("with %s: %s; with %s alone: %s", listed(union(disturbing[:1], offered)), b.x.Describe(), common.x.Version, common.x.Describe())
	f.sentence = fmt.Sprintf("The endpoint fails when %s is offered, although it accepts %s: it is intolerant of versions that it does not know, instead of choosing one that it does.", one, listed(accepted))
	f.fix = fmt.Sprintf("Update the endpoint; until then limit the client to %s.", common.x.Version)
	f.denies = func(x *probe.Exchange) bool { return slices.Contains(versionsOf(x.Hello), one) }
	r.add(f)
	return true
}

// otherwise asks for a version with less that could be refused beside it: a version is refused only if no other list of suites, groups and
// key shares gets it.
func (r *run) otherwise(t trial, v wire.Version, last answer) (trial, answer) {
	narrow := func(change string, edit func(*probe.Hello)) control {
		n := trial{t.hello.Clone(), t.proxy}
		edit(n.hello)
		return control{"with " + v.String() + " alone and " + change, n}
	}
	if begins(last.x, v) { // it has a suite and a group: what is left is how it signs
		schemes := narrow("every signature scheme there is", func(h *probe.Hello) { h.SetSignatureSchemes(allSchemes()...) })
		if same(schemes.trial.hello, t.hello) || r.spare() < 4 {
			return t, last
		}
		if a := r.send(schemes.change, schemes.trial); a.x == nil || a.works {
			return schemes.trial, a
		}
		return t, last
	}
	few := func(h *probe.Hello) { setSuites(h, fewSuitesOf(v)) }
	tries := []control{narrow("few cipher suites", few)}
	if v.IsTLS13() && t.hello.Has(wire.ExtensionKeyShare) {
		p256 := func(h *probe.Hello) {
			h.SetGroups(wire.GroupSecp256r1)
			h.SetKeyShares(wire.GroupSecp256r1)
		}
		tries = append(tries,
			narrow("a key share of secp256r1", func(h *probe.Hello) { h.SetKeyShares(wire.GroupSecp256r1) }),
			narrow("few cipher suites and the group secp256r1", func(h *probe.Hello) { few(h); p256(h) }))
	} else if len(t.hello.Groups()) > 0 {
		tries = append(tries, narrow("few cipher suites and groups", func(h *probe.Hello) {
			few(h)
			h.SetGroups(wire.GroupSecp256r1, wire.GroupSecp384r1)
		}))
		if v == wire.VersionTLS12 && kind(last.x) == "alert 70" {
			return t, last // it says that it is the version
		}
	}
	if last.x.Alert != nil && last.x.Alert.Description == wire.AlertProtocolVersion {
		tries = tries[:1]
	}
	for _, c := range tries {
		if same(c.trial.hello, t.hello) || r.spare() < 4 {
			continue
		}
		if a := r.send(c.change, c.trial); a.x == nil || a.works {
			return c.trial, a
		}
	}
	return t, last
}

// fewSuitesOf are a suite or two of a version that nearly every endpoint takes.
func fewSuitesOf(v wire.Version) []wire.CipherSuite {
	switch {
	case v.IsTLS13():
		return []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256}
	case v == wire.VersionTLS12:
		return []wire.CipherSuite{wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_RSA_WITH_AES_128_GCM_SHA256, wire.EmptyRenegotiationInfoSCSV}
	}
	return []wire.CipherSuite{wire.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, wire.TLS_RSA_WITH_AES_128_CBC_SHA, wire.EmptyRenegotiationInfoSCSV}
}

func onlyThese(accepted []wire.Version, seen wire.Version) string {
	if len(accepted) == 0 {
		return seen.String()
	}
	return "only " + listed(accepted)
}

// offeredVersions says what a hello offers: without the extension only its highest version is stated.
func offeredVersions(h *probe.Hello) string {
	if versions := h.Versions(); versions != nil {
		return listed(slices.DeleteFunc(versions, wire.IsGREASE[wire.Version]))
	}
	return fmt.Sprintf("%s at most", h.Version)
}

// commonShares are the groups of which one suits nearly every server.
func commonShares() []wire.NamedGroup {
	return []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1}
}

// onlyVersion is a plain hello of one version with the name, and what else the hello that works has, kept.
func onlyVersion(working *probe.Hello, v wire.Version) *probe.Hello {
	suites := slices.DeleteFunc(union(working.CipherSuites, broadSuites()), func(s wire.CipherSuite) bool { return !usable(s, v) })
	suites = suites[:min(len(suites), max(len(working.CipherSuites), fewSuites))] // more than work might be too many
	as := func(h *probe.Hello) *probe.Hello {
		h.RecordVersion, h.SessionID, h.Layout = working.RecordVersion, bytes.Clone(working.SessionID), working.Layout
		if v > wire.VersionSSLv3 && knowsRenegotiation(working) && !knowsRenegotiation(h) {
			h.CipherSuites = append(h.CipherSuites, wire.EmptyRenegotiationInfoSCSV)
		}
		return h
	}
	if v <= wire.VersionSSLv3 || len(working.Extensions) == 0 {
		h := bare(v)
		h.CipherSuites = suites
		return as(h)
	}
	groups := working.Groups()
	if len(groups) == 0 {
		groups = broadGroups()
	}
	schemes := working.SignatureSchemes()
	if len(schemes) == 0 {
		schemes = broadSchemes()
	}
	return as(probe.Offer{
		ServerName: working.ServerName(), Versions: []wire.Version{v}, CipherSuites: suites, Groups: groups, KeyShares: firstShare(groups, working),
		SignatureSchemes: schemes, ALPN: working.ALPN(), Bare: !working.Has(wire.ExtensionExtendedMasterSecret),
	}.Hello())
}

// fewSuites are as many as every endpoint takes.
const fewSuites = 12
