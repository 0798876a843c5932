package proxy

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/tlstriage/tlstriage/inspect"
)

var discardLog = log.New(io.Discard, "", 0)

// Server accepts connections on its listeners. Its zero value is ready for Start.
type Server struct {
	// OnConnection is given each record, one at a time, on a goroutine of its own. Nil: records are thrown away.
	OnConnection func(*inspect.Connection)

	// LookAgain is asked about each record with a backend leg of TLS, before OnConnection and on its goroutine: whether another look
	// at the backend, without a name and with those that it might know, would help to understand what happened. What it shows is in
	// the record's backend leg by the time of OnConnection, unless it takes too long: a record waits for 2 s at most, and only
	// for the first look at a backend and its names in Limits.LookInterval. Nil: never.
	LookAgain func(*inspect.Connection) bool

	// OnTranscript is given the bytes of a connection's handshakes, after OnConnection was given its record and on the same goroutine.
	// Nil: they are not kept.
	OnTranscript func(*inspect.Connection, *Transcript)

	// OnRequest is given each request of mode HTTP when it has ended, before OnConnection is given the record that it belongs to or soon
	// after, one at a time on a goroutine of its own. Nil: requests are counted and not described.
	OnRequest func(*inspect.HTTPRequest)

	KeyLog io.Writer // the secrets of every session of both legs, in the form of SSLKEYLOGFILE; nil: none

	Log    *zap.Logger // nil: silent
	Limits Limits

	ctx    context.Context // ends when the drain time is over
	cancel context.CancelFunc
	salt   string
	count  atomic.Uint64

	mu        sync.Mutex
	sockets   map[string]*socket // by Listener.key
	open      map[*connection]struct{}
	stopping  bool
	cutting   bool // the drain time is over
	accepting sync.WaitGroup
	handling  sync.WaitGroup

	active  atomic.Int64
	refused atomic.Uint64
	dropped atomic.Uint64
	loud    atomic.Int64 // when the bound on connections was last said aloud

	outgoing  outgoing
	describer inspect.Describer
	looker    looker

	front    *httpFront  // of all listeners in HTTP mode; nil until the first connection
	draining atomic.Bool // no further requests are sent on
	asked    requestLog

	queue   chan ended
	pressed chan struct{} // the queue is half full
	emptied chan struct{} // closed when the queue was closed and emptied; nil: nothing was started
}

// ended is a connection that is over: its record, and the backend that it went to (nil: none).
type ended struct {
	record     *inspect.Connection
	backend    *Backend
	transcript *Transcript // nil: none
}

// socket is one listening address; the listener behind it is exchanged at a reload.
type socket struct {
	net.Listener
	config atomic.Pointer[Listener]
}

func (s *Server) limits() Limits { return s.Limits.withDefaults() }

// Start opens all listeners and begins to accept. When one cannot be opened, none is.
func (s *Server) Start(listeners []*Listener) error {
	limits := s.limits()
	if s.Log == nil {
		s.Log = zap.NewNop()
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	var salt [4]byte
	rand.Read(salt[:])
	s.salt = hex.EncodeToString(salt[:])
	s.sockets = make(map[string]*socket)
	s.open = make(map[*connection]struct{})
	s.queue = make(chan ended, limits.Queue)
	s.pressed = make(chan struct{}, 1)
	if err := s.Reload(listeners); err != nil {
		s.cancel()
		return err
	}
	s.emptied = make(chan struct{})
	go s.deliver()
	if s.OnRequest != nil {
		s.asked.start(s.OnRequest)
	}
	return nil
}

// Reload exchanges the listeners. New addresses are opened first; when one cannot be, everything stays as it was.
// Connections that are open go on as they began.
func (s *Server) Reload(listeners []*Listener) error {
	if len(listeners) == 0 {
		return errors.New("proxy: no listener")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return errors.New("proxy: the server is stopping")
	}
	wanted := make(map[string]*Listener, len(listeners))
	for _, l := range listeners {
		if wanted[l.key()] != nil {
			return fmt.Errorf("proxy: two listeners on %s", l.Address)
		}
		wanted[l.key()] = l
		for _, r := range l.Routes {
			r.prepare(l)
		}
		if l.Challenge != nil {
			l.Challenge.prepare(l)
		}
	}
	opened := make(map[string]*socket)
	for key, config := range wanted {
		if s.sockets[key] != nil {
			continue
		}
		l, err := config.listen()
		if err != nil {
			for _, o := range opened {
				o.Close()
			}
			return fmt.Errorf("proxy: %w", err)
		}
		opened[key] = &socket{Listener: l}
	}
	for key, sock := range s.sockets {
		if wanted[key] == nil {
			sock.Close()
			delete(s.sockets, key)
		} else {
			sock.config.Store(wanted[key])
		}
	}
	for key, sock := range opened {
		sock.config.Store(wanted[key])
		s.sockets[key] = sock
		s.accepting.Add(1)
		go s.accept(sock)
	}
	return nil
}

// Addr is the address that a listener listens on, which tells the port where its configuration leaves that open. Nil when the
// listener is not among those that are in force.
func (s *Server) Addr(l *Listener) net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sock := s.sockets[l.key()]; sock != nil {
		return sock.Addr()
	}
	return nil
}

// Active is the number of connections that are open.
func (s *Server) Active() int64 { return s.active.Load() }

// Refused is the number of connections that were refused because the bound on them was reached.
func (s *Server) Refused() uint64 { return s.refused.Load() }

// Dropped is the number of records that were dropped because the queue was full.
func (s *Server) Dropped() uint64 { return s.dropped.Load() }

func (s *Server) accept(sock *socket) {
	defer s.accepting.Done()
	limit := int64(s.limits().Connections)
	var delay time.Duration
	for {
		conn, err := sock.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of descriptors, mostly: wait for some connection to end rather than spin.
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			s.Log.Warn("accept failed", zap.String("address", sock.Addr().String()), zap.Error(err), zap.Duration("retry_in", delay))
			select {
			case <-time.After(delay):
				continue
			case <-s.ctx.Done():
				return
			}
		}
		delay = 0
		if s.active.Add(1) > limit {
			s.active.Add(-1)
			s.overloaded(sock.config.Load(), conn, limit)
			continue
		}
		s.handling.Add(1)
		go s.handle(sock.config.Load(), conn)
	}
}

// overloaded refuses a connection beyond the bound. Once a second it says so aloud and gives a record, which stands for
// those that were refused since: who floods the proxy must not flood its records, too.
func (s *Server) overloaded(l *Listener, conn net.Conn, limit int64) {
	client, server := addrPort(conn.RemoteAddr()), addrPort(conn.LocalAddr())
	refused := s.refused.Add(1)
	conn.Close()
	now := time.Now()
	last := s.loud.Load()
	if now.Unix() == last || !s.loud.CompareAndSwap(last, now.Unix()) {
		return
	}
	s.Log.Error("the bound on connections is reached; further ones are refused", zap.Int64("limits.connections", limit), zap.Uint64("refused", refused))
	record := s.newRecord(l, now, client, server)
	record.Event.Outcome = inspect.Failure
	record.ClientLeg = &inspect.Leg{Error: &inspect.Error{
		Type:    inspect.ErrorOverloaded,
		Message: fmt.Sprintf("the bound of %d open connections is reached; %d were refused so far, at most one a second has a record", limit, refused),
	}}
	s.hand(ended{record: record})
}

// handle runs a connection. done is called when it ends, be it on another goroutine.
func (s *Server) handle(l *Listener, conn net.Conn) {
	now := time.Now()
	c := &connection{
		server:         s,
		listener:       l,
		limits:         s.limits(),
		conn:           conn,
		started:        now,
		record:         s.newRecord(l, now, addrPort(conn.RemoteAddr()), addrPort(conn.LocalAddr())),
		clientObserver: newObserver(&s.describer),
	}
	c.client = &tap{Conn: conn, observer: c.clientObserver, peer: inspect.FromClient, self: inspect.FromServer, connection: c}
	if s.OnTranscript != nil {
		c.kept = newTranscript(s.KeyLog)
		c.client.kept = c.kept
	}
	s.mu.Lock()
	s.open[c] = struct{}{}
	if s.cutting {
		c.abort() // the drain time ended before this connection was known
	}
	s.mu.Unlock()
	c.run(s.ctx)
}

func (s *Server) newRecord(l *Listener, now time.Time, client, server netip.AddrPort) *inspect.Connection {
	name := ""
	if l != nil {
		if name = l.Name; name == "" {
			name = l.Address
		}
	}
	return &inspect.Connection{
		Schema:    inspect.SchemaVersion,
		Timestamp: now.UTC(),
		Event:     inspect.Event{ID: inspect.NewID(now, s.count.Add(1), s.salt), Source: inspect.SourceProxy},
		Transport: inspect.TransportTCP,
		Listener:  name,
		Client:    inspect.EndpointOf(client),
		Server:    inspect.EndpointOf(server),
	}
}

// hand hands over a record. It never blocks: a full queue drops the record and counts it.
func (s *Server) hand(e ended) {
	select {
	case s.queue <- e:
	default:
		s.dropped.Add(1)
	}
	if len(s.queue) > cap(s.queue)/2 {
		select {
		case s.pressed <- struct{}{}:
		default:
		}
	}
}

// done hands over the record of a connection that has ended.
func (s *Server) done(c *connection) {
	e := ended{record: c.record, transcript: c.transcript()}
	if c.backend != nil {
		e.backend = c.backend.backend
	}
	s.hand(e)
	s.mu.Lock()
	delete(s.open, c)
	s.mu.Unlock()
	s.active.Add(-1)
	s.handling.Done()
}

// How long records may wait for others, so that a busy proxy judges them in one go rather than waking up for each: what runs
// again at once finds its code and data in the processor's caches. The first one after a pause does not wait.
const gathering = 20 * time.Millisecond

func (s *Server) deliver() {
	defer close(s.emptied)
	for e := range s.queue {
		s.lookAgain(e)
		if s.OnConnection != nil {
			s.OnConnection(e.record)
		}
		if e.transcript != nil {
			s.OnTranscript(e.record, e.transcript)
		}
		if len(s.queue) > 0 {
			continue
		}
		select {
		case <-time.After(gathering):
		case <-s.pressed:
		case <-s.ctx.Done():
		}
	}
}

// Shutdown stops accepting, lets the open connections end by themselves until ctx is done, cuts what is left then, and
// returns when every record was handed over. Its error is ctx's when connections had to be cut.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	again := s.stopping
	s.stopping = true
	for _, sock := range s.sockets {
		sock.Close()
	}
	emptied := s.emptied
	s.mu.Unlock()
	if emptied == nil {
		return nil // never started
	}
	if again {
		<-emptied
		return nil
	}
	s.accepting.Wait()
	s.draining.Store(true)
	s.drainHTTP(ctx)

	ended := make(chan struct{})
	go func() {
		s.handling.Wait()
		close(ended)
	}()
	var err error
	select {
	case <-ended:
	case <-ctx.Done():
		err = ctx.Err()
		s.mu.Lock()
		s.cutting = true
		open := slices.Collect(maps.Keys(s.open))
		s.mu.Unlock()
		for _, c := range open { // without the lock: what ends a connection over QUIC has one of its own, under which connections begin
			c.abort()
		}
		s.cancel() // after it: who ends for this is known to have been cut
		<-ended
	}
	s.cancel()
	close(s.queue)
	<-emptied
	s.asked.end()
	s.looker.running.Wait()
	return err
}
