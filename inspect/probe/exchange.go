package probe

import (
	"net/netip"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Outcome is what came of a hello, in the words of the record's replay.outcome.
type Outcome string

// Outcomes. A hello that was answered by a ServerHello keeps that outcome whatever came later: Alert and Error tell that.
const (
	OutcomeServerHello  Outcome = "server_hello"
	OutcomeRetryRequest Outcome = "hello_retry_request" // it was not followed, or could not be
	OutcomeAlert        Outcome = "alert"
	OutcomeReset        Outcome = "reset"
	OutcomeClosed       Outcome = "closed"
	OutcomeTimeout      Outcome = "timeout"
	OutcomeNotTLS       Outcome = "not_tls"       // another protocol, or bytes that make no sense as TLS or do not end
	OutcomeNotConnected Outcome = "not_connected" // the hello could not be sent: Error says why
)

// Exchange is what happened between one hello and one server. Its messages are in bytes of its own.
type Exchange struct {
	Outcome Outcome
	// Error is why the exchange ended before its goal, with the phase that it ended in; nil: the goal was reached.
	Error *inspect.Error
	// Connection is the exchange as a record, without findings: the exchange is its client leg.
	Connection *inspect.Connection

	Address netip.AddrPort // that was connected to
	Hello   *Hello         // as sent
	Second  *Hello         // that followed a HelloRetryRequest; nil: none did

	// What the server said, as far as the goal goes; nil: it did not come, or could not be read.
	RetryRequest       *wire.ServerHello
	ServerHello        *wire.ServerHello
	SSLv2ServerHello   *wire.SSLv2ServerHello
	Encrypted          *wire.EncryptedExtensions
	KeyExchange        *wire.ServerKeyExchange // TLS 1.2 and older
	CertificateRequest *wire.CertificateRequest
	Certificates       [][]byte   // DER, as presented; the first hundred
	CertificatesBeyond int        // how many more there were
	Staple             []byte     // OCSP response, DER
	SCTs               int        // signed certificate timestamps
	Tickets            int        // NewSessionTicket messages
	Sessions           []*Session // handed out by a handshake that was finished, for Hello.Resume

	Version     wire.Version
	CipherSuite wire.CipherSuite
	Group       wire.NamedGroup
	Scheme      wire.SignatureScheme // that the server signed the handshake with
	ALPN        string
	Flight      bool // the server's first flight was read to its end
	Unreadable  bool // what followed the ServerHello is encrypted under keys that could not be made here
	Resumed     bool // a session was taken up, or the server's flight ended without a certificate where one was due
	Unopened    bool // a record behind the ServerHello does not open with our keys: the two sides do not agree on what was said
	Replied     bool // our second flight was sent, with our Finished
	Finished    bool // the server accepted our Finished, as far as it shows
	// Cut is how the server ended the connection in TLS 1.3 when it had our Finished, and had shown by nothing that it accepts it: closed or
	// reset; empty: it did not. Where we sent anything behind the handshake it may be that which it minded, and Error says nothing of it.
	Cut    inspect.ErrorType
	Nudged bool // Options.Nudge was sent; what Cut says may be for that

	Alert  *Alert  // the server's first fatal one, or the warning that it ended the connection behind in place of a ServerHello
	Alerts []Alert // all of the server's, warnings too

	Plain  *inspect.FirstBytes // what came in place of TLS
	Answer []byte              // the beginning of the application's answer
	QUIC   *QUICFacts          // over QUIC only

	Endless        bool // the server sent, or announced in one message, more than is read
	Sent, Received int  // bytes, without those of a dialogue before TLS
	Began          time.Time
	Dialled        time.Duration // from Began: the connection was made
	FirstByte      time.Duration // from the hello to the first byte of the answer; 0: none came
	Took           time.Duration // in all
}

// Moment is when in a handshake an alert came.
type Moment string

// Moments.
const (
	AfterHello    Moment = "after_hello"        // in place of a ServerHello, or before it
	DuringFlight  Moment = "during_flight"      // behind the ServerHello, before our second flight
	AfterFinished Moment = "after_our_finished" // our second flight was sent
)

// Alert is an alert of the server.
type Alert struct {
	Level       wire.AlertLevel
	Description wire.AlertDescription
	Encrypted   bool
	Moment      Moment
}

// QUICFacts are what only QUIC has.
type QUICFacts struct {
	Version  quicwire.Version   // that the handshake went on in
	Versions []quicwire.Version // of a Version Negotiation packet; nil: none came
	Retry    bool               // the server sent a Retry
	Close    *quicwire.Close    // nil: the server closed nothing
}

// Accepted reports whether the server chose to speak with this hello: it answered with a ServerHello and did not take that
// back by an alert, a reset or silence before the goal was reached.
func (x *Exchange) Accepted() bool {
	return (x.ServerHello != nil || x.SSLv2ServerHello != nil) && x.Alert == nil && x.Error == nil
}

// Describe is the outcome in a few words, for a line of text: "alert handshake_failure (40)".
func (x *Exchange) Describe() string { return describe(x) }
