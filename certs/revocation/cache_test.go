package revocation

import (
	"testing"
	"time"
)

func TestCacheIsBounded(t *testing.T) {
	now := time.Now()
	c := newCache[int](3, 100)
	has := func(name string) bool { _, ok := c.look(keyOf([]byte(name)), now); return ok }
	keep := func(name string, size int64) { c.keep(keyOf([]byte(name)), 1, size, now.Add(time.Hour)) }
	keep("a", 10)
	keep("b", 10)
	keep("c", 10)
	if !has("a") {
		t.Error("a is gone")
	}
	keep("d", 10) // one too many: b is the one not used for longest
	if has("b") || !has("a") || !has("c") || !has("d") {
		t.Errorf("a %v b %v c %v d %v", has("a"), has("b"), has("c"), has("d"))
	}
	keep("large", 95) // too many bytes beside the others
	if !has("large") || has("a") || has("c") || has("d") || c.used != 95 {
		t.Errorf("%d bytes kept", c.used)
	}
	keep("huge", 101)
	if has("huge") || !has("large") {
		t.Error("what does not fit drove out what does")
	}
	keep("large", 5)
	if c.used != 5 || c.order.Len() != 1 {
		t.Errorf("%d bytes in %d entries after replacing", c.used, c.order.Len())
	}
	if _, ok := c.look(keyOf([]byte("large")), now.Add(time.Hour)); ok || c.used != 0 {
		t.Error("kept beyond its time")
	}
	if keyOf([]byte("ab"), []byte("c")) == keyOf([]byte("a"), []byte("bc")) {
		t.Error("parts run into each other")
	}
}
