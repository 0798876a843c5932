package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleBackendTruncated = Rule{
	ID: "backend-truncated", Severity: inspect.SeverityInfo, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     backendCut,
	Title:    "The backend ends connections without close_notify",
	Citation: "RFC 8446, Section 6.1",
	Explanation: "The backend closed the TCP connection without saying in TLS that nothing more comes. Where the length of an answer is known (HTTP/1.1 with Content-Length or chunks, HTTP/2) that is bad manners and no more; many servers do it. Where only the " +
		"end tells that an answer is whole, nobody can tell it from one that was cut, by chance or by somebody on the way: clients of OpenSSL 3 report `unexpected eof while reading`. The end is passed on to the client as it came; only in HTTP/2 and HTTP/3, which have no such end, as that of a whole answer. As an error: an HTTP client had asked, and the connection ended before a single byte of an answer, in whichever way.",
	check: func(e *evidence) *match {
		v := e.backend
		switch {
		case !v.exists() || v.leg.TLS == nil:
			return nil
		case e.servedNothing():
			return &match{severity: inspect.SeverityError, title: "The backend closed the connection in place of an answer",
				detail: "what the client sent was passed on, and the connection ended before the first byte of an answer (" + string(v.leg.PeerEnd) + "): the client was served nothing at all",
				fixes: []inspect.Fix{
					fix(forBackend, "its log at this second says why: a rule that drops such requests, a program that ended, a limit", ""),
					fix(forNginx, "where nginx is told to close without an answer, have it say why", "return 403;  # in the place of return 444"),
				}}
		case v.leg.OpenEnded:
			return &match{severity: inspect.SeverityWarning, title: "Of an answer of the backend nobody knows whether it is whole",
				detail: "the answer has neither Content-Length nor chunks, and the connection ended without close_notify (" + string(v.leg.PeerEnd) + ")",
				fixes:  []inspect.Fix{fix(forBackend, "send a length or chunks (HTTP/1.1), and close_notify at the end", "")}}
		case v.leg.PeerEnd == inspect.PeerTruncated && e.c.Event.End == inspect.EndedByBackend && v.leg.Error == nil:
			return &match{detail: "the connection ended without close_notify",
				fixes: []inspect.Fix{fix(forBackend, "let it shut TLS down before it closes the connection", "SSL_shutdown(ssl);")}}
		}
		return nil
	},
}

// servedNothing reports whether the backend ended a connection that carried HTTP, and something to it, before it had said anything.
func (e *evidence) servedNothing() bool {
	v := e.backend
	if !v.established() || !v.leg.Unanswered || e.c.HTTP != nil || e.c.Event.End != inspect.EndedByBackend || v.leg.Error != nil {
		return false
	}
	switch e.client.tls.NextProtocol {
	case "http/1.1", "http/1.0", "h2":
		return v.leg.PeerEnd == inspect.PeerTruncated || v.leg.PeerEnd == inspect.PeerCloseNotify
	}
	return false
}
