package wire

// Messages of SSLv2: two bytes of length with the highest bit set, message type, and so on. A CLIENT-HELLO in this format
// may still open a connection that goes on in TLS (RFC 5246, Appendix E.2); a server that answers in it means SSLv2.
const (
	sslv2Error       = 0
	sslv2ClientHello = 1
	sslv2ServerHello = 4
)

// maybeSSLv2 reports whether what has come of the first header can be the beginning of an SSLv2 message: of a CLIENT-HELLO
// the length, the type and the version; of a SERVER-HELLO the length, the type and two flags; of an error all five bytes.
func (r *Reader) maybeSSLv2() bool {
	h := r.head[:r.headLen]
	if h[0]&0x80 == 0 {
		return false
	}
	if len(h) < 3 {
		return true
	}
	length := int(h[0]&0x7F)<<8 | int(h[1])
	if r.FromClient {
		if h[2] != sslv2ClientHello || length < 9 {
			return false
		}
		if len(h) < 4 || h[3] == 3 {
			return true
		}
		return h[3] == 0 && (len(h) < 5 || h[4] == 2)
	}
	switch h[2] {
	case sslv2Error:
		return length == 3
	case sslv2ServerHello:
		return length >= 11 && (len(h) < 4 || h[3] <= 1)
	}
	return false
}

// beginSSLv2 collects the message whose first five bytes are in the header.
func (r *Reader) beginSSLv2() {
	r.length = int(r.head[0]&0x7F)<<8 | int(r.head[1])
	bound := r.MaxHello
	if bound == 0 {
		bound = defaultMaxHello
	}
	if r.length > bound {
		r.fail(StreamMessageLength, r.headAt, r.length, bound)
		return
	}
	r.mode = modeSSLv2
	r.msgRecord, r.msgFeed = r.records+1, r.headFeed
	r.left = r.length - 3
	r.buf = append(r.buf, r.head[2:]...)
}

func (r *Reader) readSSLv2(m *Message) bool {
	r.buf = append(r.buf, r.take(min(r.left, len(r.in)))...)
	if r.left > 0 {
		return false
	}
	r.mode = modeHeader
	r.done = true
	r.messages++
	*m = Message{ContentType: ContentTypeHandshake, Bytes: r.buf, Length: len(r.buf), Segments: r.feeds - r.headFeed + 1, Offset: r.headAt, SSLv2: true}
	switch r.buf[0] {
	case sslv2ClientHello:
		m.HandshakeType = HandshakeTypeClientHello
		m.RecordVersion = Version(r.buf[1])<<8 | Version(r.buf[2])
		r.opaque = m.RecordVersion == VersionSSLv2
	case sslv2ServerHello:
		m.HandshakeType = HandshakeTypeServerHello
		m.RecordVersion = VersionSSLv2
		r.opaque = true
	default:
		// An error of SSLv2 ends the handshake as an alert does. Its two bytes say: 1 no cipher, 2 no certificate, 4 bad
		// certificate, 6 unsupported certificate type.
		m.ContentType = ContentTypeAlert
		m.RecordVersion = VersionSSLv2
		m.Level, m.Description = AlertLevelFatal, sslv2Alert(r.buf[2])
		r.opaque = true
	}
	return true
}

// sslv2Alert is the alert that an SSLv2 error became in SSLv3.
func sslv2Alert(code byte) AlertDescription {
	switch code {
	case 2:
		return AlertNoCertificate
	case 4:
		return AlertBadCertificate
	case 6:
		return AlertUnsupportedCertificate
	}
	return AlertHandshakeFailure
}
