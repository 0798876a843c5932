package probe

import (
	"fmt"
	"net/netip"
)

// ProxyHeader is a header of the PROXY protocol (haproxy.org, doc/proxy-protocol.txt), which tells a server behind a load
// balancer who its client is.
type ProxyHeader struct {
	Version     int            // 1 or 2; 0: 1
	Source      netip.AddrPort // the client that is said; invalid: our own address on the connection
	Destination netip.AddrPort // invalid: the server's address on the connection
}

// signature2 begins a header of version 2 (Section 2.2).
const signature2 = "\r\n\r\n\x00\r\nQUIT\n"

// bytes is the header for a connection between two addresses.
func (p *ProxyHeader) bytes(local, remote netip.AddrPort) []byte {
	source, destination := p.Source, p.Destination
	if !source.IsValid() {
		source = local
	}
	if !destination.IsValid() {
		destination = remote
	}
	source = netip.AddrPortFrom(source.Addr().Unmap().WithZone(""), source.Port())
	destination = netip.AddrPortFrom(destination.Addr().Unmap().WithZone(""), destination.Port())
	known := source.IsValid() && destination.IsValid() && source.Addr().Is4() == destination.Addr().Is4()
	if p.Version == 2 {
		return version2(source, destination, known)
	}
	if !known {
		return []byte("PROXY UNKNOWN\r\n")
	}
	family := "TCP4"
	if source.Addr().Is6() {
		family = "TCP6"
	}
	return fmt.Appendf(nil, "PROXY %s %s %s %d %d\r\n", family, source.Addr(), destination.Addr(), source.Port(), destination.Port())
}

func version2(source, destination netip.AddrPort, known bool) []byte {
	b := []byte(signature2)
	if !known {
		return append(b, 0x20, 0, 0, 0) // LOCAL, no addresses
	}
	family := byte(0x11) // TCP over IPv4
	addresses := append(source.Addr().AsSlice(), destination.Addr().AsSlice()...)
	if source.Addr().Is6() {
		family = 0x21
	}
	addresses = append(addresses, byte(source.Port()>>8), byte(source.Port()), byte(destination.Port()>>8), byte(destination.Port()))
	return append(append(b, 0x21, family, 0, byte(len(addresses))), addresses...)
}
