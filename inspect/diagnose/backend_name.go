package diagnose

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

// backendName is where the server of a leg is, for a sentence or a command line.
func backendName(v view) string {
	at := v.peer()
	if at.Address == "" {
		return "HOST:PORT" // not recorded
	}
	host := plain(at.Address, "HOST")
	if at.Port == 0 {
		return host
	}
	return inBrackets(host) + ":" + strconv.Itoa(at.Port)
}

// inBrackets is a host as it stands before a port (RFC 3986, Section 3.2.2).
func inBrackets(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// showCerts is the command that shows what the examined server presents.
func (e *evidence) showCerts() string {
	if file := e.file(); file != "" {
		return "openssl storeutl -noout -text -certs " + file
	}
	return showCerts(e.chain.view, e.chain.name)
}

// file is the file whose certificates are looked at by themselves; empty where a server was asked.
func (e *evidence) file() string {
	if at := e.backend.peer(); e.d.Alone && e.backend.exists() && at.Port == 0 && e.backend.established() {
		return plain(at.Address, "FILE")
	}
	return ""
}

// alone is how what is looked at by itself is called in a command that looks again.
func (e *evidence) alone() string { return or(e.file(), "HOST:PORT") }

// hostOf is the host of a leg's server alone.
func hostOf(v view) string { return plain(v.peer().Address, "HOST") }

// portOf is its port alone.
func portOf(v view) string {
	if p := v.peer().Port; p != 0 {
		return strconv.Itoa(p)
	}
	return "PORT"
}

// clientHost is the client's address.
func clientHost(c *inspect.Connection) string { return plain(c.Client.Address, "CLIENT") }

// enumCiphers is the command that lists what the server of a leg accepts.
func enumCiphers(v view) string {
	return "tlstriage scan " + backendName(v)
}

// showCerts is the command that shows what the server of a leg presents when it is asked for a name.
func showCerts(v view, name string) string {
	s := "openssl s_client -connect " + backendName(v)
	if _, err := netip.ParseAddr(name); err == nil {
		return s + " -noservername -showcerts" // an address is not sent (RFC 6066, Section 3)
	}
	return s + " -servername " + plain(name, "NAME") + " -showcerts"
}
