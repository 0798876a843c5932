package trial

import (
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/recording"
)

// Judgement is what a policy makes of one recorded client: a line of `policy check --each`.
type Judgement struct {
	Index      int64                  `json:"index"` // of the entry in its recording, from 0
	Shape      string                 `json:"shape"`
	Client     string                 `json:"client"` // likely client; "unknown"
	Policy     *inspect.PolicyOutcome `json:"policy"`
	JA4        string                 `json:"ja4"`
	ServerName string                 `json:"server_name,omitempty"`
	EventID    string                 `json:"event_id,omitempty"`
	Address    string                 `json:"address,omitempty"` // the client's
}

// Judge tries a policy on one client.
func Judge(c *recording.Client, p *policy.Policy) Judgement {
	j := Judgement{
		Index: c.Index, Shape: string(c.Shape), JA4: c.JA4(), Policy: policy.Negotiate(c.Hello, p).Outcome(c.Hello, p),
		ServerName: inspect.Bounded(string(c.Hello.ServerName)), EventID: string(c.EventID), Address: inspect.Bounded(string(c.Address)),
	}
	j.Client, _ = clientName(j.Shape, c.Hello, c.Rebuilt)
	return j
}
