package proxy

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// hostOf is the name in a Host header or :authority, as server names are compared: without port, brackets and a final dot.
func hostOf(authority string) string {
	host := authority
	if h, _, err := net.SplitHostPort(authority); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.TrimSuffix(host, ".")
}

// rewrite makes the request that goes to the backend.
func (s *httpSession) rewrite(p *httputil.ProxyRequest) {
	c, q := s.c, requestOf(p.In)
	p.Out.URL = q.url
	if p.Out.Host = p.In.Host; p.Out.Host == "" {
		p.Out.Host = c.clientState.ServerName // HTTP/1.0 does without; where there is no name either the backend's address is sent
	}
	if p.Out.Trailer = q.announced(p.In); len(p.Out.Trailer) > 0 {
		p.Out.ContentLength = -1 // HTTP/1.1 has trailers behind chunks only (RFC 9112, Section 7.1.2)
	}
	upgrade(p.Out.Header, c.route.Backend)
	identify(p.Out.Header, c.listener.ClientIdentity, c.clientState.PeerCertificates)
	forward(p.Out.Header, p.In, &s.from)
	strip(p.Out.Header, requestIDHeader[:])
	q.id = q.requestID(p.In.Header["X-Request-Id"], s.from.trusted)
	p.Out.Header["X-Request-Id"] = []string{q.id}
}

// origin is what the backend is told of where a client's requests come from. It is the same for all of them, and made once: nobody
// changes a value of a header that is on its way.
type origin struct {
	trusted bool     // what the client says of earlier hops is passed on
	address []string // of the client
	element string   // of Forwarded, but for the host
	port    []string // that the client connected to
	last    atomic.Pointer[hostTold]
}

// hostTold is what is told of the host that was asked for, which seldom changes on a connection.
type hostTold struct{ host, forwarded []string }

var httpsTold = []string{"https"}

func (o *origin) of(c *connection) {
	client := addrPort(c.source).Addr().Unmap()
	o.address, o.element = []string{client.String()}, "for="+node(client)+";proto=https"
	o.port = []string{strconv.Itoa(int(addrPort(c.destination).Port()))}
	o.trusted = c.listener.trustsForwarded(client)
}

// told is what is said of a host.
func (o *origin) told(host string) *hostTold {
	if last := o.last.Load(); last != nil && last.host[0] == host {
		return last
	}
	element := o.element
	if host != "" {
		element += ";host=" + quoted(host)
	}
	t := &hostTold{[]string{host}, []string{element}}
	o.last.Store(t)
	return t
}

// upgrade leaves of the protocols that a client wants to switch to those that are none of HTTP's own: what is spoken behind a switch is not
// read, and requests of HTTP/2 would reach the backend unseen. Those who are not offered a switch go on without one (RFC 9110, Section 7.8),
// as do all where the backend is asked in HTTP/2, which has none.
func upgrade(out http.Header, b *Backend) {
	wanted, ok := out["Upgrade"]
	if !ok {
		return
	}
	var left []string
	if b.Protocol != HTTP2 {
		for _, protocol := range strings.Split(strings.Join(wanted, ","), ",") {
			protocol = strings.TrimSpace(protocol)
			name, version, versioned := strings.Cut(protocol, "/")
			if !isToken(name) || versioned && !isToken(version) {
				continue // who knows how it is read
			}
			switch strings.ToLower(name) {
			case "http", "h2c", "h2", "tls":
			default:
				left = append(left, protocol)
			}
		}
	}
	if len(left) == 0 {
		delete(out, "Upgrade")
		delete(out, "Connection")
		return
	}
	out["Upgrade"] = []string{strings.Join(left, ", ")}
}

// trustsForwarded reports whether what a client says of earlier hops is passed on.
func (l *Listener) trustsForwarded(client netip.Addr) bool {
	for _, p := range l.ForwardedTrusted {
		if p.Contains(client) {
			return true
		}
	}
	return false
}

// told are the headers by which proxies tell what they know of the client.
var told = [...]string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Server", "X-Real-Ip"}

// forward tells the backend who asks for what, in RFC 7239's words and in the usual ones. What the client itself says of that is taken
// away unless it is trusted, also where it is spelled so that some backends take it for the same.
func forward(out http.Header, in *http.Request, from *origin) {
	strip(out, told[:])
	if from.trusted {
		for _, t := range told {
			if values, ok := in.Header[t]; ok {
				out[t] = append([]string(nil), values...)
			}
		}
	}
	host := from.told(in.Host)
	out["Forwarded"] = joined(out["Forwarded"], host.forwarded)
	out["X-Forwarded-For"] = joined(out["X-Forwarded-For"], from.address)
	set := func(name string, value []string) {
		if len(out[name]) == 0 && value[0] != "" {
			out[name] = value
		}
	}
	set("X-Forwarded-Host", host.host)
	set("X-Forwarded-Proto", httpsTold)
	set("X-Forwarded-Port", from.port)
	set("X-Real-Ip", from.address)
}

// strip takes headers away, also where they are spelled so that some backends take them for the same.
func strip(out http.Header, names []string) {
	for name := range out {
		if slices.Contains(names, withoutUnderscores(name)) {
			delete(out, name)
		}
	}
}

// withoutUnderscores is a canonical header name as CGI and its kind read it.
func withoutUnderscores(name string) string {
	if strings.IndexByte(name, '_') < 0 {
		return name
	}
	return http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
}

// ClientIdentity is a header that tells who a client proved to be.
type ClientIdentity string

// Headers of the identity.
const (
	IdentityClientCert ClientIdentity = "client-cert" // Client-Cert and Client-Cert-Chain (RFC 9440)
	IdentityXFCC       ClientIdentity = "xfcc"        // X-Forwarded-Client-Cert, in Envoy's form
)

// identityHeaders are those by which backends learn of a client's certificate. Nobody but this program may set them.
var identityHeaders = [...]string{"Client-Cert", "Client-Cert-Chain", "X-Forwarded-Client-Cert", "X-Ssl-Client-Cert", "X-Client-Cert"}

// identify tells the backend of the certificates that a client showed and that were verified.
func identify(out http.Header, how ClientIdentity, shown []*x509.Certificate) {
	strip(out, identityHeaders[:])
	if len(shown) == 0 {
		return
	}
	switch how {
	case IdentityClientCert:
		out["Client-Cert"] = []string{byteSequence(shown[0])}
		var chain []string
		for _, c := range shown[1:] {
			chain = append(chain, byteSequence(c))
		}
		if len(chain) > 0 {
			out["Client-Cert-Chain"] = []string{strings.Join(chain, ", ")}
		}
	case IdentityXFCC:
		sum := sha256.Sum256(shown[0].Raw)
		pairs := []string{"Hash=" + hex.EncodeToString(sum[:]), "Subject=" + quoted(shown[0].Subject.String())}
		for _, uri := range shown[0].URIs {
			pairs = append(pairs, "URI="+quoted(uri.String()))
		}
		for _, name := range shown[0].DNSNames {
			pairs = append(pairs, "DNS="+quoted(name))
		}
		out["X-Forwarded-Client-Cert"] = []string{strings.Join(pairs, ";")}
	}
}

// byteSequence is a certificate as RFC 8941, Section 3.3.5, has bytes.
func byteSequence(c *x509.Certificate) string {
	return ":" + base64.StdEncoding.EncodeToString(c.Raw) + ":"
}

func joined(earlier, last []string) []string {
	if len(earlier) == 0 {
		return last
	}
	return []string{strings.Join(earlier, ", ") + ", " + last[0]}
}

// node is an address as RFC 7239, Section 6, has it.
func node(a netip.Addr) string {
	if a.Is6() {
		return `"[` + a.String() + `]"`
	}
	return a.String()
}

// quoted is a quoted-string (RFC 9110, Section 5.6.4); control characters, which none may hold, become question marks.
func quoted(s string) string {
	if isAuthority(s) { // most often it is one
		return `"` + s + `"`
	}
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return '?'
		}
		return r
	}, s)
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
