package chain

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/spelling"
)

// verifyName is crypto/x509's answer about the name, nil when none was asked for.
func (e *examination) verifyName() error {
	if e.o.Name == "" {
		return nil
	}
	return e.leaf.VerifyHostname(e.o.Name)
}

// judgeName reports that the leaf does not cover the name asked for, with what it covers instead.
func (e *examination) judgeName() {
	if e.verifyName() == nil {
		return
	}
	c := e.leaf
	asked := clip(e.o.Name)
	f := Fault{ID: NameMismatch, Index: c.index, Fatal: true}
	cn := c.Subject.CommonName
	switch {
	case len(c.DNSNames)+len(c.IPAddresses) == 0 && cn != "":
		f.Reason, f.Names = ReasonCommonNameOnly, []string{clip(cn)}
		f.Detail = fmt.Sprintf("the certificate has no subject alternative names, only the common name %s, which clients no longer read (RFC 9525, Section 6.3); asked for was %s", clip(cn), asked)
	case len(c.DNSNames)+len(c.IPAddresses) == 0:
		f.Detail = fmt.Sprintf("the certificate has no name at all; asked for was %s", asked)
	case isIP(e.o.Name):
		f.Names, f.Detail = e.addressDetail(asked)
		if slices.Contains(c.DNSNames, strings.Trim(asked, "[]")) {
			f.Reason = ReasonAddressAsName
		}
	default:
		f.Names, f.Detail = e.nameDetail(asked)
		if len(f.Names) > 0 {
			f.Reason = nearMiss(strings.ToLower(strings.TrimSuffix(e.o.Name, ".")), strings.ToLower(f.Names[0]))
		}
	}
	e.add(f)
}

func (e *examination) addressDetail(asked string) ([]string, string) {
	c := e.leaf
	bare := strings.Trim(asked, "[]")
	if slices.Contains(c.DNSNames, bare) {
		return []string{bare}, fmt.Sprintf("the address %s stands in the certificate as a DNS name; it must be an IP address entry to count (RFC 5280, Section 4.2.1.6)", bare)
	}
	var names []string
	for _, ip := range c.IPAddresses[:min(len(c.IPAddresses), maxNames)] {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		names = firstNames(c.DNSNames)
		return names, fmt.Sprintf("asked for was the address %s, but the certificate has no IP address entry, only DNS names: %s", asked, listed(names, len(c.DNSNames)))
	}
	return names, fmt.Sprintf("the certificate does not cover the address %s; its addresses are %s", asked, listed(names, len(c.IPAddresses)))
}

func (e *examination) nameDetail(asked string) ([]string, string) {
	c := e.leaf
	host := strings.ToLower(strings.TrimSuffix(e.o.Name, "."))
	nearest := nearestNames(host, c.DNSNames)
	total := len(c.DNSNames)
	if len(nearest) == 0 {
		for _, ip := range c.IPAddresses[:min(len(c.IPAddresses), maxNames)] {
			nearest = append(nearest, ip.String())
		}
		total = len(c.IPAddresses)
	}
	detail := fmt.Sprintf("the certificate does not cover %s; it is for %s", asked, listed(nearest, total))
	if len(nearest) == 0 {
		return nil, detail
	}
	if why := wildcardGap(host, nearest[0]); why != "" {
		detail += ": " + why
	}
	return nearest, detail
}

// wildcardGap explains why a wildcard that looks as if it covered the host does not (RFC 9525, Section 6.3: the wildcard is
// the whole left-most label and matches one label).
func wildcardGap(host, pattern string) string {
	base, ok := strings.CutPrefix(strings.ToLower(pattern), "*.")
	switch {
	case !ok:
		return ""
	case host == base:
		return fmt.Sprintf("%s does not cover %s itself", pattern, clip(host))
	case strings.HasSuffix(host, "."+base):
		return fmt.Sprintf("%s does not cover %s, a wildcard stands for one label only", pattern, clip(host))
	}
	return ""
}

// nearMiss is why the nearest name, which some clients match, does not count.
func nearMiss(host, name string) Reason {
	switch {
	case wildcardGap(host, name) != "":
		return ReasonWildcardDepth
	case strings.TrimSuffix(name, ".") == host:
		return ReasonTrailingDot
	case !strings.Contains(name, "*"):
		return ""
	}
	for _, r := range nameReasons(name) {
		if r == ReasonPartialWildcard || r == ReasonWildcardPlace {
			return r
		}
	}
	return ""
}

// firstNames are the first few names, bounded.
func firstNames(names []string) []string {
	var out []string
	for _, n := range names[:min(len(names), maxNames)] {
		out = append(out, clip(n))
	}
	return out
}

// listed joins names and says how many more there are.
func listed(names []string, total int) string {
	s := strings.Join(names[:min(len(names), 5)], ", ")
	if more := total - min(len(names), 5); more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s
}

// nearestNames are the few names of the list that are most like the host: those that share most labels from the right,
// then those with the fewest edits. A hostile list is cut at maxNamesCompared.
func nearestNames(host string, list []string) []string {
	type candidate struct {
		name   string
		shared int
		edits  int
	}
	all := make([]candidate, 0, min(len(list), maxNamesCompared))
	for _, n := range list[:min(len(list), maxNamesCompared)] {
		all = append(all, candidate{name: n, shared: sharedLabels(host, strings.ToLower(n))})
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(b.shared, a.shared) })
	all = all[:min(len(all), 64)]
	for i := range all {
		all[i].edits = edits(host, strings.ToLower(all[i].name))
	}
	// A near miss in spelling says more than a shared suffix, but only when it is a near miss.
	near := max(2, len(host)/5)
	slices.SortStableFunc(all, func(a, b candidate) int {
		if a.edits <= near || b.edits <= near {
			return cmp.Compare(a.edits, b.edits)
		}
		return cmp.Or(cmp.Compare(b.shared, a.shared), cmp.Compare(a.edits, b.edits))
	})
	var out []string
	for _, c := range all[:min(len(all), maxNames)] {
		out = append(out, clip(c.name))
	}
	return out
}

// sharedLabels counts the labels that two names have in common from the right.
func sharedLabels(a, b string) int {
	if net.ParseIP(a) != nil {
		return 0
	}
	n := 0
	for a != "" && b != "" && n < 32 {
		i, j := strings.LastIndexByte(a, '.'), strings.LastIndexByte(b, '.')
		if a[i+1:] != b[j+1:] {
			break
		}
		n++
		a, b = a[:max(i, 0)], b[:max(j, 0)]
	}
	return n
}

// edits is how many letters two names differ by, in their first 128 bytes.
func edits(a, b string) int {
	return spelling.Distance(a[:min(len(a), 128)], b[:min(len(b), 128)])
}
