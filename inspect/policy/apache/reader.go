package apache

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/release"
)

// directive is a directive, or a section with what is in it. Names are in lower case, as httpd does not mind.
type directive struct {
	name    string
	written string // the name as written
	args    []string
	file    string
	line    int
	last    int // of a section: its last line
	section bool
	body    []*directive
}

func (d *directive) arg(i int) string {
	if i < len(d.args) {
		return d.args[i]
	}
	return ""
}

func (d *directive) place() string { return fmt.Sprintf("%s:%d", path.Base(d.file), d.line) }

// reader turns files into directives. Conditional sections are resolved here, as httpd does while it reads.
type reader struct {
	imported.Collector
	fsys     fs.FS
	root     string // ServerRoot
	version  string
	defined  map[string]string
	modules  map[string]bool // LoadModule, by module and by source name
	stack    []string
	files    int
	bytes    int64
	maxBytes int64 // of one file
	unsure   bool  // whether a line before this one holds is not known
	managed  bool  // mod_md obtains certificates
}

// name is the path that an argument means.
func (r *reader) name(arg string) string {
	if path.IsAbs(arg) || r.root == "." {
		return path.Clean(arg)
	}
	return path.Join(r.root, arg)
}

// file reads a file and all that it includes.
func (r *reader) file(name string) ([]*directive, error) {
	data, err := document.ReadFile(r.fsys, name, r.maxBytes)
	if err != nil {
		return nil, &imported.Error{File: name, Text: err.Error()}
	}
	if r.files++; r.files > maxFiles {
		return nil, &imported.Error{File: name, Text: fmt.Sprintf("more than %d files are included", maxFiles)}
	}
	if r.bytes += int64(len(data)); r.bytes > maxTotal*r.maxBytes {
		return nil, &imported.Error{File: name, Text: fmt.Sprintf("the configuration has more than %d bytes", maxTotal*r.maxBytes)}
	}
	r.stack = append(r.stack, name)
	defer func() { r.stack = r.stack[:len(r.stack)-1] }()
	p := parser{reader: r, file: name, lines: strings.Split(strings.TrimPrefix(string(data), "\ufeff"), "\n")}
	return p.body("", 0, true)
}

// parser reads the lines of one file.
type parser struct {
	*reader
	file  string
	lines []string
	at    int // the next line
	tls   int // directives so far that concern TLS, also in sections that do not hold
}

func (p *parser) fail(line int, format string, args ...any) error {
	return &imported.Error{File: p.file, Line: line, Text: fmt.Sprintf(format, args...)}
}

// next is the next line that says something, with what a backslash at its end continues it by, and its number.
func (p *parser) next() (text string, number int, err error) {
	for p.at < len(p.lines) {
		number = p.at + 1
		var b strings.Builder
		for p.at < len(p.lines) {
			part := strings.TrimSuffix(p.lines[p.at], "\r")
			p.at++
			rest, more := strings.CutSuffix(part, `\`)
			if more && !strings.HasSuffix(rest, `\`) {
				b.WriteString(rest)
				continue
			}
			b.WriteString(part)
			break
		}
		if b.Len() > maxLine {
			return "", number, p.fail(number, "the line has more than %d bytes", maxLine)
		}
		text = strings.TrimSpace(b.String())
		if strings.IndexByte(text, 0) >= 0 {
			return "", number, p.fail(number, "a NUL byte in the line: this is no configuration")
		}
		if text != "" && text[0] != '#' {
			return text, number, nil
		}
	}
	return "", 0, nil
}

var variableForm = regexp.MustCompile(`\$\{([^{}:$]+)\}`)

// expand puts in the values of variables that Define set. Others stay as they are, as httpd leaves them.
func (p *parser) expand(text string, number int, active bool) (string, error) {
	if !strings.Contains(text, "${") {
		return text, nil
	}
	out := variableForm.ReplaceAllStringFunc(text, func(v string) string {
		name := v[2 : len(v)-1]
		value, ok := p.defined[name]
		if !ok {
			if active {
				p.unsure = p.unsure || strings.Contains(strings.ToLower(text), "ssl")
				p.problem(&directive{file: p.file, line: number}, "variable %s is not defined here", v)
			}
			return v
		}
		return value
	})
	if len(out) > maxLine {
		return "", p.fail(number, "the line has more than %d bytes", maxLine)
	}
	if p.bytes += int64(len(out)); p.bytes > maxTotal*p.maxBytes {
		return "", p.fail(number, "with its variables the configuration has more than %d bytes", maxTotal*p.maxBytes)
	}
	return out, nil
}

// body reads up to the end of a section, or of the file where there is none. active false: it is read for its form alone.
func (p *parser) body(section string, depth int, active bool) ([]*directive, error) {
	out := []*directive{}
	if depth > maxSections {
		return nil, p.fail(p.at, "sections are nested deeper than %d", maxSections)
	}
	begun := p.at
	for {
		text, number, err := p.next()
		if err != nil {
			return nil, err
		}
		if number == 0 {
			if section != "" {
				return nil, p.fail(max(begun, 1), "<%s> is not closed", section)
			}
			return out, nil
		}
		if text, err = p.expand(text, number, active); err != nil {
			return nil, err
		}
		if strings.HasPrefix(text, "</") {
			name := strings.TrimSpace(strings.TrimSuffix(text[2:], ">"))
			if !strings.EqualFold(name, section) {
				return nil, p.fail(number, "</%s> closes <%s>", name, section)
			}
			return out, nil
		}
		d, err := p.directive(text, number)
		if err != nil {
			return nil, err
		}
		more, err := p.carryOut(d, depth, active)
		if err != nil {
			return nil, err
		}
		if active {
			out = append(out, more...)
		}
	}
}

// directive cuts a line into name and arguments.
func (p *parser) directive(text string, number int) (*directive, error) {
	d := &directive{file: p.file, line: number}
	if strings.HasPrefix(text, "<") {
		if !strings.HasSuffix(text, ">") {
			return nil, p.fail(number, "the section's first line does not end in >")
		}
		d.section, text = true, text[1:len(text)-1]
	}
	words, wrong := words(text)
	if wrong != "" {
		return nil, p.fail(number, "%s", wrong)
	}
	if len(words) == 0 {
		return nil, p.fail(number, "a section without a name")
	}
	d.written, d.name, d.args = words[0], strings.ToLower(words[0]), words[1:]
	if strings.HasPrefix(d.name, "ssl") || d.name == "virtualhost" || d.name == "protocols" {
		p.tls++
	}
	return d, nil
}

// words cuts text at blanks, except inside quotes; a backslash protects the quote.
func words(text string) (out []string, wrong string) {
	for {
		text = strings.TrimLeft(text, " \t")
		if text == "" {
			return out, ""
		}
		quote := text[0]
		if quote != '"' && quote != '\'' {
			end := strings.IndexAny(text, " \t")
			if end < 0 {
				end = len(text)
			}
			out, text = append(out, text[:end]), text[end:]
			continue
		}
		var b strings.Builder
		i := 1
		for i < len(text) && text[i] != quote {
			if text[i] == '\\' && i+1 < len(text) && (text[i+1] == '\\' || text[i+1] == quote) {
				i++
			}
			b.WriteByte(text[i])
			i++
		}
		if i >= len(text) {
			i-- // httpd takes the end of the line for the end of the quotes
		}
		out, text = append(out, b.String()), text[i+1:]
	}
}

// carryOut does what httpd does with a directive while it reads: conditions, definitions, includes.
func (p *parser) carryOut(d *directive, depth int, active bool) ([]*directive, error) {
	if d.section {
		holds, doubt := true, ""
		switch d.name {
		case "ifmodule":
			holds, doubt = p.ifModule(d.arg(0))
		case "ifdefine":
			holds, doubt = p.ifDefine(d.arg(0))
		case "ifversion":
			holds, doubt = p.ifVersion(d.args)
		case "iffile":
			_, err := fs.Stat(p.fsys, p.name(strings.TrimPrefix(d.arg(0), "!")))
			holds = (err == nil) != strings.HasPrefix(d.arg(0), "!")
		case "ifdirective", "ifsection":
			doubt = "whether " + d.arg(0) + " is known to this httpd"
		case "mdomainset":
			p.managed = true
		case "macro":
			if active {
				p.problem(d, "<Macro %s>: macros are not expanded", d.arg(0))
			}
			holds = false
		}
		before := p.tls
		inner, err := p.body(d.written, depth+1, active && holds)
		if err != nil {
			return nil, err
		}
		switch d.name {
		case "ifmodule", "ifdefine", "ifversion", "iffile", "ifdirective", "ifsection", "macro":
			if active && doubt != "" && p.tls > before {
				p.unsure = true
				p.problem(d, "<%s %s>: %s is not known here; taken as %t", d.written, strings.Join(d.args, " "), doubt, holds)
			}
			return inner, nil
		}
		d.body, d.last = inner, p.at
		return []*directive{d}, nil
	}
	if !active {
		return nil, nil
	}
	switch d.name {
	case "define":
		p.defined[d.arg(0)] = d.arg(1)
	case "undefine":
		delete(p.defined, d.arg(0))
	case "serverroot":
		p.root = path.Clean(d.arg(0))
	case "loadmodule":
		p.modules[d.arg(0)] = true
		p.modules[strings.TrimSuffix(path.Base(d.arg(1)), ".so")+".c"] = true
	case "mdomain":
		p.managed = true
	case "use":
		p.unsure = true
		p.problem(d, "Use %s: macros are not expanded", strings.Join(d.args, " "))
	case "include", "includeoptional":
		return p.include(d)
	}
	return []*directive{d}, nil
}

// ifModule: what is loaded counts as loaded, mod_ssl always, and the rest too, for it may be built in.
func (p *parser) ifModule(arg string) (holds bool, doubt string) {
	name := strings.TrimPrefix(arg, "!")
	if !p.modules[name] && name != "ssl_module" && name != "mod_ssl.c" {
		doubt = "whether " + name + " is loaded"
	}
	return !strings.HasPrefix(arg, "!"), doubt
}

// ifDefine: names may also come from the command line.
func (p *parser) ifDefine(arg string) (holds bool, doubt string) {
	name := strings.TrimPrefix(arg, "!")
	_, defined := p.defined[name]
	if !defined {
		doubt = "whether " + name + " is defined on the command line"
	}
	return defined != strings.HasPrefix(arg, "!"), doubt
}

func (p *parser) ifVersion(args []string) (holds bool, doubt string) {
	operator := "="
	switch len(args) {
	case 1:
	case 2:
		operator = args[0]
	default:
		return false, "the comparison"
	}
	bound := args[len(args)-1]
	negated := strings.HasPrefix(operator, "!")
	operator = strings.TrimPrefix(operator, "!")
	atLeast, above := release.AtLeast(p.version, bound), !release.AtLeast(bound, p.version)
	switch operator {
	case "=", "==":
		holds = atLeast && !above
	case ">":
		holds = above
	case ">=":
		holds = atLeast
	case "<":
		holds = !atLeast
	case "<=":
		holds = !above
	default:
		return false, "the comparison " + operator
	}
	return holds != negated, ""
}

// include reads files, all files of directories, or what patterns match.
func (p *parser) include(d *directive) ([]*directive, error) {
	if len(d.args) != 1 {
		return nil, p.fail(d.line, "%s takes one argument", d.written)
	}
	pattern := p.name(d.args[0])
	names := []string{pattern}
	if strings.ContainsAny(pattern, "*?[") {
		var err error
		if names, err = fs.Glob(p.fsys, pattern); err != nil {
			p.problem(d, "%s %s: %v", d.written, d.args[0], err)
			return nil, nil
		}
		if len(names) == 0 {
			p.problem(d, "%s %s: no file matches", d.written, d.args[0])
		}
	} else if !exists(p.fsys, pattern) {
		p.problem(d, "%s %s: the file cannot be read here", d.written, pattern)
		return nil, nil
	}
	var out []*directive
	for _, name := range names {
		more, err := p.includeFile(d, name, 0)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

func (p *parser) includeFile(d *directive, name string, below int) ([]*directive, error) {
	if slices.Contains(p.stack, name) {
		return nil, p.fail(d.line, "%s %s: the file includes itself", d.written, d.args[0])
	}
	if len(p.stack)+below > maxIncludeDepth {
		return nil, p.fail(d.line, "%s %s: includes are nested deeper than %d", d.written, d.args[0], maxIncludeDepth)
	}
	info, unreadable := fs.Stat(p.fsys, name)
	if unreadable == nil && !info.IsDir() {
		return p.reader.file(name)
	}
	var entries []fs.DirEntry
	if unreadable == nil {
		entries, unreadable = fs.ReadDir(p.fsys, name)
	}
	if unreadable != nil { // often only the main file was brought
		p.problem(d, "%s %s: it cannot be read here", d.written, name)
	}
	var out []*directive
	for _, e := range entries {
		more, err := p.includeFile(d, path.Join(name, e.Name()), below+1)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

func exists(fsys fs.FS, name string) bool {
	_, err := fs.Stat(fsys, name)
	return err == nil
}
