package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/tlstriage/tlstriage/inspect"
)

// OriginalDst is how the kernel hands over connections that were on their way to another address.
type OriginalDst string

// Ways of handing over.
const (
	Redirect OriginalDst = "redirect" // REDIRECT or DNAT on this machine: the kernel remembers the address
	TProxy   OriginalDst = "tproxy"   // TPROXY: the address is the connection's local one
)

var errNotRedirected = errors.New("the connection was not redirected here: it was meant for this program's own address")

// findOriginal finds out where the client wanted to go, which is what the record has as the server, and where a backend without an address
// is. What was meant for this program itself, or came from it, is refused: it would come back without end.
func (c *connection) findOriginal() *inspect.Error {
	original := unmapped(addrPort(c.conn.LocalAddr()))
	if c.listener.OriginalDst == Redirect {
		var err error
		if original, err = originalDst(c.conn); err != nil {
			return &inspect.Error{Type: inspect.ErrorLoop, Phase: inspect.PhaseDecide, Message: fmt.Sprintf("no address that the client wanted to go to is known: %v", err)}
		}
	}
	if c.server.listensOn(original) {
		return &inspect.Error{Type: inspect.ErrorLoop, Phase: inspect.PhaseDecide, Message: errNotRedirected.Error()}
	}
	c.original = original.String()
	c.destination = net.TCPAddrFromAddrPort(original)
	c.record.Server = inspect.EndpointOf(original)
	return nil
}

// towards sets where the backend leg goes, and the names for it, for a client that asks for a name.
func (c *connection) towards(name string) {
	b := c.route.Backend
	c.how.verified, c.how.sent = b.nameFor(name)
	if b.Address != "" || c.original == "" {
		return
	}
	c.how.address = c.original
	if c.how.verified == "" && b.VerifyPeer != nil {
		c.how.verified, _ = hostPort(c.original) // certificates decide: then one for that very address is wanted
	}
}

// listensOn reports whether an address is one that this server's own listeners accept at.
func (s *Server) listensOn(a netip.AddrPort) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sock := range s.sockets {
		own := addrPort(sock.Addr())
		if own.Port() != a.Port() {
			continue
		}
		if !own.Addr().IsUnspecified() {
			if own.Addr().Unmap() == a.Addr() {
				return true
			}
		} else if isLocal(a.Addr()) {
			return true
		}
	}
	return false
}

// isLocal reports whether an address is one of this machine's.
func isLocal(a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, own := range addresses {
		if n, ok := own.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap() == a.WithZone("") {
				return true
			}
		}
	}
	return false
}

// unmapped is an address in the form that IPv4 addresses have everywhere.
func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
