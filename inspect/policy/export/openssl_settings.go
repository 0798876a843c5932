package export

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// dialect is what of OpenSSL a system lets its users set.
type dialect struct {
	release      string // of OpenSSL
	level        int    // security level before the cipher string is read
	range13      bool   // the versions have no holes
	noSuites13   bool   // the suites of TLS 1.3 are those of OpenSSL
	noSchemes    bool   // and the signature schemes
	noGroups     bool   // and the groups
	noChaCha     bool   // ChaCha20 does not go first for who lists it first
	alwaysChaCha bool   // it always does, where the server's order wins
	noClientPref bool   // the server's order always wins
	dh           bool   // there are Diffie-Hellman parameters without asking
	dhSized      bool   // and their size is set
	excluded     string // what the system adds to every cipher string
}

// settings are the words of an OpenSSL configuration, and the context that they make.
type settings struct {
	context openssl.Context
	ciphers string // empty: the default
	suites  string // of TLS 1.3; empty: the default
	groups  string
	schemes string
	dh      bool // parameters are needed: a DHE suite is in use
	dhBits  int  // of parameters whose size is set; 0: none are
	means   *policy.Policy
}

// openSSL finds the settings of a dialect that come closest to the policy.
func (w *writer) openSSL(d dialect) (*settings, error) {
	var best *settings
	bestScore := 0
	var known []wire.CipherSuite
	if all, err := openssl.Ciphers("ALL:COMPLEMENTOFALL"+d.excluded, openssl.Options{Version: d.release}); err == nil {
		known = all.Ciphers
	} else {
		return nil, w.unsayable(oneLine(err.Error()))
	}
	// The level that the policy was read at goes first, unless it is one that asks for uncommon keys: that has to be worth it.
	levels := []int{w.p.SecurityLevel, d.level, 2, 1, 0, w.p.SecurityLevel}
	if w.p.SecurityLevel <= 0 || w.p.SecurityLevel > 2 {
		levels = levels[1:]
	}
	levels = slices.DeleteFunc(levels, func(l int) bool { return l < 0 || l > 5 })
	choices := [][]wire.Version{w.p.Versions}
	if len(w.p.BlockedVersions) > 0 {
		choices = append(choices, slices.Concat(w.p.Versions, w.p.BlockedVersions))
	}
	for _, versions := range choices {
		for _, level := range levels {
			s := w.settings(d, known, versions, level)
			if s == nil {
				continue
			}
			if score := distance(w.p, s.means); best == nil || score < bestScore {
				best, bestScore = s, score
			}
		}
	}
	if best == nil {
		return nil, w.unsayable("OpenSSL has none of its versions with a suite")
	}
	w.explain(d)
	if level := best.means.SecurityLevel; level < d.level {
		w.note("@SECLEVEL=%d is there for what the policy has and OpenSSL calls weak; it also lets certificates with weak keys pass", level)
	} else if level > max(d.level, 2) {
		w.note("@SECLEVEL=%d asks for certificates with RSA keys of %d bits or more", level, openssl.MinRSABits(level))
	}
	return best, nil
}

// settings are those for some versions at a security level, of the suites that OpenSSL knows; nil: nothing is left at it.
func (w *writer) settings(d dialect, known []wire.CipherSuite, versions []wire.Version, level int) *settings {
	o := openssl.Options{Version: d.release, SecurityLevel: &d.level}
	s := &settings{}
	versions = inside(versions, wire.VersionTLS10, wire.VersionTLS13)
	names, _ := spelled(below13(w.p.CipherSuites), func(suite wire.CipherSuite) (string, bool) {
		if !certified(suite) || isDHE(suite) && w.p.NoDHParameters && d.dh {
			return "", false
		}
		return openssl.Name(suite), slices.Contains(known, suite)
	})
	if len(names) == 0 {
		versions = inside(versions, wire.VersionTLS13, wire.VersionTLS13)
	}
	names13, have13 := spelled(from13(w.p.CipherSuites), func(suite wire.CipherSuite) (string, bool) {
		info, _ := suite.Info()
		return info.Name, info.OpenSSL != ""
	})
	if len(names13) == 0 {
		versions = inside(versions, wire.VersionTLS10, wire.VersionTLS12)
	}
	if d.range13 {
		versions = span(versions)
	}
	if len(versions) == 0 {
		return nil
	}
	if s.ciphers = strings.Join(names, ":"); level != d.level {
		s.ciphers = fmt.Sprintf("%s:@SECLEVEL=%d", cmp.Or(s.ciphers, "DEFAULT"), level)
	}
	standard13 := []wire.CipherSuite{wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256, wire.TLS_AES_128_GCM_SHA256}
	if slices.Contains(versions, wire.VersionTLS13) && !slices.Equal(have13, standard13) && !d.noSuites13 {
		s.suites = strings.Join(names13, ":")
	}
	if !d.noGroups {
		s.groups = strings.Join(w.groups(o), ":")
	}
	s.dh = !w.p.NoDHParameters && slices.ContainsFunc(names, func(name string) bool {
		suite, _ := wire.CipherSuiteByName(name)
		return isDHE(suite)
	})
	s.context = openssl.Context{
		Options: o, Versions: versions, Ciphers: s.ciphers, Groups: s.groups, DHAuto: d.dh, ClientAuth: w.p.ClientAuth,
		ServerPreference: d.noClientPref || w.p.Preference != policy.PreferClient,
	}
	s.context.PrioritizeChaCha = s.context.ServerPreference && (d.alwaysChaCha || !d.noChaCha && w.p.Preference == policy.PreferServerChaCha)
	if d.dhSized && (s.dh || d.dh) {
		s.dhBits = max(2048, openssl.MinRSABits(level))
		s.context.DHBits, s.context.DHAuto = s.dhBits, false
	} else if s.dh {
		s.context.DHBits = 2048
	}
	s.context.Options.TLS13Suites = s.suites
	var errs []error
	if s.means, _, errs = s.context.Policy(); len(errs) > 0 { // the parameters are too small for the level
		return nil
	}
	if len(s.means.Versions)+len(s.means.BlockedVersions) == 0 || len(s.means.CipherSuites) == 0 {
		return nil
	}
	if w.p.SignatureSchemes != nil && !d.noSchemes && !slices.Equal(s.means.SignatureSchemes, w.p.SignatureSchemes) {
		s.schemes = strings.Join(w.schemes(o), ":")
		s.context.SignatureAlgorithms = s.schemes
		s.means, _, _ = s.context.Policy()
	}
	return s
}

// groups are the policy's in OpenSSL's words.
func (w *writer) groups(o openssl.Options) []string {
	words, _ := spelled(w.p.Groups, func(g wire.NamedGroup) (string, bool) {
		word := g.String()
		switch g {
		case wire.GroupX25519:
			word = "X25519"
		case wire.GroupX448:
			word = "X448"
		case wire.GroupSecp256r1: // 1.1.1 has no other name for it but NIST's
			word = "prime256v1"
		case wire.GroupSecp192r1:
			word = "prime192v1"
		}
		read, err := openssl.Groups(word, o)
		return word, err == nil && slices.Equal(read, []wire.NamedGroup{g})
	})
	return words[:min(len(words), 40)] // what OpenSSL takes
}

// schemes are the policy's in OpenSSL's words.
func (w *writer) schemes(o openssl.Options) []string {
	words, _ := spelled(w.p.SignatureSchemes, func(s wire.SignatureScheme) (string, bool) {
		keys := [...]string{1: "RSA", 2: "DSA", 3: "ECDSA"}
		hashes := [...]string{2: "SHA1", 3: "SHA224", 4: "SHA256", 5: "SHA384", 6: "SHA512"}
		candidates := []string{s.String()}
		if key, hash := int(s&0xFF), int(s>>8); key > 0 && key < len(keys) && hash > 1 && hash < len(hashes) {
			candidates = append(candidates, keys[key]+"+"+hashes[hash])
		}
		for _, word := range candidates {
			if read, err := openssl.SignatureAlgorithms(word, o); err == nil && slices.Equal(read, []wire.SignatureScheme{s}) {
				return word, true
			}
		}
		return "", false
	})
	return words
}

// explain says why OpenSSL, or a system with OpenSSL, makes something else of a part of a policy.
func (w *writer) explain(d dialect) {
	say := func(kind Kind, reason string) {
		if w.why[kind] == "" {
			w.why[kind] = reason
		}
	}
	say(LossVersions, "OpenSSL has no SSLv3, no suite for a version that goes, or needs security level 0 for TLS 1.0 and 1.1")
	say(LossBlockedVersions, "OpenSSL 3 chooses TLS 1.0 and 1.1 at security level 1 or more and then fails")
	say(LossSuites, "the builds of OpenSSL of today do not have all of them, or the security level does not take them")
	if d.noSuites13 {
		say(LossSuites, "the suites of TLS 1.3 cannot be set here; OpenSSL does not have all of the others")
	}
	say(LossEqualPreference, "OpenSSL has no groups of equal preference")
	say(LossGroups, "OpenSSL "+cmp.Or(d.release, "3.0")+" does not have all of them")
	if d.noGroups {
		say(LossGroups, "they cannot be set here")
	}
	say(LossSchemes, "OpenSSL does not have all of them, or they are too weak for the security level")
	if d.noSchemes {
		say(LossSchemes, "they cannot be set here")
	}
	switch {
	case d.alwaysChaCha:
		say(LossPreference, "ChaCha20 always goes first for clients that list it first")
	case d.noClientPref:
		say(LossPreference, "it cannot be set here")
	case d.noChaCha:
		say(LossPreference, "that ChaCha20 goes first for clients that list it first cannot be set here")
	}
	if d.dh {
		say(LossDHParameters, "parameters are always there")
	} else {
		say(LossDHParameters, "without a DHE suite that OpenSSL has no parameters are set")
	}
}

// distance counts in how much two policies differ, as far as a library decides on it.
func distance(a, b *policy.Policy) int {
	a, b = a.Normalize(), b.Normalize()
	n := 10*apart(a.Versions, b.Versions) + 3*apart(a.BlockedVersions, b.BlockedVersions) + 4*apart(usable(a), usable(b))
	if a.Groups != nil {
		n += 4 * apart(a.Groups, b.Groups)
	}
	if a.SignatureSchemes != nil {
		n += apart(a.SignatureSchemes, b.SignatureSchemes)
	}
	return n
}

// apart counts what only one of two lists has.
func apart[T comparable](a, b []T) (n int) {
	for _, v := range a {
		if !slices.Contains(b, v) {
			n++
		}
	}
	for _, v := range b {
		if !slices.Contains(a, v) {
			n++
		}
	}
	return n
}
