package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
)

// TestGeneratedFileIsUpToDate makes the table anew from the facts.
func TestGeneratedFileIsUpToDate(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "..", "..", "..", "shared", "facts")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the collected facts are not here: %v", err)
	}
	out := filepath.Join(t.TempDir(), "out.go")
	if err := run(os.DirFS(dir), out); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("..", "..", "suites_generated.go"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("suites_generated.go is not what the facts give: run go generate")
	}
}

func TestBrokenFactsAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":             `{`,
		"no code point":       `{"base_order": {"ciphers": [{"name": "X", "id": "x"}]}}`,
		"unknown property":    `{"keywords": {"X": {"predicate": {"colour": ["red"]}}}}`,
		"no such Go constant": `{"base_order": {"ciphers": [{"name": "X", "id": "0x0001", "kx": "k X"}]}}`,
	} {
		facts := fstest.MapFS{"openssl-cipher-strings.json": {Data: []byte(text)}}
		if err := run(facts, filepath.Join(t.TempDir(), "out.go")); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := run(fstest.MapFS{}, filepath.Join(t.TempDir(), "out.go")); err == nil {
		t.Error("no file: no error")
	}
}
