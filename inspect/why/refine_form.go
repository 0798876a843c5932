package why

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func (r *run) refineProxy(a answer) bool {
	f := found{axis: AxisProxyProtocol}
	if r.working.proxy != nil {
		version := "1"
		if r.working.proxy.Version == 2 {
			version = "2"
		}
		f.id = ProxyHeaderRequired
		f.evidence = fmt.Sprintf("without a PROXY protocol header: %s; behind one of version %s: %s", a.x.Describe(), version, r.accepted.x.Describe())
		f.sentence = "The endpoint expects a PROXY protocol header before TLS, and the client sends none: it takes the hello for a broken header."
		f.fix = "Send the header (nginx: proxy_protocol on; HAProxy: send-proxy), or turn off at the endpoint that it expects one."
	} else {
		f.id = ProxyHeaderUnexpected
		f.evidence = fmt.Sprintf("behind a PROXY protocol header: %s; without: %s", a.x.Describe(), r.accepted.x.Describe())
		f.sentence = "The endpoint does not know the PROXY protocol: it takes the header for a broken hello."
		f.fix = "Do not send the header, or let the endpoint expect it (nginx: listen … proxy_protocol; HAProxy: accept-proxy)."
	}
	r.add(f)
	return true
}

func (r *run) refineName(next trial, a answer) bool {
	own, other := r.failing.hello.ServerName(), r.working.hello.ServerName()
	f := found{axis: AxisServerName}
	if own == "" {
		f.id = ServerNameRequired
		f.evidence = fmt.Sprintf("without a server name: %s; with %s: %s", a.x.Describe(), other, r.presented())
		f.sentence = "The endpoint needs a server name (SNI), and the client sends none."
		f.fix = "Let the client send the name (nginx: proxy_ssl_server_name on; HAProxy: sni str(…)), or give the endpoint a default certificate."
		f.accepted = []string{other}
	} else {
		f.id, f.offered = ServerNameUnknown, []string{inspect.Bounded(own)}
		f.evidence = fmt.Sprintf("with server name %q: %s; %s: %s", own, a.x.Describe(), nameOrNone(other), r.presented())
		f.sentence = fmt.Sprintf("The endpoint does not accept the server name %q; %s it answers.", own, nameOrNone(other))
		f.fix = "Configure the name at the endpoint, or let the client ask for one that it knows."
		r.addAlone(f, fmt.Sprintf("the server name %q", inspect.Bounded(own)), next, 0, 0)
		return !r.cut
	}
	r.add(f)
	return true
}

func nameOrNone(name string) string {
	if name == "" {
		return "without a name"
	}
	return fmt.Sprintf("with %q", name)
}

// presented is what the endpoint answers to the hello that works.
func (r *run) presented() string {
	x := r.accepted.x
	if chain := inspect.Certificates(x.Certificates); len(chain) > 0 {
		return "a certificate for " + strings.Join(chain[0].AlternativeNames[:min(3, len(chain[0].AlternativeNames))], ", ") + " (" + chain[0].Subject + ")"
	}
	return x.Describe()
}

// versions of which it is asked whether they are accepted, the newest first.
func knownVersions() []wire.Version {
	return []wire.Version{wire.VersionTLS13, wire.VersionTLS12, wire.VersionTLS11, wire.VersionTLS10, wire.VersionSSLv3}
}

// refineVersion: next has the versions of the hello in question, and fails.
func (r *run) refineVersion(s step, next trial, a answer) bool {
	offered := versionsOf(r.failing.hello)
	var accepted []wire.Version
	var base trial
	var common answer
	for _, v := range knownVersions() {
		if r.spare() < 4 {
			r.cut = true
			return false
		}
		t := trial{onlyVersion(r.working.hello, v), r.working.proxy}
		p := r.send("with "+v.String()+" alone", t)
		if p.x != nil && !p.works && v.IsTLS13() { // it may want another key share, and not ask for it
			t.hello = t.hello.Clone()
			t.hello.SetKeyShares(meet(commonShares(), t.hello.Groups())...)
			p = r.send("with "+v.String()+" alone and more key shares", t)
		}
		if p.x == nil {
			return false
		}
		if !p.works || p.x.Version != v {
			continue
		}
		accepted = append(accepted, v)
		if slices.Contains(offered, v) && common.x == nil {
			base, common = t, p
		}
	}
	if common.x == nil {
		f := found{axis: AxisVersion, id: NoCommonVersion, offered: names(offered), accepted: names(accepted)}
		f.evidence = fmt.Sprintf("with %s: %s; with others: %s", offeredVersions(r.failing.hello), a.x.Describe(), r.accepted.x.Describe())
		f.sentence = fmt.Sprintf("No common version: the client offers %s; the endpoint accepts %s.", offeredVersions(r.failing.hello), onlyThese(accepted, r.accepted.x.Version))
		f.fix = "Update the client, or enable its version at the endpoint if that must be."
		r.add(f)
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
	disturbing := lessOf(offered, accepted)
	if len(disturbing) == 0 { // each of them is accepted by itself: the one that nobody knows, or that there are several
		disturbing = slices.DeleteFunc(r.failing.hello.Versions(), func(v wire.Version) bool { return !wire.IsGREASE(v) })
		if len(disturbing) > 0 && r.spare() > 2 {
			t := trial{again.hello.Clone(), again.proxy}
			t.hello.SetVersions(append(slices.Clone(offered), wire.VersionTLS11)...)
			p := r.send("with TLSv1.1 in the place of "+disturbing[0].String(), t)
			if p.x == nil {
				return false
			}
			if !p.works {
				disturbing = nil
			}
		}
		if len(disturbing) == 0 {
			all := names(r.failing.hello.Versions())
			r.add(found{axis: AxisVersion, id: VersionIntolerance, offered: all, accepted: names(accepted),
				evidence: fmt.Sprintf("with %s: %s; with each of %s alone: accepted", strings.Join(all, ", "), b.x.Describe(), listed(accepted)),
				sentence: fmt.Sprintf("The endpoint fails when so many versions are offered (%s), although it accepts %s.", strings.Join(all, ", "), listed(accepted)),
				fix:      fmt.Sprintf("Update the endpoint; until then limit the client to %s.", common.x.Version)})
			return true
		}
	}
	if len(disturbing) == 0 {
		disturbing = offered
	}
	f := found{axis: AxisVersion, id: VersionIntolerance, offered: names(offered), accepted: names(accepted)}
	f.evidence = fmt.Sprintf("with %s: %s; with %s alone: %s", strings.Join(names(union(disturbing[:min(1, len(disturbing))], offered)), ", "), b.x.Describe(), common.x.Version, common.x.Describe())
	f.sentence = fmt.Sprintf("The endpoint fails when %s is offered, although it accepts %s: it is intolerant of versions that it does not know, instead of choosing one that it does.",
		listed(disturbing[:min(1, len(disturbing))]), listed(accepted))
	f.fix = fmt.Sprintf("Update the endpoint; until then limit the client to %s.", common.x.Version)
	r.add(f)
	return true
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

// refineALPN: next has the protocols of the hello in question, and fails.
func (r *run) refineALPN(a answer) bool {
	offered := r.failing.hello.ALPN()
	f := found{axis: AxisALPN, offered: offered}
	if len(offered) == 0 {
		f.id, f.accepted = ALPNRequired, r.working.hello.ALPN()
		f.evidence = fmt.Sprintf("without ALPN: %s; with %s: %s", a.x.Describe(), strings.Join(f.accepted, ", "), r.accepted.x.Describe())
		f.sentence = "The endpoint requires ALPN, and the client offers no protocol."
		f.fix = "Let the client offer " + strings.Join(f.accepted, " or ") + "."
		r.add(f)
		return true
	}
	if one, ok := r.poison(offered); ok {
		f.id, f.offered = ALPNIntolerance, []string{one}
		f.evidence = fmt.Sprintf("with the protocol %q, also beside others that are accepted: %s; without it: accepted", one, a.x.Describe())
		f.sentence = fmt.Sprintf("The endpoint fails as soon as the protocol %q is offered by ALPN.", one)
		f.fix = "Look at the endpoint's settings for this protocol; until then let the client leave it out."
		r.addAlone(f, fmt.Sprintf("ALPN %q", one), r.with(func(h *probe.Hello) { h.SetALPN(offered...) }), 0, 0)
		return !r.cut
	}
	var accepted []string
	candidates := lessOf([]string{"h2", "http/1.1", "http/1.0", "h3", "h2c", "spdy/3.1", "acme-tls/1", "grpc-exp", "mqtt", "postgresql", "imap", "pop3", "ftp", "xmpp-client", "xmpp-server", "dot", "stun.turn", "webrtc"}, offered)
	for len(candidates) > 0 && len(accepted) < maxAccepted && r.spare() > 2 {
		t := r.with(func(h *probe.Hello) { h.SetALPN(candidates...) })
		p := r.send("which protocols it accepts", t)
		if p.x == nil {
			return false
		}
		if !p.works || p.x.ALPN == "" || !slices.Contains(candidates, p.x.ALPN) {
			break
		}
		if len(accepted) == 0 {
			r.keep(t, p)
		}
		accepted = append(accepted, p.x.ALPN)
		candidates = lessOf(candidates, accepted)
	}
	f.accepted = accepted
	if len(accepted) == 0 && (a.x.Alert == nil || a.x.Alert.Description != wire.AlertNoApplicationProtocol) {
		f.id = ALPNIntolerance
		f.evidence = fmt.Sprintf("with the protocols %s: %s; without ALPN: %s", quoted(offered), a.x.Describe(), r.accepted.x.Describe())
		f.sentence = "The endpoint fails as soon as protocols are offered by ALPN, instead of ignoring them."
		f.fix = "Update the endpoint; until then let the client leave ALPN out."
		r.add(f)
		return true
	}
	f.id = NoCommonALPN
	f.evidence = fmt.Sprintf("with the protocols %s: %s; without ALPN or with others: accepted", quoted(offered), a.x.Describe())
	f.sentence = fmt.Sprintf("No common protocol (ALPN): the client offers %s; the endpoint accepts %s, and refuses what it does not know.", quoted(offered), acceptedProtocols(accepted))
	f.fix = "Let both agree on a protocol: mostly http/1.1 is missing on one side, or h2 is not enabled."
	r.add(f)
	return true
}

func quoted(protocols []string) string {
	var out []string
	for _, p := range protocols[:min(len(protocols), 6)] {
		out = append(out, inspect.Bounded(fmt.Sprintf("%q", p)))
	}
	return strings.Join(out, ", ")
}

func acceptedProtocols(accepted []string) string {
	if len(accepted) == 0 {
		return "others"
	}
	return quoted(accepted)
}

func (r *run) addRenegotiation(a answer) {
	r.add(found{axis: AxisExtension, id: RenegotiationIndication, accepted: []string{wire.ExtensionRenegotiationInfo.String()},
		evidence: fmt.Sprintf("without renegotiation_info and its signalling suite: %s; with it: %s", a.x.Describe(), r.accepted.x.Describe()),
		sentence: "The endpoint requires that the client knows secure renegotiation (RFC 5746), and the client does not say so.",
		fix:      "Update the client."})
}

// refineExtensions: extensions were taken away or added, or the rest of the message was taken over, and that fails.
func (r *run) refineExtensions(s step, next trial, a answer) bool {
	f := r.failing.hello.InTLSFormat()
	switch s.change {
	case noSessionID:
		r.add(found{axis: AxisExtension, id: SessionIDIntolerance,
			evidence: fmt.Sprintf("without a session id: %s; with one: %s", a.x.Describe(), r.accepted.x.Describe()),
			sentence: "The endpoint fails on hellos without a session id, which it must not need (RFC 8446, Section 4.1.2).",
			fix:      "Update the endpoint, or what stands before it; until then let the client send one (TLS 1.3's middlebox compatibility mode)."})
		r.keepsID = true
		return true
	case "none but its extensions":
		return r.required(f)
	case itsExtensions:
		return r.intolerable(f)
	}
	edits := []struct {
		id, what string
		edit     func(*probe.Hello)
	}{
		{CompressionIntolerance, "compression methods", func(h *probe.Hello) { h.CompressionMethods = bytes.Clone(f.CompressionMethods) }},
		{SessionIDIntolerance, "session id", func(h *probe.Hello) { h.SessionID = bytes.Clone(f.SessionID) }},
	}
	for _, e := range edits {
		t := r.with(e.edit)
		if same(t.hello, r.working.hello) {
			continue
		}
		if e.id == SessionIDIntolerance && r.keepsID {
			continue
		}
		b, ok := r.believe("with its "+e.what, t)
		if !ok {
			return false
		}
		if b.works {
			r.keep(t, b)
			continue
		}
		if e.id == SessionIDIntolerance && len(r.working.hello.SessionID) == 0 {
			r.addAlone(found{axis: AxisExtension, id: e.id,
				evidence: fmt.Sprintf("with a session id of %d bytes: %s; without one: accepted", len(f.SessionID), b.x.Describe()),
				sentence: "The endpoint fails on hellos that have a session id, as clients of TLS 1.3 send it in its middlebox compatibility mode (RFC 8446, Appendix D.4).",
				fix:      "Update the endpoint, or what stands before it."}, "a session id", t, 0, 0)
			continue
		}
		r.add(found{axis: AxisExtension, id: e.id,
			evidence: fmt.Sprintf("with the client's %s: %s; with others: accepted", e.what, b.x.Describe()),
			sentence: fmt.Sprintf("The endpoint fails on the client's %s.", e.what), fix: "Update the endpoint."})
	}
	return true
}

// required looks for the extensions without which the endpoint fails.
func (r *run) required(f *probe.Hello) bool {
	for _, t := range typesOf(r.working.hello) {
		if f.Has(t) || r.needed(r.working.hello, t) {
			continue
		}
		less := r.with(func(h *probe.Hello) { h.Remove(t) })
		a, ok := r.believe("without "+t.String(), less)
		if !ok {
			return false
		}
		if a.works {
			r.keep(less, a)
			continue
		}
		if t == wire.ExtensionRenegotiationInfo {
			r.addRenegotiation(a)
			continue
		}
		r.add(found{axis: AxisExtension, id: ExtensionRequired, accepted: []string{t.String()},
			evidence: fmt.Sprintf("without %s: %s; with it: %s", t, a.x.Describe(), r.accepted.x.Describe()),
			sentence: fmt.Sprintf("The endpoint requires the extension %s, which the client does not send.", t),
			fix:      "Update the client, or turn the requirement off at the endpoint."})
	}
	return true
}

// intolerable looks for the extensions that the endpoint fails on: it adds what it accepts, half by half.
func (r *run) intolerable(f *probe.Hello) bool {
	var extra []probe.Extension
	for _, e := range f.Extensions {
		if walked(e.Type) || stale(e.Type) || r.size != nil && e.Type == wire.ExtensionPadding {
			continue
		}
		if body, ok := r.working.hello.Extension(e.Type); !ok || !bytes.Equal(body, e.Body) {
			extra = append(extra, e)
		}
	}
	before := len(r.causes)
	if !r.addAll(extra) {
		return false
	}
	ordered := r.with(func(h *probe.Hello) { h.Reorder(typesOf(f)...) })
	if same(ordered.hello, r.working.hello) {
		return true
	}
	a, ok := r.believe("with its order of extensions", ordered)
	switch {
	case !ok:
		return false
	case a.works:
		r.keep(ordered, a)
	case len(r.causes) == before:
		r.add(found{axis: AxisExtension, id: ExtensionOrder,
			evidence: fmt.Sprintf("with the client's order of extensions: %s; in another order: accepted", a.x.Describe()),
			sentence: "The endpoint fails on the order of the client's extensions, which by RFC 8446, Section 4.2 means nothing.",
			fix:      "Update the endpoint."})
	}
	return true
}

// addAll adds extensions to the hello that works; those that it stops working with are causes.
func (r *run) addAll(extra []probe.Extension) bool {
	if len(extra) == 0 || r.spare() < 3 {
		return true
	}
	more := r.with(func(h *probe.Hello) {
		for _, e := range extra {
			h.Set(e.Type, bytes.Clone(e.Body))
		}
	})
	if r.size != nil && more.hello.Size() > r.size.limit || r.overCount(more.hello) {
		if len(extra) == 1 {
			return true
		}
	} else {
		a, ok := r.believe("with "+extensionNames(extra), more)
		if !ok {
			return false
		}
		if a.works {
			r.keep(more, a)
			return true
		}
		if len(extra) == 1 {
			if more.hello.Size() > r.largest && r.isSize(more, a) {
				return true
			}
			if r.cut || r.isCount(more, a) {
				return !r.cut
			}
			t := extra[0].Type
			r.addAlone(found{axis: AxisExtension, id: ExtensionIntolerance, offered: []string{t.String()},
				evidence: fmt.Sprintf("with %s: %s; without it: accepted", t, a.x.Describe()),
				sentence: fmt.Sprintf("The endpoint fails as soon as the extension %s is sent, instead of ignoring what it does not know (RFC 8446, Section 4.1.2).", extensionName(t)),
				fix:      "Update the endpoint, or what stands before it; until then let the client leave the extension out."}, "the extension "+t.String(), more, t, 0)
			return !r.cut
		}
	}
	half := len(extra) / 2
	return r.addAll(extra[:half]) && r.addAll(extra[half:])
}

func extensionNames(extra []probe.Extension) string {
	var types []wire.ExtensionType
	for _, e := range extra {
		types = append(types, e.Type)
	}
	return listed(types)
}

func extensionName(t wire.ExtensionType) string {
	if wire.IsGREASE(t) {
		return t.String() + " (GREASE, which is sent to find endpoints like this one)"
	}
	return t.String()
}

// refineForm names what is around the message: the record's version, the layout, the format.
func (r *run) refineForm(s step, next trial, a answer) bool {
	f := found{axis: s.axis}
	h := r.failing.hello
	if h.SSLv2 && next.hello.SSLv2 {
		// The format has no extensions: it is to blame only if the same offer without them is accepted as a TLS record.
		p := r.send("the same without extensions, as a TLS record", trial{next.hello.InTLSFormat(), next.proxy})
		if p.x == nil || !p.works {
			return p.x != nil
		}
	}
	switch {
	case s.axis == AxisSegmentation && len(h.Layout.Records) == 0 && h.Layout.RecordSize == 0:
		f.id = FragmentedSegments
		f.evidence = fmt.Sprintf("in segments of %d bytes: %s; in one: accepted", h.Layout.SegmentSize, a.x.Describe())
		f.sentence = "The endpoint, or something before it, fails when the hello comes in more than one TCP segment: it looks at the first one only."
		f.fix = "Update what stands before the endpoint."
	case s.axis == AxisSegmentation:
		f.id = FragmentedRecords
		f.evidence = fmt.Sprintf("in the client's TLS records: %s; in one: accepted", a.x.Describe())
		f.sentence = "The endpoint, or something before it, fails when the hello comes in more than one TLS record, which RFC 8446, Section 5.1 allows."
		f.fix = "Update the endpoint; until then make the hello fit one record."
	case h.SSLv2:
		f.id = SSLv2FormatRefused
		f.evidence = fmt.Sprintf("in the SSLv2 format: %s; the same offer as a TLS record: accepted", a.x.Describe())
		f.sentence = "The endpoint does not take hellos in the SSLv2 format, as clients before 2010 send them, whatever version they offer."
		f.fix = "Have the client send TLS hellos (Java: without SSLv2Hello; OpenSSL: without SSLv2)."
	default:
		theirs, ours := recordVersion(h), recordVersion(r.working.hello)
		f.id, f.offered, f.accepted = RecordVersionRefused, []string{theirs.String()}, []string{ours.String()}
		f.evidence = fmt.Sprintf("with %s in the record's header: %s; with %s: accepted", theirs, a.x.Describe(), ours)
		f.sentence = fmt.Sprintf("The endpoint fails on the version %s in the record's header, which it has to ignore (RFC 8446, Section 5.1); with %s there it answers.", theirs, ours)
		f.fix = "Update the endpoint."
	}
	r.add(f)
	return true
}

// recordVersion is what stands in the header of a hello's records.
func recordVersion(h *probe.Hello) wire.Version {
	switch {
	case h.RecordVersion != 0:
		return h.RecordVersion
	case h.Version == wire.VersionSSLv3:
		return wire.VersionSSLv3
	}
	return wire.VersionTLS10
}

// poison looks for the one protocol that the endpoint fails on although others of the client's are accepted, which is no matter of having none
// in common.
func (r *run) poison(offered []string) (one string, ok bool) {
	if len(offered) < 2 {
		return "", false
	}
	var bad, good []string
	for _, name := range offered[:min(len(offered), 4)] {
		a := r.send(fmt.Sprintf("with the protocol %q alone", inspect.Bounded(name)), r.with(func(h *probe.Hello) { h.SetALPN(name) }))
		switch {
		case a.x == nil:
			return "", false
		case a.works:
			good = append(good, name)
		default:
			bad = append(bad, name)
		}
	}
	if len(bad) != 1 || len(good) == 0 {
		return "", false
	}
	return bad[0], true
}
