package capture

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Sizes of DTLS (RFC 6347, Sections 4.1 and 4.2.2) and bounds on what is kept of a handshake.
const (
	dtlsRecordHeader  = 13
	dtlsMessageHeader = 12
	maxDTLSMessage    = 64 << 10
	maxDTLSMessages   = 16  // in the making, a side
	maxDTLSSequence   = 128 // numbers of messages that are told apart
)

// dtlsConn reads one DTLS association: its handshake messages are put together and shown to an observer in records of TLS.
type dtlsConn struct {
	observer      *inspect.Observer
	sides         [2]dtlsSide
	client        int // -1: not known yet
	messages      bool
	recordVersion wire.Version // of the first hello
	fragments     int          // that the first hello came in
	first, again  []byte       // the client's hellos by their numbers: the first where it came late, and the last of the others
	datagrams     int
	data          [2]int // encrypted records of each side
	out           []byte
	opened        *dtlsDecryption // nil: there are no keys
}

// dtlsSide is one direction.
type dtlsSide struct {
	seen    [maxDTLSSequence]bool
	changed bool
	sealed  bool // a record with a connection id was seen
	id      int  // length of the connection id in its records
	open    []*dtlsMessage
	early   [][]byte // records that came before the roles were known
}

// dtlsMessage is a handshake message in the making.
type dtlsMessage struct {
	sequence uint16
	kind     byte
	length   int
	body     []byte
	parts    []span
}

func newDTLS(t *Tracker) *dtlsConn {
	d := &dtlsConn{observer: t.takeObserver(), client: -1}
	d.observer.SetTransport(inspect.TransportDTLS)
	if !t.keys.empty() {
		d.opened = &dtlsDecryption{keys: &t.keys}
	}
	return d
}

// inCAPWAP takes off the four bytes that CAPWAP puts in front of DTLS (RFC 5415, Section 4.2).
func inCAPWAP(b []byte) []byte {
	if len(b) > 4+dtlsRecordHeader && b[0] == 1 && b[1] == 0 && b[2] == 0 && b[3] == 0 && dtlsVersion(b[5:]) {
		return b[4:]
	}
	return b
}

// dtlsVersion reports whether two bytes are a version of DTLS. 0x0100 is that of OpenSSL before there was a standard, which
// AnyConnect still speaks.
func dtlsVersion(b []byte) bool {
	return b[0] == 0xFE && b[1] >= 0xFC || b[0] == 1 && b[1] == 0
}

// beginsDTLS reports whether a datagram is DTLS without having seen any before: a record of a handshake in the clear, whose
// lengths fit, or an alert.
func beginsDTLS(b []byte) bool {
	if len(b) < dtlsRecordHeader || !dtlsVersion(b[1:]) || binary.BigEndian.Uint16(b[3:]) != 0 {
		return false
	}
	length := int(binary.BigEndian.Uint16(b[11:]))
	if dtlsRecordHeader+length > len(b) {
		return false
	}
	body := b[dtlsRecordHeader : dtlsRecordHeader+length]
	switch wire.ContentType(b[0]) {
	case wire.ContentTypeHandshake:
		if len(body) < dtlsMessageHeader {
			return false
		}
		total, offset, part := uint24(body[1:]), uint24(body[6:]), uint24(body[9:])
		return body[0] <= 25 && total <= maxDTLSMessage && offset+part <= total && part <= len(body)-dtlsMessageHeader
	case wire.ContentTypeAlert:
		return length == 2 && body[0] >= 1 && body[0] <= 2
	}
	return false
}

// beginsHello reports whether a datagram begins with the first ClientHello of an association.
func beginsHello(b []byte) bool {
	return beginsDTLS(b) && b[0] == byte(wire.ContentTypeHandshake) && b[dtlsRecordHeader] == byte(wire.HandshakeTypeClientHello) &&
		binary.BigEndian.Uint16(b[dtlsRecordHeader+4:]) == 0
}

// otherBegins reports whether a datagram begins another association between the same ports: with a hello of who was the
// server so far, or with another one of the client than that which was answered.
func (d *dtlsConn) otherBegins(side int, b []byte) bool {
	const random = dtlsRecordHeader + dtlsMessageHeader + 2
	if d.client < 0 || !beginsHello(b) || len(b) < random+32 {
		return false
	}
	if !d.observer.ServerHelloSeen() {
		return side != d.client
	}
	hello, _ := d.observer.ClientHello()
	return hello != nil && !bytes.Equal(hello.Random, b[random:random+32])
}

func uint24(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }

// datagram reads a datagram; true: the handshake is over.
func (d *dtlsConn) datagram(side int, b []byte, at time.Time) bool {
	d.datagrams++
	for len(b) > 0 {
		if b[0]>>5 == 1 { // a unified header of DTLS 1.3 (RFC 9147, Section 4): encrypted
			b = d.unified(side, b, at)
			continue
		}
		if len(b) < dtlsRecordHeader || !dtlsVersion(b[1:]) || b[0] < byte(wire.ContentTypeChangeCipherSpec) || b[0] > 26 {
			break
		}
		if b[0] == contentTypeWithID {
			b = d.withID(side, b, at)
			continue
		}
		length := int(binary.BigEndian.Uint16(b[11:]))
		if dtlsRecordHeader+length > len(b) {
			break
		}
		header := dtlsHeader{
			kind: wire.ContentType(b[0]), version: wire.Version(binary.BigEndian.Uint16(b[1:])),
			epoch: binary.BigEndian.Uint16(b[3:]), sequence: binary.BigEndian.Uint64(b[3:]) & (1<<48 - 1),
		}
		d.record(side, header, b[dtlsRecordHeader:dtlsRecordHeader+length], at)
		b = b[dtlsRecordHeader+length:]
	}
	return d.observer.Established() || d.refused()
}

// refused reports whether an alert ended the handshake: nothing is expected behind it.
func (d *dtlsConn) refused() bool {
	_, server := d.observer.Alert(inspect.FromServer)
	_, client := d.observer.Alert(inspect.FromClient)
	return server || client
}

// contentTypeWithID is tls12_cid (RFC 9146, Section 4): an encrypted record whose true type is inside.
const contentTypeWithID = 25

// withID reads a record of DTLS 1.2 with a connection id in front of its length. The first one of a side is its Finished.
func (d *dtlsConn) withID(side int, b []byte, at time.Time) []byte {
	s := &d.sides[side]
	header := dtlsRecordHeader + s.id
	if len(b) <= header {
		return nil
	}
	end := header + int(binary.BigEndian.Uint16(b[header-2:]))
	if end > len(b) {
		return nil
	}
	if s.changed {
		t := wire.ContentTypeApplicationData
		if !s.sealed {
			t = wire.ContentTypeHandshake
		}
		s.sealed = true
		d.feed(side, t, b[header:end], at)
	}
	d.data[side]++
	return b[end:]
}

// idOf notes the connection id that a hello asks for: the peer puts it into its records (RFC 9146, Section 3).
func (d *dtlsConn) idOf(side int, x wire.Extensions) {
	for _, t := range [...]wire.ExtensionType{wire.ExtensionConnectionID, wire.ExtensionConnectionIDDeprecated} {
		if body, ok := x.Find(t); ok && len(body) > 0 && int(body[0]) == len(body)-1 {
			d.sides[1-side].id = len(body) - 1
		}
	}
}

// unified reads a record of DTLS 1.3. How long a connection id in it is, the peer's hello says.
func (d *dtlsConn) unified(side int, b []byte, at time.Time) []byte {
	const (
		hasID       = 0x10
		twoSequence = 0x08
		hasLength   = 0x04
	)
	header := 2
	if b[0]&hasID != 0 {
		header += d.sides[side].id
	}
	if b[0]&twoSequence != 0 {
		header++
	}
	end := len(b)
	if b[0]&hasLength != 0 && (b[0]&hasID == 0 || d.sides[side].id > 0) && len(b) >= header+2 {
		length := int(binary.BigEndian.Uint16(b[header:]))
		header += 2
		end = min(end, header+length)
	}
	if header < end {
		d.feed(side, wire.ContentTypeApplicationData, b[header:end], at)
		d.data[side]++
	}
	return b[end:]
}

// dtlsHeader is what the header of a record says (RFC 6347, Section 4.1).
type dtlsHeader struct {
	kind     wire.ContentType
	version  wire.Version
	epoch    uint16
	sequence uint64
}

// record reads a record of DTLS 1.2 and before, or one of 1.3 in the clear.
func (d *dtlsConn) record(side int, h dtlsHeader, body []byte, at time.Time) {
	t := h.kind
	switch {
	case h.epoch > 0:
		if d.opened != nil {
			d.opened.open(d.name(side), t, h.version, h.epoch, h.sequence, body)
		}
		if t != wire.ContentTypeHandshake || d.sides[side].changed {
			d.feed(side, t, body, at)
		}
		d.data[side]++
	case t == wire.ContentTypeHandshake:
		d.handshake(side, h.version, body, at)
	case t == wire.ContentTypeChangeCipherSpec:
		if !d.sides[side].changed {
			d.sides[side].changed = true
			d.feed(side, t, []byte{1}, at) // the old version's is longer
		}
	case t == wire.ContentTypeAlert && len(body) >= 2:
		d.messages = true
		d.feed(side, t, body[:2], at)
	}
}

// handshake reads the fragments of handshake messages in a record.
func (d *dtlsConn) handshake(side int, version wire.Version, b []byte, at time.Time) {
	for len(b) >= dtlsMessageHeader {
		kind, total, sequence, offset, part := b[0], uint24(b[1:]), binary.BigEndian.Uint16(b[4:]), uint24(b[6:]), uint24(b[9:])
		if part > len(b)-dtlsMessageHeader || offset+part > total || total > maxDTLSMessage {
			return
		}
		body := b[dtlsMessageHeader : dtlsMessageHeader+part]
		b = b[dtlsMessageHeader+part:]
		if sequence >= maxDTLSSequence || d.sides[side].seen[sequence] {
			continue
		}
		if kind == byte(wire.HandshakeTypeClientHello) && d.recordVersion == 0 {
			d.recordVersion = version
		}
		m := d.sides[side].message(sequence, kind, total)
		if m == nil || m.kind != kind || m.length != total || !m.place(offset, body) {
			continue
		}
		d.sides[side].done(m)
		d.message(side, m, at)
	}
}

// message is the message of a number in the making.
func (s *dtlsSide) message(sequence uint16, kind byte, total int) *dtlsMessage {
	for _, m := range s.open {
		if m.sequence == sequence {
			return m
		}
	}
	if len(s.open) == maxDTLSMessages {
		return nil
	}
	m := &dtlsMessage{sequence: sequence, kind: kind, length: total}
	s.open = append(s.open, m)
	return m
}

func (s *dtlsSide) done(m *dtlsMessage) {
	s.seen[m.sequence] = true
	for i, x := range s.open {
		if x == m {
			s.open = append(s.open[:i], s.open[i+1:]...)
			return
		}
	}
}

// place puts a fragment where it belongs and tells whether the message is whole. Fragments may overlap (RFC 6347, Section
// 4.2.3).
func (m *dtlsMessage) place(offset int, b []byte) bool {
	end := offset + len(b)
	if end > len(m.body) {
		m.body = append(m.body, make([]byte, end-len(m.body))...)
	}
	copy(m.body[offset:], b)
	if len(m.parts) < maxFragmentParts {
		m.parts = append(m.parts, span{offset, end})
	}
	covered := 0
	for more := true; more; {
		more = false
		for _, p := range m.parts {
			if p.from <= covered && p.to > covered {
				covered, more = p.to, true
			}
		}
	}
	return covered >= m.length && len(m.body) >= m.length
}

// message shows a whole message to the observer.
func (d *dtlsConn) message(side int, m *dtlsMessage, at time.Time) {
	d.messages = true
	body := m.body[:m.length]
	switch wire.HandshakeType(m.kind) {
	case wire.HandshakeTypeClientHello:
		d.is(side, at)
		if d.fragments == 0 {
			d.fragments = len(m.parts)
		}
		body = withoutCookie(body)
	case wire.HandshakeTypeServerHello, wire.HandshakeTypeHelloVerifyRequest, wire.HandshakeTypeServerHelloDone:
		d.is(1-side, at)
	}
	whole := append([]byte{m.kind, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
	switch wire.HandshakeType(m.kind) {
	case wire.HandshakeTypeClientHello:
		d.clientHello(side, whole)
		if m.sequence > 0 {
			d.again = whole
		} else if d.again != nil {
			d.first = whole
		}
	case wire.HandshakeTypeServerHello:
		d.serverHello(side, whole)
	}
	d.out = appendRecords(d.out[:0], whole)
	d.show(side, d.out, at)
}

// clientHello and serverHello take from the hellos what later records are read with.
func (d *dtlsConn) clientHello(side int, message []byte) {
	var hello wire.ClientHello
	if _ = wire.ParseClientHello(message, &hello); hello.HasExtensions {
		d.idOf(side, hello.Extensions)
	}
	if d.opened != nil {
		d.opened.clientHello(&hello)
	}
}

func (d *dtlsConn) serverHello(side int, message []byte) {
	var hello wire.ServerHello
	if _ = wire.ParseServerHello(message, &hello); hello.HasExtensions {
		d.idOf(side, hello.Extensions)
	}
	if d.opened != nil {
		d.opened.serverHello(&hello)
	}
}

// withoutCookie is a ClientHello in the form of TLS, which has no cookie behind the session id (RFC 6347, Section 4.2.1).
func withoutCookie(body []byte) []byte {
	at := 2 + 32
	if len(body) <= at {
		return body
	}
	if at += 1 + int(body[at]); at >= len(body) {
		return body
	}
	end := at + 1 + int(body[at])
	if end > len(body) {
		return body
	}
	return append(append([]byte(nil), body[:at]...), body[end:]...)
}

// is settles which side the client is, and shows what waited for that.
func (d *dtlsConn) is(client int, at time.Time) {
	if d.client >= 0 {
		return
	}
	d.client = client
	for side := range d.sides {
		for _, b := range d.sides[side].early {
			d.observer.Feed(d.name(side), b, at)
		}
		d.sides[side].early = nil
	}
}

func (d *dtlsConn) name(side int) inspect.Side {
	if side == d.client {
		return inspect.FromClient
	}
	return inspect.FromServer
}

// feed shows a record to the observer.
func (d *dtlsConn) feed(side int, t wire.ContentType, body []byte, at time.Time) {
	d.out = append(d.out[:0], byte(t), 3, 3, byte(len(body)>>8), byte(len(body)))
	d.out = append(d.out, body...)
	d.show(side, d.out, at)
}

const maxEarly = 8

func (d *dtlsConn) show(side int, records []byte, at time.Time) {
	if d.client >= 0 {
		d.observer.Feed(d.name(side), records, at)
	} else if early := &d.sides[side].early; len(*early) < maxEarly {
		*early = append(*early, append([]byte(nil), records...))
	}
}

// clientSide is the client; who sent the first datagram if nothing else tells.
func (d *dtlsConn) clientSide() int {
	if d.client < 0 {
		d.is(0, time.Time{})
	}
	return d.client
}

func (d *dtlsConn) describe(t *Tracker, r *inspect.Connection, last *monologue) {
	tls := d.observer.TLS()
	r.ClientLeg.TLS = tls
	if hello := tls.Client; hello != nil {
		if hello.RecordVersion != "" {
			hello.RecordVersion = d.recordVersion.String()
		}
		var other wire.ClientHello
		switch { // hellos that were captured before what they answer
		case !tls.HelloRetryRequest || hello.Retry != nil && d.first == nil:
		case d.first != nil && wire.ParseClientHello(d.first, &other) == nil:
			tls.Client = t.describer.Hello(&other, d.recordVersion, inspect.TransportDTLS)
			tls.Client.Certificate, hello.Certificate = hello.Certificate, nil
			hello.Retry, tls.Client.Retry = nil, hello
			hello = tls.Client
		case d.first == nil && wire.ParseClientHello(d.again, &other) == nil:
			hello.Retry = t.describer.Hello(&other, 0, inspect.TransportDTLS)
		}
		if hello.Message != nil && d.fragments > 0 {
			hello.Message.Records, hello.Message.Segments = d.fragments, d.fragments
		}
	}
	if !tls.Established && (d.data[0] > 1 && d.data[1] > 1 || r.Capture.OneWay != "" && d.data[0] > 1) {
		tls.Established = true
	}
	if d.opened != nil && d.opened.shown.apply(tls, t.describer) {
		r.Capture.Decrypted = true
		t.stats.Decrypted++
		if e := alertError(tls.Alerts); e != nil && (!tls.Established || refused(tls.Alerts)) {
			tls.Established, r.ClientLeg.Error = false, e
			return
		}
	}
	if tls.Established {
		return
	}
	r.ClientLeg.Error = d.failure(t, r, last)
}

// failure says why no handshake came about; nil when the capture does not show it.
func (d *dtlsConn) failure(t *Tracker, r *inspect.Connection, last *monologue) *inspect.Error {
	if _, ok := d.observer.Alert(inspect.FromServer); ok {
		return &inspect.Error{Type: inspect.ErrorAlertSent, Phase: inspect.PhaseHandshake}
	}
	if _, ok := d.observer.Alert(inspect.FromClient); ok {
		return &inspect.Error{Type: inspect.ErrorAlertReceived, Phase: inspect.PhaseHandshake}
	}
	if r.ClientLeg.TLS.Client == nil || !last.inVain() || d.data != [2]int{} {
		return nil
	}
	if r.Capture.OneWay == "" {
		return &inspect.Error{Type: inspect.ErrorStalled, Phase: inspect.PhaseHandshake, Message: last.String()}
	}
	if r.Capture.OneWay == inspect.FromClient && t.bothWays {
		r.Capture.OneWay = ""
		return &inspect.Error{Type: inspect.ErrorNoAnswer, Phase: inspect.PhaseHandshake, Message: "the client's hello was never answered"}
	}
	return nil
}
