package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// frame is one packet as a capture holds it.
type frame struct {
	data   []byte // valid until the next one is read
	at     int64  // nanoseconds since 1970
	link   uint32
	length int // on the wire; longer than data where the snapshot length cut it
}

// framer reads the packets of one file, in either format.
type framer struct {
	in      *input
	name    string
	packets uint64
	begun   int64 // where the packet or block that is being read begins
	brings  extras
	ng      *sections // nil: pcap
	pcap    pcapHeader
}

// pcapHeader is what the header of a pcap file says.
type pcapHeader struct {
	order  byteOrder
	nanos  bool
	header int // bytes of a packet's header
	link   uint32
}

// Magic numbers of pcap (draft-ietf-opsawg-pcap, Section 4). The third is that of a variant of old Linux systems, whose packet
// headers have eight bytes more.
const (
	magicMicros   = 0xA1B2C3D4
	magicNanos    = 0xA1B23C4D
	magicModified = 0xA1B2CD34
	pcapHeaderLen = 24
)

// extras take what a pcapng brings beside packets.
type extras struct {
	secrets func(kind uint32, b []byte)
	names   func(order byteOrder, b []byte)
}

// newFramer reads the beginning of a file.
func newFramer(in *input, name string, brings extras) (*framer, error) {
	f := &framer{in: in, name: name, brings: brings}
	head := in.peek(4)
	if len(head) == 0 {
		if err := in.end(); err != nil {
			return nil, f.fail(err)
		}
		return nil, f.fail(ErrEmpty)
	}
	if len(head) < 4 {
		return nil, f.fail(ErrNotCapture)
	}
	if binary.BigEndian.Uint32(head) == blockSection {
		f.ng = &sections{}
		return f, nil
	}
	for _, order := range [...]byteOrder{littleEndian, bigEndian} {
		f.pcap.order, f.pcap.header = order, 16
		switch order.Uint32(head) {
		case magicMicros:
		case magicNanos:
			f.pcap.nanos = true
		case magicModified:
			f.pcap.header = 24
		default:
			continue
		}
		b, ok := in.take(pcapHeaderLen)
		if !ok {
			return nil, f.fail(f.cut())
		}
		f.pcap.link = order.Uint32(b[20:]) & 0xFFFF // what is above says how long the frame check sequence is
		return f, nil
	}
	return nil, f.fail(fmt.Errorf("%w: it begins with % X", ErrNotCapture, head))
}

// fail is a FormatError at the packet that is being read.
func (f *framer) fail(err error) error {
	return &FormatError{Name: f.name, Offset: f.begun, Packet: f.packets, Err: err}
}

// cut is why the bytes end in the middle of something.
func (f *framer) cut() error {
	if err := f.in.end(); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return ErrTruncated
}

// next reads the next packet. The error is io.EOF at a proper end, a *FormatError everywhere else.
func (f *framer) next(p *frame) error {
	if f.ng != nil {
		return f.nextBlock(p)
	}
	f.begun = f.in.offset
	h, ok := f.in.take(f.pcap.header)
	if !ok {
		if len(f.in.peek(1)) == 0 && f.in.end() == nil {
			return io.EOF
		}
		return f.fail(f.cut())
	}
	order := f.pcap.order
	seconds, fraction := int64(order.Uint32(h)), int64(order.Uint32(h[4:]))
	captured, length := order.Uint32(h[8:]), order.Uint32(h[12:])
	if captured > maxPacket {
		return f.fail(fmt.Errorf("packet of %d bytes exceeds the bound %d", captured, maxPacket))
	}
	if p.data, ok = f.in.take(int(captured)); !ok {
		return f.fail(f.cut())
	}
	if !f.pcap.nanos {
		fraction *= 1000
	}
	p.at, p.link, p.length = seconds*1e9+fraction, f.pcap.link, int(max(captured, min(length, maxPacket)))
	f.packets++
	return nil
}
