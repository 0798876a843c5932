package h3

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/ipv4"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
	"github.com/tlstriage/tlstriage/proxy"
)

// Dial is a proxy.HTTP3Dialer. Each connection has a UDP socket of its own, which is connected: so the system tells when nothing
// listens there.
func Dial(ctx context.Context, to proxy.HTTP3Dial) (*proxy.HTTP3Conn, error) {
	remote, err := resolve(ctx, to)
	if err != nil {
		return nil, err
	}
	udp, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(remote))
	if err != nil {
		return nil, err
	}
	to.Kept.Between(udp.LocalAddr(), udp.RemoteAddr())
	sight := &sight{observe: to.Observe, kept: to.Kept}
	transport := &quic.Transport{Conn: &backendSocket{UDPConn: udp, batch: ipv4.NewPacketConn(udp), sight: sight}, ConnectionIDLength: ownIDSize}
	end := func() {
		_ = transport.Close()
		_ = udp.Close()
	}
	handshake, cancel := context.WithTimeout(ctx, to.Handshake)
	defer cancel()
	config := &quic.Config{
		HandshakeIdleTimeout: to.Handshake, MaxIdleTimeout: to.Idle, KeepAlivePeriod: 0,
		Versions: []quic.Version{quic.Version1}, MaxIncomingStreams: -1,
	}
	conn, err := transport.Dial(handshake, net.UDPAddrFromAddrPort(remote), to.TLS, config)
	if err != nil {
		facts := sight.close()
		end()
		e := &proxy.QUICError{QUICEnd: backendEnd(err)}
		if handshake.Err() != nil && ctx.Err() == nil && !e.Alerts && e.TLS == nil {
			e.Type = inspect.ErrorTimeout
		}
		if versions := facts.ServerVersions; len(versions) > 0 {
			e.Type = inspect.ErrorNoCommonVersion
		}
		return nil, e
	}
	client := (&http3.Transport{DisableCompression: true, MaxResponseHeaderBytes: to.MaxHeader}).NewClientConn(conn)
	done, cancelDone := context.WithCancelCause(context.Background())
	context.AfterFunc(conn.Context(), func() {
		cancelDone(&proxy.QUICError{QUICEnd: backendEnd(context.Cause(conn.Context()))})
		end()
	})
	return &proxy.HTTP3Conn{
		RoundTripper: client,
		State:        conn.ConnectionState().TLS,
		Remote:       net.UDPAddrFromAddrPort(remote),
		Facts:        sight.close(),
		Done:         done,
		Close:        func() { _ = conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "") },
	}, nil
}

// resolve finds the backend's address.
func resolve(ctx context.Context, to proxy.HTTP3Dial) (netip.AddrPort, error) {
	ctx, cancel := context.WithTimeout(ctx, to.Dial)
	defer cancel()
	host, port, err := net.SplitHostPort(to.Address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	number, err := net.DefaultResolver.LookupPort(ctx, "udp", port)
	if err != nil {
		return netip.AddrPort{}, err
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(addresses[0].Unmap(), uint16(number)), nil
}

// backendEnd reads an end from quic-go's error, on a leg where the peer is the server.
func backendEnd(err error) proxy.QUICEnd {
	e := endOf(err).QUICEnd
	var version *quic.VersionNegotiationError
	switch {
	case errors.As(err, &version):
		e.Type = inspect.ErrorNoCommonVersion
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Type = inspect.ErrorRefused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		e.Type = inspect.ErrorUnreachable
	case errors.Is(err, context.DeadlineExceeded):
		e.Type = inspect.ErrorTimeout
	}
	return e
}

// sight reads the handshake of a connection to a backend in the clear.
type sight struct {
	mu      sync.Mutex
	flow    quicwire.Flow
	observe func(inspect.Side, []byte)
	over    bool
	kept    *proxy.Datagrams // nil: nobody wants them
}

func (s *sight) see(from quicwire.Side, b []byte) {
	if s.kept != nil {
		side := inspect.FromClient
		if from == quicwire.FromServer {
			side = inspect.FromServer
		}
		s.kept.Add(side, b, time.Now())
	}
	if len(b) < 7 || b[0]&0x80 == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	_ = s.flow.Datagram(from, b)
	var m quicwire.Message
	for s.flow.Next(&m) {
		side := inspect.FromClient
		if m.From == quicwire.FromServer {
			side = inspect.FromServer
		}
		if m.Level == quicwire.LevelInitial && s.observe != nil {
			s.observe(side, m.Bytes)
		}
	}
}

// close ends the reading and gives what was seen.
func (s *sight) close() *inspect.QUIC {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	facts := &inspect.QUIC{Version: s.flow.Version().String(), Datagrams: s.flow.Stats(quicwire.FromClient).Initial}
	if s.flow.Retry() != nil {
		facts.Retries = 1
	}
	for _, v := range s.flow.VersionNegotiation() {
		if !v.Reserved() {
			facts.ServerVersions = append(facts.ServerVersions, v.String())
		}
	}
	s.flow = quicwire.Flow{}
	return facts
}

// backendSocket is a connected UDP socket as quic-go reads and writes it.
type backendSocket struct {
	*net.UDPConn
	batch *ipv4.PacketConn
	sight *sight
}

// ReadBatch reads datagrams, and looks at those that may show something.
func (b *backendSocket) ReadBatch(ms []ipv4.Message, flags int) (int, error) {
	n, err := b.batch.ReadBatch(ms, flags)
	for i := range max(n, 0) {
		b.sight.see(quicwire.FromServer, ms[i].Buffers[0][:ms[i].N])
		if ms[i].Addr == nil {
			ms[i].Addr = b.RemoteAddr()
		}
	}
	return n, err
}

// ReadFrom reads where the system has no batches.
func (b *backendSocket) ReadFrom(p []byte) (int, net.Addr, error) {
	n, err := b.UDPConn.Read(p)
	if err == nil {
		b.sight.see(quicwire.FromServer, p[:n])
	}
	return n, b.RemoteAddr(), err
}

// WriteTo writes to the one that the socket is connected to.
func (b *backendSocket) WriteTo(p []byte, _ net.Addr) (int, error) {
	b.sight.see(quicwire.FromClient, p)
	return b.UDPConn.Write(p)
}

// WriteMsgUDP writes to the one that the socket is connected to.
func (b *backendSocket) WriteMsgUDP(p, oob []byte, _ *net.UDPAddr) (int, int, error) {
	b.sight.see(quicwire.FromClient, p)
	return b.UDPConn.WriteMsgUDP(p, oob, nil)
}
