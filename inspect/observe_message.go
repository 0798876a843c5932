package inspect

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"time"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Bounds on what an observer keeps of a handshake.
const (
	maxAlerts      = 16
	maxAuthorities = 50
	maxChainBytes  = 256 << 10
)

// message takes from one message what the record needs. Messages that do not parse are kept in the history only: what
// could be read of them stays, nothing is guessed.
func (o *Observer) message(from Side, s *stream, m *wire.Message, t time.Time) {
	o.history.add(from, m)
	if !o.Established() {
		defer func() {
			if o.Established() {
				o.finished = t
			}
		}()
	}
	switch m.ContentType {
	case wire.ContentTypeAlert:
		o.alert(from, s, m)
	case wire.ContentTypeChangeCipherSpec:
		s.changed = true
	case wire.ContentTypeApplicationData:
		o.applicationData(s, m)
	case wire.ContentTypeHandshake:
		if m.Encrypted {
			s.encrypted++
			return
		}
		o.handshake(from, m)
	}
}

func (o *Observer) alert(from Side, s *stream, m *wire.Message) {
	if m.Encrypted {
		s.data = s.data || o.Established()
		return
	}
	if len(o.alerts) < maxAlerts {
		o.alerts = append(o.alerts, NewAlert(m.Level, m.Description, from))
	}
}

func (o *Observer) applicationData(s *stream, m *wire.Message) {
	if !o.tls13() {
		s.data = true
		return
	}
	s.data = s.data || s.flight && o.Established()
	s.flight = s.flight || m.Length >= shortestFinished
}

func (o *Observer) handshake(from Side, m *wire.Message) {
	switch {
	case from == FromClient && m.HandshakeType == wire.HandshakeTypeClientHello:
		o.clientHello(m)
	case from == FromServer && m.HandshakeType == wire.HandshakeTypeServerHello:
		o.serverHelloMessage(m)
	case m.HandshakeType == wire.HandshakeTypeCertificate:
		o.certificate(from, m)
	case from == FromServer && m.HandshakeType == wire.HandshakeTypeServerKeyExchange:
		o.serverKeyExchange(m)
	case from == FromServer && m.HandshakeType == wire.HandshakeTypeCertificateRequest:
		o.certificateRequest(m)
	case from == FromServer && m.HandshakeType == wire.HandshakeTypeCertificateStatus:
		o.stapled = true
	}
}

// clientHello keeps the first hello, and the second one after a HelloRetryRequest.
func (o *Observer) clientHello(m *wire.Message) {
	if o.hello != nil && !o.retryRequest || o.retry != nil || o.helloErr != nil {
		return
	}
	hello := &wire.ClientHello{}
	raw := bytes.Clone(m.Bytes)
	parse := wire.ParseClientHello
	if m.SSLv2 {
		parse = wire.ParseSSLv2ClientHello
	}
	err := parse(raw, hello)
	if o.hello != nil {
		if err == nil {
			o.retry, o.retryPieces = hello, pieces{m.Records, m.Segments}
		}
		return
	}
	if err != nil {
		o.helloErr = err
		hello.Raw = raw
	}
	o.hello, o.helloVersion, o.helloPieces = hello, m.RecordVersion, pieces{m.Records, m.Segments}
}

func (o *Observer) serverHelloMessage(m *wire.Message) {
	if m.SSLv2 {
		hello := &wire.SSLv2ServerHello{}
		if wire.ParseSSLv2ServerHello(bytes.Clone(m.Bytes), hello) == nil && o.sslv2 == nil {
			o.sslv2 = hello
			if len(hello.Certificate) > 0 {
				o.chain = [][]byte{hello.Certificate}
			}
		}
		return
	}
	if o.serverHello != nil && !o.serverHello.HelloRetryRequest {
		return
	}
	hello := &wire.ServerHello{}
	if wire.ParseServerHello(bytes.Clone(m.Bytes), hello) != nil {
		return
	}
	o.serverHello = hello
	if hello.HelloRetryRequest {
		o.retryRequest = true
		return
	}
	if o.tls13() {
		o.client.reader.SetTLS13()
		o.server.reader.SetTLS13()
	}
	if hello.Group != 0 {
		o.group = hello.Group
	}
	if len(hello.ALPN) > 0 {
		o.protocol = Bounded(string(hello.ALPN))
	}
}

// certificate keeps a chain of TLS 1.2 or before; in TLS 1.3 it is encrypted.
func (o *Observer) certificate(from Side, m *wire.Message) {
	if o.serverHello == nil || len(m.Bytes) > maxChainBytes {
		return
	}
	var message wire.Certificate
	if wire.ParseCertificate(bytes.Clone(m.Bytes), o.serverHello.Version, &message) != nil {
		return
	}
	var chain [][]byte
	for entry := range message.All() {
		if len(chain) == maxCertificates {
			break
		}
		chain = append(chain, entry.DER)
	}
	if from == FromServer && o.chain == nil {
		o.chain = chain
	}
	if from == FromClient && o.clientChain == nil {
		o.clientChain = chain
		if o.request != nil {
			o.request.CertificateSent = len(chain) > 0
		}
	}
}

func (o *Observer) serverKeyExchange(m *wire.Message) {
	if o.serverHello == nil {
		return
	}
	var exchange wire.ServerKeyExchange
	if wire.ParseServerKeyExchange(m.Bytes, o.serverHello.Version, o.serverHello.CipherSuite, &exchange) != nil {
		return
	}
	o.group, o.scheme = exchange.Group, exchange.SignatureScheme
}

func (o *Observer) certificateRequest(m *wire.Message) {
	if o.serverHello == nil || o.request != nil {
		return
	}
	var message wire.CertificateRequest
	if wire.ParseCertificateRequest(m.Bytes, o.serverHello.Version, &message) != nil {
		return
	}
	o.request = &CertificateRequest{SignatureAlgorithms: names(message.SignatureSchemes)}
	for der := range message.Authorities() {
		if len(o.request.Authorities) == maxAuthorities {
			break
		}
		if name, ok := DistinguishedName(der); ok {
			o.request.Authorities = append(o.request.Authorities, name)
		}
	}
}

// DistinguishedName is a DER-encoded name as text (RFC 2253), bounded; false when it does not parse.
func DistinguishedName(der []byte) (string, bool) {
	var rdn pkix.RDNSequence
	if rest, err := asn1.Unmarshal(der, &rdn); err != nil || len(rest) > 0 {
		return "", false
	}
	var name pkix.Name
	name.FillFromRDNSequence(&rdn)
	return Bounded(name.String()), true
}
