package cloud

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/named"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// reader is one run of Import.
type reader struct {
	imported.Document
	custom map[string]*imported.Endpoint // policies of Classic Load Balancers in the file, by name
	finder named.Finder
}

// unknownKeys tells the keys of n that are not among the known ones.
func (r *reader) unknownKeys(n *document.Node, what string, known ...string) {
	for key, value := range n.All() {
		if !slices.Contains(known, key) && !value.Empty() {
			r.Problem(value, "%s: %s is not understood", what, document.Quote(key))
		}
	}
}

// named is the built-in policy of a name. Without one, a problem says which names are near.
func (r *reader) named(n *document.Node, setting, ref string) *policy.Policy {
	p, err := r.finder.Find(ref)
	var unknown *policy.UnknownError
	if errors.As(err, &unknown) {
		text := fmt.Sprintf("%s: no policy of the name %s is known", setting, document.Quote(n.Text()))
		if len(unknown.Nearest) > 0 {
			text += "; the nearest names are " + strings.Join(unknown.Nearest, ", ")
		}
		r.Problem(n, "%s", text)
		return nil
	}
	return p
}

// suites reads cipher names, OpenSSL's or IANA's, each once.
func (r *reader) suites(setting string, names []*document.Node) []wire.CipherSuite {
	var out []wire.CipherSuite
	for _, n := range names {
		s, ok := wire.CipherSuiteByName(n.Text())
		switch {
		case !ok:
			r.Problem(n, "%s: no cipher suite is called %s", setting, document.Quote(n.Text()))
		case !slices.Contains(out, s):
			out = append(out, s)
		}
	}
	return out
}

func isTLS13(s wire.CipherSuite) bool {
	info, _ := s.Info()
	return info.TLS13()
}
