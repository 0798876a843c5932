package h3

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"go.uber.org/zap"

	"github.com/tlstriage/tlstriage/proxy"
)

// Limits bound what strangers can make the UDP side hold. A zero field means its default.
type Limits struct {
	Hellos         int // that are not whole yet, or were just handed on, for each listener; the oldest makes room. Default 4,096
	OpenHandshakes int // of clients whose address nobody has checked, before a Retry is asked of further ones; default 256
	Timeouts       proxy.Timeouts
	HeaderBytes    int // of a request; default 64 KiB
}

func (l Limits) withDefaults() Limits {
	set := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	setTime := func(field *time.Duration, value time.Duration) {
		if *field == 0 {
			*field = value
		}
	}
	set(&l.Hellos, 4096)
	set(&l.OpenHandshakes, 256)
	set(&l.HeaderBytes, 64<<10)
	setTime(&l.Timeouts.ClientHello, 10*time.Second)
	setTime(&l.Timeouts.Dial, 5*time.Second)
	setTime(&l.Timeouts.BackendHandshake, 10*time.Second)
	setTime(&l.Timeouts.ClientHandshake, 10*time.Second)
	setTime(&l.Timeouts.Idle, 10*time.Minute)
	setTime(&l.Timeouts.Response, time.Minute)
	return l
}

// Server serves QUIC on the listeners of a proxy.Server that ask for it. Its zero value with Proxy set is ready for Start.
type Server struct {
	Proxy  *proxy.Server // started before, and shut down beside
	Log    *zap.Logger   // nil: silent
	Limits Limits

	limits Limits
	http   *http3.Server
	counts counters

	tokens  *tokens
	inPlace *http.Server // for handlers that ask for a server of that kind; it serves nothing

	mu       sync.Mutex
	sockets  map[string]*socket // by address, as configured
	retired  map[*socket]struct{}
	stopping bool

	handshakes atomic.Int64 // of addresses that nobody has checked
}

// Start opens a UDP socket for each listener that asks for QUIC. When one cannot be opened, none is.
func (s *Server) Start(listeners []*proxy.Listener) error {
	if s.Log == nil {
		s.Log = zap.NewNop()
	}
	s.limits = s.Limits.withDefaults()
	s.sockets = make(map[string]*socket)
	s.retired = make(map[*socket]struct{})
	s.tokens = newTokens()
	s.inPlace = new(http.Server)
	s.http = &http3.Server{
		Handler:        handler{},
		MaxHeaderBytes: s.limits.HeaderBytes,
	}
	change, err := s.Prepare(listeners)
	if err != nil {
		return err
	}
	change.Commit()
	return nil
}

// Change is a set of listeners whose sockets are open, and that is not in force yet.
type Change struct {
	server *Server
	wanted map[string]*proxy.Listener
	opened map[string]*socket
}

// Prepare opens what new listeners need. When one cannot be opened, everything stays as it was.
func (s *Server) Prepare(listeners []*proxy.Listener) (*Change, error) {
	change := &Change{server: s, wanted: make(map[string]*proxy.Listener), opened: make(map[string]*socket)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil, errors.New("h3: the server is stopping")
	}
	for _, l := range listeners {
		if l.QUIC == "" {
			continue
		}
		key := keyOf(l)
		if change.wanted[key] != nil {
			change.Abort()
			return nil, fmt.Errorf("h3: two listeners on udp %s", l.QUIC)
		}
		change.wanted[key] = l
		if s.sockets[key] != nil {
			continue // whatever changes: its connections go on as they began
		}
		address := l.QUIC
		if host, port, err := net.SplitHostPort(address); err == nil && port == "0" {
			if tcp, ok := s.Proxy.Addr(l).(*net.TCPAddr); ok { // any free port: that of TCP, so that Alt-Svc can be short
				address = net.JoinHostPort(host, strconv.Itoa(tcp.Port))
			}
		}
		sock, err := s.open(address, l)
		if err != nil && address != l.QUIC {
			sock, err = s.open(l.QUIC, l) // somebody else has that port of UDP
		}
		if err != nil {
			change.Abort()
			return nil, fmt.Errorf("h3: %w", err)
		}
		change.opened[key] = sock
	}
	return change, nil
}

// keyOf tells a listener's socket from others, over a reload too.
func keyOf(l *proxy.Listener) string {
	if _, port, err := net.SplitHostPort(l.QUIC); err == nil && port == "0" {
		return l.Name + " " + l.QUIC
	}
	return l.QUIC
}

// Abort closes what was opened.
func (c *Change) Abort() {
	for _, sock := range c.opened {
		sock.close()
	}
}

// Commit puts the listeners in force. Connections that are open go on as they began; sockets that nobody asks for any more are
// closed when the last of their connections has ended.
func (c *Change) Commit() {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, sock := range s.sockets {
		if c.opened[key] != nil || c.wanted[key] == nil {
			delete(s.sockets, key)
			s.retire(sock)
		} else {
			sock.config.Store(c.wanted[key])
		}
	}
	for key, sock := range c.opened {
		s.sockets[key] = sock
		sock.run()
	}
}

// retire takes no more connections on a socket. s.mu is held.
func (s *Server) retire(sock *socket) {
	s.retired[sock] = struct{}{}
	sock.stop()
	go func() {
		select {
		case <-sock.idle:
			sock.close()
		case <-sock.done: // by Shutdown
		}
		s.mu.Lock()
		delete(s.retired, sock)
		s.mu.Unlock()
	}()
}

// Addr is the UDP address of a listener; nil when it is not in force or has none.
func (s *Server) Addr(l *proxy.Listener) net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sock := s.sockets[keyOf(l)]; sock != nil {
		return sock.udp.LocalAddr()
	}
	return nil
}

// Came is how many datagrams with a long header came to a listener since its socket was opened: some, if UDP reaches it at all.
func (s *Server) Came(l *proxy.Listener) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sock := s.sockets[keyOf(l)]; sock != nil {
		return sock.came.Load()
	}
	return 0
}

// AltSvc is what answers over TCP say of the listener's HTTP/3 (RFC 7838); empty: it has none.
func (s *Server) AltSvc(l *proxy.Listener, lasts time.Duration) string {
	if a, ok := s.Addr(l).(*net.UDPAddr); ok {
		return fmt.Sprintf(`h3=":%d"; ma=%d`, a.Port, int(lasts.Seconds()))
	}
	return ""
}

// Shutdown takes no more connections, tells clients to go, and closes connections without requests. It returns when all have ended, or
// ctx is done, after which those that are left are cut by the proxy.Server's Shutdown, which is to run at the same time.
func (s *Server) Shutdown(ctx context.Context) {
	s.mu.Lock()
	if s.stopping || s.sockets == nil {
		s.mu.Unlock()
		return
	}
	s.stopping = true
	for key, sock := range s.sockets {
		delete(s.sockets, key)
		s.retire(sock)
	}
	var left []*socket
	for sock := range s.retired {
		left = append(left, sock)
	}
	s.mu.Unlock()
	farewell, cut := context.WithCancel(context.WithoutCancel(ctx))
	told := make(chan struct{})
	go func() {
		defer close(told)
		_ = s.http.Shutdown(farewell) // GOAWAY; at its end it would close connections in order, of which nobody could tell that they were cut
	}()
	var waiting sync.WaitGroup
	for _, sock := range left {
		waiting.Go(func() { sock.drain(ctx) })
	}
	waiting.Wait()
	for _, sock := range left {
		sock.close()
	}
	cut()
	<-told
}

// How much longer than package proxy quic-go waits, for which a connection with a request is not idle.
const idleMargin = 5 * time.Second

// quicConfig is how quic-go treats clients.
func (s *Server) quicConfig() *quic.Config {
	t := s.limits.Timeouts
	return &quic.Config{
		// The backend leg is opened within the client's handshake. Twice this time bounds the whole of it.
		HandshakeIdleTimeout:  max((t.Dial+t.BackendHandshake+t.ClientHandshake)/2, time.Second),
		MaxIdleTimeout:        max(t.Idle, t.Response) + idleMargin, // who has no request is ended by package proxy before
		MaxIncomingStreams:    256,
		MaxIncomingUniStreams: 16,
		Tracer:                traceFlow,
	}
}
