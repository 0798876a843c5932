package servertest

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Hello is a hello as a front sees it: the message, how it came, and the bytes.
type Hello struct {
	wire.ClientHello
	Message wire.Message
	Raw     []byte // what was read until it was whole
	Number  int    // of the connection
	From    string // the client's address
}

// errNoHello says that what came is no ClientHello.
var errNoHello = errors.New("no ClientHello")

// ReadHello reads from a connection until its hello is whole. What was read is in Raw, also where it is none.
func ReadHello(conn net.Conn) (*Hello, error) {
	h := &Hello{From: conn.RemoteAddr().String()}
	r := wire.Reader{FromClient: true}
	room := make([]byte, 16<<10)
	for {
		n, err := conn.Read(room)
		h.Raw = append(h.Raw, room[:n]...)
		r.Feed(bytes.Clone(room[:n]))
		if r.Next(&h.Message) {
			break
		}
		if err := errors.Join(err, r.Err()); err != nil {
			return h, err
		}
	}
	if h.Message.HandshakeType != wire.HandshakeTypeClientHello && !h.Message.SSLv2 {
		return h, errNoHello
	}
	parse := wire.ParseClientHello
	if h.Message.SSLv2 {
		parse = wire.ParseSSLv2ClientHello
	}
	return h, parse(bytes.Clone(h.Message.Bytes), &h.ClientHello)
}

// Reaction is what a front does with a hello.
type Reaction int

// Reactions.
const (
	Pass Reaction = iota
	Reset
	Close
	Silence
	fatal // plus an alert's description
)

// Alert is the reaction that answers by a fatal alert.
func Alert(description wire.AlertDescription) Reaction { return fatal + Reaction(description) }

// React does to a connection what a reaction other than Pass says; the caller closes it then.
func React(conn net.Conn, how Reaction) {
	tcp := conn.(*net.TCPConn)
	switch how {
	case Reset:
		_ = tcp.SetLinger(0)
	case Pass, Close:
	case Silence:
		_, _ = io.Copy(io.Discard, conn) // until the client gives up
	default:
		_, _ = conn.Write([]byte{21, 3, 3, 0, 2, 2, byte(how - fatal)})
		_ = tcp.CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
	}
}

// Front stands before a server of the standard library, looks at every hello and decides what becomes of it. What is no hello is reset.
func Front(t testing.TB, config *tls.Config, decide func(*Hello) Reaction) (address string) {
	t.Helper()
	return Serve(t, func(n int, conn net.Conn) {
		hello, err := ReadHello(conn)
		if hello.Number = n; err != nil && !hello.HasMessage() {
			React(conn, Reset)
			return
		}
		if how := decide(hello); how != Pass {
			React(conn, how)
			return
		}
		Echo(Replayed(conn, hello.Raw), config)
	})
}

// HasMessage reports whether a whole message came, be it a hello or not.
func (h *Hello) HasMessage() bool { return len(h.Message.Bytes) > 0 }

// Replayed is a connection of which something was read already.
func Replayed(conn net.Conn, before []byte) net.Conn { return &replayed{conn, before} }

type replayed struct {
	net.Conn
	before []byte
}

func (r *replayed) Read(b []byte) (int, error) {
	if len(r.before) > 0 {
		n := copy(b, r.before)
		r.before = r.before[n:]
		return n, nil
	}
	return r.Conn.Read(b)
}
