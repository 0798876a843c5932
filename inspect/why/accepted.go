package why

import (
	"fmt"
	"slices"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// accepts looks closer at an endpoint that accepts the hello.
func (r *run) accepts(first answer) {
	r.accepted, r.working = first, r.failing
	r.result.Failure = ""
	if r.illegalChoice(first.x) || r.staleSession() {
		return
	}
	x := first.x
	r.behindHandshake()
	if r.Target.QUIC && x.CertificateRequest != nil && r.Certificate == nil {
		r.result.Notes = append(r.result.Notes, "The endpoint asks for a client certificate. Whether it insists is not seen over QUIC, where the handshake is not finished.")
	}
	if x.CertificateRequest == nil || !x.Finished || r.Certificate != nil {
		return
	}
	// Some servers finish the handshake and tell an HTTP client afterwards that they want a certificate.
	t := r.failing
	t.hello = t.hello.Clone()
	t.hello.SetALPN()
	if r.left() <= 0 {
		return
	}
	short := r.client.Timeouts.Finish
	r.client.Timeouts.Finish = max(short, r.patience) // as long as for an answer: it is one
	a := r.exchange(t, probe.Options{Until: probe.UntilAnswer, Request: probe.HTTPRequest(r.host())})
	r.client.Timeouts.Finish = short
	r.note("an HTTP request behind the handshake, without ALPN", t, a)
	if certificateRefused(a.x) { // which took longer than was waited for at first
		r.result.Failure = a.x.Describe()
		r.result.Probes[len(r.result.Probes)-1].Works = false
		r.certificateCause(a.x)
		return
	}
	if status, ok := wantsCertificate(a.x.Answer); ok {
		r.result.Failure = "HTTP " + status
		last := &r.result.Probes[len(r.result.Probes)-1]
		last.Works, last.Answer = false, last.Answer+", then HTTP "+status
		r.add(found{axis: AxisClientCertificate, id: ClientCertificateRequired,
			evidence: fmt.Sprintf("the handshake asks for a client certificate and is finished without one; the HTTP answer is %s", status),
			sentence: "The endpoint requires a client certificate: it finishes the handshake without one and then refuses the request (nginx: ssl_verify_client on).",
			fix:      "Give the client a certificate of one of the authorities that the endpoint names."})
	}
}

// staleSession sends a hello that resumes a session as it was recorded: a server may stumble over just that.
func (r *run) staleSession() bool {
	h := r.failing.hello
	if !h.Has(wire.ExtensionPreSharedKey) && !h.Has(wire.ExtensionEarlyData) || r.left() <= 0 {
		return false
	}
	target := r.Target
	target.Proxy = r.failing.proxy
	x := r.client.Exchange(r.ctx, target, h, probe.Options{Until: probe.UntilHello})
	a := answer{x, x.Outcome == probe.OutcomeServerHello || x.RetryRequest != nil}
	r.note("as recorded, with the pre-shared key of a session that is gone", r.failing, a)
	if a.works {
		r.result.Notes = append(r.result.Notes, "The recorded hello resumes a session; fresh hellos were sent without it.")
		return false
	}
	r.result.Failure = x.Describe()
	r.add(found{axis: AxisExtension, id: ExtensionIntolerance,
		evidence: fmt.Sprintf("with the recorded pre_shared_key: %s; without it the hello is accepted", x.Describe()),
		sentence: "The endpoint fails on the session that the client wants to resume (pre_shared_key), and accepts the same client without it.",
		fix:      "Let servers behind one name share their ticket keys, or have the client forget its sessions."})
	return true
}

// illegalChoice names a server that chooses what was not offered: it accepts the hello, and a client that looks breaks off.
func (r *run) illegalChoice(x *probe.Exchange) bool {
	h := x.Hello
	if h.SSLv2 || x.ServerHello == nil || x.Resumed {
		return false
	}
	var f found
	switch {
	case !slices.Contains(versionsOf(h), x.Version):
		f = found{axis: AxisVersion, offered: names(versionsOf(h)), accepted: []string{x.Version.String()}}
	case !slices.Contains(h.CipherSuites, x.CipherSuite):
		f = found{axis: AxisCipher, offered: names(h.CipherSuites), accepted: []string{x.CipherSuite.String()}}
	case x.ALPN != "" && !slices.Contains(h.ALPN(), x.ALPN):
		f = found{axis: AxisALPN, offered: h.ALPN(), accepted: []string{inspect.Bounded(x.ALPN)}}
	case x.Group != 0 && len(h.Groups()) > 0 && !slices.Contains(h.Groups(), x.Group):
		f = found{axis: AxisGroup, offered: names(h.Groups()), accepted: []string{x.Group.String()}}
	default:
		return false
	}
	r.result.Failure = x.Describe()
	f.id = IllegalChoice
	f.evidence = "the hello is answered by " + x.Describe() + " and " + f.accepted[0] + " was not offered"
	f.sentence = fmt.Sprintf("The endpoint chooses %s, which the client did not offer: clients break off with illegal_parameter (RFC 8446, Section 4.1.3).", f.accepted[0])
	f.fix = "Update the endpoint, or what stands before it."
	r.add(f)
	return true
}
