package diagnose

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
)

// sameAsByAllRules reports what a diagnosis by all rules says of c, be it calm or not, and what Diagnose says.
func sameAsByAllRules(t *testing.T, d *Diagnoser, c *inspect.Connection) (calm bool) {
	t.Helper()
	d.Diagnose(c)
	got, err := json.Marshal(c)
	if err != nil {
		return // a time outside of what JSON can hold
	}
	e := d.gather(c)
	calm = e.calm()
	e.judge(catalog[:])
	if want, err := json.Marshal(c); err != nil || string(got) != string(want) {
		t.Errorf("rules that look at calm connections alone say\n%s\nall say\n%s", got, want)
	}
	return calm
}

func TestCalmConnectionsNeedFewRules(t *testing.T) {
	calm := 0
	for _, tt := range slices.Concat(ruleCases(), chainCases(t), formCases(t), revocationCases(t), lookCases(t), clientCertCases(t), httpCases(), canaryCases()) {
		if sameAsByAllRules(t, tt.diagnoser(), tt.in) {
			calm++
		}
	}
	if calm < 10 {
		t.Errorf("only %d cases are calm", calm)
	}
}
