package capture

import (
	"errors"
	"fmt"
)

// FormatError says where a capture cannot be read on, and why. What came before it was read.
type FormatError struct {
	Name   string // of the capture, as given
	Offset int64  // of the packet or block in the uncompressed bytes
	Packet uint64 // packets that were read before
	Err    error
}

// Error gives the name, the place and the fact.
func (e *FormatError) Error() string {
	return fmt.Sprintf("capture: %s: at byte %d, after %d packets: %v", e.Name, e.Offset, e.Packet, e.Err)
}

// Unwrap is the fact.
func (e *FormatError) Unwrap() error { return e.Err }

// Facts that a FormatError wraps.
var (
	ErrNotCapture = errors.New("neither pcap nor pcapng")
	ErrTruncated  = errors.New("the capture ends in the middle of a packet")
	ErrEmpty      = errors.New("the capture is empty")
	// ErrCompressed is of forms of compression that are not read here; gzip and zstd are.
	ErrCompressed = errors.New("the capture is compressed in a form that is not read here: decompress it first (gzip and zstd are read)")
)
