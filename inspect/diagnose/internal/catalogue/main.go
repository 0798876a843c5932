// Command catalogue writes docs/findings.md from the rules.
package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/tlstriage/tlstriage/inspect/diagnose"
)

func main() {
	var b bytes.Buffer
	if err := diagnose.WriteCatalogue(&b); err != nil {
		fail(err)
	}
	if err := os.WriteFile(os.Args[1], b.Bytes(), 0o644); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "catalogue:", err)
	os.Exit(1) //nolint:forbidigo // a program of its own
}
