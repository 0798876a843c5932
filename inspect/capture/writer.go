package capture

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
)

// Writer writes packets to a pcapng that Wireshark opens: one interface for each link type, nanoseconds, and comments that
// say what was found. Packets of several connections should be added in the order of the connections; Wireshark sorts them
// by time if it is asked to.
type Writer struct {
	w       io.Writer
	buf     []byte
	links   []uint32 // by interface
	begun   bool
	written uint64
	err     error
}

// NewWriter makes a Writer. Nothing is written before the first packets are added.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Options of blocks (draft-ietf-opsawg-pcapng, Section 3.5 and 4.1).
const (
	optionComment     = 1
	optionApplication = 4
	maxComment        = 4 << 10
)

var (
	errPacketSize  = errors.New("capture: a packet larger than a capture can hold")
	errSecretsSize = errors.New("capture: more secrets than a block can hold")
)

// Add writes packets; comment, if there is one, stands with the first of them and is cut to 4 KiB.
func (w *Writer) Add(packets []Packet, comment string) error {
	w.begin()
	for i, p := range packets {
		if w.err != nil {
			return w.err
		}
		if len(p.Data) > maxPacket {
			return errPacketSize
		}
		note := ""
		if i == 0 {
			note = strings.ToValidUTF8(comment[:min(len(comment), maxComment)], "")
		}
		w.packet(&p, w.interfaceOf(p.LinkType), note)
		w.written++
	}
	return w.flush()
}

// AddSecrets writes lines of a key log, so that Wireshark opens what it shows. They open the traffic for everybody who has
// the file.
func (w *Writer) AddSecrets(lines []byte) error {
	if len(lines) > maxBlock/2 {
		return errSecretsSize
	}
	w.begin()
	body := binary.LittleEndian.AppendUint32(nil, secretsTLS)
	body = binary.LittleEndian.AppendUint32(body, uint32(len(lines)))
	body = append(body, lines...)
	w.block(blockSecrets, pad(body))
	return w.flush()
}

// Err is the first error of writing; once there is one nothing more is written.
func (w *Writer) Err() error { return w.err }

// Packets is how many packets were written.
func (w *Writer) Packets() uint64 { return w.written }

// begin writes the section header, once.
func (w *Writer) begin() {
	if w.begun {
		return
	}
	w.begun = true
	body := binary.LittleEndian.AppendUint32(nil, byteOrderMagic)
	body = binary.LittleEndian.AppendUint16(body, 1) // version 1.0
	body = binary.LittleEndian.AppendUint16(body, 0)
	body = binary.LittleEndian.AppendUint64(body, 1<<64-1) // the section's length is not given
	body = option(body, optionApplication, []byte("tlstriage"))
	w.block(blockSection, binary.LittleEndian.AppendUint32(body, optionEnd))
}

// interfaceOf is the interface of a link type, described when it is first needed.
func (w *Writer) interfaceOf(link uint32) uint32 {
	if i := slices.Index(w.links, link); i >= 0 {
		return uint32(i)
	}
	body := binary.LittleEndian.AppendUint16(nil, uint16(link))
	body = binary.LittleEndian.AppendUint16(body, 0)
	body = binary.LittleEndian.AppendUint32(body, 0) // no snapshot length
	body = option(body, optionResolution, []byte{9}) // nanoseconds
	w.block(blockInterface, binary.LittleEndian.AppendUint32(body, optionEnd))
	w.links = append(w.links, link)
	return uint32(len(w.links) - 1)
}

func (w *Writer) packet(p *Packet, on uint32, comment string) {
	at := uint64(p.Time.UnixNano())
	body := binary.LittleEndian.AppendUint32(nil, on)
	body = binary.LittleEndian.AppendUint32(body, uint32(at>>32))
	body = binary.LittleEndian.AppendUint32(body, uint32(at))
	body = binary.LittleEndian.AppendUint32(body, uint32(len(p.Data)))
	body = binary.LittleEndian.AppendUint32(body, uint32(max(p.Length, len(p.Data))))
	body = pad(append(body, p.Data...))
	if comment != "" {
		body = binary.LittleEndian.AppendUint32(option(body, optionComment, []byte(comment)), optionEnd)
	}
	w.block(blockEnhanced, body)
}

func option(body []byte, code uint16, value []byte) []byte {
	body = binary.LittleEndian.AppendUint16(body, code)
	body = binary.LittleEndian.AppendUint16(body, uint16(len(value)))
	return pad(append(body, value...))
}

// pad fills up to a multiple of four bytes.
func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func (w *Writer) block(kind uint32, body []byte) {
	length := uint32(12 + len(body))
	w.buf = binary.LittleEndian.AppendUint32(w.buf, kind)
	w.buf = binary.LittleEndian.AppendUint32(w.buf, length)
	w.buf = append(w.buf, body...)
	w.buf = binary.LittleEndian.AppendUint32(w.buf, length)
}

func (w *Writer) flush() error {
	if w.err == nil && len(w.buf) > 0 {
		_, w.err = w.w.Write(w.buf)
	}
	w.buf = w.buf[:0]
	return w.err
}
