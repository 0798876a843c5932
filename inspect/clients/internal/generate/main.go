// Command generate turns captured ClientHellos into the table of inspect/clients: table_generated.go.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
)

func main() {
	hellos := flag.String("hellos", "", "JSON list of captured hellos")
	out := flag.String("out", "table_generated.go", "Go file to write")
	flag.Parse()
	if err := run(*hellos, *out); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(hellos, out string) error {
	data, err := os.ReadFile(hellos)
	if err != nil {
		return err
	}
	var captured []capture
	if err := json.Unmarshal(data, &captured); err != nil {
		return fmt.Errorf("%s: %w", hellos, err)
	}
	rows, err := gather(captured)
	if err != nil {
		return fmt.Errorf("%s: %w", hellos, err)
	}
	source, err := render(rows)
	if err != nil {
		return err
	}
	return os.WriteFile(out, source, 0o644)
}
