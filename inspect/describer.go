package inspect

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// What a Describer remembers, of each kind: so many bytes of hellos or certificates, in so many descriptions. Beyond that it
// forgets them all and begins anew. A description takes up to some twenty times the bytes of its hello.
const (
	maxRemembered      = 1024
	maxRememberedBytes = 1 << 20
	maxHelloRemembered = 16 << 10 // hellos that are longer are described each time
)

// Describer turns hellos and chains into the record's words and remembers what it has described: a backend presents the same
// chain to every connection, and most clients send the same hello but for its random parts. What it returns shares
// memory with other descriptions and must not be changed. The zero value is ready; it is safe for concurrent use.
type Describer struct {
	hellos memory[*Hello]
	chains memory[[]Certificate]
}

// memory is a bounded map from digests to descriptions.
type memory[T any] struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]T
	bytes int
}

func (m *memory[T]) recall(key [sha256.Size]byte) (T, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.known[key]
	return v, ok
}

// keep remembers the description of so many bytes.
func (m *memory[T]) keep(key [sha256.Size]byte, v T, bytes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.known[key]; ok {
		return // another connection was faster
	}
	if m.known == nil || len(m.known) >= maxRemembered || m.bytes+bytes > maxRememberedBytes {
		m.known, m.bytes = make(map[[sha256.Size]byte]T), 0
	}
	m.known[key] = v
	m.bytes += bytes
}

// Hello is DescribeHello. The bytes of the hello itself are not copied.
func (d *Describer) Hello(h *wire.ClientHello, recordVersion wire.Version, transport string) *Hello {
	key, ok := helloKey(h, recordVersion, transport)
	if !ok {
		return describeHello(h, recordVersion, transport)
	}
	known, ok := d.hellos.recall(key)
	if !ok {
		known = describeHello(h, recordVersion, transport)
		known.Message.Raw = nil
		d.hellos.keep(key, known, len(h.Raw))
	}
	own := &struct {
		hello   Hello
		message HelloBytes
	}{*known, *known.Message}
	own.message.Raw = h.Raw
	own.hello.Message = &own.message
	return &own.hello
}

// helloKey is a digest of all of a hello but its random, session id and key exchange bytes, which no description shows; false
// when they do not lie where the hello's form has them, so that it was made in another way than by parsing, or when it is too
// long to be remembered. What is left out stands behind its length, so that no two hellos run together.
func helloKey(h *wire.ClientHello, recordVersion wire.Version, transport string) (key [sha256.Size]byte, ok bool) {
	if len(h.Raw) > maxHelloRemembered {
		return key, false
	}
	digest := sha256.New()
	var head [32]byte
	head[0], head[1] = byte(recordVersion>>8), byte(recordVersion)
	if h.SSLv2 {
		head[2] = 2
	}
	digest.Write(append(head[:3], transport...))
	from := 0 // what is before it was digested or left out
	leaveOut := func(at int, part []byte) bool {
		if len(part) == 0 {
			return true
		}
		if at < from || at+len(part) > len(h.Raw) || &h.Raw[at] != &part[0] {
			return false
		}
		digest.Write(h.Raw[from:at])
		from = at + len(part)
		return true
	}
	if h.SSLv2 {
		// type, version, three lengths, then kinds, session id, challenge (RFC 5246, Appendix E.2)
		at := 9 + len(h.SSLv2CipherKinds)
		ok = leaveOut(at, h.SessionID) && leaveOut(at+len(h.SessionID), h.Random)
	} else {
		// header, version, random, session id behind its length (RFC 8446, Section 4.1.2)
		ok = leaveOut(4+2, h.Random) && leaveOut(4+2+32+1, h.SessionID)
		share := keySharesAt(h)
		for _, exchange := range h.KeyShares.All() {
			share += 2 + 2
			ok = ok && leaveOut(share, exchange)
			share += len(exchange)
		}
	}
	if !ok || from == 0 {
		return key, false
	}
	digest.Write(h.Raw[from:])
	digest.Sum(key[:0])
	return key, true
}

// keySharesAt is where in the message the entries of the first key_share begin.
func keySharesAt(h *wire.ClientHello) int {
	at := 4 + 2 + 32 + 1 + len(h.SessionID) + 2 + len(h.CipherSuites) + 1 + len(h.CompressionMethods) + 2
	for t, body := range h.Extensions.All() {
		if t == wire.ExtensionKeyShare || t == wire.ExtensionKeyShareOld {
			return at + 4 + 2
		}
		at += 4 + len(body)
	}
	return at
}

// Certificates is the package's Certificates.
func (d *Describer) Certificates(presented [][]byte) []Certificate {
	digest := sha256.New()
	var length [4]byte
	total := 0
	for _, der := range presented {
		binary.BigEndian.PutUint32(length[:], uint32(len(der)))
		digest.Write(length[:])
		digest.Write(der)
		total += len(der)
	}
	var key [sha256.Size]byte
	digest.Sum(key[:0])
	if known, ok := d.chains.recall(key); ok {
		return known
	}
	described := Certificates(presented)
	if total <= maxRememberedBytes {
		d.chains.keep(key, described, total)
	}
	return described
}
