package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/diagnose"
)

func FuzzWriters(f *testing.F) {
	paths, err := filepath.Glob("testdata/golden/*.json")
	if err != nil || len(paths) == 0 {
		f.Fatal("no golden records", err)
	}
	for _, p := range paths {
		if b, err := os.ReadFile(p); err == nil && !strings.HasSuffix(p, ".findings.json") {
			f.Add(b)
		}
	}
	var d diagnose.Diagnoser
	f.Fuzz(func(t *testing.T, b []byte) {
		c := new(inspect.Connection)
		if json.Unmarshal(b, c) != nil {
			return
		}
		d.Diagnose(c)
		var text bytes.Buffer
		w := NewText(&text, Options{Width: 100, Verbose: len(b)%2 == 0})
		if w.Write(c) != nil || w.Close() != nil {
			t.Fatal("a buffer does not fail")
		}
		if text.Len() > 128<<10 {
			t.Errorf("%d bytes of text", text.Len())
		}
		for _, r := range text.String() {
			if r != '\n' && !visible(r) {
				t.Fatalf("%U reaches the terminal: %q", r, text.String())
			}
		}
		same(t, NewJSON(nil, RawAll), c)
		var line bytes.Buffer
		if NewJSON(&line, RawAll).Write(c) != nil {
			return // a time outside of what JSON can hold
		}
		if bytes.Count(line.Bytes(), []byte("\n")) != 1 || !json.Valid(line.Bytes()) {
			t.Errorf("not one line of JSON: %q", line.String())
		}
	})
}
