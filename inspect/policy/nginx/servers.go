package nginx

import (
	"slices"
)

// scope is a block with the blocks around it, from which it inherits.
type scope struct {
	parent *scope
	body   []*statement
}

// all are the directives of a name that hold here: the block's own or, where it has none, those of the block around it.
func (s *scope) all(name string) []*statement {
	for ; s != nil; s = s.parent {
		var own []*statement
		for _, d := range s.body {
			if d.name == name && !d.isBlock {
				own = append(own, d)
			}
		}
		if own != nil {
			return own
		}
	}
	return nil
}

// server is a server block.
type server struct {
	*scope
	at     *statement
	names  []*statement // server_name directives
	listen []listen
	stream bool
}

// socket is an address and port, with all servers on it.
type socket struct {
	name          string
	ssl, http2    bool
	servers       []*server // each once, in the order of the file
	defaultServer *server
}

// collect takes the servers of an http or stream block.
func (im *importer) collect(block *statement) (outer *scope, servers []*server) {
	outer = &scope{body: block.body}
	for _, d := range block.body {
		if d.name != "server" || !d.isBlock {
			continue
		}
		s := &server{scope: &scope{parent: outer, body: d.body}, at: d, stream: block.name == "stream"}
		for _, inner := range d.body {
			switch inner.name {
			case "listen":
				s.listen = append(s.listen, parseListen(inner, s.stream))
			case "server_name":
				s.names = append(s.names, inner)
			}
		}
		if s.listen == nil && !s.stream {
			s.listen = []listen{{statement: d, sockets: sockets("80")}} // what nginx running as root does
		}
		servers = append(servers, s)
	}
	return outer, servers
}

// socketsOf groups servers by where they listen. What one server says of a socket holds for all servers on it.
func (im *importer) socketsOf(servers []*server) []*socket {
	var out []*socket
	index := make(map[string]*socket)
	for _, s := range servers {
		legacy := im.flag(s.scope, "ssl") // "ssl on", up to 1.25.0
		for _, l := range s.listen {
			if l.quic {
				im.problem(l.file, l.line, "listen %s quic: HTTP/3 is not judged; the TCP sockets are", l.args[0])
				continue
			}
			for _, name := range l.sockets {
				at := index[name]
				if at == nil {
					at = &socket{name: name}
					index[name] = at
					out = append(out, at)
				}
				at.ssl = at.ssl || l.ssl || legacy
				at.http2 = at.http2 || l.http2
				if !slices.Contains(at.servers, s) {
					at.servers = append(at.servers, s)
				}
				switch {
				case !l.isDefault:
				case at.defaultServer != nil && at.defaultServer != s:
					im.problem(l.file, l.line, "listen %s: a second default server for this address; nginx refuses it", l.args[0])
				default:
					at.defaultServer = s
				}
			}
		}
	}
	for _, at := range out {
		if at.defaultServer == nil {
			at.defaultServer = at.servers[0]
		}
	}
	return out
}
