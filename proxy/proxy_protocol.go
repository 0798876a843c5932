package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"

	proxyproto "github.com/pires/go-proxyproto"
)

// ProxyProtocol says from whom a PROXY protocol header is required.
type ProxyProtocol struct {
	Trusted []netip.Prefix // peers that may send one; empty: any
}

var errUntrustedProxy = errors.New("proxy protocol: peer is not in the list of trusted proxies")

func (p *ProxyProtocol) trusts(peer netip.Addr) bool {
	peer = peer.Unmap()
	if len(p.Trusted) == 0 {
		return true
	}
	for _, prefix := range p.Trusted {
		if prefix.Contains(peer) {
			return true
		}
	}
	return false
}

// readProxyHeader reads the header that must stand before the first byte of TLS. It returns the addresses the header
// names (nil for LOCAL and UNKNOWN) and the bytes read beyond it.
func readProxyHeader(conn net.Conn, p *ProxyProtocol) (source, destination net.Addr, rest []byte, err error) {
	if !p.trusts(addrPort(conn.RemoteAddr()).Addr()) {
		return nil, nil, nil, errUntrustedProxy
	}
	r := bufio.NewReaderSize(conn, 2048)
	header, err := proxyproto.Read(r)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("proxy protocol: %w", err)
	}
	rest, _ = r.Peek(r.Buffered())
	if header.Command.IsLocal() || header.TransportProtocol.IsUnspec() {
		return nil, nil, rest, nil
	}
	return header.SourceAddr, header.DestinationAddr, rest, nil
}

// writeProxyHeader tells the backend whose connection this is.
func writeProxyHeader(conn net.Conn, version byte, source, destination net.Addr) error {
	header := proxyproto.HeaderProxyFromAddrs(version, source, destination)
	_, err := header.WriteTo(conn)
	return err
}

// addrPort is the address and port in a, or the zero AddrPort.
func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort()
	}
	return netip.AddrPort{}
}
