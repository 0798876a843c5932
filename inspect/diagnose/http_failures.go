package diagnose

import (
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
			words = "answered with " + strconv.Itoa(f.Status) + sep(words) + bound(words)
		}
	}
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n) + " of " + strconv.Itoa(e.c.HTTP.Requests) + " requests, the first " + words
}

func sep(words string) string {
	if words == "" {
		return ""
	}
	return "; "
}
