package proxy

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tlstriage/tlstriage/inspect"
)

// tcpFacts asks the kernel what it knows of a connection: TCP_INFO. Nil when it says nothing.
func tcpFacts(c net.Conn) *inspect.TCP {
	s, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	var info *unix.TCPInfo
	if err := raw.Control(func(fd uintptr) {
		info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	}); err != nil || info == nil {
		return nil
	}
	return &inspect.TCP{
		RTTMS:       float64(info.Rtt) / 1000, // microseconds
		Retransmits: info.Total_retrans,
		MSS:         info.Snd_mss,
		PathMTU:     info.Pmtu,
	}
}
