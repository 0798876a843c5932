// Package named finds built-in policies for importers, whose files may name thousands that do not exist.
package named

import (
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
)

// maxUnknown is for how many unknown names near ones are sought: that is the slow part of a look-up.
const maxUnknown = 100

// Finder finds built-in policies. The zero value is ready.
type Finder struct {
	known   map[string]bool // full names and aliases, in lower case
	unknown map[string]error
}

// Find is policy.Lookup for a full name ("aws/clb/ELBSecurityPolicy-2016-08") or an alias. The error is an *policy.UnknownError; that
// of the hundredth unknown name and beyond tells no near names.
func (f *Finder) Find(ref string) (*policy.Policy, error) {
	if f.known == nil {
		f.known, f.unknown = make(map[string]bool), make(map[string]error)
		for p := range policy.All() {
			f.known[strings.ToLower(p.Name)] = true
			for _, alias := range p.Aliases {
				f.known[strings.ToLower(alias)] = true
			}
		}
	}
	if f.known[strings.ToLower(ref)] {
		return policy.Lookup(ref)
	}
	if err, ok := f.unknown[ref]; ok {
		return nil, err
	}
	if len(f.unknown) >= maxUnknown {
		return nil, &policy.UnknownError{Ref: ref}
	}
	p, err := policy.Lookup(ref)
	if err != nil {
		f.unknown[ref] = err
		return nil, err
	}
	return p, nil
}
