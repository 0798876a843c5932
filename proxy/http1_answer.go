package proxy

import (
	"io"
	"sync"
)

// http1Body is the body of an answer.
type http1Body struct {
	io.ReadCloser
	x    *http1Leg
	keep bool
	over bool
}

func (b *http1Body) Read(p []byte) (int, error) {
	if b.over {
		return 0, io.EOF
	}
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.end()
	} else if err != nil {
		b.over = true
		b.x.done(false)
	}
	return n, err
}

// end lets the leg go, whose answer has come in full.
func (b *http1Body) end() {
	b.over = true
	x := b.x
	b.x.done(b.keep && x.in.Buffered() == 0 && x.sending.ended())
}

// Close ends the leg with an answer that is not wanted to its end.
func (b *http1Body) Close() error {
	if !b.over {
		b.over = true
		b.x.done(false)
	}
	return nil
}

// http1Switched is a leg on which another protocol is spoken.
type http1Switched struct {
	x    *http1Leg
	once sync.Once
}

func (s *http1Switched) Read(b []byte) (int, error)  { return s.x.in.Read(b) }
func (s *http1Switched) Write(b []byte) (int, error) { return s.x.conn.Write(b) }

// CloseWrite ends what is sent.
func (s *http1Switched) CloseWrite() error {
	return s.x.conn.(interface{ CloseWrite() error }).CloseWrite()
}

// Close ends the leg.
func (s *http1Switched) Close() error {
	s.once.Do(func() { s.x.done(false) })
	return nil
}
