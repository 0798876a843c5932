package haproxy

import (
	"fmt"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
)

// section is a section of the configuration, as far as TLS goes.
type section struct {
	kind, name string
	at         line
	http       bool // mode http
	binds      []*bind
	servers    []*target
	defaults   clientSettings // of default-server, as they stand after the lines so far
}

// branch is an .if with what is known of it.
type branch struct {
	active, taken, outer bool
	at                   line
}

// isSection are the words that begin a section.
func isSection(word string) bool {
	switch word {
	case "global", "defaults", "frontend", "backend", "listen", "peers", "resolvers", "userlist", "mailers", "cache", "program", "http-errors",
		"ring", "log-forward", "log-profile", "fcgi-app", "crt-store", "traces", "acme", "ruleset", "dynamic-update":
		return true
	}
	return false
}

// read goes through the lines. What global says holds for what follows it.
func (im *importer) read(data []byte) error {
	var stack []branch
	current := &section{}
	im.defaults, im.stores = map[string]*section{}, map[string]string{}
	number, brought := 0, 0
	for text := range strings.SplitSeq(strings.TrimPrefix(string(data), "\ufeff"), "\n") {
		if number++; number > maxLines {
			return &imported.Error{File: im.file, Line: number, Text: fmt.Sprintf("the file has more than %d lines", maxLines)}
		}
		if strings.IndexByte(text, 0) >= 0 {
			return &imported.Error{File: im.file, Line: number, Text: "a NUL byte in the line: this is no configuration"}
		}
		active := len(stack) == 0 || stack[len(stack)-1].active
		s := splitter{text: text, env: func(name string) (string, bool) { return im.variable(name, number, current) }}
		words, wrong := s.split()
		if brought += s.brought; brought > maxBrought {
			return &imported.Error{File: im.file, Line: number, Text: fmt.Sprintf("variables bring more than %d bytes", maxBrought)}
		}
		at := line{file: im.file, number: number, words: words}
		if wrong != "" {
			if !active {
				continue
			}
			return &imported.Error{File: im.file, Line: number, Text: wrong}
		}
		if len(words) == 0 {
			continue
		}
		if strings.HasPrefix(words[0], ".") {
			var err error
			if stack, err = im.directive(stack, at, active); err != nil {
				return err
			}
			continue
		}
		if !active {
			continue
		}
		for _, name := range s.unknown {
			im.unsure = im.unsure || strings.Contains(text, "ssl")
			im.problem(at, "environment variable %s is not known here; it is read as empty", name)
		}
		if isSection(words[0]) {
			im.finish(current)
			current = im.begin(at)
			continue
		}
		im.line(current, at)
	}
	if len(stack) > 0 {
		return &imported.Error{File: im.file, Line: stack[len(stack)-1].at.number, Text: ".if is not closed by .endif"}
	}
	im.finish(current)
	return nil
}

// variable is an environment variable, as far as the configuration sets it itself, or a pseudo-variable.
func (im *importer) variable(name string, number int, current *section) (string, bool) {
	switch name {
	case ".FILE":
		return im.file, true
	case ".LINE":
		return fmt.Sprint(number), true
	case ".SECTION":
		return current.name, true
	}
	value, ok := im.env[name]
	return value, ok
}

// directive carries out .if, .elif, .else and .endif.
func (im *importer) directive(stack []branch, at line, active bool) ([]branch, error) {
	fail := func(text string) error { return &imported.Error{File: at.file, Line: at.number, Text: text} }
	top := len(stack) - 1
	switch at.words[0] {
	case ".if":
		if len(stack) >= maxConditions {
			return nil, fail(fmt.Sprintf(".if is nested deeper than %d", maxConditions))
		}
		b := branch{outer: active, at: at}
		if active {
			value, err := im.condition(at)
			if err != nil {
				return nil, err
			}
			b.active, b.taken = value, value
		}
		return append(stack, b), nil
	case ".elif", ".else":
		if top < 0 {
			return nil, fail(at.words[0] + " without .if")
		}
		b := &stack[top]
		b.active = b.outer && !b.taken
		if b.active && at.words[0] == ".elif" {
			value, err := im.condition(at)
			if err != nil {
				return nil, err
			}
			b.active = value
		}
		b.taken = b.taken || b.active
	case ".endif":
		if top < 0 {
			return nil, fail(".endif without .if")
		}
		return stack[:top], nil
	case ".alert":
		if active {
			im.refuse(at, ".alert: HAProxy refuses to start: %s", strings.Join(at.words[1:], " "))
		}
	case ".notice", ".warning", ".diag":
	default:
		return nil, fail("unknown directive " + at.words[0])
	}
	return stack, nil
}

func (im *importer) condition(at line) (bool, error) {
	c := condition{im: im, text: strings.Join(at.words[1:], " ")}
	value := c.whole()
	if c.wrong {
		return false, &imported.Error{File: at.file, Line: at.number, Text: fmt.Sprintf("%s: condition %q is not understood", at.words[0], strings.Join(at.words[1:], " "))}
	}
	if c.vague != "" {
		im.unsure = true
		im.problem(at, "%s: whether %s holds is not known here; it is taken not to", at.words[0], c.vague)
	}
	return value, nil
}

// begin opens a section, with what it takes from a defaults section.
func (im *importer) begin(at line) *section {
	s := &section{kind: at.words[0], name: at.word(1), at: at}
	if s.kind == "global" || s.kind == "defaults" && at.word(1) == "from" {
		s.name = ""
	}
	from := im.last
	for i, word := range at.words {
		if word == "from" && i+1 < len(at.words) {
			if from = im.defaults[at.words[i+1]]; from == nil {
				im.problem(at, "no defaults section has the name %s", at.words[i+1])
			}
		}
	}
	switch s.kind {
	case "defaults":
		im.last = s
		if s.name != "" {
			im.defaults[s.name] = s
		}
		if at.word(1) != "from" && at.word(2) != "from" {
			return s // it starts afresh
		}
		fallthrough
	case "frontend", "backend", "listen":
		if from != nil {
			s.http, s.defaults = from.http, from.defaults.clone()
		}
	}
	return s
}

// line reads a line of a section.
func (im *importer) line(s *section, at line) {
	keyword := at.words[0]
	switch s.kind {
	case "global":
		im.globalLine(at)
		return
	case "crt-store":
		im.storeLine(s, at)
		return
	}
	switch keyword {
	case "mode":
		s.http = at.word(1) == "http"
	case "bind":
		im.bindLine(s, at)
	case "server", "server-template", "default-server":
		im.serverLine(s, at)
	case "ssl-f-use":
		im.problem(at, "ssl-f-use is not judged: which certificate is served is not in the policy")
	default:
		if strings.HasPrefix(keyword, "ssl-") || strings.HasPrefix(keyword, "tune.ssl") {
			im.problem(at, "%s is not judged in a section %s", keyword, s.kind)
		}
	}
}

// finish makes the endpoints of a section: the mode, which may come last, decides on a default.
func (im *importer) finish(s *section) {
	for _, b := range s.binds {
		im.bindEndpoints(s, b)
	}
	for _, t := range s.servers {
		im.serverEndpoint(s, t)
	}
}
