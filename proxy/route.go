package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"strings"
	"sync"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/starttls"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Mode is what is done with a connection.
type Mode string

// Modes.
const (
	Bridge      Mode = "bridge"      // TLS is terminated on both legs and bytes are copied between them; the default
	HTTP        Mode = "http"        // TLS is terminated on both legs and HTTP read between them
	Passthrough Mode = "passthrough" // nothing is terminated; both directions are watched as far as they are in the clear
)

// Listener is an address that is listened on and what becomes of the connections it accepts. It must not change once
// it was handed to a Server.
type Listener struct {
	Name    string // in records and metrics; empty: the address
	Address string // host:port
	Mode    Mode   // empty: Bridge
	Routes  []*Route

	// StartTLS is the protocol in which clients ask for TLS, one of starttls.Served. Empty: they speak TLS at once.
	StartTLS starttls.Protocol

	// OriginalDst says that connections were on their way to another address when the kernel handed them over, and how. Routes whose
	// backend has no address send each to where its client wanted to go. Empty: clients meant this address. Linux only.
	OriginalDst OriginalDst

	// QUIC is the address (UDP) that package proxy/h3 listens on beside Address, in the modes HTTP and Passthrough. Empty: none.
	QUIC string

	// QUICRetry is when a client over QUIC first has to show that its address is its own. Empty: RetryAuto.
	QUICRetry QUICRetry

	// AltSvc is what answers over TCP say of the way over QUIC (RFC 7838), in HTTP mode. Nil or an empty answer: nothing.
	AltSvc func() string

	// ProxyProtocol requires a PROXY protocol header (v1 or v2) from every peer for which Trusted returns true, and
	// refuses all other peers. Nil: no header is expected.
	ProxyProtocol *TrustedPeers

	// Fallback hands a client that crypto/tls cannot serve to the backend untouched instead of refusing it.
	Fallback bool

	// ForwardedTrusted are clients whose own X-Forwarded-For and its siblings are passed on (HTTP mode); from all others they are removed.
	ForwardedTrusted []netip.Prefix

	// ClientIdentity is the header by which the backend learns whose certificate a client showed (HTTP mode). Empty: none. What
	// clients themselves say in such headers is removed in any case.
	ClientIdentity ClientIdentity

	// Challenge answers the hellos by which an authority validates that a name is served here, before any route is looked at
	// and in every mode. Nil: they are connections like any other.
	Challenge *Challenge
}

// key tells the listener's socket from others, over a reload too: its address, and its name where any free port will do.
func (l *Listener) key() string {
	if strings.HasSuffix(l.Address, ":0") {
		return l.Name + " " + l.Address
	}
	if l.OriginalDst == TProxy {
		return l.Address + " " + string(TProxy) // its socket is another kind
	}
	return l.Address
}

// Route is what is done for a set of server names.
type Route struct {
	Name string // in records; unique in its listener

	// ServerNames that this route takes: exact, or "*.example.com" for one label. "*" or an empty list take every name
	// that no other route of the listener takes, and hellos without a name.
	ServerNames []string
	Backend     *Backend

	// Decide says what to do with a hello. It must not keep the hello. Nil: everything goes on.
	Decide func(hello *wire.ClientHello) Action

	// GetCertificate chooses what is served, as in tls.Config; BackendCertificate finds the backend's leaf in the
	// context of its argument. Not needed in Passthrough mode.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)

	CipherSuites []uint16 // for TLS 1.2 and below on the client leg; nil: the ones that crypto/tls enables by itself
	MinVersion   uint16   // on the client leg; 0: TLS 1.0
	MaxVersion   uint16   // on the client leg; 0: TLS 1.3

	ClientAuth tls.ClientAuthType
	ClientCAs  *x509.CertPool // against which client certificates are verified

	// VerifyClient judges what a client presented once it is verified, of a session that is resumed, too; the verified chains
	// of that are built anew. It is not called for a client without a certificate. An error refuses the client; a *RevocationError
	// says that the certificate is revoked, or that nobody can tell. It answers from memory: the client waits for it.
	VerifyClient func(tls.ConnectionState) error

	// TicketKeys seal session tickets, so that the replicas of one service resume each other's sessions: the first one seals, all
	// of them open. A ticket is bound to the listener's name, the route's and the server name whatever its key: routes that share
	// keys share no session. Nil: keys of the route's own that change every day.
	TicketKeys [][32]byte

	NoResumption bool // clients get no tickets, and those that they have are not taken

	once        sync.Once
	base        *tls.Config // made by prepare
	mark        string      // of the sessions in its tickets; the server name follows
	authorities []string    // of ClientCAs, for the record
	// One configuration per ALPN protocol that a backend chose, so that a connection need not clone one.
	variants     sync.Map // protocol string -> *tls.Config
	variantCount int
	variantMu    sync.Mutex
}

// Action is a decision about one hello.
type Action struct {
	Policy      *inspect.PolicyOutcome // what the policy would have made of it, for the record; nil: no policy
	Refuse      bool                   // refuse the connection with Alert
	Alert       wire.AlertDescription  // 0: close it without a word, as some endpoints do
	Unservable  string                 // why crypto/tls cannot serve this client; empty: it can
	OwnRejected inspect.ErrorType      // the dimension in which client and crypto/tls do not agree; empty: they do
}

func (r *Route) isDefault() bool {
	if len(r.ServerNames) == 0 {
		return true
	}
	for _, n := range r.ServerNames {
		if n == "*" {
			return true
		}
	}
	return false
}

// routeFor finds the route that takes a server name: an exact name before a wildcard before the default. An empty name
// is a hello without one. Nil when nothing takes it.
func (l *Listener) routeFor(name string) *Route {
	name = strings.ToLower(name)
	var wildcard, fallback *Route
	for _, r := range l.Routes {
		for _, pattern := range r.ServerNames {
			pattern = strings.ToLower(pattern)
			if name != "" && pattern == name {
				return r
			}
			if wildcard == nil && matchesWildcard(pattern, name) {
				wildcard = r
			}
		}
		if fallback == nil && r.isDefault() {
			fallback = r
		}
	}
	if wildcard != nil {
		return wildcard
	}
	return fallback
}

// matchesWildcard reports whether "*.example.com" covers name: one label in place of the star (RFC 6125, Section 6.4.3).
func matchesWildcard(pattern, name string) bool {
	suffix, ok := strings.CutPrefix(pattern, "*.")
	if !ok {
		return false
	}
	label, rest, ok := strings.Cut(name, ".")
	return ok && label != "" && rest == suffix
}

// The most ALPN variants of a route's configuration that are kept; a hostile client can invent protocols without end.
const maxVariants = 16

// config is the route's configuration with one ALPN protocol to select, or none.
func (r *Route) config(protocol string) *tls.Config {
	if c, ok := r.variants.Load(protocol); ok {
		return c.(*tls.Config)
	}
	c := r.base.Clone()
	c.GetConfigForClient = nil
	if protocol != "" {
		c.NextProtos = []string{protocol}
	}
	r.variantMu.Lock()
	defer r.variantMu.Unlock()
	if r.variantCount >= maxVariants {
		return c
	}
	known, ok := r.variants.LoadOrStore(protocol, c)
	if !ok {
		r.variantCount++
	}
	return known.(*tls.Config)
}

// prepare makes the configuration that terminates the route's client leg, once: a reload may hand over a route again.
func (r *Route) prepare(l *Listener) { r.once.Do(func() { r.configure(l) }) }

func (r *Route) configure(l *Listener) {
	minVersion, maxVersion := r.MinVersion, r.MaxVersion
	if minVersion == 0 {
		minVersion = tls.VersionTLS10
	}
	r.base = &tls.Config{
		GetCertificate:              r.certificate,
		CipherSuites:                r.CipherSuites,
		MinVersion:                  minVersion,
		MaxVersion:                  maxVersion,
		ClientAuth:                  r.ClientAuth,
		ClientCAs:                   r.ClientCAs,
		DynamicRecordSizingDisabled: true,
		GetConfigForClient:          configForClient,
		WrapSession:                 r.wrapSession,
		UnwrapSession:               r.unwrapSession,
		SessionTicketsDisabled:      r.NoResumption,
	}
	if r.ClientAuth >= tls.VerifyClientCertIfGiven || r.ClientAuth != tls.NoClientCert && r.VerifyClient != nil {
		r.base.VerifyConnection = r.verifyClient
	}
	if len(r.TicketKeys) > 0 {
		r.base.SetSessionTicketKeys(r.TicketKeys)
	}
	r.mark = fmt.Sprintf("tlstriage session of %q, %q for ", l.Name, r.Name)
	if r.ClientAuth != tls.NoClientCert && r.ClientCAs != nil {
		r.authorities = describeAuthorities(r.ClientCAs.Subjects()) // of a pool that is no system pool it gives them all
	}
}

// certificate chooses what is served and keeps it for the record.
func (r *Route) certificate(chi *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if r.GetCertificate == nil {
		return nil, errNoCertificate
	}
	certificate, err := r.GetCertificate(chi)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoCertificate, err)
	}
	if c := connectionIn(chi.Context()); c != nil {
		c.served = certificate
	}
	return certificate, nil
}
