package revocation

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// allowList is AllowHosts.
type allowList struct {
	hosts    map[string]bool // "host" and "host:port"
	networks []netip.Prefix
}

func (l *allowList) add(entry string) error {
	if network, err := netip.ParsePrefix(entry); err == nil {
		l.networks = append(l.networks, network.Masked())
		return nil
	}
	if l.hosts == nil {
		l.hosts = make(map[string]bool)
	}
	if a, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
		l.hosts[a.Unmap().String()] = true
		return nil
	}
	host, port := entry, ""
	if strings.Contains(entry, ":") {
		var err error
		if host, port, err = net.SplitHostPort(entry); err != nil {
			return fmt.Errorf("revocation: allowed host %q: %w", entry, err)
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("revocation: allowed host %q: port %q is no port", entry, port)
		}
	}
	if host == "" || strings.ContainsAny(host, "/@*? ") {
		return fmt.Errorf("revocation: allowed host %q is neither a host, host:port, address nor network", entry)
	}
	if port != "" {
		l.hosts[canonical(host)+":"+port] = true
		return nil
	}
	l.hosts[canonical(host)] = true
	return nil
}

// host says whether a host may be asked whatever it resolves to.
func (l *allowList) host(host, port string) bool {
	host = canonical(host)
	return l.hosts[host] || l.hosts[host+":"+port] || l.address(host)
}

// address says whether a literal address is in an allowed network.
func (l *allowList) address(host string) bool {
	a, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	for _, network := range l.networks {
		if network.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}

// canonical is a host as it is compared.
func canonical(host string) string {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().String()
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
