//go:build unix

package proxy

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// readiness waits for a socket to become readable without holding a buffer for what will come. It allocates nothing when
// it waits: a busy connection does so once for every few records.
type readiness struct {
	raw    syscall.RawConn
	check  func(fd uintptr) bool
	fds    [1]unix.PollFd
	waited bool
}

// canPeek: a socket can be asked for what there is to read.
const canPeek = true

// newReadiness is nil for a connection that is no socket.
func newReadiness(c net.Conn) *readiness {
	s, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	r := &readiness{raw: raw}
	r.check = r.ready
	return r
}

// wait returns when there is something to read, be it an end or an error.
func (r *readiness) wait() error {
	r.waited = false
	return r.raw.Read(r.check)
}

// now reports whether there is something to read already. Nobody waits meanwhile.
func (r *readiness) now() bool {
	readable := true
	if err := r.raw.Control(func(fd uintptr) { r.waited = false; readable = r.ready(fd) }); err != nil {
		return true
	}
	return readable
}

// ready asks the socket before the poller is waited for: what came before that wait gives no new event.
func (r *readiness) ready(fd uintptr) bool {
	if r.waited {
		return true // the poller says so
	}
	r.waited = true
	r.fds[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	n, err := unix.Poll(r.fds[:], 0)
	return err != nil || n > 0
}
