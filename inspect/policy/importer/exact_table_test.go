package importer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// publishedTable is where the table of all endpoints stands: between these two lines of the document.
const (
	publishedTable = "../../../docs/exactness.md"
	tableBegins    = "<!-- The table is written by `go test ./inspect/policy/importer -run TestPredictionsAreExact -update`. -->\n"
	tableEnds      = "<!-- The end of the table. -->\n"
)

// publish compares the table with the published one, or writes it anew. Where other releases of the programs are installed, the
// published numbers are not theirs.
func publish(t *testing.T, endpoints []*endpoint, rows []*tally) {
	t.Helper()
	for _, r := range rows {
		if r == nil {
			return // not all of them ran
		}
	}
	table := render(endpoints, rows)
	path := filepath.FromSlash(publishedTable)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), tableBegins)
	old, after, found := strings.Cut(rest, tableEnds)
	if !ok || !found {
		t.Fatalf("%s has no place for the table", path)
	}
	switch {
	case *update:
		if err := os.WriteFile(path, []byte(before+tableBegins+table+tableEnds+after), 0o644); err != nil {
			t.Fatal(err)
		}
	case old != table && sameSystems(old, endpoints):
		t.Errorf("%s is not what was measured (refresh with -update and read it):\n%s", path, firstDifference(old, table))
	}
}

// render is the table.
func render(endpoints []*endpoint, rows []*tally) string {
	var b strings.Builder
	var total tally
	system := ""
	for i, e := range endpoints {
		if e.system != system {
			system = e.system
			fmt.Fprintf(&b, "\n### %s\n\n| configuration | hellos | accepted | refused | asked again | agree |\n|---|--:|--:|--:|--:|--:|\n", system)
		}
		r := rows[i]
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d |\n", cell(e.title), r.sent, r.accepted, r.refused, r.retried, r.sent-len(r.wrong))
		total.sent += r.sent
		total.accepted += r.accepted
		total.refused += r.refused
		total.retried += r.retried
		total.whole += r.whole
		total.wrong = append(total.wrong, r.wrong...)
	}
	return fmt.Sprintf("\n%d configurations, %d hellos: %d accepted, %d refused, %d of them asked for another key share first. %d flights could be read to their end. **%d of %d predictions hold.**\n",
		len(rows), total.sent, total.accepted, total.refused, total.retried, total.whole, total.sent-len(total.wrong), total.sent) + b.String() + "\n"
}

// cell is a configuration as code in a cell of a table.
func cell(title string) string {
	return "`" + strings.ReplaceAll(strings.ReplaceAll(title, "`", ""), "|", `\|`) + "`"
}

// sameSystems reports whether a table was measured with the releases that are installed.
func sameSystems(table string, endpoints []*endpoint) bool {
	for _, e := range endpoints {
		if !strings.Contains(table, "\n### "+e.system+"\n") {
			return false
		}
	}
	return true
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return "- " + x[i] + "\n+ " + y[i]
		}
	}
	return fmt.Sprintf("%d lines, not %d", len(y), len(x))
}
