package inspect

import (
	"bytes"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// TLS is what the observer has seen so far, in the record's words. Established is as told from outside.
func (o *Observer) TLS() *TLS {
	t := &TLS{
		Established:       o.Established(),
		HelloRetryRequest: o.retryRequest,
		Client:            o.describeClient(),
		Server:            o.describeServer(),
		Alerts:            append([]Alert(nil), o.alerts...),
		Handshake:         &Handshake{History: string(o.history.letters)},
		NextProtocol:      o.protocol,
	}
	if !o.finished.IsZero() {
		t.Handshake.DurationMS = float64(o.finished.Sub(o.began).Microseconds()) / 1000
	}
	if h := o.serverHello; h != nil && !h.HelloRetryRequest {
		t.Version = h.Version.String()
		t.Cipher = h.CipherSuite.String()
		t.Resumed = o.resumed()
	}
	if o.sslv2 != nil {
		t.Version = wire.VersionSSLv2.String()
	}
	if o.group != 0 {
		t.Curve = o.group.String()
	}
	if o.scheme != 0 {
		t.SignatureScheme = o.scheme.String()
	}
	return t
}

// resumed reports whether the server took up an earlier session: a PSK in TLS 1.3, before that the client's session id, or
// Finished without a certificate (RFC 5077, Section 3.4).
func (o *Observer) resumed() bool {
	if o.tls13() {
		return o.serverHello.PreSharedKey
	}
	if o.chain != nil {
		return false
	}
	echoed := o.hello != nil && len(o.hello.SessionID) > 0 && bytes.Equal(o.hello.SessionID, o.serverHello.SessionID)
	return echoed && o.server.changed
}

func (o *Observer) describeClient() *Hello {
	if o.hello == nil {
		return o.describePartial()
	}
	d := o.describeMessage(o.hello, o.helloVersion, o.helloPieces)
	d.Message.Complete = true
	if o.retry != nil {
		d.Retry = o.describeMessage(o.retry, o.helloVersion, o.retryPieces)
	}
	if len(o.clientChain) > 0 {
		d.Certificate = DescribeCertificate(o.clientChain[0])
	}
	return d
}

func (o *Observer) describeMessage(h *wire.ClientHello, version wire.Version, p pieces) *Hello {
	d := o.describer.Hello(h, version, TransportTCP)
	d.Message.Records, d.Message.Segments = p.records, p.segments
	return d
}

// describePartial is what came of a hello that never was whole.
func (o *Observer) describePartial() *Hello {
	if o.client.segments == 0 || o.client.notTLS {
		return nil
	}
	partial, announced := o.client.reader.Partial()
	records, segments := o.client.reader.PartialPieces()
	raw := bytes.Clone(partial)
	if len(raw) == 0 {
		raw, records, segments = bytes.Clone(o.client.first), 0, o.client.segments
	}
	return &Hello{Message: &HelloBytes{Size: max(announced, len(partial)), Records: records, Segments: segments, Raw: raw}}
}

func (o *Observer) describeServer() *Server {
	if o.chain == nil && o.request == nil && !o.stapled && !o.tls13() {
		return nil
	}
	s := &Server{CertificateRequest: o.request}
	switch {
	case o.chain != nil:
		s.CertificateChain = o.describer.Certificates(o.chain)
		s.Validation = &Validation{Status: ValidationNotChecked}
	case o.tls13():
		s.Validation = &Validation{Status: ValidationNotVisible}
	}
	if o.stapled {
		s.OCSP = &OCSP{Stapled: true}
	}
	return s
}
