package revocation_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/revocation"
)

var update = flag.Bool("update", false, "make the certificates and seeds of the fuzz targets anew")

// corpusTime is when the seeds of the fuzz targets are judged.
func corpusTime() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

// corpusPair are the certificates that the seeds are about. They lie in files: the processes of a fuzz run must agree on them, or no
// seed would be believed.
func corpusPair(t testing.TB) (leaf, issuer *x509.Certificate) {
	t.Helper()
	read := func(name string) *x509.Certificate {
		der, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	return read("leaf.der"), read("issuer.der")
}

// seeds are the corpora by fuzz target and name.
func seeds(t *testing.T, p *certstest.PKI, leaf *x509.Certificate) map[string]map[string][]byte {
	issuer, responder := p.Issuing.Certificate, delegate(p, p.Issuing)
	ocsp, lists := make(map[string][]byte), make(map[string][]byte)
	for _, said := range []revocation.Result{revocation.Good, revocation.Revoked, revocation.Unknown} {
		s, other := about(leaf, issuer, said, p.Now), about(issuer, p.Intermediate.Certificate, revocation.Good, p.Now)
		ocsp[string(said)] = response{by: p.Issuing, singles: []single{s}}.der(t)
		ocsp[string(said)+"-delegated"] = response{by: responder, byKey: true, nonce: []byte("0123456789abcdef"), certs: []*x509.Certificate{responder.Certificate}, singles: []single{other, s}}.der(t)
	}
	entry := x509.RevocationListEntry{SerialNumber: leaf.SerialNumber, RevocationTime: p.Now, ReasonCode: 1}
	ancient := x509.RevocationListEntry{SerialNumber: big.NewInt(1), RevocationTime: p.Now.AddDate(40, 0, 0)}
	lists["good"] = crl(t, p.Issuing, &x509.RevocationList{ThisUpdate: p.Now, NextUpdate: p.Now.Add(time.Hour), RevokedCertificateEntries: []x509.RevocationListEntry{ancient}})
	lists["revoked"] = crl(t, p.Issuing, &x509.RevocationList{ThisUpdate: p.Now, NextUpdate: p.Now.Add(time.Hour), RevokedCertificateEntries: []x509.RevocationListEntry{ancient, entry}})
	lists["good-empty"] = crl(t, p.Issuing, &x509.RevocationList{ThisUpdate: p.Now, NextUpdate: p.Now.Add(time.Hour)})
	lists["good-pem"] = pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: lists["good"]})
	return map[string]map[string][]byte{"FuzzVerifyOCSP": ocsp, "FuzzReadList": lists}
}

// The seeds are believed: a fuzzer that starts from refused ones would never see what lies behind the signature.
func TestFuzzSeedsAreBelieved(t *testing.T) {
	if *update {
		p := certstest.NewAt(t, corpusTime())
		leaf := p.Leaf(name).Certificate
		for target, files := range seeds(t, p, leaf) {
			dir := filepath.Join("testdata", "fuzz", target)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			for name, data := range files {
				if err := os.WriteFile(filepath.Join(dir, name), fmt.Appendf(nil, "go test fuzz v1\n[]byte(%q)\n", data), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		for name, c := range map[string]*x509.Certificate{"leaf.der": leaf, "issuer.der": p.Issuing.Certificate} {
			if err := os.WriteFile(filepath.Join("testdata", name), c.Raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	leaf, issuer := corpusPair(t)
	read := 0
	for _, target := range []string{"FuzzVerifyOCSP", "FuzzReadList"} {
		for _, said := range []revocation.Result{revocation.Good, revocation.Revoked, revocation.Unknown} {
			files, err := filepath.Glob(filepath.Join("testdata", "fuzz", target, string(said)+"*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				_, quoted, _ := bytes.Cut(text, []byte("[]byte("))
				var data []byte
				if _, err := fmt.Sscanf(string(quoted), "%q", &data); err != nil {
					t.Fatalf("%s: %v", file, err)
				}
				read++
				var a revocation.Answer
				if target == "FuzzVerifyOCSP" {
					a = revocation.VerifyOCSP(data, leaf, issuer, corpusTime(), revocation.Verification{})
				} else if l, err := revocation.ReadList(bytes.NewReader(data), 0); err != nil {
					t.Errorf("%s: %v", file, err)
				} else {
					a = l.Answer(leaf, issuer, corpusTime(), revocation.Verification{})
				}
				if a.Result != said {
					t.Errorf("%s: got %s (%s)", file, a.Result, a.Detail)
				}
			}
		}
	}
	if read != 10 {
		t.Errorf("%d seeds read, want 10", read)
	}
}
