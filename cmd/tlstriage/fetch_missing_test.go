package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
)

// An intermediate that a server does not send is fetched where the certificate says, only when asked to, and only from whom it is
// allowed to ask.
func TestCertsCheckFetchesWhatLacks(t *testing.T) {
	pki := certstest.New(t)
	asked := 0
	authority := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Write(pki.Intermediate.Certificate.Raw)
	}))
	defer authority.Close()
	host := strings.TrimPrefix(authority.URL, "http://")
	issuing := pki.Issue(pki.Intermediate, certs.Template{CommonName: "Issuing", CA: true, NotBefore: pki.Now.AddDate(-1, 0, 0), NotAfter: pki.Now.AddDate(3, 0, 0), IssuingCertificateURL: []string{authority.URL + "/i.cer"}})
	leaf := pki.Issue(issuing, certs.Template{Names: []string{"www.example.com"}, NotBefore: pki.Now.AddDate(0, -1, 0), NotAfter: pki.Now.AddDate(0, 11, 0)})
	dir := t.TempDir()
	file, root := filepath.Join(dir, "chain.pem"), filepath.Join(dir, "root.pem")
	for name, data := range map[string][]byte{file: certs.EncodePEM(leaf.Certificate, issuing.Certificate), root: certs.EncodePEM(pki.Root.Certificate)} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	detail := func(more ...string) string {
		var stdout, stderr bytes.Buffer
		args := append([]string{"certs", "check", file, "--name", "www.example.com", "--ca", root, "-o", "json"}, more...)
		if code := run(t.Context(), args, nil, &stdout, &stderr); code != exitFindings {
			t.Fatalf("exit %d: %s", code, stderr.String())
		}
		var checked checkedTarget
		if err := json.Unmarshal(stdout.Bytes(), &checked); err != nil {
			t.Fatal(err)
		}
		if checked.Cause != "chain-missing-intermediate" {
			t.Fatalf("cause %q", checked.Cause)
		}
		return checked.Findings[0].Detail
	}
	if said := detail(); strings.Contains(said, "send: ") || asked != 0 {
		t.Errorf("without being asked to: %d requests, %s", asked, said)
	}
	if said := detail("--fetch-intermediates"); strings.Contains(said, "send: ") || asked != 0 {
		t.Errorf("a loopback address that nobody allowed: %d requests, %s", asked, said)
	}
	if said := detail("--fetch-intermediates", "--revocation-host", host); !strings.Contains(said, "send: ") || asked != 1 {
		t.Errorf("%d requests, %s", asked, said)
	}
}
