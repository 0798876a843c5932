package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// settle turns what the observers hold of both legs into the record once the handshakes are over, so that an idle
// connection holds no handshake bytes.
func (c *connection) settle() {
	r := c.record
	if c.route != nil {
		r.Route = c.route.Name
	}
	if c.action.Policy != nil {
		outcome := *c.action.Policy
		outcome.Enforced = c.clientErr != nil && c.clientErr.Type == inspect.ErrorPolicy
		r.Policy = &outcome
	}
	r.ClientLeg = c.describeClient()
	c.quic.describe(r.ClientLeg)
	if c.backend != nil {
		r.BackendLeg = c.backend.describe(&c.server.describer)
		if hello, _ := c.clientObserver.ClientHello(); c.passthrough && hello != nil {
			r.BackendLeg.FirstBytes = c.clientObserver.FirstBytes(inspect.FromServer) // in the place of TLS
		}
		c.backend.observer, c.backend.chain, c.backend.request, c.backend.state = nil, nil, nil, nil
	}
	c.clientObserver, c.served, c.refusal = nil, nil, nil
}

// finish completes the record with how the legs ended, and hands it over.
func (c *connection) finish() {
	r := c.record
	if r.ClientLeg == nil {
		c.settle()
	}
	r.Event.DurationMS = milliseconds(time.Since(c.started))
	if c.clientErr == nil && c.wasCut() {
		c.clientErr = &inspect.Error{Type: inspect.ErrorShutdown, Message: "cut at the end of draining", Phase: inspect.PhaseTransfer}
	}
	if c.dialled != nil && c.server.outgoing.forget(c.dialled) && c.backend != nil {
		c.backend.err = c.loopError()
	}
	addEnd(r.ClientLeg, c.clientErr, c.clientFacts, c.clientAlerts)
	r.ClientLeg.PeerEnd = c.clientEnd
	r.ClientLeg.Silent = c.silent && c.clientEnd != "" && r.Event.End == inspect.EndedByClient
	if c.backend != nil {
		addEnd(r.BackendLeg, c.backend.err, c.backend.facts, c.backend.alerts)
		r.BackendLeg.PeerEnd, r.BackendLeg.OpenEnded, r.BackendLeg.Unanswered = c.backend.peerEnd, c.backend.openEnded, c.backend.unanswered
	}
	r.Event.Outcome = inspect.Success
	if !r.ClientLeg.Established() || r.BackendLeg != nil && !r.BackendLeg.Established() {
		r.Event.Outcome = inspect.Failure
	}
	c.server.done(c)
}

// addEnd adds to a leg what is known at its end only.
func addEnd(leg *inspect.Leg, err *inspect.Error, facts *inspect.TCP, alerts []inspect.Alert) {
	leg.Error, leg.TCP = err, facts
	if leg.TLS != nil {
		leg.TLS.AddAlerts(alerts...)
	}
}

func (c *connection) describeClient() *inspect.Leg {
	leg := &inspect.Leg{Passthrough: c.passthrough, FirstBytes: c.clientObserver.FirstBytes(inspect.FromClient), StartTLS: c.asked}
	if leg.FirstBytes != nil || c.clientErr != nil && (c.clientErr.Phase == inspect.PhaseProxyProtocol || c.clientErr.Phase == inspect.PhaseStartTLS || c.hello == nil && c.clientErr.Type == inspect.ErrorLoop) || c.clientErr != nil && c.clientErr.Type == inspect.ErrorEmpty {
		return leg
	}
	leg.TLS = c.clientObserver.TLS()
	if c.passthrough {
		return leg
	}
	leg.TLS.Handshake.DurationMS = milliseconds(c.clientTook)
	leg.TLS.Established = false
	if c.clientState != nil {
		setState(leg.TLS, c.clientState)
		if presented := c.clientState.PeerCertificates; len(presented) > 0 && leg.TLS.Client != nil {
			leg.TLS.Client.Certificate = inspect.DescribeCertificate(presented[0].Raw)
		}
	}
	if hello := leg.TLS.Client; hello != nil && c.clientErr != nil {
		if presented := c.refusedCertificates(); hello.Certificate == nil && len(presented) > 0 {
			hello.Certificate = inspect.DescribeCertificate(presented[0].Raw)
		}
		hello.Revocation = revocationIn(c.refusal)
	}
	if c.served != nil {
		server := leg.TLS.ServerSide()
		server.Present(&c.server.describer, c.served.Certificate)
		server.Validation = nil // it is the client's to validate
	}
	if c.route != nil && c.route.ClientAuth != tls.NoClientCert {
		sent := leg.TLS.Client != nil && leg.TLS.Client.Certificate != nil
		request := inspect.CertificateRequest{}
		if seen := leg.TLS.ServerSide().CertificateRequest; seen != nil {
			request = *seen
		}
		request.CertificateSent = sent
		if request.Authorities == nil {
			request.Authorities = c.route.authorities
		}
		leg.TLS.Server.CertificateRequest = &request
	}
	return leg
}

// refusedCertificates are what a client presented whose handshake failed. crypto/tls keeps those that it had nothing to say against
// and hands out the others with its error; those that do not parse are in neither.
func (c *connection) refusedCertificates() []*x509.Certificate {
	var refused *tls.CertificateVerificationError
	if errors.As(c.refusal, &refused) {
		return refused.UnverifiedCertificates
	}
	if c.quic != nil {
		return c.quic.presented
	}
	if c.clientTLS == nil || c.clientState != nil {
		return nil
	}
	return c.clientTLS.ConnectionState().PeerCertificates
}

// setState adds what crypto/tls knows of a handshake that it finished.
func setState(t *inspect.TLS, state *tls.ConnectionState) {
	t.Established = state.HandshakeComplete
	t.Version = wire.Version(state.Version).String()
	t.Cipher = wire.CipherSuite(state.CipherSuite).String()
	if state.CurveID != 0 {
		t.Curve = wire.NamedGroup(state.CurveID).String()
	}
	t.NextProtocol = state.NegotiatedProtocol
	t.Resumed = state.DidResume
	t.HelloRetryRequest = state.HelloRetryRequest
	setPresented(t, state.OCSPResponse, state.SignedCertificateTimestamps)
}

// setPresented adds what came with a server's certificates.
func setPresented(t *inspect.TLS, ocsp []byte, scts [][]byte) {
	if len(scts) > 0 {
		server := t.ServerSide()
		server.SCTs, server.SCTList = len(scts), scts
	}
	if len(ocsp) > 0 {
		t.ServerSide().OCSP = &inspect.OCSP{Stapled: true, Raw: ocsp}
	}
}

// The most certificate authorities of a CertificateRequest that a record keeps.
const maxAuthorities = 50

// describeRequest is what a backend asked of our certificate. seen is what the observer read of it in the clear (TLS 1.2), which
// is more than crypto/tls tells: that leaves out the signature schemes that do not fit the certificate types. Nil: it was encrypted.
func describeRequest(seen *inspect.CertificateRequest, info *tls.CertificateRequestInfo, sent bool) *inspect.CertificateRequest {
	request := &inspect.CertificateRequest{}
	if seen != nil {
		*request = *seen
	}
	request.CertificateSent = sent
	if len(request.Authorities) == 0 {
		request.Authorities = describeAuthorities(info.AcceptableCAs)
	}
	if len(request.SignatureAlgorithms) == 0 {
		for _, s := range info.SignatureSchemes {
			request.SignatureAlgorithms = append(request.SignatureAlgorithms, wire.SignatureScheme(s).String())
		}
	}
	return request
}

// describeAuthorities are distinguished names for the record.
func describeAuthorities(names [][]byte) []string {
	var described []string
	for _, der := range names[:min(maxAuthorities, len(names))] {
		if name, ok := inspect.DistinguishedName(der); ok {
			described = append(described, name)
		}
	}
	return described
}
