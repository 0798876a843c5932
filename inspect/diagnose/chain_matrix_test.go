package diagnose

import (
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// matrixCase is a chain of the matrix with the finding that must be made of it.
type matrixCase struct {
	chain    string // its name in the matrix
	id       string
	severity inspect.Severity
	title    string // part of it
	detail   string // part of it
	fix      string // part of the first fix, action and snippet
}

func matrixCases() []matrixCase {
	return []matrixCase{
		{"EC/cross/root-expired-in-store", "chain-legacy-path", inspect.SeverityWarning, "dead end", "refused by OpenSSL 1.0", "leads astray"},
		{"EC/cross/foreign-intermediate-first", "chain-legacy-path", inspect.SeverityWarning, "dead end", "GnuTLS", "leads astray"},
		{"EC/cross/new-trusted", "chain-legacy-path", inspect.SeverityInfo, "not trusted here", "refused by OpenSSL 1.0", "leads astray"},
		{"EC/authority/other-subject-key-id", "chain-legacy-path", inspect.SeverityWarning, "key identifier", "GnuTLS", "key identifier"},
		{"EC/shape/root-sent", "chain-root-sent", inspect.SeverityInfo, "root", "", "leave the root"},
		{"EC/leaf/zero-serial", "cert-bad-serial", inspect.SeverityInfo, "zero", "", "random serial"},
		{"EC/leaf/long-serial", "cert-bad-serial", inspect.SeverityInfo, "longer than 20", "", "random serial"},
		{"EC/leaf/negative-serial", "cert-bad-serial", inspect.SeverityError, "negative", "refused by Go", "random serial"},
		{"EC/leaf/no-authority-key-id", "cert-missing-key-identifier", inspect.SeverityInfo, "lacks its key identifiers", "Python from 3.13 among them, refuse it", "identifiers"},
		{"EC/authority/no-key-ids", "cert-missing-key-identifier", inspect.SeverityInfo, "lacks its key identifiers", "authority key identifier and no subject key identifier", "identifiers"},
		{"EC/name/underscore", "cert-bad-name", inspect.SeverityWarning, "underscore", "Java refuses", "names"},
		{"EC/name/duplicate", "cert-bad-name", inspect.SeverityInfo, "twice", siteName, "names"},
		{"EC/name/wildcard-suffix", "cert-bad-name", inspect.SeverityError, "public suffix", "", "names"},
		{"EC/name/wildcard-partial", "cert-bad-name", inspect.SeverityWarning, "leftmost", "", "names"},
		{"EC/name/bad-a-label", "cert-bad-name", inspect.SeverityWarning, "international", "", "names"},
		{"EC/name/trailing-dot", "cert-bad-name", inspect.SeverityWarning, "dot", "", "names"},
		{"EC/name/address-as-name", "cert-bad-name", inspect.SeverityWarning, "DNS names", "", "names"},
		{"EC/name/name-as-address", "cert-bad-name", inspect.SeverityWarning, "in place of an address", "", "names"},
		{"EC/name/with-port", "cert-bad-name", inspect.SeverityWarning, "no domain name", "", "names"},
		{"EC/authority/not-permitted", "cert-wrong-usage", inspect.SeverityError, "may not issue for a name", "not permitted", "constraints"},
		{"EC/authority/path-length", "cert-wrong-usage", inspect.SeverityError, "more authorities below", "", "pathlen"},
		{"EC/authority/no-basic-constraints", "cert-wrong-usage", inspect.SeverityError, "no authority", "", "CA:TRUE"},
		{"EC/authority/version-1", "cert-wrong-usage", inspect.SeverityError, "version 1", "", "version 3"},
		{"EC/authority/no-cert-sign", "cert-wrong-usage", inspect.SeverityError, "may not sign", "", "keyCertSign"},
		{"EC/authority/client-only", "cert-wrong-usage", inspect.SeverityError, "may not issue for servers", "", "extendedKeyUsage"},
		{"EC/leaf/ca-as-leaf", "cert-wrong-usage", inspect.SeverityWarning, "an authority's", "refused by Firefox", "CA:FALSE"},
		{"EC/leaf/crl-sign-only", "cert-wrong-usage", inspect.SeverityError, "key usage", "", "digitalSignature"},
		{"EC/leaf/client-only", "cert-wrong-usage", inspect.SeverityError, "not meant for servers", "", "serverAuth"},
		{"EC/leaf/any-usage", "cert-wrong-usage", inspect.SeverityWarning, "it allows any", "", "serverAuth"},
		{"EC/name/address-of-mapped-form", "cert-bad-name", inspect.SeverityWarning, "IPv4 address", "GnuTLS", "names"},
		{"EC/leaf/critical-extension", "cert-malformed", inspect.SeverityError, "critical extension", "", "issued anew"},
		{"EC/name/u-label", "cert-malformed", inspect.SeverityError, "alternative names", "refused by Go", "issued anew"},
		{"EC/shape/issuing-twice", "chain-unrelated-certificate", inspect.SeverityWarning, "twice", "", "unrelated"},
		{"EC/name/common-name-only", "cert-name-mismatch", inspect.SeverityError, "no name that counts", "", siteName},
		{"EC/name/wildcard-too-deep", "cert-name-mismatch", inspect.SeverityError, "wildcard", "", "a.b.example.com"},
		{"EC/leaf/rsa-1024", "cert-weak-key", "", "too small", "OpenSSL", "new key"},
	}
}

func TestMatrixGivesTheRightFindings(t *testing.T) {
	pki := certstest.NewAt(t, noon)
	chains := map[string]*certstest.Case{}
	for _, c := range pki.Matrix() {
		chains[c.Name] = c
	}
	for _, tt := range matrixCases() {
		t.Run(tt.chain+" "+tt.id, func(t *testing.T) {
			x := chains[tt.chain]
			if x == nil {
				t.Fatal("not in the matrix")
			}
			c := behind(x.Presented, func(c *inspect.Connection) { c.BackendLeg.ServerName = x.Asked })
			(&Diagnoser{Roots: x.Pool()}).Diagnose(c)
			for _, f := range c.Findings {
				if f.ID != tt.id {
					continue
				}
				first := f.Fixes[0].Action + " " + f.Fixes[0].Snippet
				if tt.severity != "" && f.Severity != tt.severity || !strings.Contains(f.Title, tt.title) || !strings.Contains(f.Detail, tt.detail) || !strings.Contains(first, tt.fix) {
					t.Errorf("%s %s: %s; first fix %q; want %+v", f.Severity, f.Title, f.Detail, first, tt)
				}
				return
			}
			t.Errorf("no %s among %+v", tt.id, c.Findings)
		})
	}
	for name, x := range chains {
		c := behind(x.Presented, func(c *inspect.Connection) { c.BackendLeg.ServerName = x.Asked })
		(&Diagnoser{Roots: x.Pool()}).Diagnose(c)
		invariants(t, c)
		if len(x.Faults) == 0 && !strings.HasSuffix(name, "/must-staple") && c.Verdict != inspect.OK {
			t.Errorf("%s: nothing is wrong, and the verdict is %s for %s", name, c.Verdict, c.Cause)
		}
	}
}
