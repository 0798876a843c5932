package capture_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// TestSecretsInTheCapture reads the captures of the collection that bring their own secrets.
func TestSecretsInTheCapture(t *testing.T) {
	type entry struct {
		Repo, File string
		Tags       []string
	}
	var with []string
	eachLine(t, "catalog.jsonl", func(e *entry) {
		if strings.Contains(strings.Join(e.Tags, " "), "has-dsb") {
			with = append(with, filepath.FromSlash(e.Repo+"/"+e.File))
		}
	})
	opened, certificates := 0, 0
	for _, path := range with {
		records, stats := readCapture(t, shared(t, "captures", "files", path), capture.Options{})
		t.Logf("%s: %d secrets, %d of %d records opened", path, stats.Secrets, stats.Decrypted, stats.Connections)
		for _, r := range records {
			if !r.Capture.Decrypted {
				continue
			}
			opened++
			if s := r.ClientLeg.TLS.Server; s != nil {
				certificates += len(s.CertificateChain)
				if len(s.CertificateChain) > 0 && (s.Validation == nil || s.Validation.Status != inspect.ValidationNotChecked) {
					t.Errorf("%s: %+v", path, s.Validation)
				}
			}
		}
	}
	if len(with) == 0 || opened == 0 || certificates == 0 {
		t.Errorf("%d captures, %d records opened, %d certificates seen", len(with), opened, certificates)
	}
}
