package quicwire

import (
	"bytes"
	"crypto/sha256"
)

// keySet are the Initial keys of both sides, made from one connection id.
type keySet struct {
	version Version
	id      []byte
	secrets [2][sha256.Size]byte // by side
	keys    [2]*Keys             // nil until they are needed: of many connections only one side is seen
}

func newKeySet(v Version, salt string, id []byte) keySet {
	set := keySet{version: v, id: id}
	set.secrets[FromClient], set.secrets[FromServer] = initialSecrets(salt, id)
	return set
}

func (s *keySet) of(from Side) *Keys {
	if s.keys[from] == nil {
		s.keys[from] = aesKeys(s.version, s.secrets[from][:], 16)
	}
	return s.keys[from]
}

// pendingPacket is a packet whose keys are not known yet.
type pendingPacket struct {
	from  Side // as the caller believed
	bytes []byte
}

// initial reads an Initial packet.
func (f *Flow) initial(from *Side, h *Header, keep bool) error {
	o, ok := f.openKnown(*from, h)
	if !ok {
		var err error
		if o, ok, err = f.openFirst(from, h); err != nil {
			return err
		}
	}
	f.stats[*from].Initial++
	switch {
	case ok:
	case !h.Version.Opens():
		return &PacketError{Kind: ErrVersion, Type: h.Type, Got: int(h.Version)}
	case !f.settled && keep && f.pend(*from, h):
		return nil
	case len(f.keys) == 0:
		f.failures++
		return &PacketError{Kind: ErrNoKeys, Type: h.Type}
	default:
		f.failures++
		f.stats[*from].Unopened++
		return &PacketError{Kind: ErrNotOpened, Type: h.Type}
	}
	f.ownID(*from, h)
	f.versions[*from] = h.Version
	err := f.opened(*from, LevelInitial, o)
	f.readHellos()
	if keep {
		f.retryPending()
	}
	if err != nil {
		return err
	}
	return nil
}

// opened takes what an opened packet says.
func (f *Flow) opened(from Side, level Level, o Opened) error {
	f.authentic = true
	f.stats[from].Opened++
	f.expected[from][level] = max(f.expected[from][level], o.Number+1)
	f.scratch = o.Payload[:0]
	if err := f.frames(from, level, o.Payload); err != nil {
		err.Type = packetTypeOf(level)
		return err
	}
	return nil
}

func packetTypeOf(level Level) PacketType {
	return [levels]PacketType{PacketInitial, PacketHandshake, PacketOneRTT}[level]
}

// ownID keeps the connection id that a side chose for itself, and the client's token.
func (f *Flow) ownID(from Side, h *Header) {
	id := &f.ids.Client
	if from == FromServer {
		id = &f.ids.Server
	}
	if !bytes.Equal(*id, h.SourceID) {
		*id = bytes.Clone(h.SourceID)
	}
	if from == FromClient && !bytes.Equal(f.token, h.Token) {
		f.token = bytes.Clone(h.Token)
	}
}

// openKnown opens a packet with the keys of the connection. A side may change the version without changing the connection ids that
// the keys are made from (RFC 9368, Section 2.3; RFC 9369, Section 4.1): then keys are made for it.
func (f *Flow) openKnown(from Side, h *Header) (o Opened, ok bool) {
	version := false
	for i := len(f.keys) - 1; i >= 0; i-- {
		if f.keys[i].version != h.Version {
			continue
		}
		version = true
		if o, ok = f.openWith(f.keys[i].of(from), from, h); ok {
			return o, true
		}
	}
	if version || f.failures >= maxFailures {
		return o, false
	}
	for i := len(f.keys) - 1; i >= 0; i-- {
		for _, salt := range saltsOf(h.Version) {
			set := newKeySet(h.Version, salt, f.keys[i].id)
			if o, ok = f.openWith(set.of(from), from, h); ok {
				if from == FromClient && f.negotiated(h) {
					f.restart()
				}
				f.addKeys(set)
				return o, true
			}
		}
	}
	return o, false
}

func (f *Flow) openWith(k *Keys, from Side, h *Header) (Opened, bool) {
	return k.Open(f.scratch[:0], h.Packet, h.Number, f.expected[from][LevelInitial])
}

// addKeys keeps keys that have opened a packet. The first set stays; of the others the newest.
func (f *Flow) addKeys(set keySet) {
	set.id = bytes.Clone(set.id)
	if len(f.keys) < maxKeySets {
		f.keys = append(f.keys, set)
		return
	}
	copy(f.keys[1:], f.keys[2:])
	f.keys[maxKeySets-1] = set
}

// openFirst tries a packet as a client's first Initial, or its first after a Retry or a Version Negotiation: its keys are then made from
// its own destination connection id. The error is ErrOtherConnection.
func (f *Flow) openFirst(from *Side, h *Header) (o Opened, ok bool, err error) {
	if f.settled && *from == FromServer || f.failures >= maxFailures {
		return o, false, nil
	}
	for _, set := range f.keys {
		if set.version == h.Version && bytes.Equal(set.id, h.DestinationID) {
			return o, false, nil // tried already
		}
	}
	for _, salt := range saltsOf(h.Version) {
		set := newKeySet(h.Version, salt, h.DestinationID)
		if o, ok = set.of(FromClient).Open(f.scratch[:0], h.Packet, h.Number, 0); !ok {
			continue
		}
		if f.settled && !f.continues(h) {
			return Opened{}, false, ErrOtherConnection
		}
		f.settle(from, h)
		f.addKeys(set)
		return o, true, nil
	}
	return o, false, nil
}

// settle takes note of who is the client.
func (f *Flow) settle(from *Side, h *Header) {
	if !f.settled {
		f.settled = true
		f.ids.Original = bytes.Clone(h.DestinationID)
		if *from == FromServer {
			f.turn()
			*from = FromClient
		}
	}
}

// continues reports whether an Initial with keys of its own belongs to this connection. The client's handshake then begins anew: after a
// Version Negotiation with another hello, after a Retry with the same one, although some make a new one.
func (f *Flow) continues(h *Header) bool {
	switch {
	case f.stats[FromServer].Opened > 0: // the keys change before the server's first Initial only
		return false
	case f.retry != nil && bytes.Equal(f.retry.SourceID, h.DestinationID):
	case len(h.Token) > 0 && !bytes.Equal(h.Token, f.token): // a Retry that was not seen
	case f.negotiated(h):
		f.ids.Original = bytes.Clone(h.DestinationID)
		f.keys = nil
	default:
		return false
	}
	f.restart()
	return true
}

// negotiated reports whether an Initial in another version than those before it follows a Version Negotiation.
func (f *Flow) negotiated(h *Header) bool {
	was := f.versions[FromClient]
	return f.stats[FromServer].Opened == 0 && h.Version != was && (f.offered != nil || was.Reserved())
}

// restart begins the client's handshake anew. Packet numbers go on (RFC 9000, Section 17.2.5.3); where they do not they are small,
// and are found all the same.
func (f *Flow) restart() {
	stream := &f.crypto[FromClient][LevelInitial]
	f.crypto[FromClient][LevelInitial] = cryptoStream{before: stream.whole()[:stream.read]}
	f.random = nil
}

// pend keeps a packet for later, if there is room.
func (f *Flow) pend(from Side, h *Header) bool {
	if len(f.pending) >= maxPending || f.pendingBytes+len(h.Packet) > maxPendBytes {
		return false
	}
	f.pending = append(f.pending, pendingPacket{f.trueSide(from), bytes.Clone(h.Packet)})
	f.pendingBytes += len(h.Packet)
	return true
}

// retryPending reads the packets that were kept, now that keys are known. What cannot be read now never can.
func (f *Flow) retryPending() {
	if len(f.pending) == 0 {
		return
	}
	pending := f.pending
	f.pending, f.pendingBytes = nil, 0
	for i, p := range pending {
		var h Header
		if _, err := ParseHeader(p.bytes, &h); err != nil {
			continue
		}
		from := f.trueSide(p.from)
		if h.Type == PacketHandshake {
			if f.Secrets != nil && !f.asked { // still to come
				f.pending = append(f.pending, pending[i])
				f.pendingBytes += len(p.bytes)
				continue
			}
			_ = f.protected(from, LevelHandshake, &h, false) // counted as unopened
			continue
		}
		f.stats[from].Initial-- // counted when it came
		_ = f.initial(&from, &h, false)
	}
}
