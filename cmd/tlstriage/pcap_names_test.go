package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestPcapOfNoInterface ends as a file does that is not there.
func TestPcapOfNoInterface(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("interfaces are read on Linux only")
	}
	if code, _ := pcapExit(t, "-i", "no-such-device"); code != exitUsage {
		t.Errorf("code %d", code)
	}
}

// TestPcapNamesAKeyLogWithoutKeys says so of a file that opens nothing for the reason that no key is in it.
func TestPcapNamesAKeyLogWithoutKeys(t *testing.T) {
	dir := t.TempDir()
	said := func(content string) string {
		t.Helper()
		name := filepath.Join(dir, "keys.log")
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if code := run(t.Context(), []string{"pcap", failing(t, 1), "--keylog", name}, nil, io.Discard, &b); code == exitUsage || code == exitFailed {
			t.Fatalf("code %d: %s", code, &b)
		}
		return b.String()
	}
	const words = "keys.log has no line with a session key in it\n"
	for _, content := range []string{"", "# a comment\n", "not a key log\n\nat all"} {
		if got := said(content); !strings.Contains(got, words) {
			t.Errorf("%q: %q", content, got)
		}
	}
	key := "nothing\nCLIENT_RANDOM " + strings.Repeat("ab", 32) + " " + strings.Repeat("cd", 48) + "\n"
	if got := said(key); strings.Contains(got, "no line") {
		t.Errorf("with a key: %q", got)
	}
}
