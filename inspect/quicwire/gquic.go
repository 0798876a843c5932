package quicwire

import (
	"bytes"
	"encoding/binary"
)

// GQUICHello is a client hello (CHLO) of Google's QUIC before it used TLS. Its fields are as sent, at most 1 KiB each, nil where the
// hello has none.
type GQUICHello struct {
	Version   Version
	SNI       []byte
	UserAgent []byte
	ALPN      []byte
	Tags      []string // the hello's tags in its order, without trailing zeros; at most 64
}

// Bounds of a CHLO.
const (
	maxTags     = 64
	maxTagValue = 1 << 10
	chloSearch  = 256 // how deep in a packet's frames the message may begin
	hashSize    = 12  // of a packet in the clear
	lastOwnForm = 46  // Q047 and later have headers as in RFC 8999
)

// Public flags of Google's QUIC up to Q043, and the bits of the first byte of Q044 to Q046.
const (
	flagVersion  = 0x01
	flagReset    = 0x02
	flagID       = 0x08
	flagNumber   = 0x30
	flagReserved = 0xc0
)

// recognizeGQUIC tells whether a datagram is a packet of Google's QUIC with a header of its own, in the clear, and with a version.
func recognizeGQUIC(b []byte) (v Version, ok bool) {
	if len(b) < 10+hashSize {
		return 0, false
	}
	if b[0]&0x80 != 0 { // Q044 to Q046: first byte, version, a byte with both lengths
		v = Version(binary.BigEndian.Uint32(b[1:]))
		return v, v.GQUIC() && v.gquicNumber() > 43 && v.gquicNumber() <= lastOwnForm
	}
	if b[0]&(flagReserved|flagReset|flagVersion|flagID) != flagVersion|flagID {
		return 0, false
	}
	v = Version(binary.BigEndian.Uint32(b[9:]))
	return v, v.GQUIC() && v.gquicNumber() <= 43
}

// googleDatagram looks for a CHLO in a packet of Google's QUIC. Only clients send one.
func (f *Flow) googleDatagram(from Side, b []byte) error {
	v, versioned := recognizeGQUIC(b)
	if !versioned {
		v = f.google
	}
	f.google = v
	if f.gquic != nil || len(b) < 10+hashSize {
		return nil
	}
	hello, ok := findCHLO(b[min(len(b), googleHeader(b, versioned)):])
	if !ok {
		return nil
	}
	if from == FromServer {
		f.turn()
	}
	hello.Version = v
	f.settled, f.authentic, f.gquic = true, true, hello
	f.versions[FromClient] = v
	return nil
}

// googleHeader is the length of a packet's header, up to where its frames begin, or somewhat before.
func googleHeader(b []byte, versioned bool) int {
	if b[0]&0x80 != 0 {
		ids := b[5]
		n := 6
		for _, l := range []byte{ids >> 4, ids & 0x0f} { // RFC 9000's drafts before 22: 0, or the length less three
			if l > 0 {
				n += int(l) + 3
			}
		}
		return n + int(b[0]&3) + 1 + hashSize
	}
	n := 9 + []int{1, 2, 4, 6}[b[0]&flagNumber>>4] + hashSize
	if b[0]&flagID == 0 {
		n -= 8
	}
	if versioned {
		n += 4
	}
	return n
}

// findCHLO looks for the message in frames: mostly it is in the first one, a STREAM frame of stream 1, or, from Q047 on, a CRYPTO frame.
// Before it there may be acknowledgements, of a form that changed with the versions; the message is told by its tag and table.
func findCHLO(frames []byte) (*GQUICHello, bool) {
	for at := 0; ; {
		window := frames[at:min(len(frames), chloSearch)]
		i := bytes.Index(window, []byte("CHLO"))
		if i < 0 {
			return nil, false
		}
		if h, ok := parseCHLO(frames[at+i:]); ok {
			return h, true
		}
		at += i + 4
	}
}

// parseCHLO reads a message: its tag, the number of entries and two bytes of nothing, a table of tags with the end of their values,
// ascending in both, and the values. Numbers are little-endian. Values that are cut off are left out.
func parseCHLO(b []byte) (*GQUICHello, bool) {
	if len(b) < 8 {
		return nil, false
	}
	n := int(binary.LittleEndian.Uint16(b[4:]))
	if n == 0 || n > 128 || len(b) < 8+8*n {
		return nil, false
	}
	table, values := b[8:8+8*n], b[8+8*n:]
	h := &GQUICHello{}
	begin := uint32(0)
	for ; len(table) > 0; table = table[8:] {
		tag, end := string(bytes.TrimRight(table[:4], "\x00")), binary.LittleEndian.Uint32(table[4:])
		if end < begin {
			return nil, false
		}
		if len(h.Tags) < maxTags {
			h.Tags = append(h.Tags, tag)
		}
		if int64(end) <= int64(len(values)) {
			h.set(tag, values[begin:end])
		}
		begin = end
	}
	return h, true
}

func (h *GQUICHello) set(tag string, value []byte) {
	value = bytes.Clone(value[:min(len(value), maxTagValue)])
	switch tag {
	case "SNI":
		h.SNI = value
	case "UAID":
		h.UserAgent = value
	case "ALPN":
		h.ALPN = value
	}
}
