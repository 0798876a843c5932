package haproxy

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
)

// Select finds the server endpoint that answers a client that asks for name (empty: for none) where listen says: an address as
// written on the bind line, a port (":443" or "443"), or a frontend; empty: anywhere. nil: nothing listens there, or strict-sni
// refuses the name. A dot at the end of a name is a part of it, and what a wildcard stands for can be empty: HAProxy looks for all that
// follows the first dot (src/ssl_sock.c, ssl_sock_switchctx_cbk).
func Select(r *imported.Result, name, listen string) *imported.Endpoint {
	name = strings.ToLower(name)
	_, domain, _ := strings.Cut(name, ".")
	var wildcard, fallback *imported.Endpoint
	for _, e := range r.Endpoints {
		if e.System != Kind || e.Side != imported.Server || !listensOn(e, listen) {
			continue
		}
		switch {
		case e.Default:
			if fallback == nil {
				fallback = e
			}
		case name != "" && slices.Contains(e.Policy.Names, name):
			return e
		case name != "" && wildcard == nil && slices.Contains(e.Policy.Names, "*."+domain) && !leavesOut(e, name):
			wildcard = e
		}
	}
	if wildcard != nil {
		return wildcard
	}
	return fallback
}

func leavesOut(e *imported.Endpoint, name string) bool {
	return slices.ContainsFunc(e.Facts, func(f imported.Fact) bool { return f.Setting == filterFact && f.Value == "!"+name })
}

func listensOn(e *imported.Endpoint, listen string) bool {
	if listen == "" || slices.Contains(e.Listen, listen) {
		return true
	}
	if frontend, _, _ := strings.Cut(e.Name, "/"); frontend == listen || e.Name == listen {
		return true
	}
	port := strings.TrimPrefix(strings.TrimPrefix(listen, "*"), ":")
	if strings.Trim(port, "0123456789") != "" {
		return false
	}
	return slices.ContainsFunc(e.Listen, func(at string) bool { return strings.HasSuffix(at, ":"+port) })
}
