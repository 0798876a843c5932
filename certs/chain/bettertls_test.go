package chain_test

import (
	"crypto/x509"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/chain"
)

// betterTLSFile names the environment variable with the path of the BetterTLS cases (31 MB, made anew by each export):
//
//	go run github.com/Netflix/bettertls/test-suites/cmd/bettertls@v0.0.0-20250909192348-e1e99e353074 export-tests --out FILE
const betterTLSFile = "TLSTRIAGE_TEST_BETTERTLS"

// TestExamineAgreesWithCryptoX509OnBetterTLS holds the verdict on 9,572 chains with name constraints and forked paths against
// crypto/x509, and the reasons against the labels where the suite has one.
func TestExamineAgreesWithCryptoX509OnBetterTLS(t *testing.T) {
	file := os.Getenv(betterTLSFile)
	if file == "" {
		t.Skip(betterTLSFile + " is not set: the suite is not run")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var suites struct {
		TrustRoot []byte
		Suites    map[string]struct {
			TestCases []struct {
				ID           int
				Certificates [][]byte
				Hostname     string
				Required     []string `json:"requiredFeatures"`
				Expected     string
				Warning      bool `json:"failureIsWarning"`
			}
		}
	}
	if err := json.Unmarshal(data, &suites); err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(suites.TrustRoot)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	reasons := map[string]chain.FaultID{"INVALID_REASON_EXPIRED": chain.IntermediateExpired, "INVALID_REASON_NAME_CONSTRAINTS": chain.WrongUsage, "INVALID_REASON_BAD_EKU": chain.WrongUsage,
		"INVALID_REASON_MISSING_BASIC_CONSTRAINTS": chain.WrongUsage, "INVALID_REASON_NOT_A_CA": chain.WrongUsage, "INVALID_REASON_DEPRECATED_CRYPTO": chain.WeakSignature}
	cases, labelled := 0, 0
	for suite, s := range suites.Suites {
		for _, c := range s.TestCases {
			cases++
			r := chain.Examine(c.Certificates, chain.Options{Name: c.Hostname, Roots: roots, Time: root.NotBefore.Add(36 * time.Hour), ExpiringSoon: -1})
			if r.Valid != (r.Err == nil) {
				t.Errorf("%s %d (%v): valid %v, crypto/x509 says %v: %+v", suite, c.ID, c.Required, r.Valid, r.Err, r.Faults)
			}
			if !c.Warning && r.Valid != (c.Expected == "ACCEPT") {
				t.Errorf("%s %d (%v): valid %v, the suite says %s: %+v", suite, c.ID, c.Required, r.Valid, c.Expected, r.Faults)
			}
			if suite != "pathbuilding" || r.Valid {
				continue
			}
			for _, label := range c.Required {
				if id, ok := reasons[label]; ok {
					labelled++
					found := false
					for _, f := range r.Faults {
						found = found || f.ID == id && f.Fatal
					}
					if !found {
						t.Errorf("%s %d: %s is not found: %+v", suite, c.ID, label, r.Faults)
					}
				}
			}
		}
	}
	t.Logf("%d cases, %d with a label", cases, labelled)
	if cases < 9000 {
		t.Errorf("only %d cases: is this the suite?", cases)
	}
}
