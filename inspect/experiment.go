package inspect

// Experiment is what hellos that were sent to find out showed of an endpoint that refuses one.
type Experiment struct {
	Verdict     string  `json:"verdict"` // explained | no_failure | undetermined
	Causes      []Cause `json:"causes,omitempty"`
	Connections int     `json:"connections"` // that it took
}

// Cause is a property of the hello that makes the endpoint refuse it.
type Cause struct {
	ID       string `json:"id"`
	Axis     string `json:"axis"` // sni | version | cipher | group | …
	Evidence string `json:"evidence"`
	Sentence string `json:"sentence"`
	Fix      string `json:"fix,omitempty"` // what to change
}

// Canary says whose shadow a record is: the hello of a live client was sent to a canary, too, and fared there as the record says.
type Canary struct {
	To      string   `json:"to"`
	Class   string   `json:"class"`             // same | different | better | worse | undetermined
	Live    string   `json:"live"`              // how the client fared itself
	Canary  string   `json:"canary"`            // how its hello fared
	Differs []string `json:"differs,omitempty"` // class different: in what
	EventID string   `json:"event_id"`          // of the live connection
}

// Classes of a Canary that are told.
const (
	CanaryWorse     = "worse"
	CanaryBetter    = "better"
	CanaryDifferent = "different"
)
