//go:build unix

package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// failing is a capture of n clients that refuse a server's certificate.
func failing(t *testing.T, n int) string {
	t.Helper()
	talk := recordedTalk(t, "zeek+zeek", "testing", "btest", "Traces", "tls", "ecdhe.pcap")
	talk = append(talk[:2:2], capture.Chunk{From: inspect.FromClient, Data: []byte{21, 3, 3, 0, 2, 2, 48}}) // unknown_ca
	var all []capture.Exchange
	for i := range n {
		all = append(all, capture.Exchange{
			Client: netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:4000%d", i+1, i)), Server: netip.MustParseAddrPort("198.51.100.1:443"),
			Began: time.Date(2014, 1, 1, 12, 0, i, 0, time.UTC), Chunks: talk, End: inspect.EndFINClient,
		})
	}
	file, err := capture.Compose(all...)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "failing.pcapng")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func runPcap(t *testing.T, args ...string) string {
	t.Helper()
	var out, said bytes.Buffer
	command := newPcap()
	command.SetArgs(append([]string{"--fail-on", "never"}, args...))
	command.SetOut(&out)
	command.SetErr(&said)
	if err := command.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	return out.String()
}

// TestPcapExplainsOnce explains the same fault of the same server to the same kind of client once, and lists all of them.
func TestPcapExplainsOnce(t *testing.T) {
	name := failing(t, 5)
	text := runPcap(t, name)
	if got := strings.Count(text, "\n    why "); got != 1 {
		t.Errorf("explained %d times:\n%s", got, text)
	}
	if got := strings.Count(text, ", as at 12:00:00"); got != 4 {
		t.Errorf("%d are said to be the same:\n%s", got, text)
	}
	for i := range 5 {
		if !strings.Contains(text, fmt.Sprintf("192.0.2.%d:4000%d", i+1, i)) {
			t.Errorf("client %d is not listed", i)
		}
	}
	if got := strings.Count(runPcap(t, name, "-v"), "\n    why "); got != 5 {
		t.Errorf("with -v explained %d times", got)
	}
	if lines := strings.Split(strings.TrimSpace(runPcap(t, name, "-o", "json")), "\n"); len(lines) != 5 || strings.Contains(lines[4], "as at") {
		t.Errorf("%d lines of JSON", len(lines))
	}
}

func TestPcapSummary(t *testing.T) {
	text := runPcap(t, failing(t, 3))
	var row string
	for line := range strings.Lines(text) {
		if strings.Contains(line, "connections  clients  cause") {
			row = "next"
		} else if row == "next" {
			row = line
		}
	}
	fields := strings.Fields(row)
	if len(fields) < 4 || fields[0] != "3" || fields[1] != "1" || fields[2] != "server-cert-rejected-by-client" || !strings.HasSuffix(strings.TrimSpace(row), "198.51.100.1:443") {
		t.Errorf("%q in\n%s", row, text)
	}
}
