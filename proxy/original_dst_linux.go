package proxy

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// originalDst asks the kernel where a connection was on its way to when it was redirected (SO_ORIGINAL_DST of netfilter).
func originalDst(conn net.Conn) (netip.AddrPort, error) {
	s, ok := conn.(syscall.Conn)
	if !ok {
		return netip.AddrPort{}, errors.New("it is no socket")
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, err
	}
	v6 := addrPort(conn.LocalAddr()).Addr().Unmap().Is6()
	var original netip.AddrPort
	var asked error
	if err := raw.Control(func(fd uintptr) { original, asked = socketOriginalDst(int(fd), v6) }); err != nil {
		return netip.AddrPort{}, err
	}
	return original, asked
}

// Names of the option for IPv4 and IPv6 (linux/netfilter_ipv4.h, linux/netfilter_ipv6/ip6_tables.h).
const (
	soOriginalDst     = 80
	soOriginalDstIPv6 = 80
)

// socketOriginalDst asks with two options of other meanings, whose values have room for a socket address: 16 bytes for IPv4, 28 for IPv6.
func socketOriginalDst(fd int, v6 bool) (netip.AddrPort, error) {
	if v6 {
		value, err := unix.GetsockoptIPv6MTUInfo(fd, unix.IPPROTO_IPV6, soOriginalDstIPv6)
		if err != nil {
			return netip.AddrPort{}, err
		}
		return netip.AddrPortFrom(netip.AddrFrom16(value.Addr.Addr), networkOrder(value.Addr.Port)), nil
	}
	value, err := unix.GetsockoptIPv6Mreq(fd, unix.IPPROTO_IP, soOriginalDst)
	if err != nil {
		return netip.AddrPort{}, err
	}
	b := value.Multiaddr // family, port, address
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:4])), nil
}

func networkOrder(port uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], port)
	return binary.BigEndian.Uint16(b[:])
}

// listen opens a listener's socket. One of TPROXY accepts what is meant for any address.
func (l *Listener) listen() (net.Listener, error) {
	if l.OriginalDst != TProxy {
		return net.Listen("tcp", l.Address)
	}
	config := net.ListenConfig{Control: func(network, _ string, raw syscall.RawConn) error {
		var err error
		if controlled := raw.Control(func(fd uintptr) {
			if network == "tcp6" {
				if err = unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_TRANSPARENT, 1); err != nil {
					return
				}
			}
			err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_TRANSPARENT, 1)
		}); controlled != nil {
			return controlled
		}
		if err != nil {
			return fmt.Errorf("IP_TRANSPARENT, for which CAP_NET_ADMIN is needed: %w", err)
		}
		return nil
	}}
	return config.Listen(context.Background(), "tcp", l.Address)
}
