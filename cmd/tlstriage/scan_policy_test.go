package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/scan"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// An endpoint that chooses its certificate by what is in the hello first, as HAProxy does, has suites for both: on paper as in a scan.
func TestSuitesOfBothCertificatesArePredicted(t *testing.T) {
	suites := []wire.CipherSuite{wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_RSA_WITH_AES_128_GCM_SHA256}
	p := &policy.Policy{
		Name: "two certificates", Versions: []wire.Version{wire.VersionTLS12}, CipherSuites: suites, Preference: policy.PreferServer, Groups: []wire.NamedGroup{wire.GroupSecp256r1},
		SignatureSchemes: []wire.SignatureScheme{wire.SchemeECDSASecp256r1SHA256, wire.SchemeRSAPSSRSAESHA256},
		Certificates:     []policy.CertificateType{policy.CertECDSAP256, policy.CertRSA}, CertificateFirst: true, Family: policy.FamilyOpenSSL,
	}
	predicted := scan.Predict(t.Context(), p.Name, onPaper(p), "www.example.com")
	for _, suite := range suites {
		if !slices.Contains(predicted.Ciphers["TLSv1.2"], suite.String()) {
			t.Errorf("%s is missing in %v", suite, predicted.Ciphers)
		}
	}
}

// Where a configuration leaves things to defaults, a drift says whose were taken.
func TestDriftSaysWhichVersionWasAssumed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte("frontend f\n  bind :443 ssl crt missing.pem\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{file: "haproxy ", file + "#endpoint=f/:443": "haproxy ", file + "#version=2.6": "", "aws/ELBSecurityPolicy-2016-08": "", "-": ""} {
		if got := assumedVersion(newScan(), ref); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s: %q, want %q", ref, got, want)
		}
	}
	a := &scanAgainst{ref: file}
	var err error
	if a.policy, err = loadPolicy(newScan(), file); err != nil {
		t.Fatal(err)
	}
	a.assumed = assumedVersion(newScan(), file)
	r := scan.NewReport("192.0.2.1:443")
	r.Versions = []string{"TLSv1.2"}
	s := &scanned{Report: r}
	a.drift(t.Context(), s)
	if len(s.Findings) != 1 || !strings.Contains(s.Findings[0].Detail, a.assumed) || len(s.Findings[0].Fixes) != 1 || !strings.Contains(s.Findings[0].Fixes[0].Snippet, "haproxy.cfg#version=VERSION") {
		t.Errorf("%+v", s.Findings)
	}
	if got := withVersion("x#listen=:443"); got != "x#listen=:443&version=VERSION" {
		t.Error(got)
	}
}
