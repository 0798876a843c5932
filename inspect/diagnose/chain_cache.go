package diagnose

import (
	"bytes"
	"container/list"
	"crypto/x509"
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
	byKey map[chainKey]*list.Element
}

// maxChains bounds the cache: more than the backends of one proxy, and small.
const maxChains = 256

type examined struct {
	key         chainKey
	chain, scts [][]byte // what was examined
	ocsp        []byte
	faults      []chain.Fault
	right       []string                     // subjects of the chain to send instead; none where it would be no better
	mustStaple  bool                         // the leaf asks for a stapled OCSP response
	responder   bool                         // the leaf names an OCSP responder
	maker       string                       // whose default certificate the leaf is; empty: nobody's
	words       map[chain.FaultID]faultWords // what is said of the faults
	from, until time.Time                    // it holds at times between: signed certificate timestamps have dates of their own; zero: no bound
}

// holds reports whether the examination is that of these bytes at a time, too.
func (x *examined) holds(raw [][]byte, o chain.Options) bool {
	return !o.Time.Before(x.from) && (x.until.IsZero() || o.Time.Before(x.until)) &&
		slices.EqualFunc(x.chain, raw, bytes.Equal) && slices.EqualFunc(x.scts, o.SCTs, bytes.Equal) && bytes.Equal(x.ocsp, o.OCSPResponse)
}

// examine returns the examination of a chain, from the cache where it was made for the same name on the same day and on the
// same side of every date in the chain.
func (c *chainCache) examine(presented []inspect.Certificate, raw [][]byte, o chain.Options) *examined {
	key := keyOf(presented, raw, o)
	c.mu.Lock()
	if el, ok := c.byKey[key]; ok {
		if x := el.Value.(*examined); x.holds(raw, o) {
			c.order.MoveToFront(el)
			c.mu.Unlock()
			return x
		}
	}
	c.mu.Unlock()

	raw = slices.Clone(raw)    // the caller uses the slice again
	r := chain.Examine(raw, o) // outside the lock: it may be slow, and two at once for the same chain do no harm
	x := &examined{key: key, chain: raw, scts: o.SCTs, ocsp: o.OCSPResponse, faults: r.Faults, mustStaple: r.MustStaple, maker: defaultCertificate(&presented[0]), words: wordsOf(r.Faults)}
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
		c.byKey = map[chainKey]*list.Element{}
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

// chainKey is what an examination depends on beside the bytes, and as much of these as tells one chain from another; whether it is the
// same one is told by holds. The roots are the Diagnoser's and do not change.
type chainKey struct {
	name         string
	day          int64
	certificates int
	sent         int // where these are the first of more
	timestamps   int
	staple       int      // bytes
	tail, signed [16]byte // of the leaf and of the staple, which end in their signatures, or in the issuer's certificate
	phases       string   // for each certificate whether it is before, in, near the end of or past its life
}

func keyOf(presented []inspect.Certificate, raw [][]byte, o chain.Options) chainKey {
	k := chainKey{name: o.Name, day: o.Time.Unix() / 86400, certificates: len(raw), sent: o.Sent, timestamps: len(o.SCTs), staple: len(o.OCSPResponse)}
	copy(k.tail[:], raw[0][max(0, len(raw[0])-len(k.tail)):])
	copy(k.signed[:], o.OCSPResponse[max(0, len(o.OCSPResponse)-len(k.signed)):])
	var few [8]byte
	phases, usual := few[:0], true
	for i := range raw {
		x := &presented[i]
		phase := byte('0')
		switch {
		case o.Time.Before(x.NotBefore):
			phase = '1'
		case o.Time.After(x.NotAfter):
			phase = '2'
		case x.NotAfter.Sub(o.Time) < o.ExpiringSoon:
			phase = '3'
		}
		phases, usual = append(phases, phase), usual && phase == '0'
	}
	if !usual {
		k.phases = string(phases)
	}
	return k
}
