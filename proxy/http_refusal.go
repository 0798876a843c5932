package proxy

import (
	"bytes"

	"github.com/tlstriage/tlstriage/inspect"
)

// refusalWatch looks for an HTTP answer by which a backend refuses our client certificate, or that there was none: nginx does the
// handshake to its end with any certificate and answers the requests that follow with an error page. It reads the beginning of what
// comes from backends that asked for a certificate, and costs nobody else anything.
type refusalWatch struct {
	request *inspect.CertificateRequest // of the record; the answer goes there
	seen    int
}

// How much of the first answer is looked at: a header and the page that nginx makes itself.
const maxRefusal = 8 << 10

// watchRefusal makes what is needed for a backend leg; nil: it asked for nothing.
func watchRefusal(leg *inspect.Leg) *refusalWatch {
	if leg.TLS == nil || leg.TLS.Server == nil || leg.TLS.Server.CertificateRequest == nil {
		return nil
	}
	return &refusalWatch{request: leg.TLS.Server.CertificateRequest}
}

// Titles of the pages of nginx, which are the same in HTTP/1 and HTTP/2.
var refusalPages = [...]struct{ title, means string }{
	{"<title>400 The SSL certificate error</title>", "400 The SSL certificate error"},
	{"<title>400 No required SSL certificate was sent</title>", "400 No required SSL certificate was sent"},
}

// read looks at the next bytes and reports whether there is nothing more to look for.
func (w *refusalWatch) read(b []byte) (over bool) {
	if w.seen == 0 {
		switch {
		case startsHTTP2(b):
		case !bytes.HasPrefix(b, []byte("HTTP/1.")) || len(b) < len("HTTP/1.1 400") || b[9] != '4':
			return true // no refusal, or another protocol
		case bytes.Equal(b[9:12], []byte("495")):
			w.request.Refusal = "495 SSL certificate error" // not a status of HTTP, but what nginx calls it inside and some let out
			return true
		case bytes.Equal(b[9:12], []byte("496")):
			w.request.Refusal = "496 SSL certificate required"
			return true
		}
	}
	for _, page := range refusalPages {
		if bytes.Contains(b, []byte(page.title)) {
			w.request.Refusal = page.means
			return true
		}
	}
	w.seen += len(b)
	return w.seen >= maxRefusal
}

// startsHTTP2 reports whether b begins with a SETTINGS frame, as every answer of HTTP/2 does (RFC 9113, Section 3.4).
func startsHTTP2(b []byte) bool {
	return len(b) >= 9 && b[0] == 0 && b[3] == 4 && b[4] == 0 && bytes.Equal(b[5:9], []byte{0, 0, 0, 0})
}
