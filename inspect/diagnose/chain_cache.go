package diagnose

import (
	"bytes"
	"container/list"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

// chainCache remembers examined chains: a busy proxy sees the same few on every connection. Its zero value is ready.
type chainCache struct {
	mu    sync.Mutex
	order list.List // of *examined, most recently used first
	byKey map[[sha256.Size]byte]*list.Element
}

// maxChains bounds the cache: more than the backends of one proxy, and small.
const maxChains = 256

type examined struct {
	key         [sha256.Size]byte
	faults      []chain.Fault
	right       []string  // subjects of the chain to send instead; none where it would be no better
	mustStaple  bool      // the leaf asks for a stapled OCSP response
	responder   bool      // the leaf names an OCSP responder
	from, until time.Time // it holds at times between: signed certificate timestamps have dates of their own; zero: no bound
}

// holds reports whether the examination is that of a time, too.
func (x *examined) holds(at time.Time) bool {
	return !at.Before(x.from) && (x.until.IsZero() || at.Before(x.until))
}

// examine returns the examination of a chain, from the cache where it was made for the same name on the same day and on the
// same side of every date in the chain.
func (c *chainCache) examine(presented []inspect.Certificate, raw [][]byte, o chain.Options) *examined {
	key := chainKey(presented, raw, o)
	c.mu.Lock()
	if el, ok := c.byKey[key]; ok {
		if x := el.Value.(*examined); x.holds(o.Time) {
			c.order.MoveToFront(el)
			c.mu.Unlock()
			return x
		}
	}
	c.mu.Unlock()

	r := chain.Examine(raw, o) // outside the lock: it may be slow, and two at once for the same chain do no harm
	x := &examined{key: key, faults: r.Faults, mustStaple: r.MustStaple}
	x.responder = r.Presented[0] != nil && len(r.Presented[0].OCSPServer) > 0
	for _, t := range r.SCTs {
		if at := t.Time; !at.After(o.Time) && at.After(x.from) {
			x.from = at
		} else if at.After(o.Time) && (x.until.IsZero() || at.Before(x.until)) {
			x.until = at
		}
	}
	if advisable(r, o.Time) {
		for _, cert := range r.Right {
			x.right = append(x.right, bound(cert.Subject.String()))
		}
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey == nil {
		c.byKey = map[[sha256.Size]byte]*list.Element{}
	}
	if el, ok := c.byKey[key]; ok {
		el.Value = x
		return x
	}
	c.byKey[key] = c.order.PushFront(x)
	for c.order.Len() > maxChains {
		last := c.order.Back()
		delete(c.byKey, c.order.Remove(last).(*examined).key)
	}
	return x
}

// advisable reports whether the right chain can be sent in the place of what was: it is another one, and valid throughout.
func advisable(r *chain.Report, at time.Time) bool {
	for _, cert := range r.Right {
		if at.Before(cert.NotBefore) || at.After(cert.NotAfter) {
			return false
		}
	}
	return !slices.EqualFunc(r.Right, r.Raw, func(cert *x509.Certificate, sent []byte) bool { return bytes.Equal(cert.Raw, sent) })
}

// chainKey is what an examination depends on: the bytes, what came beside them in the handshake, the name, the day, and for each
// certificate whether it is before, in, near the end of or past its life. The roots are the Diagnoser's and do not change.
func chainKey(presented []inspect.Certificate, raw [][]byte, o chain.Options) [sha256.Size]byte {
	h := sha256.New()
	part := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	part([]byte(o.Name))
	var shape [24]byte
	binary.BigEndian.PutUint64(shape[:], uint64(o.Time.Unix()/86400))
	binary.BigEndian.PutUint64(shape[8:], uint64(len(raw)))
	binary.BigEndian.PutUint64(shape[16:], uint64(len(o.SCTs)))
	part(shape[:])
	for i, der := range raw {
		x := &presented[i]
		var phase byte
		switch {
		case o.Time.Before(x.NotBefore):
			phase = 1
		case o.Time.After(x.NotAfter):
			phase = 2
		case x.NotAfter.Sub(o.Time) < o.ExpiringSoon:
			phase = 3
		}
		part(der)
		part([]byte{phase})
	}
	for _, t := range o.SCTs {
		part(t)
	}
	part(o.OCSPResponse)
	var key [sha256.Size]byte
	h.Sum(key[:0])
	return key
}
