package diagnose

import (
	"slices"
	"strconv"

	"github.com/tlstriage/tlstriage/inspect"
)

// httpFailures is what became of the requests that failed in one way: a sentence; empty where none did.
func (e *evidence) httpFailures(kind inspect.HTTPFailureType) string {
	if e.c.HTTP == nil {
		return ""
	}
	n, words := 0, ""
	for _, f := range e.c.HTTP.Failures {
		if f.Type != kind {
			continue
		}
		if n++; n == 1 {
			words = f.Message
			if f.Host != "" {
				words = or(words, "host") + ": " + f.Host
			}
			told := "without an answer"
			if f.Status != 0 {
				told = "answered with " + strconv.Itoa(f.Status)
			}
			words = told + sep(words) + bound(words)
		}
	}
	if n == 0 {
		return ""
	}
	// What was refused before it was a request is not among the requests.
	return strconv.Itoa(n) + " of " + strconv.Itoa(max(n, e.c.HTTP.Requests)) + " requests, the first " + words
}

// httpMidway reports whether the first request that failed in a way did so in the middle of its answer.
func (e *evidence) httpMidway(kind inspect.HTTPFailureType) bool {
	i := slices.IndexFunc(e.c.HTTP.Failures, func(f inspect.HTTPFailure) bool { return f.Type == kind })
	return i >= 0 && e.c.HTTP.Failures[i].Midway
}

func sep(words string) string {
	if words == "" {
		return ""
	}
	return "; "
}
