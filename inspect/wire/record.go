package wire

// Bounds of the record layer.
const (
	recordHeaderSize = 5
	// maxRecord is the longest payload of a record in any version: 2^14 bytes and 2048 for compression, padding and MAC
	// (RFC 5246, Section 6.2.3; TLS 1.3 allows less, RFC 8446, Section 5.2).
	maxRecord = 1<<14 + 2048
	// maxEmptyRecords is how many handshake records without content may come in a row. RFC 8446, Section 5.1 forbids them;
	// OpenSSL before 1.1 could send one.
	maxEmptyRecords = 16

	defaultMaxHello   = 64 << 10
	defaultMaxMessage = 1 << 20
)

// Message is what a Reader finds in a stream: a whole handshake message, or a record of another type.
type Message struct {
	ContentType   ContentType
	RecordVersion Version       // of the record that the message began in; of an SSLv2-format message its version field
	HandshakeType HandshakeType // of a handshake message in the clear
	Bytes         []byte        // in the clear: the handshake message with its header, or the alert's two bytes; SSLv2: the message without its length
	Length        int           // bytes of the message, or of the record's payload where Bytes is nil
	Records       int           // records that it came in; 0 for an SSLv2-format message
	Segments      int           // Feeds that it came in, its record's header included
	Encrypted     bool          // what it says cannot be seen
	SSLv2         bool          // an SSLv2-format message; ContentType and HandshakeType are those of its TLS counterpart
	Offset        int64         // where in the stream its first record began; where the message itself began if that was in the middle of a record

	Level       AlertLevel // of an alert in the clear
	Description AlertDescription
}

// Reader finds records and handshake messages in the bytes of one direction of a connection, in whatever portions they come.
// It decrypts nothing. The zero value reads the server's direction.
//
//	r.Feed(b)
//	for r.Next(&m) { … }
//	if err := r.Err(); err != nil { … }
//
// A message that lies in one portion is a view into it; only one that is cut by the end of a portion or of a record is
// copied, into a buffer that the bounds below keep small. Messages are valid until the next call of Next or Feed.
type Reader struct {
	FromClient bool // the client's direction: an SSLv2-format CLIENT-HELLO may come first; in the other an SSLv2 SERVER-HELLO or error
	MaxHello   int  // bytes of the first handshake message; 0: 64 KiB
	MaxMessage int  // bytes of any other; 0: 1 MiB

	in     []byte // what is left of the last Feed
	feeds  int
	offset int64 // of in[0] in the stream
	err    *StreamError

	head     [recordHeaderSize]byte // of the current record
	headLen  int
	headFeed int // the Feed and the place in which the header began
	headAt   int64
	left     int // payload that is still to come
	length   int // payload in all
	mode     recordMode
	version  Version

	records int // handshake records in the clear so far
	empty   int // of which without content, in a row, at the end

	buf        []byte // the message in the making
	done       bool   // buf was handed out
	msgRecord  int    // where it began
	msgFeed    int
	msgAt      int64
	msgVersion Version
	messages   int // handshake messages so far

	small     [16]byte // an alert, a ChangeCipherSpec or the beginning of an encrypted record, in the making
	smallLen  int
	alerts    int // bytes of small that were handed out as alerts
	encrypted bool
	tls13     bool
	opaque    bool // the stream goes on in SSLv2, of which no more is read
}

// recordMode is what is done with a record's payload.
type recordMode uint8

const (
	modeHeader    recordMode = iota // no record: its header is being read
	modeHandshake                   // handshake in the clear, or not known yet
	modeProbe                       // handshake behind a ChangeCipherSpec: encrypted, unless it begins like a hello
	modeSmall                       // kept in small
	modeSkip                        // counted only
	modeSSLv2
)

// Reset makes the reader ready for another stream. Its settings stay, and its buffer, unless that has grown large.
func (r *Reader) Reset() {
	buf := r.buf[:0]
	if cap(buf) > eagerBuffer {
		buf = nil
	}
	*r = Reader{FromClient: r.FromClient, MaxHello: r.MaxHello, MaxMessage: r.MaxMessage, buf: buf}
}

// Feed hands the next bytes of the stream to the reader. What the last Feed brought must have been read with Next. The reader
// keeps no reference to b after Next has returned false.
func (r *Reader) Feed(b []byte) {
	r.in = b
	if len(b) > 0 {
		r.feeds++
	}
}

// Next reads on to the next message and tells whether there is one. It returns false when more bytes are needed or the
// stream is broken; Err tells which.
func (r *Reader) Next(m *Message) bool {
	if r.done {
		r.buf, r.done = r.buf[:0], false
		if cap(r.buf) > defaultMaxHello {
			r.buf = nil
		}
	}
	for r.err == nil {
		if r.opaque {
			r.advance(len(r.in))
			return false
		}
		if len(r.in) == 0 && (r.left > 0 || r.mode == modeHeader) {
			return false
		}
		var found bool
		switch r.mode {
		case modeHeader:
			r.readHeader()
		case modeHandshake:
			found = r.readHandshake(m)
		case modeProbe:
			r.probe()
		case modeSmall:
			found = r.readSmall(m)
		case modeSkip:
			found = r.skip(m)
		case modeSSLv2:
			found = r.readSSLv2(m)
		}
		if found {
			return true
		}
	}
	return false
}

// Err is a *StreamError once the stream cannot be read on; nil before.
func (r *Reader) Err() error {
	if r.err == nil {
		return nil
	}
	return r.err
}

// SetEncrypted tells the reader that handshake records from here on are encrypted, or that they are not. It finds that out by
// itself where a ChangeCipherSpec came before.
func (r *Reader) SetEncrypted(encrypted bool) { r.encrypted = encrypted }

// SetTLS13 tells the reader that the connection is TLS 1.3, in which a ChangeCipherSpec means nothing (RFC 8446, Appendix
// D.4) and the handshake is encrypted as application data.
func (r *Reader) SetTLS13() { r.tls13, r.encrypted = true, false }

// Partial gives what has come of a handshake message that is not complete, and the length that its header announces; 0 if
// the header is not complete either. It is what remains to be reported when a peer stops in the middle of its hello. In the
// SSLv2 format the bytes are those after the two length bytes.
func (r *Reader) Partial() (b []byte, announced int) {
	if r.done {
		return nil, 0
	}
	if r.mode == modeSSLv2 {
		return r.buf, r.length
	}
	if len(r.buf) < 4 {
		return r.buf, 0
	}
	return r.buf, messageLength(r.buf)
}

// PartialPieces is how many records and Feeds the incomplete message has come in so far.
func (r *Reader) PartialPieces() (records, segments int) {
	if len(r.buf) == 0 || r.done {
		return 0, 0
	}
	return r.records - r.msgRecord + 1, r.feeds - r.msgFeed + 1
}

// Offset is how many bytes of the stream have been read.
func (r *Reader) Offset() int64 { return r.offset }

// InRecord reports whether the stream stands inside a record: an end here cuts it.
func (r *Reader) InRecord() bool { return r.headLen > 0 || r.mode != modeHeader }

func (r *Reader) advance(n int) []byte {
	b := r.in[:n:n]
	r.in = r.in[n:]
	r.offset += int64(n)
	return b
}

// messageLength is the length of a handshake message, header included.
func messageLength(head []byte) int { return 4 + int(head[1])<<16 + int(head[2])<<8 + int(head[3]) }

// readHeader collects a record's header and decides what to do with its payload. The first byte, and the second, are judged
// as they come: who speaks another protocol may be waiting for an answer after three bytes.
func (r *Reader) readHeader() {
	if r.headLen == 0 {
		r.headFeed, r.headAt = r.feeds, r.offset
	}
	for r.headLen < recordHeaderSize && len(r.in) > 0 {
		if r.headLen == 0 && len(r.in) >= recordHeaderSize { // the whole header is here: judged at once
			r.head, r.headLen = [recordHeaderSize]byte(r.in), recordHeaderSize
			r.advance(recordHeaderSize)
		} else {
			r.head[r.headLen] = r.in[0]
			r.headLen++
			r.advance(1)
		}
		if !r.plausibleHeader() {
			return
		}
	}
	if r.headLen < recordHeaderSize {
		return
	}
	r.headLen = 0
	if r.head[0]&0x80 != 0 {
		r.beginSSLv2()
		return
	}
	r.version = Version(r.head[1])<<8 | Version(r.head[2])
	r.length = int(r.head[3])<<8 | int(r.head[4])
	r.left = r.length
	if r.length > maxRecord {
		r.fail(StreamRecordLength, r.headAt, r.length, maxRecord)
		return
	}
	r.beginRecord(ContentType(r.head[0]))
}

// plausibleHeader judges what has come of a header; at the beginning of a stream it may be an SSLv2-format message, too.
func (r *Reader) plausibleHeader() bool {
	t := ContentType(r.head[0])
	ok := t >= ContentTypeChangeCipherSpec && t <= ContentTypeHeartbeat && (r.headLen < 2 || r.head[1] == 3)
	if ok || r.headAt == 0 && r.maybeSSLv2() {
		return true
	}
	kind := StreamBadRecord
	if r.headAt == 0 {
		kind = StreamNotTLS
	}
	r.fail(kind, r.headAt, int(r.head[0]), int(ContentTypeHandshake))
	return false
}

func (r *Reader) fail(kind StreamErrorKind, at int64, got, want int) {
	r.err = &StreamError{Kind: kind, Offset: at, Got: got, Want: want}
}

// beginRecord decides what to do with a record.
func (r *Reader) beginRecord(t ContentType) {
	if t != ContentTypeHandshake && len(r.buf) > 0 {
		// "If a handshake message is split over two or more records, there MUST NOT be any other records between them"
		// (RFC 8446, Section 5.1). An alert is let through: it says why the peer gave up.
		if t != ContentTypeAlert {
			r.fail(StreamInterleaved, r.headAt, int(t), int(ContentTypeHandshake))
			return
		}
		r.buf = r.buf[:0]
	}
	switch t {
	case ContentTypeHandshake:
		if r.encrypted && len(r.buf) == 0 {
			r.mode = modeSkip
			if r.left >= probeSize {
				r.mode, r.smallLen = modeProbe, 0
			}
			return
		}
		r.mode = modeHandshake
		r.records++
		if r.left > 0 {
			r.empty = 0
			return
		}
		if r.empty++; r.empty > maxEmptyRecords {
			r.fail(StreamEmptyRecords, r.headAt, r.empty, maxEmptyRecords)
		}
	case ContentTypeAlert, ContentTypeChangeCipherSpec:
		r.smallLen, r.alerts = 0, 0
		r.mode = modeSkip
		if r.left <= len(r.small) {
			r.mode = modeSmall
		}
	default:
		r.mode = modeSkip
	}
}
