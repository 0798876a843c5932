package nginx

// scope is a block with the blocks around it, from which it inherits.
type scope struct {
	parent *scope
	body   []*statement
	byName map[string][]*statement // of body, made when it is first asked for
}

// all are the directives of a name that hold here: the block's own or, where it has none, those of the block around it.
func (s *scope) all(name string) []*statement {
	for ; s != nil; s = s.parent {
		if s.byName == nil {
			s.byName = make(map[string][]*statement)
			for _, d := range s.body {
				if !d.isBlock {
					s.byName[d.name] = append(s.byName[d.name], d)
				}
			}
		}
		if own := s.byName[name]; own != nil {
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
	// sockets are where it listens, in the order of its directives, some perhaps twice.
	sockets []*socket
}

// socket is an address and port.
type socket struct {
	name          string
	ssl, http2    bool
	explicit      bool // a server says that it is the default
	defaultServer *server
}

// collect takes the servers of an http or stream block.
func (im *importer) collect(block *statement) (servers []*server) {
	outer := &scope{body: block.body}
	for _, d := range block.body {
		if d.name != "server" || !d.isBlock {
			continue
		}
		s := &server{scope: &scope{parent: outer, body: d.body}, at: d, stream: block.name == "stream"}
		for _, inner := range d.body {
			switch inner.name {
			case "listen":
				l := parseListen(inner, s.stream)
				if im.listens += len(l.sockets); im.listens > maxSockets {
					im.problem(block.file, block.line, "more than %d sockets; the rest is left out", maxSockets)
					return servers
				}
				s.listen = append(s.listen, l)
			case "server_name":
				s.names = append(s.names, inner)
			}
		}
		if s.listen == nil && !s.stream {
			s.listen = []listen{{statement: d, sockets: sockets("80")}} // what nginx running as root does
		}
		servers = append(servers, s)
	}
	return servers
}

// socketsOf groups servers by where they listen. What one server says of a socket holds for all servers on it.
func (im *importer) socketsOf(servers []*server) {
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
					at = &socket{name: name, defaultServer: s}
					index[name] = at
				}
				s.sockets = append(s.sockets, at)
				at.ssl = at.ssl || l.ssl || legacy
				at.http2 = at.http2 || l.http2
				switch {
				case !l.isDefault:
				case at.explicit && at.defaultServer != s:
					im.refuse(l.file, l.line, "listen %s: a second default server for this address; nginx refuses it", l.args[0])
				default:
					at.defaultServer, at.explicit = s, true
				}
			}
		}
	}
}
