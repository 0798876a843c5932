package nginx

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/spelling"
)

// unknown reports directives that look like TLS settings and are none that is judged. inside is the location or if block around them.
func (im *importer) unknown(body []*statement, inside string) {
	for _, d := range body {
		im.unknownDirective(d, inside)
		switch d.name {
		case "types", "map", "geo", "upstream", "split_clients", "match", "charset_map":
		case "location", "if", "limit_except":
			im.unknown(d.body, d.name)
		default:
			im.unknown(d.body, inside)
		}
	}
}

func (im *importer) unknownDirective(d *statement, inside string) {
	name := d.name
	for _, prefix := range []string{"proxy_", "grpc_", "uwsgi_"} {
		name = strings.TrimPrefix(name, prefix)
	}
	isKnown := slices.Contains(known, name)
	switch {
	case isKnown && inside != "" && d.name == name && name != "ssl":
		im.refuse(d.file, d.line, "%s is not allowed inside %s; nginx refuses it", d.name, inside)
	case isKnown:
	case d.isBlock: // of Lua, say
		if strings.HasPrefix(name, "ssl_") {
			im.problem(d.file, d.line, "%s is not judged: what it does to a handshake is not in the policy", d.name)
		}
	default:
		if near := misspelt(name); near != "" {
			im.refuse(d.file, d.line, "%s is no directive of nginx, which refuses it; %s is the nearest name", d.name, near)
		} else if strings.HasPrefix(strings.ToLower(name), "ssl") {
			im.problem(d.file, d.line, "%s is not judged: what it does to a handshake is not in the policy", d.name)
		}
	}
	if d.name == "http2" && !im.version.since("1.25.1") && !d.isBlock {
		im.missing(d, "http2: nginx %v has no such directive and refuses it", im.version)
	}
	if d.name == "ssl" && im.version.since("1.25.1") {
		im.missing(d, "ssl: nginx %v has no such directive and refuses it", im.version)
	}
}

// shortest is the length from which on a name that is nearly another's is taken for a slip of the pen.
const shortest = 8

// misspelt is the directive for which a name is a slip: in another case, or with up to two bytes that are wrong. Empty: there is none.
func misspelt(name string) string {
	if len(name) > 64 {
		return ""
	}
	lower := strings.ToLower(name)
	best, least := "", 3
	for _, k := range known {
		if len(k) < shortest || len(lower) < shortest-2 {
			continue
		}
		if d := spelling.Distance(lower, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// passThrough tells of a server of the stream module that reads the hello and hands the connection on as it is.
func (im *importer) passThrough(s *server) {
	if !s.stream || slices.ContainsFunc(s.sockets, func(at *socket) bool { return at.ssl }) {
		return
	}
	if d := im.one(s.scope, "ssl_preread", 1); d != nil && im.isOn(d) {
		im.problem(s.at.file, s.at.line, "the server passes TLS on without ending it (ssl_preread): what its proxy_pass leads to decides, and is no endpoint here")
	}
}
