package policy

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/spelling"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// maxNearest bounds how many names a message proposes.
const maxNearest = 4

// nearestOf are the names that look most like a word, nearest first. A word that is far from everything has none.
func nearestOf(word string, names iter.Seq[string]) []string {
	if len(word) > 128 {
		return nil
	}
	type candidate struct {
		name     string
		distance int
	}
	word = strings.ToLower(word)
	var candidates []candidate
	for name := range names {
		distance := spelling.Distance(word, strings.ToLower(name))
		if distance <= max(2, len(word)/4) {
			candidates = append(candidates, candidate{name, distance})
		}
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var out []string
	for _, c := range candidates[:min(maxNearest, len(candidates))] {
		out = append(out, c.name)
	}
	return out
}

// nearestPolicies are the names of built-in policies that look most like ref.
func nearestPolicies(ref string) []string {
	if len(ref) > 128 {
		return nil
	}
	var best []int
	var order []int
	ref = strings.ToLower(ref)
	for i := range builtins {
		p := &builtins[i]
		distance := min(spelling.Distance(ref, strings.ToLower(p.Name)), spelling.Distance(ref, strings.ToLower(p.bareName())))
		for _, a := range p.Aliases {
			distance = min(distance, spelling.Distance(ref, strings.ToLower(a)))
		}
		if len(ref) >= 4 && strings.Contains(strings.ToLower(p.Name), ref) {
			distance = min(distance, 2) // a part of a name is near it
		}
		best = append(best, distance)
		if distance <= max(3, len(ref)/3) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(best[a], best[b]) })
	var names []string
	for _, i := range order[:min(maxNearest, len(order))] {
		names = append(names, builtins[i].Name)
	}
	return names
}

type codePoint interface {
	~uint16
	String() string
}

// codeNames yields the names of all code points of a kind that a registry knows; suites by their OpenSSL names, too.
func codeNames[T codePoint]() iter.Seq[string] {
	return func(yield func(string) bool) {
		for v := range 1 << 16 {
			name := T(v).String()
			if strings.HasPrefix(name, "0x") {
				continue
			}
			if !yield(name) {
				return
			}
			if suite, ok := any(T(v)).(wire.CipherSuite); ok {
				if other := suite.OpenSSLName(); other != name && !yield(other) {
					return
				}
			}
		}
	}
}
