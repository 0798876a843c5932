package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// gated is a writer that waits to be let on before each write.
type gated struct {
	let    chan error
	mu     sync.Mutex
	pieces []string
}

func (g *gated) Write(b []byte) (int, error) {
	if err := <-g.let; err != nil {
		return 0, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pieces = append(g.pieces, string(b))
	return len(b), nil
}

// What comes while a piece is written is written together, in its order.
func TestBatchCollectsWhatComesMeanwhile(t *testing.T) {
	g := &gated{let: make(chan error)}
	w := newBatch(g)
	var want bytes.Buffer
	say := func(text string) {
		t.Helper()
		want.WriteString(text)
		if n, err := w.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatal(n, err)
		}
	}
	say("first ")
	for range 100 {
		say("and then some ")
	}
	close(g.let)
	say(repeat("large ", batchSize)) // which waits for the others
	for range 5000 {
		say("more than can be collected ")
	}
	closed := make(chan struct{})
	w.close(func() { close(closed) })
	<-closed
	w.wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	got := ""
	for _, piece := range g.pieces {
		got += piece
	}
	if got != want.String() {
		t.Errorf("%d bytes were written, want %d", len(got), want.Len())
	}
	if len(g.pieces) > 1000 {
		t.Errorf("%d pieces", len(g.pieces))
	}
	if _, err := w.Write([]byte("late")); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

// An error is told with the next piece and all that follow, to those who wait, too.
func TestBatchTellsOfErrors(t *testing.T) {
	g := &gated{let: make(chan error)}
	w := newBatch(g)
	if _, err := w.Write([]byte("lost")); err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error)
	go func() {
		_, err := w.Write(make([]byte, largePiece))
		waiting <- err
	}()
	g.let <- io.ErrShortWrite
	if err := <-waiting; !errors.Is(err, io.ErrShortWrite) {
		t.Error(err)
	}
	w.wait()
	if _, err := w.Write([]byte("more")); !errors.Is(err, io.ErrShortWrite) {
		t.Error(err)
	}
	closed := false
	w.close(func() { closed = true })
	if !closed {
		t.Error("nothing is left to be written, and yet it was waited for")
	}
}

// Handlers that are not needed end, and so do those of a server that has ended.
func TestHandlersEnd(t *testing.T) {
	h := new(handlers)
	var taken []*handler
	for range 10 {
		taken = append(taken, h.take())
	}
	for _, g := range taken {
		h.put(g)
	}
	ended := func() (n int) {
		for _, g := range taken {
			select {
			case _, open := <-g.answered:
				t.Fatalf("a handler has answered: %v", open)
			default:
			}
			h.mu.Lock()
			idle := false
			for _, i := range h.idle {
				idle = idle || i == g
			}
			h.mu.Unlock()
			if !idle {
				n++
			}
		}
		return n
	}
	h.timer.Stop()
	for range 3 {
		h.put(h.take()) // one is enough
	}
	h.look()
	h.timer.Stop()
	h.put(h.take())
	h.look()
	if n := ended(); n != 9 {
		t.Errorf("%d of 10 handlers have ended, want 9", n)
	}
	h.end()
	if n := ended(); n != 10 {
		t.Errorf("%d of 10 handlers have ended", n)
	}
	g := h.take()
	h.put(g) // ends it: goroutines that are left fail the tests
}

// What a handler panics with reaches the HTTP server, and the handler answers on.
func TestHandlersPassOnPanics(t *testing.T) {
	h := new(handlers)
	defer h.end()
	s := &httpSession{closed: true} // which ends all requests so
	for range 3 {
		func() {
			defer func() {
				p := recover()
				if err, _ := p.(error); !errors.Is(err, http.ErrAbortHandler) {
					t.Errorf("%v", p)
				}
			}()
			h.serve(s, httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		}()
	}
	if len(h.idle) != 1 {
		t.Errorf("%d handlers, want 1", len(h.idle))
	}
}
