package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/diagnose"
)

var update = flag.Bool("update", false, "write the golden files anew")

// read takes a record from testdata.
func read(t *testing.T, path string) *inspect.Connection {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := new(inspect.Connection)
	if err := json.Unmarshal(b, c); err != nil {
		t.Fatal(err)
	}
	return c
}

// hold compares with a golden file, or writes it.
func hold(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (refresh with -update and read it):\n%s", path, got)
	}
}

// TestGolden leads records through judgement and out as text: connection -> findings -> what a person reads.
func TestGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/golden/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatal("no records in testdata/golden", err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(path, ".json")
		if strings.HasSuffix(name, ".findings") {
			continue
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			c := read(t, path)
			new(diagnose.Diagnoser).Diagnose(c)

			judged := struct {
				Verdict  inspect.Verdict   `json:"verdict"`
				Cause    string            `json:"cause,omitempty"`
				Fault    inspect.Fault     `json:"fault,omitempty"`
				Findings []inspect.Finding `json:"findings,omitempty"`
			}{c.Verdict, c.Cause, c.Fault, c.Findings}
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", "  ")
			if err := enc.Encode(judged); err != nil {
				t.Fatal(err)
			}
			hold(t, name+".findings.json", b.Bytes())

			var text bytes.Buffer
			w := NewText(&text, Options{Width: 120})
			if err := w.Write(c); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			hold(t, name+".txt", text.Bytes())
			for i, r := range text.String() {
				if r != '\n' && !visible(r) {
					t.Errorf("byte %d: %U reaches the terminal", i, r)
				}
			}
		})
	}
}
