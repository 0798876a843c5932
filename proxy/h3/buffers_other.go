//go:build !linux

package h3

import "net"

func receiveBufferOf(*net.UDPConn) (bytes int, ok bool) { return 0, false }
