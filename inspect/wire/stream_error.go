package wire

import "fmt"

// StreamError says why a stream cannot be read as TLS any further.
type StreamError struct {
	Kind   StreamErrorKind
	Offset int64 // of the record or message in the stream
	Got    int
	Want   int
}

// StreamErrorKind is the kind of a StreamError.
type StreamErrorKind uint8

// Kinds of stream errors.
const (
	StreamNotTLS        StreamErrorKind = iota // the first bytes are no TLS; Sniff may know what they are. Got: the first byte
	StreamBadRecord                            // something else than a record where one must begin. Got: its first byte
	StreamRecordLength                         // a record longer than any version allows
	StreamMessageLength                        // a handshake message longer than the reader's bound
	StreamInterleaved                          // a record of another type inside a handshake message. Got: its type
	StreamEmptyRecords                         // too many handshake records without content
)

// Error gives the place and both numbers.
func (e *StreamError) Error() string {
	switch e.Kind {
	case StreamNotTLS:
		return fmt.Sprintf("wire: not TLS: first byte 0x%02X begins no record", e.Got)
	case StreamBadRecord:
		return fmt.Sprintf("wire: record at byte %d: header beginning with 0x%02X is none of TLS", e.Offset, e.Got)
	case StreamRecordLength:
		return fmt.Sprintf("wire: record at byte %d: length %d exceeds the bound %d", e.Offset, e.Got, e.Want)
	case StreamMessageLength:
		return fmt.Sprintf("wire: handshake message at byte %d: length %d exceeds the bound %d", e.Offset, e.Got, e.Want)
	case StreamInterleaved:
		return fmt.Sprintf("wire: record at byte %d: %s inside a handshake message", e.Offset, ContentType(e.Got))
	case StreamEmptyRecords:
		return fmt.Sprintf("wire: record at byte %d: %d handshake records in a row without content, at most %d", e.Offset, e.Got, e.Want)
	}
	return fmt.Sprintf("wire: stream broken at byte %d", e.Offset)
}
