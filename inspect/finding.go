package inspect

// Finding is one thing that is wrong or worth knowing, as data. Text and JSON are both made from it.
type Finding struct {
	ID       string   `json:"id"` // closed catalogue (docs/findings.md), kebab-case, never renamed
	Severity Severity `json:"severity"`
	Leg      string   `json:"leg"` // client | backend | between
	Title    string   `json:"title"`
	Detail   string   `json:"detail,omitempty"`
	Offered  []string `json:"offered,omitempty"`
	Accepted []string `json:"accepted,omitempty"`
	Fixes    []Fix    `json:"fixes,omitempty"`
	Citation string   `json:"citation,omitempty"`
	CausedBy []string `json:"caused_by,omitempty"`
}

// Severity of a finding.
type Severity string

// Severities.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
	SeverityInfo    Severity = "info"
)

// Where a finding belongs.
const (
	LegClient  = "client"
	LegBackend = "backend"
	LegBetween = "between"
)

// Fix is what to change in one system, in that system's words.
type Fix struct {
	Target  string `json:"target"` // nginx, haproxy, aws/alb, …
	Action  string `json:"action"`
	Snippet string `json:"snippet,omitempty"`
}
