package why

import (
	"fmt"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// begins reports whether an endpoint chose a version by its ServerHello and then ended the handshake itself, before the client had its turn:
// whoever does that knows the version.
func begins(x *probe.Exchange, v wire.Version) bool {
	return x != nil && x.ServerHello != nil && x.Version == v && !works(x) && !x.Replied && !x.Unopened
}

// cannotGoOn names an endpoint that chooses a version and ends the handshake behind its ServerHello, whatever was offered beside it: p is
// its answer. In base, which works and is of another version, it is looked for what it lacks.
func (r *run) cannotGoOn(v wire.Version, p answer, accepted []wire.Version, base trial, common answer) bool {
	r.keep(base, common)
	offered := versionsOf(r.failing.hello)
	f := found{axis: AxisVersion, id: VersionNotFinished, offered: names(offered), accepted: names(accepted)}
	f.evidence = fmt.Sprintf("with %s: it chooses %s, then %s; with %s: %s", listed(offered), v, p.x.Describe(), common.x.Version, common.x.Describe())
	f.sentence = fmt.Sprintf("The endpoint chooses %s, and then ends the handshake itself (%s), whatever of what was tried is offered beside it: it knows the version and cannot go on in it.", v, p.x.Describe())
	f.fix = fmt.Sprintf("Look at the endpoint's own log; until then turn %s off there, or limit the client to %s.", v, common.x.Version)
	f.denies = func(x *probe.Exchange) bool { return x.Version == v }
	if v.IsTLS13() {
		if request := common.x.CertificateRequest; request != nil && request.SignatureSchemes.Len() > 0 && !slices.ContainsFunc(slices.Collect(request.SignatureSchemes.All()), signs13) {
			asked := slices.Collect(request.SignatureSchemes.All())
			f.evidence += fmt.Sprintf("; there it asks for a client certificate that signs with %s", listed(asked))
			f.sentence = fmt.Sprintf("The endpoint chooses %s, and then ends the handshake itself (%s): it asks for a client certificate, and of the signature schemes that it asks for in %s (%s) %s allows none.", v, p.x.Describe(), common.x.Version, listed(asked), v)
			f.fix = fmt.Sprintf("Let the endpoint take client certificates that sign with schemes of TLS 1.3 (OpenSSL: ClientSignatureAlgorithms), or turn %s off there.", v)
		} else if !r.signsOnlyBefore13(&f, v, p) {
			return false
		}
	}
	r.add(f)
	r.causal[AxisVersion] = true // the hello that works speaks another version, whatever the cause is
	return true
}

// signs13 reports whether a handshake of TLS 1.3 may be signed with a scheme (RFC 8446, Section 4.2.3).
func signs13(s wire.SignatureScheme) bool {
	info, ok := s.Info()
	return ok && info.TLS13 && !info.TLS13CertificatesOnly
}

// signsOnlyBefore13 finds out whether the endpoint has signature schemes for older versions only, and says so in f.
func (r *run) signsOnlyBefore13(f *found, v wire.Version, p answer) bool {
	base, common := r.working, r.accepted
	if common.x.Version != wire.VersionTLS12 || common.x.Scheme == 0 || signs13(common.x.Scheme) || r.spare() < 8 {
		return true
	}
	var newer []wire.SignatureScheme
	for _, s := range allSchemes() {
		if signs13(s) {
			newer = append(newer, s)
		}
	}
	a := r.send("with "+common.x.Version.String()+" and the signature schemes of "+v.String()+" alone", r.with(func(h *probe.Hello) { h.SetSignatureSchemes(newer...) }))
	if a.x == nil || a.works {
		return a.x != nil
	}
	// All that it could sign with, to name what it does.
	all := r.with(func(h *probe.Hello) { h.SetSignatureSchemes(union(h.SignatureSchemes(), allSchemes())...) })
	u := r.send("with "+common.x.Version.String()+" and every signature scheme there is", all)
	if u.x == nil {
		return false
	}
	if u.works {
		r.keep(all, u)
	}
	chosen, alone := acceptedAlone(r, "signature scheme", r.working.hello.SignatureSchemes(), func(x *probe.Exchange) wire.SignatureScheme { return x.Scheme }, func(h *probe.Hello, schemes []wire.SignatureScheme) { h.SetSignatureSchemes(schemes...) })
	r.keep(base, common)
	if len(alone) == 0 || slices.ContainsFunc(chosen, signs13) {
		return true
	}
	f.axis, f.id, f.offered, f.accepted = AxisSignature, NoCommonSignature, names(r.failing.hello.SignatureSchemes()), names(alone)
	f.evidence += fmt.Sprintf("; there, with the schemes of %s alone: %s; it signs with %s", v, a.x.Describe(), aloneOf(chosen, alone))
	f.sentence = fmt.Sprintf("No common signature scheme in %s: the endpoint chooses that version, and signs with %s, which it does not allow (RFC 8446, Section 4.2.3); %s it finishes.", v, aloneOf(chosen, alone), common.x.Version)
	f.fix = fmt.Sprintf("Give the endpoint a signature scheme of TLS 1.3 (with an RSA key rsa_pss_rsae_sha256, for one), or turn %s off there.", v)
	return true
}
