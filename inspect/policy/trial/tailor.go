package trial

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/recording"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// TailoredName is the name of tailored policies.
const TailoredName = "tailored"

// Tailored is a minimal list of versions and suites that recorded clients need of a system.
type Tailored struct {
	System   System         `json:"system"`
	Policy   *policy.Policy `json:"-"`
	Versions []string       `json:"versions"`
	Ciphers  []string       `json:"ciphers"` // IANA names, in order, TLS 1.3 among them
	OpenSSL  []string       `json:"openssl"` // the same below TLS 1.3 in OpenSSL's names, with the security level that they need
	Groups   []string       `json:"groups"`
	Schemes  []string       `json:"signature_algorithms"`
	Lost     Amount         `json:"lost"`
	Losses   []Loss         `json:"losses,omitempty"`
	Notes    []string       `json:"notes,omitempty"`
	Snippet  string         `json:"snippet,omitempty"` // to be pasted, where it was asked for: Lost and Losses are those of what stands in it
	Apply    []string       `json:"apply,omitempty"`   // the commands that make it hold
}

// Tailor fits a policy to recorded clients: every one of them gets the strongest version and the strongest kind of suite (forward
// secrecy and AEAD before anything else) that it can have of the system at all, with as few suites as that takes. With a maxLoss the
// weakest clients are given up, whole kinds at a time, as long as no more is lost. TLS 1.3 is always part of it.
//
// Where no certificates are stated, suites are chosen for an RSA certificate, where the clients can do with one, and those for ECDSA
// certificates stand beside them. The error is that of Options.Write.
func Tailor(t *recording.Tally, system System, o Options) (Tailored, error) {
	return tailor(t, t.Shapes(), system, o)
}

func tailor(t *recording.Tally, shapes []recording.Shape, system System, o Options) (Tailored, error) {
	maxLoss := o.MaxLoss
	if o.Write != nil && o.Certificates == nil {
		o.Certificates = []policy.CertificateType{policy.CertRSA}
	}
	f := fitting{system: system, certificates: o.Certificates, units: system.units()}
	needs := make([]need, 0, len(shapes))
	var lost int64
	for i := range shapes {
		n, ok := f.needOf(&shapes[i])
		if !ok {
			lost += shapes[i].Connections
			continue
		}
		needs = append(needs, n)
	}
	needs = giveUp(needs, lost, t.Connections-t.Beyond, maxLoss)
	chosen := f.choose(needs)
	p := f.policy(needs, chosen)
	report := check(t, shapes, On(p))
	// SHA-1 signatures are allowed only where a client has no others.
	if slices.ContainsFunc(report.Losses, func(l Loss) bool { return l.RejectedBy == string(policy.DimensionSignature) }) {
		with := *p
		with.SignatureSchemes = append(slices.Clone(p.SignatureSchemes), wire.SchemeRSAPKCS1SHA1, wire.SchemeECDSASHA1)
		if again := check(t, shapes, On(&with)); again.Lost.Connections < report.Lost.Connections && maxLoss.Exceeded(report.Lost.Connections, report.Connections) {
			p, report = &with, again
		}
	}
	var written Written
	if o.Write != nil {
		w, err := o.Write(p, system)
		if err != nil {
			return Tailored{}, err
		}
		written = *w
		report = check(t, shapes, On(w.Policy))
		written.Text = written.whom(o.Certificates, report) + written.Text
	}
	result := Tailored{
		Snippet: written.Text, Apply: written.Apply,
		System: system, Policy: p, Versions: texts(p.Versions), Ciphers: texts(p.CipherSuites), Groups: texts(p.Groups), Schemes: texts(p.SignatureSchemes),
		Lost: report.Lost, Losses: report.Losses, Notes: system.notes(p),
	}
	for _, s := range p.CipherSuites {
		if info, _ := s.Info(); !info.TLS13() {
			result.OpenSSL = append(result.OpenSSL, s.OpenSSLName())
		}
	}
	if system.lowLevel(p) {
		result.OpenSSL = append(result.OpenSSL, "@SECLEVEL=0")
	}
	return result, nil
}

// maxCommentedLosses is how many a snippet lists; JSON has all.
const maxCommentedLosses = 20

// whom says in comments what the snippet is for and whom it loses.
func (w *Written) whom(certificates []policy.CertificateType, r *Report) string {
	var b strings.Builder
	line := func(spans ...span) { b.WriteString(w.Comment + " " + plainText(spans) + "\n") }
	var kinds []string
	for _, c := range certificates {
		kinds = append(kinds, string(c))
	}
	line(prose("fitted to %s, for certificates of these kinds: %s", Amount{r.Connections, r.Shapes}.words(), strings.Join(kinds, ", ")))
	if len(kinds) > 1 {
		line(prose("every kind needs lines of its own for its certificate, beside those below"))
	}
	if r.Lost.Connections == 0 {
		line(prose("loses nobody"))
		return b.String()
	}
	line(prose("loses %s, %s:", r.Lost.words(), share(r.Lost.Connections, r.Connections)))
	for i := range r.Losses[:min(len(r.Losses), maxCommentedLosses)] {
		l := &r.Losses[i]
		line(prose("  %s: ", plural(l.Connections, "connection")), value(l.Client), prose(", %s (", l.Reason), value(l.Shape), prose(")"))
	}
	if more := len(r.Losses) - maxCommentedLosses; more > 0 {
		line(prose("  and %s", plural(more, "more kind")))
	}
	return b.String()
}

// fitting is one run of Tailor.
type fitting struct {
	system       System
	certificates []policy.CertificateType
	units        []unit
}

// need is what a kind of clients needs at least: its best rank, and the units that give it.
type need struct {
	shape   *recording.Shape
	version wire.Version
	kind    int
	units   uint64 // one bit a unit; 0 in TLS 1.3
}

// rank orders needs by weakness: an older version is weaker than any kind of suite.
func (n *need) rank() int { return int(wire.VersionTLS13-n.version)*kinds + n.kind }

func tls13Suites() []wire.CipherSuite {
	return []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256}
}

// groups are those on offer, the first that fits wins. The first three always stay: they are what clients send key shares for, and a
// group that is missing costs them a round trip.
func (f *fitting) groups() []wire.NamedGroup {
	return []wire.NamedGroup{wire.GroupX25519MLKEM768, wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1, wire.GroupSecp521r1}
}

func schemes() []wire.SignatureScheme {
	return []wire.SignatureScheme{
		wire.SchemeECDSASecp256r1SHA256, wire.SchemeRSAPSSRSAESHA256, wire.SchemeRSAPKCS1SHA256,
		wire.SchemeECDSASecp384r1SHA384, wire.SchemeRSAPSSRSAESHA384, wire.SchemeRSAPKCS1SHA384,
		wire.SchemeEd25519, wire.SchemeRSAPSSRSAESHA512, wire.SchemeRSAPKCS1SHA512,
	}
}

// attempt is a policy of one version and few suites.
func (f *fitting) attempt(v wire.Version, suites []wire.CipherSuite, groups []wire.NamedGroup, certificates []policy.CertificateType) *policy.Policy {
	protocols, required := f.system.alpn()
	return &policy.Policy{
		ALPN: protocols, ALPNRequired: required,
		Versions: []wire.Version{v}, CipherSuites: suites, Preference: policy.PreferServer, Groups: groups, Certificates: certificates,
		SignatureSchemes: append(schemes(), wire.SchemeRSAPKCS1SHA1, wire.SchemeECDSASHA1), Family: f.system.family(),
	}
}

// needOf finds the strongest that a kind of clients can have; false: the system cannot serve it at all.
func (f *fitting) needOf(s *recording.Shape) (need, bool) {
	sets := [][]policy.CertificateType{f.certificates}
	if f.certificates == nil {
		sets = [][]policy.CertificateType{{policy.CertRSA}, {policy.CertECDSAP256}}
	}
	for _, certificates := range sets {
		if policy.Negotiate(s.Hello, f.attempt(wire.VersionTLS13, tls13Suites(), f.groups(), certificates)).Accepted {
			return need{shape: s, version: wire.VersionTLS13, kind: kindTLS13}, true
		}
		for v := wire.VersionTLS12; v >= wire.VersionTLS10; v-- {
			n := need{shape: s, version: v, kind: kinds}
			p := f.attempt(v, nil, f.groups(), certificates)
			for i, u := range f.units {
				if u.kind > n.kind {
					break // units come by strength
				}
				if v < u.low || v > u.high {
					continue
				}
				p.CipherSuites = u.suites
				if policy.Negotiate(s.Hello, p).Accepted {
					n.kind = u.kind
					n.units |= 1 << i
				}
			}
			if n.units != 0 {
				return n, true
			}
		}
	}
	return need{}, false
}

// giveUp leaves out the weakest ranks as long as no more than maxLoss is lost.
func giveUp(needs []need, lost, of int64, maxLoss Threshold) []need {
	weight := make(map[int]int64)
	for i := range needs {
		weight[needs[i].rank()] += needs[i].shape.Connections
	}
	ranks := make([]int, 0, len(weight))
	for r := range weight {
		ranks = append(ranks, r)
	}
	slices.Sort(ranks)
	for len(ranks) > 0 {
		weakest := ranks[len(ranks)-1]
		if weakest == 0 || maxLoss.Exceeded(lost+weight[weakest], of) {
			break
		}
		lost += weight[weakest]
		ranks = ranks[:len(ranks)-1]
		needs = slices.DeleteFunc(needs, func(n need) bool { return n.rank() == weakest })
	}
	return needs
}

// choose takes the units: rank by rank from the strongest, in each the smallest set that serves those whom what is already chosen does not.
func (f *fitting) choose(needs []need) (chosen uint64) {
	byRank := make(map[int]map[uint64]bool)
	var ranks []int
	for i := range needs {
		n := &needs[i]
		if n.version == wire.VersionTLS13 {
			continue
		}
		if byRank[n.rank()] == nil {
			byRank[n.rank()] = make(map[uint64]bool)
			ranks = append(ranks, n.rank())
		}
		byRank[n.rank()][n.units] = true
	}
	slices.Sort(ranks)
	for _, r := range ranks {
		var open []uint64
		for mask := range byRank[r] {
			if mask&chosen == 0 {
				open = append(open, mask)
			}
		}
		chosen |= smallestCover(open)
	}
	return chosen
}

// smallestCover is the smallest set of bits that meets every mask, and of several the one whose bits come first. The masks of a rank
// have few bits in all, so that trying sizes one after the other is exact and quick.
func smallestCover(masks []uint64) uint64 {
	var all uint64
	for _, m := range masks {
		all |= m
	}
	var candidates []uint64
	for rest := all; rest != 0; rest &= rest - 1 {
		candidates = append(candidates, rest&-rest)
	}
	for size := range len(candidates) + 1 {
		if cover, ok := coverOf(masks, candidates, size, 0); ok {
			return cover
		}
	}
	return all
}

func coverOf(masks, candidates []uint64, size int, have uint64) (uint64, bool) {
	if !slices.ContainsFunc(masks, func(m uint64) bool { return m&have == 0 }) {
		return have, true
	}
	if size == 0 {
		return 0, false
	}
	for i, c := range candidates {
		if cover, ok := coverOf(masks, candidates[i+1:], size-1, have|c); ok {
			return cover, true
		}
	}
	return 0, false
}

// policy puts the choice together: the strongest first.
func (f *fitting) policy(needs []need, chosen uint64) *policy.Policy {
	p := f.attempt(wire.VersionTLS13, tls13Suites(), nil, f.certificates)
	p.Name, p.Verified = TailoredName, true
	p.SignatureSchemes = schemes()
	for v := wire.VersionTLS12; v >= wire.VersionTLS10; v-- {
		older := func(n need) bool { return n.version == v || f.system.ranged() && n.version < v }
		if slices.ContainsFunc(needs, older) {
			p.Versions = append(p.Versions, v)
		}
	}
	for rest := chosen; rest != 0; rest &= rest - 1 {
		p.CipherSuites = append(p.CipherSuites, f.units[bits.TrailingZeros64(rest)].suites...)
	}
	for i, g := range f.groups() {
		needed := i < 3
		if !needed {
			needed = slices.ContainsFunc(needs, func(n need) bool { return f.needsGroup(&n, p, g) })
		} else if i == 0 {
			needed = slices.ContainsFunc(needs, func(n need) bool { return n.shape.Hello.SupportedGroups.Contains(g) })
		}
		if needed {
			p.Groups = append(p.Groups, g)
		}
	}
	return p
}

// needsGroup reports whether clients that were to be served are not, with the groups that p has so far, and would be with one more.
func (f *fitting) needsGroup(n *need, p *policy.Policy, g wire.NamedGroup) bool {
	if !n.shape.Hello.SupportedGroups.Contains(g) {
		return false
	}
	with := *p
	with.SignatureSchemes = append(schemes(), wire.SchemeRSAPKCS1SHA1, wire.SchemeECDSASHA1)
	without := with
	with.Groups = append(slices.Clone(p.Groups), g)
	before, after := policy.Negotiate(n.shape.Hello, &without), policy.Negotiate(n.shape.Hello, &with)
	return after.Accepted && (!before.Accepted || before.Version < n.version)
}
