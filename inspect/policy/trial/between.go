package trial

import (
	"cmp"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/recording"
)

// Between is what recorded clients make of the change from A to B.
type Between struct {
	Connections int64   `json:"connections"`
	Shapes      int     `json:"shapes"`
	Lost        Amount  `json:"lost"`    // accepted by A, refused by B
	Losses      []Loss  `json:"losses"`  // why B refuses them
	Gained      Amount  `json:"gained"`  // refused by A, accepted by B
	Gains       []Loss  `json:"gains"`   // why A refused them
	Refused     Amount  `json:"refused"` // by both
	AtRisk      Amount  `json:"at_risk"` // accepted by A, and by B as far as is known: that depends on what B does not state, and for A it did not
	Changed     Amount  `json:"changed"` // accepted by both, and something else is negotiated
	Shifts      []Shift `json:"shifts"`
	Unjudged    int64   `json:"unjudged,omitempty"`
}

// Shift is what is negotiated before and after the change.
type Shift struct {
	From Outcome `json:"from"`
	To   Outcome `json:"to"`
	Amount
}

// Outcome is what is negotiated, as far as two policies are compared in it.
type Outcome struct {
	Version      string `json:"version"`
	Cipher       string `json:"cipher"`
	Curve        string `json:"curve,omitempty"`
	NextProtocol string `json:"next_protocol,omitempty"`
}

func outcomeOf(r policy.Result) Outcome {
	o := Outcome{Version: r.Version.String(), Cipher: r.CipherSuite.String(), NextProtocol: r.Protocol}
	if r.Group != 0 {
		o.Curve = r.Group.String()
	}
	return o
}

// DiffClients compares two policies or listeners, and what recorded clients make of the change from a to b.
func DiffClients(a, b *Target, t *recording.Tally) *Difference {
	d := Diff(a, b)
	c := &Between{Connections: t.Connections - t.Beyond, Unjudged: t.Beyond, Losses: []Loss{}, Gains: []Loss{}, Shifts: []Shift{}}
	shapes := t.Shapes()
	c.Shapes = len(shapes)
	shifts := make(map[[2]Outcome]*Amount)
	for i := range shapes {
		c.shape(&shapes[i], a, b, shifts)
	}
	for pair, amount := range shifts {
		c.Shifts = append(c.Shifts, Shift{From: pair[0], To: pair[1], Amount: *amount})
	}
	slices.SortFunc(c.Shifts, func(a, b Shift) int {
		return cmp.Or(cmp.Compare(b.Connections, a.Connections), compareOutcome(a.From, b.From), compareOutcome(a.To, b.To))
	})
	for _, list := range [...][]Loss{c.Losses, c.Gains} {
		slices.SortFunc(list, func(a, b Loss) int {
			return cmp.Or(cmp.Compare(b.Connections, a.Connections), cmp.Compare(a.Shape, b.Shape), cmp.Compare(a.RejectedBy, b.RejectedBy))
		})
	}
	d.Clients = c
	return d
}

func compareOutcome(a, b Outcome) int {
	return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.Cipher, b.Cipher), cmp.Compare(a.Curve, b.Curve), cmp.Compare(a.NextProtocol, b.NextProtocol))
}

// shape compares the two policies' answers to one kind of clients. Where one of them has names, every name is a case.
func (c *Between) shape(s *recording.Shape, a, b *Target, shifts map[[2]Outcome]*Amount) {
	cases := []recording.Shape{*s}
	if a.byName() || b.byName() {
		cases = cases[:0]
		for i := range s.Names {
			one := *s
			one.Names, one.Connections, one.OtherNames = s.Names[i:i+1], s.Names[i].Connections, 0
			cases = append(cases, one)
		}
		c.Unjudged += s.OtherNames
		c.Connections -= s.OtherNames
	}
	var lost, gained, refused, changed, atRisk int64
	changes := make(map[[2]Outcome]int64)
	for i := range cases {
		one := &cases[i]
		before, after := a.one(one), b.one(one)
		if before.result.Accepted && after.result.Accepted && after.result.Uncertain != "" && before.result.Uncertain == "" {
			atRisk += one.Connections
		}
		switch {
		case before.result.Accepted && after.result.Accepted:
			if pair := [2]Outcome{outcomeOf(before.result), outcomeOf(after.result)}; pair[0] != pair[1] {
				changes[pair] += one.Connections
				changed += one.Connections
			}
		case before.result.Accepted:
			lost += one.Connections
			c.Losses = appendLoss(c.Losses, lossOf(one, &after, b))
		case after.result.Accepted:
			gained += one.Connections
			c.Gains = appendLoss(c.Gains, lossOf(one, &before, a))
		default:
			refused += one.Connections
		}
	}
	for pair, n := range changes {
		count(shifts, pair, n)
	}
	c.Lost.add(lost)
	c.Gained.add(gained)
	c.Refused.add(refused)
	c.Changed.add(changed)
	c.AtRisk.add(atRisk)
}

// appendLoss adds a loss to the one before it where they differ in the names alone.
func appendLoss(list []Loss, l Loss) []Loss {
	if len(list) > 0 {
		if last := &list[len(list)-1]; last.Shape == l.Shape && last.Block == l.Block && last.EventID == l.EventID && last.RejectedBy == l.RejectedBy && last.Alert == l.Alert {
			last.Connections += l.Connections
			room := min(len(l.ServerNames), max(0, maxNames-len(last.ServerNames)))
			last.ServerNames = append(last.ServerNames, l.ServerNames[:room]...)
			last.MoreNames += l.MoreNames + len(l.ServerNames) - room
			return list
		}
	}
	return append(list, l)
}
