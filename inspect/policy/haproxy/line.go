package haproxy

import (
	"strconv"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
)

// line is a line of a configuration, in words.
type line struct {
	file   string
	number int
	words  []string
}

func (l line) word(i int) string {
	if i < len(l.words) {
		return l.words[i]
	}
	return ""
}

func (l line) fact(name, value string) imported.Fact {
	return imported.Fact{File: l.file, Line: l.number, Setting: name, Value: value}
}

func (l line) span() imported.Span {
	return imported.Span{File: l.file, First: l.number, Last: l.number}
}

// splitter cuts a line into words as HAProxy does: blanks separate, a backslash or quotes protect, a hash begins a comment, and
// inside double quotes a dollar names an environment variable (configuration.txt, Sections 2.2 and 2.3).
type splitter struct {
	text    string
	at      int
	env     func(name string) (value string, known bool)
	word    strings.Builder
	begun   bool // a word has begun, be it empty
	words   []string
	unknown []string // variables that nobody set
	brought int      // bytes that variables brought
}

// split returns the words, or what is wrong with the line.
func (s *splitter) split() ([]string, string) {
	quote := byte(0)
	for s.at < len(s.text) {
		c := s.text[s.at]
		s.at++
		switch {
		case quote == '\'':
			if c == '\'' {
				quote = 0
				continue
			}
			s.put(c)
		case c == '\\':
			if wrong := s.escape(); wrong != "" {
				return nil, wrong
			}
		case c == '"':
			s.begun = true
			if quote == 0 {
				quote = '"'
			} else {
				quote = 0
			}
		case quote == '"' && c == '$':
			if wrong := s.variable(); wrong != "" {
				return nil, wrong
			}
		case quote == '"':
			s.put(c)
		case c == '\'':
			quote, s.begun = c, true
		case c == '#':
			s.end()
			return s.words, ""
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			s.end()
		default:
			s.put(c)
		}
		if len(s.words) > maxWords {
			return nil, "more than " + strconv.Itoa(maxWords) + " words"
		}
	}
	if quote != 0 {
		return nil, "unmatched quote"
	}
	s.end()
	return s.words, ""
}

func (s *splitter) put(c byte) {
	s.word.WriteByte(c)
	s.begun = true
}

func (s *splitter) end() {
	if s.begun {
		s.words = append(s.words, s.word.String())
		s.word.Reset()
		s.begun = false
	}
}

// escape reads what follows a backslash.
func (s *splitter) escape() string {
	if s.at == len(s.text) {
		s.put('\\')
		return ""
	}
	c := s.text[s.at]
	s.at++
	switch c {
	case ' ', '\\', '#', '"', '\'', '$':
		s.put(c)
	case 'n':
		s.put('\n')
	case 'r':
		s.put('\r')
	case 't':
		s.put('\t')
	case 'x':
		if s.at+2 > len(s.text) {
			return `truncated or invalid hexadecimal sequence after \x`
		}
		n, err := strconv.ParseUint(s.text[s.at:s.at+2], 16, 8)
		if err != nil {
			return `truncated or invalid hexadecimal sequence after \x`
		}
		s.at += 2
		s.put(byte(n))
	default: // the backslash stays
		s.put('\\')
		s.put(c)
	}
	return ""
}

func isNameByte(c byte) bool {
	return c == '_' || c == '.' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// variable reads what follows a dollar: NAME, {NAME}, {NAME-default} or {NAME[*]}, which makes words of its own.
func (s *splitter) variable() string {
	braces := s.at < len(s.text) && s.text[s.at] == '{'
	if braces {
		s.at++
	}
	from := s.at
	for s.at < len(s.text) && isNameByte(s.text[s.at]) {
		s.at++
	}
	name := s.text[from:s.at]
	if name == "" {
		return "a dollar inside double quotes is followed by no variable's name"
	}
	value, known := s.env(name)
	spread := false
	if braces {
		rest := s.text[s.at:]
		spread = strings.HasPrefix(rest, "[*]")
		if spread {
			s.at, rest = s.at+3, rest[3:]
		}
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			return "unmatched brace in an environment variable's name"
		}
		inner := rest[:end]
		s.at += end + 1
		switch {
		case strings.HasPrefix(inner, "-"):
			if !known {
				value, known = inner[1:], true
			}
		case inner != "":
			return "unmatched brace in an environment variable's name"
		}
	}
	if !known {
		s.unknown = append(s.unknown, name)
	}
	if s.brought += len(value); s.brought > maxLine {
		return "its variables bring more than " + strconv.Itoa(maxLine) + " bytes"
	}
	if !spread {
		s.word.WriteString(value)
		s.begun = true
		return ""
	}
	for i, word := range strings.Fields(value) {
		if i > 0 {
			s.end()
		}
		s.word.WriteString(word)
		s.begun = true
	}
	return ""
}
