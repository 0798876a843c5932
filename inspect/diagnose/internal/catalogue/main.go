// Command catalogue writes docs/findings.md from the rules.
package main

import (
	"bytes"
	"log"
	"os"

	"github.com/tlstriage/tlstriage/inspect/diagnose"
)

func main() {
	var b bytes.Buffer
	if err := diagnose.WriteCatalogue(&b); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(os.Args[1], b.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}
