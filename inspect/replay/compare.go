package replay

import (
	"cmp"
	"slices"
)

// Side is one side of a comparison: an endpoint that was asked, or a policy that predicts.
type Side struct {
	Label     string
	Predicted bool
	Answers   []Answer // by subject
}

// Amount counts subjects and the connections that they stand for.
type Amount struct {
	Shapes      int   `json:"shapes"`
	Connections int64 `json:"connections"`
}

func (a *Amount) add(s *Subject) {
	a.Shapes++
	a.Connections += s.Connections
}

// Class is how a subject fares with the new side against the old one.
type Class string

// Classes.
const (
	Same         Class = "same"         // both take it with the same choice, or neither takes it
	Different    Class = "different"    // both take it, and choose differently
	Better       Class = "better"       // only the new one takes it
	Worse        Class = "worse"        // only the old one takes it
	Undetermined Class = "undetermined" // one of them gave no answer that counts
)

// Difference is a subject that fares differently.
type Difference struct {
	Subject  *Subject
	Class    Class
	Old, New Answer
	Fields   []string // Different: in what the choices differ
}

// Comparison holds a new side against an old one.
type Comparison struct {
	Old, New    Side
	All         Amount
	Amounts     map[Class]Amount
	Refused     Amount       // of Same: neither side takes them
	Differences []Difference // all but Same; the ones with the most connections first
	Commons     []Common     // what those that are Worse have in common
}

// Compare compares what two sides make of the subjects.
func Compare(subjects []*Subject, old, new Side) *Comparison {
	c := &Comparison{Old: old, New: new, Amounts: make(map[Class]Amount)}
	var worse, taken []*Subject
	for i, s := range subjects {
		d := Difference{Subject: s, Old: old.Answers[i], New: new.Answers[i]}
		d.Class, d.Fields = classOf(d.Old, d.New)
		c.All.add(s)
		amount := c.Amounts[d.Class]
		amount.add(s)
		c.Amounts[d.Class] = amount
		switch {
		case d.Class == Worse:
			worse = append(worse, s)
		case d.New.Accepted && d.New.Undetermined == "":
			taken = append(taken, s)
		case d.Class == Same:
			c.Refused.add(s)
		}
		if d.Class != Same {
			c.Differences = append(c.Differences, d)
		}
	}
	slices.SortStableFunc(c.Differences, byWeight)
	c.Commons = commons(worse, taken, new.Answers, subjects)
	return c
}

// byWeight puts what matters most first.
func byWeight(a, b Difference) int {
	return cmp.Or(cmp.Compare(classRank(a.Class), classRank(b.Class)), cmp.Compare(b.Subject.Connections, a.Subject.Connections), cmp.Compare(a.Subject.Label(), b.Subject.Label()))
}

func classRank(c Class) int {
	return slices.Index([]Class{Worse, Undetermined, Different, Better, Same}, c)
}

// Classify says how a new answer compares with an old one, and in what the choices differ.
func Classify(old, new Answer) (class Class, differs []string) { return classOf(old, new) }

func classOf(old, new Answer) (Class, []string) {
	switch {
	case old.Undetermined != "" || new.Undetermined != "":
		return Undetermined, nil
	case old.Accepted && !new.Accepted:
		return Worse, nil
	case !old.Accepted && new.Accepted:
		return Better, nil
	case !old.Accepted:
		return Same, nil
	}
	if fields := old.Choice.difference(new.Choice); len(fields) > 0 {
		return Different, fields
	}
	return Same, nil
}

// Contradictions are the subjects of which a prediction and an experiment differ: in whether they are taken, in what is chosen, or in the
// alert that refuses them.
func Contradictions(subjects []*Subject, predicted, measured Side) []Difference {
	var found []Difference
	for i, s := range subjects {
		d := Difference{Subject: s, Old: predicted.Answers[i], New: measured.Answers[i]}
		d.Class, d.Fields = classOf(d.Old, d.New)
		switch d.Class {
		case Undetermined:
			continue
		case Same:
			if d.Old.Accepted || d.Old.Alert == "" || d.New.Alert == "" || d.Old.Alert == d.New.Alert {
				continue
			}
			d.Class, d.Fields = Different, []string{"alert"}
		}
		found = append(found, d)
	}
	slices.SortStableFunc(found, byWeight)
	return found
}

// Losses is the amount that one side does not take, and what they have in common.
func Losses(subjects []*Subject, side Side) (lost Amount, undetermined Amount, common []Common) {
	var refused, taken []*Subject
	for i, s := range subjects {
		switch a := side.Answers[i]; {
		case a.Undetermined != "":
			undetermined.add(s)
		case a.Accepted:
			taken = append(taken, s)
		default:
			lost.add(s)
			refused = append(refused, s)
		}
	}
	return lost, undetermined, commons(refused, taken, side.Answers, subjects)
}
