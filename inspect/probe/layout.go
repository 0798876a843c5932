package probe

import (
	"time"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// maxRecordPayload is the most that a record may carry in the clear (RFC 8446, Section 5.1).
const maxRecordPayload = 1 << 14

// Layout is how a hello's message is cut into TLS records, and the records into TCP segments. The zero value is one record, as
// long as it fits, in one segment.
type Layout struct {
	Records     []int         // payload bytes of the records in order, all but the last one, which takes the rest
	RecordSize  int           // the most payload of a record; 0: 16384, the most that is allowed
	SegmentSize int           // bytes to a TCP segment; 0: all in one write
	Pause       time.Duration // between segments, so that they are not sent as one; 0: none
}

// OneRecord is the layout that most clients send.
func OneRecord() Layout { return Layout{} }

// SplitAt cuts the message in two records behind its first n bytes.
func SplitAt(n int) Layout { return Layout{Records: []int{n}} }

// RecordsOf cuts the message into records of n bytes.
func RecordsOf(n int) Layout { return Layout{RecordSize: n} }

// SegmentsOf sends one record in segments of n bytes.
func SegmentsOf(n int) Layout { return Layout{SegmentSize: n} }

// recordedLayout is how the message at the beginning of b was cut: b begins with whole records that carry it.
func recordedLayout(b []byte, length int) []int {
	var sizes []int
	for len(b) >= 5 && length > 0 {
		n := int(b[3])<<8 | int(b[4])
		sizes = append(sizes, n)
		length -= n
		b = b[min(5+n, len(b)):]
	}
	if len(sizes) < 2 {
		return nil
	}
	return sizes[:len(sizes)-1]
}

// Flight is what goes over a TCP connection, a segment an element. The error is a *TooLongError.
func (h *Hello) Flight() ([][]byte, error) {
	message, err := h.Message()
	if err != nil {
		return nil, err
	}
	if h.SSLv2 {
		if len(message) > 0x7FFF {
			return nil, &TooLongError{errSSLv2TooLong}
		}
		return segments(append([]byte{0x80 | byte(len(message)>>8), byte(len(message))}, message...), h.Layout.SegmentSize), nil
	}
	return segments(h.Layout.records(h.recordVersion(), message), h.Layout.SegmentSize), nil
}

// recordVersion is the version that the records say: "for compatibility" TLS 1.0 in a first hello (RFC 8446, Section 5.1).
func (h *Hello) recordVersion() wire.Version {
	switch {
	case h.RecordVersion != 0:
		return h.RecordVersion
	case h.Version == wire.VersionSSLv3:
		return wire.VersionSSLv3
	}
	return wire.VersionTLS10
}

// records wraps a handshake message.
func (l Layout) records(version wire.Version, message []byte) []byte {
	most := l.RecordSize
	if most <= 0 || most > maxRecordPayload {
		most = maxRecordPayload
	}
	out := make([]byte, 0, len(message)+5*(1+len(l.Records)+len(message)/most))
	add := func(n int) {
		n = min(n, len(message))
		out = append(out, byte(wire.ContentTypeHandshake), byte(version>>8), byte(version), byte(n>>8), byte(n))
		out = append(out, message[:n]...)
		message = message[n:]
	}
	for _, n := range l.Records {
		if len(message) > 0 {
			add(min(max(n, 0), maxRecordPayload))
		}
	}
	for len(message) > 0 {
		add(most)
	}
	return out
}

func segments(b []byte, size int) [][]byte {
	if size <= 0 || size >= len(b) {
		return [][]byte{b}
	}
	var out [][]byte
	for len(b) > 0 {
		n := min(size, len(b))
		out = append(out, b[:n])
		b = b[n:]
	}
	return out
}
