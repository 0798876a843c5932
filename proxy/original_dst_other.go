//go:build !linux

package proxy

import (
	"errors"
	"net"
	"net/netip"
)

var errOnlyLinux = errors.New("redirected connections are handed over on Linux only")

func originalDst(net.Conn) (netip.AddrPort, error) { return netip.AddrPort{}, errOnlyLinux }

// listen opens a listener's socket.
func (l *Listener) listen() (net.Listener, error) {
	if l.OriginalDst != "" {
		return nil, errOnlyLinux
	}
	return net.Listen("tcp", l.Address)
}
