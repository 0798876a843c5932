package quicwire

import (
	"bytes"
	"errors"
	"slices"
)

// Bounds of a Flow, where it names no others.
const (
	defaultMaxInitial   = 64 << 10
	defaultMaxHandshake = 256 << 10
	defaultMaxDatagrams = 256

	maxKeySets   = 4  // Initial keys: the first, after a Retry, and both again in the version that was agreed upon
	maxFailures  = 32 // packets that may fail before no more keys are tried on them
	maxPending   = 8  // packets kept until their keys are known
	maxPendBytes = 12 << 10

	keySetSize = 2 << 10 // about what keys take in memory

	minInitialDatagram = 1200 // RFC 9000, Section 14.1
)

// Flow reads one QUIC connection between two addresses from its datagrams, in whatever order they come. The zero value is ready.
//
//	err := f.Datagram(quicwire.FromClient, payload)
//	for f.Next(&m) { … }
//
// It keeps the handshake's bytes, within its bounds, and some packets whose keys are not known yet; never more.
type Flow struct {
	// MaxCrypto bounds the bytes of one side's handshake at one level; 0: 64 KiB in Initial packets, 256 KiB in others.
	MaxCrypto int
	// MaxDatagrams is how many datagrams are looked into; 0: 256. Later ones are only counted.
	MaxDatagrams int
	// Secrets, if not nil, is asked once for the traffic secrets of the connection, when both hellos are known.
	Secrets func(clientRandom []byte) Secrets

	swapped   bool
	settled   bool // a client's Initial was opened: who is who is known
	authentic bool
	datagrams int
	failures  int
	stats     [2]Stats
	crypto    [2][levels]cryptoStream
	expected  [2][levels]uint64 // packet numbers
	versions  [2]Version
	first     [2]Version // of each side's first packet that has one, opened or not
	keys      []keySet
	ids       IDs
	token     []byte // of the client's last Initial
	offered   []Version
	retry     *Retry
	closed    *Close
	gquic     *GQUICHello
	google    Version // of a connection in Google's QUIC with headers of its own

	pending      []pendingPacket
	pendingBytes int
	scratch      []byte

	asked      bool
	random     []byte // of the ClientHello
	suite      uint16
	finalHello bool // a ServerHello that is no HelloRetryRequest
	traffic    [2][levels]*trafficKeys
}

// IDs are the connection ids of a connection.
type IDs struct {
	Original []byte // the destination of the client's first Initial, which the client makes up
	Client   []byte // the client's own, which may be empty
	Server   []byte // the server's own, once it said so
}

// Stats counts what one side sent.
type Stats struct {
	Datagrams     int
	Bytes         int
	Initial       int // packets, by type
	ZeroRTT       int
	Handshake     int
	OneRTT        int
	Opened        int // packets whose contents could be read
	Unopened      int // packets that should have been readable and were not
	ShortInitials int // datagrams with an Initial packet that are shorter than 1200 bytes (RFC 9000, Section 14.1)
	CryptoFrames  int
	Retries       int // Retry packets whose integrity tag is right, or cannot be checked
}

// Message is a whole TLS handshake message.
type Message struct {
	From      Side
	Level     Level
	Type      uint8   // TLS HandshakeType
	Bytes     []byte  // with its four bytes of header; never written again
	Version   Version // that the side spoke when the message became whole
	Datagrams int     // that it came in, and the message before it in the same frame, if any
	Frames    int     // CRYPTO frames, likewise
}

// Retry is a server's Retry packet (RFC 9000, Section 17.2.5).
type Retry struct {
	Version     Version
	SourceID    []byte // which the client takes as destination from then on; the Initial keys change with it
	TokenLength int
	Valid       bool // its integrity tag is right. Before draft-25 there was none; without the client's first Initial it cannot be checked
}

// Datagram reads the payload of a UDP datagram; b is not kept. from is who the caller believes to have sent it: the first sender is
// usually the client. Where the keys say otherwise the flow turns around, see Swapped, and what it hands out names the true sides.
//
// The error is ErrOtherConnection, of a datagram that was not read because it begins another connection, or a *PacketError with
// the first thing in it that could not be read; the flow goes on.
func (f *Flow) Datagram(from Side, b []byte) error {
	from = f.trueSide(from)
	limit := f.MaxDatagrams
	if limit <= 0 {
		limit = defaultMaxDatagrams
	}
	if f.datagrams >= limit {
		f.count(from, len(b))
		return &PacketError{Kind: ErrDatagrams, Got: f.datagrams, Want: limit}
	}
	if _, old := recognizeGQUIC(b); f.google != 0 || old && !f.settled {
		f.count(from, len(b))
		return f.googleDatagram(from, b)
	}
	return f.packets(from, b)
}

func (f *Flow) count(from Side, n int) {
	f.datagrams++
	f.stats[from].Datagrams++
	f.stats[from].Bytes += n
}

// packets reads the packets of a datagram. What is behind the first one is in the same datagram only if it has the same destination
// (RFC 9000, Section 12.2); anything else behind it is padding that some put there.
func (f *Flow) packets(from Side, b []byte) error {
	var first error
	initials := 0
	f.count(from, len(b))
	for rest, n := b, 0; len(rest) > 0; n++ {
		var h Header
		offset := len(b) - len(rest)
		next, err := ParseHeader(rest, &h)
		if f.first[from] == 0 && n == 0 {
			f.first[from] = h.Version // 0 where the packet has none
		}
		if err != nil && n == 0 && f.settled && b[0]&0xc0 == 0 { // RFC 9287 allows it once the hellos have agreed on it
			h, err = Header{Type: PacketOneRTT, Packet: b}, nil
		}
		if err != nil && n > 0 && h.Version == 0 {
			break
		}
		if err == nil {
			err = f.packet(&from, &h, true)
		}
		if errors.Is(err, ErrOtherConnection) {
			if n == 0 {
				f.uncount(from, len(b))
				return err
			}
			err = &PacketError{Kind: ErrNotOpened}
		}
		if h.Type == PacketInitial {
			initials++
		}
		if err != nil && first == nil {
			first = at(err, offset, h.Type)
		}
		rest = next
	}
	if initials > 0 && len(b) < minInitialDatagram {
		f.stats[from].ShortInitials++
	}
	return first
}

func (f *Flow) uncount(from Side, n int) {
	f.datagrams--
	f.stats[from].Datagrams--
	f.stats[from].Bytes -= n
}

// at says where in the datagram an error is.
func at(err error, offset int, t PacketType) error {
	var e *PacketError
	if errors.As(err, &e) {
		e.Offset += offset
		if e.Type == PacketUnknown {
			e.Type = t
		}
	}
	return err
}

// packet reads one packet. from is turned around if it turns out to be from the other side. keep allows to keep the packet for
// later.
func (f *Flow) packet(from *Side, h *Header, keep bool) error {
	switch h.Type {
	case PacketInitial:
		return f.initial(from, h, keep)
	case PacketHandshake:
		f.stats[*from].Handshake++
		return f.protected(*from, LevelHandshake, h, keep)
	case PacketZeroRTT:
		f.stats[*from].ZeroRTT++
	case PacketRetry:
		f.serverSpeaks(from)
		f.readRetry(h)
		if f.retry != nil && !f.retry.Valid && f.settled {
			if key, _ := retryKeys(h.Version); key != "" {
				return &PacketError{Kind: ErrRetryTag, Type: h.Type}
			}
		}
	case PacketVersionNegotiation:
		if *from == FromClient && !f.settled && f.retry != nil && !f.retry.Valid {
			// Only servers send this: what looked like a Retry is a client's first packet, in a version that numbers its types otherwise.
			f.retry, f.stats[FromServer].Retries = nil, 0
		}
		f.serverSpeaks(from)
		f.negotiation(h)
	case PacketOneRTT:
		f.stats[*from].OneRTT++
		return f.short(*from, h)
	}
	return nil
}

// serverSpeaks turns the flow around where what only servers send comes from the side that was taken for the client.
func (f *Flow) serverSpeaks(from *Side) {
	if *from == FromClient && !f.settled && f.offered == nil && f.retry == nil {
		f.turn()
		*from = FromServer
	}
}

// turn takes each side for the other from now on.
func (f *Flow) turn() {
	f.swapped = !f.swapped
	f.stats[FromClient], f.stats[FromServer] = f.stats[FromServer], f.stats[FromClient]
	f.first[FromClient], f.first[FromServer] = f.first[FromServer], f.first[FromClient]
}

// negotiation keeps the versions of a Version Negotiation packet that answers this client. One that has the client's own version means
// nothing (RFC 9000, Section 6.2).
func (f *Flow) negotiation(h *Header) {
	own := f.versions[FromClient]
	if f.offered != nil || f.settled && !bytes.Equal(h.SourceID, f.ids.Original) || own != 0 && slices.Contains(h.Versions, own) {
		return
	}
	f.offered = h.Versions
}

// readRetry keeps the first Retry; a client ignores any other (RFC 9000, Section 17.2.5.2).
func (f *Flow) readRetry(h *Header) {
	if !f.settled || f.answers(h) {
		f.stats[FromServer].Retries++
	}
	if f.retry != nil && (f.retry.Valid || len(f.ids.Original) == 0) {
		return
	}
	f.retry = &Retry{Version: h.Version, SourceID: bytes.Clone(h.SourceID), TokenLength: len(h.Token), Valid: f.settled && RetryValid(h, f.ids.Original)}
	f.authentic = f.authentic || f.retry.Valid
}

// answers reports whether a Retry answers an Initial packet of the client, as far as its tag tells: there was none before draft-25.
func (f *Flow) answers(h *Header) bool {
	if key, _ := retryKeys(h.Version); key == "" || RetryValid(h, f.ids.Original) {
		return true
	}
	return len(f.keys) > 0 && RetryValid(h, f.keys[len(f.keys)-1].id) // one more, behind a Retry
}

// Next hands out the next whole handshake message. It is called until it returns false after each Datagram: then messages come in the
// order in which they became whole.
func (f *Flow) Next(m *Message) bool {
	for level := LevelInitial; level < levels; level++ {
		for from := FromClient; from <= FromServer; from++ {
			if f.crypto[from][level].next(m) {
				m.From, m.Level, m.Version = from, level, f.versions[from]
				return true
			}
		}
	}
	return false
}

func (f *Flow) trueSide(from Side) Side {
	if f.swapped {
		return from.other()
	}
	return from
}

func (f *Flow) maxCrypto(level Level) int {
	switch {
	case f.MaxCrypto > 0:
		return f.MaxCrypto
	case level == LevelInitial:
		return defaultMaxInitial
	}
	return defaultMaxHandshake
}

// Swapped reports that the side that the caller calls the client is the server.
func (f *Flow) Swapped() bool { return f.swapped }

// Authentic reports whether this is QUIC for sure: a packet opened with its keys, a Retry's tag was right, or a CHLO of Google's
// QUIC was read.
func (f *Flow) Authentic() bool { return f.authentic }

// Version is the version of the client's last Initial that was opened, ServerVersion that of the server's; 0: none.
func (f *Flow) Version() Version { return f.versions[FromClient] }

// FirstVersion is the version of the client's first packet, opened or not; 0: none that has one was seen.
func (f *Flow) FirstVersion() Version { return f.first[FromClient] }

// Token is the token in the client's last Initial that was opened: of a Retry, or of an earlier connection.
func (f *Flow) Token() []byte { return f.token }

// ServerVersion is the version of the server's last Initial that was opened. It differs from the client's first one after compatible
// version negotiation (RFC 9368, Section 2.3).
func (f *Flow) ServerVersion() Version { return f.versions[FromServer] }

// VersionNegotiation is what the server says it speaks, instead of speaking the client's version; nil: it sent no such packet.
func (f *Flow) VersionNegotiation() []Version { return f.offered }

// Retry is the server's Retry; nil: none was seen.
func (f *Flow) Retry() *Retry { return f.retry }

// Close is the first CONNECTION_CLOSE that could be read; nil: none.
func (f *Flow) Close() *Close { return f.closed }

// GQUIC is the CHLO of a client that speaks Google's QUIC; nil: none was seen.
func (f *Flow) GQUIC() *GQUICHello { return f.gquic }

// IDs are the connection ids, views into what the flow keeps.
func (f *Flow) IDs() IDs { return f.ids }

// Stats is what one side sent so far.
func (f *Flow) Stats(from Side) Stats { return f.stats[from] }

// Partial is the beginning of a message in Initial packets that is not whole yet, without gaps, and its announced length with the
// header; 0 while that is not known.
func (f *Flow) Partial(from Side) (have []byte, announced int) {
	return f.crypto[from][LevelInitial].partial()
}

// Done reports that nothing more can be read: the connection was closed, a CHLO of Google's QUIC was read, or both hellos are there, no secrets are, and the client has
// gone on to Handshake packets, after which it sends no Initial (RFC 9001, Section 4.9.1).
func (f *Flow) Done() bool {
	if f.closed != nil || f.gquic != nil {
		return true
	}
	opens := f.traffic[FromClient][LevelHandshake] != nil || f.traffic[FromServer][LevelHandshake] != nil ||
		f.traffic[FromClient][LevelOneRTT] != nil || f.traffic[FromServer][LevelOneRTT] != nil
	return f.finalHello && !opens && (f.asked || f.Secrets == nil) && f.stats[FromClient].Handshake+f.stats[FromClient].OneRTT > 0
}

// Held is about how many bytes of memory the flow keeps besides itself.
func (f *Flow) Held() int {
	n := cap(f.scratch) + f.pendingBytes + len(f.token) + len(f.random) + keySetSize*len(f.keys)
	for side := range f.crypto {
		for level := range f.crypto[side] {
			n += cap(f.crypto[side][level].buf) + 16*cap(f.crypto[side][level].spans) + len(f.crypto[side][level].before)
		}
	}
	return n
}
