package proxy

import (
	"bytes"
	"net/http"
)

// What servers answer in plain text on a port on which they speak TLS: nginx, Go (Caddy, Traefik), Apache, Tomcat. Others close.
var tlsPortPages = [...]string{
	"The plain HTTP request was sent to HTTPS port",
	"Client sent an HTTP request to an HTTPS server",
	"speaking plain HTTP to an SSL-enabled server port",
	"This combination of host and port requires TLS",
}

// wantsTLS is what the answer 400 of a backend asked in plain text says of TLS; empty: nothing. It looks at answers that are short and
// have a length, and at those of HTTP/1.0, which end with their connection.
func wantsTLS(r *http.Response) string {
	short := r.ContentLength > 0 && r.ContentLength <= maxRefusal
	if !short && (r.ContentLength >= 0 || r.ProtoAtLeast(1, 1)) {
		return ""
	}
	b := page(r)
	for _, says := range tlsPortPages {
		if bytes.Contains(b, []byte(says)) {
			return says
		}
	}
	return ""
}
