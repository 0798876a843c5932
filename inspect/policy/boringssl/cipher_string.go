package boringssl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// maxString bounds a cipher string.
const maxString = 64 << 10

// Options say how a string is read. The zero value is Envoy's way: strictly, and with fast AES.
type Options struct {
	Lenient bool // SSL_CTX_set_cipher_list: unknown words are skipped, and space, comma and semicolon separate, too
	SlowAES bool // a processor without AES instructions: ChaCha20 goes first where the string does not say
}

// Expansion is what a cipher string comes to.
type Expansion struct {
	Ciphers []wire.CipherSuite   // TLS 1.2 and below, in order
	Equal   [][]wire.CipherSuite // groups of at least two neighbours inside which the client's order wins
	TLS13   []wire.CipherSuite   // which the string does not touch
	Ignored []string             // unknown words, where reading is lenient
}

// All are the suites of all versions, those of TLS 1.3 first.
func (e Expansion) All() []wire.CipherSuite { return slices.Concat(e.TLS13, e.Ciphers) }

// Reasons for an Error, in BoringSSL's words.
var (
	ErrInvalidCommand  = errors.New("invalid command")
	ErrNoCipherMatch   = errors.New("no cipher match")
	ErrMixedOperator   = errors.New("mixed special operator with groups")
	ErrOperatorInGroup = errors.New("unexpected operator in group")
	ErrTooLong         = errors.New("too long")
)

// Error is a cipher string that BoringSSL refuses.
type Error struct {
	Value  string // the string, cut where it is long
	Offset int    // in bytes, of what is wrong; -1: it is the whole
	Word   string // what is wrong there
	Reason error  // one of the above
}

// Error says what is wrong and where.
func (e *Error) Error() string {
	text := fmt.Sprintf("boringssl: cipher string %q: %v", e.Value, e.Reason)
	if e.Offset >= 0 {
		text += fmt.Sprintf(" at offset %d (%q)", e.Offset, e.Word)
	}
	return text
}

// Unwrap is the reason.
func (e *Error) Unwrap() error { return e.Reason }

func refuse(value string, offset int, word string, reason error) *Error {
	const most = 200
	cut := func(s string) string {
		if len(s) > most {
			return strings.ToValidUTF8(s[:most], "") + "…"
		}
		return s
	}
	return &Error{Value: cut(value), Offset: offset, Word: cut(word), Reason: reason}
}

// Ciphers expands a cipher string. Errors are of type *Error.
func Ciphers(list string, o Options) (Expansion, error) {
	if len(list) > maxString {
		return Expansion{}, refuse(list, -1, "", ErrTooLong)
	}
	p := parser{o: o}
	for _, s := range suites(o.SlowAES) {
		p.list = append(p.list, entry{suite: s})
	}
	rules := list
	if rest, ok := strings.CutPrefix(list, "DEFAULT"); ok {
		_, _, _ = p.run("ALL") // a word that there is
		rules = strings.TrimPrefix(rest, ":")
	}
	if at, word, err := p.run(rules); err != nil {
		return Expansion{}, refuse(list, len(list)-len(rules)+at, word, err)
	}
	e := Expansion{TLS13: []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256}, Ignored: p.ignored}
	if o.SlowAES {
		e.TLS13 = []wire.CipherSuite{wire.TLS_CHACHA20_POLY1305_SHA256, wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384}
	}
	var group []wire.CipherSuite
	for _, entry := range p.list {
		if !entry.active {
			continue
		}
		e.Ciphers = append(e.Ciphers, entry.code)
		if group = append(group, entry.code); entry.inGroup {
			continue
		}
		if len(group) > 1 {
			e.Equal = append(e.Equal, group)
		}
		group = nil
	}
	if len(e.Ciphers) == 0 {
		return Expansion{}, refuse(list, -1, "", ErrNoCipherMatch)
	}
	return e, nil
}

// entry is a suite in the list. inGroup says that the next one in use is as good.
type entry struct {
	suite
	active, inGroup bool
}

type parser struct {
	o       Options
	list    []entry
	ignored []string
}

// run obeys a string item by item; on an error it says where and what.
func (p *parser) run(s string) (at int, word string, err error) {
	inGroup, hasGroup := false, false
	for i := 0; i < len(s); {
		op := byte('A')
		switch c := s[i]; {
		case inGroup && c == ']':
			if n := len(p.list); n > 0 {
				p.list[n-1].inGroup = false // the tail of the list, whatever it is
			}
			inGroup = false
			i++
			continue
		case inGroup && c == '|':
			i++
			continue
		case inGroup && !alphanumeric(c):
			return i, s[i : i+1], ErrOperatorInGroup
		case inGroup:
		case c == '[':
			inGroup, hasGroup = true, true
			i++
			continue
		case strings.IndexByte("-+!@", c) >= 0:
			if op = c; hasGroup {
				return i, s[i : i+1], ErrMixedOperator
			}
			i++
		case p.separator(c):
			i++
			continue
		}
		next, err := p.item(s, i, op, inGroup)
		if err != nil {
			return i, s[i:min(len(s), max(next, i+1))], err
		}
		i = next
	}
	if inGroup {
		return len(s), "", ErrInvalidCommand
	}
	return 0, "", nil
}

// item reads words joined by "+" from s[i:] and does with them what the operator says.
func (p *parser) item(s string, i int, op byte, inGroup bool) (next int, err error) {
	begin, known := i, true
	chosen := keyword{properties: properties{all, all, all, all}, deprecated: op != 'A'}
	var exact wire.CipherSuite
	for first := true; ; first = false {
		end := i
		for end < len(s) && (alphanumeric(s[end]) || s[end] == '-' || s[end] == '.' || s[end] == '_') {
			end++
		}
		word := s[i:end]
		if word == "" {
			return end, ErrInvalidCommand
		}
		if op == '@' {
			return p.special(s, word, end)
		}
		more := end < len(s) && s[end] == '+'
		if code, ok := p.suiteNamed(word); ok && first && !more {
			exact = code
		} else if !chosen.narrow(word, &known) && !p.o.Lenient {
			return end, ErrInvalidCommand
		}
		if i = end; !more {
			break
		}
		i++
	}
	if known {
		p.apply(op, inGroup, func(s *suite) bool {
			if exact != 0 {
				return s.code == exact
			}
			return chosen.selects(s)
		})
	} else {
		p.ignored = append(p.ignored, s[begin:i])
	}
	return i, nil
}

// special obeys what follows an "@": STRENGTH alone.
func (p *parser) special(s, word string, end int) (next int, err error) {
	if word != "STRENGTH" {
		return end, ErrInvalidCommand
	}
	p.list = sortByStrength(p.list)
	for end < len(s) && !p.separator(s[end]) {
		end++
	}
	return end, nil
}

// suiteNamed finds a suite of any version by either of its names. Those of TLS 1.3 are known and then not in the list.
func (p *parser) suiteNamed(word string) (wire.CipherSuite, bool) {
	for _, code := range [...]wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256} {
		if code.String() == word {
			return code, true
		}
	}
	for _, s := range suites(false) { // also those that were killed
		if s.named(word) {
			return s.code, true
		}
	}
	return 0, false
}

// narrow adds a word to what an item selects. ok is false for an unknown one; known becomes false for it and for versions
// that exclude each other, among which is a word without a version after one with a version.
func (k *keyword) narrow(word string, known *bool) (ok bool) {
	with, ok := keywordNamed(word)
	if !ok {
		*known = false
		return false
	}
	k.kx, k.au, k.enc, k.mac = k.kx&with.kx, k.au&with.au, k.enc&with.enc, k.mac&with.mac
	k.deprecated = k.deprecated || with.deprecated
	if k.min != 0 && k.min != with.min {
		*known = false
	} else {
		k.min = with.min
	}
	return true
}

func (k *keyword) selects(s *suite) bool {
	return k.kx&s.kx != 0 && k.au&s.au != 0 && k.enc&s.enc != 0 && k.mac&s.mac != 0 &&
		(k.min == 0 || k.min == s.minVersion()) && (k.deprecated || !s.deprecated)
}

// apply moves what is chosen: 'A' takes it into use at the end, '+' moves it to the end, '-' takes it out of use to the
// head, '!' removes it for good.
func (p *parser) apply(op byte, inGroup bool, chosen func(*suite) bool) {
	stay, moved := make([]entry, 0, len(p.list)), []entry(nil)
	for _, e := range p.list {
		if (op != '!' && e.active == (op == 'A')) || !chosen(&e.suite) {
			stay = append(stay, e)
			continue
		}
		e.active, e.inGroup = op != '-', op == 'A' && inGroup
		moved = append(moved, e)
	}
	switch op {
	case '!':
		p.list = stay
	case '-':
		p.list = append(moved, stay...)
	default:
		p.list = append(stay, moved...)
	}
}

func sortByStrength(list []entry) []entry {
	stay, moved := make([]entry, 0, len(list)), []entry(nil)
	for _, e := range list {
		if e.active {
			e.inGroup = false
			moved = append(moved, e)
		} else {
			stay = append(stay, e)
		}
	}
	slices.SortStableFunc(moved, func(a, b entry) int { return b.bits - a.bits })
	return append(stay, moved...)
}

func (p *parser) separator(c byte) bool {
	return c == ':' || p.o.Lenient && (c == ' ' || c == ';' || c == ',')
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
