package main

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/recording"
)

// exitOf runs the program and gives its exit code, and what it printed.
func exitOf(t *testing.T, args ...string) (code int, out, said string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, nil, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestRecordingNeedsASubCommand(t *testing.T) {
	for _, args := range [][]string{{"recording"}, {"recording", "bogus"}, {"recording", "bogus", "x"}, {"recording", "anonymize", "--round-times", "-1h", "x"}} {
		if code, out, said := exitOf(t, args...); code != exitUsage || out != "" || !strings.Contains(said, "tlstriage:") {
			t.Errorf("%q: exit code %d\n%s\n%s", args, code, out, said)
		}
	}
	if code, out, _ := exitOf(t, "recording", "--help"); code != 0 || !strings.Contains(out, "anonymize") {
		t.Errorf("--help: exit code %d\n%s", code, out)
	}
}

func TestAnonymizeRoundsTimes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r.ndjson")
	line := `{"schema":1,"@timestamp":"2026-03-04T05:06:07.891234567Z","event":{"id":"theirs","source":"proxy","outcome":"success"},"transport":"tcp","client":{"address":"192.0.2.77","port":54321},"server":{"port":8443},"client_leg":{"tls":{"client":{"server_name":"alice.example","alpn_protocols":["secret-proto-alice","h2"],"legacy_version":"TLSv1.2","supported_ciphers":["TLS_RSA_WITH_AES_128_CBC_SHA"]}}},"origin":{"kind":"raw","name":"alice","note":"alice"}}`
	if err := os.WriteFile(file, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for round, want := range map[string]string{"": "2026-03-04T05:00:00Z", "24h": "2026-03-04T00:00:00Z", "0": "0001-01-01T00:00:00Z"} {
		args := []string{"recording", "anonymize", "--mask-names", file}
		if round != "" {
			args = append(args, "--round-times", round)
		}
		code, out, said := exitOf(t, args...)
		var record recording.Record
		if err := json.Unmarshal([]byte(out), &record); code != 0 || err != nil {
			t.Fatalf("exit code %d, %v\n%s%s", code, err, out, said)
		}
		if got := record.Timestamp.Format("2006-01-02T15:04:05.999999999Z07:00"); got != want {
			t.Errorf("--round-times %q: %s, want %s", round, got, want)
		}
		for _, theirs := range []string{"alice", "theirs", "54321", "8443", "192.0.2.77"} {
			if strings.Contains(out, theirs) {
				t.Errorf("%q is still there: %s", theirs, out)
			}
		}
	}
}

// A port without a listener is no loss, over QUIC as over TCP.
func TestReplayToNobodyIsNoAnswer(t *testing.T) {
	address := freePort(t)
	for _, transport := range []string{"quic", "tcp"} {
		code, out, said := exitOf(t, "replay", "--clients", "chromium", "--to", address, "--transport", transport, "--timeout", "1s")
		if code != exitFailed || strings.Contains(out, "Lost") || !strings.Contains(out, "Undetermined: ") {
			t.Errorf("%s: exit code %d\n%s%s", transport, code, out, said)
		}
	}
}

// What a proxy sent to its canary is of no client: it is left out, and that is said.
func TestRecordsOfACanaryAreLeftOutAloud(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r.ndjson")
	line := `{"schema":1,"@timestamp":"2026-03-04T05:06:07Z","event":{"id":"a","source":"proxy","outcome":"success"},"transport":"tcp","client_leg":{"tls":{"client":{"legacy_version":"TLSv1.2","supported_ciphers":["TLS_RSA_WITH_AES_128_CBC_SHA"]}}}}`
	canary := strings.Replace(line, `"schema":1`, `"schema":1,"canary":{"to":"canary:443","class":"same","event_id":"a"}`, 1)
	if err := os.WriteFile(file, []byte(line+"\n"+canary+"\n"+canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"recording", "show", file}, {"recording", "compact", file}, {"recording", "anonymize", file}, {"policy", "check", "--policy", "aws/ELBSecurityPolicy-2016-08", "--from", file},
	} {
		code, out, said := exitOf(t, args...)
		if code != 0 || !strings.Contains(said, "2 records of what a proxy sent to its canary are left out") || strings.Contains(out, "canary:443") {
			t.Errorf("%q: exit code %d\n%s%s", args, code, out, said)
		}
	}
}

// A bound on connections leaves hellos out, and the table says so.
func TestHellosThatWereNotSentAreInTheTable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte{21, 3, 3, 0, 2, 2, 40})
			_, _ = conn.Read(make([]byte, 1<<14))
			conn.Close()
		}
	}()
	code, out, said := exitOf(t, "replay", "--clients", "browsers,curl-default", "--to", l.Addr().String(), "--total", "1")
	if code != exitFailed || !strings.Contains(out, " not sent ") || strings.Contains(out, "undetermined: not sent") || !strings.Contains(said, "the bound on connections is reached") {
		t.Errorf("exit code %d\n%s%s", code, out, said)
	}
}
