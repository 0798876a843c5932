package haproxy

import (
	"strconv"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/internal/release"
)

// condition evaluates the expression of .if and .elif (configuration.txt, Section 2.4). What it cannot know makes it say so.
type condition struct {
	im    *importer
	text  string
	depth int
	vague string // a part that is not known here
	wrong bool
}

func (c *condition) blank() { c.text = strings.TrimLeft(c.text, " \t") }

func (c *condition) take(token string) bool {
	c.blank()
	rest, ok := strings.CutPrefix(c.text, token)
	if ok {
		c.text = rest
	}
	return ok
}

// whole evaluates the text to its end.
func (c *condition) whole() bool {
	c.blank()
	if c.text == "" {
		return false
	}
	value := c.or()
	c.blank()
	c.wrong = c.wrong || c.text != ""
	return value
}

func (c *condition) or() bool {
	value := c.and()
	for !c.wrong && c.take("||") {
		value = c.and() || value
	}
	return value
}

func (c *condition) and() bool {
	value := c.not()
	for !c.wrong && c.take("&&") {
		value = c.not() && value
	}
	return value
}

func (c *condition) not() bool {
	if c.depth++; c.depth > maxConditions {
		c.wrong = true
		return false
	}
	defer func() { c.depth-- }()
	switch {
	case c.take("!"):
		return !c.not()
	case c.take("("):
		value := c.or()
		c.wrong = c.wrong || !c.take(")")
		return value
	}
	return c.term()
}

// term is a number or a predicate.
func (c *condition) term() bool {
	c.blank()
	end := 0
	for end < len(c.text) && isNameByte(c.text[end]) {
		end++
	}
	word := c.text[:end]
	c.text = c.text[end:]
	if n, err := strconv.Atoi(word); err == nil {
		return n != 0
	}
	if word == "" || !c.take("(") {
		c.wrong = true
		return false
	}
	inside, rest, ok := strings.Cut(c.text, ")")
	if !ok {
		c.wrong = true
		return false
	}
	c.text = rest
	return c.predicate(word, strings.Split(inside, ","))
}

func (c *condition) predicate(name string, args []string) bool {
	for i := range args {
		args[i] = strings.Trim(strings.TrimSpace(args[i]), `"'`)
	}
	two := func() bool {
		c.wrong = c.wrong || len(args) != 2
		return len(args) == 2 && args[0] == args[1]
	}
	switch name {
	case "streq":
		return two()
	case "strneq":
		return !two()
	case "strstr":
		c.wrong = c.wrong || len(args) != 2
		return len(args) == 2 && strings.Contains(args[0], args[1])
	case "version_atleast":
		return release.AtLeast(string(c.im.version), args[0])
	case "version_before":
		return !release.AtLeast(string(c.im.version), args[0])
	case "openssl_version_atleast":
		return release.AtLeast(c.im.opensslVersion(), args[0])
	case "openssl_version_before":
		return !release.AtLeast(c.im.opensslVersion(), args[0])
	case "ssllib_name_startswith":
		return strings.HasPrefix("OpenSSL", args[0])
	case "feature":
		if args[0] == "OPENSSL" {
			return true
		}
	case "defined":
		if _, known := c.im.env[args[0]]; known {
			return true
		}
	case "enabled":
	default:
		c.wrong = true
		return false
	}
	c.vague = name + "(" + strings.Join(args, ",") + ")"
	return false
}

func (im *importer) opensslVersion() string {
	if im.openssl == "" {
		return "3.0"
	}
	return im.openssl
}
