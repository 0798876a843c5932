package inspect

import "time"

// SchemaVersion is the version of the record's JSON form.
const SchemaVersion = 1

// Connection is one transport connection and all that was seen of it: the record. Fields that do not apply are absent
// from its JSON form; what was not visible is said, never guessed.
type Connection struct {
	Schema     int            `json:"schema"`
	Timestamp  time.Time      `json:"@timestamp"` // first byte, UTC
	Event      Event          `json:"event"`
	Transport  string         `json:"transport"`          // TransportTCP and its siblings
	Listener   string         `json:"listener,omitempty"` // name of the proxy's listener
	Route      string         `json:"route,omitempty"`    // proxy only: the listener's route that took the connection
	Client     Endpoint       `json:"client"`
	Server     Endpoint       `json:"server"` // what the client connected to
	ClientLeg  *Leg           `json:"client_leg,omitempty"`
	BackendLeg *Leg           `json:"backend_leg,omitempty"`
	HTTP       *HTTP          `json:"http,omitempty"`    // mode http only: what became of the requests
	Capture    *Capture       `json:"capture,omitempty"` // capture only: what its packets show
	Canary     *Canary        `json:"canary,omitempty"`  // shadow only: of which live connection
	Policy     *PolicyOutcome `json:"policy,omitempty"`
	Findings   []Finding      `json:"findings,omitempty"` // root cause first, then by severity
	Verdict    Verdict        `json:"verdict"`
	Cause      string         `json:"cause,omitempty"` // id of the root-cause finding
	Fault      Fault          `json:"fault,omitempty"` // who must act
}

// Transports.
const (
	TransportTCP  = "tcp"
	TransportQUIC = "quic"
	TransportDTLS = "dtls"
)

// Event says when, by which eye and how a connection was seen.
type Event struct {
	ID         string  `json:"id"` // unique, sortable by time
	Source     Source  `json:"source"`
	DurationMS float64 `json:"duration_ms"`
	Outcome    Outcome `json:"outcome"`       // success: every leg that was tried was established
	End        End     `json:"end,omitempty"` // proxy only: who or what ended a connection over which bytes were copied
}

// End is who or what ended a connection over which bytes were copied.
type End string

// Ends.
const (
	EndedByClient   End = "client"
	EndedByBackend  End = "backend"
	EndedIdle       End = "idle"     // no byte came in either direction for the idle time
	EndedByAge      End = "lifetime" // the connection was as old as connections may become
	EndedByShutdown End = "shutdown" // of this program
	EndedByProxy    End = "proxy"    // this program would not go on with what a peer sent
)

// Source is the eye that saw a connection.
type Source string

// Eyes.
const (
	SourceProxy   Source = "proxy"
	SourceCapture Source = "capture"
	SourceScan    Source = "scan"
	SourceReplay  Source = "replay"
)

// Outcome says what happened.
type Outcome string

// Outcomes.
const (
	Success Outcome = "success"
	Failure Outcome = "failure"
	Unknown Outcome = "unknown" // capture only: too little of the connection is in it
)

// Verdict says what to think of what happened.
type Verdict string

// Verdicts.
const (
	OK      Verdict = "ok"
	Warning Verdict = "warning"
	Failed  Verdict = "failed"
)

// Fault is who must act.
type Fault string

// Who must act.
const (
	FaultClient  Fault = "client"
	FaultPolicy  Fault = "policy"
	FaultBackend Fault = "backend"
	FaultNetwork Fault = "network"
	FaultProxy   Fault = "proxy"
	FaultNoise   Fault = "noise"
)

// Endpoint is one end of a connection.
type Endpoint struct {
	Address string `json:"address,omitempty"`
	Port    int    `json:"port,omitempty"`
	Name    string `json:"name,omitempty"` // capture only: what a pcapng brings as the address's host name
}

// PolicyOutcome is what a policy would have made of the client's hello.
type PolicyOutcome struct {
	Name         string   `json:"name"`
	Accepted     bool     `json:"accepted"`
	Version      string   `json:"version,omitempty"` // what it would negotiate, when accepted
	Cipher       string   `json:"cipher,omitempty"`
	Curve        string   `json:"curve,omitempty"`
	NextProtocol string   `json:"next_protocol,omitempty"`
	RejectedBy   string   `json:"rejected_by,omitempty"` // version | cipher | curve | signature | server_name | alpn | client_certificate
	Offered      []string `json:"offered,omitempty"`     // of the dimension that rejects
	Accepts      []string `json:"accepts,omitempty"`
	Alert        string   `json:"alert,omitempty"`               // what the real endpoint would answer, by its registry name
	HelloRetry   bool     `json:"hello_retry_request,omitempty"` // accepted after a HelloRetryRequest
	Uncertain    string   `json:"uncertain,omitempty"`           // what the policy's facts do not say but the answer depends on
	Enforced     bool     `json:"enforced,omitempty"`            // the proxy refused the connection because of it
}
