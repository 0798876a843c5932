package inspect

import (
	"bytes"
	"slices"
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
	hellos memory[string, *Hello]
	chains memory[chainMark, describedChain]
}

// memory is a bounded map.
type memory[K comparable, T any] struct {
	mu    sync.Mutex
	known map[K]T
	bytes int
}

// keep remembers the description of so many bytes.
func (m *memory[K, T]) keep(key K, v T, bytes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= maxRemembered || m.bytes+bytes > maxRememberedBytes {
		m.known, m.bytes = make(map[K]T), 0
	}
	m.known[key] = v
	m.bytes += bytes
}

// keyBuffers are for the keys of hellos, which live only until they are looked up.
var keyBuffers = sync.Pool{New: func() any { return new([]byte) }}

// Hello is DescribeHello. The bytes of the hello itself are not copied.
func (d *Describer) Hello(h *wire.ClientHello, recordVersion wire.Version, transport string) *Hello {
	buffer := keyBuffers.Get().(*[]byte)
	defer keyBuffers.Put(buffer)
	key := append((*buffer)[:0], byte(recordVersion>>8), byte(recordVersion))
	key = append(append(key, transport...), 0)
	key, ok := AppendHelloKey(key, h)
	*buffer = key
	if !ok {
		return describeHello(h, recordVersion, transport)
	}
	d.hellos.mu.Lock()
	known, ok := d.hellos.known[string(key)]
	d.hellos.mu.Unlock()
	if !ok {
		known = describeHello(h, recordVersion, transport)
		known.Message.Raw = nil
		d.hellos.keep(string(key), known, len(h.Raw))
	}
	own := &struct {
		hello   Hello
		message HelloBytes
	}{*known, *known.Message}
	own.message.Raw = h.Raw
	own.hello.Message = &own.message
	return &own.hello
}

// AppendHelloKey appends to key all of a hello but its random, session id and key exchange bytes, on which neither its description
// nor a negotiation depends: two hellos of one client have the same key. It reports false when these do not lie where the hello's
// form has them, so that it was made in another way than by parsing, or when it is too long to be worth remembering. What
// is left out stands behind its length, so that no two hellos run together.
func AppendHelloKey(key []byte, h *wire.ClientHello) ([]byte, bool) {
	if len(h.Raw) > maxHelloRemembered {
		return key, false
	}
	form := byte(3)
	if h.SSLv2 {
		form = 2
	}
	key = append(key, form)
	from := 0 // what is before it was appended or left out
	leaveOut := func(at int, part []byte) bool {
		if len(part) == 0 {
			return true
		}
		if at < from || at+len(part) > len(h.Raw) || &h.Raw[at] != &part[0] {
			return false
		}
		key = append(key, h.Raw[from:at]...)
		from = at + len(part)
		return true
	}
	var ok bool
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
	return append(key, h.Raw[from:]...), true
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

// chainMark finds a chain again; whether it is the same one is told by its bytes. A certificate ends in its signature, which differs
// from one to the next.
type chainMark struct {
	certificates, size int
	tail               [16]byte // of the leaf
}

type describedChain struct {
	presented [][]byte
	described []Certificate
}

// Certificates is the package's Certificates. presented is not kept.
func (d *Describer) Certificates(presented [][]byte) []Certificate {
	if len(presented) == 0 {
		return Certificates(presented)
	}
	mark := chainMark{certificates: len(presented)}
	for _, der := range presented {
		mark.size += len(der)
	}
	copy(mark.tail[:], presented[0][max(0, len(presented[0])-len(mark.tail)):])
	d.chains.mu.Lock()
	known, ok := d.chains.known[mark]
	d.chains.mu.Unlock()
	if ok && slices.EqualFunc(known.presented, presented, bytes.Equal) {
		return known.described
	}
	own := make([][]byte, len(presented))
	for i, der := range presented {
		own[i] = bytes.Clone(der)
	}
	described := Certificates(own)
	if mark.size <= maxRememberedBytes {
		d.chains.keep(mark, describedChain{own, described}, mark.size)
	}
	return described
}
