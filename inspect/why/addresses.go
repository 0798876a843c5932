package why

import (
	"fmt"
	"net"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
)

// maxAsked is how many addresses behind a name are asked.
const maxAsked = 8

// addresses asks each of the addresses behind the target's name, where there are several, and goes on with one of them: the first that
// does not accept the hello, or the first of all. Where they differ, that is a cause. It reports whether the experiment goes on.
func (r *run) addresses() bool {
	all := r.Addresses[:min(len(r.Addresses), maxAsked)]
	if len(all) == 0 {
		return true
	}
	own := *r.Experiment
	r.Experiment = &own
	if own.Target.Name == "" {
		own.Target.Name, _, _ = net.SplitHostPort(own.Target.Address)
	}
	own.Names = append(own.Names[:len(own.Names):len(own.Names)], own.Target.Name)
	if len(all) == 1 {
		own.Target.Address = all[0]
		return true
	}
	answers := make([]answer, 0, len(all))
	for _, address := range all {
		own.Target.Address = address
		a := r.send("to "+address, r.failing)
		if a.x == nil {
			return false
		}
		if a.x.Outcome == probe.OutcomeTimeout && r.left() > 0 { // it may only be slow
			a = r.send("to "+address+", again, as nothing came", r.failing)
		}
		answers = append(answers, a)
	}
	chosen, words := 0, make(map[string][]string)
	var order []string
	for i := len(answers) - 1; i >= 0; i-- {
		if a := answers[i]; a.x != nil && !a.works {
			chosen = i
		}
	}
	for i, a := range answers {
		word := "accepted"
		if a.x != nil && !a.works {
			word = inspect.Bounded(a.x.Describe())
		}
		if words[word] == nil {
			order = append(order, word)
		}
		words[word] = append(words[word], all[i])
	}
	own.Target.Address, r.result.Address = all[chosen], all[chosen]
	if len(order) == 1 {
		r.result.Notes = append(r.result.Notes, fmt.Sprintf("The name has %d addresses, which all answer the same; the experiment was made with %s.", len(r.Addresses), all[chosen]))
		return true
	}
	// Believed only if both do the same once more: one that is not steady differs from itself.
	for i, a := range answers {
		if word := words["accepted"]; i != chosen && !(len(word) > 0 && word[0] == all[i]) {
			continue
		}
		own.Target.Address = all[i]
		if again := r.send("to "+all[i]+", again", r.failing); again.x == nil || kind(again.x) != kind(a.x) {
			own.Target.Address = all[chosen]
			return true // what it is will be seen
		}
	}
	own.Target.Address = all[chosen]
	var parts []string
	for _, word := range order {
		parts = append(parts, strings.Join(words[word], ", ")+": "+word)
	}
	evidence := strings.Join(parts, "; ")
	r.differ = &found{axis: AxisNetwork, id: AddressesDiffer, offered: all, accepted: words["accepted"], evidence: "the hello in question, to each address of the name: " + evidence,
		sentence: fmt.Sprintf("The addresses behind the name differ: %s.", evidence),
		fix:      "Give the endpoints behind the name the same settings, or take those that differ out of the name's addresses."}
	r.result.Notes = append(r.result.Notes, fmt.Sprintf("The name has %d addresses; the experiment was made with %s.", len(r.Addresses), all[chosen]))
	return true
}

// addDiffering puts first, when all is done, that the addresses differ: the other causes are those of one of them.
func (r *run) addDiffering() {
	if r.differ == nil {
		return
	}
	causes, described := r.causes, r.result.Causes
	r.causes, r.result.Causes = nil, nil
	r.add(*r.differ)
	r.causes, r.result.Causes = append(r.causes, causes...), append(r.result.Causes, described...)
}
