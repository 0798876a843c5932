package capture

import (
	"bytes"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/keylog"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Bounds of opening a connection.
const (
	maxSealedRecord   = 1<<14 + 2048
	maxEarlyRecords   = 16        // of the client, that are kept until the ServerHello comes
	maxShownHandshake = 256 << 10 // bytes of handshake messages that are read, a side
	maxFailures       = 4         // records in a row that do not open, after which no more is tried
)

// decryption opens what is encrypted in a connection to which there are keys.
type decryption struct {
	keys     *keys
	hello    keylog.Connection
	agreed   bool // both hellos are there
	tls13    bool
	hopeless bool
	sides    [2]opening // client, server
	shown    shown
}

// opening is one direction.
type opening struct {
	record   []byte // in the making
	lost     bool   // where the next record begins is not known
	clear    []byte // handshake in the clear, in the making
	inner    []byte // handshake that was encrypted, in the making
	read     int    // bytes of both
	changed  bool   // ChangeCipherSpec was seen
	opener   *keylog.Opener
	early    [][]byte
	failures int
}

func newDecryption(k *keys) *decryption { return &decryption{keys: k} }

func index(from inspect.Side) int {
	if from == inspect.FromClient {
		return 0
	}
	return 1
}

// feed takes the next bytes of one direction.
func (d *decryption) feed(from inspect.Side, b []byte) {
	s := &d.sides[index(from)]
	if d.hopeless || s.lost && !plausible(b) {
		return
	}
	s.lost = false
	for len(b) > 0 {
		if len(s.record) == 0 && len(b) >= 5 { // whole records are not copied
			if length := 5 + int(b[3])<<8 + int(b[4]); plausible(b) && length <= len(b) {
				d.take(from, s, b[:length])
				b = b[length:]
				continue
			}
		}
		want := 5
		if len(s.record) >= 5 {
			want += int(s.record[3])<<8 + int(s.record[4])
		}
		n := min(want-len(s.record), len(b))
		s.record = append(s.record, b[:n]...)
		b = b[n:]
		if len(s.record) == 5 && !plausible(s.record) {
			d.hopeless = true
			return
		}
		if len(s.record) >= 5 && len(s.record) == 5+int(s.record[3])<<8+int(s.record[4]) {
			d.take(from, s, s.record)
			s.record = s.record[:0]
		}
	}
}

// lose tells a direction that bytes of it are missing.
func (d *decryption) lose(from inspect.Side) {
	s := &d.sides[index(from)]
	s.lost, s.record, s.inner = true, s.record[:0], s.inner[:0]
	if s.opener != nil {
		s.opener.Skip(1)
	}
}

// take reads a whole record.
func (d *decryption) take(from inspect.Side, s *opening, record []byte) {
	kind, body := wire.ContentType(record[0]), record[5:]
	switch {
	case kind == wire.ContentTypeChangeCipherSpec && len(body) == 1:
		s.changed = true
	case d.tls13 && kind == wire.ContentTypeApplicationData, d.agreed && !d.tls13 && s.changed:
		d.open(from, s, record)
	case kind == wire.ContentTypeHandshake:
		d.hellos(s, body)
	case kind == wire.ContentTypeApplicationData && !d.agreed && from == inspect.FromClient && len(s.early) < maxEarlyRecords:
		s.early = append(s.early, bytes.Clone(record))
	}
}

// hellos reads what of the handshake is in the clear, up to what both sides agreed upon.
func (d *decryption) hellos(s *opening, body []byte) {
	if d.agreed || s.read > maxShownHandshake {
		return
	}
	s.read += len(body)
	s.clear = append(s.clear, body...)
	for {
		m, rest, ok := cutMessage(s.clear)
		if !ok {
			return
		}
		s.clear = rest
		switch wire.HandshakeType(m[0]) {
		case wire.HandshakeTypeClientHello:
			var hello wire.ClientHello
			if _ = wire.ParseClientHello(m, &hello); len(hello.Random) == 32 { // also of a hello that is not sound to its end
				d.hello.ClientRandom = bytes.Clone(hello.Random)
				d.hello.EncryptThenMAC = hello.EncryptThenMAC
			}
		case wire.HandshakeTypeServerHello:
			var hello wire.ServerHello
			if _ = wire.ParseServerHello(m, &hello); len(hello.Random) == 32 && !hello.HelloRetryRequest {
				d.agree(&hello)
				return
			}
		}
	}
}

// cutMessage takes a whole handshake message off b.
func cutMessage(b []byte) (m, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, b, false
	}
	n := 4 + uint24(b[1:])
	if n > len(b) {
		return nil, b, false
	}
	return b[:n:n], b[n:], true
}

// agree makes the openers. When there is no secret for this connection, it stays closed.
func (d *decryption) agree(hello *wire.ServerHello) {
	d.agreed = true
	d.tls13 = hello.Version.IsTLS13() || hello.Extensions.Has(wire.ExtensionSupportedVersions)
	d.hello.Version, d.hello.Suite = uint16(hello.Version), uint16(hello.CipherSuite)
	d.hello.ServerRandom = bytes.Clone(hello.Random)
	d.hello.EncryptThenMAC = d.hello.EncryptThenMAC && hello.Extensions.Has(wire.ExtensionEncryptThenMAC)
	for i, from := range [...]keylog.Side{keylog.FromClient, keylog.FromServer} {
		d.sides[i].clear = nil
		d.sides[i].opener, _ = d.keys.store.ForTLS(d.hello, from)
	}
	d.hopeless = d.sides[0].opener == nil && d.sides[1].opener == nil
	for _, record := range d.sides[0].early {
		d.open(inspect.FromClient, &d.sides[0], record)
	}
	d.sides[0].early = nil
}

// open opens an encrypted record and reads what handshake or alert is in it.
func (d *decryption) open(from inspect.Side, s *opening, record []byte) {
	if s.opener == nil || s.failures == maxFailures {
		return
	}
	inner, text, err := s.opener.Open(record[0], uint16(record[1])<<8|uint16(record[2]), record[5:])
	if err != nil {
		s.failures++
		return
	}
	s.failures = 0
	switch wire.ContentType(inner) {
	case wire.ContentTypeAlert:
		d.shown.alert(from, text)
	case wire.ContentTypeHandshake:
		if !d.tls13 || s.read > maxShownHandshake {
			return
		}
		s.read += len(text)
		s.inner = append(s.inner, text...)
		for {
			m, rest, ok := cutMessage(s.inner)
			if !ok {
				break
			}
			d.shown.message(from, m)
			s.inner = rest
		}
	}
}
