package revocation

import (
	"fmt"
	"net/netip"
)

// AddressError is an address that is not asked, because it is not public and not allowed.
type AddressError struct {
	Address netip.Addr
	Why     string
}

// Error names the address and what it is.
func (e *AddressError) Error() string {
	return fmt.Sprintf("%s is %s: only public addresses and allowed hosts are asked", e.Address, e.Why)
}

// special are networks that are no public hosts although they look like addresses of some: the IANA special-purpose registries, and the
// metadata address that Azure took from the public space.
func special() []struct{ network, why string } {
	return []struct{ network, why string }{
		{"0.0.0.0/8", "of this network"},
		{"10.0.0.0/8", "private"},
		{"100.64.0.0/10", "shared address space"},
		{"127.0.0.0/8", "loopback"},
		{"168.63.129.16/32", "a cloud's metadata service"},
		{"169.254.169.254/32", "a cloud's metadata service"},
		{"169.254.0.0/16", "link-local"},
		{"172.16.0.0/12", "private"},
		{"192.0.0.0/24", "reserved for protocols"},
		{"192.0.2.0/24", "for documentation"},
		{"192.31.196.0/24", "of a sink"},
		{"192.52.193.0/24", "a relay's"},
		{"192.88.99.0/24", "a 6to4 relay's"},
		{"192.168.0.0/16", "private"},
		{"192.175.48.0/24", "of a sink"},
		{"198.18.0.0/15", "for benchmarks"},
		{"198.51.100.0/24", "for documentation"},
		{"203.0.113.0/24", "for documentation"},
		{"224.0.0.0/4", "multicast"},
		{"240.0.0.0/4", "reserved"},

		{"::/128", "unspecified"},
		{"::1/128", "loopback"},
		{"::/96", "an IPv4 address in IPv6"},
		{"64:ff9b::/96", "NAT64, which leads to an IPv4 address"},
		{"64:ff9b:1::/48", "NAT64, which leads to an IPv4 address"},
		{"100::/64", "discarded"},
		{"2001::/23", "reserved for protocols"}, // Teredo among them
		{"2001:db8::/32", "for documentation"},
		{"2002::/16", "6to4, which leads to an IPv4 address"},
		{"2620:4f:8000::/48", "of a sink"},
		{"3fff::/20", "for documentation"},
		{"fc00::/7", "unique local"}, // fd00:ec2::254 among them
		{"fe80::/10", "link-local"},
		{"fec0::/10", "site-local"},
		{"ff00::/8", "multicast"},
	}
}

// public are the networks that a Fetcher asks without being told: what is not special, and in IPv6 global unicast alone.
type guard struct {
	special []netip.Prefix
	why     []string
	unicast netip.Prefix
}

func newGuard() *guard {
	g := &guard{unicast: netip.MustParsePrefix("2000::/3")}
	for _, s := range special() {
		g.special = append(g.special, netip.MustParsePrefix(s.network))
		g.why = append(g.why, s.why)
	}
	return g
}

// check refuses an address that is not public. An IPv4 address in IPv6 clothes is judged as what it is.
func (g *guard) check(a netip.Addr) error {
	if a.Zone() != "" {
		return &AddressError{a, "of one link"}
	}
	plain := a.Unmap()
	for i, network := range g.special {
		if network.Contains(plain) {
			return &AddressError{a, g.why[i]}
		}
	}
	if plain.Is6() && !g.unicast.Contains(plain) {
		return &AddressError{a, "not global unicast"}
	}
	return nil
}
