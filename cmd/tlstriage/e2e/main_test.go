package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What all tests share. It is written in TestMain alone.
var (
	program     string // the program
	authority   string // directory of the local authority
	authorityCA string // its certificate
	shared      string // directory for what is made once
	large       []byte // a body of 10 MiB
	largeSum    string
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	// Servers live in sbin, which is not on everybody's path.
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "TLSTRIAGE_") || strings.HasSuffix(strings.ToLower(name), "_proxy") {
			os.Unsetenv(name)
		}
	}
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(shared)
	return m.Run()
}

func prepare() error {
	var err error
	if shared, err = os.MkdirTemp("", "tlstriage-e2e-"); err != nil {
		return err
	}
	program = filepath.Join(shared, "tlstriage")
	if err := command("go", "build", "-buildvcs=false", "-o", program, "github.com/tlstriage/tlstriage/cmd/tlstriage"); err != nil {
		return err
	}
	authority = filepath.Join(shared, "ca")
	if err := command(program, "ca", "init", "--ca-dir", authority); err != nil {
		return err
	}
	pem, err := exec.Command(program, "ca", "export", "--ca-dir", authority).Output()
	if err != nil {
		return fmt.Errorf("ca export: %w", err)
	}
	authorityCA = filepath.Join(shared, "authority.pem")
	if err := os.WriteFile(authorityCA, pem, 0o600); err != nil {
		return err
	}
	large = make([]byte, 10<<20)
	random := rand.NewChaCha8([32]byte{7})
	random.Read(large)
	sum := sha256.Sum256(large)
	largeSum = hex.EncodeToString(sum[:])
	// The layout that servers of files find by path.
	if err := os.WriteFile(filepath.Join(shared, "large"), large, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(shared, "hello"), []byte(greeting), 0o600)
}

func command(name string, args ...string) error {
	var out bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out.Bytes())
	}
	return nil
}
