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

	maxCertificateTypes = 16
)

// message takes from one message what the record needs. Of messages that do not parse, what could be read stays; nothing
// is guessed.
func (o *Observer) message(from Side, s *stream, m *wire.Message, t time.Time) {
	letter := historyLetter(m)
	if from == FromClient && s.messages == 1 {
		o.firstMessage(m)
	}
	switch m.ContentType {
	case wire.ContentTypeAlert:
		o.alert(from, s, m)
	case wire.ContentTypeChangeCipherSpec:
		s.changed = true
	case wire.ContentTypeApplicationData:
		o.applicationData(from, s, m)
	case wire.ContentTypeHandshake:
		if m.Encrypted {
			s.encrypted = true
		} else if o.handshake(from, s, m) {
			letter = 'J'
		}
	}
	o.history.add(from, letter)
	if o.finished.IsZero() && o.Established() {
		o.finished = t
	}
}

// firstMessage notes a client that does not begin with a hello: waiting for one would be in vain.
func (o *Observer) firstMessage(m *wire.Message) {
	if m.ContentType != wire.ContentTypeHandshake || m.HandshakeType != wire.HandshakeTypeClientHello {
		o.helloErr = &FirstMessageError{ContentType: m.ContentType, HandshakeType: m.HandshakeType}
	}
}

func (o *Observer) alert(from Side, s *stream, m *wire.Message) {
	if m.Encrypted {
		s.data = s.data || o.Established()
		return
	}
	a := NewAlert(m.Level, m.Description, from)
	if len(o.alerts) < maxAlerts {
		o.alerts = append(o.alerts, a)
	} else if m.Level == wire.AlertLevelFatal {
		o.alerts[maxAlerts-1] = a // it says how the handshake ended; a flood of warnings must not hide it
	}
}

// applicationData reads the length of an encrypted record. In TLS 1.3 the end of the handshake hides among them.
func (o *Observer) applicationData(from Side, s *stream, m *wire.Message) {
	switch {
	case !o.chosen.final:
		// Early data (RFC 8446, Section 4.2.10), or a connection whose beginning was not seen.
		s.data = s.data || o.hello.message == nil
	case !o.chosen.tls13:
		s.data = true
	default:
		s.data = s.data || s.flight && o.Established()
		s.flight = s.flight || o.finishes(from, m.Length)
	}
}

// finishes reports whether an encrypted record of TLS 1.3 can be part of a flight that ends in Finished. An alert is too short
// for that. A client that offered early data may have sent some before it saw the ServerHello: then only a record of just
// the length of a Finished counts.
func (o *Observer) finishes(from Side, length int) bool {
	tag, hash := 16, 32
	if o.chosen.shortTag {
		tag = 8
	}
	if o.chosen.longHash {
		hash = 48
	}
	if hello := o.hello.message; from == FromClient && !o.retryRequest && hello != nil && hello.EarlyData {
		return length == 4+hash+1+tag // header, verify_data, content type, tag (RFC 8446, Sections 4.4.4 and 5.2)
	}
	return length >= 4+32+1+tag
}

// handshake reads a handshake message in the clear and reports whether it is a HelloRetryRequest.
func (o *Observer) handshake(from Side, s *stream, m *wire.Message) (retry bool) {
	switch {
	case from == FromClient && m.HandshakeType == wire.HandshakeTypeClientHello:
		o.clientHello(m)
	case from == FromServer && m.HandshakeType == wire.HandshakeTypeServerHello:
		return o.serverHello(m)
	case m.HandshakeType == wire.HandshakeTypeCertificate && !o.chosen.seen:
		o.certificate(from, m, wire.VersionTLS12) // the beginning was not seen; in TLS 1.3 it would be encrypted
	case !o.chosen.final || o.chosen.tls13: // what follows is encrypted in TLS 1.3
	case m.HandshakeType == wire.HandshakeTypeCertificate:
		o.certificate(from, m, o.chosen.version)
	case from == FromClient:
	case m.HandshakeType == wire.HandshakeTypeServerKeyExchange:
		o.serverKeyExchange(m)
	case m.HandshakeType == wire.HandshakeTypeCertificateRequest:
		o.certificateRequest(m)
	case m.HandshakeType == wire.HandshakeTypeCertificateStatus:
		o.stapled = true
	case m.HandshakeType == wire.HandshakeTypeServerHelloDone:
		s.done = true
	}
	return false
}

// clientHello keeps the first hello, and the second one after a HelloRetryRequest.
func (o *Observer) clientHello(m *wire.Message) {
	slot := &o.hello
	if o.hello.message != nil {
		slot = &o.retry
		if !o.retryRequest {
			return // a renegotiation in the clear
		}
	}
	if slot.message != nil || o.hello.message == nil && o.helloErr != nil {
		return
	}
	parse := wire.ParseClientHello
	if m.SSLv2 {
		parse = wire.ParseSSLv2ClientHello
	}
	hello := &o.store
	if slot == &o.retry {
		hello = &wire.ClientHello{}
	}
	if err := parse(bytes.Clone(m.Bytes), hello); err != nil && slot == &o.hello {
		o.helloErr = err
	}
	*slot = helloSeen{message: hello, recordVersion: m.RecordVersion, records: m.Records, segments: m.Segments}
}

func (o *Observer) serverHello(m *wire.Message) (retry bool) {
	if m.SSLv2 {
		o.sslv2ServerHello(m)
		return false
	}
	var hello wire.ServerHello
	err := wire.ParseServerHello(m.Bytes, &hello)
	if o.chosen.final || err != nil && !hello.HasExtensions {
		return hello.HelloRetryRequest
	}
	o.chosen = selection{
		seen: true, final: !hello.HelloRetryRequest, version: hello.Version, cipher: hello.CipherSuite, psk: hello.PreSharedKey, scts: hello.SCTs,
		// Only TLS 1.3 and its drafts say the version in an extension (RFC 8446, Section 4.2.1), be it by a number of their own.
		tls13: hello.Version.IsTLS13() || hello.Extensions.Has(wire.ExtensionSupportedVersions),
	}
	if info, ok := hello.CipherSuite.Info(); ok {
		o.chosen.shortTag, o.chosen.longHash, o.chosen.cipherName = info.Mode == "CCM_8", info.PRF == "SHA384", info.Name
	} else {
		o.chosen.cipherName = hello.CipherSuite.String()
	}
	if hello.HelloRetryRequest {
		o.retryRequest = true
		return true
	}
	if o.chosen.tls13 {
		o.client.reader.SetTLS13()
		o.server.reader.SetTLS13()
	}
	o.group = hello.Group
	if len(hello.ALPN) > 0 {
		o.protocol = Bounded(string(hello.ALPN))
	}
	return false
}

// sslv2ServerHello notes that the server answered in SSLv2, after which nothing more is read.
func (o *Observer) sslv2ServerHello(m *wire.Message) {
	var hello wire.SSLv2ServerHello
	if o.sslv2 || o.chosen.seen || wire.ParseSSLv2ServerHello(m.Bytes, &hello) != nil {
		return
	}
	o.sslv2 = true
	if len(hello.Certificate) > 0 {
		o.chain, o.chainSent = o.describer.Certificates([][]byte{hello.Certificate}), 1
	}
}

// certificate describes a presented chain while its bytes are at hand; of the client's it keeps the leaf.
func (o *Observer) certificate(from Side, m *wire.Message, version wire.Version) {
	if from == FromServer && o.chain != nil || from == FromClient && o.clientPresented {
		return
	}
	var message wire.Certificate
	_ = wire.ParseCertificate(m.Bytes, version, &message) // the entries before the fault, if there is one, count
	if from == FromClient {
		o.clientPresented = true
		for entry := range message.All() {
			o.clientLeaf = bytes.Clone(entry.DER)
			break
		}
		if o.request != nil {
			o.request.CertificateSent = o.clientLeaf != nil
		}
		return
	}
	chain := make([][]byte, 0, 8) // few have more
	for entry := range message.All() {
		if len(chain) < maxCertificates {
			chain = append(chain, entry.DER)
		}
		o.chainSent++
	}
	if len(chain) > 0 {
		o.chain = o.describer.Certificates(chain)
	}
}

func (o *Observer) serverKeyExchange(m *wire.Message) {
	var exchange wire.ServerKeyExchange
	if wire.ParseServerKeyExchange(m.Bytes, o.chosen.version, o.chosen.cipher, &exchange) == nil {
		o.group, o.scheme = exchange.Group, exchange.SignatureScheme
	}
}

func (o *Observer) certificateRequest(m *wire.Message) {
	if o.request != nil {
		return
	}
	var message wire.CertificateRequest
	if wire.ParseCertificateRequest(m.Bytes, o.chosen.version, &message) != nil {
		return
	}
	o.request = &CertificateRequest{SignatureAlgorithms: names(message.SignatureSchemes)}
	for _, t := range message.Types[:min(len(message.Types), maxCertificateTypes)] {
		o.request.Types = append(o.request.Types, wire.ClientCertificateTypeName(t))
	}
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
