package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tlstriage/tlstriage/configs"
	"github.com/tlstriage/tlstriage/inspect"
)

func hostileRequest() *inspect.HTTPRequest {
	return &inspect.HTTPRequest{
		Timestamp: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), EventID: "01", Client: inspect.Endpoint{Address: "192.0.2.1", Port: 1},
		Method: "GET", Path: "/a\"b\\c\x1b[31m\u202e\U000e0041", Query: "token=canary", Protocol: "HTTP/2.0", Host: "api.example.com",
		Status: 200, BytesSent: 5, UserAgent: "x\ny", RequestID: "01-1",
	}
}

func TestAccessLogLines(t *testing.T) {
	for _, test := range []struct {
		format configs.AccessFormat
		query  configs.Switch
	}{{configs.AccessJSON, configs.Off}, {configs.AccessJSON, configs.On}, {configs.AccessCombined, configs.Off}, {configs.AccessCombined, configs.On}} {
		file := filepath.Join(t.TempDir(), "access.log")
		a, err := openAccessLog(configs.AccessLog{File: file, Format: test.format, Query: test.query}, zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		a.Write(hostileRequest())
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		a.Write(hostileRequest()) // too late, and no harm
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		line := string(text)
		if strings.Count(line, "\n") != 1 || strings.ContainsAny(line, "\x1b\u202e\U000e0041") {
			t.Errorf("%s: %q", test.format, line)
		}
		if got := strings.Contains(line, "canary"); got != (test.query == configs.On) {
			t.Errorf("%s, query %s: %q", test.format, test.query, line)
		}
		if test.format == configs.AccessCombined {
			const want = `192.0.2.1 - - [21/Nov/2026:12:00:00 +0000] "GET /a\x22b\x5Cc\x1B[31m`
			if !strings.HasPrefix(line, want) || !strings.HasSuffix(line, ` 200 5 "-" "x\x0Ay" "01" "01-1"`+"\n") {
				t.Errorf("%q", line)
			}
			continue
		}
		var back inspect.HTTPRequest
		if err := json.Unmarshal(text, &back); err != nil || back.Path != hostileRequest().Path || back.UserAgent != "x\ny" {
			t.Errorf("%v: %+v", err, back)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info.Mode(), err)
		}
	}
}

// A log that was moved away is begun anew, and nothing is lost.
func TestAccessLogIsReopened(t *testing.T) {
	file := filepath.Join(t.TempDir(), "access.log")
	a, err := openAccessLog(configs.AccessLog{File: file, Format: configs.AccessJSON}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	a.Write(hostileRequest())
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	if err := a.Reopen(); err != nil {
		t.Fatal(err)
	}
	a.Write(hostileRequest())
	a.flushNow()
	for _, name := range []string{file, file + ".1"} {
		if text, err := os.ReadFile(name); err != nil || strings.Count(string(text), "\n") != 1 {
			t.Errorf("%s: %q %v", name, text, err)
		}
	}
	var none *accessLog
	if none.Reopen() != nil || none.Close() != nil {
		t.Error("no access log is no error")
	}
}

// A full disk is said aloud once, and what comes later is written when there is room again.
func TestAccessLogGoesOnWhenTheDiskIsFull(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("no /dev/full here: ", err)
	}
	core, said := observer.New(zap.InfoLevel)
	full := filepath.Join(t.TempDir(), "access.log")
	a, err := openAccessLog(configs.AccessLog{File: full, Format: configs.AccessJSON}, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	device, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	real := a.file
	a.file = device
	a.out.Reset(device)
	for range 3 {
		a.Write(hostileRequest())
		a.flushNow()
	}
	if a.lost != 3 || a.Missing() != 3 || (*accessLog)(nil).Missing() != 0 {
		t.Errorf("%d lines were lost, %d ever, want 3", a.lost, a.Missing())
	}
	a.file = real
	a.out.Reset(real)
	a.Write(hostileRequest())
	a.flushNow()
	if said.FilterLevelExact(zap.ErrorLevel).Len() != 1 || said.FilterMessageSnippet("written again").Len() != 1 {
		t.Errorf("%v", said.All())
	}
	if text, err := os.ReadFile(full); err != nil || strings.Count(string(text), "\n") != 1 {
		t.Errorf("%q %v", text, err)
	}
	a.file = device
	a.out.Reset(device)
	a.Write(hostileRequest())
	a.Write(hostileRequest())
	a.Close()
	last := said.FilterMessageSnippet("missing at its end").All()
	if len(last) != 1 || last[0].ContextMap()["lost"] != uint64(2) {
		t.Errorf("at the end: %v", last)
	}
}
