// Package exchange holds a prediction against what an endpoint answers: it sends a ClientHello over a connection that it is
// handed and reads the answer as far as it is in the clear. It is for tests of policies and importers.
package exchange

import (
	"errors"
	"fmt"
	"io"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Answer is what an endpoint said to a hello.
type Answer struct {
	Alert     wire.AlertDescription // 0: none
	Closed    bool                  // neither alert nor hello
	Version   wire.Version
	Suite     wire.CipherSuite
	Group     wire.NamedGroup
	Scheme    wire.SignatureScheme // of the ServerKeyExchange; 0: not seen
	Retry     bool                 // a HelloRetryRequest
	Protocol  string               // ALPN, in TLS 1.2 and below
	Requested bool                 // a client certificate, in TLS 1.2 and below
}

// Ask sends a hello (the record, or for an SSLv2-format hello the message) and reads the answer: up to the ServerHello in TLS 1.3,
// to the ServerHelloDone below. A read that times out is an error; any other end of the connection is an answer.
func Ask(conn io.ReadWriter, hello []byte) (a Answer, err error) {
	if _, err := conn.Write(hello); err != nil {
		return a, err
	}
	var r wire.Reader
	var m wire.Message
	buf := make([]byte, 16<<10)
	for {
		n, ended := conn.Read(buf)
		r.Feed(buf[:n])
		for r.Next(&m) {
			done, err := a.message(&m)
			if done || err != nil {
				return a, err
			}
		}
		if r.Err() != nil {
			return a, r.Err()
		}
		var late interface{ Timeout() bool }
		switch {
		case errors.As(ended, &late) && late.Timeout():
			return a, ended
		case ended != nil:
			a.Closed = a.Suite == 0
			return a, nil //nolint:nilerr // that the connection ends is an answer
		}
	}
}

func (a *Answer) message(m *wire.Message) (done bool, err error) {
	if m.ContentType == wire.ContentTypeAlert && !m.Encrypted {
		if m.Level == wire.AlertLevelFatal {
			a.Alert = m.Description
		}
		return m.Level == wire.AlertLevelFatal, nil
	}
	switch m.HandshakeType {
	case wire.HandshakeTypeServerHello:
		var h wire.ServerHello
		if err := wire.ParseServerHello(m.Bytes, &h); err != nil {
			return false, err
		}
		a.Version, a.Suite, a.Group, a.Retry, a.Protocol = h.Version, h.CipherSuite, h.Group, h.HelloRetryRequest, string(h.ALPN)
		return h.Version == wire.VersionTLS13, nil
	case wire.HandshakeTypeServerKeyExchange:
		var k wire.ServerKeyExchange
		if err := wire.ParseServerKeyExchange(m.Bytes, a.Version, a.Suite, &k); err != nil {
			return false, err
		}
		a.Group, a.Scheme = k.Group, k.SignatureScheme
	case wire.HandshakeTypeCertificateRequest:
		a.Requested = true
	case wire.HandshakeTypeServerHelloDone:
		return true, nil
	}
	return false, nil
}

// String is the answer in a line.
func (a Answer) String() string {
	switch {
	case a.Alert != 0:
		return "alert " + a.Alert.String()
	case a.Closed:
		return "closed"
	}
	return fmt.Sprintf("%v %v group %v retry %t scheme %v alpn %q", a.Version, a.Suite, a.Group, a.Retry, a.Scheme, a.Protocol)
}

// Difference says in what an answer differs from the prediction; "" if in nothing that can be seen.
func Difference(want policy.Result, got Answer) string {
	if !want.Accepted {
		if got.Retry && (want.RejectedBy == policy.DimensionSignature || want.RejectedBy == policy.DimensionALPN) {
			return "" // the rest of the answer comes after the second hello
		}
		if got.Alert != want.Alert {
			return fmt.Sprintf("predicted alert %v (%s), got %s", want.Alert, want.RejectedBy, got)
		}
		return ""
	}
	switch {
	case got.Alert != 0, got.Closed, got.Version != want.Version, got.Suite != want.CipherSuite, got.Retry != want.HelloRetry:
		return fmt.Sprintf("predicted %v %v group %v retry %t, got %s", want.Version, want.CipherSuite, want.Group, want.HelloRetry, got)
	case want.Group != 0 && got.Group != want.Group:
		return fmt.Sprintf("predicted group %v, got %s", want.Group, got)
	case got.Version == wire.VersionTLS12 && want.SignatureScheme != 0 && got.Scheme != want.SignatureScheme:
		return fmt.Sprintf("predicted scheme %v, got %s", want.SignatureScheme, got)
	case got.Version < wire.VersionTLS13 && got.Protocol != want.Protocol:
		return fmt.Sprintf("predicted protocol %q, got %s", want.Protocol, got)
	}
	return ""
}
