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

// Report is what a policy makes of recorded clients, or a listener with several.
type Report struct {
	Policy       string            `json:"policy"`
	Unverified   bool              `json:"unverified,omitempty"` // the policy is built in, and not all of its facts were checked against a second source
	Connections  int64             `json:"connections"`          // that the policy was tried on
	Shapes       int               `json:"shapes"`               // kinds of clients
	Lost         Amount            `json:"lost"`
	Losses       []Loss            `json:"losses"`              // the largest first
	AtRisk       Amount            `json:"at_risk"`             // accepted as far as is known: the answer depends on what the policy's facts do not say
	WithoutTLS13 Amount            `json:"without_tls13"`       // accepted, by clients that have TLS 1.3, in an older version
	Elsewhere    int64             `json:"elsewhere,omitempty"` // connections that another block of the listener would answer
	Negotiated   []Choice          `json:"negotiated"`          // the most frequent first
	Blocks       []BlockReport     `json:"blocks,omitempty"`    // of a listener with several, in its order
	Uncertain    []Doubt           `json:"uncertain,omitempty"` // answers that depend on what the policy's facts do not say
	Unjudged     int64             `json:"unjudged,omitempty"`  // connections that were counted, but of which too little was kept to judge
	Skipped      recording.Skipped `json:"skipped"`             // entries that have no hello to judge
	First        *time.Time        `json:"first,omitempty"`
	Last         *time.Time        `json:"last,omitempty"`
}

// Loss is a kind of clients that the policy refuses, for one reason.
type Loss struct {
	Block       string   `json:"block,omitempty"` // of a listener with several
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

// Check tries a target on recorded clients.
func Check(t *recording.Tally, g *Target) *Report {
	return check(t, t.Shapes(), g)
}

func check(t *recording.Tally, shapes []recording.Shape, g *Target) *Report {
	r := &Report{
		Policy: g.Name, Unverified: g.unverified(), Connections: t.Connections - t.Beyond, Shapes: len(shapes),
		Unjudged: t.Beyond, Skipped: t.Skipped, Losses: []Loss{},
	}
	if !t.First.IsZero() {
		r.First, r.Last = &t.First, &t.Last
	}
	if g.several() {
		for _, b := range g.Blocks {
			r.Blocks = append(r.Blocks, BlockReport{Name: b.Name})
		}
	}
	choices := make(map[Choice]*Amount)
	doubts := make(map[string]*Amount)
	for i := range shapes {
		verdicts, unjudged := g.judge(&shapes[i])
		r.Unjudged += unjudged
		r.Connections -= unjudged
		r.Elsewhere += g.elsewhere(&shapes[i])
		r.shape(&shapes[i], verdicts, g, choices, doubts)
		for at := range r.Blocks {
			r.Blocks[at].add(verdicts, at)
		}
	}
	r.Negotiated = choicesOf(choices)
	for at := range r.Blocks {
		r.Blocks[at].Negotiated = choicesOf(r.Blocks[at].choices)
	}
	for reason, a := range doubts {
		r.Uncertain = append(r.Uncertain, Doubt{Reason: reason, Amount: *a})
	}
	slices.SortFunc(r.Losses, func(a, b Loss) int {
		return cmp.Or(cmp.Compare(b.Connections, a.Connections), cmp.Compare(a.Shape, b.Shape), cmp.Compare(a.Block, b.Block), cmp.Compare(a.RejectedBy, b.RejectedBy))
	})
	slices.SortFunc(r.Uncertain, func(a, b Doubt) int {
		return cmp.Or(cmp.Compare(b.Connections, a.Connections), cmp.Compare(a.Reason, b.Reason))
	})
	return r
}

// shape counts the answers to clients of one shape.
func (r *Report) shape(s *recording.Shape, verdicts []verdict, g *Target, choices map[Choice]*Amount, doubts map[string]*Amount) {
	var lost, atRisk, without13 int64
	has13 := offersTLS13(s.Hello)
	for i := range verdicts {
		v := &verdicts[i]
		if v.result.Uncertain != "" {
			count(doubts, v.result.Uncertain, v.connections)
		}
		if !v.result.Accepted {
			lost += v.connections
			r.Losses = append(r.Losses, lossOf(s, v, g))
			continue
		}
		if v.result.Uncertain != "" {
			atRisk += v.connections
		}
		if has13 && v.result.Version < wire.VersionTLS13 {
			without13 += v.connections
		}
		count(choices, choiceOf(v.result), v.connections)
	}
	r.Lost.add(lost)
	r.AtRisk.add(atRisk)
	r.WithoutTLS13.add(without13)
}

// offersTLS13 reports whether a client has TLS 1.3.
func offersTLS13(h *wire.ClientHello) bool { return h.SupportedVersions.Contains(wire.VersionTLS13) }

// unverified reports whether a built-in policy's facts are not all checked. The user's own needs no source but the user.
func unverified(p *policy.Policy) bool { return p.AsOf != "" && !p.Verified }

func count[K comparable](m map[K]*Amount, key K, connections int64) {
	if m[key] == nil {
		m[key] = new(Amount)
	}
	m[key].add(connections)
}

func lossOf(s *recording.Shape, v *verdict, g *Target) Loss {
	o := v.result.Outcome(v.hello, g.Blocks[v.block].Policy)
	l := Loss{
		Shape: s.Name, JA4: s.JA4, Connections: v.connections, RejectedBy: o.RejectedBy, Alert: o.Alert,
		Reason: reason(v.hello, v.result), Offered: o.Offered, Accepts: o.Accepts, Uncertain: o.Uncertain,
		Addresses: s.Addresses, EventID: s.EventID,
	}
	if g.several() {
		l.Block = g.Blocks[v.block].Name
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
func reason(h *wire.ClientHello, r policy.Result) string {
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
		switch r.Alert {
		case wire.AlertDecodeError, wire.AlertUnexpectedMessage, wire.AlertIllegalParameter:
			return "the server's TLS library takes no such server name"
		}
		return "server name not served"
	case policy.DimensionALPN:
		return "no application protocol in common"
	case policy.DimensionCipher:
		return "no cipher suite in common"
	case policy.DimensionGroup:
		switch {
		case r.CertificateCurve != 0:
			return "the curve of the certificate, " + r.CertificateCurve.String() + ", is not among the client's groups"
		case len(h.SupportedGroups) == 0:
			return "the client lists no key exchange groups, and no suite without is in common"
		}
		return "no key exchange group in common"
	case policy.DimensionSignature:
		return "no signature algorithm in common"
	case policy.DimensionClientCertificate:
		return "client certificate required"
	}
	return "accepted"
}
