package bundle_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/bundle"
	"github.com/tlstriage/tlstriage/certs/certstest"
)

// program finds a program of a test. In CI it must be there.
func program(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		for _, dir := range []string{"/usr/sbin", "/sbin"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				return filepath.Join(dir, name)
			}
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%v is needed in CI", names)
	}
	t.Skipf("no %v here", names)
	return ""
}

// run runs a program in dir and returns all that it says; the test ends when it fails.
func run(t testing.TB, dir, name string, args ...string) string {
	t.Helper()
	out, err := command(dir, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return out
}

func command(dir, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// keyPEM is a pair's key as PEM.
func keyPEM(t testing.TB, p *certs.Pair) []byte {
	t.Helper()
	data, err := p.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func der(t testing.TB, data []byte) []byte {
	t.Helper()
	b, _ := pem.Decode(data)
	if b == nil {
		t.Fatal("no PEM")
	}
	return b.Bytes
}

// pile is one input of the parts, one after the other.
func pile(parts ...[]byte) []bundle.Input {
	return []bundle.Input{{Name: "pile.pem", Data: bytes.Join(parts, nil)}}
}

// build builds with the PKI's root trusted.
func build(p *certstest.PKI, inputs []bundle.Input, passwords ...string) *bundle.Result {
	return bundle.Build(context.Background(), bundle.Read(inputs, passwords...), bundle.Options{Time: p.Now, Roots: p.Roots()})
}

// subjects are the common names of a chain, joined.
func subjects(list []*x509.Certificate) string {
	var out []string
	for _, c := range list {
		out = append(out, c.Subject.CommonName)
	}
	return strings.Join(out, " < ")
}

// fatal are the fatal problems of a result.
func fatal(r *bundle.Result) []string {
	var out []string
	for _, p := range r.Problems {
		if p.Fatal {
			out = append(out, string(p.ID)+": "+p.Detail)
		}
	}
	return out
}

const wantChain = "www.example.com < Test Issuing < Test Intermediate"

// complete ends the test unless the result is one whole bundle with its key.
func complete(t testing.TB, r *bundle.Result) *bundle.Bundle {
	t.Helper()
	if len(r.Bundles) != 1 || len(fatal(r)) > 0 {
		t.Fatalf("%d bundles; problems %v; notes %v", len(r.Bundles), r.Problems, r.Notes)
	}
	b := r.Bundles[0]
	if got := subjects(b.Chain); got != wantChain || b.Key == nil || b.Missing != nil {
		t.Fatalf("chain %s, key %v, missing %v", got, b.Key != nil, b.Missing)
	}
	return b
}

func hasNote(p []bundle.Note, kind bundle.NoteKind, text string) bool {
	for _, n := range p {
		if n.Kind == kind && strings.Contains(n.Detail, text) {
			return true
		}
	}
	return false
}

func hasProblem(r *bundle.Result, id bundle.ProblemID, text string) bool {
	for _, p := range r.Problems {
		if p.ID == id && strings.Contains(p.Detail, text) {
			return true
		}
	}
	return false
}
