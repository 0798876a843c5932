package proxy

import (
	"crypto/tls"
	"sync"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// ChallengeProtocol is what a hello that validates a name offers, alone (RFC 8737, Section 6.2). A record of such a connection
// has it as its route and as the protocol of its client leg.
const ChallengeProtocol = "acme-tls/1"

// Challenge answers the connections by which an authority finds out whether a name is served here (TLS-ALPN-01, RFC 8737). No
// backend is asked, no policy either.
type Challenge struct {
	// Takes says whether a validation of this name is expected. A hello that it does not take is a connection like any other.
	Takes func(serverName string, protocols []string) bool

	// GetCertificate gives the certificate that answers.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)

	once  sync.Once
	route *Route
}

// prepare makes what terminates a validation: no client certificate, no tickets, no policy's suites.
func (ch *Challenge) prepare(l *Listener) {
	ch.once.Do(func() {
		ch.route = &Route{Name: ChallengeProtocol, GetCertificate: ch.GetCertificate, MinVersion: tls.VersionTLS12}
		ch.route.prepare(l)
		ch.route.base.SessionTicketsDisabled = true
		ch.route.base.WrapSession, ch.route.base.UnwrapSession = nil, nil
	})
}

// takes reports whether the hello is a validation that is expected. The hello "MUST" offer this one protocol and name the domain
// (RFC 8737, Section 3).
func (ch *Challenge) takes(hello *wire.ClientHello) bool {
	if hello == nil || ch.Takes == nil || len(hello.ServerName) == 0 || hello.ALPN.Len() != 1 {
		return false
	}
	for p := range hello.ALPN.All() {
		if string(p) != ChallengeProtocol {
			return false
		}
	}
	return ch.Takes(string(hello.ServerName), []string{ChallengeProtocol})
}

// answerChallenge does the handshake of a validation, after which there is nothing more to say.
func (c *connection) answerChallenge() {
	c.route = c.listener.Challenge.route
	if c.handshake(ChallengeProtocol) {
		c.clientTLS.CloseWrite()
	}
	c.failClient()
}
