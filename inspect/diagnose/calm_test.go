package diagnose

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// sameAsByAllRules reports what a diagnosis by all rules says of c, whatever the facts are, and what Diagnose says. It tells how many
// rules the facts leave.
func sameAsByAllRules(t *testing.T, d *Diagnoser, c *inspect.Connection) (asked int) {
	t.Helper()
	d.Diagnose(c)
	got, err := json.Marshal(c)
	if err != nil {
		return len(catalog) // a time outside of what JSON can hold
	}
	var e evidence
	e.gather(d, c)
	for _, when := range whens {
		if when&(e.facts()|always) != 0 {
			asked++
		}
	}
	e.judge(^facts(0))
	if want, err := json.Marshal(c); err != nil || string(got) != string(want) {
		t.Errorf("the rules that the facts %016b call for say\n%s\nall say\n%s", e.facts(), got, want)
	}
	return asked
}

func TestRulesAreAskedWhereTheyCanApply(t *testing.T) {
	few := 0
	for _, tt := range slices.Concat(ruleCases(), chainCases(t), formCases(t), revocationCases(t), lookCases(t), clientCertCases(t), httpCases(), canaryCases(), experimentCases(), quicCases()) {
		if sameAsByAllRules(t, tt.diagnoser(), tt.in) <= 16 {
			few++
		}
	}
	if few < 10 {
		t.Errorf("only %d cases need few rules", few)
	}
}

// A connection on which nothing is wrong is judged without a byte of garbage: a busy proxy sees little else.
func TestGoodConnectionsCostNoMemory(t *testing.T) {
	pki := certstest.NewAt(t, noon)
	d := Diagnoser{Roots: pki.Roots()}
	for name, c := range map[string]*inspect.Connection{
		"both legs": behind(pki.Make(certstest.Healthy, siteName).Raw()),
		"captured":  captured(func(c *inspect.Connection) { c.ClientLeg.TLS.Server = &inspect.Server{} }),
	} {
		if d.Diagnose(c); c.Verdict != inspect.OK {
			t.Fatalf("%s: %v", name, c.Findings)
		}
		if n := testing.AllocsPerRun(100, func() { d.Diagnose(c) }); n >= 1 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
