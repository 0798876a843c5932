package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/starttls"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Backend is where a route's connections go.
type Backend struct {
	Address string // host:port
	Plain   bool   // plain TCP instead of TLS

	// StartTLS is the protocol in which the backend is asked for TLS. Empty: it speaks TLS at once.
	StartTLS starttls.Protocol

	// ServerName is asked for and verified instead of the client's. Empty: the client's; when it sent none, the host of
	// Address if that is a name.
	ServerName string

	// VerifyPeer judges what the backend presented before anything is sent to it; an error refuses the backend. It answers
	// from memory: a client waits for it. A *RevocationError says that the certificate is revoked, or that nobody can tell.
	// Nil: what is wrong is recorded, and the traffic goes on.
	VerifyPeer func(*BackendPeer) error

	Certificate   *tls.Certificate // our client certificate, given when the backend asks for one
	ProxyProtocol byte             // version of the PROXY protocol header to send: 0 (none), 1 or 2
	HTTP3         HTTP3Dialer      // for Protocol HTTP3; package proxy/h3 has one
	Protocol      HTTPProtocol     // HTTP mode: what is spoken to the backend; empty: whatever it and the client's protocol allow
	MinVersion    uint16           // 0: TLS 1.0
	MaxVersion    uint16           // 0: TLS 1.3

	NoResumption bool // each handshake is a full one; false: sessions are resumed, for ten minutes at most

	// Dialer connects. The zero value is a plain dialer.
	Dialer net.Dialer

	sessions sessions
}

// HTTPProtocol is a version of HTTP.
type HTTPProtocol string

// Versions that backends are asked in.
const (
	HTTP1 HTTPProtocol = "h1"
	HTTP2 HTTPProtocol = "h2"
	HTTP3 HTTPProtocol = "h3" // over QUIC
)

// offers are the ALPN protocols for the backend of a client that speaks protocol, in HTTP mode. HTTP/1.1 is not sent on as
// HTTP/2: it may turn into a WebSocket.
func (b *Backend) offers(protocol string) []string {
	switch {
	case b.Protocol == HTTP1 || b.Protocol == "" && protocol != "h2":
		return []string{"http/1.1"}
	case b.Protocol == HTTP2:
		return []string{"h2"}
	case b.Protocol == HTTP3:
		return []string{"h3"}
	}
	return []string{"h2", "http/1.1"}
}

// BackendPeer is what a backend presented in a handshake. Nothing in it may be changed.
type BackendPeer struct {
	Name      string   // to be verified: Backend.ServerName says whence it is; empty: the backend was dialled by address alone
	Presented [][]byte // certificates as they came, DER, leaf first
	OCSP      []byte   // the stapled response; nil: none
	SCTs      [][]byte // timestamps that came in the handshake, not those in certificates
}

// backendSuites are all that crypto/tls has, its own preference first: the backend's choice is judged afterwards.
var backendSuites = func() []uint16 {
	var ids []uint16
	for _, s := range tls.CipherSuites() {
		ids = append(ids, s.ID)
	}
	for _, s := range tls.InsecureCipherSuites() {
		ids = append(ids, s.ID)
	}
	return ids
}()

// backendLeg is a connection to a backend and what is known of it.
type backendLeg struct {
	backend     *Backend
	name        string    // verified
	tap         *tap      // nil until connected
	tls         *tls.Conn // nil: plain, or failed before
	protocol    string    // ALPN that the backend chose
	observer    *inspect.Observer
	state       *tls.ConnectionState // nil until established
	chain       [][]byte             // as presented, also when refused
	ocsp        []byte               // stapled, where the leg was not established
	scts        [][]byte             // likewise
	revocation  *inspect.Revocation  // why the certificate was refused, where that is the reason
	request     *tls.CertificateRequestInfo
	sent        bool   // our certificate was sent
	asks        bool   // the backend asked for a client certificate
	sentName    string // asked for
	agreed      bool   // it was asked for TLS and agreed
	asked       *inspect.StartTLS
	greeting    []byte // what it began with, where the client was greeted before
	address     string // dialled, where that is not the backend's
	early       []byte // application data that came while it was settled
	err         *inspect.Error
	alerts      []inspect.Alert // those the observer cannot see: encrypted, or after it was detached
	started     time.Time
	took        time.Duration
	remote      net.Addr
	passthrough bool
	peerEnd     inspect.PeerEnd
	openEnded   bool               // the end of the last answer is told by the end of the connection, and that was no proper one
	unanswered  bool               // it ended before its first byte, although something was sent to it
	http3       *HTTP3Conn         // HTTP/3; nil: another protocol, or not connected
	closedBy    *inspect.QUICClose // likewise
	facts       *inspect.TCP
	kept        *transcript // nil: nobody wants it
}

// nameFor is the name that is verified, and the one that is sent. Both may be empty: where neither the configuration nor the
// client names the backend, an address that it is dialled by says nothing about its certificate, unless certificates decide about
// the traffic: then one for that very address is wanted. An IP address is never sent (RFC 6066, Section 3).
func (b *Backend) nameFor(clientName string) (verified, sent string) {
	name := b.ServerName
	if name == "" {
		name = clientName
	}
	if name == "" {
		if host, _, err := net.SplitHostPort(b.Address); err == nil && (net.ParseIP(host) == nil || b.VerifyPeer != nil) {
			name = host
		}
	}
	if net.ParseIP(name) != nil {
		return name, ""
	}
	return name, name
}

// opening says how a leg to a backend is opened.
type opening struct {
	address             string            // dialled; empty: the backend's
	verified, sent      string            // names, as nameFor has them
	protocols           []string          // offered by ALPN
	source, destination net.Addr          // the client's addresses, for the PROXY protocol
	keyLog              io.Writer         // of the session's secrets; nil: none
	kept                bool              // the bytes of the handshake are
	unsettled           bool              // whoever reads next hears of a refusal
	unjudged            bool              // VerifyPeer is not asked
	greeted             starttls.Protocol // the client asked for TLS in it, and had its greeting; empty: it did not
	leg                 *backendLeg       // connected already; nil: it is to be
	whole               bool              // no session is resumed: what the backend presents is wanted
	dialled             func(net.Conn)    // is told of the connection; nil: nobody wants to know
	adopt               func(net.Conn)    // is given the connection, and closes it when the opening must end; nil: the end of ctx closes it
}

// open connects to the backend and does the handshake. What goes wrong is in the leg's err; the leg is never nil. When it
// failed after it was connected (its tap is not nil), the caller lingers on it.
func (b *Backend) open(ctx context.Context, limits Timeouts, describer *inspect.Describer, how opening) *backendLeg {
	if b.Protocol == HTTP3 {
		return b.openHTTP3(ctx, limits, describer, how)
	}
	leg := how.leg
	if leg == nil {
		leg = b.connect(ctx, limits, how)
	}
	leg.name, leg.sentName = how.verified, how.sent
	if leg.err != nil {
		return leg
	}
	if how.adopt == nil {
		stop := context.AfterFunc(ctx, func() { leg.tap.Conn.Close() })
		defer stop()
	}
	if leg.tls != nil {
		return leg // it was opened before the client said what it wants, and this is it
	}
	if b.StartTLS != "" && !leg.agreed && !leg.ask(limits, how) {
		return leg
	}
	if b.Plain {
		leg.took = time.Since(leg.started)
		if leg.greeting == nil {
			leg.greet(limits, how)
		}
		return leg
	}

	leg.observer = newObserver(describer)
	leg.tap.observer = leg.observer
	if how.kept {
		leg.kept = newTranscript(how.keyLog)
		leg.tap.kept = leg.kept
		if how.keyLog != nil {
			how.keyLog = leg.kept
		}
	}
	handshakeStart := time.Now()
	leg.tls = tls.Client(leg.tap, leg.config(how))
	leg.tap.SetDeadline(handshakeStart.Add(limits.BackendHandshake))
	err := leg.tls.HandshakeContext(context.Background()) // ctx has its say already
	leg.took = time.Since(handshakeStart)
	if err != nil {
		state := leg.tls.ConnectionState()
		leg.ocsp, leg.scts = state.OCSPResponse, state.SignedCertificateTimestamps
		leg.fail(leg.handshakeError(err))
		return leg
	}
	leg.tap.SetDeadline(time.Time{})
	state := leg.tls.ConnectionState()
	leg.state = &state
	leg.remember(state)
	leg.protocol = state.NegotiatedProtocol
	leg.tap.detach()
	leg.kept.established()
	if !how.unsettled {
		leg.settle(limits)
	}
	if leg.err == nil {
		leg.greet(limits, how)
	}
	return leg
}

// connect connects to the backend and says whose connection this is, where it wants to know. What goes wrong is in the leg's err.
func (b *Backend) connect(ctx context.Context, limits Timeouts, how opening) *backendLeg {
	leg := &backendLeg{backend: b, started: time.Now(), name: how.verified, address: how.address}
	address := how.address
	if address == "" {
		address = b.Address
	}
	dialCtx, cancel := context.WithTimeout(ctx, limits.Dial)
	conn, err := b.Dialer.DialContext(dialCtx, "tcp", address)
	cancel()
	if err != nil {
		leg.err = dialError(err)
		return leg
	}
	if how.dialled != nil {
		how.dialled(conn)
	}
	if how.adopt != nil {
		how.adopt(conn)
	}
	leg.remote = conn.RemoteAddr()
	leg.tap = &tap{Conn: conn, peer: inspect.FromServer, self: inspect.FromClient}
	if b.ProxyProtocol != 0 {
		conn.SetWriteDeadline(time.Now().Add(limits.Dial))
		if err := writeProxyHeader(conn, b.ProxyProtocol, how.source, how.destination); err != nil {
			leg.fail(transportError(err, inspect.PhaseHandshake))
			return leg
		}
		conn.SetWriteDeadline(time.Time{})
	}
	return leg
}

// config is how TLS is spoken to the backend.
func (l *backendLeg) config(how opening) *tls.Config {
	b := l.backend
	config := &tls.Config{
		ServerName:         how.sent,
		NextProtos:         how.protocols,
		MinVersion:         b.MinVersion,
		MaxVersion:         b.MaxVersion,
		CipherSuites:       backendSuites,
		InsecureSkipVerify: true, // what is presented is judged in full by VerifyPeer and by the diagnosis, not up to its first fault
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			l.chain = raw
			return nil
		},
		GetClientCertificate: func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			l.request, l.asks = info, true
			if b.Certificate == nil {
				return &tls.Certificate{}, nil
			}
			l.sent = true
			return b.Certificate, nil
		},
		DynamicRecordSizingDisabled: true,
		KeyLogWriter:                how.keyLog,
	}
	if config.MinVersion == 0 {
		config.MinVersion = tls.VersionTLS10
	}
	if !how.unjudged && b.VerifyPeer != nil {
		config.VerifyConnection = l.judge
	}
	if !b.NoResumption && !how.whole {
		config.ClientSessionCache = &legSessions{l, how.address}
	}
	return config
}

// remember makes the chain of a session that was resumed that of the leg: this time the backend sent none.
func (l *backendLeg) remember(state tls.ConnectionState) {
	if !state.DidResume || l.chain != nil {
		return
	}
	for _, certificate := range state.PeerCertificates {
		l.chain = append(l.chain, certificate.Raw)
	}
}

// judge asks VerifyPeer. crypto/tls calls it when it has all that came with the certificates, before the proof that
// the key is the backend's own.
func (l *backendLeg) judge(state tls.ConnectionState) error {
	l.remember(state)
	peer := &BackendPeer{Name: l.name, Presented: l.chain, OCSP: state.OCSPResponse, SCTs: state.SignedCertificateTimestamps}
	if err := l.backend.VerifyPeer(peer); err != nil {
		return &backendCertificateError{err}
	}
	return nil
}

// established reports that bytes can be sent to the backend.
func (l *backendLeg) established() bool { return l.err == nil && l.tap != nil }

// fail notes why the leg failed.
func (l *backendLeg) fail(err *inspect.Error) {
	l.err = err
	l.facts = tcpFacts(l.tap.Conn)
}

// refusedProtocols reports whether the backend speaks none of the protocols that it was offered.
func (l *backendLeg) refusedProtocols() bool {
	if l.observer == nil {
		return false
	}
	alert, ok := l.observer.Alert(inspect.FromServer)
	return ok && alert == wire.AlertNoApplicationProtocol
}

// backendCertificateError is our refusal of a backend because of its certificate.
type backendCertificateError struct{ err error }

func (e *backendCertificateError) Error() string { return e.err.Error() }
func (e *backendCertificateError) Unwrap() error { return e.err }

// handshakeError says why the handshake with the backend failed, from what was seen rather than from the words of the error.
func (l *backendLeg) handshakeError(err error) *inspect.Error {
	result := &inspect.Error{Type: inspect.ErrorOther, Message: err.Error(), Phase: inspect.PhaseHandshake}
	var refused *backendCertificateError
	if errors.As(err, &refused) {
		result.Type = inspect.ErrorCertificate
		l.revocation = revocationIn(err)
		// What crypto/tls sends for an error of VerifyConnection, whatever it is; in TLS 1.3 nobody else can see it.
		l.alerts = append(l.alerts, newAlert(wire.AlertBadCertificate, inspect.FromClient))
		return result
	}
	if code, ok := remoteAlert(err); ok {
		result.Type = inspect.ErrorAlertReceived
		l.alerts = append(l.alerts, newAlert(code, inspect.FromServer))
		return result
	}
	if l.observer.EndOfStream(inspect.FromServer); l.observer.NotTLS(inspect.FromServer) {
		result.Type = inspect.ErrorNotTLS
		return result
	}
	if t := transportErrorType(err); t != inspect.ErrorOther {
		result.Type = t
		return result
	}
	if code, ok := localAlert(err); ok {
		l.alerts = append(l.alerts, newAlert(code, inspect.FromClient))
		if alert, refused := l.observer.Alert(inspect.FromServer); refused && code == wire.AlertBadRecordMAC {
			// Behind a ServerHello of TLS 1.3 some servers refuse in the clear, which crypto/tls takes for a record that it cannot decrypt.
			result.Type, result.Message = inspect.ErrorAlertReceived, "remote error: tls: "+alert.String()+", sent in the clear"
			return result
		}
	}
	switch seen := l.observer; {
	case seen.ServerChoseUnofferedVersion():
		result.Type = inspect.ErrorNoCommonVersion
	case seen.ServerChoseUnofferedCipher():
		result.Type = inspect.ErrorNoCommonCipher
	default:
		result.Type = inspect.ErrorAlertSent
	}
	return result
}

// describe is the leg as the record has it.
func (l *backendLeg) describe(describer *inspect.Describer) *inspect.Leg {
	leg := &inspect.Leg{ServerName: l.name, Plain: l.backend.Plain, Passthrough: l.passthrough, StartTLS: l.asked}
	if v := l.backend.ProxyProtocol; v != 0 && l.tap != nil {
		leg.ProxyProtocol = fmt.Sprintf("v%d", v)
	}
	if leg.Address, leg.Port = hostPort(l.backend.Address); l.address != "" {
		leg.Address, leg.Port = hostPort(l.address)
	}
	if a, ok := l.remote.(*net.TCPAddr); ok {
		leg.Address, leg.Port = a.IP.String(), a.Port
	}
	defer l.describeQUIC(leg)
	if l.observer == nil {
		return leg
	}
	leg.FirstBytes = l.observer.FirstBytes(inspect.FromServer)
	leg.TLS = l.observer.TLS()
	if hello := leg.TLS.Client; hello != nil && hello.Message != nil {
		hello.Message.Raw = nil // it is our own
	}
	leg.TLS.Handshake.DurationMS = milliseconds(l.took)
	leg.TLS.Established = false
	if l.state != nil {
		setState(leg.TLS, l.state)
		leg.TLS.Established = leg.TLS.Established && l.err == nil
	}
	if l.state == nil {
		setPresented(leg.TLS, l.ocsp, l.scts)
	}
	if l.revocation != nil {
		leg.TLS.ServerSide().Revocation = l.revocation
	}
	if len(l.chain) > 0 || l.request != nil {
		server := leg.TLS.ServerSide()
		if len(l.chain) > 0 {
			server.Present(describer, l.chain)
			server.Validation = &inspect.Validation{Status: inspect.ValidationNotChecked}
		}
		if l.request != nil {
			server.CertificateRequest = describeRequest(server.CertificateRequest, l.request, l.sent)
		}
		if l.sent && leg.TLS.Client != nil && leg.TLS.Client.Certificate == nil && len(l.backend.Certificate.Certificate) > 0 {
			leg.TLS.Client.Certificate = inspect.DescribeCertificate(l.backend.Certificate.Certificate[0]) // TLS 1.3 hides it from the observer
		}
	}
	return leg
}

func hostPort(address string) (string, int) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address, 0
	}
	n, _ := strconv.Atoi(port)
	return host, n
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (b *Backend) String() string {
	if b.Plain {
		return fmt.Sprintf("tcp://%s", b.Address)
	}
	return fmt.Sprintf("tls://%s", b.Address)
}
