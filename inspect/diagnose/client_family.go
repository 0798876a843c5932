package diagnose

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/certs/chain"
)

// clientKind is one kind of clients with its name.
type clientKind struct {
	family chain.Family
	name   string
}

// clientFamilies are the kinds of clients that judge chains, by the names that people know them by. It is never changed.
var clientFamilies = [...]clientKind{
	{chain.FamilyGo, "Go"}, {chain.FamilyOpenSSL, "OpenSSL (curl, Python, Ruby, PHP)"}, {chain.FamilyOpenSSLStrict, "Python 3.13 and later"},
	{chain.FamilyOpenSSL10, "OpenSSL 1.0"}, {chain.FamilyGnuTLS, "GnuTLS"}, {chain.FamilyJava, "Java"}, {chain.FamilyChrome, "Chrome"},
	{chain.FamilyFirefox, "Firefox"}, {chain.FamilyApple, "Apple's systems"},
}

// refusing says which clients refuse the chain for the faults with an id; empty where none is known to. all: they are of every kind.
func refusing(faults []chain.Fault, id chain.FaultID) (words string, all bool) {
	if aboutTrust(id) || id == chain.MissingKeyID {
		return "", false // those that have the same roots do; or the fault's own words say who does
	}
	refuse, take := make([]string, 0, len(clientFamilies)), make([]string, 0, len(clientFamilies)) // neither leaves the stack
	for _, k := range clientFamilies {
		if refuses(faults, k.family, id) {
			refuse = append(refuse, k.name)
		} else {
			take = append(take, k.name)
		}
	}
	switch {
	case len(refuse) == 0:
		return "", false
	case len(take) == 0:
		return "; clients of every kind refuse it", true
	case len(take) <= 3:
		return "; clients of every kind refuse it but " + strings.Join(take, ", "), false
	}
	return "; refused by " + strings.Join(refuse, ", "), false
}

// refuses reports whether a kind of clients refuses the chain for a fault with an id.
func refuses(faults []chain.Fault, family chain.Family, id chain.FaultID) bool {
	for i := range faults {
		if f := &faults[i]; f.ID == id && slices.Contains(f.RefusedBy, family) {
			return true
		}
	}
	return false
}

// refusedByAny reports whether any kind of clients refuses the chain for a fault with an id; but not counting those named.
func (c *chainEvidence) refusedByAny(id chain.FaultID, but ...chain.Family) bool {
	return slices.ContainsFunc(clientFamilies[:], func(k clientKind) bool {
		return !slices.Contains(but, k.family) && refuses(c.faults, k.family, id)
	})
}
