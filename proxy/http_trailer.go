package proxy

import (
	"net/http"
	"slices"
)

// notTrailers are fields that mean nothing, or something else, behind a body: framing, routing, authentication, and what tells how the body
// is to be read (RFC 9110, Section 6.5.1). Backends that put trailers among the header would believe them.
var notTrailers = [...]string{
	"Accept-Encoding", "Authorization", "Cache-Control", "Connection", "Content-Encoding", "Content-Length", "Content-Range", "Content-Type", "Cookie", "Expect",
	"Host", "Http2-Settings", "Keep-Alive", "Max-Forwards", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Range", "Set-Cookie", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade",
}

// isTrailer reports whether a field that a client sends behind its body is passed on. What this program tells the backend of the client is
// in the header alone, whoever the client may be.
func isTrailer(name string) bool {
	plain := withoutUnderscores(name)
	return isToken(name) && !slices.Contains(notTrailers[:], plain) && !slices.Contains(told[:], plain) && !slices.Contains(identityHeaders[:], plain) &&
		!slices.Contains(requestIDHeader[:], plain)
}

// announced are the trailers of a request that were said to come, without values; these come behind the body, and so may others. Nil: there is no
// body that has any.
func (q *httpRequest) announced(in *http.Request) http.Header {
	if in.Body == nil || in.ContentLength >= 0 && len(in.Trailer) == 0 {
		return nil
	}
	q.trailer = make(http.Header)
	for name := range in.Trailer {
		if isTrailer(http.CanonicalHeaderKey(name)) {
			q.trailer[http.CanonicalHeaderKey(name)] = nil
		}
	}
	return q.trailer
}

// bodyEnded passes on the trailers that came.
func (q *httpRequest) bodyEnded() {
	if q.trailer == nil {
		return
	}
	for name, values := range q.in.Trailer {
		if isTrailer(name) && !slices.ContainsFunc(values, hasControl) {
			q.trailer[name] = values
		}
	}
}

// hasControl reports whether a value of a field holds what none may hold (RFC 9110, Section 5.5).
func hasControl(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}
