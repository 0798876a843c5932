package main

import (
	"os"
	"regexp"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/diagnose"
)

// TestEveryFindingOfScanIsExplained holds the ids that scan has against the catalogue, both ways: explain and docs/findings.md know them all,
// and nothing that there is not.
func TestEveryFindingOfScanIsExplained(t *testing.T) {
	made := map[string]bool{}
	for _, file := range []string{"../../inspect/scan/findings.go", "scan_against.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^\t[fF]inding\w+\s+= "([a-z0-9-]+)"`).FindAllSubmatch(source, -1) {
			made[string(m[1])] = true
		}
	}
	if len(made) < 20 {
		t.Fatalf("only %d ids were found in the sources", len(made))
	}
	for id := range made {
		if _, ok := diagnose.Lookup(id); !ok {
			t.Errorf("%s is in no catalogue", id)
		}
		if e := diagnose.Explain(id); !e[0].Known || e[0].Match != id {
			t.Errorf("explain %s: %+v", id, e[0])
		}
	}
	for _, r := range diagnose.ScanRules() {
		if !made[r.ID] {
			t.Errorf("%s is in the catalogue, and no scan makes it", r.ID)
		}
	}
}
