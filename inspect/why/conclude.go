package why

import (
	"fmt"
	"strings"
)

// conclude gives the verdict, and says all in a sentence.
func (r *run) conclude() {
	res := r.result
	if r.cut || res.Exhausted && len(r.causes) > 0 && !r.confirmed {
		// What was not checked to the end is no cause.
		res.Exhausted = true
		for _, f := range r.causes {
			res.Tried = append(res.Tried, "suspected and not checked to the end: "+f.id+": "+f.evidence)
		}
		r.withdraw()
	}
	r.tellExcused()
	r.nameAltered()
	r.addDiffering()
	switch {
	case len(r.causes) > 0:
		res.Verdict = Explained
		res.Sentence = r.causes[0].sentence
		if len(r.causes) > 1 {
			var all []string
			for i, f := range r.causes {
				all = append(all, fmt.Sprintf("(%d) %s", i+1, f.sentence))
			}
			res.Sentence = fmt.Sprintf("%s: %s", Count(res), strings.Join(all, " "))
		}
	case r.accepted.works && res.Failure == "":
		res.Verdict = NoFailure
		res.Sentence = "The endpoint accepts this hello: " + r.accepted.x.Describe() + ". If the client fails all the same, it is the client that refuses what it is given (its certificate, most likely), or something that is not in the hello."
		if r.provoked {
			res.Sentence = "The endpoint accepts this hello: " + r.accepted.x.Describe() + ". The handshake is finished, and the connection is reset as soon as anything follows it. That has nothing to do with the hello."
		}
	default:
		res.Verdict = Undetermined
		res.Sentence = "The endpoint does not accept this hello, and why could not be told."
		switch {
		case r.ctx.Err() != nil:
			res.Exhausted = false
			res.Sentence = fmt.Sprintf("The experiment was interrupted after %d connections, before a cause was found.", len(res.Probes))
		case r.failure.x == nil:
			res.Sentence = "Nothing was sent: there was no time, or no connection left."
		case res.Exhausted && !r.accepted.works && r.failure.works:
			res.Sentence = "The endpoint accepted this hello at least once; the connections that are allowed were used up."
		case res.Exhausted:
			res.Sentence = fmt.Sprintf("The endpoint does not accept this hello (%s); the %d connections that are allowed were used up before the cause was found.", res.Failure, r.budget())
			if used := len(res.Probes); used < r.budget() {
				res.Sentence = fmt.Sprintf("The endpoint does not accept this hello (%s); %d of the %d connections that are allowed were made, and those that are left do not suffice to find the cause.", res.Failure, used, r.budget())
			}
		case r.accepted.works && len(res.Tried) > 0:
			res.Sentence = fmt.Sprintf("The endpoint does not accept this hello (%s), and accepts others; what of it is to blame could not be told.", res.Failure)
		case len(res.Tried) > 0:
			res.Sentence = fmt.Sprintf("The endpoint does not accept this hello (%s), nor any other that was tried.", res.Failure)
		}
	}
}

// Count says of a result how many causes there are, and how they belong together.
func Count(r *Result) string {
	if r.Cause == AddressesDiffer || len(r.Causes) > 0 && r.Causes[0].ID == AddressesDiffer {
		return fmt.Sprintf("%d causes, the first of all addresses, the others of %s", len(r.Causes), r.Address)
	}
	return fmt.Sprintf("%d causes, each of which is enough", len(r.Causes))
}
