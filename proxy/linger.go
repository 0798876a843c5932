package proxy

import (
	"io"
	"net"
	"time"
)

// The most bytes that are read and thrown away after a fatal alert.
const maxLinger = 256 << 10

// linger closes a leg after a fatal error: the sending side first, on the TCP connection itself, then what still comes is
// read for a moment. A socket closed with unread data would turn our alert into a reset that the peer never reads past,
// and a close_notify after a fatal alert would be wrong.
func linger(t *tap, limit time.Duration) {
	t.detach()
	if t.CloseWrite() == nil {
		t.Conn.SetReadDeadline(time.Now().Add(limit))
		_, _ = io.CopyN(io.Discard, t.Conn, maxLinger)
	}
	t.Conn.Close()
}

// sever ends a connection with a reset, where that is the only way to say that what was sent is not all: a plain TCP peer
// takes a FIN for the proper end.
func sever(conn net.Conn) {
	if c, ok := conn.(interface{ SetLinger(int) error }); ok {
		c.SetLinger(0)
	}
	conn.Close()
}
