package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Clone is a copy of p that shares nothing with it.
func (p *Policy) Clone() *Policy { return p.clone() }

// Normalize is a copy of p in which every way to say the same thing is one: versions rise, suites of TLS 1.3 stand before the
// others (neither ever competes with the other), suites of versions that are not spoken are gone, nothing stands twice, names are
// lower-case and sorted, an unstated preference is the server's and an unstated client authentication none. A group of
// equal preference holds what is left of it, and one suite alone is no group.
func (p *Policy) Normalize() *Policy {
	c := p.clone()
	c.Versions = rising(c.Versions)
	c.BlockedVersions = rising(c.BlockedVersions)
	spoken := slices.Concat(c.Versions, c.BlockedVersions)
	c.CipherSuites = slices.DeleteFunc(unique(c.CipherSuites), func(s wire.CipherSuite) bool {
		info, known := s.Info()
		return known && !slices.ContainsFunc(spoken, func(v wire.Version) bool { return v >= info.MinVersion && v <= info.MaxVersion })
	})
	slices.SortStableFunc(c.CipherSuites, func(a, b wire.CipherSuite) int { return cmp.Compare(rank13(a), rank13(b)) })
	var equal [][]wire.CipherSuite
	for _, group := range c.EqualPreference {
		group = slices.DeleteFunc(unique(group), func(s wire.CipherSuite) bool { return !slices.Contains(c.CipherSuites, s) })
		if len(group) > 1 {
			slices.SortFunc(group, func(a, b wire.CipherSuite) int {
				return cmp.Compare(slices.Index(c.CipherSuites, a), slices.Index(c.CipherSuites, b))
			})
			equal = append(equal, group)
		}
	}
	slices.SortFunc(equal, func(a, b []wire.CipherSuite) int {
		return cmp.Compare(slices.Index(c.CipherSuites, a[0]), slices.Index(c.CipherSuites, b[0]))
	})
	c.EqualPreference = equal
	c.Groups, c.SignatureSchemes = unique(c.Groups), unique(c.SignatureSchemes)
	c.Certificates, c.ALPN = unique(c.Certificates), unique(c.ALPN)
	for i, name := range c.Names {
		c.Names[i] = strings.ToLower(name)
	}
	slices.Sort(c.Names)
	c.Names = slices.Compact(c.Names)
	if c.Preference == PreferenceUnknown {
		c.Preference = PreferServer
	}
	if c.PreferenceTLS13 == c.Preference || !slices.Contains(c.Versions, wire.VersionTLS13) {
		c.PreferenceTLS13 = PreferenceUnknown
	}
	c.ClientAuth = cmp.Or(c.ClientAuth, ClientAuthNone)
	c.CertificateBy12 = c.CertificateBy12 && c.CertificateFirst
	if c.Family != FamilyGo {
		c.GoRelease = 0
	}
	return c
}

// rank13 sorts the suites of TLS 1.3 before the others.
func rank13(s wire.CipherSuite) int {
	if info, ok := s.Info(); ok && info.TLS13() {
		return 0
	}
	return 1
}

// rising is a list of versions in rising order; nil for an empty one.
func rising(versions []wire.Version) []wire.Version {
	slices.Sort(versions)
	versions = slices.Compact(versions)
	if len(versions) == 0 {
		return nil
	}
	return versions
}

// unique drops what stands a second time. It changes list; nil stays nil.
func unique[T comparable](list []T) []T {
	kept := list[:0]
	for _, v := range list {
		if !slices.Contains(kept, v) {
			kept = append(kept, v)
		}
	}
	return kept
}

// Equal reports whether two policies make the same of every client, as far as a configuration can state it: see Differences.
func Equal(a, b *Policy) bool { return len(Differences(a, b)) == 0 }

// Differences says in words what of a is otherwise in b: versions, suites and their order, preference, groups, signature
// schemes, ALPN, names, client authentication, and the habits of a system in choosing a certificate. Name, provenance, the library behind the endpoint and its certificates, which no
// snippet of a configuration states, do not count. A group list that no source states is not the same as one that is stated.
func Differences(a, b *Policy) []string {
	a, b = a.Normalize(), b.Normalize()
	var out []string
	differ := func(what string, same bool, x, y any) {
		if !same {
			out = append(out, fmt.Sprintf("%s: %v, not %v", what, x, y))
		}
	}
	differ("versions", slices.Equal(a.Versions, b.Versions), b.Versions, a.Versions)
	differ("blocked versions", slices.Equal(a.BlockedVersions, b.BlockedVersions), b.BlockedVersions, a.BlockedVersions)
	differ("cipher suites", slices.Equal(a.CipherSuites, b.CipherSuites), b.CipherSuites, a.CipherSuites)
	differ("preference", a.Preference == b.Preference, b.Preference, a.Preference)
	differ("preference in TLS 1.3", a.PreferenceTLS13 == b.PreferenceTLS13, cmp.Or(b.PreferenceTLS13, b.Preference), cmp.Or(a.PreferenceTLS13, a.Preference))
	equal := slices.EqualFunc(a.EqualPreference, b.EqualPreference, func(x, y []wire.CipherSuite) bool { return slices.Equal(x, y) })
	differ("equal preference", equal, b.EqualPreference, a.EqualPreference)
	differ("groups", sameList(a.Groups, b.Groups), b.Groups, a.Groups)
	differ("signature schemes", sameList(a.SignatureSchemes, b.SignatureSchemes), b.SignatureSchemes, a.SignatureSchemes)
	differ("ALPN", sameList(a.ALPN, b.ALPN), b.ALPN, a.ALPN)
	differ("ALPN required", a.ALPNRequired == b.ALPNRequired, b.ALPNRequired, a.ALPNRequired)
	differ("ALPN otherwise", a.ALPNOtherwise == b.ALPNOtherwise, b.ALPNOtherwise, a.ALPNOtherwise)
	dhe := a.listsDHE() || b.listsDHE()
	differ("DH parameters", !dhe || a.NoDHParameters == b.NoDHParameters, !b.NoDHParameters, !a.NoDHParameters)
	differ("names", sameList(a.Names, b.Names), b.Names, a.Names)
	differ("SNI required", a.SNIRequired == b.SNIRequired, b.SNIRequired, a.SNIRequired)
	differ("client authentication", a.ClientAuth == b.ClientAuth, b.ClientAuth, a.ClientAuth)
	differ("certificate before suite", a.CertificateFirst == b.CertificateFirst, b.CertificateFirst, a.CertificateFirst)
	differ("certificate by TLS 1.2 alone", a.CertificateBy12 == b.CertificateBy12, b.CertificateBy12, a.CertificateBy12)
	differ("release of Go", a.Family != b.Family || a.GoRelease == b.GoRelease, goRelease(b.GoRelease), goRelease(a.GoRelease))
	return out
}

// goRelease is a release of Go in words.
func goRelease(n int) string {
	if n == 0 {
		return "the newest that is known"
	}
	return fmt.Sprintf("1.%d", n)
}

// listsDHE reports whether any suite is one with finite-field Diffie-Hellman, which needs parameters.
func (p *Policy) listsDHE() bool {
	return slices.ContainsFunc(p.CipherSuites, func(s wire.CipherSuite) bool {
		info, _ := s.Info()
		return info.KeyExchange == "DHE" && !info.TLS13()
	})
}

// sameList also tells an empty list from none.
func sameList[T comparable](a, b []T) bool {
	return (a == nil) == (b == nil) && slices.Equal(a, b)
}
