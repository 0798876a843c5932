package trial

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/tlstriage/tlstriage/inspect/policy"
)

// UnknownProviderError says that nobody by this name offers policies.
type UnknownProviderError struct {
	Provider string
	Known    []string
}

func (e *UnknownProviderError) Error() string {
	return fmt.Sprintf("provider %q is unknown; known are %s", e.Provider, strings.Join(e.Known, ", "))
}

// Candidates are the built-in policies that a provider ("aws") or one of its products ("aws/alb", "aws/clb", "azure/front-door") lets its
// users choose from. What a provider uses towards others, or for itself, is none of them. The error is an *UnknownProviderError.
func Candidates(provider string) ([]*policy.Policy, error) {
	name, product, hasProduct := strings.Cut(provider, "/")
	var found []*policy.Policy
	var known []string
	for p := range policy.All() {
		if strings.Contains(p.Product, "client side") || strings.Contains(p.Product, "internal name") || len(p.Versions) == 0 || len(p.CipherSuites) == 0 {
			continue
		}
		if !slices.Contains(known, p.Provider) {
			known = append(known, p.Provider)
		}
		if full := p.Provider + "/" + letters(p.Product); strings.EqualFold(name, p.Provider) && !slices.Contains(known, full) {
			known = append(known, full)
		}
		if strings.EqualFold(name, p.Provider) && (!hasProduct || isProduct(p.Product, product)) {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return nil, &UnknownProviderError{Provider: provider, Known: known}
	}
	return found, nil
}

// isProduct reports whether name means a product: a word of it (ALB of "ALB/NLB"), its initials (clb of "Classic Load Balancer"), or its
// beginning without spaces.
func isProduct(product, name string) bool {
	words := strings.FieldsFunc(strings.ToLower(product), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	wanted := letters(name)
	initials := ""
	for _, w := range words {
		initials += w[:1]
	}
	return wanted != "" && (slices.Contains(words, wanted) || initials == wanted || strings.HasPrefix(strings.Join(words, ""), wanted))
}

// letters is a name without what people write in different ways.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}
