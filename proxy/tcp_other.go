//go:build !linux

package proxy

import (
	"net"

	"github.com/tlstriage/tlstriage/inspect"
)

// tcpFacts are told by Linux only.
func tcpFacts(net.Conn) *inspect.TCP { return nil }
