package openssl

import (
	"strings"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

const cipherString = "cipher string"

// Ciphers expands a cipher string as SSL_CTX_set_cipher_list does. The suites of TLS 1.3 are not the string's matter: they come
// from the options, and a string that leaves no suite of TLS 1.2 or below is an error even though they remain. Errors are
// of type *Error.
func Ciphers(list string, o Options) (Expansion, error) {
	rel, err := releaseOf(o.Version)
	if err != nil {
		return Expansion{}, err
	}
	if len(list) > maxString {
		return Expansion{}, refuse(cipherString, list, -1, "", ErrTooLong)
	}
	p := parser{list: baseList(rel, o.WeakCiphers), weak: o.WeakCiphers, rel: rel, level: 2}
	if o.SecurityLevel != nil {
		p.level = *o.SecurityLevel
	}
	e := Expansion{}
	var rules string
	if e.SuiteB, rules = suiteB(list); e.SuiteB == SuiteBNone {
		if rest, ok := strings.CutPrefix(list, "DEFAULT"); ok {
			p.run("ALL:!COMPLEMENTOFDEFAULT:!eNULL")
			p.skipped = nil
			rules = strings.TrimPrefix(rest, ":")
		}
	}
	start := len(list) - len(rules)
	if at, word, ok := p.run(rules); !ok {
		return Expansion{}, refuse(cipherString, list, start+at, word, ErrInvalidCommand)
	}
	for _, entry := range p.list {
		if entry.active {
			e.Ciphers = append(e.Ciphers, entry.code)
		}
	}
	if len(e.Ciphers) == 0 {
		return Expansion{}, refuse(cipherString, list, -1, "", ErrNoCipherMatch)
	}
	e.SecurityLevel, e.Ignored = p.level, p.skipped
	if e.TLS13, err = tls13Suites(o, rel); err != nil {
		return Expansion{}, err
	}
	return e, nil
}

// suiteB replaces a string that begins with one of the Suite B words; what follows the word does not count.
func suiteB(list string) (SuiteB, string) {
	const aes128, aes256 = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"
	switch {
	case strings.HasPrefix(list, "SUITEB128ONLY"):
		return SuiteB128Only, aes128
	case strings.HasPrefix(list, "SUITEB128C2"):
		return SuiteB128, aes256
	case strings.HasPrefix(list, "SUITEB128"):
		return SuiteB128, aes128 + ":" + aes256
	case strings.HasPrefix(list, "SUITEB192"):
		return SuiteB192, aes256
	}
	return SuiteBNone, list
}

// parser walks a string and changes the list as it goes.
type parser struct {
	list    []entry
	rel     release
	weak    bool
	level   int
	skipped []string
}

// selection is what the words of one item that are joined by "+" have in common.
type selection struct {
	properties
	code wire.CipherSuite // of the last word, where that is a suite; 0: none
}

// run obeys the items of a string in turn. On an item that is no item it says where it is, and what stands there.
func (p *parser) run(s string) (at int, word string, ok bool) {
	i := 0
	for i < len(s) {
		op := opAdd
		switch s[i] {
		case '-', '+', '!', '@':
			op = operator(s[i])
			i++
		case ':', ',', ';', ' ':
			i++
			continue
		}
		begin := i
		if op == opSpecial {
			end := i + wordLength(s[i:])
			if !p.special(s[i:end]) {
				return begin - 1, s[begin-1 : end], false
			}
			i = end + itemLength(s[end:])
			continue
		}
		chosen, next, known := p.item(s, i)
		switch {
		case next < 0:
			return offender(s, begin)
		case known:
			p.list = apply(p.list, op, chosen)
			i = next
		default:
			i = next + itemLength(s[next:])
			p.skipped = append(p.skipped, s[begin:i])
		}
	}
	return 0, "", true
}

// item reads words joined by "+" from s[i:]. next is where it ends, -1 where no word stands; known is false for an
// unknown word and for words that have nothing in common.
func (p *parser) item(s string, i int) (chosen selection, next int, known bool) {
	for {
		n := wordLength(s[i:])
		if n == 0 {
			return chosen, -1, false
		}
		word := s[i : i+n]
		i += n
		more := i < len(s) && s[i] == '+'
		if more {
			i++
		}
		if !p.narrow(&chosen, word) {
			return chosen, i, false
		}
		if !more {
			return chosen, i, true
		}
	}
}

// offender is where an item without a word is: at its first character, or at the end of the string.
func offender(s string, begin int) (int, string, bool) {
	end := begin
	for end < len(s) && (s[end] == '+' || wordLength(s[end:]) > 0) {
		end += max(1, wordLength(s[end:]))
	}
	if end < len(s) {
		return end, s[end : end+1], false
	}
	return len(s), "", false
}

// narrow adds a word to what an item selects.
func (p *parser) narrow(chosen *selection, word string) bool {
	with, code := p.lookUp(word)
	if with == nil {
		return false
	}
	ok := both(&chosen.kx, with.kx) && both(&chosen.au, with.au) && both(&chosen.enc, with.enc) && both(&chosen.mac, with.mac)
	if !ok || !chosen.narrowClass(with.class) {
		return false
	}
	chosen.code = code
	if code != 0 || with.min == 0 {
		return true // a suite's name says nothing of its version
	}
	if chosen.min != 0 && chosen.min != with.min {
		return false
	}
	chosen.min = with.min
	return true
}

// narrowClass intersects classes. The first class of an item displaces the mark of COMPLEMENTOFDEFAULT.
func (c *selection) narrowClass(with set) bool {
	if strength := with & anyClass; strength != 0 {
		if c.class&anyClass == 0 {
			c.class = strength
		} else if c.class &= strength | notDefault; c.class&anyClass == 0 {
			return false
		}
	}
	c.class |= with & notDefault
	return true
}

// both makes a the intersection of two sets, of which the empty one is no restriction; false: they exclude each other.
func both(a *set, b set) bool {
	switch {
	case b == 0:
		return true
	case *a == 0:
		*a = b
		return true
	}
	*a &= b
	return *a != 0
}

// lookUp finds a word: a suite of this build, which has a code, or a keyword.
func (p *parser) lookUp(word string) (*properties, wire.CipherSuite) {
	if s := suiteNamed(word); s != nil && s.in(p.rel, p.weak) {
		return &s.properties, s.code
	}
	for i := range keywordTable {
		if k := &keywordTable[i]; k.name == word && k.knownTo(p.rel) {
			return &k.properties, 0
		}
	}
	return nil, 0
}

// special obeys what follows an "@".
func (p *parser) special(word string) bool {
	if word == "STRENGTH" {
		p.list = sortByStrength(p.list)
		return true
	}
	level, ok := strings.CutPrefix(word, "SECLEVEL=")
	if !ok || len(level) != 1 || level[0] < '0' || level[0] > '5' {
		return false
	}
	p.level = int(level[0] - '0')
	return true
}

// wordLength is how much of s, from its beginning, can stand in a word.
func wordLength(s string) int {
	for i := range len(s) {
		switch c := s[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '.', c == '=':
		default:
			return i
		}
	}
	return len(s)
}

// itemLength is how far it is from the beginning of s to the next separator.
func itemLength(s string) int {
	if i := strings.IndexAny(s, ":,; "); i >= 0 {
		return i
	}
	return len(s)
}
