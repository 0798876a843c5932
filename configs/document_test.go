package configs

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of settings in docs/configuration.md anew")

// settingsTable is every setting in Markdown.
func settingsTable() string {
	var b strings.Builder
	b.WriteString("| key | flag | variable | default | |\n|---|---|---|---|---|\n")
	for _, s := range Settings() {
		name := "--" + s.Flag
		if s.Short != "" {
			name = "-" + s.Short + ", " + name
		}
		fallback := ""
		if s.Default != "" {
			fallback = "`" + s.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | `%s` | %s | %s |\n", s.Path, name, s.Env(), fallback, strings.ReplaceAll(s.Usage, "|", "\\|"))
	}
	return b.String()
}

func TestDocumentationListsEverySetting(t *testing.T) {
	const file, begin, end = "../docs/configuration.md", "-update` -->\n", "<!-- /settings -->"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	table, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has lost its markers", file)
	}
	want := settingsTable()
	if table == want {
		return
	}
	if !*update {
		t.Fatalf("%s: the table of settings is not current; write it with go test ./configs -update", file)
	}
	if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
