package scan

import (
	"crypto/tls"
	"net"
	"time"

	"github.com/tlstriage/tlstriage/inspect/probe"
)

// Target is one endpoint, at one address.
type Target struct {
	Endpoint   probe.Target // Address is dialled as it stands: give an IP address to look at one of several
	ServerName string       // that is asked for; empty: none is sent
	ALPN       []string     // offered in every hello; nil: only where ALPN is the question, and in the first hello
	// Certificate is the client's, for an endpoint that asks for one; nil: an empty list is sent.
	Certificate *tls.Certificate
	// Host is said in the HTTP request behind the handshake; empty: ServerName, or else the address.
	Host string
	// NoRequest sends nothing behind the handshake. It is implied by STARTTLS and QUIC, whose applications speak no HTTP/1.1.
	NoRequest bool
}

// Scanner asks endpoints. The zero value is ready; it is safe for concurrent use.
type Scanner struct {
	// Client makes the exchanges; nil: a zero probe.Client whose records say that a scan made them.
	Client *probe.Client
	// Concurrency is the most connections to one address at a time; 0: 12.
	Concurrency int
	// Interval is the least time between the beginnings of two connections to one address; 0: none.
	Interval time.Duration
	// MaxConnections is the most connections to one address in all. What could not be asked any more is inconclusive; 0: 1000.
	MaxConnections int
	// Progress is called with the number of connections made so far, from several goroutines; nil: nobody looks.
	Progress func(connections int)
}

// Bounds of the zero Scanner.
const (
	defaultConcurrency    = 12
	defaultMaxConnections = 1000
)

// host is what an HTTP request names.
func (t *Target) host() string {
	switch {
	case t.Host != "":
		return t.Host
	case t.ServerName != "":
		return t.ServerName
	}
	if host, _, err := net.SplitHostPort(t.Endpoint.Address); err == nil {
		return host
	}
	return t.Endpoint.Address
}

// speaksHTTP reports whether a request may be sent behind the handshake.
func (t *Target) speaksHTTP() bool {
	return !t.NoRequest && t.Endpoint.StartTLS == "" && !t.Endpoint.QUIC
}
