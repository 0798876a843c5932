// Package imported is what an importer makes of a system's own configuration: the endpoints it describes, the policy of each,
// the file and line of every fact that the policy rests on, and what was not understood.
package imported

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect/policy"
)

// Side says which end of a connection an endpoint is.
type Side string

// Sides.
const (
	Server Side = "server" // a listener: Policy is what it accepts
	Client Side = "client" // a connection to a backend: Policy is what it offers, in its order; Names[0], if any, is the name it sends
)

// Endpoint is one TLS endpoint of a configuration: a server block, a bind line, a listener, or a connection to a backend.
type Endpoint struct {
	System  string   // "nginx", "haproxy", "envoy", …
	Version string   // the version whose defaults were taken: "1.26"
	Side    Side     //
	Name    string   // as the system names it: the first server_name, frontend/bind, listener or backend/server
	Listen  []string // where it listens, or which backend it connects to, as written
	Default bool     // it answers where no other endpoint's names match
	Policy  *policy.Policy
	Facts   []Fact
	Spans   []Span // the lines that are about this endpoint alone; nil: not told, and taken from its facts
}

// Span is a run of lines of a file, the last one among them.
type Span struct {
	File        string
	First, Last int
}

// Fact is a setting that a policy rests on.
type Fact struct {
	File    string `json:"file,omitempty"` // empty where it is the system's own default
	Line    int    `json:"line,omitempty"` // 1-based; 0: the format has no lines to tell
	Setting string `json:"setting"`        // in the system's own word: "ssl_protocols"
	Value   string `json:"value"`          // as it was read
	Default bool   `json:"default,omitempty"`
	Source  string `json:"source,omitempty"` // of a default: where it is documented or was measured
}

// Problem is something in a configuration that was not understood, or that changes what an endpoint does in a way that a policy
// cannot say. A Problem is never a reason to give no answer, and always one to print.
type Problem struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
	Text string `json:"text"`

	Refused bool `json:"refused,omitempty"` // the system does not start with this configuration
}

// Result is what was read of one configuration.
type Result struct {
	Kind      string // the kind that was read: "nginx", "aws-describe-ssl-policies", …
	Endpoints []*Endpoint
	Problems  []Problem
}

// Options narrow what an importer reads.
type Options struct {
	Version string // of the system, whose defaults are taken: "1.18.0"; empty: the newest that is known
	OpenSSL string // version of the OpenSSL below it: "1.1.1", "3.0"; empty: "3.0"

	// MaxFileBytes bounds each file that is written by hand (nginx, HAProxy, httpd), and sixteen times as much all that one includes; 0: 1
	// MiB. What programs print, in JSON or YAML, has a bound of its own.
	MaxFileBytes int64
}

// FileBytes is the bound of each file, or the importer's own where none is set.
func (o Options) FileBytes(own int64) int64 {
	if o.MaxFileBytes > 0 {
		return o.MaxFileBytes
	}
	return own
}

// Error is a configuration that cannot be read at all.
type Error struct {
	File string
	Line int // 0: unknown
	Text string
}

// Error is the file, the line where it is known, and the reason.
func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Text)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text)
}
