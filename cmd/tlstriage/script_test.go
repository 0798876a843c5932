package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the program itself, as a user would, by the scripts of testdata/script. What they know beyond testscript's own
// commands:
//
//	exits CODE tlstriage ARG...  run it and hold the exit code
//	lines FILE N                 FILE (stdout and stderr too) has N lines
//	starts FILE PREFIX           each line of FILE begins with PREFIX
//	ndjson FILE N                FILE is N lines, each a JSON object
//	printable FILE               FILE has no control byte but the line feed
//	mode FILE 0600               FILE has these permission bits
//	empty DIR                    nothing is in DIR
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			for _, entry := range os.Environ() { // nothing of the developer's own set-up
				if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "TLSTRIAGE_") {
					env.Setenv(name, "")
				}
			}
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config-home"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": scriptExits, "lines": scriptLines, "starts": scriptStarts,
			"ndjson": scriptNDJSON, "printable": scriptPrintable, "mode": scriptMode, "empty": scriptEmpty,
		},
	})
}

func arguments(ts *testscript.TestScript, neg bool, args []string, least int, form string) {
	if neg || len(args) < least {
		ts.Fatalf("usage: %s", form)
	}
}

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 2, "exits CODE PROGRAM ARG...")
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	switch got := 0; {
	case errors.As(err, &exit):
		got = exit.ExitCode()
		fallthrough
	case err == nil:
		if got != want {
			ts.Fatalf("%s: exit code %d, want %d", strings.Join(args[1:], " "), got, want)
		}
	default:
		ts.Check(err)
	}
}

func scriptLines(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 2, "lines FILE N")
	if got := strings.Count(ts.ReadFile(args[0]), "\n"); strconv.Itoa(got) != args[1] {
		ts.Fatalf("%s has %d lines, want %s:\n%s", args[0], got, args[1], ts.ReadFile(args[0]))
	}
}

func scriptStarts(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 2, "starts FILE PREFIX")
	text := ts.ReadFile(args[0])
	if text == "" {
		ts.Fatalf("%s is empty", args[0])
	}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, args[1]) {
			ts.Fatalf("%s has a line without %q: %s", args[0], args[1], line)
		}
	}
}

func scriptNDJSON(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 2, "ndjson FILE N")
	objects, err := ndjson([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	if strconv.Itoa(len(objects)) != args[1] {
		ts.Fatalf("%s has %d objects, want %s", args[0], len(objects), args[1])
	}
}

func scriptPrintable(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 1, "printable FILE")
	if at := firstControl(ts.ReadFile(args[0])); at != "" {
		ts.Fatalf("%s: %s", args[0], at)
	}
}

func scriptMode(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 2, "mode FILE OCTAL")
	want, err := strconv.ParseUint(args[1], 8, 32)
	ts.Check(err)
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := info.Mode().Perm(); got != fs.FileMode(want) {
		ts.Fatalf("%s has mode %04o, want %04o", args[0], got, want)
	}
}

func scriptEmpty(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 1, "empty DIR")
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(entries) > 0 {
		ts.Fatalf("%s is left in %s", entries[0].Name(), args[0])
	}
}

// ndjson parses lines of JSON objects: each object is one whole line, ended by a line feed, and nothing else is there.
func ndjson(data []byte) ([]map[string]any, error) {
	var objects []map[string]any
	for line := range bytes.Lines(data) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			return nil, fmt.Errorf("the last line is not ended: %s", line)
		}
		var object map[string]any
		if err := json.Unmarshal(line, &object); err != nil {
			return nil, fmt.Errorf("%w in line %d: %s", err, len(objects)+1, line)
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// firstControl tells of the first rune that acts on a terminal or reorders text; empty when there is none. Line feeds and
// tabulators are layout.
func firstControl(text string) string {
	for at, r := range text {
		harmful := r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 ||
			r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f ||
			r == utf8.RuneError && !strings.HasPrefix(text[at:], string(utf8.RuneError)) // a byte that is no UTF-8
		if harmful {
			return fmt.Sprintf("rune %U at byte %d, in %q", r, at, text[max(0, at-40):min(len(text), at+40)])
		}
	}
	return ""
}
