package trial

import (
	"cmp"
	"slices"
	"time"

	"github.com/tlstriage/tlstriage/inspect/clients"
	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/recording"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Unknown is the client's name where the form of its hello is not known.
const Unknown = "unknown"

// Report is what a policy makes of recorded clients.
type Report struct {
	Policy      string            `json:"policy"`
	Unverified  bool              `json:"unverified,omitempty"` // the policy is built in, and not all of its facts were checked against a second source
	Connections int64             `json:"connections"`          // that the policy was tried on
	Shapes      int               `json:"shapes"`               // kinds of clients
	Lost        Amount            `json:"lost"`
	Losses      []Loss            `json:"losses"`              // the largest first
	Negotiated  []Choice          `json:"negotiated"`          // the most frequent first
	Uncertain   []Doubt           `json:"uncertain,omitempty"` // answers that depend on what the policy's facts do not say
	Unjudged    int64             `json:"unjudged,omitempty"`  // connections that were counted, but of which too little was kept to judge
	Skipped     recording.Skipped `json:"skipped"`             // entries that have no hello to judge
	First       *time.Time        `json:"first,omitempty"`
	Last        *time.Time        `json:"last,omitempty"`
}

// Loss is a kind of clients that the policy refuses, for one reason.
type Loss struct {
	Shape       string   `json:"shape"`
	JA4         string   `json:"ja4"`
	Client      string   `json:"client"` // likely client; "unknown"
	Confidence  string   `json:"client_confidence,omitempty"`
	Connections int64    `json:"connections"`
	RejectedBy  string   `json:"rejected_by"` // in the record's words: version, cipher, curve, …
	Alert       string   `json:"alert"`
	Reason      string   `json:"reason"`
	Offered     []string `json:"offered,omitempty"`
	Accepts     []string `json:"accepts,omitempty"`
	Uncertain   string   `json:"uncertain,omitempty"`
	ServerNames []Name   `json:"server_names,omitempty"` // that these clients asked for, the most frequent first
	MoreNames   int      `json:"more_names,omitempty"`   // how many are not listed
	Addresses   []string `json:"addresses,omitempty"`    // of some of the clients
	EventID     string   `json:"event_id,omitempty"`     // of a record with such a hello
}

// Name is a server name and how many connections asked for it. The empty name: none was sent.
type Name struct {
	Name        string `json:"name"`
	Connections int64  `json:"connections"`
}

// Choice is what would be negotiated.
type Choice struct {
	Version     string `json:"version"`
	Cipher      string `json:"cipher"`
	Curve       string `json:"curve,omitempty"` // absent: none, or not known
	Connections int64  `json:"connections"`
	Shapes      int    `json:"shapes"`
}

// Doubt is a reason why answers are not certain.
type Doubt struct {
	Reason string `json:"reason"`
	Amount
}

// maxNames is how many server names a loss lists.
const maxNames = 20

// verdict is what a policy answers to clients of one shape that ask for the same name, or for any of several that make no
// difference to it.
type verdict struct {
	hello       *wire.ClientHello
	result      policy.Result
	connections int64
	names       []recording.Name
}

// judge gives the policy's answers to clients of a shape: one for all names where the policy has none, or else one each. The
// second result is how many connections cannot be judged for want of their name.
func judge(s *recording.Shape, p *policy.Policy) (verdicts []verdict, unjudged int64) {
	if p.Names == nil {
		return []verdict{{hello: s.Hello, result: policy.Negotiate(s.Hello, p), connections: s.Connections, names: s.Names}}, 0
	}
	for i := range s.Names {
		name := s.Names[i : i+1]
		h := *s.Hello
		if h.ServerName = nil; name[0].Name != "" {
			h.ServerName = []byte(name[0].Name)
		}
		r := policy.Negotiate(&h, p)
		at := slices.IndexFunc(verdicts, func(v verdict) bool { return v.result == r })
		if at < 0 {
			verdicts = append(verdicts, verdict{hello: &h, result: r})
			at = len(verdicts) - 1
		}
		verdicts[at].connections += name[0].Connections
		verdicts[at].names = append(verdicts[at].names, name[0])
	}
	return verdicts, s.OtherNames
}

// Check tries a policy on recorded clients.
func Check(t *recording.Tally, p *policy.Policy) *Report {
	return check(t, t.Shapes(), p)
}

func check(t *recording.Tally, shapes []recording.Shape, p *policy.Policy) *Report {
	r := &Report{
		Policy: p.Name, Unverified: unverified(p), Connections: t.Connections - t.Beyond, Shapes: len(shapes),
		Unjudged: t.Beyond, Skipped: t.Skipped, Losses: []Loss{}, Negotiated: []Choice{},
	}
	if !t.First.IsZero() {
		r.First, r.Last = &t.First, &t.Last
	}
	choices := make(map[Choice]*Amount)
	doubts := make(map[string]*Amount)
	for i := range shapes {
		s := &shapes[i]
		verdicts, unjudged := judge(s, p)
		r.Unjudged += unjudged
		r.Connections -= unjudged
		lost := int64(0)
		for _, v := range verdicts {
			if v.result.Uncertain != "" {
				count(doubts, v.result.Uncertain, v.connections)
			}
			if !v.result.Accepted {
				lost += v.connections
				r.Losses = append(r.Losses, lossOf(s, &v, p))
				continue
			}
			c := Choice{Version: v.result.Version.String(), Cipher: v.result.CipherSuite.String()}
			if v.result.Group != 0 {
				c.Curve = v.result.Group.String()
			}
			count(choices, c, v.connections)
		}
		r.Lost.add(lost)
	}
	for c, a := range choices {
		c.Connections, c.Shapes = a.Connections, a.Shapes
		r.Negotiated = append(r.Negotiated, c)
	}
	for reason, a := range doubts {
		r.Uncertain = append(r.Uncertain, Doubt{Reason: reason, Amount: *a})
	}
	slices.SortFunc(r.Losses, func(a, b Loss) int {
		return cmp.Or(cmp.Compare(b.Connections, a.Connections), cmp.Compare(a.Shape, b.Shape), cmp.Compare(a.RejectedBy, b.RejectedBy))
	})
	slices.SortFunc(r.Negotiated, func(a, b Choice) int {
		return cmp.Or(cmp.Compare(b.Connections, a.Connections), cmp.Compare(b.Version, a.Version), cmp.Compare(a.Cipher, b.Cipher), cmp.Compare(a.Curve, b.Curve))
	})
	slices.SortFunc(r.Uncertain, func(a, b Doubt) int {
		return cmp.Or(cmp.Compare(b.Connections, a.Connections), cmp.Compare(a.Reason, b.Reason))
	})
	return r
}

// unverified reports whether a built-in policy's facts are not all checked. The user's own needs no source but the user.
func unverified(p *policy.Policy) bool { return p.AsOf != "" && !p.Verified }

func count[K comparable](m map[K]*Amount, key K, connections int64) {
	if m[key] == nil {
		m[key] = new(Amount)
	}
	m[key].add(connections)
}

func lossOf(s *recording.Shape, v *verdict, p *policy.Policy) Loss {
	o := v.result.Outcome(v.hello, p)
	l := Loss{
		Shape: s.Name, JA4: s.JA4, Connections: v.connections, RejectedBy: o.RejectedBy, Alert: o.Alert,
		Reason: reason(v.result), Offered: o.Offered, Accepts: o.Accepts, Uncertain: o.Uncertain,
		Addresses: s.Addresses, EventID: s.EventID,
	}
	l.Client, l.Confidence = clientName(s.Name, s.Hello, s.Rebuilt)
	l.ServerNames, l.MoreNames = listNames(v.names)
	return l
}

func listNames(names []recording.Name) (listed []Name, more int) {
	if len(names) == 1 && names[0].Name == "" {
		return nil, 0
	}
	for _, n := range names[:min(len(names), maxNames)] {
		listed = append(listed, Name(n))
	}
	return listed, max(0, len(names)-maxNames)
}

// clientName is from whom a hello likely is.
func clientName(shape string, h *wire.ClientHello, rebuilt bool) (name, confidence string) {
	find := func() (clients.Client, bool) { return clients.Name(h) }
	if rebuilt {
		find = func() (clients.Client, bool) { return clients.NameRebuilt(shape, h) }
	}
	if c, ok := find(); ok {
		return c.String(), string(c.Confidence)
	}
	return Unknown, ""
}

// reason says in a few words in what a client and a policy do not agree.
func reason(r policy.Result) string {
	switch r.Alert {
	case wire.AlertInappropriateFallback:
		return "a fallback below the best version in common (TLS_FALLBACK_SCSV)"
	case wire.AlertMissingExtension:
		return "an extension that TLS 1.3 needs is missing"
	}
	switch r.RejectedBy {
	case policy.DimensionVersion:
		return "no TLS version in common"
	case policy.DimensionServerName:
		return "server name not served"
	case policy.DimensionALPN:
		return "no application protocol in common"
	case policy.DimensionCipher:
		return "no cipher suite in common"
	case policy.DimensionGroup:
		return "no key exchange group in common"
	case policy.DimensionSignature:
		return "no signature algorithm in common"
	case policy.DimensionClientCertificate:
		return "client certificate required"
	}
	return "accepted"
}
