package diagnose

import "github.com/tlstriage/tlstriage/inspect"

// overQUIC is what only QUIC has of a leg; nil where it has no such leg.
func (v view) overQUIC() *inspect.QUIC {
	if v.leg == nil {
		return nil
	}
	return v.leg.QUIC
}

// Ids that other rules name as causes.
const (
	idQUICNoH3               = "quic-no-h3"
	idQUICVersionNegotiation = "quic-version-negotiation"
	idQUICHelloIncomplete    = "quic-hello-incomplete"
	idQUICDatagramTooSmall   = "quic-datagram-too-small"
	idQUICRetryLoop          = "quic-retry-loop"
	idQUICConnectionClosed   = "quic-connection-closed"
)

// plainly is how a client asks without QUIC.
func plainly(v view) string {
	return "curl --http2 https://" + plain(v.hello.ServerName, "NAME") + "/"
}
