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

// TestPcapOnPaper holds a connection that went well against a policy that would refuse it: it has not failed.
func TestPcapOnPaper(t *testing.T) {
	good := filepath.Join("..", "..", "..", "shared", "captures", "files", "CESNET+FlowTest", "pcap", "tls13.pcap")
	if _, err := os.Stat(good); err != nil {
		t.Skipf("the captures are not here: %v", err)
	}
	strict := filepath.Join(t.TempDir(), "strict.yaml")
	if err := os.WriteFile(strict, []byte("name: strict\nversions: [TLSv1.2]\nciphers: [TLS_RSA_WITH_AES_128_CBC_SHA]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := runPcap(t, good, "--policy", strict)
	for _, want := range []string{"  WOULD FAIL  policy-rejects-", "1 connection, 1 distinct client; 0 failed, 0 with warnings, 1 that the policy would refuse"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if text := runPcap(t, good, "--policy", strict, "--failed"); !strings.Contains(text, " 0 connections") {
		t.Errorf("--failed:\n%s", text)
	}
	if text := runPcap(t, good, "--policy", strict, "--refused"); !strings.Contains(text, " 1 connection,") {
		t.Errorf("--refused:\n%s", text)
	}
}

// TestPcapTLSPort names a port that is not one of TLS for anybody else.
func TestPcapTLSPort(t *testing.T) {
	file, err := capture.Compose(capture.Exchange{
		Client: netip.MustParseAddrPort("192.0.2.7:40000"), Server: netip.MustParseAddrPort("198.51.100.1:10447"), Began: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), End: inspect.EndFINServer,
	})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "empty.pcapng")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if text := runPcap(t, name); !strings.Contains(text, " 0 connections") {
		t.Errorf("without the port:\n%s", text)
	}
	if text := runPcap(t, name, "--tls-port", "10447,10448"); !strings.Contains(text, " 1 connection,") || !strings.Contains(text, "          1        1  backend-closed") {
		t.Errorf("with it:\n%s", text)
	}
}
