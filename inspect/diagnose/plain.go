package diagnose

import "strings"

// plain is a peer's word as it may stand in a command line or a configuration that a person copies: letters, digits and the
// few signs of names and addresses. Anything else is replaced by a placeholder, whole.
func plain(s, placeholder string) string {
	if s == "" || len(s) > 253 || strings.HasPrefix(s, "-") {
		return placeholder
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-', c == '_', c == '*', c == ':', c == '/':
		default:
			return placeholder
		}
	}
	return s
}
