package main

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// presenting serves chains, one for each kind of key.
func presenting(t *testing.T, chains ...*tls.Certificate) (port string) {
	t.Helper()
	config := &tls.Config{}
	for _, c := range chains {
		config.Certificates = append(config.Certificates, *c)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(20 * time.Second))
				_, _ = c.Read(make([]byte, 1024))
				_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
			}()
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// TestScanLooksIntoRevocation: a list is asked for when that is wanted, and only from whom it is allowed to ask.
func TestScanLooksIntoRevocation(t *testing.T) {
	pki := certstest.New(t)
	var list []byte
	var asked atomic.Int32
	authority := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Write(list)
	}))
	defer authority.Close()
	host := strings.TrimPrefix(authority.URL, "http://")
	leaf := pki.Issue(pki.Intermediate, certs.Template{
		Names: []string{"www.example.com"}, NotBefore: pki.Now.AddDate(0, -1, 0), NotAfter: pki.Now.AddDate(0, 11, 0), CRLDistributionPoints: []string{authority.URL + "/list.crl"},
	})
	revoke := func(serial *big.Int) []byte {
		der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
			Number: big.NewInt(1), ThisUpdate: pki.Now.Add(-time.Hour), NextUpdate: pki.Now.Add(time.Hour),
			RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: serial, RevocationTime: pki.Now.Add(-2 * time.Hour), ReasonCode: 1}},
		}, pki.Intermediate.Certificate, pki.Intermediate.Key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	port := presenting(t, leaf.TLSWith(pki.Intermediate.Certificate))
	scan := func(serial *big.Int, more ...string) *scanned {
		list = revoke(serial)
		return scanOnce(t, append([]string{"127.0.0.1:" + port, "--sni", "www.example.com", "--ca", pki.WriteRoot(t)}, more...)...)
	}
	revoked := func(s *scanned) bool { return s.Cause == "cert-revoked" }
	if s := scan(leaf.Certificate.SerialNumber); revoked(s) || asked.Load() != 0 {
		t.Errorf("without being told to: %d requests, cause %s", asked.Load(), s.Cause)
	}
	if s := scan(leaf.Certificate.SerialNumber, "--revocation", "check"); revoked(s) || asked.Load() != 0 {
		t.Errorf("of a loopback address that nobody allowed: %d requests, cause %s", asked.Load(), s.Cause)
	}
	if s := scan(leaf.Certificate.SerialNumber, "--revocation", "check", "--revocation-host", host); !revoked(s) || s.Verdict != "failed" {
		t.Errorf("revoked: %d requests, cause %s, findings %v", asked.Load(), s.Cause, s.Findings)
	}
	if s := scan(big.NewInt(4711), "--revocation", "check", "--revocation-host", host); revoked(s) || s.Verdict == "failed" {
		t.Errorf("another one is revoked: cause %s, findings %v", s.Cause, s.Findings)
	}
}

// TestScanFetchesWhatLacks: an intermediate that is not sent is fetched when that is wanted.
func TestScanFetchesWhatLacks(t *testing.T) {
	pki := certstest.New(t)
	var asked atomic.Int32
	authority := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Write(pki.Intermediate.Certificate.Raw)
	}))
	defer authority.Close()
	leaf := pki.Issue(pki.Intermediate, certs.Template{
		Names: []string{"www.example.com"}, NotBefore: pki.Now.AddDate(0, -1, 0), NotAfter: pki.Now.AddDate(0, 11, 0), IssuingCertificateURL: []string{authority.URL + "/i.cer"},
	})
	port := presenting(t, leaf.TLSWith())
	detail := func(more ...string) string {
		s := scanOnce(t, append([]string{"127.0.0.1:" + port, "--sni", "www.example.com", "--ca", pki.WriteRoot(t)}, more...)...)
		if s.Cause != "chain-missing-intermediate" {
			t.Fatalf("cause %s, findings %v", s.Cause, s.Findings)
		}
		return s.Findings[0].Detail
	}
	if said := detail(); strings.Contains(said, "send: ") || asked.Load() != 0 {
		t.Errorf("without being told to: %d requests: %s", asked.Load(), said)
	}
	if said := detail("--fetch-intermediates", "--revocation-host", strings.TrimPrefix(authority.URL, "http://")); !strings.Contains(said, "send: ") || asked.Load() == 0 {
		t.Errorf("%d requests: %s", asked.Load(), said)
	}
}

// TestScanJudgesEveryCertificate: one of two is expired, and it is said which.
func TestScanJudgesEveryCertificate(t *testing.T) {
	pki := certstest.New(t)
	good := pki.Leaf("www.example.com")
	old := pki.Issue(pki.Intermediate, certs.Template{Names: []string{"www.example.com"}, Key: certs.RSA2048, NotBefore: pki.Now.AddDate(-1, 0, 0), NotAfter: pki.Now.AddDate(0, 0, -1)})
	port := presenting(t, good.TLSWith(pki.Intermediate.Certificate), old.TLSWith(pki.Intermediate.Certificate))
	s := scanOnce(t, "127.0.0.1:"+port, "--sni", "www.example.com", "--ca", pki.WriteRoot(t))
	i := slices.IndexFunc(s.Findings, hasID("cert-expired"))
	if i < 0 || s.Verdict != "failed" || !strings.Contains(s.Findings[i].Detail, "RSA certificate") {
		t.Errorf("verdict %s, findings %+v", s.Verdict, s.Findings)
	}
}

func hasID(id string) func(f inspect.Finding) bool {
	return func(f inspect.Finding) bool { return f.ID == id }
}
