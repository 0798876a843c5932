package quicwire

// Frame types (RFC 9000, Section 19).
const (
	framePadding            = 0x00
	framePing               = 0x01
	frameACK                = 0x02
	frameACKECN             = 0x03
	frameResetStream        = 0x04
	frameStopSending        = 0x05
	frameCrypto             = 0x06
	frameNewToken           = 0x07
	frameStream             = 0x08 // to 0x0f
	frameMaxData            = 0x10
	frameMaxStreamData      = 0x11
	frameStreamsBlockedUni  = 0x17
	frameNewConnectionID    = 0x18
	frameRetireConnectionID = 0x19
	framePathChallenge      = 0x1a
	framePathResponse       = 0x1b
	frameClose              = 0x1c
	frameCloseApplication   = 0x1d
	frameHandshakeDone      = 0x1e
	frameDatagram           = 0x30 // RFC 9221, Section 4
	frameDatagramLength     = 0x31
)

// frames reads the frames of an opened packet and takes what is of interest: CRYPTO and CONNECTION_CLOSE.
func (f *Flow) frames(from Side, level Level, payload []byte) *PacketError {
	if f.versions[from].speaksGoogleFrames() {
		return f.googleFrames(from, level, payload)
	}
	r := reader{rest: payload}
	for len(r.rest) > 0 {
		if r.rest[0] == framePadding {
			r.rest = skipPadding(r.rest)
			continue
		}
		at := len(payload) - len(r.rest)
		t := r.varint()
		known := true
		switch {
		case t == frameCrypto:
			offset := r.varint()
			data := r.bytes(r.varintInt())
			if r.failed {
				break
			}
			f.stats[from].CryptoFrames++
			if err := f.crypto[from][level].add(offset, data, f.datagrams, f.maxCrypto(level)); err != nil {
				return err
			}
		case t == frameClose, t == frameCloseApplication:
			f.readClose(from, level, t, &r)
		case t == framePing:
		case t == frameACK, t == frameACKECN:
			r.skipACK(t == frameACKECN)
		case level == LevelOneRTT:
			known = r.skipFrame(t)
		default: // RFC 9000, Section 12.4, Table 3
			known = false
		}
		if !known && level == LevelOneRTT {
			return nil // an extension that both sides agreed upon (RFC 9000, Section 19.21): where it ends cannot be told
		}
		if !known || r.failed {
			return &PacketError{Kind: ErrFrame, Got: int(min(t, 1<<31-1)), Want: at}
		}
	}
	return nil
}

func skipPadding(b []byte) []byte {
	for len(b) > 0 && b[0] == framePadding {
		b = b[1:]
	}
	return b
}

// skipACK reads over an ACK frame (RFC 9000, Section 19.3).
func (r *reader) skipACK(ecn bool) {
	r.varint() // largest acknowledged
	r.varint() // delay
	ranges := r.varintInt()
	r.varint()                                   // first range
	for i := 0; i < 2*ranges && !r.failed; i++ { // gap and length
		r.varint()
	}
	if ecn {
		r.skipVarints(3)
	}
}

func (r *reader) skipVarints(n int) {
	for range n {
		r.varint()
	}
}

// skipFrame reads over a frame that only 1-RTT packets carry, and reports whether it is known.
func (r *reader) skipFrame(t uint64) bool {
	switch {
	case t == frameResetStream:
		r.skipVarints(3)
	case t == frameStopSending, t == frameMaxStreamData, t == 0x15: // STREAM_DATA_BLOCKED
		r.skipVarints(2)
	case t == frameNewToken:
		r.bytes(r.varintInt())
	case t >= frameStream && t < frameStream+8:
		r.skipStream(t)
	case t >= frameMaxData && t <= frameStreamsBlockedUni, t == frameRetireConnectionID:
		r.varint()
	case t == frameNewConnectionID:
		r.skipVarints(2)
		r.bytes(int(r.u8()))
		r.bytes(16)
	case t == framePathChallenge, t == framePathResponse:
		r.bytes(8)
	case t == frameHandshakeDone:
	case t == frameDatagram:
		r.rest = nil
	case t == frameDatagramLength:
		r.bytes(r.varintInt())
	default:
		return false
	}
	return true
}

// skipStream reads over a STREAM frame (RFC 9000, Section 19.8); one without a length takes the rest of the packet.
func (r *reader) skipStream(t uint64) {
	r.varint()
	if t&0x04 != 0 {
		r.varint()
	}
	if t&0x02 == 0 {
		r.rest = nil
		return
	}
	r.bytes(r.varintInt())
}
