package openssl

import (
	"crypto/sha256"
	"fmt"

	"github.com/tlstriage/tlstriage/inspect/policy"
)

// Maker works out what contexts come to, each but once: a configuration sets the same on thousands of endpoints. The zero value is
// ready; it is for one goroutine.
type Maker struct{ made map[[sha256.Size]byte]made }

type made struct {
	policy *policy.Policy
	notes  []string
	errs   []error
}

// maxMade bounds what is kept.
const maxMade = 1000

// Policy is Context.Policy. The policy is the caller's own.
func (m *Maker) Policy(c *Context) (p *policy.Policy, notes []string, errs []error) {
	level := -1
	if c.Options.SecurityLevel != nil {
		level = *c.Options.SecurityLevel
	}
	flat := *c
	flat.Options.SecurityLevel = nil
	key := sha256.Sum256(fmt.Appendf(nil, "%d %#v", level, flat))
	known, ok := m.made[key]
	if !ok {
		known.policy, known.notes, known.errs = c.Policy()
		if m.made == nil {
			m.made = make(map[[sha256.Size]byte]made)
		}
		if len(m.made) < maxMade {
			m.made[key] = known
		}
	}
	return known.policy.Clone(), known.notes, known.errs
}
