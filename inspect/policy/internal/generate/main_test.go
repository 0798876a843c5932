package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestGeneratedDataIsCurrent generates again and compares.
func TestGeneratedDataIsCurrent(t *testing.T) {
	facts := filepath.Join("..", "..", "..", "..", "..", "shared", "facts")
	if _, err := os.Stat(facts); err != nil {
		t.Skipf("the collected facts are not here: %v", err)
	}
	out := filepath.Join(t.TempDir(), "data.go")
	if err := run(os.DirFS(facts), out); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join("..", "..", "builtin_generated.go"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("builtin_generated.go is not what the facts give: run go generate in inspect/policy")
	}
}

// TestUnusableFactsAreSkipped keeps the reasons for skipping from growing unnoticed.
func TestUnusableFactsAreSkipped(t *testing.T) {
	for _, f := range []fact{
		{Provider: "x", Name: "no suites", Versions: []string{"TLSv1.2"}},
		{Provider: "x", Name: "no versions", Ciphers: []string{"TLS_AES_128_GCM_SHA256"}},
		{Provider: "f5", Versions: []string{"TLSv1.2"}, Ciphers: []string{"TLS_AES_128_GCM_SHA256"}},
	} {
		if skipped(f) == "" {
			t.Errorf("%s/%s is not skipped", f.Provider, f.Name)
		}
	}
	if reason := skipped(fact{Provider: "x", Versions: []string{"TLSv1.2"}, Ciphers: []string{"TLS_AES_128_GCM_SHA256"}}); reason != "" {
		t.Errorf("a whole fact is skipped: %s", reason)
	}
}

func TestUnknownNamesAreErrors(t *testing.T) {
	codes := codePoints{versions: map[string]uint16{"TLSv1.2": 0x0303}, suites: map[string]uint16{"A": 1}, groups: map[string]uint16{"G": 1}}
	odd := "sometimes"
	for name, f := range map[string]fact{
		"suite":      {Versions: []string{"TLSv1.2"}, Ciphers: []string{"B"}},
		"version":    {Versions: []string{"TLSv9"}, Ciphers: []string{"A"}},
		"group":      {Versions: []string{"TLSv1.2"}, Ciphers: []string{"A"}, Groups: []string{"H"}},
		"preference": {Versions: []string{"TLSv1.2"}, Ciphers: []string{"A"}, Preference: &odd},
	} {
		if _, err := convert([]fact{f}, codes); err == nil {
			t.Errorf("an unknown %s is no error", name)
		}
	}
}
