package policy

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// All yields the built-in policies, grouped by provider. Each is a copy that belongs to the caller.
func All() iter.Seq[*Policy] {
	return func(yield func(*Policy) bool) {
		for i := range builtins {
			if !yield(builtins[i].clone()) {
				return
			}
		}
	}
}

// Lookup finds a built-in policy by provider/name ("aws/ELBSecurityPolicy-2016-08"), by provider/product/name where
// products of one provider share names ("aws/clb/ELBSecurityPolicy-2016-08"), by an alias, or by its bare name where
// one provider alone has it, all in any case. "mozilla/intermediate-5.7" is understood for "mozilla/mozilla-intermediate-5.7". The
// error is an *UnknownError.
func Lookup(ref string) (*Policy, error) {
	for i := range builtins {
		if builtins[i].answersTo(ref) {
			return builtins[i].clone(), nil
		}
	}
	var found *Policy
	var several []string
	oneProvider := true
	for i := range builtins {
		p := &builtins[i]
		if !strings.EqualFold(p.bareName(), ref) {
			continue
		}
		several = append(several, p.Name)
		oneProvider = oneProvider && (found == nil || p.Provider == found.Provider)
		if found == nil || p.hasPlainName() {
			found = p
		}
	}
	switch {
	case len(several) == 0:
		return nil, &UnknownError{Ref: ref, Nearest: nearestPolicies(ref)}
	case len(several) == 1 || oneProvider:
		return found.clone(), nil
	}
	return nil, &UnknownError{Ref: ref, Nearest: several, Ambiguous: true}
}

// UnknownError says that a name is no policy's, or that of several.
type UnknownError struct {
	Ref       string
	Nearest   []string // names that look like it, nearest first; where it is ambiguous, those that it could mean
	Ambiguous bool
}

func (e *UnknownError) Error() string {
	switch {
	case e.Ambiguous:
		return fmt.Sprintf("policy: %s is ambiguous: %s", quote(e.Ref), strings.Join(e.Nearest, ", "))
	case len(e.Nearest) == 0:
		return fmt.Sprintf("policy: %s is unknown; \"tlstriage policy list\" shows those that are known", quote(e.Ref))
	}
	return fmt.Sprintf("policy: %s is unknown; the nearest names are %s", quote(e.Ref), strings.Join(e.Nearest, ", "))
}

// answersTo reports whether ref is a full name of p.
func (p *Policy) answersTo(ref string) bool {
	if strings.EqualFold(p.Name, ref) {
		return true
	}
	for _, a := range p.Aliases {
		if strings.EqualFold(a, ref) {
			return true
		}
	}
	provider, rest, ok := strings.Cut(ref, "/")
	if !ok || !strings.EqualFold(provider, p.Provider) {
		return false
	}
	for _, a := range p.Aliases {
		if strings.EqualFold(a, rest) || prefixedFold(a, p.Provider, rest) {
			return true
		}
	}
	return prefixedFold(p.bareName(), p.Provider, rest)
}

// prefixedFold reports whether name is prefix-rest, in any case.
func prefixedFold(name, prefix, rest string) bool {
	return len(name) == len(prefix)+1+len(rest) && name[len(prefix)] == '-' &&
		strings.EqualFold(name[:len(prefix)], prefix) && strings.EqualFold(name[len(prefix)+1:], rest)
}

// hasPlainName reports whether p's name is provider/name, without a product: of several products that share a name, one
// owns that (Application and Network Load Balancers before Classic ones).
func (p *Policy) hasPlainName() bool { return len(p.Name) == len(p.Provider)+1+len(p.bareName()) }

// bareName is the provider's own name of a built-in policy. It may have a slash in it.
func (p *Policy) bareName() string {
	name := strings.TrimPrefix(p.Name, p.Provider+"/")
	for _, product := range productsInNames {
		if rest, ok := strings.CutPrefix(name, product); ok {
			return rest
		}
	}
	return name
}

// productsInNames are the products that stand in the name of a built-in policy.
var productsInNames = [...]string{"clb/", "apigateway-edge/", "apigateway-http/"}

// clone is a copy of p that shares nothing with it.
func (p *Policy) clone() *Policy {
	c := *p
	c.Aliases = slices.Clone(p.Aliases)
	c.Source = slices.Clone(p.Source)
	c.Versions = slices.Clone(p.Versions)
	c.CipherSuites = slices.Clone(p.CipherSuites)
	c.EqualPreference = slices.Clone(p.EqualPreference)
	for i, group := range c.EqualPreference {
		c.EqualPreference[i] = slices.Clone(group)
	}
	c.Groups = slices.Clone(p.Groups)
	c.SignatureSchemes = slices.Clone(p.SignatureSchemes)
	c.Certificates = slices.Clone(p.Certificates)
	c.ALPN = slices.Clone(p.ALPN)
	c.Names = slices.Clone(p.Names)
	c.BlockedVersions = slices.Clone(p.BlockedVersions)
	return &c
}
