package chain

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"strings"
)

// nameRefusals says why a family does not find the name asked for in the certificate.
func (e *examination) nameRefusals(h *habits) []Because {
	if e.covers(h) {
		return nil
	}
	b := Because{NameMismatch, "", e.leaf.index, "no name of the certificate matches " + clip(e.o.Name)}
	if i := slices.IndexFunc(e.r.Faults, func(f Fault) bool { return f.ID == NameMismatch }); i >= 0 {
		b.Reason, b.Text = e.r.Faults[i].Reason, e.r.Faults[i].Detail
	} else if i := slices.IndexFunc(e.r.Faults, func(f Fault) bool { return f.ID == BadName && f.Reason != ReasonDuplicateName }); i >= 0 {
		// Others find the name: what is wrong with it is why this family does not.
		b.Fault, b.Reason, b.Text = BadName, e.r.Faults[i].Reason, b.Text+": "+e.r.Faults[i].Detail
	}
	return []Because{b}
}

// fewCover says whether the name asked for is found by crypto/x509, and by the fewest of the other families.
func (e *examination) fewCover() bool {
	if e.o.Name == "" || e.verifyName() != nil {
		return false
	}
	not, all := 0, 0
	for _, h := range families() {
		if h.paths == ownVerifying {
			continue
		}
		all++
		if !e.covers(&h) {
			not++
		}
	}
	return 2*not > all
}

// covers says whether a family finds the name asked for.
func (e *examination) covers(h *habits) bool {
	c := e.leaf.Certificate
	host := strings.Trim(e.o.Name, "[]")
	dns, addresses, broken := e.alternativeNames()
	if broken && !h.badAddress {
		dns, addresses = nil, nil // the extension as a whole is passed over
	}
	if ip := net.ParseIP(host); ip != nil {
		for _, a := range addresses {
			if h.mappedAddress && net.IP(a).Equal(ip) {
				return true
			}
			if v4 := ip.To4(); v4 != nil && bytes.Equal(v4, a) || v4 == nil && bytes.Equal(ip, a) {
				return true
			}
		}
		return false
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !h.underscore && strings.Contains(host, "_") {
		return false
	}
	for _, name := range dns {
		if !h.emptyName && name == "" {
			return false // the whole certificate is refused
		}
	}
	for _, name := range dns {
		if h.match(host, strings.ToLower(name)) {
			return true
		}
	}
	if h.commonName == never || len(dns) > 0 || h.commonName == withoutNames && len(addresses) > 0 {
		return false
	}
	return c.Subject.CommonName != "" && h.match(host, strings.ToLower(c.Subject.CommonName))
}

// alternativeNames are the DNS names and addresses as they lie in the extension; broken says that an address has a wrong length.
func (e *examination) alternativeNames() (dns []string, addresses [][]byte, broken bool) {
	c := e.leaf.Certificate
	if !e.leaf.tolerated {
		for _, ip := range c.IPAddresses[:min(len(c.IPAddresses), maxNamesCompared)] {
			addresses = append(addresses, ip)
		}
		return c.DNSNames[:min(len(c.DNSNames), maxNamesCompared)], addresses, false
	}
	ext := extension(c, oidSubjectAltName)
	if ext == nil {
		return nil, nil, false
	}
	names, ok := generalNames(ext.Value)
	broken = !ok
	for _, n := range names[:min(len(names), maxNamesCompared)] {
		switch n.tag {
		case tagDNSName:
			dns = append(dns, string(n.value))
		case tagIPAddress:
			broken = broken || len(n.value) != net.IPv4len && len(n.value) != net.IPv6len
			addresses = append(addresses, n.value)
		}
	}
	return dns, addresses, broken
}

// matchWhole matches a wildcard that is the whole left-most label (RFC 9525, Section 6.3), but not over a public suffix, as
// browsers do.
func matchWhole(host, pattern string) bool {
	base, wild := strings.CutPrefix(pattern, "*.")
	if !wild {
		return host == pattern && pattern != ""
	}
	_, parent, ok := strings.Cut(host, ".")
	return ok && parent == base && !publicSuffix(base)
}

// matchOpenSSL also matches a wildcard at either end of the left-most label; two labels must follow it.
func matchOpenSSL(host, pattern string) bool {
	label, base, ok := strings.Cut(pattern, ".")
	before, after, wild := strings.Cut(label, "*")
	if !wild || !ok || strings.Contains(after+base, "*") || !strings.Contains(base, ".") || before != "" && after != "" || strings.HasPrefix(label, "xn--") {
		return host == pattern && pattern != ""
	}
	first, parent, ok := strings.Cut(host, ".")
	if !ok || parent != base || len(first) < len(before)+len(after) || strings.HasPrefix(first, "xn--") && before+after != "" {
		return false
	}
	return first != "" && strings.HasPrefix(first, before) && strings.HasSuffix(first, after)
}

// matchGnuTLS matches a wildcard at the beginning of the name, with two labels after it.
func matchGnuTLS(host, pattern string) bool {
	rest, wild := strings.CutPrefix(pattern, "*")
	if !wild {
		return host == pattern && pattern != ""
	}
	after, base, ok := strings.Cut(rest, ".")
	if !ok || !strings.Contains(base, ".") || strings.Contains(rest, "*") {
		return false
	}
	first, parent, ok := strings.Cut(host, ".")
	return ok && parent == base && len(first) >= len(after) && strings.HasSuffix(first, after)
}

// matchJava matches wildcards within any label, as many labels on both sides (HostnameChecker's matchAllWildcards).
func matchJava(host, pattern string) bool {
	hosts, patterns := strings.Split(host, "."), strings.Split(pattern, ".")
	if len(hosts) != len(patterns) || pattern == "*" {
		return false
	}
	for i, p := range patterns {
		if !glob(hosts[i], p) {
			return false
		}
	}
	return true
}

// glob matches one label with stars in it.
func glob(label, pattern string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return label == pattern
	}
	rest, ok := strings.CutPrefix(label, parts[0])
	if !ok {
		return false
	}
	for _, p := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, p)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// named says how many there are of something.
func named(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
