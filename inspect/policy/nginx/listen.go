package nginx

import (
	"net/netip"
	"strconv"
	"strings"
)

// listen is one listen directive.
type listen struct {
	*statement
	sockets   []string // in one spelling for each address and port; several with a range of ports
	ssl       bool
	http2     bool
	quic      bool
	isDefault bool
}

const maxPorts = 1000 // of one listen directive

func parseListen(s *statement, stream bool) listen {
	l := listen{statement: s}
	if len(s.args) == 0 {
		return l
	}
	l.sockets = sockets(s.args[0])
	for _, arg := range s.args[1:] {
		switch arg {
		case "ssl":
			l.ssl = true
		case "http2", "spdy":
			l.http2 = arg == "http2"
		case "quic":
			l.quic = true
		case "default_server":
			l.isDefault = true
		case "default":
			l.isDefault = !stream
		}
	}
	return l
}

// sockets are the addresses that the first argument of listen means, as host:port with "*" for all IPv4 addresses.
func sockets(arg string) []string {
	if strings.HasPrefix(arg, "unix:") {
		return []string{arg}
	}
	host, port := "*", arg
	switch i := strings.LastIndexByte(arg, ':'); {
	case strings.HasPrefix(arg, "[") && strings.HasSuffix(arg, "]"):
		host, port = arg, "80"
	case i >= 0:
		host, port = arg[:i], arg[i+1:]
	case !isPorts(arg):
		host, port = arg, "80"
	}
	host = strings.ToLower(host)
	if host == "" || host == "0.0.0.0" {
		host = "*"
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if a, err := netip.ParseAddr(strings.TrimSuffix(inner, "]")); err == nil {
			host = "[" + a.String() + "]"
		}
	}
	first, last, ranged := strings.Cut(port, "-")
	from, err1 := strconv.Atoi(first)
	to, err2 := strconv.Atoi(last)
	if !ranged || err1 != nil || err2 != nil || to < from || to-from >= maxPorts {
		return []string{host + ":" + port}
	}
	var out []string
	for p := from; p <= to; p++ {
		out = append(out, host+":"+strconv.Itoa(p))
	}
	return out
}

func isPorts(s string) bool {
	return s != "" && strings.Trim(s, "0123456789-") == ""
}
