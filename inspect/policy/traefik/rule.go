package traefik

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
)

const maxRule = 64 << 10

// hostsOf are the names that Host and HostSNI matchers of a rule list. whole: the rule can match other names, too, because it
// has none, a catch-all, a regular expression or a negation.
func hostsOf(rule string) (hosts []string, whole bool, err error) {
	if len(rule) > maxRule {
		return nil, true, fmt.Errorf("%d bytes exceed %d", len(rule), maxRule)
	}
	for rest := rule; ; {
		open := strings.IndexByte(rest, '(')
		if open < 0 {
			break
		}
		name := rest[:open]
		name = name[strings.LastIndexAny(name, " \t\n!&|(,")+1:]
		negated := strings.HasSuffix(strings.TrimSuffix(rest[:open], name), "!")
		rest = rest[open+1:]
		if name == "" { // a bracket that groups
			continue
		}
		args, after, err := arguments(rest)
		if err != nil {
			return hosts, true, fmt.Errorf("%s: %w", document.Quote(name), err)
		}
		rest = after
		switch strings.ToLower(name) {
		case "host", "hostsni", "hostheader":
			if negated || slices.Contains(args, "*") {
				whole = true
				continue
			}
			for _, arg := range args {
				hosts = append(hosts, strings.ToLower(arg))
			}
		case "hostregexp", "hostsniregexp":
			return hosts, true, fmt.Errorf("the names of %s cannot be listed", name)
		}
	}
	return hosts, whole || len(hosts) == 0, nil
}

// arguments reads up to the closing bracket: texts in backquotes or double quotes, between commas.
func arguments(s string) (args []string, rest string, err error) {
	for {
		s = strings.TrimLeft(s, " \t\n,")
		if s == "" {
			return args, "", fmt.Errorf("no closing bracket")
		}
		switch s[0] {
		case ')':
			return args, s[1:], nil
		case '`', '"', '\'':
			end := strings.IndexByte(s[1:], s[0])
			if end < 0 {
				return args, "", fmt.Errorf("no closing quote")
			}
			args, s = append(args, s[1:1+end]), s[2+end:]
		default:
			end := strings.IndexAny(s, ",)")
			if end < 0 {
				return args, "", fmt.Errorf("no closing bracket")
			}
			args, s = append(args, strings.TrimSpace(s[:end])), s[end:]
		}
	}
}
