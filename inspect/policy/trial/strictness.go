package trial

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Strictness is how strict a policy is, in the respects that count, the weightiest first. Of two policies the stricter one is the
// one that is stricter in the first respect in which they differ:
//
//  1. the lowest version is higher;
//  2. fewer suites with broken or anonymous encryption (RC4, DES, 3DES, NULL, export, MD5, no authentication);
//  3. fewer suites without forward secrecy (RSA key exchange);
//  4. fewer suites that are not AEAD (CBC);
//  5. fewer signature algorithms with SHA-1 or MD5, as far as they are stated;
//  6. fewer weak groups, as far as they are stated;
//  7. the highest version is higher;
//  8. post-quantum groups are on offer;
//  9. fewer suites at all.
//
// Only suites count that a version of the policy can use.
type Strictness struct {
	MinVersion       string `json:"min_version"`
	MaxVersion       string `json:"max_version"`
	Broken           int    `json:"broken_suites"`
	NoForwardSecrecy int    `json:"suites_without_forward_secrecy"`
	NotAEAD          int    `json:"suites_without_aead"`
	OldSignatures    int    `json:"sha1_signature_algorithms"`
	WeakGroups       int    `json:"weak_groups"`
	PostQuantum      bool   `json:"post_quantum"`
	Suites           int    `json:"suites"`

	lowest, highest wire.Version
}

// StrictnessOf measures a policy.
func StrictnessOf(p *policy.Policy) Strictness {
	var s Strictness
	if len(p.Versions) > 0 {
		s.lowest, s.highest = slices.Min(p.Versions), slices.Max(p.Versions)
	}
	s.MinVersion, s.MaxVersion = s.lowest.String(), s.highest.String()
	for _, suite := range p.CipherSuites {
		info, ok := suite.Info()
		if !ok || info.Signal() || !slices.ContainsFunc(p.Versions, func(v wire.Version) bool { return info.MinVersion <= v && v <= info.MaxVersion }) {
			continue
		}
		s.Suites++
		if broken(info) {
			s.Broken++
		}
		if !info.ForwardSecrecy && !info.TLS13() {
			s.NoForwardSecrecy++
		}
		if !info.AEAD {
			s.NotAEAD++
		}
	}
	for _, scheme := range p.SignatureSchemes {
		if info, _ := scheme.Info(); info.Hash == "SHA1" || info.Hash == "MD5" {
			s.OldSignatures++
		}
	}
	for _, g := range p.Groups {
		info, _ := g.Info()
		if info.Weak {
			s.WeakGroups++
		}
		s.PostQuantum = s.PostQuantum || info.PostQuantum
	}
	return s
}

// broken reports whether nobody should use a suite any more.
func broken(info wire.CipherSuiteInfo) bool {
	switch {
	case info.Export, info.MAC == "MD5", info.Authentication == "anon", info.Authentication == "NULL":
		return true
	case info.Encryption == "NULL", strings.HasPrefix(info.Encryption, "RC"), strings.Contains(info.Encryption, "DES"), info.Encryption == "IDEA":
		return true
	}
	return false
}

// CompareStrictness is negative when a is stricter than b.
func CompareStrictness(a, b Strictness) int {
	return cmp.Or(
		cmp.Compare(b.lowest, a.lowest),
		cmp.Compare(a.Broken, b.Broken),
		cmp.Compare(a.NoForwardSecrecy, b.NoForwardSecrecy),
		cmp.Compare(a.NotAEAD, b.NotAEAD),
		cmp.Compare(a.OldSignatures, b.OldSignatures),
		cmp.Compare(a.WeakGroups, b.WeakGroups),
		cmp.Compare(b.highest, a.highest),
		compareBool(b.PostQuantum, a.PostQuantum),
		cmp.Compare(a.Suites, b.Suites),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
