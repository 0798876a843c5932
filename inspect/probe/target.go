package probe

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/tlstriage/tlstriage/inspect/quicwire"
)

// Target is where a hello is sent, and what has to be said before it.
type Target struct {
	Address  string       // HOST:PORT; a name is resolved when it is dialled
	Proxy    *ProxyHeader // PROXY protocol header that goes first; nil: none
	StartTLS StartTLS     // dialogue that asks for TLS first; empty: none
	Name     string       // of the server in that dialogue, where one is said; empty: the host of Address
	QUIC     bool         // over QUIC, in Initial packets

	QUICVersion quicwire.Version // with QUIC: the version of the first Initial; 0: version 1
}

// host is the part of Address before the port, or Name.
func (t *Target) host() string {
	if t.Name != "" {
		return t.Name
	}
	host, _, err := net.SplitHostPort(t.Address)
	if err != nil {
		return t.Address
	}
	return host
}

// maxAddresses is how many addresses of a name are kept.
const maxAddresses = 32

// Resolve gives the addresses of HOST:PORT, in the resolver's order, each of which can be a Target's Address.
func Resolve(ctx context.Context, resolver *net.Resolver, address string) ([]netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("probe: %w", err)
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("probe: port %q is not between 1 and 65535", service)
	}
	if ip, err := netip.ParseAddr(host); err == nil { // a resolver would drop its zone
		return []netip.AddrPort{netip.AddrPortFrom(ip.Unmap(), uint16(port))}, nil
	}
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	ips, err := resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("probe: %w", err)
	}
	addresses := make([]netip.AddrPort, 0, min(len(ips), maxAddresses))
	for _, ip := range ips[:min(len(ips), maxAddresses)] {
		addresses = append(addresses, netip.AddrPortFrom(ip.Unmap(), uint16(port)))
	}
	return addresses, nil
}
