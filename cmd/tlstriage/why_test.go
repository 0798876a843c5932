package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/why"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// pickyServer accepts one version and one group.
func pickyServer(t *testing.T) string {
	t.Helper()
	pair := certstest.New(t).Leaf("why.example").TLS()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{*pair}, MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.CurveP384},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if conn.(*tls.Conn).Handshake() == nil {
					_, _ = conn.Read(make([]byte, 1))
				}
			}()
		}
	}()
	return l.Addr().String()
}

// runWhy runs the command and decodes what it prints as JSON.
func runWhy(t *testing.T, args ...string) (why.Result, int) {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(t.Context(), append([]string{"why", "-o", "json", "--timeout", "30s"}, args...), strings.NewReader(""), &out, &errs)
	var r why.Result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v: exit code %d, %s%s", args, code, out.String(), errs.String())
	}
	return r, code
}

func TestWhyNamesTheCauseInEveryFormOfAHello(t *testing.T) {
	address := pickyServer(t)
	hello := probe.Offer{ServerName: "why.example", Groups: []wire.NamedGroup{wire.GroupSecp256r1}}.Hello()
	flight, err := hello.Flight()
	if err != nil {
		t.Fatal(err)
	}
	message, err := hello.Message()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"record.bin":  flight[0],
		"message.bin": message,
		"record.hex":  []byte(hex.EncodeToString(flight[0]) + "\n"),
		"message.hex": []byte(strings.ToUpper(hex.EncodeToString(message[:40])) + "\n" + hex.EncodeToString(message[40:])),
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		r, code := runWhy(t, "--to", address, "--hello", file)
		if code != exitFindings || r.Verdict != why.Explained || r.Cause != why.NoCommonGroup || len(r.Causes) != 1 || r.Causes[0].Axis != why.AxisGroup || r.ServerName != "why.example" {
			t.Errorf("%s: exit code %d, %+v", name, code, r)
		}
	}
}

func TestWhyOfAClientOfTheGallery(t *testing.T) {
	address := pickyServer(t)
	if r, code := runWhy(t, "--to", address, "--client", "java7"); code != exitFindings || r.Cause != why.NoCommonVersion {
		t.Errorf("exit code %d, %+v", code, r)
	}
	if r, code := runWhy(t, "--to", address, "--as", "nginx"); code != exitFindings || r.Cause != why.NoCommonVersion {
		t.Errorf("exit code %d, %+v", code, r)
	}
	if r, code := runWhy(t, "--to", address, "--sni", "why.example", "--client", "chromium"); code != exitClean || r.Verdict != why.NoFailure || r.Cause != "" {
		t.Errorf("exit code %d, %+v", code, r)
	}
}

// What a stranger answers does not reach the terminal as it is.
func TestWhyPrintsNothingThatActsOnATerminal(t *testing.T) {
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
			_, _ = conn.Write([]byte("220 \x1b[31mred\x07\r\n"))
			conn.Close()
		}
	}()
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"why", "--to", l.Addr().String(), "--client", "java6"}, strings.NewReader(""), &out, &errs)
	if code != exitFindings {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
	if i := strings.IndexFunc(out.String(), func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f }); i >= 0 {
		t.Errorf("%q", out.String()[max(0, i-20):i+1])
	}
}

func TestWhyRefusesWhatCannotBeAsked(t *testing.T) {
	two := filepath.Join(t.TempDir(), "two.ndjson")
	var raw, out, errs bytes.Buffer
	for _, name := range []string{"one.example", "two.example"} {
		flight, err := probe.Modern(name).Flight()
		if err != nil {
			t.Fatal(err)
		}
		raw.WriteString(hex.EncodeToString(flight[0]) + "\n")
	}
	if code := run(t.Context(), []string{"recording", "import", "--kind", "raw", "-"}, strings.NewReader(raw.String()), &out, &errs); code != exitClean {
		t.Fatalf("import: exit code %d, %s", code, errs.String())
	}
	if err := os.WriteFile(two, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"--to":   {"--to", "127.0.0.1:99999", "--client", "chromium"},
		"--from": {"--to", "127.0.0.1:1", "--from", two},
	} {
		out.Reset()
		errs.Reset()
		if code := run(t.Context(), append([]string{"why"}, args...), strings.NewReader(""), &out, &errs); code != 2 || !strings.Contains(errs.String(), name) {
			t.Errorf("%s: exit code %d, %s%s", name, code, out.String(), errs.String())
		}
	}
}

// An experiment that is interrupted prints what is known, and exits as a scan and a replay do.
func TestWhyThatIsInterrupted(t *testing.T) {
	address := pickyServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	code := run(ctx, []string{"why", "-o", "json", "--to", address, "--client", "java7"}, strings.NewReader(""), &out, &errs)
	var r why.Result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || code != exitFailed || len(r.Causes) > 0 || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("exit code %d, %v: %s%s", code, err, out.String(), errs.String())
	}
}

// Over QUIC the hello goes as its client might say it there; what cannot go is told.
func TestWhyOverQUIC(t *testing.T) {
	address := freePort(t)
	r, code := runWhy(t, "--to", address, "--client", "chromium", "--transport", "quic")
	if code != exitFindings || r.Cause != why.ConnectionRefused {
		t.Errorf("exit code %d, %s", code, r.Sentence)
	}
	for _, args := range [][]string{{"--client", "java7"}, {"--client", "chromium", "--proxy-protocol", "v1"}, {"--client", "chromium", "--starttls", "smtp"}} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), append([]string{"why", "--to", address, "--transport", "quic"}, args...), strings.NewReader(""), &out, &errs); code != exitUsage || !strings.Contains(errs.String(), "QUIC") && !strings.Contains(errs.String(), "quic") {
			t.Errorf("%v: exit code %d, %s", args, code, errs.String())
		}
	}
}
