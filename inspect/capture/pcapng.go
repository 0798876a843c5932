package capture

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
)

// Block types of pcapng (draft-ietf-opsawg-pcapng, Section 11.1).
const (
	blockInterface = 1
	blockOldPacket = 2
	blockSimple    = 3
	blockNames     = 4
	blockEnhanced  = 6
	blockSecrets   = 0x0A
	blockSection   = 0x0A0D0D0A

	byteOrderMagic = 0x1A2B3C4D
	maxInterfaces  = 1 << 16

	secretsTLS = 0x544C534B // "TLSK": lines as in SSLKEYLOGFILE
)

// sections is the state of a pcapng file.
type sections struct {
	order      byteOrder
	interfaces []ngInterface
}

// ngInterface is an interface of the current section.
type ngInterface struct {
	link    uint32
	snap    uint32
	units   uint64 // a second
	seconds int64  // added to each timestamp
}

// nextBlock reads blocks up to the next packet.
func (f *framer) nextBlock(p *frame) error {
	for {
		f.begun = f.in.offset
		head := f.in.peek(12)
		if len(head) == 0 && f.in.end() == nil {
			return io.EOF
		}
		if len(head) < 12 {
			return f.fail(f.cut())
		}
		if binary.BigEndian.Uint32(head) == blockSection { // the same in both byte orders
			if err := f.section(head); err != nil {
				return err
			}
		}
		kind, length := f.ng.order.Uint32(head), f.ng.order.Uint32(head[4:])
		if length < 12 || length%4 != 0 {
			return f.fail(fmt.Errorf("block of type 0x%X: length %d is no multiple of 4 from 12 on", kind, length))
		}
		if !f.wanted(kind) {
			if !f.in.skip(int64(length)) {
				return f.fail(f.cut())
			}
			continue
		}
		if length > maxBlock {
			return f.fail(fmt.Errorf("block of type 0x%X: %d bytes exceed the bound %d", kind, length, maxBlock))
		}
		b, ok := f.in.take(int(length))
		if !ok {
			return f.fail(f.cut())
		}
		if again := f.ng.order.Uint32(b[length-4:]); again != length {
			return f.fail(fmt.Errorf("block of type 0x%X: its two lengths differ: %d and %d", kind, length, again))
		}
		found, err := f.block(kind, b[8:length-4], p)
		if err != nil {
			return f.fail(err)
		}
		if found {
			f.packets++
			return nil
		}
	}
}

// section takes up a section's byte order; its interfaces are its own.
func (f *framer) section(head []byte) error {
	switch uint32(byteOrderMagic) {
	case binary.LittleEndian.Uint32(head[8:]):
		f.ng.order = littleEndian
	case binary.BigEndian.Uint32(head[8:]):
		f.ng.order = bigEndian
	default:
		return f.fail(fmt.Errorf("section header: byte order magic % X", head[8:12]))
	}
	f.ng.interfaces = f.ng.interfaces[:0]
	return nil
}

func (f *framer) wanted(kind uint32) bool {
	switch kind {
	case blockInterface, blockOldPacket, blockSimple, blockNames, blockEnhanced, blockSecrets:
		return true
	}
	return false // the section header's body, statistics, what is somebody's own, and whatever comes to be
}

// block reads the body of a block and tells whether it is a packet.
func (f *framer) block(kind uint32, b []byte, p *frame) (bool, error) {
	order := f.ng.order
	short := func(want int) error {
		return fmt.Errorf("block of type 0x%X: %d bytes, at least %d", kind, len(b), want)
	}
	switch kind {
	case blockInterface:
		if len(b) < 8 {
			return false, short(8)
		}
		return false, f.addInterface(b)
	case blockSecrets:
		if len(b) < 8 {
			return false, short(8)
		}
		if length := order.Uint32(b[4:]); int64(length) <= int64(len(b)-8) {
			f.brings.secrets(order.Uint32(b), b[8:8+length])
		}
		return false, nil
	case blockNames:
		f.brings.names(order, b)
		return false, nil
	case blockSimple: // of the first interface, without a time (Section 4.4)
		if len(b) < 4 {
			return false, short(4)
		}
		i, err := f.of(0)
		if err != nil {
			return false, err
		}
		length := order.Uint32(b)
		captured := length
		if i.snap > 0 {
			captured = min(captured, i.snap)
		}
		return true, p.fill(b[4:], captured, length, i.link)
	}
	if len(b) < 20 {
		return false, short(20)
	}
	index := order.Uint32(b)
	if kind == blockOldPacket {
		index = uint32(order.Uint16(b))
	}
	i, err := f.of(index)
	if err != nil {
		return false, err
	}
	p.at = i.time(uint64(order.Uint32(b[4:]))<<32 | uint64(order.Uint32(b[8:])))
	return true, p.fill(b[20:], order.Uint32(b[12:]), order.Uint32(b[16:]), i.link)
}

// fill sets the bytes of a packet.
func (p *frame) fill(b []byte, captured, length, link uint32) error {
	if int64(captured) > int64(len(b)) {
		return fmt.Errorf("packet: captured length %d exceeds remaining %d", captured, len(b))
	}
	p.data, p.link, p.length = b[:captured:captured], link, int(max(captured, min(length, maxPacket)))
	return nil
}

func (f *framer) of(index uint32) (*ngInterface, error) {
	if int64(index) >= int64(len(f.ng.interfaces)) {
		return nil, fmt.Errorf("packet of interface %d, but only %d are described", index, len(f.ng.interfaces))
	}
	return &f.ng.interfaces[index], nil
}

// Options of an interface description (Section 4.2).
const (
	optionEnd        = 0
	optionResolution = 9
	optionOffset     = 14
)

func (f *framer) addInterface(b []byte) error {
	order := f.ng.order
	if len(f.ng.interfaces) == maxInterfaces {
		return fmt.Errorf("more than %d interfaces", maxInterfaces)
	}
	i := ngInterface{link: uint32(order.Uint16(b)), snap: order.Uint32(b[4:]), units: 1e6}
	for options := b[8:]; len(options) >= 4; {
		code, length := order.Uint16(options), int(order.Uint16(options[2:]))
		padded := (length + 3) &^ 3
		if code == optionEnd {
			break
		}
		if 4+length > len(options) {
			return fmt.Errorf("interface description: option %d: length %d exceeds remaining %d", code, length, len(options)-4)
		}
		value := options[4 : 4+length]
		switch {
		case code == optionResolution && length == 1:
			units, ok := resolution(value[0])
			if !ok {
				return fmt.Errorf("interface description: time resolution 0x%02X is out of range", value[0])
			}
			i.units = units
		case code == optionOffset && length == 8:
			i.seconds = int64(order.Uint64(value))
		}
		options = options[min(4+padded, len(options)):]
	}
	f.ng.interfaces = append(f.ng.interfaces, i)
	return nil
}

// resolution is how many units a second has: a negative power of 10, or of 2 if the highest bit is set.
func resolution(v byte) (units uint64, ok bool) {
	n := v & 0x7F
	if v&0x80 != 0 {
		return 1 << (n & 63), n < 64
	}
	if n > 19 {
		return 0, false
	}
	units = 1
	for range n {
		units *= 10
	}
	return units, true
}

// time is a timestamp in nanoseconds since 1970.
func (i *ngInterface) time(stamp uint64) int64 {
	switch i.units {
	case 1e6:
		return int64(stamp)*1000 + i.seconds*1e9
	case 1e9:
		return int64(stamp) + i.seconds*1e9
	}
	high, low := bits.Mul64(stamp%i.units, 1e9)
	nanos, _ := bits.Div64(high, low, i.units) // the rest is smaller than a unit, so that high is smaller than units
	return (int64(stamp/i.units)+i.seconds)*1e9 + int64(nanos)
}
