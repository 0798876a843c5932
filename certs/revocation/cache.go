package revocation

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"
)

// key names a cached thing.
type key [sha256.Size]byte

// keyOf hashes parts, each with its length, so that no two lists of parts are the same key.
func keyOf(parts ...[]byte) key {
	h := sha256.New()
	for _, part := range parts {
		var n [8]byte
		for i := range n {
			n[i] = byte(len(part) >> (8 * i))
		}
		h.Write(n[:])
		h.Write(part)
	}
	return key(h.Sum(nil))
}

// cache keeps the most recently used, bounded in number and size. What has expired is gone when it is asked for.
type cache[V any] struct {
	mu      sync.Mutex
	entries int
	bytes   int64
	used    int64
	order   *list.List // front: last used
	byKey   map[key]*list.Element
}

type cached[V any] struct {
	key     key
	value   V
	size    int64
	expires time.Time
}

func newCache[V any](entries int, bytes int64) *cache[V] {
	return &cache[V]{entries: entries, bytes: bytes, order: list.New(), byKey: make(map[key]*list.Element)}
}

// look finds what is kept.
func (c *cache[V]) look(k key, now time.Time) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, there := c.byKey[k]
	if !there {
		return value, false
	}
	item := e.Value.(*cached[V])
	if !now.Before(item.expires) {
		c.drop(e)
		return value, false
	}
	c.order.MoveToFront(e)
	return item.value, true
}

// keep stores a value; one that is larger than the whole cache is not kept.
func (c *cache[V]) keep(k key, value V, size int64, expires time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, there := c.byKey[k]; there {
		c.drop(e)
	}
	if size > c.bytes {
		return
	}
	c.byKey[k] = c.order.PushFront(&cached[V]{k, value, size, expires})
	for c.used += size; c.used > c.bytes || c.order.Len() > c.entries; {
		c.drop(c.order.Back())
	}
}

func (c *cache[V]) drop(e *list.Element) {
	item := c.order.Remove(e).(*cached[V])
	delete(c.byKey, item.key)
	c.used -= item.size
}
