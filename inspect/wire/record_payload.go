package wire

// eagerBuffer is how much is set aside for a message on its announcement alone; the rest only as it comes.
const eagerBuffer = 4 << 10

// readHandshake takes whole messages out of a handshake record in the clear, and keeps what is left for the next record.
func (r *Reader) readHandshake(m *Message) bool {
	if r.left == 0 {
		r.mode = modeHeader
		return false
	}
	avail := min(r.left, len(r.in))
	if len(r.buf) == 0 {
		r.beginMessage()
		if avail >= 4 {
			n := messageLength(r.in)
			if !r.withinBound(n) {
				return false
			}
			if n <= avail {
				r.handOut(m, r.take(n))
				return true
			}
			r.collect(avail, n)
			return false
		}
		r.collect(avail, 4)
		return false
	}
	if len(r.buf) < 4 {
		r.collect(min(4-len(r.buf), avail), 4)
		if len(r.buf) < 4 {
			return false
		}
	}
	total := messageLength(r.buf)
	if !r.withinBound(total) {
		return false
	}
	r.collect(min(total-len(r.buf), r.left, len(r.in)), total)
	if len(r.buf) < total {
		return false
	}
	r.done = true
	r.handOut(m, r.buf)
	return true
}

// collect moves n bytes of the payload into buf, which is becoming a message of total bytes. The buffer doubles until it is as
// large as the message, so that all of its sizes together are at most twice the message.
func (r *Reader) collect(n, total int) {
	if need := len(r.buf) + n; need > cap(r.buf) {
		larger := make([]byte, len(r.buf), max(need, min(total, max(2*cap(r.buf), eagerBuffer))))
		copy(larger, r.buf)
		r.buf = larger
	}
	r.buf = append(r.buf, r.take(n)...)
}

// take takes n bytes of the current record's payload.
func (r *Reader) take(n int) []byte {
	r.left -= n
	return r.advance(n)
}

// beginMessage notes where a handshake message begins. The first one of a record begins with the record's header.
func (r *Reader) beginMessage() {
	r.msgRecord, r.msgFeed, r.msgAt, r.msgVersion = r.records, r.feeds, r.offset, r.version
	if r.left == r.length {
		r.msgFeed, r.msgAt = r.headFeed, r.headAt
	}
}

// withinBound refuses a message that announces more than the bound, before it is collected.
func (r *Reader) withinBound(n int) bool {
	bound := r.MaxMessage
	if bound == 0 {
		bound = defaultMaxMessage
	}
	if r.messages == 0 {
		if bound = r.MaxHello; bound == 0 {
			bound = defaultMaxHello
		}
	}
	if n > bound {
		r.fail(StreamMessageLength, r.msgAt, n, bound)
		return false
	}
	return true
}

func (r *Reader) handOut(m *Message, b []byte) {
	r.messages++
	*m = Message{
		ContentType: ContentTypeHandshake, RecordVersion: r.msgVersion, HandshakeType: HandshakeType(b[0]), Bytes: b, Length: len(b),
		Records: r.records - r.msgRecord + 1, Segments: r.feeds - r.msgFeed + 1, Offset: r.msgAt,
	}
}

// probeSize is how many bytes of a handshake record tell a hello in the clear from ciphertext.
const probeSize = 6

// probe looks at the beginning of a handshake record that comes after a ChangeCipherSpec. In TLS 1.3 with middlebox
// compatibility (RFC 8446, Appendix D.4) the second ClientHello and the ServerHello after a HelloRetryRequest still come in the
// clear. Ciphertext takes the form of a hello's first bytes (type 1 or 2, less than 64 KiB, version 3.x) once in 2^27 times.
func (r *Reader) probe() {
	n := min(probeSize-r.smallLen, len(r.in))
	r.smallLen += copy(r.small[r.smallLen:], r.take(n))
	if r.smallLen < probeSize {
		return
	}
	b := r.small[:probeSize]
	if t := HandshakeType(b[0]); t != HandshakeTypeClientHello && t != HandshakeTypeServerHello || b[1] != 0 || b[4] != 3 || b[5] > 4 {
		r.mode = modeSkip
		return
	}
	r.mode = modeHandshake
	r.records++
	r.empty = 0
	r.beginMessage()
	r.msgFeed, r.msgAt = r.headFeed, r.headAt
	r.buf = append(r.buf, b...)
	if total := messageLength(b); total < probeSize || !r.withinBound(total) {
		r.fail(StreamMessageLength, r.msgAt, total, defaultMaxHello)
	}
}

// readSmall collects a record of a few bytes: an alert, or a ChangeCipherSpec.
func (r *Reader) readSmall(m *Message) bool {
	r.smallLen += copy(r.small[r.smallLen:], r.take(min(r.left, len(r.in))))
	if r.left > 0 {
		return false
	}
	payload := r.small[:r.smallLen]
	*m = Message{ContentType: ContentType(r.head[0]), RecordVersion: r.version, Length: r.length, Records: 1, Segments: r.feeds - r.headFeed + 1, Offset: r.headAt}
	if m.ContentType == ContentTypeChangeCipherSpec {
		r.mode = modeHeader
		r.encrypted = r.encrypted || !r.tls13
		m.Bytes = payload
		return true
	}
	// Two bytes are an alert in the clear even where encryption has begun: every cipher makes more of them. Several alerts
	// in one record are as old as SSLv3. What has another length, or says what no alert says, is encrypted.
	rest := payload[r.alerts:]
	if len(payload)%2 != 0 || len(payload) == 0 || len(payload) > 2 && (r.encrypted || !alertsInTheClear(payload)) {
		r.mode = modeHeader
		m.Encrypted = true
		return true
	}
	m.Bytes, m.Length = rest[:2:2], 2
	m.Level, m.Description = AlertLevel(rest[0]), AlertDescription(rest[1])
	if r.alerts += 2; r.alerts == len(payload) {
		r.mode = modeHeader
	}
	return true
}

// alertsInTheClear reports whether b is nothing but alerts.
func alertsInTheClear(b []byte) bool {
	for ; len(b) >= 2; b = b[2:] {
		if level := AlertLevel(b[0]); level != AlertLevelWarning && level != AlertLevelFatal || nameOf(alertNames[:], AlertDescription(b[1])) == "" {
			return false
		}
	}
	return true
}

// skip counts a record away whose content is of no interest or cannot be seen.
func (r *Reader) skip(m *Message) bool {
	r.take(min(r.left, len(r.in)))
	if r.left > 0 {
		return false
	}
	r.mode = modeHeader
	*m = Message{ContentType: ContentType(r.head[0]), RecordVersion: r.version, Length: r.length, Records: 1, Segments: r.feeds - r.headFeed + 1, Offset: r.headAt}
	switch m.ContentType {
	case ContentTypeHandshake, ContentTypeAlert:
		m.Encrypted = true
	case ContentTypeApplicationData, ContentTypeHeartbeat:
		m.Encrypted = r.encrypted || r.tls13 || m.ContentType == ContentTypeApplicationData
	}
	return true
}
