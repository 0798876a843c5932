package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestGeneratedTablesAreCurrent(t *testing.T) {
	registry := filepath.Join("..", "..", "..", "..", "..", "shared", "facts", "registry")
	if _, err := os.Stat(registry); err != nil {
		t.Skipf("the registry files are not here: %v", err)
	}
	out := filepath.Join(t.TempDir(), "generated.go")
	if err := run(registry, out, "2026-11-20"); err != nil {
		t.Fatal(err)
	}
	fresh, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(filepath.Join("..", "..", "code_points_generated.go"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(fresh, kept) {
		t.Error("code_points_generated.go differs from what the registry files give: run go generate ./inspect/wire")
	}
}

func TestUnreadableRegistryIsAnError(t *testing.T) {
	out := filepath.Join(t.TempDir(), "generated.go")
	if err := run(t.TempDir(), out, ""); err == nil {
		t.Error("no error for an empty directory")
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a file was written all the same")
	}
}
