package h3

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/net/ipv4"

	"github.com/tlstriage/tlstriage/proxy"
)

// socket is one UDP address with all that comes there.
type socket struct {
	server *Server
	udp    *net.UDPConn
	batch  *ipv4.PacketConn
	config atomic.Pointer[proxy.Listener]

	transport *quic.Transport
	listener  *quic.EarlyListener
	links     atomic.Int64 // connections that quic-go has
	hellos    *hellos
	relays    *relays
	unchecked unchecked
	keeping   keeping
	came      atomic.Uint64
	done      chan struct{} // closed by close
	running   sync.WaitGroup

	mu      sync.Mutex
	conns   map[*link]struct{}  // established
	leaving map[*link]time.Time // of these, those that are to go; since when they have no requests
	stopped bool
	idle    chan struct{} // closed when it is stopped and the last connection has ended
	isIdle  bool
	closing sync.Once
}

// ownIDSize is the length of the connection ids that quic-go gives out here. What a client makes up for its first Initial has
// eight bytes at least (RFC 9000, Section 7.2), so that the two are told apart.
const ownIDSize = 7

func (s *Server) open(address string, l *proxy.Listener) (*socket, error) {
	udpAddr, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, err
	}
	udp, err := net.ListenUDP("udp", udpAddr)
	if err != nil {
		return nil, err
	}
	sock := &socket{
		server: s, udp: udp, batch: ipv4.NewPacketConn(udp),
		conns: make(map[*link]struct{}), leaving: make(map[*link]time.Time), done: make(chan struct{}), idle: make(chan struct{}),
	}
	sock.config.Store(l)
	sock.hellos = newHellos(sock, s.limits.Hellos)
	sock.relays = newRelays(sock)
	sock.transport = &quic.Transport{
		Conn:                &tap{UDPConn: udp, socket: sock},
		ConnectionIDLength:  ownIDSize,
		ConnContext:         sock.newLink,
		VerifySourceAddress: sock.demands,
		TokenGeneratorKey:   &s.tokens.key,
	}
	config := &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{"h3"},
		GetConfigForClient: configFor,
		GetCertificate:     func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errNotTapped },
	}
	if sock.listener, err = sock.transport.ListenEarly(config, s.quicConfig()); err != nil {
		udp.Close()
		return nil, err
	}
	return sock, nil
}

// passes reports whether everything that begins is passed through. A reload may change it.
func (s *socket) passes() bool { return s.config.Load().Mode == proxy.Passthrough }

// terminates reports whether datagrams may be for quic-go: where everything is passed through, for connections from before that was so.
func (s *socket) terminates() bool { return !s.passes() || s.links.Load() > 0 }

// run begins to serve.
func (s *socket) run() {
	s.server.checkBuffer(s.udp)
	s.running.Go(s.tick)
	// One that waits for its turn of the processor must not keep the others' connections waiting: quic-go refuses the 33rd.
	for range runtime.GOMAXPROCS(0) + 1 {
		s.running.Go(s.accept)
	}
}

// tick lets time pass for what waits.
func (s *socket) tick() {
	every := time.NewTicker(250 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case now := <-every.C:
			s.hellos.expire(now)
			s.relays.expire(now)
			s.part(now)
			s.settle()
		case <-s.done:
			return
		}
	}
}

// stop takes no more connections.
func (s *socket) stop() {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	go s.listener.Close() // it waits for handshakes
	s.settle()
}

func (s *socket) isStopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// settle notices that a socket that is stopped has nothing left to do.
func (s *socket) settle() {
	if !s.isStopped() || s.hellos.open() > 0 { // whoever holds its lock asks whether the socket is stopped: mu may not be held here
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped && !s.isIdle && len(s.conns) == 0 && s.relays.count() == 0 {
		s.isIdle = true
		close(s.idle)
	}
}

// close ends everything.
func (s *socket) close() {
	s.closing.Do(func() {
		close(s.done)
		s.relays.close()
		s.transport.Close()
		s.udp.Close()
		s.running.Wait()
	})
}

// How long a connection without requests is left open after it was told to go: what was sent last may still be on its way.
const goingAway = time.Second

// drain closes connections that have no requests any more, until none is left or ctx is done.
func (s *socket) drain(ctx context.Context) {
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case <-s.idle:
			return
		case <-ctx.Done():
			// What is left is cut by the proxy's own end; its records say so.
			s.relays.close()
			<-s.gone()
			return
		case now := <-every.C:
			for _, l := range s.established() {
				s.dismiss(l)
			}
			s.part(now)
		}
	}
}

// gone is closed when the last connection has ended, or after a moment in which they should have.
func (s *socket) gone() <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-s.idle:
		case <-time.After(goingAway):
		}
	}()
	return gone
}

func (s *socket) established() []*link {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*link, 0, len(s.conns))
	for l := range s.conns {
		all = append(all, l)
	}
	return all
}

// send sends a datagram from the address that one came to (oob, as it came).
func (s *socket) send(b []byte, to netip.AddrPort, oob []byte) error {
	_, _, err := s.udp.WriteMsgUDPAddrPort(b, replyFrom(oob), to)
	return err
}

var errNotTapped = errors.New("h3: a handshake whose hello was not read before")
