package nginx

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	crossplane "github.com/nginxinc/nginx-go-crossplane"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
)

// statement is a directive, a block or not, with what its includes brought.
type statement struct {
	name    string
	args    []string
	file    string
	line    int
	last    int // the line of a block's closing brace
	isBlock bool
	body    []*statement // of a block
}

// reader turns files into statements, with what they include in its place.
type reader struct {
	imported.Collector
	fsys     fs.FS
	base     string // where relative paths start: the directory of the main file
	stack    []string
	files    int
	bytes    int64
	maxBytes int64 // of one file
}

func (r *reader) problem(file string, line int, format string, args ...any) {
	r.Problem(file, line, format, args...)
}

// refuse tells a problem for which nginx does not start.
func (r *reader) refuse(file string, line int, format string, args ...any) {
	r.Refuse(true, file, line, format, args...)
}

// name is the path that a directive's argument means.
func (r *reader) name(arg string) string {
	if path.IsAbs(arg) || r.base == "." {
		return path.Clean(arg)
	}
	return path.Join(r.base, arg)
}

// file reads a file and all that it includes.
func (r *reader) file(name string) ([]*statement, error) {
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
	p := parser{reader: r, file: name, tokens: tokens(data)}
	return p.block(0)
}

// reason is an error without the operation and the path, which stand beside it anyway.
func reason(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}

// tokens lexes a file to its end: the lexer's goroutine ends only then.
func tokens(data []byte) []crossplane.NgxToken {
	var out []crossplane.NgxToken
	options := crossplane.LexOptions{Lexers: []crossplane.RegisterLexer{crossplane.LexWithLexer(luaLexer{}, luaDirectives()...)}}
	text := strings.TrimPrefix(string(data), "\ufeff")
	text = strings.ReplaceAll(text, "_by_lua_block{", "_by_lua_block {") // the tokenizer takes one character before luaLexer gets to see any
	for t := range crossplane.LexWithOptions(strings.NewReader(text), options) {
		out = append(out, t)
	}
	return out
}

// parser makes statements of the tokens of one file.
type parser struct {
	*reader
	file   string
	tokens []crossplane.NgxToken
	at     int
}

func (p *parser) fail(line int, format string, args ...any) error {
	return &imported.Error{File: p.file, Line: line, Text: fmt.Sprintf(format, args...)}
}

// next is the next token that is not a comment.
func (p *parser) next() (crossplane.NgxToken, bool, error) {
	for p.at < len(p.tokens) {
		t := p.tokens[p.at]
		p.at++
		if t.Error != nil {
			return t, false, p.fail(t.Line, "%s", lexError(t.Error))
		}
		if t.IsQuoted || !strings.HasPrefix(t.Value, "#") {
			return t, true, nil
		}
	}
	return crossplane.NgxToken{}, false, nil
}

// lexError is the lexer's message alone: it knows the file by a name of its own.
func lexError(err error) string {
	var parse *crossplane.ParseError
	if errors.As(err, &parse) {
		return parse.What
	}
	return err.Error()
}

func (p *parser) lastLine() int {
	if len(p.tokens) == 0 {
		return 1
	}
	return p.tokens[len(p.tokens)-1].Line
}

// block reads statements up to the end of the block, or of the file at depth 0.
func (p *parser) block(depth int) ([]*statement, error) {
	if depth > maxBlockDepth {
		return nil, p.fail(p.tokens[p.at-1].Line, "blocks are nested deeper than %d", maxBlockDepth)
	}
	out := []*statement{}
	for {
		t, ok, err := p.next()
		switch {
		case err != nil:
			return nil, err
		case !ok && depth > 0:
			return nil, p.fail(p.lastLine(), `unexpected end of file, expecting "}"`)
		case !ok:
			return out, nil
		case !t.IsQuoted && t.Value == "}":
			if depth == 0 {
				return nil, p.fail(t.Line, `unexpected "}"`)
			}
			return out, nil
		case !t.IsQuoted && (t.Value == ";" || t.Value == "{"):
			return nil, p.fail(t.Line, "unexpected %q", t.Value)
		}
		s := &statement{name: t.Value, file: p.file, line: t.Line}
		if err := p.arguments(s, depth); err != nil {
			return nil, err
		}
		if s.name == "include" && !s.isBlock {
			included, err := p.include(s)
			if err != nil {
				return nil, err
			}
			out = append(out, included...)
			continue
		}
		out = append(out, s)
	}
}

// arguments reads what follows a directive's name, with the block if there is one.
func (p *parser) arguments(s *statement, depth int) error {
	for {
		t, ok, err := p.next()
		switch {
		case err != nil:
			return err
		case !ok:
			return p.fail(s.line, `directive %q is not terminated by ";": unexpected end of file`, s.name)
		case t.IsQuoted:
			s.args = append(s.args, unescape(t.Value))
		case t.Value == ";":
			return nil
		case t.Value == "}":
			return p.fail(t.Line, `directive %q is not terminated by ";"`, s.name)
		case t.Value == "{":
			s.isBlock = true
			s.body, err = p.block(depth + 1)
			s.last = p.tokens[p.at-1].Line
			return err
		default:
			s.args = append(s.args, unescape(t.Value))
		}
	}
}

// unescape takes the backslashes that nginx takes from an argument; before any other character they stay, as regular
// expressions need them.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if j := strings.IndexByte(`"'\trn`, s[i+1]); j >= 0 {
				b.WriteByte("\"'\\\t\r\n"[j])
				i++
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// include reads the files that an include means. One that cannot be read is a problem of the configuration on this machine, not
// of the reader: often only the main file was brought.
func (p *parser) include(s *statement) ([]*statement, error) {
	if len(s.args) != 1 {
		return nil, p.fail(s.line, `invalid number of arguments in "include" directive`)
	}
	if strings.Contains(s.args[0], "$") {
		p.problem(s.file, s.line, "include %s: a variable cannot be followed", s.args[0])
		return nil, nil
	}
	pattern := p.name(s.args[0])
	names := []string{pattern}
	if strings.ContainsAny(pattern, "*?[") {
		var err error
		if names, err = fs.Glob(p.fsys, pattern); err != nil {
			p.problem(s.file, s.line, "include %s: %v", s.args[0], err)
			return nil, nil
		}
		if len(names) == 0 {
			p.problem(s.file, s.line, "include %s: no file matches (nginx goes on without any)", s.args[0])
		}
		slices.Sort(names)
	}
	var out []*statement
	for _, name := range names {
		if slices.Contains(p.stack, name) {
			return nil, p.fail(s.line, "include %s: the file includes itself", s.args[0])
		}
		if len(p.stack) > maxIncludeDepth {
			return nil, p.fail(s.line, "include %s: includes are nested deeper than %d", s.args[0], maxIncludeDepth)
		}
		if f, err := p.fsys.Open(name); err != nil {
			p.problem(s.file, s.line, "include %s: %s: %s", s.args[0], name, reason(err))
			continue
		} else if info, err := f.Stat(); err != nil || info.IsDir() {
			f.Close()
			p.problem(s.file, s.line, "include %s: %s is no regular file", s.args[0], name)
			continue
		} else {
			f.Close()
		}
		included, err := p.reader.file(name)
		if err != nil {
			return nil, err
		}
		out = append(out, included...)
	}
	return out, nil
}
