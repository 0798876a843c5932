package h3

import (
	"net"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// replyFrom makes of what the system said of a datagram what makes it send an answer from the address that the datagram came to: on a
// socket for all addresses it would else choose one, and the client would not know the sender.
func replyFrom(oob []byte) []byte {
	if len(oob) == 0 {
		return nil
	}
	var six ipv6.ControlMessage
	if six.Parse(oob) == nil && six.Dst != nil {
		return (&ipv6.ControlMessage{Src: six.Dst, IfIndex: six.IfIndex}).Marshal()
	}
	var four ipv4.ControlMessage
	if four.Parse(oob) == nil && four.Dst != nil {
		return (&ipv4.ControlMessage{Src: four.Dst, IfIndex: four.IfIndex}).Marshal()
	}
	return nil
}

// localAddr is the address that a datagram came to.
func (s *socket) localAddr(oob []byte) net.Addr {
	local, ok := s.udp.LocalAddr().(*net.UDPAddr)
	if !ok || !local.IP.IsUnspecified() || len(oob) == 0 {
		return s.udp.LocalAddr()
	}
	var six ipv6.ControlMessage
	if six.Parse(oob) == nil && six.Dst != nil {
		return &net.UDPAddr{IP: six.Dst, Port: local.Port}
	}
	var four ipv4.ControlMessage
	if four.Parse(oob) == nil && four.Dst != nil {
		return &net.UDPAddr{IP: four.Dst, Port: local.Port}
	}
	return local
}
