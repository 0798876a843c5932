package h3

import (
	"net"

	"go.uber.org/zap"
)

// receiveBuffer is how much may wait in a UDP socket: what quic-go asks the system for. With less, datagrams are lost under load, which
// looks like a bad network.
const receiveBuffer = 7 << 20

// checkBuffer says aloud that the system gives less, once for a socket: nothing here can change that.
func (s *Server) checkBuffer(udp *net.UDPConn) {
	got, ok := receiveBufferOf(udp)
	if ok && got < receiveBuffer {
		s.Log.Warn("the system gives UDP sockets a small receive buffer; under load datagrams will be lost",
			zap.Stringer("address", udp.LocalAddr()), zap.Int("bytes", got), zap.Int("wanted", receiveBuffer), zap.String("fix", "sysctl -w net.core.rmem_max=7500000"))
	}
}
