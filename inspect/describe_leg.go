package inspect

import (
	"bytes"
	"errors"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// TLS is what the observer has seen so far, in the record's words. Established is as told from outside.
func (o *Observer) TLS() *TLS {
	room := &struct { // all that nearly every leg has, at once
		tls        TLS
		handshake  Handshake
		server     Server
		validation Validation
	}{}
	t := &room.tls
	*t = TLS{
		Established:       o.Established(),
		HelloRetryRequest: o.retryRequest,
		Client:            o.describeClient(),
		Alerts:            append([]Alert(nil), o.alerts...),
		Handshake:         &room.handshake,
		NextProtocol:      o.protocol,
	}
	t.Handshake.History = o.history.String()
	if o.describeServer(&room.server, &room.validation) {
		t.Server = &room.server
	}
	if !o.finished.IsZero() {
		t.Handshake.DurationMS = float64(o.finished.Sub(o.began).Microseconds()) / 1000
	}
	if o.chosen.final {
		t.Version = o.chosen.version.String()
		t.Cipher = o.chosen.cipherName
		t.Resumed = o.resumed()
	}
	if o.sslv2 {
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

// resumed reports whether the server took up an earlier session: a PSK in TLS 1.3; before that the abbreviated handshake,
// in which its ChangeCipherSpec follows without a ServerHelloDone, be it by session id (RFC 5246, Section 7.3) or by ticket
// (RFC 5077, Section 3.4, where the session id need not tell).
func (o *Observer) resumed() bool {
	if o.chosen.tls13 {
		return o.chosen.psk
	}
	return o.server.changed && !o.server.done && o.chain == nil
}

func (o *Observer) describeClient() *Hello {
	if o.hello.message == nil {
		return o.describePartial()
	}
	d := o.hello.describe(o.describer, o.transport)
	if o.retry.message != nil {
		d.Retry = o.retry.describe(o.describer, o.transport)
	}
	if o.clientLeaf != nil {
		d.Certificate = DescribeCertificate(o.clientLeaf)
	}
	return d
}

func (s *helloSeen) describe(by *Describer, transport string) *Hello {
	d := by.Hello(s.message, s.recordVersion, transport)
	d.Message.Records, d.Message.Segments = s.records, s.segments
	return d
}

// describePartial is what came of a hello that never was whole; nil when the client sent nothing, no TLS, or something else
// in its place. Where nothing of the message itself can be told, not even a record's header being whole or sound, the first
// bytes stand in for it as they came, of no records.
func (o *Observer) describePartial() *Hello {
	s := &o.client
	if s.segments == 0 || s.notTLS || s.messages > 0 {
		return nil
	}
	partial, announced := s.reader.Partial()
	records, segments := s.reader.PartialPieces()
	var broken *wire.StreamError
	if errors.As(s.err, &broken) && broken.Kind == wire.StreamMessageLength {
		partial, announced = nil, broken.Got // of a message that is too long, it depends on the portions whether its header is kept
	}
	if len(partial) == 0 {
		partial, records, segments = s.first, 0, s.segments
	}
	return &Hello{Message: &HelloBytes{
		Size: max(announced, len(partial)), Records: records, Segments: segments, Raw: bytes.Clone(partial),
		SSLv2: len(s.first) > 0 && s.first[0]&0x80 != 0,
	}}
}

// describeServer tells what of the server is to be seen; false: nothing.
func (o *Observer) describeServer(s *Server, validation *Validation) bool {
	hidden := o.chosen.final && o.chosen.tls13
	if o.chain == nil && o.request == nil && !o.stapled && o.chosen.scts == 0 && !hidden {
		return false
	}
	s.SCTs = o.chosen.scts
	if o.request != nil {
		request := *o.request
		s.CertificateRequest = &request
	}
	switch {
	case o.chain != nil:
		if s.CertificateChain = o.chain; o.chainSent > len(o.chain) {
			s.CertificatesSent = o.chainSent
		}
		validation.Status, s.Validation = ValidationNotChecked, validation
	case hidden:
		validation.Status, s.Validation = ValidationNotVisible, validation
	}
	if o.stapled {
		s.OCSP = &OCSP{Stapled: true}
	}
	return true
}
