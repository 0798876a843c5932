package why

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// maxAccepted is how many values an endpoint accepts are looked for.
const maxAccepted = 5

func names[T fmt.Stringer](values []T) []string {
	var out []string
	for _, v := range values {
		out = append(out, v.String())
	}
	return out
}

// listed is a list for a sentence.
func listed[T fmt.Stringer](values []T) string {
	const shown = 6
	text := strings.Join(names(values[:min(len(values), shown)]), ", ")
	if len(values) > shown {
		text += fmt.Sprintf(" and %d more", len(values)-shown)
	}
	if text == "" {
		return "none"
	}
	return text
}

// lessOf are the values of all that are not in some.
func lessOf[T comparable](all, some []T) []T {
	return slices.DeleteFunc(slices.Clone(all), func(v T) bool { return slices.Contains(some, v) })
}

// union are the values of both, in order.
func union[T comparable](a, b []T) []T { return append(slices.Clone(a), lessOf(b, a)...) }

// meet are the values that are in both.
func meet[T comparable](a, b []T) []T {
	return slices.DeleteFunc(slices.Clone(a), func(v T) bool { return !slices.Contains(b, v) })
}

// with is the hello that works with one thing changed.
func (r *run) with(edit func(*probe.Hello)) trial {
	t := trial{r.working.hello.Clone(), r.working.proxy}
	edit(t.hello)
	return t
}

// keep takes a trial as the hello that works.
func (r *run) keep(t trial, a answer) {
	r.working, r.accepted = t, a
}

// culprit looks for the one value of a list that the endpoint fails on; fails sends a part of the list. many is true when no half
// fails alone: then it is the number that matters.
func culprit[T any](values []T, fails func([]T) (bool, bool)) (one T, many, ok bool) {
	for len(values) > 1 {
		half := len(values) / 2
		left, right := values[:half], values[half:]
		failed, alive := fails(left)
		if !alive {
			return one, false, false
		}
		if failed {
			values = left
			continue
		}
		if failed, alive = fails(right); !alive {
			return one, false, false
		}
		if !failed {
			return one, true, true
		}
		values = right
	}
	if len(values) == 0 {
		return one, false, false
	}
	return values[0], false, true
}

func lessGREASE[T ~uint16](values []T) []T {
	return slices.DeleteFunc(slices.Clone(values), func(v T) bool { return wire.IsGREASE(v) || uint16(v) == uint16(wire.EmptyRenegotiationInfoSCSV) })
}

// only says of a list that was found out by taking away that there is no more, where that is known.
func only[T fmt.Stringer](accepted []T) string {
	if len(accepted) == 0 {
		return "others"
	}
	if len(accepted) < maxAccepted {
		return "only " + listed(accepted)
	}
	return listed(accepted) + " and perhaps more"
}
