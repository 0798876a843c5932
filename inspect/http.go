package inspect

// HTTP is what went over a connection whose requests this program reads (mode http). Requests themselves are not kept.
type HTTP struct {
	Protocol           string        `json:"protocol"`                   // HTTP/1.1 | HTTP/2.0 | HTTP/3.0
	BackendProtocol    string        `json:"backend_protocol,omitempty"` // of the last answer
	Requests           int           `json:"requests"`
	BackendConnections int           `json:"backend_connections"`     // opened for them
	Statuses           []HTTPStatus  `json:"statuses,omitempty"`      // sent to the client, by number
	Failures           []HTTPFailure `json:"failures,omitempty"`      // requests that this program had to answer itself: the first ones
	FailuresMore       int           `json:"failures_more,omitempty"` // those beyond
}

// HTTPStatus counts answers.
type HTTPStatus struct {
	Code  int `json:"code"`
	Count int `json:"count"`
}

// HTTPFailure is a request that the backend did not answer, or answered in a way that cannot be right.
type HTTPFailure struct {
	Type    HTTPFailureType `json:"type"`
	Status  int             `json:"status"` // what the client was told
	Message string          `json:"message,omitempty"`
	Host    string          `json:"host,omitempty"` // of the request, where it is the matter
}

// HTTPFailureType is a closed set.
type HTTPFailureType string

// Failures of requests.
const (
	HTTPBackendLeg   HTTPFailureType = "backend_leg"   // no connection to the backend: the backend leg says why
	HTTPClosed       HTTPFailureType = "closed"        // the backend closed the connection in place of an answer
	HTTPReset        HTTPFailureType = "reset"         // it reset the connection
	HTTPTimeout      HTTPFailureType = "timeout"       // it did not begin to answer in time
	HTTPBadResponse  HTTPFailureType = "bad_response"  // what it sent is no answer in HTTP, or another version of it
	HTTPAlert        HTTPFailureType = "alert"         // it ended TLS with an alert
	HTTPMisdirected  HTTPFailureType = "misdirected"   // the request's host belongs to another route than the name of the handshake
	HTTPRedirectLoop HTTPFailureType = "redirect_loop" // it redirects to where the request came from
	HTTPDraining     HTTPFailureType = "draining"      // this program is about to end
	HTTPOther        HTTPFailureType = "other"
)
