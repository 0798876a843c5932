package report

// tint is an ANSI sequence (ECMA-48, SGR).
type tint string

const (
	red    tint = "\x1b[31m"
	green  tint = "\x1b[32m"
	yellow tint = "\x1b[33m"
	cyan   tint = "\x1b[36m"
	bold   tint = "\x1b[1m"
	dim    tint = "\x1b[2m"
	plain  tint = "\x1b[0m"
)

// paint colours s when colours are asked for.
func (t *Text) paint(c tint, s string) string {
	if !t.o.Color || s == "" {
		return s
	}
	return string(c) + s + string(plain)
}
