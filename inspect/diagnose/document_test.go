package diagnose

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestFindingsDocumentIsCurrent(t *testing.T) {
	var want bytes.Buffer
	if err := WriteCatalogue(&want); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/findings.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("docs/findings.md is not what the rules say: go generate ./inspect/diagnose")
	}
}

func TestRunbookLeadsToEveryFinding(t *testing.T) {
	b, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range Rules() {
		if !strings.Contains(string(b), "`"+r.ID+"`") {
			t.Errorf("docs/runbook.md never leads to %s", r.ID)
		}
	}
}
