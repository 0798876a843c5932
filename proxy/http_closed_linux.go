package proxy

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// peerHasClosed reports whether the peer of a connection on which nobody reads has ended it. What it sent before is still there to be
// read, so that only the state of the connection tells.
func peerHasClosed(c net.Conn) bool {
	s, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return true
	}
	var info *unix.TCPInfo
	if err := raw.Control(func(fd uintptr) {
		info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	}); err != nil {
		return true
	}
	return err == nil && info.State != unix.BPF_TCP_ESTABLISHED
}
