package gnutls

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// state is the lists as they stand while a string is read. Names are in upper case.
type state struct {
	versions, ciphers, macs, kx, groups, signs []string
}

// level sets the lists to those of a level, or with add puts what they lack at the end.
func (s *state) level(word string, add bool) bool {
	l, ok := levelNamed(strings.ToUpper(word))
	if !ok {
		return false
	}
	if !add {
		if l.versions == nil { // none of its own
			l.versions = s.versions
		}
		*s = state(l)
		return true
	}
	for list, with := range map[*[]string][]string{&s.ciphers: l.ciphers, &s.macs: l.macs, &s.kx: l.kx, &s.groups: l.groups, &s.signs: l.signs} {
		insert(list, with...)
	}
	return true
}

// element obeys a word with a sign: "+" puts something at the end of its list, "-" and "!" take it out.
func (s *state) element(word string) bool {
	if len(word) < 2 || !strings.ContainsRune("+-!", rune(word[0])) {
		return false
	}
	name, change := strings.ToUpper(word[1:]), remove
	if word[0] == '+' {
		if s.level(name, true) {
			return true
		}
		change = insert
	}
	kind, rest, _ := strings.Cut(name, "-")
	switch {
	case slices.Contains(allMACs(), name):
		change(&s.macs, name)
	case slices.Contains(allCiphers(), name):
		change(&s.ciphers, name)
	case slices.Contains(allKX(), name):
		change(&s.kx, name)
	case kind == "VERS":
		return s.version(rest, change)
	case kind == "GROUP", kind == "CURVE":
		return s.group(kind, rest, word[0], change)
	case kind == "SIGN":
		return s.sign(rest, word[0], change)
	case kind == "COMP", kind == "CTYPE": // no matter of ours
	case name == "MAC-ALL":
		bulk(&s.macs, change, word[0], normal().macs)
	case name == "CIPHER-ALL":
		bulk(&s.ciphers, change, word[0], normal().ciphers)
	case name == "KX-ALL":
		bulk(&s.kx, change, word[0], normal().kx)
	default:
		return false
	}
	return true
}

func normal() level {
	l, _ := levelNamed("NORMAL")
	return l
}

// bulk is an ALL: taking it out empties the list, putting it in adds what NORMAL has.
func bulk(list *[]string, change func(*[]string, ...string), sign byte, all []string) {
	if sign != '+' {
		*list = nil
		return
	}
	change(list, all...)
}

func (s *state) version(name string, change func(*[]string, ...string)) bool {
	all := protocols()
	switch name {
	case "ALL", "TLS-ALL", "DTLS-ALL":
		switch name {
		case "TLS-ALL":
			all = all[:4]
		case "DTLS-ALL":
			all = append(all[4:], "DTLS0.9")
		}
		change(&s.versions, all...)
		return true
	}
	if !slices.Contains(all, name) && name != "DTLS0.9" && name != "SSL3.0" {
		return false
	}
	if name != "SSL3.0" { // not built in
		change(&s.versions, name)
	}
	return true
}

// group reads what follows "GROUP-" or "CURVE-". The second has no primes, but curves that sign and do not agree on keys.
func (s *state) group(kind, name string, sign byte, change func(*[]string, ...string)) bool {
	isGroup := kind == "GROUP"
	switch {
	case name == "ALL":
		bulk(&s.groups, change, sign, normal().groups)
		return true
	case isGroup && name == "EC-ALL":
		change(&s.groups, curves()...)
		return true
	case isGroup && name == "DH-ALL":
		change(&s.groups, primes()...)
		return true
	case !isGroup && (name == "ED25519" || name == "ED448"):
		return true
	}
	known := slices.Contains(curves(), name) || isGroup && slices.Contains(primes(), name) || slices.Contains([]string{"SECP192R1", "SECP224R1", "GC256B", "GC512A"}, name)
	if known {
		change(&s.groups, name)
	}
	return known
}

func (s *state) sign(name string, sign byte, change func(*[]string, ...string)) bool {
	if name == "ALL" {
		bulk(&s.signs, change, sign, normal().signs)
		return true
	}
	if !slices.Contains(allSigns(), name) {
		return false
	}
	change(&s.signs, name)
	return true
}

func insert(list *[]string, names ...string) {
	for _, name := range names {
		if !slices.Contains(*list, name) {
			*list = append(*list, name)
		}
	}
}

func remove(list *[]string, names ...string) {
	*list = slices.DeleteFunc(slices.Clone(*list), func(name string) bool { return slices.Contains(names, name) })
}

// settle takes out versions that the other lists leave no way to use.
func (s *state) settle() {
	if !slices.ContainsFunc(s.signs, func(name string) bool { return s.signs13(name) || signs12(name) }) {
		remove(&s.versions, "TLS1.3", "TLS1.2", "DTLS1.2")
	}
	never13 := slices.ContainsFunc(s.kx, func(kx string) bool { return strings.HasPrefix(kx, "SRP") || kx == "RSA-PSK" }) || slices.Contains(s.ciphers, "NULL")
	older := slices.Contains(s.versions, "TLS1.1") || slices.Contains(s.versions, "TLS1.0")
	// With a pre-shared key TLS 1.3 can do without a group.
	psk := slices.ContainsFunc(s.kx, func(kx string) bool { return strings.HasSuffix(kx, "PSK") })
	if never13 || len(s.groups) == 0 && !psk || older && !slices.Contains(s.versions, "TLS1.2") {
		remove(&s.versions, "TLS1.3")
	}
}

// signs12 reports whether a scheme is used in TLS 1.2: those that bind a curve belong to TLS 1.3, and those with SHA-224 and
// most of DSA are listed but never used.
func signs12(name string) bool {
	return name == "DSA-SHA1" || slices.Contains(normal().signs, name) && !strings.HasPrefix(name, "ECDSA-SECP")
}

func (s *state) signs13(name string) bool {
	return strings.HasPrefix(name, "ECDSA-SECP") && slices.Contains(s.versions, "TLS1.3")
}

// suites are those that the lists allow in any version, in order: TLS 1.3 first, then by key exchange, cipher and MAC.
func (s *state) suites() []wire.CipherSuite {
	var out []wire.CipherSuite
	if slices.Contains(s.macs, "AEAD") {
		for _, cipher := range s.ciphers {
			if suite, ok := suite13(cipher); ok {
				out = append(out, suite)
			}
		}
	}
	for _, kx := range s.kx {
		for _, cipher := range s.ciphers {
			for _, mac := range s.macs {
				if suite, ok := suite12(kx, cipher, mac); ok {
					out = append(out, suite)
				}
			}
		}
	}
	return out
}

// fill turns names into code points, and keeps the suites of the versions that are left.
func (s *state) fill(p *Priorities, suites []wire.CipherSuite) {
	var spoken []wire.Version // with those of DTLS, whose suites are TLS's
	for _, name := range s.versions {
		v, _ := wire.VersionByName(strings.TrimPrefix(name, "D"))
		if strings.HasPrefix(name, "DTLS") {
			if name != "DTLS1.2" {
				v = wire.VersionTLS11
			}
		} else {
			p.Versions = append(p.Versions, v)
		}
		spoken = append(spoken, v)
	}
	for _, suite := range suites {
		info, _ := suite.Info()
		if slices.ContainsFunc(spoken, func(v wire.Version) bool { return v >= info.MinVersion && v <= info.MaxVersion }) {
			p.CipherSuites = append(p.CipherSuites, suite)
		}
	}
	p.Groups = []wire.NamedGroup{}
	for _, name := range s.groups {
		if g, ok := wire.NamedGroupByName("GROUP-" + name); ok {
			p.Groups = append(p.Groups, g)
		}
	}
	p.SignatureSchemes = []wire.SignatureScheme{}
	for _, name := range s.signs {
		if scheme, ok := schemeNamed(name); ok && (signs12(name) || s.signs13(name)) && !slices.Contains(p.SignatureSchemes, scheme) {
			p.SignatureSchemes = append(p.SignatureSchemes, scheme)
		}
	}
}
