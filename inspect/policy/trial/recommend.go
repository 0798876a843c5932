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
}

// Bounds of a recommendation.
const (
	maxRunnersUp       = 5
	maxCandidateLosses = 5
)

// Recommend tries policies on recorded clients and takes the strictest (see Strictness) that loses no more than maxLoss, and fits a
// tailored one for each of systems. Of policies that are equally strict the one that loses less is taken. One that is not verified is
// recommended only where no verified one would do.
func Recommend(policies []*policy.Policy, t *recording.Tally, maxLoss Threshold, systems ...System) *Recommendation {
	shapes := t.Shapes()
	r := &Recommendation{
		Connections: t.Connections - t.Beyond, Shapes: len(shapes), MaxLoss: maxLoss.String(), Tried: len(policies),
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
			CompareStrictness(a.Strictness, b.Strictness), cmp.Compare(a.Lost.Connections, b.Lost.Connections),
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
	for _, s := range systems {
		r.Tailored = append(r.Tailored, tailor(t, shapes, s, maxLoss, nil))
	}
	return r
}

func candidateOf(p *policy.Policy, r *Report) Candidate {
	c := Candidate{Policy: p.Name, Product: p.Product, Unverified: r.Unverified, Strictness: StrictnessOf(p), Lost: r.Lost}
	for _, d := range r.Uncertain {
		c.Uncertain += d.Connections
	}
	n := min(len(r.Losses), maxCandidateLosses)
	c.Losses, c.MoreLosses = slices.Clone(r.Losses[:n]), len(r.Losses)-n
	return c
}
