package openssl

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// question is what the oracle is asked: settings of a client, in OpenSSL's languages.
type question struct {
	Cipher       *string `json:"cipher,omitempty"`
	CipherSuites *string `json:"ciphersuites,omitempty"`
	Groups       *string `json:"groups,omitempty"`
	Schemes      *string `json:"sigalgs,omitempty"`
	Min          string  `json:"min,omitempty"`
	Max          string  `json:"max,omitempty"`
	Level        *int    `json:"level,omitempty"`
	Hello        bool    `json:"hello,omitempty"`
}

// verdict is what OpenSSL makes of it.
type verdict struct {
	Error   string   `json:"error"`
	Setting string   `json:"setting"`
	Ciphers []uint16 `json:"ciphers"`
	Level   int      `json:"level"`
	Hello   string   `json:"hello"`
}

// askOpenSSL puts all questions to the libssl of this machine, in one process.
func askOpenSSL(t testing.TB, questions []question) []verdict {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("python3 is not installed: CI needs it to ask libssl")
		}
		t.Skip("python3 is not installed: there is no way to ask libssl")
	}
	var in, out, problems bytes.Buffer
	encoder := json.NewEncoder(&in)
	for _, q := range questions {
		if err := encoder.Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(python, filepath.Join("testdata", "oracle.py"))
	cmd.Env = append(os.Environ(), "OPENSSL_CONF=/dev/null")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, &problems
	if err := cmd.Run(); err != nil {
		if strings.Contains(problems.String(), "OSError") && os.Getenv("CI") != "true" {
			t.Skipf("libssl cannot be loaded: %s", problems.String())
		}
		t.Fatalf("oracle: %v\n%s", err, problems.String())
	}
	lines := bufio.NewScanner(&out)
	lines.Buffer(nil, 1<<20)
	var library struct{ Version string }
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &library) != nil {
		t.Fatal("oracle: no version")
	}
	if !strings.HasPrefix(library.Version, "OpenSSL 3.0.") {
		t.Skipf("libssl here is %s; the model that is held against it is of OpenSSL 3.0", library.Version)
	}
	var verdicts []verdict
	for lines.Scan() {
		var v verdict
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		verdicts = append(verdicts, v)
	}
	if len(verdicts) != len(questions) {
		t.Fatalf("oracle: %d answers to %d questions", len(verdicts), len(questions))
	}
	return verdicts
}
