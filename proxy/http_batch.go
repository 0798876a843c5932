package proxy

import (
	"io"
	"runtime"
	"sync"
)

// batch writes what comes in small pieces, as the frames of HTTP/2 do, in larger ones: while a piece is on its way, or about to be, what
// comes meanwhile is collected. Nothing waits for more to come. An error comes with the next piece, and with all after that.
type batch struct {
	to      io.Writer
	patient func() // called before something is written; nil: a write may take as long as it likes

	mu      sync.Mutex
	moved   sync.Cond // something was written
	waiting *[batchSize]byte
	have    int  // bytes of waiting
	active  bool // something is being written, or about to be
	err     error
	end     func() // called when all is written, and no more comes; nil: more may
}

// The most that is collected: a record of TLS, of which larger pieces make several.
const batchSize = 16 << 10

// A piece of this size is not worth to be copied.
const largePiece = batchSize / 4

var batchBuffers = sync.Pool{New: func() any { return new([batchSize]byte) }}

func newBatch(to io.Writer) *batch {
	w := &batch{to: to}
	w.moved.L = &w.mu
	return w
}

// Write takes the next piece. It waits when more is on its way than may be collected.
func (w *batch) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	large := len(b) >= largePiece
	for w.active && w.err == nil && (large || w.have+len(b) > batchSize) {
		w.moved.Wait()
	}
	switch {
	case w.err != nil:
		return 0, w.err
	case w.end != nil:
		return 0, io.ErrClosedPipe
	case large:
		w.active = true
		n := w.write(b)
		w.rest()
		return n, w.err
	}
	if w.waiting == nil {
		w.waiting = batchBuffers.Get().(*[batchSize]byte)
	}
	w.have += copy(w.waiting[w.have:], b)
	if !w.active {
		w.active = true
		go w.flush()
	}
	return len(b), nil
}

// flush writes what was collected, and what is meanwhile.
func (w *batch) flush() {
	runtime.Gosched() // who is about to write more does so
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.have > 0 && w.err == nil {
		waiting, have := w.waiting, w.have
		w.waiting, w.have = nil, 0
		w.write(waiting[:have])
		batchBuffers.Put(waiting)
	}
	w.rest()
}

// write writes without the lock, which is held before and after.
func (w *batch) write(b []byte) int {
	w.mu.Unlock()
	if w.patient != nil {
		w.patient()
	}
	n, err := w.to.Write(b)
	w.mu.Lock()
	w.err = err
	w.moved.Broadcast()
	return n
}

// rest notes that nothing is being written any more.
func (w *batch) rest() {
	w.active = false
	w.moved.Broadcast()
	if w.err != nil && w.waiting != nil {
		batchBuffers.Put(w.waiting)
		w.waiting, w.have = nil, 0
	}
	if w.end != nil {
		go w.end() // outside of the lock
	}
}

// wait returns when all is written.
func (w *batch) wait() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.active {
		w.moved.Wait()
	}
}

// close calls end when all is written.
func (w *batch) close(end func()) {
	w.mu.Lock()
	first, active := w.end == nil, w.active
	if first {
		w.end = end
	}
	w.mu.Unlock()
	if first && !active {
		end()
	}
}
