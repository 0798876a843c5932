package why

import (
	"bytes"
	"fmt"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// downgraded are the last bytes of a random, but for the very last, of a server that knows TLS 1.3 and was offered less (RFC 8446, Section 4.1.3).
const downgraded = "DOWNGRD"

// altered says what of an exchange shows that the endpoint has read another hello than the one that was sent; empty: nothing does.
func (r *run) altered(x *probe.Exchange) string {
	if x == nil || x.ServerHello == nil || r.Target.QUIC {
		return ""
	}
	random := x.ServerHello.Random
	if n := len(random); n == 32 && !x.Version.IsTLS13() && offersTLS13(x.Hello) && bytes.Equal(random[n-8:n-1], []byte(downgraded)) && !works(x) {
		return fmt.Sprintf("its ServerHello of %s says that it was not offered TLS 1.3 (the end of its random, RFC 8446, Section 4.1.3), and TLS 1.3 was offered", x.Version)
	}
	if x.Unopened {
		return "it chose, and its next record does not open with the keys that follow from what was sent"
	}
	if a := x.Alert; a != nil && a.Moment == probe.AfterFinished && x.CertificateRequest == nil && (a.Description == wire.AlertDecryptError || a.Description == wire.AlertBadRecordMAC) {
		return fmt.Sprintf("it chose %s, and does not agree with the client's Finished (%s), which is made of all that was said", x.Version, x.Describe())
	}
	return ""
}

// nameAltered puts what changes the hello on its way in the place of intolerances: an endpoint that chooses, and then does not agree on what was
// said, minds nothing of it.
func (r *run) nameAltered() {
	shown := r.altered(r.failure.x)
	if shown == "" || r.failure.works || len(r.causes) == 1 && r.causes[0].axis == AxisNetwork {
		return
	}
	f := found{axis: AxisNetwork, id: HelloAltered, evidence: "the hello in question: " + shown,
		sentence: "Something between here and the endpoint changes the hello on its way, or the endpoint makes its keys wrong: " + shown + ".",
		fix:      "Look for what inspects TLS on the way (a firewall, a proxy, an antivirus) and have it pass hellos as they are."}
	if len(r.causes) > 0 {
		first := r.causes[0]
		f.axis, f.offered, f.accepted, f.together = first.axis, first.offered, first.accepted, first.together
		f.evidence += "; " + first.evidence
		f.sentence += " It happens with this client's " + partOf(first.axis) + "; the same hello with other ones, or none, is accepted."
	}
	r.withdraw()
	r.add(f)
}

// partOf is what an axis is called in a sentence.
func partOf(axis Axis) string {
	switch axis {
	case AxisServerName:
		return "server name"
	case AxisVersion:
		return "versions"
	case AxisCipher:
		return "cipher suites"
	case AxisGroup:
		return "groups"
	case AxisKeyShare:
		return "key shares"
	case AxisSignature:
		return "signature schemes"
	case AxisALPN:
		return "protocols (ALPN)"
	case AxisExtension:
		return "extensions"
	case AxisSize:
		return "size"
	}
	return "form of the hello"
}
