package probe

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// Client makes exchanges. The zero value is ready; a Client is safe for concurrent use.
type Client struct {
	// Dial connects; nil: a net.Dialer. It is called with "tcp" or "udp" and Target.Address.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Timeouts bound the phases of an exchange.
	Timeouts Timeouts
	// MaxBytes is the most that is read of a server in one exchange; 0: 512 KiB.
	MaxBytes int
	// Describer is shared by exchanges whose records are to share what it remembers; nil: each has its own.
	Describer *inspect.Describer
	// Source is what the records say made them; empty: inspect.SourceReplay.
	Source inspect.Source
}

// Timeouts bound the phases of an exchange; 0 is the default that stands with each.
type Timeouts struct {
	Dial    time.Duration // resolving and connecting: 5 s
	Preface time.Duration // PROXY protocol and STARTTLS: 5 s
	Answer  time.Duration // from a flight of ours to the end of the server's: 5 s
	Rest    time.Duration // from the first byte of the server's answer to the end of its flight, in place of what is left of Answer; 0: that
	Finish  time.Duration // from our Finished to what the server says then: 2 s
	Idle    time.Duration // silence behind the first bytes of an answer that is no TLS, or the application's: 200 ms
}

func orDefault[T ~int | ~int64](v, d T) T {
	if v <= 0 {
		return d
	}
	return v
}

func (c *Client) timeouts() Timeouts {
	t := c.Timeouts
	return Timeouts{
		Dial: orDefault(t.Dial, 5*time.Second), Preface: orDefault(t.Preface, 5*time.Second), Answer: orDefault(t.Answer, 5*time.Second),
		Rest: t.Rest, Finish: orDefault(t.Finish, 2*time.Second), Idle: orDefault(t.Idle, 200*time.Millisecond),
	}
}

const defaultMaxBytes = 512 << 10

// Goal is how far an exchange goes.
type Goal uint8

// Goals. Over QUIC UntilFlight is the furthest.
const (
	UntilFlight   Goal = iota // the server's first flight: what it chose, presents and asks for
	UntilHello                // its ServerHello, or HelloRetryRequest with Options.NoRetry: the fewest bytes
	UntilFinished             // the handshake is finished, and the server had its say about it
	UntilAnswer               // Options.Request was sent, and an answer came
)

// Options say how far an exchange goes and what is shown on the way. The zero value reads the server's first flight.
type Options struct {
	Until       Goal
	NoRetry     bool             // do not follow a HelloRetryRequest: it is the outcome
	Certificate *tls.Certificate // the client's, for a server that asks; nil: an empty list is sent
	Request     []byte           // application data for UntilAnswer; empty: nothing at all follows the handshake, and what the server says by itself is waited for
	Nudge       []byte           // application data for UntilAnswer without a Request, sent where nothing came for Timeouts.Finish: an answer shows that our Finished was accepted
}

// HTTPRequest is a request for Options.Request that any HTTP/1.1 server answers and then closes the connection.
func HTTPRequest(host string) []byte {
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		host = "[" + ip.WithZone("").String() + "]" // RFC 9110, Section 7.2; a zone means nothing elsewhere (RFC 6874, Section 1)
	}
	return []byte("GET / HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: tlstriage\r\nAccept: */*\r\nConnection: close\r\n\r\n")
}
