package proxy

import (
	"io"
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
		io.CopyN(io.Discard, t.Conn, maxLinger)
	}
	t.Conn.Close()
}
