package export

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Kind is the part of a policy that a loss is in, in the words of policy.Differences.
type Kind string

// Kinds of losses.
const (
	LossVersions        Kind = "versions"
	LossBlockedVersions Kind = "blocked versions"
	LossSuites          Kind = "cipher suites"
	LossPreference      Kind = "preference"
	LossPreferenceTLS13 Kind = "preference in TLS 1.3"
	LossEqualPreference Kind = "equal preference"
	LossGroups          Kind = "groups"
	LossSchemes         Kind = "signature schemes"
	LossALPN            Kind = "ALPN"
	LossALPNRequired    Kind = "ALPN required"
	LossALPNOtherwise   Kind = "ALPN otherwise"
	LossDHParameters    Kind = "DH parameters"
	LossNames           Kind = "names"
	LossSNIRequired     Kind = "SNI required"
	LossClientAuth      Kind = "client authentication"
	LossCertFirst       Kind = "certificate before suite"
	LossCertBy12        Kind = "certificate by TLS 1.2 alone"
	LossGoRelease       Kind = "release of Go"
)

// Weight says how much a loss matters.
type Weight string

// Weights.
const (
	Differs  Weight = "differs"  // some clients are treated otherwise than the policy says
	Unstated Weight = "unstated" // the policy says nothing of it; the system's own default holds
	Idle     Weight = "idle"     // written otherwise, but no handshake ends otherwise
)

// Loss is one part of a policy that a system makes something else of.
type Loss struct {
	Kind    Kind     `json:"kind"`
	Weight  Weight   `json:"weight"`
	Missing []string `json:"missing,omitempty"` // what the policy has and the system will not
	Extra   []string `json:"extra,omitempty"`   // what the system will have and the policy has not
	Order   bool     `json:"order,omitempty"`   // what both have stands in another order
	Reason  string   `json:"reason"`
}

// maxNamed is how many of a list a line names.
const maxNamed = 8

// String is the loss in a line; long lists are cut.
func (l Loss) String() string {
	var text string
	switch l.Kind {
	case LossPreference, LossPreferenceTLS13, LossALPNRequired, LossALPNOtherwise, LossDHParameters, LossSNIRequired, LossClientAuth, LossCertFirst, LossCertBy12, LossGoRelease:
		text = fmt.Sprintf("%s: %s, not %s", l.Kind, strings.Join(l.Extra, ", "), strings.Join(l.Missing, ", "))
	default:
		var parts []string
		add := func(word string, list []string) {
			if n := len(list); n > maxNamed {
				list = append(slices.Clone(list[:maxNamed]), fmt.Sprintf("and %d more", n-maxNamed))
			}
			if len(list) > 0 {
				parts = append(parts, word+" "+strings.Join(list, ", "))
			}
		}
		add("without", l.Missing)
		add("with", l.Extra)
		if l.Order {
			parts = append(parts, "in another order")
		}
		if len(parts) == 0 {
			parts = []string{"none at all instead of an empty list, or the other way round"}
		}
		text = string(l.Kind) + ": " + strings.Join(parts, "; ")
	}
	if l.Reason != "" {
		text += " (" + l.Reason + ")"
	}
	return text
}

// Lossless reports whether the system does what the policy says, in so far as the policy says something.
func (s *Snippet) Lossless() bool {
	return !slices.ContainsFunc(s.Losses, func(l Loss) bool { return l.Weight == Differs })
}

// losses compares what was asked for with what it comes to. It finds a loss wherever policy.Differences finds a difference.
func losses(asked, means *policy.Policy, why map[Kind]string) []Loss {
	a, b := asked.Normalize(), means.Normalize()
	f := finder{why: why, losses: []Loss{}}
	lists(&f, LossVersions, a.Versions, b.Versions, false)
	lists(&f, LossBlockedVersions, a.BlockedVersions, b.BlockedVersions, false)
	lists(&f, LossSuites, a.CipherSuites, b.CipherSuites, false)
	f.words(LossPreference, a.Preference.String(), b.Preference.String())
	if a.PreferenceTLS13 != b.PreferenceTLS13 {
		f.words(LossPreferenceTLS13, cmp.Or(a.PreferenceTLS13, a.Preference).String(), cmp.Or(b.PreferenceTLS13, b.Preference).String())
	}
	f.equalPreference(a.EqualPreference, b.EqualPreference)
	lists(&f, LossGroups, a.Groups, b.Groups, true)
	lists(&f, LossSchemes, a.SignatureSchemes, b.SignatureSchemes, true)
	lists(&f, LossALPN, quoted(a.ALPN), quoted(b.ALPN), true)
	f.truth(LossALPNRequired, a.ALPNRequired, b.ALPNRequired)
	f.words(LossALPNOtherwise, cmp.Or(a.ALPNOtherwise, "nothing"), cmp.Or(b.ALPNOtherwise, "nothing"))
	if slices.ContainsFunc(slices.Concat(a.CipherSuites, b.CipherSuites), isDHE) {
		f.truth(LossDHParameters, !a.NoDHParameters, !b.NoDHParameters)
	}
	lists(&f, LossNames, quoted(a.Names), quoted(b.Names), true)
	f.truth(LossSNIRequired, a.SNIRequired, b.SNIRequired)
	f.words(LossClientAuth, string(a.ClientAuth), string(b.ClientAuth))
	f.truth(LossCertFirst, a.CertificateFirst, b.CertificateFirst)
	f.truth(LossCertBy12, a.CertificateBy12, b.CertificateBy12)
	if a.Family == b.Family {
		f.words(LossGoRelease, goRelease(a.GoRelease), goRelease(b.GoRelease))
	}
	for i := range f.losses {
		f.losses[i].Weight = weight(&f.losses[i], a, b)
	}
	return f.losses
}

// quoted are texts that can be printed, absent where they are.
func quoted(list []string) []text {
	if list == nil {
		return nil
	}
	out := make([]text, len(list))
	for i, s := range list {
		out[i] = text(s)
	}
	return out
}

// text prints itself safely.
type text string

func (t text) String() string {
	if plainToken(string(t)) || plainName(string(t)) {
		return string(t)
	}
	return fmt.Sprintf("%q", string(t))
}

// goRelease is a release of Go in words.
func goRelease(n int) string {
	if n == 0 {
		return "the newest"
	}
	return fmt.Sprintf("1.%d", n)
}

type finder struct {
	why    map[Kind]string
	losses []Loss
}

func (f *finder) add(l Loss) {
	l.Reason = cmp.Or(f.why[l.Kind], habit(l.Kind), "it cannot be said here")
	f.losses = append(f.losses, l)
}

// habit is why a system does not do in its own way what another does in its; "" for what is no habit.
func habit(kind Kind) string {
	switch kind {
	case LossCertFirst, LossCertBy12:
		return "whether the certificate is chosen before the suite is the program's own way, and cannot be set"
	case LossGoRelease:
		return "the release is that which the program was built with"
	}
	return ""
}

// lists compares lists in order. nilDiffers: an absent list is another one than an empty one.
func lists[T interface {
	comparable
	fmt.Stringer
}](f *finder, kind Kind, a, b []T, nilDiffers bool) {
	if slices.Equal(a, b) && !(nilDiffers && (a == nil) != (b == nil)) {
		return
	}
	l := Loss{Kind: kind}
	var both, other []T
	for _, v := range a {
		if slices.Contains(b, v) {
			both = append(both, v)
		} else {
			l.Missing = append(l.Missing, v.String())
		}
	}
	for _, v := range b {
		if slices.Contains(a, v) {
			other = append(other, v)
		} else {
			l.Extra = append(l.Extra, v.String())
		}
	}
	l.Order = !slices.Equal(both, other)
	f.add(l)
}

func (f *finder) words(kind Kind, a, b string) {
	if a != b {
		f.add(Loss{Kind: kind, Missing: []string{a}, Extra: []string{b}})
	}
}

func (f *finder) truth(kind Kind, a, b bool) {
	word := map[bool]string{true: "yes", false: "no"}
	f.words(kind, word[a], word[b])
}

func (f *finder) equalPreference(a, b [][]wire.CipherSuite) {
	texts := func(groups [][]wire.CipherSuite) (out []string) {
		for _, g := range groups {
			var names []string
			for _, s := range g {
				names = append(names, s.String())
			}
			out = append(out, "["+strings.Join(names, " | ")+"]")
		}
		return out
	}
	x, y := texts(a), texts(b)
	if slices.Equal(x, y) {
		return
	}
	l := Loss{Kind: LossEqualPreference}
	l.Missing = slices.DeleteFunc(slices.Clone(x), func(s string) bool { return slices.Contains(y, s) })
	l.Extra = slices.DeleteFunc(slices.Clone(y), func(s string) bool { return slices.Contains(x, s) })
	l.Order = len(l.Missing)+len(l.Extra) == 0
	f.add(l)
}

// weight says how much a loss matters, and completes its reason.
func weight(l *Loss, a, b *policy.Policy) Weight {
	unstated := func(silent bool) Weight {
		if silent {
			l.Reason = "the policy does not state it: the system's own holds"
			return Unstated
		}
		return Differs
	}
	idle := func(nothing bool, reason string) Weight {
		if !nothing {
			return Differs
		}
		l.Reason = reason
		return Idle
	}
	switch l.Kind {
	case LossGroups:
		if b.Groups == nil {
			l.Reason = strings.TrimPrefix(l.Reason+"; the system does not say which it has", "; ")
		}
		return unstated(a.Groups == nil)
	case LossSchemes:
		if b.SignatureSchemes == nil {
			l.Reason = strings.TrimPrefix(l.Reason+"; the system does not say which it has", "; ")
		}
		return unstated(a.SignatureSchemes == nil)
	case LossALPN:
		if len(a.ALPN) == 0 && len(b.ALPN) == 0 {
			return idle(true, "no protocol either way")
		}
		return unstated(a.ALPN == nil)
	case LossALPNOtherwise:
		return idle(true, "it is what clients with no protocol in common are told, who go on either way")
	case LossALPNRequired:
		if len(a.ALPN) == 0 && len(b.ALPN) == 0 {
			return idle(true, "no protocol either way")
		}
		if b.ALPNRequired { // clients that the policy serves are refused
			return Differs
		}
		return unstated(a.ALPN == nil)
	case LossPreference:
		both := []string{policy.PreferServer.String(), policy.PreferServerChaCha.String()}
		return idle(slices.Contains(both, a.Preference.String()) && slices.Contains(both, b.Preference.String()) && !slices.ContainsFunc(b.CipherSuites, isChaCha20),
			"it has no suite with ChaCha20")
	case LossCertFirst, LossCertBy12:
		if a.Certificates == nil {
			return unstated(true)
		}
		return idle(len(a.Certificates) < 2, "there is one kind of certificate to choose")
	case LossDHParameters:
		return idle(!slices.ContainsFunc(usable(a), isDHE) && !slices.ContainsFunc(usable(b), isDHE), "no DHE suite is in use")
	case LossSuites:
		return idle(slices.Equal(usable(a), usable(b)), "suites without Diffie-Hellman parameters, and those that need a DSA certificate, a shared secret or no certificate at all, are never chosen")
	}
	return Differs
}

// usable are the suites of a policy without those that it lists and no endpoint chooses.
func usable(p *policy.Policy) []wire.CipherSuite {
	return slices.DeleteFunc(slices.Clone(p.CipherSuites), func(s wire.CipherSuite) bool {
		return p.NoDHParameters && isDHE(s) || !isTLS13(s) && !certified(s)
	})
}

// certified reports whether a suite below TLS 1.3 goes with a certificate for RSA or ECDSA, as policy.Negotiate asks of it.
func certified(s wire.CipherSuite) bool {
	info, _ := s.Info()
	return slices.Contains([]string{"RSA", "DHE", "ECDHE"}, info.KeyExchange) && (info.Authentication == "RSA" || info.Authentication == "ECDSA")
}
