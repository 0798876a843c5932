// Command generate turns the collected facts about TLS policies into Go data: inspect/policy/builtin_generated.go.
//
// The facts name suites, groups and schemes; the data holds code points, taken from the registries that lie beside the
// facts. What the facts leave open stays open: a list that no source states is nil, a preference that no source states
// is PreferenceUnknown.
package main

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
)

func main() {
	facts := flag.String("facts", "", "directory of policies.json and registry/")
	out := flag.String("out", "builtin_generated.go", "Go file to write")
	flag.Parse()
	if err := run(os.DirFS(*facts), *out); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(facts fs.FS, out string) error {
	policies, codes, err := readFacts(facts)
	if err != nil {
		return err
	}
	entries, err := convert(policies, codes)
	if err != nil {
		return err
	}
	source, err := render(entries)
	if err != nil {
		return err
	}
	return os.WriteFile(out, source, 0o644)
}
