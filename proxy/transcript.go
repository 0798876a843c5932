package proxy

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/netip"
	"sync"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// Transcript is the bytes of a connection's handshakes as they came over the wire.
type Transcript struct {
	Client  *Exchange // nil: nothing came
	Backend *Exchange // nil: there was no TLS with a backend, or its bytes are those of Client (passthrough)
}

// Exchange is the bytes of one leg: the handshake, and alerts that followed. Application data is not kept, nor are bytes of a leg in plain TCP.
type Exchange struct {
	Client, Server netip.AddrPort
	Transport      string // TransportQUIC, where every chunk is a datagram; empty: TCP
	Began          time.Time
	Chunks         []Chunk // in the order seen
	Truncated      bool    // there was more
	KeyLog         []byte  // lines of SSLKEYLOGFILE that open the handshake; nil unless keys are logged
}

// Chunk is what came at once from one side. Data is its own.
type Chunk struct {
	At   time.Time
	From inspect.Side
	Data []byte
	Size int // of a datagram, of which Data may be the beginning; 0: there is no more
}

// Bounds on the bytes of a leg that are kept: of the handshake, and of what follows it, where alerts may hide.
const (
	maxTranscript = 128 << 10
	maxAftermath  = 4 << 10
)

// transcript keeps the bytes of one leg. Nil keeps nothing.
type transcript struct {
	keyLog io.Writer // of the server; nil: keys are not logged

	mu    sync.Mutex
	leg   Exchange
	bytes int // that may still be kept
	over  int // how many chunks came before the handshake was over; -1: it is not

	following [2]int // datagrams of the client and the server that follow the handshake of QUIC
}

func newTranscript(keyLog io.Writer) *transcript {
	return &transcript{keyLog: keyLog, bytes: maxTranscript, over: -1}
}

func (t *transcript) add(from inspect.Side, b []byte, at time.Time) {
	if t == nil || len(b) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n := min(len(b), t.bytes)
	t.leg.Truncated = t.leg.Truncated || n < len(b)
	if n == 0 {
		return
	}
	t.bytes -= n
	if t.leg.Began.IsZero() {
		t.leg.Began = at
	}
	t.leg.Chunks = append(t.leg.Chunks, Chunk{At: at, From: from, Data: bytes.Clone(b[:n])})
}

// established says that the handshake is over.
func (t *transcript) established() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bytes = min(t.bytes, maxAftermath)
	if t.over < 0 {
		t.over = len(t.leg.Chunks)
	}
}

// Write takes a line of the key log, both for the transcript and for the file.
func (t *transcript) Write(line []byte) (int, error) {
	t.mu.Lock()
	t.leg.KeyLog = append(t.leg.KeyLog, line...) // a handful for each handshake
	t.mu.Unlock()
	return t.keyLog.Write(line)
}

// exchange is what was kept between two addresses; nil: nothing.
func (t *transcript) exchange(client, server netip.AddrPort) *Exchange {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.leg.Chunks) == 0 {
		return nil
	}
	leg := t.leg
	if !leg.Server.IsValid() {
		leg.Client, leg.Server = client, server
	}
	leg.KeyLog = handshakeKeys(t.leg.KeyLog)
	if leg.Transport == inspect.TransportQUIC {
		return &leg // datagrams are cut as they come
	}
	cut := handshakeCut{data: bytes.Contains(leg.KeyLog, []byte(masterSecret))}
	leg.Chunks = make([]Chunk, 0, len(t.leg.Chunks))
	for i, chunk := range t.leg.Chunks {
		n := cut.keep(chunk.From, chunk.Data, t.over >= 0 && i >= t.over)
		leg.Truncated = leg.Truncated || n < len(chunk.Data)
		if chunk.Data = chunk.Data[:n]; n > 0 {
			leg.Chunks = append(leg.Chunks, chunk)
		}
	}
	return &leg
}

// transcript is what is kept of both legs; nil where nobody wants it, or there is nothing.
func (c *connection) transcript() *Transcript {
	if c.kept == nil {
		return nil
	}
	t := &Transcript{}
	if c.record.ClientLeg.FirstBytes == nil { // what is no TLS may be a request with a password in it
		t.Client = c.kept.exchange(addrPort(c.source), addrPort(c.destination))
	}
	if leg := c.backend; leg != nil && leg.kept != nil && c.record.BackendLeg.FirstBytes == nil {
		var near, far netip.AddrPort
		if leg.tap != nil {
			near, far = addrPort(leg.tap.LocalAddr()), addrPort(leg.tap.RemoteAddr())
		}
		t.Backend = leg.kept.exchange(near, far)
	}
	if t.Client == nil && t.Backend == nil {
		return nil
	}
	return t
}

// keyLogOf is where a leg's keys are logged; nil: nowhere.
func (s *Server) keyLogOf(kept *transcript) io.Writer {
	if s.KeyLog == nil || kept == nil {
		return s.KeyLog
	}
	return kept
}

// logging is a configuration of the client leg with the key log of one connection.
func (c *connection) logging(config *tls.Config) *tls.Config {
	w := c.server.keyLogOf(c.kept)
	if w == nil {
		return config
	}
	config = config.Clone()
	config.KeyLogWriter = w
	return config
}
