package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/diagnose"
)

// commandLine is a command of this program as documentation writes it: in a code span, a code block or a fix.
var commandLine = regexp.MustCompile("(?m)(?:^|[`\\s(])(?:\\./)?tlstriage ([a-z]+(?: [a-z]+)?)(?:[ `]|$)")

// A reader who is told to run a command must be able to.
func TestDocumentedCommandsExist(t *testing.T) {
	texts := map[string]string{}
	err := filepath.WalkDir("../../docs", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".md") {
			return err
		}
		data, err := os.ReadFile(path)
		texts[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	texts["README.md"] = string(readme)
	var catalogue bytes.Buffer
	if err := diagnose.WriteCatalogue(&catalogue); err != nil {
		t.Fatal(err)
	}
	texts["findings"] = catalogue.String()
	err = filepath.WalkDir("../../inspect/diagnose", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(path)
		texts[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for name, text := range texts {
		for _, m := range commandLine.FindAllStringSubmatch(strings.ReplaceAll(text, `"`, "`"), -1) {
			words := strings.Fields(m[1])
			if !exists(words[0]) {
				// "tlstriage stands in front of": prose, unless it is one of the words that will be commands.
				if future[words[0]] {
					t.Errorf("%s: there is no command %q", name, m[1])
				}
				continue
			}
			seen++
			if len(words) == 2 && hasCommands(words[0]) && !exists(words...) {
				t.Errorf("%s: there is no command %q", name, m[1])
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d commands found in the documentation: the pattern does not find them", seen)
	}
}

// future are the names of commands that the design knows and this version does not have.
var future = map[string]bool{}

func exists(words ...string) bool {
	found, rest, err := newRoot().Find(words)
	return err == nil && found.HasParent() && len(rest) == 0
}

func hasCommands(name string) bool {
	found, _, err := newRoot().Find([]string{name})
	return err == nil && found.HasSubCommands()
}
