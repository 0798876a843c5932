package proxy

import (
	"net/http"
	"sync"
	"time"
)

// handlers answer requests of HTTP/2. net/http begins a goroutine for each of these, whose stack is too small for what is done for a request,
// and is copied twice until it is not: that takes longer than to hand the request to a goroutine which has answered others.
type handlers struct {
	mu    sync.Mutex
	idle  []*handler // the last one is that which was used last
	least int        // of idle since they were looked at last: so many were not needed
	timer *time.Timer
	over  bool // none is kept any more
}

// handler is one of these goroutines.
type handler struct {
	todo     chan asked // closed when it is not needed any more
	answered chan any   // what it panicked with; nil: it did not
}

// asked is a request for a handler.
type asked struct {
	s *httpSession
	w http.ResponseWriter
	r *http.Request
}

// How long a handler that is not needed is kept.
const handlerRest = time.Second

// serve answers a request.
func (h *handlers) serve(s *httpSession, w http.ResponseWriter, r *http.Request) {
	g := h.take()
	g.todo <- asked{s, w, r}
	p := <-g.answered
	h.put(g)
	if p != nil {
		panic(p)
	}
}

func (h *handlers) take() *handler {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.idle) - 1; n >= 0 {
		g := h.idle[n]
		h.idle[n] = nil
		h.idle = h.idle[:n]
		h.least = min(h.least, n)
		return g
	}
	g := &handler{make(chan asked, 1), make(chan any, 1)}
	go g.run()
	return g
}

// run answers requests as they come.
func (g *handler) run() {
	for a := range g.todo {
		g.answer(a)
	}
}

func (g *handler) answer(a asked) {
	defer func() { g.answered <- recover() }()
	a.s.serve(a.w, a.r)
}

// put keeps a handler for the next request.
func (h *handlers) put(g *handler) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		close(g.todo)
		return
	}
	h.idle = append(h.idle, g)
	if h.timer == nil {
		h.least = len(h.idle)
		h.timer = time.AfterFunc(handlerRest, h.look)
	}
}

// look ends the handlers that were not needed.
func (h *handlers) look() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return
	}
	for _, g := range h.idle[:h.least] {
		close(g.todo)
	}
	n := copy(h.idle, h.idle[h.least:])
	clear(h.idle[n:])
	h.idle = h.idle[:n]
	if h.least = n; n == 0 {
		h.timer = nil
		return
	}
	h.timer.Reset(handlerRest)
}

// end ends the handlers that have nothing to do, and from now on those that had.
func (h *handlers) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
	for _, g := range h.idle {
		close(g.todo)
	}
	h.idle = nil
	if h.timer != nil {
		h.timer.Stop()
	}
}
