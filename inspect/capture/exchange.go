package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// Exchange is a connection that nobody captured but whose bytes are known, as a proxy knows them: it is written as the packets
// that could have carried them, so that Wireshark shows what was said. What is made up is said by MadeUp in front of the comment:
// headers, acknowledgements and sizes of segments are not those of the network.
type Exchange struct {
	// Client and Server are the ends. One that is not valid is written as 0.0.0.0:0; one of IPv4 beside one of IPv6 is mapped.
	Client, Server netip.AddrPort
	// Transport is TransportTCP (also when it is empty), or one of UDP, where every chunk is a datagram.
	Transport string
	// Began is when the connection was opened; the zero time: with the first chunk.
	Began time.Time
	// Chunks are what the two sides said, in the order in which it was seen. A time that is earlier than the one before is
	// written as that.
	Chunks []Chunk
	// End is how the connection ended, EndFINClient and its siblings; EndOpen, EndIdle and nothing at all leave it open.
	End inspect.CaptureEnd
	// Ended is when; the zero time: with the last chunk.
	Ended time.Time
	// Comment stands with the first packet, behind MadeUp; it is cut to 4 KiB.
	Comment string
	// KeyLog are lines in the form of SSLKEYLOGFILE that open the connection for everybody who has the file. nil: none.
	KeyLog []byte
}

// Chunk is what one side said at once.
type Chunk struct {
	At   time.Time
	From inspect.Side
	Data []byte
	Size int // of a datagram of which Data is the beginning; less than Data: there is no more
}

// MadeUp begins the comment of every Exchange.
const MadeUp = "Made by tlstriage from the bytes of a connection: the packet headers are not those of the network."

// Bounds of an Exchange.
const (
	maxExchange = 64 << 20   // bytes of all chunks
	maxSegment  = 60_000     // payload of a packet: longer chunks are several
	clientISN   = 0x10000000 // sequence numbers that the two sides begin with
	serverISN   = 0x20000000
)

var errExchangeSize = fmt.Errorf("capture: an exchange of more than %d bytes", maxExchange)

// AddExchange writes a connection whose bytes are known; its secrets stand in front of it.
func (w *Writer) AddExchange(e *Exchange) error {
	packets, err := e.packets()
	if err != nil {
		return err
	}
	if len(e.KeyLog) > 0 {
		if err := w.AddSecrets(e.KeyLog); err != nil {
			return err
		}
	}
	comment := MadeUp
	if e.Comment != "" {
		comment += "\n" + e.Comment
	}
	return w.Add(packets, comment)
}

// Compose is a whole pcapng of exchanges, for instance of the two legs of a proxied connection.
func Compose(exchanges ...Exchange) ([]byte, error) {
	var b bytes.Buffer
	w := NewWriter(&b)
	for i := range exchanges {
		if err := w.AddExchange(&exchanges[i]); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), w.Err()
}

// composer makes the packets of an Exchange.
type composer struct {
	ends    [2]netip.AddrPort // client, server
	udp     bool
	next    [2]uint32 // sequence numbers
	ids     uint16
	at      time.Time
	packets []Packet
}

func (e *Exchange) packets() ([]Packet, error) {
	total := 0
	for _, chunk := range e.Chunks {
		if total += len(chunk.Data); total > maxExchange {
			return nil, errExchangeSize
		}
	}
	c := &composer{ends: [2]netip.AddrPort{e.Client, e.Server}, udp: e.Transport != "" && e.Transport != inspect.TransportTCP}
	c.align()
	c.next = [2]uint32{clientISN, serverISN}
	switch {
	case !e.Began.IsZero():
		c.at = e.Began
	case len(e.Chunks) > 0:
		c.at = e.Chunks[0].At
	default:
		c.at = e.Ended
	}
	const client, server = 0, 1
	if !c.udp {
		c.segment(client, flagSYN, nil)
		c.segment(server, flagSYN|flagACK, nil)
		c.segment(client, flagACK, nil)
	}
	for _, chunk := range e.Chunks {
		c.clock(chunk.At)
		if err := c.say(index(chunk.From), chunk.Data, chunk.Size); err != nil {
			return nil, err
		}
	}
	c.clock(e.Ended)
	if !c.udp {
		c.end(e.End)
	}
	return c.packets, nil
}

// align gives both ends addresses of one family.
func (c *composer) align() {
	for i, end := range c.ends {
		address := end.Addr().Unmap().WithZone("")
		if !address.IsValid() {
			address = netip.IPv4Unspecified()
		}
		c.ends[i] = netip.AddrPortFrom(address, end.Port())
	}
	if c.ends[0].Addr().Is4() != c.ends[1].Addr().Is4() {
		for i, end := range c.ends {
			c.ends[i] = netip.AddrPortFrom(netip.AddrFrom16(end.Addr().As16()), end.Port())
		}
	}
}

func (c *composer) clock(at time.Time) {
	if at.After(c.at) {
		c.at = at
	}
}

var errDatagramSize = errors.New("capture: a datagram that no packet can hold")

func (c *composer) say(from int, b []byte, size int) error {
	if c.udp {
		if size = max(size, len(b)); size > maxSegment {
			return errDatagramSize
		}
		c.datagram(from, b, size)
		return nil
	}
	for len(b) > 0 {
		n := min(len(b), maxSegment)
		c.segment(from, flagPSH|flagACK, b[:n])
		b = b[n:]
	}
	return nil
}

// end closes the connection the way it was.
func (c *composer) end(how inspect.CaptureEnd) {
	first := 0
	switch how {
	case inspect.EndResetServer:
		first = 1
		fallthrough
	case inspect.EndResetClient:
		c.segment(first, flagRST|flagACK, nil)
	case inspect.EndFINServer:
		first = 1
		fallthrough
	case inspect.EndFINClient:
		c.segment(first, flagFIN|flagACK, nil)
		c.segment(1-first, flagFIN|flagACK, nil)
		c.segment(first, flagACK, nil)
	}
}

// segment appends a TCP segment; it acknowledges all that the peer has said.
func (c *composer) segment(from int, flags uint8, payload []byte) {
	const header = 20
	b := make([]byte, 0, 60+len(payload))
	b = c.network(b, from, protoTCP, header+len(payload))
	at := len(b)
	b = binary.BigEndian.AppendUint16(b, c.ends[from].Port())
	b = binary.BigEndian.AppendUint16(b, c.ends[1-from].Port())
	b = binary.BigEndian.AppendUint32(b, c.next[from])
	ack := c.next[1-from]
	if flags&flagACK == 0 {
		ack = 0
	}
	b = binary.BigEndian.AppendUint32(b, ack)
	b = append(b, header/4<<4, flags, 0xFF, 0xFF, 0, 0, 0, 0)
	b = append(b, payload...)
	binary.BigEndian.PutUint16(b[at+16:], c.checksum(from, protoTCP, b[at:], 0))
	c.next[from] += uint32(len(payload))
	if flags&(flagSYN|flagFIN) != 0 {
		c.next[from]++
	}
	c.add(b, 0)
}

// datagram appends a UDP datagram; of one that is longer than its payload the rest was not captured, as it were.
func (c *composer) datagram(from int, payload []byte, size int) {
	const header = 8
	b := make([]byte, 0, 48+len(payload))
	b = c.network(b, from, protoUDP, header+size)
	at := len(b)
	b = binary.BigEndian.AppendUint16(b, c.ends[from].Port())
	b = binary.BigEndian.AppendUint16(b, c.ends[1-from].Port())
	b = binary.BigEndian.AppendUint16(b, uint16(header+size))
	b = append(b, 0, 0)
	b = append(b, payload...)
	sum := c.checksum(from, protoUDP, b[at:], size-len(payload))
	if sum == 0 {
		sum = 0xFFFF // 0 says that there is none (RFC 768)
	}
	binary.BigEndian.PutUint16(b[at+6:], sum)
	c.add(b, size-len(payload))
}

// network appends an IP header.
func (c *composer) network(b []byte, from int, protocol uint8, length int) []byte {
	source, destination := c.ends[from].Addr(), c.ends[1-from].Addr()
	const hops = 64
	if source.Is4() {
		const header = 20
		c.ids++
		b = append(b, 0x45, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(header+length))
		b = binary.BigEndian.AppendUint16(b, c.ids)
		b = append(b, 0x40, 0, hops, protocol, 0, 0) // not to be fragmented
		b = append(append(b, source.AsSlice()...), destination.AsSlice()...)
		binary.BigEndian.PutUint16(b[10:], ^fold(sum16(0, b)))
		return b
	}
	b = append(b, 0x60, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(length))
	b = append(b, protocol, hops)
	return append(append(b, source.AsSlice()...), destination.AsSlice()...)
}

// checksum is that of TCP and UDP, over the pseudo header of RFC 9293, Section 3.1, and RFC 8200, Section 8.1. Bytes that are missing
// count as zeros.
func (c *composer) checksum(from int, protocol uint8, b []byte, missing int) uint16 {
	sum := sum16(uint32(protocol)+uint32(len(b)+missing), c.ends[from].Addr().AsSlice())
	sum = sum16(sum, c.ends[1-from].Addr().AsSlice())
	return ^fold(sum16(sum, b))
}

func sum16(sum uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	return sum
}

func fold(sum uint32) uint16 {
	for sum > 0xFFFF {
		sum = sum>>16 + sum&0xFFFF
	}
	return uint16(sum)
}

func (c *composer) add(b []byte, missing int) {
	c.packets = append(c.packets, Packet{Time: c.at, LinkType: linkRaw, Length: len(b) + missing, Data: b})
}
