package replay

import (
	"fmt"
	"net/netip"
	"strings"
)

// Names says which server name a replayed hello asks for. A client that sent none sends none. The zero value keeps names.
type Names struct {
	All string    // every name becomes this one; empty: see Map
	Map []Rewrite // the first that matches rewrites a name; one that none matches is kept
}

// Rewrite turns names into others: "www.example.com" into "canary.example.com", or, with a star for any beginning, "*.example.com"
// into "*.staging.example.com".
type Rewrite struct{ From, To string }

// ParseRewrite reads OLD=NEW.
func ParseRewrite(text string) (Rewrite, error) {
	from, to, ok := strings.Cut(text, "=")
	from, to = strings.ToLower(strings.TrimSpace(from)), strings.TrimSpace(to)
	switch {
	case !ok || from == "" || to == "":
		return Rewrite{}, fmt.Errorf("%q is not OLD=NEW", text)
	case strings.Contains(strings.TrimPrefix(from, "*"), "*") || strings.Contains(strings.TrimPrefix(to, "*"), "*"):
		return Rewrite{}, fmt.Errorf("%q: a star stands for the beginning of a name only", text)
	case strings.HasPrefix(to, "*") && !strings.HasPrefix(from, "*"):
		return Rewrite{}, fmt.Errorf("%q: a star on the right needs one on the left", text)
	}
	return Rewrite{From: from, To: to}, nil
}

// Apply gives the name to ask for in place of a recorded one.
func (n Names) Apply(name string) string {
	if name == "" {
		return ""
	}
	if n.All != "" {
		return n.All
	}
	folded := strings.ToLower(name)
	for _, r := range n.Map {
		suffix, star := strings.CutPrefix(r.From, "*")
		switch {
		case !star && folded == r.From:
			return r.To
		case star:
			if head, ok := strings.CutSuffix(folded, suffix); ok && head != "" {
				if tail, more := strings.CutPrefix(r.To, "*"); more {
					return head + tail
				}
				return r.To
			}
		}
	}
	return name
}

// isName reports whether a host of an address can stand in server_name, where "Literal IPv4 and IPv6 addresses are not permitted"
// (RFC 6066, Section 3).
func isName(host string) bool {
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host != "" && err != nil
}

// NameOf is the host of HOST:PORT where it is a name; empty: it is an address.
func NameOf(address string) string {
	host := address
	if at := strings.LastIndexByte(address, ':'); at >= 0 {
		host = address[:at]
	}
	if !isName(host) {
		return ""
	}
	return strings.TrimSuffix(host, ".")
}
