package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"

	proxyproto "github.com/pires/go-proxyproto"
)

// TrustedPeers says from whom a PROXY protocol header is required.
type TrustedPeers struct {
	Prefixes []netip.Prefix // peers that may send one; empty: any
}

var errUntrustedProxy = errors.New("proxy protocol: peer is not in the list of trusted proxies")

func (p *TrustedPeers) trusts(peer netip.Addr) bool {
	peer = peer.Unmap().WithZone("") // a prefix holds no address with a zone
	if len(p.Prefixes) == 0 {
		return true
	}
	for _, prefix := range p.Prefixes {
		if prefix.Contains(peer) {
			return true
		}
	}
	return false
}

// proxySignature begins a header of version 2.
const proxySignature = "\r\n\r\n\x00\r\nQUIT\n"

// The most of a header that makes no sense that is kept for the record.
const maxProxyHeaderShown = 256

// readProxyHeader reads the header that must stand before the first byte of TLS. It returns the addresses the header
// names (nil for LOCAL, UNKNOWN and what is no TCP) and the bytes read beyond it; with an error, what began as a header.
func readProxyHeader(conn net.Conn, p *TrustedPeers) (source, destination net.Addr, rest []byte, err error) {
	if !p.trusts(addrPort(conn.RemoteAddr()).Addr()) {
		return nil, nil, nil, errUntrustedProxy
	}
	r := bufio.NewReaderSize(conn, 2048)
	if err := awaitLine(r); err != nil {
		return nil, nil, nil, fmt.Errorf("proxy protocol: %w", err)
	}
	if b, _ := r.Peek(1); b[0] == proxySignature[0] {
		_, _ = r.Peek(len(proxySignature)) // the library waits for as much
	}
	first, _ := r.Peek(min(r.Buffered(), maxProxyHeaderShown))
	first = bytes.Clone(first)
	header, err := proxyproto.Read(r)
	if err != nil {
		if line, _, _ := bytes.Cut(first, []byte("\n")); bytes.HasPrefix(line, []byte(proxyLinePrefix)) {
			rest = append(line, '\n') // and nothing of what follows
		} else if bytes.HasPrefix(first, []byte(proxySignature)) {
			rest = first
		}
		return nil, nil, rest, fmt.Errorf("proxy protocol: %w", err)
	}
	rest, _ = r.Peek(r.Buffered())
	from, to, ok := header.TCPAddrs()
	if header.Command.IsLocal() || !ok {
		return nil, nil, rest, nil
	}
	return from, to, rest, nil
}

// The longest header of version 1, and what it begins with.
const (
	maxProxyLine    = 107
	proxyLinePrefix = "PROXY "
)

// awaitLine reads until a header of version 1 is whole: the library takes one that comes in several segments for an attack,
// but it is the deadline that is there for slow senders. Anything else it leaves alone.
func awaitLine(r *bufio.Reader) error {
	for n := 1; n <= maxProxyLine; n = max(n, r.Buffered()) + 1 {
		if _, err := r.Peek(n); err != nil {
			return err
		}
		line, _ := r.Peek(r.Buffered())
		if bytes.IndexByte(line, '\n') >= 0 || !bytes.HasPrefix(line, []byte(proxyLinePrefix)[:min(len(line), len(proxyLinePrefix))]) {
			return nil
		}
	}
	return nil
}

// writeProxyHeader tells the backend whose connection this is.
func writeProxyHeader(conn net.Conn, version byte, source, destination net.Addr) error {
	header := proxyproto.HeaderProxyFromAddrs(version, source, destination)
	_, err := header.WriteTo(conn)
	return err
}

// addrPort is the address and port in a, or the zero AddrPort.
func addrPort(a net.Addr) netip.AddrPort {
	switch t := a.(type) {
	case *net.TCPAddr:
		return t.AddrPort()
	case *net.UDPAddr:
		return t.AddrPort()
	}
	return netip.AddrPort{}
}
