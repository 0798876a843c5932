package apache_test

import (
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/apache"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
)

// TestSuiteBAnswersAsImported asks httpd under Suite B. Its binding of curves to suites is beyond a policy, so that it does not stand among
// the endpoints of the importer package, which are asked with hellos that nobody sends, too; with those of real clients all agrees.
func TestSuiteBAnswersAsImported(t *testing.T) {
	path := importertest.Program(t, "apache2")
	version := importertest.Version(t, path, `Apache/([\d.]+)`, "-v")
	port := importertest.FreePort(t)
	conf := importertest.HTTPD(t, t.TempDir(), port, "@; ECDSA; SSLProtocol all; SSLCipherSuite SUITEB128; </VirtualHost>")
	r, err := apache.Import(importertest.Files{}, conf, imported.Options{Version: version})
	if err != nil {
		t.Fatal(err)
	}
	if importertest.Refused(r, nil) {
		t.Errorf("said to be refused: %q", importertest.Problems(r))
	}
	importertest.Start(t, "resuming normal operations", path, "-D", "FOREGROUND", "-f", conf)
	importertest.AwaitPort(t, "127.0.0.1:"+port)
	if n := importertest.Agree(t, "127.0.0.1:"+port, "localhost", apache.Select(r, "localhost", "127.0.0.1:"+port).Policy); n.Accepted == 0 {
		t.Error("no hello is accepted")
	}
}
