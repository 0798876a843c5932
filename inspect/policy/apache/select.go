package apache

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
)

// Select finds the virtual host that answers a client that asks for name (empty: for none) where listen says ("443", "*:443",
// "10.0.0.1:443"; empty: anywhere): the first whose ServerName or ServerAlias fits, or else the first of the address. nil: nothing
// listens there, or without listen nothing has that name and several addresses have a default host of their own. A dot at the end of a
// name is a part of it (modules/ssl/ssl_engine_kernel.c, ssl_find_vhost).
func Select(r *imported.Result, name, listen string) *imported.Endpoint {
	name = strings.ToLower(name)
	var fallback *imported.Endpoint
	defaults := 0
	for _, e := range r.Endpoints {
		if e.System != Kind || e.Side != imported.Server || !listensOn(e, listen) {
			continue
		}
		if name != "" && answers(e, name) {
			return e
		}
		if e.Default {
			if fallback == nil {
				fallback = e
			}
			defaults++
		}
	}
	if listen != "" || defaults == 1 {
		return fallback
	}
	return nil
}

func answers(e *imported.Endpoint, name string) bool {
	if e.Name == name {
		return true
	}
	return slices.ContainsFunc(e.Facts, func(f imported.Fact) bool {
		return strings.EqualFold(f.Setting, "ServerAlias") && fits(strings.ToLower(f.Value), name)
	})
}

// fits matches a name with a pattern in which * stands for any characters and ? for one.
func fits(pattern, name string) bool {
	star, mark := -1, 0
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p, n = p+1, n+1
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

func listensOn(e *imported.Endpoint, listen string) bool {
	if listen == "" {
		return true
	}
	if strings.Trim(listen, "0123456789") == "" {
		listen = "*:" + listen
	}
	host, port := address(listen), ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host, port = host[:i], host[i+1:]
	}
	return slices.ContainsFunc(e.Listen, func(at string) bool {
		i := strings.LastIndexByte(at, ':')
		return i >= 0 && (at[i+1:] == port || at[i+1:] == "*") && (host == "*" || at[:i] == host || at[:i] == "*")
	})
}
