package quicwire

import (
	"bytes"
	"fmt"
)

// maxReason bounds what is kept of a reason phrase.
const maxReason = 1 << 10

// Close is a CONNECTION_CLOSE frame (RFC 9000, Section 19.19).
type Close struct {
	From        Side
	Level       Level  // of the packet that it came in
	Application bool   // the error is the application's (frame type 0x1d), not the transport's
	Google      bool   // the error is of Google's QUIC, which has numbers of its own
	Code        uint64 // see CodeName, and Alert
	FrameType   uint64 // of the frame that made the error, as the sender says; 0: unknown
	Reason      []byte // as it was sent, of a stranger's choosing; at most 1 KiB
}

// readClose reads a CONNECTION_CLOSE frame. What follows the connection's first one answers it or repeats it.
func (f *Flow) readClose(from Side, level Level, t uint64, r *reader) {
	c := Close{From: from, Level: level, Application: t == frameCloseApplication, Code: r.varint()}
	if !c.Application {
		c.FrameType = r.varint()
	}
	reason := r.bytes(r.varintInt())
	if !r.failed {
		f.keepClose(c, reason)
	}
}

// keepClose keeps the first close, unless it only says that the application has an error, which may follow in 1-RTT packets (RFC 9000,
// Section 10.2.3).
func (f *Flow) keepClose(c Close, reason []byte) {
	const applicationError = 0x0c
	if f.closed == nil || c.Application && c.From == f.closed.From && !f.closed.Application && f.closed.Code == applicationError {
		c.Reason = bytes.Clone(reason[:min(len(reason), maxReason)])
		f.closed = &c
	}
}

// Crypto errors carry a TLS alert in their last byte (RFC 9000, Section 20.1; RFC 9001, Section 4.8).
const (
	cryptoError     = 0x0100
	cryptoErrorLast = 0x01ff
)

// Alert is the description of the TLS alert that the close stands for; ok is false if it stands for none.
func (c *Close) Alert() (description uint8, ok bool) {
	if c.Application || c.Google || c.Code < cryptoError || c.Code > cryptoErrorLast {
		return 0, false
	}
	return uint8(c.Code), true
}

// CodeName names the error: a transport error by its name in RFC 9000, Section 20.1, an application's by its number.
func (c *Close) CodeName() string {
	switch {
	case c.Google:
		return fmt.Sprintf("gQUIC error %d", c.Code)
	case c.Application:
		return fmt.Sprintf("application error 0x%x", c.Code)
	}
	return TransportErrorName(c.Code)
}

// TransportErrorName names a transport error code as the IANA registry "QUIC Transport Error Codes" does.
func TransportErrorName(code uint64) string {
	switch code {
	case 0x00:
		return "NO_ERROR"
	case 0x01:
		return "INTERNAL_ERROR"
	case 0x02:
		return "CONNECTION_REFUSED"
	case 0x03:
		return "FLOW_CONTROL_ERROR"
	case 0x04:
		return "STREAM_LIMIT_ERROR"
	case 0x05:
		return "STREAM_STATE_ERROR"
	case 0x06:
		return "FINAL_SIZE_ERROR"
	case 0x07:
		return "FRAME_ENCODING_ERROR"
	case 0x08:
		return "TRANSPORT_PARAMETER_ERROR"
	case 0x09:
		return "CONNECTION_ID_LIMIT_ERROR"
	case 0x0a:
		return "PROTOCOL_VIOLATION"
	case 0x0b:
		return "INVALID_TOKEN"
	case 0x0c:
		return "APPLICATION_ERROR"
	case 0x0d:
		return "CRYPTO_BUFFER_EXCEEDED"
	case 0x0e:
		return "KEY_UPDATE_ERROR"
	case 0x0f:
		return "AEAD_LIMIT_REACHED"
	case 0x10:
		return "NO_VIABLE_PATH"
	case 0x11: // RFC 9368, Section 10.2
		return "VERSION_NEGOTIATION_ERROR"
	}
	if code >= cryptoError && code <= cryptoErrorLast {
		return fmt.Sprintf("CRYPTO_ERROR 0x%x", code)
	}
	return fmt.Sprintf("0x%x", code)
}
