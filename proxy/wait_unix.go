//go:build unix

package proxy

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// readiness waits for a socket to become readable without holding a buffer for what will come.
type readiness struct {
	raw    syscall.RawConn
	waited bool
}

func newReadiness(c net.Conn) *readiness {
	s, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	return &readiness{raw: raw}
}

// wait returns when there is something to read, be it an end or an error.
func (r *readiness) wait() error {
	r.waited = false
	return r.raw.Read(r.ready)
}

func (r *readiness) ready(fd uintptr) bool {
	if r.waited {
		return true // the poller says so
	}
	r.waited = true
	var b [1]byte
	_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err != unix.EAGAIN
}
