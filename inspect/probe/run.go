package probe

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/starttls"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Exchange sends a hello to a target and reads what comes back, as far as the options say. It always gives an Exchange, whose
// Error says what kept it from its goal. The hello is sent as it stands: Fresh makes one that may be sent once. Cancelling ctx
// ends the exchange. It starts no goroutine that outlives it.
func (c *Client) Exchange(ctx context.Context, target Target, hello *Hello, options Options) *Exchange {
	x := &Exchange{Began: time.Now(), Hello: hello}
	r := &run{client: c, ctx: ctx, target: &target, options: options, x: x, limits: c.timeouts(), most: orDefault(c.MaxBytes, defaultMaxBytes)}
	r.handshake.x, r.handshake.shallow = x, options.Until == UntilHello
	r.observer = inspect.NewObserver(c.Describer)
	if target.QUIC {
		r.observer.SetTransport(inspect.TransportQUIC)
		r.quic()
	} else {
		r.tcp()
	}
	x.Took, x.Replied = time.Since(x.Began), r.second
	r.conclude()
	x.Sessions = r.sessions()
	x.Connection = r.record()
	return x
}

// run is one exchange in the making.
type run struct {
	client  *Client
	ctx     context.Context
	target  *Target
	options Options
	x       *Exchange
	limits  Timeouts
	most    int // bytes that are read at most

	conn      net.Conn
	local     netip.AddrPort
	observer  *inspect.Observer
	handshake handshake
	records   recordLayer
	left      time.Duration // of the limit that deadline set
	room      []byte        // that is read into
	phase     inspect.Phase
	helloSent time.Time
	early     int   // tickets that came before our second flight
	second    bool  // our second flight was sent: what follows is about that
	ended     bool  // the server's last word was read: a fatal alert, an end, or what cannot be read on
	clean     bool  // our side was closed in an orderly way
	lost      error // a reset that a write was told of: reads are told of an end only
}

// tcp makes an exchange over TCP.
func (r *run) tcp() {
	r.phase = inspect.PhaseDial
	if !r.dial("tcp") {
		return
	}
	defer r.close()
	stop := context.AfterFunc(r.ctx, func() { _ = r.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if r.phase = inspect.PhaseProxyProtocol; !r.preface() {
		return
	}
	r.phase = inspect.PhaseHandshake
	r.deadline(r.limits.Answer)
	if !r.sendHello(r.x.Hello) {
		return
	}
	if !r.await(r.answered) || r.options.Until == UntilHello {
		return
	}
	if !r.await(r.flightRead) || r.options.Until == UntilFlight {
		return
	}
	r.finish()
}

// dial connects, and notes the address.
func (r *run) dial(network string) bool {
	ctx, cancel := context.WithTimeout(r.ctx, r.limits.Dial)
	defer cancel()
	dial := r.client.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	conn, err := dial(ctx, network, r.target.Address)
	r.x.Dialled = time.Since(r.x.Began)
	if err != nil {
		r.fail(err)
		var dns *net.DNSError
		if errors.As(err, &dns) {
			r.x.Error.Phase = inspect.PhaseResolve
		}
		return false
	}
	r.conn = conn
	r.x.Address, r.local = addressOf(conn.RemoteAddr()), addressOf(conn.LocalAddr())
	return true
}

func addressOf(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.TCPAddr:
		return unmapped(a.AddrPort())
	case *net.UDPAddr:
		return unmapped(a.AddrPort())
	}
	return netip.AddrPort{}
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// close ends the connection. One that was not ended in an orderly way is reset, so that many of them do not use up the ports
// of this host as connections that wait to be forgotten.
func (r *run) close() {
	if tcp, ok := r.conn.(*net.TCPConn); ok && !r.clean && !r.ended {
		_ = tcp.SetLinger(0)
	}
	_ = r.conn.Close()
}

// deadline gives the next steps so much time. The context may give less.
func (r *run) deadline(d time.Duration) { r.left = d }

// preface says what has to be said before TLS.
func (r *run) preface() bool {
	if r.target.Proxy == nil && r.target.StartTLS == "" {
		return true
	}
	r.deadline(r.limits.Preface)
	if r.target.Proxy != nil {
		if _, err := r.lived().Write(r.target.Proxy.bytes(r.local, r.x.Address)); err != nil {
			r.fail(err)
			return false
		}
	}
	if r.target.StartTLS != "" {
		if _, err := starttls.Ask(r.target.StartTLS, r.target.host(), r.lived()); err != nil {
			r.fail(err)
			return false
		}
	}
	return true
}

// sendHello sends a hello as its layout says.
func (r *run) sendHello(hello *Hello) bool {
	message, err := hello.Message()
	if err != nil {
		r.fail(err)
		return false
	}
	flight, err := hello.Flight()
	if err != nil {
		r.fail(err)
		return false
	}
	r.handshake.sent(hello, message)
	r.helloSent = time.Now()
	for i, segment := range flight {
		if i > 0 && hello.Layout.Pause > 0 && !r.pause(hello.Layout.Pause) {
			return false
		}
		if !r.send(segment) {
			break // the server may have said why before it closed
		}
	}
	return true
}

// pause waits between segments.
func (r *run) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.ctx.Done():
		r.fail(r.ctx.Err())
		return false
	}
}

// send writes bytes of ours. That it fails is not the end: what the server said before can still be read.
func (r *run) send(b []byte) bool {
	n, err := r.lived().Write(b)
	r.x.Sent += n
	r.observer.Feed(inspect.FromClient, b[:n], time.Now())
	if errors.Is(err, syscall.ECONNRESET) {
		r.lost = err
	}
	return err == nil
}

// answered reports that the hello was answered by what it is judged by: a ServerHello, or a HelloRetryRequest that is not
// followed.
func (r *run) answered() bool {
	x := r.x
	if x.ServerHello != nil || x.SSLv2ServerHello != nil {
		return true
	}
	if x.RetryRequest == nil {
		return false
	}
	if r.options.NoRetry {
		return true
	}
	if x.Second == nil && x.Error == nil {
		r.retry()
	}
	return x.Error != nil
}

// retry follows a HelloRetryRequest.
func (r *run) retry() {
	second, err := r.x.Hello.Retry(r.x.RetryRequest)
	if err != nil {
		r.x.Error = &inspect.Error{Type: inspect.ErrorUnsupported, Message: err.Error(), Phase: r.phase}
		return
	}
	second.Layout = Layout{}
	r.x.Second = second
	if len(second.SessionID) > 0 { // RFC 8446, Appendix D.4
		r.send([]byte{byte(wire.ContentTypeChangeCipherSpec), 3, 3, 0, 1, 1})
	}
	if message, err := second.Message(); err == nil {
		r.handshake.sent(second, message)
		r.send(second.Layout.records(wire.VersionTLS12, message))
	}
}

// flightRead reports that the server's first flight was read to its end, or that nothing more of it can be.
func (r *run) flightRead() bool {
	h := &r.handshake
	return h.done || r.x.SSLv2ServerHello != nil || r.x.Unreadable || r.x.Error != nil || r.x.RetryRequest != nil && r.x.ServerHello == nil
}

// await reads until done, and reports whether that came to be. The deadline was set before.
func (r *run) await(done func() bool) bool {
	if r.room == nil {
		r.room = make([]byte, 16<<10)
	}
	room := r.room
	for !done() {
		if r.ended || r.x.Alert != nil {
			return false
		}
		if r.x.Received >= r.most {
			r.x.Endless = true
			r.x.Error = &inspect.Error{Type: inspect.ErrorOther, Message: "the server sent more than is read", Phase: r.phase}
			return false
		}
		n, err := r.lived().Read(room)
		if n > 0 {
			r.received(room[:n])
		}
		if err != nil {
			if n > 0 && done() {
				return r.x.Alert == nil
			}
			r.ended = true
			if r.x.Alert == nil && !(r.x.Finished && errors.Is(err, io.EOF)) {
				if errors.Is(err, io.EOF) && r.lost != nil {
					err = r.lost
				}
				r.fail(err)
			}
			return false
		}
	}
	return r.x.Error == nil && r.x.Alert == nil
}

// received takes bytes of the server.
func (r *run) received(b []byte) {
	now := time.Now()
	if r.x.Received == 0 {
		r.x.FirstByte = now.Sub(r.helloSent)
		if r.limits.Rest > 0 {
			r.deadline(r.limits.Rest)
		}
	}
	r.x.Received += len(b)
	r.observer.Feed(inspect.FromServer, b, now)
	if r.x.Plain != nil || r.observer.NotTLS(inspect.FromServer) && r.x.SSLv2ServerHello == nil {
		r.plain()
		return
	}
	r.records.feed(b, r.takeRecord)
}

// plain waits for enough of what is no TLS to name it.
func (r *run) plain() {
	if first := r.observer.FirstBytes(inspect.FromServer); first != nil {
		r.x.Plain, r.ended = first, true
		r.x.Error = &inspect.Error{Type: inspect.ErrorNotTLS, Message: first.Summary, Phase: r.phase}
		return
	}
	r.deadline(r.limits.Idle)
}

// fail notes why the exchange ended. The first reason stands.
func (r *run) fail(err error) {
	if r.x.Error != nil {
		return
	}
	if r.observer.NotTLS(inspect.FromServer) && r.x.Received > 0 {
		r.observer.EndOfStream(inspect.FromServer)
		if first := r.observer.FirstBytes(inspect.FromServer); first != nil {
			r.x.Plain = first
			r.x.Error = &inspect.Error{Type: inspect.ErrorNotTLS, Message: first.Summary, Phase: r.phase}
			return
		}
	}
	t := r.errorType(err)
	r.x.Error = &inspect.Error{Type: t, Message: inspect.Bounded(err.Error()), Phase: r.phase}
}

func (r *run) errorType(err error) inspect.ErrorType {
	var dns *net.DNSError
	var refusedStartTLS *StartTLSError
	switch {
	case errors.As(err, &refusedStartTLS):
		return inspect.ErrorNotTLS
	case errors.Is(r.ctx.Err(), context.Canceled), errors.Is(err, context.Canceled):
		return inspect.ErrorShutdown
	case errors.As(err, &dns) && !dns.IsTimeout:
		return inspect.ErrorUnresolvable
	case timedOut(err):
		return inspect.ErrorTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return inspect.ErrorRefused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return inspect.ErrorReset
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTDOWN):
		return inspect.ErrorUnreachable
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return inspect.ErrorClosed
	}
	return inspect.ErrorOther
}

// conclude gives the outcome its name.
func (r *run) conclude() {
	x := r.x
	if n := len(x.Alerts); n > 0 && x.Alert == nil && x.ServerHello == nil && x.RetryRequest == nil && x.Error != nil && (x.Error.Type == inspect.ErrorClosed || x.Error.Type == inspect.ErrorReset) &&
		x.Alerts[n-1].Description != wire.AlertCloseNotify {
		x.Alert = &x.Alerts[n-1] // a warning, and then the end: that is why
	}
	switch {
	case x.ServerHello != nil || x.SSLv2ServerHello != nil:
		x.Outcome = OutcomeServerHello
	case x.Alert != nil:
		x.Outcome = OutcomeAlert
	case x.RetryRequest != nil && (x.Error == nil || x.Error.Type == inspect.ErrorUnsupported):
		x.Outcome = OutcomeRetryRequest
	case x.Error == nil:
		x.Outcome = OutcomeClosed
	case r.phase == inspect.PhaseDial:
		x.Outcome = OutcomeNotConnected
	case x.Error.Type == inspect.ErrorNotTLS, x.Endless, x.Error.Type == inspect.ErrorOther && x.Received > 0:
		x.Outcome = OutcomeNotTLS
	case x.Error.Type == inspect.ErrorReset:
		x.Outcome = OutcomeReset
	case x.Error.Type == inspect.ErrorTimeout, x.Error.Type == inspect.ErrorShutdown:
		x.Outcome = OutcomeTimeout
	case x.Error.Type == inspect.ErrorRefused, x.Error.Type == inspect.ErrorUnreachable:
		x.Outcome = OutcomeNotConnected
	default:
		x.Outcome = OutcomeClosed
	}
	if x.Alert != nil && x.Error == nil {
		x.Error = &inspect.Error{Type: inspect.ErrorAlertReceived, Message: x.Alert.Description.String(), Phase: inspect.PhaseHandshake}
	}
}
