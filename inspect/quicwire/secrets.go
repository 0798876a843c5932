package quicwire

import "bytes"

// Secrets are the traffic secrets of a connection (RFC 8446, Section 7.1), as a key log has them. Absent ones are nil: what they protect
// stays closed.
type Secrets struct {
	ClientHandshake []byte
	ServerHandshake []byte
	ClientTraffic   []byte // the first generation; key updates are followed
	ServerTraffic   []byte
}

// trafficKeys open one side's packets at one level, over key updates.
type trafficKeys struct {
	version Version
	suite   uint16
	secret  []byte
	keys    *Keys
	next    *trafficKeys // after the next key update; nil: not derived yet
}

// Places in the hellos (RFC 8446, Sections 4.1.2 and 4.1.3).
const (
	typeClientHello = 1
	typeServerHello = 2
	randomAt        = messageHeader + 2
	randomEnd       = randomAt + 32
)

// retryRandom is the random of a ServerHello that is a HelloRetryRequest (RFC 8446, Section 4.1.3).
const retryRandom = "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c"

// readHellos takes from the hellos what leads to the secrets, and asks for them.
func (f *Flow) readHellos() {
	if client := f.crypto[FromClient][LevelInitial].whole(); f.random == nil && len(client) >= randomEnd && client[0] == typeClientHello {
		f.random = bytes.Clone(client[randomAt:randomEnd])
	}
	if !f.finalHello {
		f.finalHello, f.suite = findServerHello(f.crypto[FromServer][LevelInitial].whole())
	}
	if f.Secrets == nil || f.asked || f.random == nil || !f.finalHello {
		return
	}
	f.asked = true
	s := f.Secrets(f.random)
	version := f.versions[FromServer]
	for side, secrets := range [2][levels][]byte{
		FromClient: {LevelHandshake: s.ClientHandshake, LevelOneRTT: s.ClientTraffic},
		FromServer: {LevelHandshake: s.ServerHandshake, LevelOneRTT: s.ServerTraffic},
	} {
		for level, secret := range secrets {
			if keys, err := NewKeys(version, f.suite, secret); err == nil {
				f.traffic[side][level] = &trafficKeys{version: version, suite: f.suite, secret: bytes.Clone(secret), keys: keys}
			}
		}
	}
}

// findServerHello looks among a server's Initial messages for its ServerHello, which may follow a HelloRetryRequest.
func findServerHello(b []byte) (found bool, suite uint16) {
	for len(b) >= messageHeader {
		n := messageLength(b)
		if n > len(b) {
			return false, 0
		}
		m := b[:n]
		b = b[n:]
		if m[0] != typeServerHello || len(m) <= randomEnd || string(m[randomAt:randomEnd]) == retryRandom {
			continue
		}
		at := randomEnd + 1 + int(m[randomEnd]) // behind legacy_session_id_echo
		if len(m) < at+2 {
			continue
		}
		return true, uint16(m[at])<<8 | uint16(m[at+1])
	}
	return false, 0
}

// protected reads a Handshake packet, if its keys are known. Without any it is no error that it stays closed.
func (f *Flow) protected(from Side, level Level, h *Header, keep bool) error {
	k := f.traffic[from][level]
	if k == nil {
		if f.Secrets != nil && !f.asked && keep {
			f.pend(from, h)
		}
		return nil
	}
	o, ok := k.keys.Open(f.scratch[:0], h.Packet, h.Number, f.expected[from][level])
	if !ok {
		f.stats[from].Unopened++
		return &PacketError{Kind: ErrNotOpened, Type: h.Type}
	}
	return f.opened(from, level, o)
}

// short reads a 1-RTT packet, if its keys are known. The length of its destination connection id is that of the other side's own id.
func (f *Flow) short(from Side, h *Header) error {
	k := f.traffic[from][LevelOneRTT]
	if k == nil {
		return nil
	}
	number := 1 + len(f.ids.Server)
	if from == FromServer {
		number = 1 + len(f.ids.Client)
	}
	o, ok := k.keys.Open(f.scratch[:0], h.Packet, number, f.expected[from][LevelOneRTT])
	if !ok {
		if o, ok = k.update().keys.Open(f.scratch[:0], h.Packet, number, f.expected[from][LevelOneRTT]); ok {
			f.traffic[from][LevelOneRTT] = k.next
		}
	}
	if !ok {
		f.stats[from].Unopened++
		return &PacketError{Kind: ErrNotOpened, Type: h.Type}
	}
	return f.opened(from, LevelOneRTT, o)
}

// update derives the keys after the next key update (RFC 9001, Section 6.1). Header protection keeps its key.
func (k *trafficKeys) update() *trafficKeys {
	if k.next != nil {
		return k.next
	}
	label := "quic ku"
	if k.version == Version2 {
		label = "quicv2 ku"
	}
	secret := make([]byte, len(k.secret))
	expandLabel(k.secret, label, secret)
	keys, err := NewKeys(k.version, k.suite, secret)
	if err != nil {
		return k
	}
	keys.block, keys.stream = k.keys.block, k.keys.stream
	k.next = &trafficKeys{version: k.version, suite: k.suite, secret: secret, keys: keys}
	return k.next
}
