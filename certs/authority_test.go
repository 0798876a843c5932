package certs_test

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
)

func newAuthority(t *testing.T, o certs.AuthorityOptions) *certs.Authority {
	t.Helper()
	a, err := certs.NewAuthority(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestOpenAuthorityMakesItOnceWithPrivateModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "ca")
	a, created, err := certs.OpenAuthority(dir, certs.AuthorityOptions{})
	if err != nil || !created {
		t.Fatal(created, err)
	}
	if runtime.GOOS != "windows" {
		for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "ca.key"): 0o600, filepath.Join(dir, "ca.pem"): 0o644} {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); got != want {
				t.Errorf("%s: mode %04o, want %04o", path, got, want)
			}
		}
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 2 {
		t.Errorf("%d files in %v, want 2", len(entries), entries)
	}
	b, created, err := certs.OpenAuthority(dir, certs.AuthorityOptions{})
	if err != nil || created {
		t.Fatal(created, err)
	}
	if a.Fingerprint() != b.Fingerprint() || len(a.Fingerprint()) != 64 {
		t.Errorf("%s became %s", a, b)
	}
	c := a.Certificate()
	if years := c.NotAfter.Sub(c.NotBefore).Hours() / 24 / 365; !c.IsCA || years < 9.9 || years > 10.1 {
		t.Errorf("CA %v for %.1f years", c.IsCA, years)
	}
	leaf, err := b.Leaf([]string{"a.example"})
	if err != nil {
		t.Fatal(err)
	}
	if err := verifies(leaf, a.Certificate(), "a.example"); err != nil {
		t.Error(err)
	}
	var fe *certs.FileError
	if _, err := certs.CreateAuthority(dir, certs.AuthorityOptions{}); !errors.As(err, &fe) || fe.Problem != certs.Exists {
		t.Errorf("an authority was overwritten: %v", err)
	}
}

func TestOpenAuthorityAtOnceAgreesOnOne(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	prints := make([]string, 8)
	for i := range prints {
		wg.Go(func() {
			a, _, err := certs.OpenAuthority(dir, certs.AuthorityOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			prints[i] = a.Fingerprint()
		})
	}
	wg.Wait()
	if len(slices.Compact(prints)) != 1 {
		t.Errorf("several authorities: %v", prints)
	}
}

func TestLoadAuthorityRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil   func(dir string) error
		problem certs.Problem
		says    string
	}{
		"readable by the group": {func(dir string) error { return os.Chmod(filepath.Join(dir, "ca.key"), 0o640) }, certs.LoosePermission, "chmod 600"},
		"readable by all":       {func(dir string) error { return os.Chmod(filepath.Join(dir, "ca.key"), 0o604) }, certs.LoosePermission, "chmod 600"},
		"key gone":              {func(dir string) error { return os.Remove(filepath.Join(dir, "ca.key")) }, certs.Unreadable, "no such file"},
		"certificate empty":     {func(dir string) error { return os.WriteFile(filepath.Join(dir, "ca.pem"), nil, 0o644) }, certs.Empty, "empty"},
		"key cut off":           {func(dir string) error { return os.Truncate(filepath.Join(dir, "ca.key"), 60) }, certs.Garbled, "cut off"},
		"no authority": {func(dir string) error {
			p, err := certs.SelfSign(certs.Template{Names: []string{"leaf.example"}})
			if err != nil {
				return err
			}
			key, err := p.KeyPEM()
			return errors.Join(err, os.WriteFile(filepath.Join(dir, "ca.key"), key, 0o600), os.WriteFile(filepath.Join(dir, "ca.pem"), certs.EncodePEM(p.Certificate), 0o644))
		}, certs.NotAuthority, "leaf.example"},
		"expired": {func(dir string) error {
			p, err := certs.SelfSign(certs.Template{CommonName: "old", CA: true, NotAfter: time.Now().Add(-time.Minute)})
			if err != nil {
				return err
			}
			key, err := p.KeyPEM()
			return errors.Join(err, os.WriteFile(filepath.Join(dir, "ca.key"), key, 0o600), os.WriteFile(filepath.Join(dir, "ca.pem"), certs.EncodePEM(p.Certificate), 0o644))
		}, certs.NotAuthority, "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.problem == certs.LoosePermission && runtime.GOOS == "windows" {
				t.Skip("permissions are not in the mode on Windows")
			}
			dir := t.TempDir()
			if _, err := certs.CreateAuthority(dir, certs.AuthorityOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := tt.spoil(dir); err != nil {
				t.Fatal(err)
			}
			_, created, err := certs.OpenAuthority(dir, certs.AuthorityOptions{})
			var fe *certs.FileError
			if !errors.As(err, &fe) || created || fe.Problem != tt.problem || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("created %v, %v; want %s … %s", created, err, tt.problem, tt.says)
			}
		})
	}
}

func TestOpenAuthorityFinishesWhatACrashLeft(t *testing.T) {
	dir := t.TempDir()
	a, err := certs.CreateAuthority(dir, certs.AuthorityOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "ca.pem")); err != nil { // the key is written first
		t.Fatal(err)
	}
	b, created, err := certs.OpenAuthority(dir, certs.AuthorityOptions{})
	if err != nil || !created {
		t.Fatal(created, err)
	}
	if !a.Certificate().PublicKey.(*ecdsa.PublicKey).Equal(b.Certificate().PublicKey) {
		t.Error("the key was not kept")
	}
}

func TestLeafNames(t *testing.T) {
	a := newAuthority(t, certs.AuthorityOptions{})
	leaf, err := a.Leaf([]string{"API.example.com.", "www.example.com", "192.0.2.7", "bad name", "api.example.com", "*.w.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"api.example.com", "www.example.com", "192.0.2.7", "any.w.example.com"} {
		if err := verifies(leaf, a.Certificate(), name); err != nil {
			t.Error(err)
		}
	}
	if got := len(leaf.Leaf.DNSNames); got != 3 {
		t.Errorf("names %v", leaf.Leaf.DNSNames)
	}
	for _, bad := range []string{"", ".", "..", "a..b", "a b", "a\x00b", "a/b", "-a", "a-", "*", "a.*.b", "exämple.com", strings.Repeat("a", 64) + ".com", strings.Repeat("a.", 130) + "com", "user@host", "host:443", "fe80::1%eth0"} {
		if _, err := a.Leaf([]string{bad}); !errors.Is(err, certs.ErrServerName) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, good := range []string{"localhost", "a", "_dmarc.example.com", "xn--exmple-cua.com", "::1", "[::1]", "127.0.0.1", strings.Repeat("a", 63) + "." + strings.Repeat("b", 63) + "." + strings.Repeat("c", 63)} {
		if leaf, err := a.Leaf([]string{good}); err != nil {
			t.Error(err)
		} else if err := verifies(leaf, a.Certificate(), strings.Trim(good, "[]")); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	many := []string{"first.example"}
	for i := range 500 {
		many = append(many, fmt.Sprintf("n%d.example", i))
	}
	if leaf, err := a.Leaf(many); err != nil || len(leaf.Leaf.DNSNames) != 100 || leaf.Leaf.DNSNames[0] != "first.example" {
		t.Errorf("%v: %d names", err, len(leaf.Leaf.DNSNames))
	}
}

func TestLeafIsMintedOnceAndTheCacheIsBounded(t *testing.T) {
	a := newAuthority(t, certs.AuthorityOptions{CacheSize: 4})
	leaves := make([]*tls.Certificate, 50)
	var wg sync.WaitGroup
	for i := range leaves {
		wg.Go(func() {
			var err error
			if leaves[i], err = a.Leaf([]string{"same.example"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(slices.Compact(leaves)) != 1 {
		t.Error("one name was minted several times")
	}
	for i := range 4 {
		if _, err := a.Leaf([]string{fmt.Sprintf("n%d.example", i)}); err != nil {
			t.Fatal(err)
		}
	}
	again, err := a.Leaf([]string{"same.example"})
	if err != nil || again == leaves[0] {
		t.Errorf("the oldest leaf was kept beyond the bound: %v", err)
	}
	kept, err := a.Leaf([]string{"n3.example"})
	if last, _ := a.Leaf([]string{"n3.example"}); err != nil || last != kept {
		t.Error("a recent leaf was not kept")
	}
}

func TestLeafValidity(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	clock := now
	a := newAuthority(t, certs.AuthorityOptions{Now: func() time.Time { return clock }, Validity: 100 * 24 * time.Hour})
	mint := func() *tls.Certificate {
		leaf, err := a.Leaf([]string{"a.example"})
		if err != nil {
			t.Fatal(err)
		}
		return leaf
	}
	first := mint()
	if x := first.Leaf; !x.NotBefore.Equal(now.Add(-time.Hour)) || !x.NotAfter.Equal(now.Add(90*24*time.Hour)) {
		t.Errorf("valid from %v to %v, now %v", x.NotBefore, x.NotAfter, now)
	}
	if x := first.Leaf; x.SerialNumber.BitLen() < 64 || x.IsCA || !slices.Equal(x.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) {
		t.Errorf("serial %v, CA %v, usage %v", x.SerialNumber, x.IsCA, x.ExtKeyUsage)
	}
	clock = now.Add(80 * 24 * time.Hour)
	if mint() != first {
		t.Error("renewed too early")
	}
	clock = now.Add(89*24*time.Hour + time.Minute)
	second := mint()
	if second == first {
		t.Error("a leaf about to expire was served")
	}
	if !second.Leaf.NotAfter.Equal(a.Certificate().NotAfter) {
		t.Errorf("the leaf outlives its authority: %v after %v", second.Leaf.NotAfter, a.Certificate().NotAfter)
	}
	clock = now.Add(100*24*time.Hour - time.Minute)
	if mint() != second {
		t.Error("a leaf that ends with its authority is minted again and again")
	}
}

func TestAuthorityGetCertificate(t *testing.T) {
	a := newAuthority(t, certs.AuthorityOptions{})
	named, err := a.GetCertificate(modern("a.example"))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := named.Leaf.PublicKey.(*ecdsa.PublicKey); !ok || verifies(named, a.Certificate(), "a.example") != nil {
		t.Errorf("%T for %v", named.Leaf.PublicKey, named.Leaf.DNSNames)
	}
	one, err := a.GetCertificate(legacy("a.example"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := a.GetCertificate(legacy("b.example"))
	if err != nil {
		t.Fatal(err)
	}
	key, ok := one.Leaf.PublicKey.(*rsa.PublicKey)
	if !ok || key.N.BitLen() != 2048 || !key.Equal(two.Leaf.PublicKey) {
		t.Errorf("a client without ECDSA got %T", one.Leaf.PublicKey)
	}
	if err := verifies(two, a.Certificate(), "b.example"); err != nil {
		t.Error(err)
	}
	hello := modern("")
	hello.Conn = boundConn{at: &net.TCPAddr{IP: net.ParseIP("192.0.2.4"), Port: 443}}
	if c, err := a.GetCertificate(hello); err != nil || verifies(c, a.Certificate(), "192.0.2.4") != nil {
		t.Errorf("without SNI: %v", err)
	}
	b := newAuthority(t, certs.AuthorityOptions{Default: "default.example"})
	if c, err := b.GetCertificate(hello); err != nil || verifies(c, b.Certificate(), "default.example") != nil {
		t.Errorf("without SNI, with a default: %v", err)
	}
	if _, err := a.GetCertificate(modern("a b")); !errors.Is(err, certs.ErrServerName) {
		t.Errorf("%v", err)
	}
	mirrored, err := a.GetCertificateFor(modern("a.example"), []string{"other.example"})
	if err != nil || verifies(mirrored, a.Certificate(), "other.example") != nil || verifies(mirrored, a.Certificate(), "a.example") != nil {
		t.Errorf("mirrored names: %v", err)
	}
}

func TestOpenSSLAcceptsMintedLeaves(t *testing.T) {
	a := newAuthority(t, certs.AuthorityOptions{})
	address := serve(t, &tls.Config{GetCertificate: a.GetCertificate, MinVersion: tls.VersionTLS12})
	root := write(t, t.TempDir(), "ca.pem", a.CertificatePEM())
	for name, args := range map[string][]string{
		"TLS 1.3":               {"-tls1_3"},
		"TLS 1.2":               {"-tls1_2"},
		"RSA only":              {"-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"},
		"RSA signatures only":   {"-tls1_3", "-sigalgs", "RSA-PSS+SHA256"},
		"strict X.509 checking": {"-x509_strict"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := openssl(t, append([]string{"s_client", "-connect", address, "-servername", "api.example.com", "-verify_hostname", "api.example.com",
				"-CAfile", root, "-verify_return_error", "-brief"}, args...)...)
			if err != nil || !strings.Contains(out, "Verification: OK") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	out, err := openssl(t, "s_client", "-connect", address, "-noservername", "-verify_ip", "127.0.0.1", "-CAfile", root, "-verify_return_error", "-brief")
	if err != nil || !strings.Contains(out, "Verification: OK") {
		t.Errorf("without SNI: %v\n%s", err, out)
	}
}

func BenchmarkGetCertificateCached(b *testing.B) {
	a, err := certs.NewAuthority(certs.AuthorityOptions{})
	if err != nil {
		b.Fatal(err)
	}
	hello := modern("api.example.com")
	for b.Loop() {
		if _, err := a.GetCertificate(hello); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLeafMinted(b *testing.B) {
	a, err := certs.NewAuthority(certs.AuthorityOptions{})
	if err != nil {
		b.Fatal(err)
	}
	i := 0
	for b.Loop() {
		i++
		if _, err := a.Leaf([]string{fmt.Sprintf("n%d.example", i)}); err != nil {
			b.Fatal(err)
		}
	}
}

// An authority that is itself below the company's root: the leaf brings it along, and clients that trust that root accept it.
func TestAuthorityBelowAnother(t *testing.T) {
	p := certstest.New(t)
	dir := t.TempDir()
	key, err := p.Issuing.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, certs.AuthorityKeyFile, key)
	write(t, dir, certs.AuthorityCertificateFile, certs.EncodePEM(p.Issuing.Certificate, p.Intermediate.Certificate, p.Root.Certificate))
	a, err := certs.LoadAuthority(dir, certs.AuthorityOptions{})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := a.Leaf([]string{"a.example"})
	if err != nil {
		t.Fatal(err)
	}
	if err := verifies(leaf, p.Root.Certificate, "a.example"); err != nil || len(leaf.Certificate) != 3 {
		t.Errorf("%d certificates: %v", len(leaf.Certificate), err)
	}
}
