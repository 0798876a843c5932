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
	Block      string                 `json:"block,omitempty"`   // of a listener with several: the one that answers

	// Connections is how many the line stands for, where the entry is of a compacted recording; 0: one.
	Connections int64 `json:"connections,omitempty"`
}

// Count is how many connections the judgement is about.
func (j *Judgement) Count() int64 { return max(1, j.Connections) }

// Judgements tries a target on all that an entry of a recording stands for: one client, or those of a compacted record, by the names
// that they asked for. The second result is how many of these cannot be judged, because the answer depends on a name that was not kept.
func Judgements(c *recording.Client, g *Target) (all []Judgement, unjudged int64) {
	k := c.Compacted
	if k == nil {
		return []Judgement{Judge(c, g)}, 0
	}
	if len(k.Names) == 0 && k.OtherNames == 0 {
		j := Judge(c, g)
		j.Connections = k.Connections
		return []Judgement{j}, 0
	}
	hello := *c.Hello
	one := *c
	one.Hello = &hello
	for _, n := range k.Names {
		if hello.ServerName = nil; n.Name != "" {
			hello.ServerName = []byte(n.Name)
		}
		j := Judge(&one, g)
		j.Connections = n.Connections
		all = append(all, j)
	}
	switch {
	case k.OtherNames == 0:
	case g.byName():
		unjudged = k.OtherNames
	default:
		j := Judge(c, g)
		j.Connections, j.ServerName = k.OtherNames, ""
		all = append(all, j)
	}
	return all, unjudged
}

// Judge tries a target on one client.
func Judge(c *recording.Client, g *Target) Judgement {
	at := g.route(string(c.Hello.ServerName))
	p := g.policy(at, string(c.Hello.ServerName))
	j := Judgement{
		Index: c.Index, Shape: string(c.Shape), JA4: c.JA4(), Policy: policy.Negotiate(c.Hello, p).Outcome(c.Hello, p),
		ServerName: inspect.Bounded(string(c.Hello.ServerName)), EventID: string(c.EventID), Address: inspect.Bounded(string(c.Address)),
	}
	if g.several() {
		j.Block = g.Blocks[at].Name
	}
	j.Client, _ = clientName(j.Shape, c.Hello, c.Rebuilt)
	return j
}

// Text is the judgement as a line for a terminal: the entry, the client, the name that it asked for, and the answer.
func (j *Judgement) Text() string {
	spans := []span{prose("%d  ", j.Index), value(j.Client), prose(" ")}
	if j.ServerName != "" {
		spans = append(spans, prose("for "), value(j.ServerName), prose(" "))
	}
	if j.Address != "" {
		spans = append(spans, prose("from "), value(j.Address), prose(" "))
	}
	if j.Block != "" {
		spans = append(spans, prose("at "), value(j.Block), prose(" "))
	}
	if j.Connections > 1 {
		spans = append(spans, prose("(%d connections) ", j.Connections))
	}
	o := j.Policy
	switch {
	case o.Accepted:
		spans = append(spans, prose(" accepted: "), value(o.Version), prose(" "), value(o.Cipher))
		if o.Curve != "" {
			spans = append(spans, prose(" "), value(o.Curve))
		}
	default:
		spans = append(spans, prose(" LOST: "), value(o.RejectedBy))
		if o.Alert != "" {
			spans = append(spans, prose(", alert "), value(o.Alert))
		}
		spans = append(spans, prose("; offers "))
		spans = append(spans, values(o.Offered, maxListedValues)...)
	}
	if o.Uncertain != "" {
		spans = append(spans, prose(" (not certain: %s)", o.Uncertain))
	}
	return plainText(spans)
}
