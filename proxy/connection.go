package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// connection is one accepted connection on its way through the proxy.
type connection struct {
	server   *Server
	listener *Listener
	quic     *QUIC // nil: TCP
	limits   Limits
	conn     net.Conn
	started  time.Time
	record   *inspect.Connection

	source, destination net.Addr // the client, and what it connected to, as far as a PROXY header tells

	original string            // address that the client wanted to connect to, where it was redirected here; else empty
	asked    *inspect.StartTLS // how the client asked for TLS; nil: it speaks it at once
	awaited  time.Time         // since when its hello is
	came     *way              // from this program itself; nil: from elsewhere
	early    *backendLeg       // opened before the client's hello, and not used yet

	client         *tap
	kept           *transcript // of the client leg; nil: nobody wants it
	clientObserver *inspect.Observer
	clientTLS      *tls.Conn
	clientState    *tls.ConnectionState
	clientErr      *inspect.Error
	refusal        error // why crypto/tls ended the client's handshake
	clientAlerts   []inspect.Alert
	clientFacts    *inspect.TCP
	clientTook     time.Duration
	served         *tls.Certificate
	passthrough    bool

	how     opening           // of the backend leg
	hello   *wire.ClientHello // views into the peeked bytes; gone after the handshake
	route   *Route
	action  Action
	variant *tls.Config
	backend *backendLeg

	running        atomic.Int32 // directions that still copy
	lastActive     atomic.Int64 // in ticks, of any byte in either direction
	askedInHTTP    atomic.Bool  // the client's first bytes are an HTTP/1 request
	askedForHeader atomic.Bool  // and that is for no more than a header
	idled          atomic.Bool  // ended by its timer
	expired        atomic.Bool  // and that for its age
	firstEnd       atomic.Int32 // who ended it: endOfClient, endOfBackend; 0: nobody yet
	clientEnd      inspect.PeerEnd
	silent         bool // no data came from either side

	mu      sync.Mutex
	idle    *time.Timer
	over    bool     // both directions have ended
	cut     bool     // by our own shutdown
	dialled net.Conn // to the backend, once it is the connection's to close
}

// abort cuts the connection, in whatever phase it is; used when the drain time is over.
func (c *connection) abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
	c.conn.Close()
	if c.dialled != nil {
		c.dialled.Close()
	}
}

// adopt lets abort close the backend's side, too.
func (c *connection) adopt(backend net.Conn) {
	c.server.outgoing.add(backend, c.route, c.came)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dialled != nil {
		c.server.outgoing.forget(c.dialled)
	}
	c.dialled = backend
	if c.cut {
		backend.Close()
	}
}

// wasCut reports whether our own shutdown ended the connection.
func (c *connection) wasCut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cut
}

// run takes the connection through the phases until bytes are copied, or to its end.
func (c *connection) run(ctx context.Context) {
	c.source, c.destination = c.conn.RemoteAddr(), c.conn.LocalAddr()
	if c.listener.OriginalDst != "" {
		if err := c.findOriginal(); err != nil {
			c.clientErr = err
			c.failClient()
			return
		}
	}
	prefix, err := c.proxyProtocol()
	if err == nil && c.listener.StartTLS != "" {
		var ok bool
		if prefix, ok = c.askedForTLS(ctx, prefix); !ok {
			return
		}
		defer c.dropEarly()
	}
	if err == nil {
		err = c.peek(prefix)
	}
	if err != nil && c.listener.Mode == Passthrough && c.clientErr.Type == inspect.ErrorNotTLS {
		err, c.clientErr = nil, nil // what is no TLS is passed through all the same
	}
	if err != nil {
		c.refuseBeforeHello()
		return
	}
	if c.listener.OriginalDst != "" && c.looped() {
		return
	}
	if ch := c.listener.Challenge; ch != nil && ch.takes(c.hello) {
		c.answerChallenge()
		return
	}
	if !c.decide() {
		return
	}
	if c.listener.OriginalDst == "" && c.looped() {
		return
	}
	// crypto/tls refuses a client that offers early data, which a server at this address may once have allowed it.
	unservable := c.action.Unservable != "" || c.hello != nil && c.hello.EarlyData
	if c.listener.Mode == Passthrough || c.listener.Fallback && unservable {
		c.passThrough(ctx)
		return
	}
	c.terminate(ctx)
}

// decide finds the route of the client and holds its hello against the policy. It reports whether the connection goes on.
func (c *connection) decide() bool {
	name := c.serverName()
	c.route = c.listener.routeFor(name)
	if c.route == nil {
		c.refuse(wire.AlertUnrecognizedName, inspect.ErrorNoRoute, fmt.Sprintf("no route takes the server name %q", name))
		return false
	}
	if c.hello == nil || c.route.Decide == nil {
		return true
	}
	c.action = c.route.Decide(c.hello)
	if c.action.Refuse {
		c.refuse(c.action.Alert, inspect.ErrorPolicy, "refused because of the policy (--enforce)")
		return false
	}
	return true
}

// serverName is the name the client asked for, as our parser reads it.
func (c *connection) serverName() string {
	if c.hello == nil {
		return ""
	}
	return string(c.hello.ServerName)
}

// proxyProtocol reads the PROXY header, when the listener requires one. It returns bytes that were read beyond it.
func (c *connection) proxyProtocol() ([]byte, error) {
	if c.listener.ProxyProtocol == nil {
		return nil, nil
	}
	c.conn.SetReadDeadline(time.Now().Add(c.limits.Timeouts.ProxyProtocol))
	source, destination, rest, err := readProxyHeader(c.conn, c.listener.ProxyProtocol)
	if err != nil {
		c.clientErr = transportError(err, inspect.PhaseProxyProtocol)
		if c.clientErr.Type == inspect.ErrorOther || c.clientErr.Type == inspect.ErrorClosed {
			c.clientErr.Type = inspect.ErrorProxyProtocol
		}
		if c.clientErr.Type == inspect.ErrorProxyProtocol && len(rest) > 0 {
			c.clientObserver.Feed(inspect.FromClient, rest, c.started)
			c.clientObserver.EndOfStream(inspect.FromClient)
		}
		return nil, err
	}
	if source != nil {
		c.source, c.destination = source, destination
		c.record.Client, c.record.Server = inspect.EndpointOf(addrPort(source)), inspect.EndpointOf(addrPort(destination))
	}
	return rest, nil
}

// refuseBeforeHello ends a connection that brought no hello, with the answer that its sender is most likely to understand.
func (c *connection) refuseBeforeHello() {
	first := c.clientObserver.FirstBytes(inspect.FromClient)
	c.conn.SetWriteDeadline(time.Now().Add(time.Second))
	switch {
	case first != nil && first.Protocol == "http":
		body := "This port speaks TLS; the request came in plain HTTP. Use https://.\n"
		fmt.Fprintf(c.conn, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
	case c.clientErr.Type == inspect.ErrorMalformedHello:
		c.sendAlert(wire.AlertDecodeError)
	case c.clientErr.Type == inspect.ErrorHelloTooLarge:
		c.sendAlert(wire.AlertRecordOverflow)
	}
	c.failClient()
}

// terminate is bridge mode: open the backend leg, terminate the client's TLS, copy.
func (c *connection) terminate(ctx context.Context) {
	offered := c.protocols()
	c.how = opening{greeted: c.listener.StartTLS, protocols: offered, source: c.source, destination: c.destination, adopt: c.adopt, keyLog: c.server.KeyLog, kept: c.kept != nil}
	c.towards(c.serverName())
	if c.listener.Mode == HTTP {
		c.terminateHTTP(ctx, offered)
		return
	}
	c.how.leg = c.earlyLeg()
	c.backend = c.route.Backend.open(ctx, c.limits.Timeouts, &c.server.describer, c.how)
	protocol := c.backend.protocol
	if !c.backend.established() {
		c.discardBackend()
		protocol = protocolForErrorPage(offered)
		if c.backend.refusedProtocols() && !speaksHTTP(protocol) {
			// There is no protocol in which more could be said (RFC 7301, Section 3.2).
			c.refuse(wire.AlertNoApplicationProtocol, inspect.ErrorNoCommonALPN, "the backend speaks none of the client's protocols")
			return
		}
	} else if c.backend.backend.Plain {
		protocol = protocolForPlainBackend(offered)
	}
	if !c.handshake(protocol) {
		c.closeBackend()
		c.failClient()
		return
	}
	if !c.backend.established() {
		if c.listener.StartTLS != "" {
			c.failClient() // no client of HTTP
			return
		}
		c.badGateway()
		return
	}
	c.bridge()
}

// terminateHTTP is mode HTTP: the client's protocol is chosen here, and whatever becomes of the backend leg is told in it.
func (c *connection) terminateHTTP(ctx context.Context, offered []string) {
	protocol := ""
	if len(offered) > 0 {
		if protocol = protocolForErrorPage(offered[:len(offered):len(offered)]); slices.Contains(offered, "h2") {
			protocol = "h2"
		}
		if protocol != "h2" && protocol != "http/1.1" {
			c.refuse(wire.AlertNoApplicationProtocol, inspect.ErrorNoCommonALPN, "the client offers no protocol of HTTP")
			return
		}
	}
	c.how.protocols, c.how.unsettled = c.route.Backend.offers(protocol), true
	c.backend = c.route.Backend.open(ctx, c.limits.Timeouts, &c.server.describer, c.how)
	if !c.handshake(protocol) {
		c.closeBackend()
		if !c.backend.established() {
			c.discardBackend()
		}
		c.failClient()
		return
	}
	c.serveHTTP()
}

// protocols are the client's ALPN protocols, for the backend.
func (c *connection) protocols() []string {
	var protocols []string
	for p := range c.hello.ALPN.All() {
		protocols = append(protocols, string(p))
	}
	return protocols
}

// protocolForPlainBackend is what is agreed with the client when the backend cannot say: what it speaks is then HTTP/1.1, or
// the only protocol that the client knows.
func protocolForPlainBackend(offered []string) string {
	for _, p := range offered {
		if p == "http/1.1" {
			return p
		}
	}
	if len(offered) == 1 {
		return offered[0]
	}
	return ""
}

// handshake terminates the client's TLS. It reports whether the leg was established.
func (c *connection) handshake(protocol string) bool {
	c.variant = c.logging(c.route.config(protocol))
	c.clientTLS = tls.Server(c.client, c.route.base)
	start := time.Now()
	c.conn.SetDeadline(start.Add(c.limits.Timeouts.ClientHandshake))
	err := c.clientTLS.HandshakeContext(context.WithValue(context.Background(), connectionKey{}, c)) // abort closes the connection below it
	c.clientTook = time.Since(start)
	c.hello, c.variant = nil, nil
	if err != nil {
		c.refusal = err
		c.clientErr = c.clientHandshakeError(err)
		return false
	}
	c.conn.SetDeadline(time.Time{})
	state := c.clientTLS.ConnectionState()
	c.clientState = &state
	c.client.detach()
	c.kept.established()
	return true
}

type connectionKey struct{}

// BackendCertificate is the certificate that the backend presented on the leg behind the handshake whose context
// (tls.ClientHelloInfo.Context) ctx is: what a minted certificate should mirror. Nil when there is none.
func BackendCertificate(ctx context.Context) *x509.Certificate {
	c := connectionIn(ctx)
	if c == nil || c.backend == nil || len(c.backend.chain) == 0 {
		return nil
	}
	if state := c.backend.state; state != nil && len(state.PeerCertificates) > 0 {
		return state.PeerCertificates[0]
	}
	certificate, err := x509.ParseCertificate(c.backend.chain[0])
	if err != nil {
		return nil
	}
	return certificate
}

// configForClient is the GetConfigForClient of all routes: the connection's own variant, unless crypto/tls reads the
// hello differently from us. Then what would be reported is not what would be served.
func configForClient(chi *tls.ClientHelloInfo) (*tls.Config, error) {
	t, ok := chi.Conn.(*tap)
	if !ok || t.connection == nil {
		return nil, nil
	}
	c := t.connection
	if !sameView(chi, c.hello) {
		return nil, errViewsDiffer
	}
	return c.variant, nil
}

// sameView reports whether crypto/tls and our parser agree on what decides about a connection.
func sameView(chi *tls.ClientHelloInfo, hello *wire.ClientHello) bool {
	if hello == nil || chi.ServerName != string(hello.ServerName) || len(chi.SupportedProtos) != hello.ALPN.Len() {
		return false
	}
	i := 0
	for p := range hello.ALPN.All() {
		if chi.SupportedProtos[i] != string(p) {
			return false
		}
		i++
	}
	return sameVersions(chi.SupportedVersions, hello)
}

// sameVersions compares the versions. Where the extension is absent, crypto/tls lists those that it knows up to the legacy one.
func sameVersions(theirs []uint16, hello *wire.ClientHello) bool {
	ours := hello.SupportedVersions
	if ours.Len() == 0 {
		return !slices.ContainsFunc(theirs, func(v uint16) bool { return v > uint16(hello.LegacyVersion) })
	}
	if len(theirs) != ours.Len() {
		return false
	}
	for i, v := range theirs {
		if v != uint16(ours.At(i)) {
			return false
		}
	}
	return true
}

// refuse ends the client leg with an alert of our own, in the clear; alert 0 (close_notify, which refuses nothing): without one.
func (c *connection) refuse(alert wire.AlertDescription, reason inspect.ErrorType, message string) {
	c.clientErr = &inspect.Error{Type: reason, Message: message, Phase: inspect.PhaseDecide}
	if alert != wire.AlertCloseNotify {
		c.sendAlert(alert)
	}
	c.failClient()
}

// sendAlert writes a fatal alert in the clear, in the oldest record version that the client understands.
func (c *connection) sendAlert(alert wire.AlertDescription) {
	version := wire.VersionTLS12
	if c.hello != nil && c.hello.LegacyVersion >= wire.VersionSSLv3 && c.hello.LegacyVersion < version {
		version = c.hello.LegacyVersion
	}
	c.conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = c.client.Write([]byte{byte(wire.ContentTypeAlert), byte(version >> 8), byte(version), 0, 2, byte(wire.AlertLevelFatal), byte(alert)})
}

// failClient closes the client's side where nothing was or will be copied, most often after a failure there, and hands over
// the record.
func (c *connection) failClient() {
	c.clientFacts = tcpFacts(c.conn)
	linger(c.client, c.limits.Timeouts.Linger)
	c.finish()
}

// closeBackend ends a backend leg that is in order but will not be used.
func (c *connection) closeBackend() {
	if c.backend != nil && c.backend.established() {
		c.backend.facts = tcpFacts(c.backend.tap.Conn)
		c.backend.close()
	}
}

// discardBackend ends a backend leg that failed, while the client is told. The server waits for the end of it.
func (c *connection) discardBackend() {
	if leg := c.backend; leg.tap != nil {
		c.server.handling.Go(func() { linger(leg.tap, c.limits.Timeouts.Linger) })
	}
}
