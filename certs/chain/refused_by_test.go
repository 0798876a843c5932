package chain_test

import (
	"slices"
	"testing"

	"github.com/tlstriage/tlstriage/certs/chain"
)

// aboutTheStore says whether a family refuses for what is trusted, or for a rule of its own that no fault stands for: Apple's for
// private certificates, and the forms that X509_V_FLAG_X509_STRICT wants of authorities.
func aboutTheStore(r *chain.Report, v chain.Verdict) bool {
	if (v.Family == chain.FamilyApple || v.Family == chain.FamilyOpenSSLStrict) && len(r.Faults) == 0 {
		return true
	}
	return r.Trusted && slices.ContainsFunc(v.Reasons, func(b chain.Because) bool { return b.Fault == chain.UntrustedRoot || b.Fault == chain.SelfSigned })
}

// A family that refuses a chain is named by at least one of the faults: a fault that says who refuses must not leave out those who do.
func TestFaultsNameEveryFamilyThatRefuses(t *testing.T) {
	for _, c := range matrix(t) {
		r := examineCase(c)
		for _, v := range r.Verdicts {
			named := slices.ContainsFunc(r.Faults, func(f chain.Fault) bool { return slices.Contains(f.RefusedBy, v.Family) })
			if named == v.Accepts && !aboutTheStore(r, v) {
				t.Errorf("%s: %s accepts: %v (%+v), and is named by a fault: %v\n%+v", c.Name, v.Family, v.Accepts, v.Reasons, named, r.Faults)
			}
		}
	}
}

// Name constraints and malformed names are the fault of a name, and refused by more than Go: the wording of the fault and the list must agree.
func TestFaultsNameWhoRefusesNames(t *testing.T) {
	everyone := []chain.Family{chain.FamilyGo, chain.FamilyOpenSSL, chain.FamilyOpenSSLStrict, chain.FamilyOpenSSL10, chain.FamilyGnuTLS, chain.FamilyJava, chain.FamilyChrome, chain.FamilyFirefox, chain.FamilyApple}
	wanted := map[string]struct {
		id      chain.FaultID
		refused []chain.Family
	}{
		"EC/authority/not-permitted": {chain.WrongUsage, everyone},
		"EC/name/underscore":         {chain.BadName, []chain.Family{chain.FamilyJava}},
		"EC/name/name-as-address":    {chain.BadName, []chain.Family{chain.FamilyJava}},
		"EC/leaf/any-usage":          {chain.WrongUsage, []chain.Family{chain.FamilyOpenSSL, chain.FamilyOpenSSLStrict, chain.FamilyOpenSSL10, chain.FamilyApple}},
		"EC/authority/version-1":     {chain.WrongUsage, everyone},
	}
	seen := 0
	for _, c := range matrix(t) {
		w, ok := wanted[c.Name]
		if !ok {
			continue
		}
		seen++
		r := examineCase(c)
		i := slices.IndexFunc(r.Faults, func(f chain.Fault) bool { return f.ID == w.id })
		if i < 0 || !slices.Equal(r.Faults[i].RefusedBy, w.refused) {
			t.Errorf("%s: %+v, want %s refused by %v", c.Name, r.Faults, w.id, w.refused)
		}
	}
	if seen != len(wanted) {
		t.Errorf("%d of %d cases are in the matrix", seen, len(wanted))
	}
}
