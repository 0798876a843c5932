package nginx

import (
	"fmt"
	"strings"

	crossplane "github.com/nginxinc/nginx-go-crossplane"
)

// luaDirectives are those of lua-nginx-module and stream-lua-nginx-module that have code between braces.
func luaDirectives() []string {
	phases := []string{
		"init", "init_worker", "exit_worker", "set", "content", "server_rewrite", "rewrite", "access", "precontent", "preread", "header_filter",
		"body_filter", "log", "balancer", "ssl_client_hello", "ssl_certificate", "ssl_session_fetch", "ssl_session_store", "proxy_ssl_certificate", "proxy_ssl_verify",
	}
	for i, phase := range phases {
		phases[i] = phase + "_by_lua_block"
	}
	return phases
}

// luaLexer takes the code of a block as one word. It reads as much Lua as it needs to find the brace that ends it: a brace inside a
// string, a comment or a long bracket is none, and an apostrophe inside a comment begins no string.
type luaLexer struct{}

// Lex reads what stands behind the name of a directive. The tokenizer that calls it goes on when the channel is closed.
func (luaLexer) Lex(s *crossplane.SubScanner, directive string) <-chan crossplane.NgxToken {
	out := make(chan crossplane.NgxToken)
	go func() { // ends with the block, or with the file
		defer close(out)
		b := luaBlock{scanner: s, begun: s.Line()}
		for _, t := range b.read() {
			out <- t
		}
	}()
	return out
}

// luaBlock is one block while it is read.
type luaBlock struct {
	scanner *crossplane.SubScanner
	begun   int // the line of its directive
	code    strings.Builder
	held    string // the character that was looked at and not taken
}

// next is the next character; "" at the end of the file.
func (b *luaBlock) next() string {
	if c := b.held; c != "" {
		b.held = ""
		return c
	}
	if !b.scanner.Scan() {
		return ""
	}
	return b.scanner.Text()
}

// keep takes the next character into the code, if it is this one.
func (b *luaBlock) keep(want string) bool {
	c := b.next()
	if c != want {
		b.held = c
		return false
	}
	b.code.WriteString(c)
	return true
}

// read gives the words before the brace (the variable of set_by_lua_block), the code as a word, and the end of the directive.
func (b *luaBlock) read() (out []crossplane.NgxToken) {
	word := ""
	end := func() {
		if word != "" {
			out = append(out, crossplane.NgxToken{Value: word, Line: b.scanner.Line()})
			word = ""
		}
	}
	for {
		switch c := b.next(); c {
		case "":
			return append(out, b.wrong())
		case " ", "\t", "\r", "\n":
			end()
		case ";": // no block at all
			end()
			return append(out, crossplane.NgxToken{Value: ";", Line: b.scanner.Line()})
		case "{":
			end()
			if !b.body() {
				return append(out, b.wrong())
			}
			line := b.scanner.Line()
			return append(out, crossplane.NgxToken{Value: b.code.String(), Line: line, IsQuoted: true}, crossplane.NgxToken{Value: ";", Line: line})
		default:
			word += c
		}
	}
}

func (b *luaBlock) wrong() crossplane.NgxToken {
	return crossplane.NgxToken{Line: b.begun, Error: &crossplane.ParseError{What: fmt.Sprintf("the block of Lua that begins in line %d is not closed", b.begun)}}
}

// body reads the code up to the brace that closes the block. It is false where the file ends before.
func (b *luaBlock) body() bool {
	depth := 1
	for {
		c := b.next()
		switch c {
		case "":
			return false
		case "{":
			depth++
		case "}":
			if depth--; depth == 0 {
				return true
			}
		}
		b.code.WriteString(c)
		closed := true
		switch c {
		case `"`, "'":
			closed = b.text(c)
		case "[":
			closed = b.longBracket()
		case "-":
			if b.keep("-") {
				closed = b.comment()
			}
		}
		if !closed {
			return false
		}
	}
}

// text reads a string to its quote. A line's end ends it, too: Lua allows none inside.
func (b *luaBlock) text(quote string) bool {
	for {
		c := b.next()
		b.code.WriteString(c)
		switch c {
		case "":
			return false
		case quote, "\n":
			return true
		case `\`:
			b.code.WriteString(b.next())
		}
	}
}

// comment reads what follows two dashes: a long bracket, or the rest of the line.
func (b *luaBlock) comment() bool {
	if b.keep("[") {
		if level, long := b.opening(); long {
			return b.closing(level)
		}
	}
	for {
		c := b.next()
		b.code.WriteString(c)
		if c == "" || c == "\n" {
			return c != ""
		}
	}
}

// longBracket reads on behind a bracket, to the end of a long one if it begins one.
func (b *luaBlock) longBracket() bool {
	level, long := b.opening()
	return !long || b.closing(level)
}

// opening reads the rest of a long bracket's beginning: equals signs, as many as its level, and another bracket.
func (b *luaBlock) opening() (level int, long bool) {
	for b.keep("=") {
		level++
	}
	return level, b.keep("[")
}

// closing reads to the end of a long bracket of this level.
func (b *luaBlock) closing(level int) bool {
	for {
		c := b.next()
		b.code.WriteString(c)
		if c == "" {
			return false
		}
		for c == "]" { // the bracket that ends a try may begin the next
			n := 0
			for b.keep("=") {
				n++
			}
			if !b.keep("]") {
				break
			}
			if n == level {
				return true
			}
		}
	}
}
