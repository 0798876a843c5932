//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
)

// pcapExit runs the command and gives its exit code.
func pcapExit(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	var b bytes.Buffer
	code = run(t.Context(), append([]string{"pcap"}, args...), nil, &b, io.Discard)
	return code, b.String()
}

// TestPcapReadsWhatIsThere reads the files that can be read, wherever the one stands that cannot.
func TestPcapReadsWhatIsThere(t *testing.T) {
	there := failing(t, 2)
	missing := filepath.Join(t.TempDir(), "missing.pcap")
	for _, args := range [][]string{{missing, there}, {there, missing}} {
		if code, out := pcapExit(t, args...); code != exitUsage || !strings.Contains(out, "2 connections") {
			t.Errorf("%v: %d\n%s", args, code, out)
		}
	}
}

// TestPcapOfUnknownLinks fails: nothing was looked at.
func TestPcapOfUnknownLinks(t *testing.T) {
	file := append([]byte{0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0x0F, 0x27, 0, 0}, 1, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4)
	name := filepath.Join(t.TempDir(), "strange.pcap")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out := pcapExit(t, name); code != exitFailed {
		t.Errorf("%d\n%s", code, out)
	}
}

// TestPcapWritesNoEmptyFile leaves no file behind in which nothing is, and keeps none from being written later.
func TestPcapWritesNoEmptyFile(t *testing.T) {
	there, cut := failing(t, 1), filepath.Join(t.TempDir(), "cut.pcapng")
	for _, args := range [][]string{
		{there, "--sni", "nobody.example", "--write", cut}, {filepath.Join(t.TempDir(), "missing"), "--write", cut},
		{there, "--keylog", filepath.Join(t.TempDir(), "missing"), "--write", cut},
	} {
		pcapExit(t, args...)
		if _, err := os.Stat(cut); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%v: %v", args, err)
		}
	}
	pcapExit(t, there, "--write", cut)
	before, err := os.ReadFile(cut)
	if err != nil || len(before) == 0 {
		t.Fatalf("%d bytes, %v", len(before), err)
	}
	if code, _ := pcapExit(t, there, "--write", cut); code != exitUsage {
		t.Errorf("a file that is there: %d", code)
	}
	if after, err := os.ReadFile(cut); err != nil || !bytes.Equal(after, before) {
		t.Errorf("it was changed: %v", err)
	}
}

// TestPcapWritesSecrets cuts a connection out: of the keys its own are in the file, unless nobody wants them there, and never another's.
func TestPcapWritesSecrets(t *testing.T) {
	there, dir := failing(t, 2), t.TempDir()
	_, out := pcapExit(t, there, "--client", "192.0.2.1", "-o", "json")
	var c inspect.Connection
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		t.Fatal(err)
	}
	const other = "CLIENT_RANDOM 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff "
	own, secret := fmt.Sprintf("CLIENT_RANDOM %x ", c.ClientLeg.TLS.Client.Message.Raw[6:38]), strings.Repeat("cd", 48)
	keys := filepath.Join(dir, "keys")
	if err := os.WriteFile(keys, []byte(other+secret+"\n"+own+secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{"with": {"--keylog", keys}, "without": {"--keylog", keys, "--no-secrets"}, "none": nil} {
		cut := filepath.Join(dir, name)
		var said bytes.Buffer
		if code := run(t.Context(), append([]string{"pcap", there, "--client", "192.0.2.1", "--write", cut}, args...), nil, io.Discard, &said); code != exitFindings {
			t.Fatalf("%s: exit %d: %s", name, code, said.String())
		}
		file, err := os.ReadFile(cut)
		if err != nil {
			t.Fatal(err)
		}
		want := name == "with"
		if bytes.Contains(file, []byte(own+secret)) != want || bytes.Contains(file, []byte(other)) {
			t.Errorf("%s: not the secrets of what is in the file", name)
		}
		if strings.Contains(said.String(), "holds what opens the handshakes of 1 connection:") != want {
			t.Errorf("%s: %s", name, said.String())
		}
	}
	if code, _ := pcapExit(t, there, "--no-secrets"); code != exitUsage {
		t.Errorf("--no-secrets without a file: exit %d", code)
	}
}

func TestPcapFilters(t *testing.T) {
	there := failing(t, 3)
	for client, want := range map[string]int{"192.0.2.1": 1, "::ffff:192.0.2.1": 1, "::ffff:192.0.2.0/120": 3, "192.0.2.2/31": 2, "::/0": 0} {
		_, out := pcapExit(t, there, "--client", client, "-o", "json")
		if got := strings.Count(out, "\n"); got != want {
			t.Errorf("%s: %d records, want %d", client, got, want)
		}
	}
	for pattern, want := range map[string]bool{"*": true, "A*Z": true, "a/?": true, "a/[yz]": true, "a?z": true, "b*": false, "a": false} {
		if matchName(pattern, "a/z") != want {
			t.Errorf("%s: not %v", pattern, want)
		}
	}
	if code, _ := pcapExit(t, there, "--since", "-5m"); code != exitUsage {
		t.Errorf("since a time in the future: %d", code)
	}
	if _, err := parseNetwork("192.0.2.1/33"); err == nil {
		t.Error("no network was taken for one")
	}
	if got, err := parseNetwork("fe80::1%eth0"); err != nil || got != netip.MustParsePrefix("fe80::1/128") {
		t.Errorf("%v, %v", got, err)
	}
}

func TestPcapRecordsHaveWholeIDs(t *testing.T) {
	_, out := pcapExit(t, failing(t, 2), "-o", "json")
	for line := range strings.Lines(out) {
		var c inspect.Connection
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		if c.Event.ID == "" || strings.HasSuffix(c.Event.ID, "-") {
			t.Errorf("id %q", c.Event.ID)
		}
	}
}
