package haproxy

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// value is a setting and the line it is from.
type value struct {
	at   line
	name string
	text string
}

func (v *value) fact() imported.Fact { return v.at.fact(v.name, v.text) }

// settings are what bind lines, crt-list lines and server lines have in common. nil: not set.
type settings struct {
	ciphers, suites, curves, ecdhe, sigalgs, alpn, verify *value
	min, max, preferClient                                *value
	off                                                   []*value // no-tlsv1x
}

// or is s with what it leaves open taken from d.
func (s settings) or(d settings) settings {
	pairs := []struct{ own, other **value }{
		{&s.ciphers, &d.ciphers}, {&s.suites, &d.suites}, {&s.curves, &d.curves}, {&s.ecdhe, &d.ecdhe}, {&s.sigalgs, &d.sigalgs},
		{&s.alpn, &d.alpn}, {&s.verify, &d.verify}, {&s.min, &d.min}, {&s.max, &d.max}, {&s.preferClient, &d.preferClient},
	}
	for _, p := range pairs {
		if *p.own == nil {
			*p.own = *p.other
		}
	}
	s.off = slices.Concat(s.off, d.off)
	return s
}

var versionWords = map[string]wire.Version{
	"SSLv3": wire.VersionSSLv3, "TLSv1.0": wire.VersionTLS10, "TLSv1.1": wire.VersionTLS11, "TLSv1.2": wire.VersionTLS12, "TLSv1.3": wire.VersionTLS13,
}

// switchWords are the ends of force-… and no-….
var switchWords = map[string]string{
	"sslv3": "SSLv3", "tlsv10": "TLSv1.0", "tlsv11": "TLSv1.1", "tlsv12": "TLSv1.2", "tlsv13": "TLSv1.3",
}

// settingWords are the keywords in common.
func settingWords() []string {
	words := []string{"ciphers", "ciphersuites", "curves", "ecdhe", "sigalgs", "alpn", "no-alpn", "verify", "ssl-min-ver", "ssl-max-ver", "prefer-client-ciphers"}
	for end := range switchWords {
		words = append(words, "no-"+end, "force-"+end)
	}
	return words
}

// keyword reads the keyword at words[i] if it is one of those in common, and says how many words it took.
func (s *settings) keyword(im *importer, at line, i int) (used int) {
	word := at.words[i]
	fields := map[string]**value{
		"ciphers": &s.ciphers, "ciphersuites": &s.suites, "curves": &s.curves, "ecdhe": &s.ecdhe, "sigalgs": &s.sigalgs, "alpn": &s.alpn,
		"verify": &s.verify, "ssl-min-ver": &s.min, "ssl-max-ver": &s.max,
	}
	if field, ok := fields[word]; ok {
		if i+1 >= len(at.words) {
			im.refuse(at, "%s has no value; HAProxy refuses it", word)
			return 1
		}
		v := &value{at, word, at.words[i+1]}
		if _, known := versionWords[v.text]; !known && (word == "ssl-min-ver" || word == "ssl-max-ver") {
			im.refuse(at, "%s: %q is no version; HAProxy refuses it", word, v.text)
			return 2
		}
		switch {
		case word == "verify" && !slices.Contains([]string{"none", "optional", "required"}, v.text):
			im.refuse(at, "verify: %q is neither none nor optional nor required; HAProxy refuses it", v.text)
		case v.text == "" && word != "alpn":
			im.refuse(at, "%s has no value; HAProxy refuses it", word)
		}
		*field = v
		return 2
	}
	if end, ok := strings.CutPrefix(word, "force-"); ok && switchWords[end] != "" {
		v := &value{at, word, switchWords[end]}
		s.min, s.max = v, v
		return 1
	}
	if end, ok := strings.CutPrefix(word, "no-"); ok && switchWords[end] != "" {
		s.off = append(s.off, &value{at, word, switchWords[end]})
		return 1
	}
	switch word {
	case "prefer-client-ciphers":
		s.preferClient = &value{at, word, ""}
	case "no-alpn":
		s.alpn = &value{at, word, ""}
	default:
		return 0
	}
	return 1
}

// facts are the settings that are there.
func (s settings) facts() (facts []imported.Fact) {
	for _, v := range slices.Concat([]*value{s.min, s.max, s.ciphers, s.suites, s.curves, s.ecdhe, s.sigalgs, s.alpn, s.verify, s.preferClient}, s.off) {
		if v != nil && !slices.Contains(facts, v.fact()) {
			facts = append(facts, v.fact())
		}
	}
	return facts
}

// versions are those between the lowest and the highest that is on. HAProxy tells OpenSSL only these two, so that what was turned
// off between them stays on. lowest is the default of ssl-min-ver.
func (s settings) versions(im *importer, lowest wire.Version) []wire.Version {
	low, high := lowest, wire.VersionTLS13
	if s.max != nil {
		high = versionWords[s.max.text]
		low = min(low, high)
	}
	if s.min != nil {
		low = versionWords[s.min.text]
	}
	off := s.off
	if len(off) > 0 && (s.min != nil || s.max != nil) {
		im.problem(off[0].at, "%s is ignored beside ssl-min-ver and ssl-max-ver", off[0].name)
		off = nil
	}
	on := []wire.Version{}
	for v := wire.VersionTLS10; v <= wire.VersionTLS13; v++ {
		if v >= low && v <= high && !slices.ContainsFunc(off, func(o *value) bool { return versionWords[o.text] == v }) {
			on = append(on, v)
		}
	}
	if len(on) == 0 {
		return on
	}
	out := []wire.Version{}
	for v := on[0]; v <= on[len(on)-1]; v++ {
		if !slices.Contains(on, v) {
			im.problem(off[0].at, "%v stays on: HAProxy knows a lowest and a highest version, and no hole between them", v)
		}
		out = append(out, v)
	}
	return out
}

// apply sets a context.
func (s settings) apply(c *openssl.Context) {
	if s.ciphers != nil {
		c.Ciphers = s.ciphers.text
	}
	if s.suites != nil {
		c.Options.TLS13Suites, c.Options.NoTLS13Suites = s.suites.text, s.suites.text == ""
	}
	if s.sigalgs != nil {
		c.SignatureAlgorithms = s.sigalgs.text
	}
	if s.verify != nil {
		c.ClientAuth = map[string]policy.ClientAuth{
			"none": policy.ClientAuthNone, "optional": policy.ClientAuthRequest, "required": policy.ClientAuthRequire,
		}[s.verify.text]
	}
}

// groups is the list of groups that holds: curves goes before ecdhe.
func (s settings) groups() *value {
	if s.curves != nil {
		return s.curves
	}
	return s.ecdhe
}

// at is the line to which an error of OpenSSL's belongs.
func (s settings) about(err error, otherwise line) line {
	for part, v := range map[string]*value{"cipher string": s.ciphers, "ciphersuites": s.suites, "groups": s.groups(), "signature": s.sigalgs} {
		if v != nil && strings.Contains(err.Error(), part) {
			return v.at
		}
	}
	return otherwise
}

// protocols cuts a list of protocol names; nil: none.
func protocols(v *value) []string {
	if v == nil || v.text == "" {
		return nil
	}
	return strings.Split(v.text, ",")
}
