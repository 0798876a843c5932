package acme_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tlstriage/tlstriage/certs/acme"
)

// What certmagic's storage says of a lock that a killed process left goes into the program's log, as everything does.
func TestStorageSpeaksThroughTheLog(t *testing.T) {
	core, seen := observer.New(zap.InfoLevel)
	dir := t.TempDir()
	m, err := acme.New(acme.Settings{Names: []string{"www.example.com"}, Dir: dir}, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	storage := &certmagic.FileStorage{Path: dir}
	if err := os.MkdirAll(filepath.Join(dir, "locks"), 0o700); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour).Format(time.RFC3339Nano)
	if err := os.WriteFile(filepath.Join(dir, "locks", "issue.lock"), []byte(`{"created":"`+long+`","updated":"`+long+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := storage.Lock(t.Context(), "issue"); err != nil {
		t.Fatal(err)
	}
	defer storage.Unlock(t.Context(), "issue")
	found := false
	for _, e := range seen.All() {
		found = found || strings.Contains(e.Message, "is stale") && e.LoggerName == "acme"
	}
	if !found {
		t.Errorf("nothing in the log: %+v", seen.All())
	}
}
