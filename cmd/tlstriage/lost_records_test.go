package main

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tlstriage/tlstriage/configs"
	"github.com/tlstriage/tlstriage/inspect"
)

type unprinted struct{}

func (unprinted) Write(*inspect.Connection) error { return nil }
func (unprinted) Close() error                    { return nil }

// Records that a full disk costs are counted, and when it is over their number is said.
func TestLostRecordsAreCounted(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("no /dev/full here: ", err)
	}
	full, err := openRecorder(configs.Record{File: "/dev/full"})
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	roomy, err := openRecorder(configs.Record{File: filepath.Join(t.TempDir(), "records.ndjson")})
	if err != nil {
		t.Fatal(err)
	}
	defer roomy.Close()
	core, said := observer.New(zap.InfoLevel)
	p := &proxyCommand{out: unprinted{}, log: zap.New(core)}
	for _, recording := range []*recorder{roomy, full, full, full, roomy, full, roomy} {
		p.recording = recording
		p.print(&inspect.Connection{})
	}
	if got := p.missing.Load(); got != 4 {
		t.Errorf("%d are missing, want 4", got)
	}
	again := said.FilterMessageSnippet("written again").All()
	if len(again) != 2 || again[0].ContextMap()["lost"] != uint64(3) || again[1].ContextMap()["lost"] != uint64(1) {
		t.Errorf("%+v", again)
	}
}
