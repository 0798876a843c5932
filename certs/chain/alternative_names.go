package chain

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Tags of GeneralName (RFC 5280, Section 4.2.1.6).
const (
	tagDNSName   = cbasn1.Tag(2 | 0x80)
	tagIPAddress = cbasn1.Tag(7 | 0x80)
)

// generalName is one name as it lies in the extension.
type generalName struct {
	tag   cbasn1.Tag
	value []byte
}

// generalNames reads a GeneralNames; ok is false when the syntax breaks, and the names before the break are returned.
func generalNames(der []byte) (list []generalName, ok bool) {
	s := cryptobyte.String(der)
	var body cryptobyte.String
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !s.Empty() {
		return nil, false
	}
	for !body.Empty() {
		var value cryptobyte.String
		var tag cbasn1.Tag
		if !body.ReadAnyASN1(&value, &tag) {
			return list, false
		}
		list = append(list, generalName{tag, value})
	}
	return list, true
}

// badNames collects names by what is wrong with them.
type badNames struct {
	reason Reason
	names  []string
	total  int
}

// judgeAlternativeNames reports names of the leaf that match nothing, or not what was meant: one fault for each reason.
func (e *examination) judgeAlternativeNames() {
	ext := extension(e.leaf.Certificate, oidSubjectAltName)
	if ext == nil {
		cn := e.leaf.Subject.CommonName
		if e.o.Name == "" && cn != "" && e.forServers() {
			e.add(Fault{ID: CommonNameOnly, Reason: ReasonCommonNameOnly, Index: e.leaf.index, Names: []string{clip(cn)}, Detail: fmt.Sprintf(
				"the certificate has no subject alternative names, only the common name %s, which clients no longer read (RFC 9525, Section 6.3)", clip(cn))})
		}
		return
	}
	var found []badNames
	note := func(reason Reason, name string) {
		for i := range found {
			if f := &found[i]; f.reason == reason {
				if f.total++; len(f.names) < maxNames {
					f.names = append(f.names, clip(name))
				}
				return
			}
		}
		found = append(found, badNames{reason, []string{clip(name)}, 1})
	}
	names, _ := generalNames(ext.Value)
	seen := make(map[string]bool, min(len(names), maxNamesCompared))
	for _, n := range names[:min(len(names), maxNamesCompared)] {
		var text string
		switch n.tag {
		case tagDNSName:
			text = strings.ToLower(string(n.value))
			for _, reason := range nameReasons(text) {
				note(reason, string(n.value))
			}
		case tagIPAddress:
			if len(n.value) != net.IPv4len && len(n.value) != net.IPv6len {
				note(ReasonNameAsAddress, strings.ToValidUTF8(string(n.value), "?"))
				continue
			}
			text = net.IP(n.value).String()
			if len(n.value) == net.IPv6len && net.IP(n.value).To4() != nil {
				note(ReasonMappedAddress, text)
			}
		default:
			continue
		}
		if seen[text] {
			note(ReasonDuplicateName, text)
		}
		seen[text] = true
	}
	culprit := slices.IndexFunc(found, func(f badNames) bool { return f.reason == ReasonWildcardSuffix })
	if culprit >= 0 && !e.fewCover() {
		culprit = -1
	}
	for i, f := range found {
		e.add(Fault{ID: BadName, Fatal: i == culprit, Reason: f.reason, Index: e.leaf.index, Names: f.names, Detail: fmt.Sprintf("%s: %s", badNameText(f.reason), listed(f.names, f.total))})
	}
}

// badNameText says what a reason of BadName means.
func badNameText(r Reason) string {
	switch r {
	case ReasonAddressAsName:
		return "an address stands among the DNS names, where no client looks for it (RFC 5280, Section 4.2.1.6: it must be an iPAddress)"
	case ReasonNameAsAddress:
		return "an IP address entry has neither 4 nor 16 octets, as if text were written into it (RFC 5280, Section 4.2.1.6)"
	case ReasonMappedAddress:
		return "an IPv4 address is written in the form of IPv6 (::ffff:…), which OpenSSL and GnuTLS do not take for it (RFC 5280, Section 4.2.1.6: it must have 4 octets)"
	case ReasonUnicodeLabel:
		return "a DNS name is not ASCII; international names are written as A-labels, xn--... (RFC 9549, Section 3)"
	case ReasonBadALabel:
		return "a label begins with xn-- and is no A-label (RFC 5891, Section 4.2)"
	case ReasonUnderscore:
		return "a DNS name has an underscore, which public authorities must not certify (Baseline Requirements, Section 7.1.4.2.1) and Java refuses"
	case ReasonTrailingDot:
		return "a DNS name ends in a dot, so that no name asked for equals it"
	case ReasonPartialWildcard:
		return "a wildcard is part of a label; it must be the whole one (RFC 9525, Section 6.3)"
	case ReasonWildcardPlace:
		return "a wildcard stands elsewhere than in the left-most label (RFC 9525, Section 6.3)"
	case ReasonWildcardSuffix:
		return "a wildcard covers a whole public suffix, which OpenSSL, GnuTLS and browsers do not match"
	case ReasonDuplicateName:
		return "a name is listed more than once"
	}
	return "an entry among the DNS names is no domain name"
}

// nameReasons says what is wrong with a dNSName in lower case.
func nameReasons(name string) (reasons []Reason) {
	if net.ParseIP(strings.Trim(name, "[]")) != nil {
		return []Reason{ReasonAddressAsName}
	}
	if !ascii([]byte(name)) {
		return []Reason{ReasonUnicodeLabel}
	}
	if bare, dot := strings.CutSuffix(name, "."); dot && bare != "" {
		reasons, name = append(reasons, ReasonTrailingDot), bare
	}
	if name == "" || len(name) > 253 {
		return append(reasons, ReasonNotADomainName)
	}
	add := func(r Reason) {
		for _, have := range reasons {
			if have == r {
				return
			}
		}
		reasons = append(reasons, r)
	}
	rest := name
	for first, more := true, true; more; first = false {
		var label string
		label, rest, more = strings.Cut(rest, ".")
		switch {
		case label == "*" && first:
			if publicSuffix(rest) {
				add(ReasonWildcardSuffix)
			}
			continue
		case strings.Contains(label, "*") && !first:
			add(ReasonWildcardPlace)
			continue
		case strings.Contains(label, "*"):
			add(ReasonPartialWildcard)
			label = strings.ReplaceAll(label, "*", "x")
		}
		if !ldh(label) {
			add(ReasonNotADomainName)
		}
		if strings.Contains(label, "_") {
			add(ReasonUnderscore)
		}
		if encoded, ok := strings.CutPrefix(label, "xn--"); ok && !punycode(encoded) {
			add(ReasonBadALabel)
		}
	}
	return reasons
}

// ldh says whether a label is made of letters, digits and hyphens (RFC 5890, Section 2.3.1), underscores allowed.
func ldh(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for i := range len(label) {
		if b := label[i]; !('a' <= b && b <= 'z' || '0' <= b && b <= '9' || b == '-' || b == '_') {
			return false
		}
	}
	return true
}

func ascii(b []byte) bool {
	for _, x := range b {
		if x >= 0x80 {
			return false
		}
	}
	return true
}

// publicSuffix says whether names are registered directly below one: a top-level domain, or the usual second level of a
// country's. It is a short rule in place of the long public list, and errs on the side of silence.
func publicSuffix(base string) bool {
	second, top, two := strings.Cut(base, ".")
	if !two {
		return true
	}
	if len(top) != 2 || strings.Contains(top, ".") {
		return false
	}
	switch second {
	case "co", "com", "net", "org", "gov", "gob", "edu", "ac", "mil", "or", "ne", "go", "gouv", "govt", "sch", "nom":
		return true
	}
	return false
}

// punycode says whether a string decodes to a label that is not plain ASCII (RFC 3492, Section 6.2).
func punycode(s string) bool {
	const base, tMin, tMax, skew, damp = 36, 1, 26, 38, 700
	n, i, bias := 128, 0, 72
	basic := strings.LastIndexByte(s, '-')
	length := max(basic, 0)
	if len(s) == 0 || basic == len(s)-1 {
		return false
	}
	for at := basic + 1; at < len(s); length++ {
		before, w := i, 1
		for k := base; ; k += base {
			if at >= len(s) {
				return false
			}
			var digit int
			switch b := s[at]; {
			case 'a' <= b && b <= 'z':
				digit = int(b - 'a')
			case '0' <= b && b <= '9':
				digit = int(b-'0') + 26
			default:
				return false
			}
			at++
			if i += digit * w; i > 1<<30 {
				return false
			}
			t := min(max(k-bias, tMin), tMax)
			if digit < t {
				break
			}
			if w *= base - t; w > 1<<30 {
				return false
			}
		}
		delta := i - before
		if before == 0 {
			delta /= damp
		} else {
			delta /= 2
		}
		delta += delta / (length + 1)
		k := 0
		for ; delta > (base-tMin)*tMax/2; k += base {
			delta /= base - tMin
		}
		bias = k + (base-tMin+1)*delta/(delta+skew)
		n += i / (length + 1)
		i = i%(length+1) + 1
		if n > 0x10ffff || 0xd800 <= n && n < 0xe000 {
			return false
		}
	}
	return true
}
