package inspect

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"sync"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Most descriptions of each kind that a Describer remembers; beyond it, it forgets them all and begins anew.
const maxRemembered = 1024

// Describer turns hellos and chains into the record's words and remembers what it has described: a backend presents the same
// chain to every connection, and most clients send the same hello but for its random parts. What it returns shares
// memory with other descriptions and must not be changed. The zero value is ready; it is safe for concurrent use.
type Describer struct {
	mu     sync.Mutex
	hellos map[[sha256.Size]byte]*Hello
	chains map[[sha256.Size]byte][]Certificate
}

// Hello is DescribeHello. The bytes of the hello itself are not copied.
func (d *Describer) Hello(h *wire.ClientHello, recordVersion wire.Version, transport string) *Hello {
	key := helloKey(h, recordVersion, transport)
	d.mu.Lock()
	known := d.hellos[key]
	d.mu.Unlock()
	if known == nil {
		known = DescribeHello(h, recordVersion, transport)
		known.Message.Raw = nil
		d.mu.Lock()
		if d.hellos == nil || len(d.hellos) >= maxRemembered {
			d.hellos = make(map[[sha256.Size]byte]*Hello)
		}
		d.hellos[key] = known
		d.mu.Unlock()
	}
	own, message := *known, *known.Message
	message.Raw = h.Raw
	own.Message = &message
	return &own
}

// helloKey is a digest of all of a hello but its random, session id and key exchange bytes, which no description shows.
func helloKey(h *wire.ClientHello, recordVersion wire.Version, transport string) (key [sha256.Size]byte) {
	digest := sha256.New()
	head := binary.BigEndian.AppendUint16(make([]byte, 0, 32), uint16(recordVersion))
	head = append(head, transport...)
	if h.SSLv2 {
		head = append(head, '2')
	}
	digest.Write(head)
	rest := h.Raw
	skip := func(part []byte) {
		if at := within(rest, part); at >= 0 {
			digest.Write(rest[:at])
			rest = rest[at+len(part):]
		}
	}
	skip(h.Random)
	skip(h.SessionID)
	for _, exchange := range h.KeyShares.All() {
		skip(exchange)
	}
	digest.Write(rest)
	digest.Sum(key[:0])
	return key
}

// within is where part, a view into the same message, lies in rest; -1 when it is empty or does not come any more.
func within(rest, part []byte) int {
	if len(part) == 0 {
		return -1
	}
	at := cap(rest) - cap(part)
	if at < 0 || at+len(part) > len(rest) || &rest[at] != &part[0] {
		return bytes.Index(rest, part)
	}
	return at
}

// Certificates is the package's Certificates.
func (d *Describer) Certificates(presented [][]byte) []Certificate {
	digest := sha256.New()
	var length [4]byte
	for _, der := range presented {
		binary.BigEndian.PutUint32(length[:], uint32(len(der)))
		digest.Write(length[:])
		digest.Write(der)
	}
	var key [sha256.Size]byte
	digest.Sum(key[:0])
	d.mu.Lock()
	known, ok := d.chains[key]
	d.mu.Unlock()
	if ok {
		return known
	}
	known = Certificates(presented)
	d.mu.Lock()
	if d.chains == nil || len(d.chains) >= maxRemembered {
		d.chains = make(map[[sha256.Size]byte][]Certificate)
	}
	d.chains[key] = known
	d.mu.Unlock()
	return known
}
