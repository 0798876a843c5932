package caddy

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
)

const maxTokens = 200_000

// token is a word of a Caddyfile. The end of a line is a token with no text that ends.
type token struct {
	text   string
	line   int
	quoted bool
	ends   bool // of the line
}

// tokenize cuts a Caddyfile into words: between spaces, in double quotes or in backquotes. A "#" begins a comment where a word
// would begin, a backslash at the end of a line goes on with the next one.
func tokenize(data []byte) ([]token, error) {
	if bytes.IndexByte(data, 0) >= 0 {
		return nil, &document.Error{Text: "a NUL byte: this is no Caddyfile"}
	}
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	var out []token
	line := 1
	for i := 0; i < len(text); {
		if len(out) > maxTokens {
			return nil, &document.Error{Line: line, Text: "more than " + strconv.Itoa(maxTokens) + " words"}
		}
		switch c := text[i]; {
		case c == '\n':
			out = append(out, token{line: line, ends: true})
			line++
			i++
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case c == '\\' && i+1 < len(text) && text[i+1] == '\n':
			line++
			i += 2
		case c == '#':
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case c == '"' || c == '`':
			start := line
			var word strings.Builder
			for i++; ; i++ {
				if i >= len(text) {
					return nil, &document.Error{Line: start, Text: "a quote is not closed"}
				}
				if text[i] == c {
					break
				}
				if c == '"' && text[i] == '\\' && i+1 < len(text) && text[i+1] == '"' {
					i++
				}
				if text[i] == '\n' {
					line++
				}
				word.WriteByte(text[i])
			}
			i++
			out = append(out, token{text: word.String(), line: start, quoted: true})
		default:
			end := i
			for end < len(text) && !strings.ContainsRune(" \t\r\n", rune(text[end])) {
				end++
			}
			word := text[i:end]
			if mark, ok := strings.CutPrefix(word, "<<"); ok && mark != "" && end < len(text) && text[end] == '\n' {
				body, lines, length, closed := heredoc(text[end+1:], mark)
				if !closed {
					return nil, &document.Error{Line: line, Text: "heredoc " + document.Quote(mark) + " is not closed"}
				}
				out = append(out, token{text: body, line: line, quoted: true})
				line += 1 + lines
				i = end + 1 + length
				continue
			}
			out = append(out, token{text: word, line: line})
			i = end
		}
	}
	return append(out, token{line: line, ends: true}), nil
}

// heredoc is the text up to the line that begins with the mark; length is up to behind the mark.
func heredoc(text, mark string) (body string, lines, length int, closed bool) {
	for at := 0; at < len(text); lines++ {
		end := strings.IndexByte(text[at:], '\n')
		row := text[at:]
		if end >= 0 {
			row = text[at : at+end]
		}
		trimmed := strings.TrimLeft(row, " \t")
		if trimmed == mark || strings.HasPrefix(trimmed, mark+" ") {
			return text[:at], lines, at + len(row) - len(trimmed) + len(mark), true
		}
		if end < 0 {
			return "", 0, 0, false
		}
		at += end + 1
	}
	return "", 0, 0, false
}

// directive is a line of a Caddyfile and the block that it opens.
type directive struct {
	words []token
	block []directive // nil: none
	line  int
}

func (d directive) name() string {
	if len(d.words) == 0 {
		return ""
	}
	return d.words[0].text
}

// text is an argument; empty: it is not there.
func (d directive) text(i int) string {
	if i+1 >= len(d.words) {
		return ""
	}
	return d.words[i+1].text
}

func (d directive) value(i int) *document.Node { return document.NewText(d.line, d.text(i)) }

func (d directive) node() *document.Node { return document.NewText(d.line, d.name()) }

// list are the arguments.
func (d directive) list() *document.Node {
	n := document.NewList(d.line)
	for _, w := range d.words[min(1, len(d.words)):] {
		n.Append(document.NewText(w.line, w.text))
	}
	return n
}

// parseBlocks reads the blocks of a file. Without a brace after the first address the whole file is one site.
func parseBlocks(tokens []token) ([]directive, error) {
	p := parser{tokens: tokens}
	all, err := p.directives(0)
	if err != nil {
		return nil, err
	}
	if p.at < len(tokens) {
		return nil, &document.Error{Line: tokens[p.at].line, Text: "a closing brace without an opening one"}
	}
	for i, d := range all {
		if d.block == nil && d.name() != "import" && !(i == 0 && len(d.words) == 0) {
			if i == 0 || i == 1 && len(all[0].words) == 0 { // an address without braces: what follows is its body
				body := append([]directive{}, all[i+1:]...)
				return append(append([]directive{}, all[:i]...), directive{words: d.words, block: body, line: d.line}), nil
			}
			return nil, &document.Error{Line: d.line, Text: document.Quote(d.name()) + " stands outside of every site"}
		}
	}
	return all, nil
}

type parser struct {
	tokens []token
	at     int
}

// directives reads up to a closing brace, or to the end.
func (p *parser) directives(depth int) ([]directive, error) {
	if depth > maxDepth {
		return nil, &document.Error{Line: p.tokens[p.at].line, Text: "blocks are nested more than " + strconv.Itoa(maxDepth) + " deep"}
	}
	out := []directive{}
	var d directive
	for p.at < len(p.tokens) {
		t := p.tokens[p.at]
		next := p.at+1 >= len(p.tokens) || p.tokens[p.at+1].ends
		switch {
		case t.ends:
			p.at++
			// Addresses of a site may go on behind a comma at the end of a line.
			if len(d.words) > 0 && depth == 0 && strings.HasSuffix(d.words[len(d.words)-1].text, ",") {
				continue
			}
			if len(d.words) > 0 {
				out = append(out, d)
				d = directive{}
			}
		case t.text == "}" && !t.quoted && len(d.words) == 0:
			if depth == 0 {
				return out, nil // the caller tells that there was none to close
			}
			p.at++
			return out, nil
		case t.text == "{" && !t.quoted && next:
			p.at++
			if d.line == 0 {
				d.line = t.line
			}
			block, err := p.directives(depth + 1)
			if err != nil {
				return nil, err
			}
			if p.tokens[p.at-1].text != "}" {
				return nil, &document.Error{Line: t.line, Text: "a brace is not closed"}
			}
			d.block = block
			out = append(out, d)
			d = directive{}
		default:
			if d.line == 0 {
				d.line = t.line
			}
			d.words = append(d.words, t)
			p.at++
		}
	}
	return out, nil
}

// fill puts the arguments of an import into a snippet: {args[0]}, {args.0}.
func fill(body []directive, arguments []token, depth int) []directive {
	if len(arguments) == 0 || depth > maxDepth {
		return body
	}
	out := make([]directive, len(body))
	for i, d := range body {
		out[i] = directive{line: d.line, words: make([]token, len(d.words))}
		for j, w := range d.words {
			for k, argument := range arguments {
				n := strconv.Itoa(k)
				w.text = strings.NewReplacer("{args["+n+"]}", argument.text, "{args."+n+"}", argument.text).Replace(w.text)
			}
			out[i].words[j] = w
		}
		if d.block != nil {
			out[i].block = fill(d.block, arguments, depth+1)
		}
	}
	return out
}
