// Command generate turns captured ClientHellos into the tables of inspect/clients: the names (table_generated.go) and the gallery
// (gallery_generated.go).
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
)

func main() {
	hellos := flag.String("hellos", "", "JSON list of captured hellos")
	newer := flag.String("newer", "", "JSON list of captures by internal/capture, which take the place of those of the same name in the gallery")
	out := flag.String("out", "table_generated.go", "Go file with the names to write")
	gallery := flag.String("gallery", "gallery_generated.go", "Go file with the gallery to write")
	flag.Parse()
	if err := run(*hellos, *newer, *out, *gallery); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(hellos, newer, out, gallery string) error {
	captured, err := read(hellos)
	if err != nil {
		return err
	}
	ours, err := read(newer)
	if err != nil {
		return err
	}
	captured = merge(captured, ours)
	rows, err := gather(captured)
	if err != nil {
		return err
	}
	source, err := render(rows)
	if err != nil {
		return err
	}
	samples, err := renderGallery(captured)
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, source, 0o644); err != nil {
		return err
	}
	return os.WriteFile(gallery, samples, 0o644)
}

func read(name string) ([]capture, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var captured []capture
	if err := json.Unmarshal(data, &captured); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return captured, nil
}
