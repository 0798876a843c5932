package h3

import (
	"net"

	"golang.org/x/sys/unix"
)

// receiveBufferOf is the receive buffer that a socket has. Linux says twice what it gives, for its own bookkeeping (socket(7)).
func receiveBufferOf(udp *net.UDPConn) (bytes int, ok bool) {
	raw, err := udp.SyscallConn()
	if err != nil {
		return 0, false
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		bytes, failed = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
	})
	return bytes / 2, err == nil && failed == nil
}
