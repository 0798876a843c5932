package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tlstriage/tlstriage/configs"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/proxy"
)

// A full disk leaves no empty files of handshakes behind, and is said once until it is over, with the number of those that are lost.
func TestHandshakesThatAFullDiskCosts(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("no /dev/full here: ", err)
	}
	core, said := observer.New(zap.InfoLevel)
	dir := t.TempDir()
	kept, err := newTranscripts(configs.Record{PcapngDir: dir, PcapngFiles: 2}, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	transcript := &proxy.Transcript{Client: &proxy.Exchange{
		Client: netip.MustParseAddrPort("192.0.2.1:40000"), Server: netip.MustParseAddrPort("192.0.2.2:443"), Began: time.Unix(1700000000, 0),
		Chunks: []proxy.Chunk{{At: time.Unix(1700000000, 0), From: inspect.FromClient, Data: []byte("hello")}},
	}}
	for _, step := range []struct {
		id   string
		full bool
	}{{"a", false}, {"b", true}, {"c", true}, {"d", true}, {"e", false}, {"f", true}, {"g", false}} {
		name := filepath.Join(dir, step.id+".pcapng")
		if step.full {
			if err := os.Symlink("/dev/full", name); err != nil {
				t.Fatal(err)
			}
		}
		kept.write(&inspect.Connection{Event: inspect.Event{ID: step.id}, Verdict: inspect.Failed}, transcript)
		if _, err := os.Lstat(name); os.IsNotExist(err) != step.full {
			t.Errorf("%s, full %t: %v", name, step.full, err)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 2 { // the oldest made room
		t.Errorf("%q, %v", left, err)
	}
	for _, name := range left {
		if info, err := os.Stat(name); err != nil || info.Size() == 0 {
			t.Errorf("%s is empty: %v", name, err)
		}
	}
	if got := said.FilterMessageSnippet("not written").Len(); got != 2 {
		t.Errorf("said %d times, want 2: %+v", got, said.All())
	}
	again := said.FilterMessageSnippet("written again").All()
	if len(again) != 2 || again[0].ContextMap()["lost"] != uint64(3) || again[1].ContextMap()["lost"] != uint64(1) {
		t.Errorf("%+v", again)
	}
}
