package openssl

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sharedFacts reads a file of the facts that lie beside the module's root; the test is skipped where they are missing.
func sharedFacts(t testing.TB, name string, into any) {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	data, err := os.ReadFile(filepath.Join(dir, "..", "shared", "facts", name))
	if err != nil {
		t.Skipf("the collected facts are not here: %v", err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

type collectedFacts struct {
	Keywords map[string]struct {
		Ciphers []string `json:"ciphers_in_base_order"`
	} `json:"keywords"`
	BaseOrder struct {
		Ciphers []struct {
			Name string `json:"name"`
		} `json:"ciphers"`
	} `json:"base_order"`
	Strings []struct {
		String   string              `json:"string"`
		OK       bool                `json:"ok"`
		Error    string              `json:"error"`
		TLS13    []string            `json:"tls13"`
		Ciphers  []string            `json:"ciphers"`
		SecLevel *int                `json:"seclevel"`
		Usable   map[string][]string `json:"usable_by_version"`
	} `json:"strings"`
}

// TestCollectedStrings expands every string of the facts: those that real configurations have.
func TestCollectedStrings(t *testing.T) {
	var facts collectedFacts
	sharedFacts(t, "openssl-cipher-strings.json", &facts)
	if len(facts.Strings) < 40 {
		t.Fatalf("%d strings", len(facts.Strings))
	}
	for _, f := range facts.Strings {
		e, err := Ciphers(f.String, Options{})
		if !f.OK {
			var typed *Error
			if !errors.As(err, &typed) || !strings.Contains(f.Error, typed.Reason.Error()) {
				t.Errorf("%q: %v, want %s", f.String, err, f.Error)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", f.String, err)
			continue
		}
		if want := slices.Concat(f.TLS13, f.Ciphers); !slices.Equal(e.Names(), want) {
			t.Errorf("%q: %v\nwant %v", f.String, e.Names(), want)
		}
		if f.SecLevel != nil && e.SecurityLevel != *f.SecLevel {
			t.Errorf("%q: security level %d, want %d", f.String, e.SecurityLevel, *f.SecLevel)
		}
	}
}

func TestEveryKeywordSelectsWhatWasCollected(t *testing.T) {
	var facts collectedFacts
	sharedFacts(t, "openssl-cipher-strings.json", &facts)
	var base []string
	for _, e := range baseList(release30, false) {
		base = append(base, e.name)
	}
	var want []string
	for _, c := range facts.BaseOrder.Ciphers {
		want = append(want, c.Name)
	}
	if !slices.Equal(base, want) {
		t.Errorf("base order: %v\nwant %v", base, want)
	}
	for word, f := range facts.Keywords {
		e, err := Ciphers(word, Options{NoTLS13Suites: true})
		if len(f.Ciphers) == 0 {
			if !errors.Is(err, ErrNoCipherMatch) {
				t.Errorf("%s: %v, want no cipher match", word, err)
			}
			continue
		}
		if err != nil || !slices.Equal(e.Names(), f.Ciphers) {
			t.Errorf("%s: %v, %v\nwant %v", word, err, e.Names(), f.Ciphers)
		}
	}
}
