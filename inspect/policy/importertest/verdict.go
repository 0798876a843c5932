package importertest

import (
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
)

// Verdicts holds what an importer says (the system does not start with this) against what the system's own check says of each
// snippet of a configuration. It wants some of both.
func Verdicts(t *testing.T, snippets []string, theirs func(t *testing.T, text string) (said string, takes bool), ours func(t *testing.T, text string) (*imported.Result, error)) {
	t.Helper()
	right, wrong := 0, 0
	for _, text := range snippets {
		t.Run(text, func(t *testing.T) {
			said, takes := theirs(t, text)
			r, err := ours(t, text)
			if takes {
				right++
			} else {
				wrong++
			}
			switch refused := Refused(r, err); {
			case refused && takes:
				t.Errorf("said to be refused, and is not: %v %v", err, problemsOf(r))
			case !refused && !takes:
				t.Errorf("refused, and not said to be: %s; told: %v", strings.Join(strings.Fields(said), " "), problemsOf(r))
			}
		})
	}
	t.Logf("%d snippets: %d taken, %d refused", right+wrong, right, wrong)
	if right < 10 || wrong < 10 {
		t.Errorf("%d taken and %d refused; want at least 10 of each", right, wrong)
	}
}

func problemsOf(r *imported.Result) []string {
	if r == nil {
		return nil
	}
	return Problems(r)
}
