package inspect

import "time"

// HTTP is what went over a connection whose requests this program reads (mode http). Requests themselves are not kept.
type HTTP struct {
	Protocol           string        `json:"protocol"`                   // HTTP/1.1 | HTTP/2.0 | HTTP/3.0
	BackendProtocol    string        `json:"backend_protocol,omitempty"` // of the last answer
	Requests           int           `json:"requests"`
	BackendConnections int           `json:"backend_connections"`     // opened for them
	Statuses           []HTTPStatus  `json:"statuses,omitempty"`      // sent to the client, by number
	Failures           []HTTPFailure `json:"failures,omitempty"`      // requests that this program had to answer itself: the first ones
	FailuresMore       int           `json:"failures_more,omitempty"` // those beyond
	AltSvc             *AltSvc       `json:"alt_svc,omitempty"`       // the client was told of another way, over QUIC
}

// AltSvc is what became of telling clients over TCP of the way over QUIC (RFC 7838).
type AltSvc struct {
	Sent     bool `json:"sent"`               // to this client
	Returned int  `json:"returned,omitempty"` // clients of this listener that were told and came back over TCP all the same, where that was counted up
}

// HTTPStatus counts answers.
type HTTPStatus struct {
	Code  int `json:"code"`
	Count int `json:"count"`
}

// HTTPFailure is a request that the backend did not answer, or answered in a way that cannot be right.
type HTTPFailure struct {
	Type    HTTPFailureType `json:"type"`
	Status  int             `json:"status"`           // what the client was told
	Midway  bool            `json:"midway,omitempty"` // the answer had begun, and did not come to its end
	Message string          `json:"message,omitempty"`
	Host    string          `json:"host,omitempty"` // of the request, where it is the matter
}

// HTTPRequest is one request of a connection in mode http, for those who want to know of each. Nothing in it is secret unless the path
// or the query is: no cookies, no credentials, no bodies.
type HTTPRequest struct {
	Timestamp       time.Time       `json:"@timestamp"` // of its header
	EventID         string          `json:"event_id"`   // of the connection's record
	Listener        string          `json:"listener"`
	Route           string          `json:"route,omitempty"`
	Client          Endpoint        `json:"client"`
	ServerName      string          `json:"server_name,omitempty"` // of the handshake
	Number          int             `json:"number"`                // on its connection, from 1
	RequestID       string          `json:"request_id"`            // X-Request-Id, as the backend saw it
	TraceID         string          `json:"trace_id,omitempty"`    // of a valid traceparent (W3C Trace Context)
	Protocol        string          `json:"protocol"`
	Method          string          `json:"method"`
	Host            string          `json:"host"`
	Path            string          `json:"path"`            // as it came, without the query
	Query           string          `json:"query,omitempty"` // as it came; whoever writes it down decides whether to
	UserAgent       string          `json:"user_agent,omitempty"`
	Status          int             `json:"status"`         // sent to the client; 0: none
	BytesReceived   int64           `json:"bytes_received"` // of its body, and behind a switch of protocols
	BytesSent       int64           `json:"bytes_sent"`     // of the answer's body, and behind a switch of protocols
	DurationMS      float64         `json:"duration_ms"`
	FirstByteMS     float64         `json:"first_byte_ms,omitempty"`    // until the header of the answer was sent on
	BackendProtocol string          `json:"backend_protocol,omitempty"` // absent: the backend did not answer
	BackendStatus   int             `json:"backend_status,omitempty"`
	Failure         HTTPFailureType `json:"failure,omitempty"`
	Aborted         bool            `json:"aborted,omitempty"` // the answer was not sent to its end: the client went, or the backend cut it
}

// HTTPFailureType is a closed set.
type HTTPFailureType string

// Failures of requests.
const (
	HTTPBackendLeg   HTTPFailureType = "backend_leg"   // no connection to the backend: the backend leg says why
	HTTPClosed       HTTPFailureType = "closed"        // the backend closed the connection in place of an answer
	HTTPReset        HTTPFailureType = "reset"         // it reset the connection
	HTTPTimeout      HTTPFailureType = "timeout"       // it did not begin to answer in time, or did not go on
	HTTPBadResponse  HTTPFailureType = "bad_response"  // what it sent is no answer in HTTP, or another version of it
	HTTPSpeaksHTTP2  HTTPFailureType = "http2"         // it speaks HTTP/2, and was asked in HTTP/1.1
	HTTPSpeaksTLS    HTTPFailureType = "tls"           // it speaks TLS, and was asked in plain text: its own answer says so, and was passed on
	HTTPLargeHeader  HTTPFailureType = "large_header"  // the header of its answer is larger than this program takes
	HTTPUnavailable  HTTPFailureType = "unavailable"   // the backend itself answered 502, 503 or 504, and that was passed on
	HTTPStreamReset  HTTPFailureType = "stream_reset"  // it ended the request's stream with an error code of HTTP/2, and kept the connection
	HTTPAlert        HTTPFailureType = "alert"         // TLS with it ended with an alert, of its own or of this program about what it sent
	HTTPMisdirected  HTTPFailureType = "misdirected"   // the request's host belongs to another route than the name of the handshake
	HTTPRedirectLoop HTTPFailureType = "redirect_loop" // it redirects to where the request came from
	HTTPDraining     HTTPFailureType = "draining"      // this program is about to end
	HTTPBadRequest   HTTPFailureType = "bad_request"   // what the client sent is no request that may be passed on
	HTTPSlowRequest  HTTPFailureType = "slow_request"  // the client did not send a request, or the body of one, to its end in time
	HTTPUnread       HTTPFailureType = "unread"        // the client did not take the answer to its end, and the idle time was over
	HTTPOutlived     HTTPFailureType = "outlived"      // its connection became as old as connections may become
	HTTPOther        HTTPFailureType = "other"
)
