package trial

import (
	"cmp"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/recording"
)

// Recommendation is the strictest policy that costs no more than was accepted.
type Recommendation struct {
	Connections int64       `json:"connections"`
	Shapes      int         `json:"shapes"`
	MaxLoss     string      `json:"max_loss"`
	Tried       int         `json:"tried"`                // policies
	Best        *Candidate  `json:"best"`                 // null: every policy loses more
	Stricter    []Candidate `json:"stricter"`             // that lose more than was accepted, or are not verified: the nearest to the best first
	Others      []Candidate `json:"others"`               // that lose no more either, and are less strict: the strictest first
	Cheapest    *Candidate  `json:"cheapest,omitempty"`   // without a best one: what loses least
	Tailored    []Tailored  `json:"tailored"`             // versions and suites to measure
	Unservable  []Loss      `json:"unservable,omitempty"` // clients that every policy which was tried refuses

	maxLoss Threshold
}

// Candidate is a policy that was tried.
type Candidate struct {
	Policy     string     `json:"policy"`
	Product    string     `json:"product,omitempty"`
	Unverified bool       `json:"unverified,omitempty"`
	Strictness Strictness `json:"strictness"`
	Lost       Amount     `json:"lost"`
	Uncertain  int64      `json:"uncertain,omitempty"` // connections whose answer depends on what the policy's facts do not say
	Losses     []Loss     `json:"losses,omitempty"`    // the largest
	MoreLosses int        `json:"more_losses,omitempty"`

	WithoutTLS13 Amount   `json:"without_tls13"`        // clients that have TLS 1.3 and would be served in an older version
	Negotiated   []Choice `json:"negotiated,omitempty"` // of the best one: the most frequent first

	choices []Choice
}

// Options are what a recommendation keeps to. The zero value accepts no loss and tailors nothing.
type Options struct {
	MaxLoss      Threshold
	Systems      []System                 // to tailor for
	Certificates []policy.CertificateType // of the endpoint that is tailored; nil: not known, and RSA where something is written

	// Write says a tailored policy in the words of its system. Nil: nothing is written.
	Write func(*policy.Policy, System) (*Written, error)
}

// Written is a policy in the words of a system.
type Written struct {
	Text    string         // to be pasted
	Apply   []string       // commands that make it hold
	Policy  *policy.Policy // what the system makes of it
	Comment string         // what begins a comment in it
}

// Bounds of a recommendation.
const (
	maxRunnersUp       = 5
	maxCandidateLosses = 5
)

// Recommend tries policies on recorded clients and takes the strictest that loses no more than is accepted, and fits a tailored one for
// each system. Policies are compared by their lowest version, then by how many clients they would cost TLS 1.3, then by Strictness; of
// those that are equal in all that the one that loses less is taken. One that is not verified is recommended only where no verified one
// would do. The error is that of Options.Write.
func Recommend(policies []*policy.Policy, t *recording.Tally, o Options) (*Recommendation, error) {
	shapes, maxLoss := t.Shapes(), o.MaxLoss
	r := &Recommendation{
		Connections: t.Connections - t.Beyond, Shapes: len(shapes), MaxLoss: maxLoss.String(), Tried: len(policies), maxLoss: maxLoss,
		Stricter: []Candidate{}, Others: []Candidate{}, Tailored: []Tailored{},
	}
	candidates := make([]Candidate, 0, len(policies))
	// The least strict comes last: what it says of a client that all refuse is the reason that counts.
	policies = slices.Clone(policies)
	slices.SortStableFunc(policies, func(a, b *policy.Policy) int { return CompareStrictness(StrictnessOf(a), StrictnessOf(b)) })
	refusals := make(map[string]int) // of a shape: the policies in a row that refuse it altogether
	for i, p := range policies {
		report := check(t, shapes, On(p))
		candidates = append(candidates, candidateOf(p, report))
		for _, l := range report.Losses {
			key := l.Shape + " " + l.EventID
			if refusals[key] != i {
				continue // another policy serves it, or this one refuses it for a second reason, by name
			}
			if refusals[key]++; i == len(policies)-1 {
				r.Unservable = append(r.Unservable, l)
			}
		}
	}
	slices.SortStableFunc(candidates, func(a, b Candidate) int {
		return cmp.Or(
			compareCandidates(&a, &b), cmp.Compare(a.Lost.Connections, b.Lost.Connections),
			compareBool(a.Unverified, b.Unverified), cmp.Compare(a.Policy, b.Policy))
	})
	cheap := func(c Candidate) bool { return !maxLoss.Exceeded(c.Lost.Connections, r.Connections) }
	best := slices.IndexFunc(candidates, func(c Candidate) bool { return cheap(c) && !c.Unverified })
	if best < 0 {
		best = slices.IndexFunc(candidates, cheap)
	}
	switch {
	case best >= 0:
		r.Best = &candidates[best]
		r.Best.Negotiated = r.Best.choices
		for i := best - 1; i >= 0 && len(r.Stricter) < maxRunnersUp; i-- {
			r.Stricter = append(r.Stricter, candidates[i])
		}
		for _, c := range candidates[best+1:] {
			if len(r.Others) < maxRunnersUp && cheap(c) {
				r.Others = append(r.Others, c)
			}
		}
	case len(candidates) > 0:
		cheapest := slices.MinFunc(candidates, func(a, b Candidate) int { return cmp.Compare(a.Lost.Connections, b.Lost.Connections) })
		r.Cheapest = &cheapest
	}
	for _, s := range o.Systems {
		tailored, err := tailor(t, shapes, s, o)
		if err != nil {
			return nil, err
		}
		r.Tailored = append(r.Tailored, tailored)
	}
	return r, nil
}

// TooMuch reports whether all that was tried loses more than was accepted: every policy, or where none was to be tried every tailored one.
func (r *Recommendation) TooMuch() bool {
	if r.Tried > 0 {
		return r.Best == nil
	}
	return !slices.ContainsFunc(r.Tailored, func(t Tailored) bool { return !r.maxLoss.Exceeded(t.Lost.Connections, r.Connections) })
}

// compareCandidates is negative when a is to be preferred to b, whatever they lose.
func compareCandidates(a, b *Candidate) int {
	return cmp.Or(
		cmp.Compare(b.Strictness.lowest, a.Strictness.lowest),
		cmp.Compare(a.WithoutTLS13.Connections, b.WithoutTLS13.Connections),
		CompareStrictness(a.Strictness, b.Strictness),
	)
}

func candidateOf(p *policy.Policy, r *Report) Candidate {
	c := Candidate{Policy: p.Name, Product: p.Product, Unverified: r.Unverified, Strictness: StrictnessOf(p), Lost: r.Lost, WithoutTLS13: r.WithoutTLS13, choices: r.Negotiated}
	for _, d := range r.Uncertain {
		c.Uncertain += d.Connections
	}
	n := min(len(r.Losses), maxCandidateLosses)
	c.Losses, c.MoreLosses = slices.Clone(r.Losses[:n]), len(r.Losses)-n
	return c
}
