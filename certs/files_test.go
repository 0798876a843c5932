package certs_test

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
)

func TestFilesChoose(t *testing.T) {
	p := certstest.New(t)
	dir := t.TempDir()
	rsa := func(names ...string) *certs.Pair {
		return p.Issue(p.Issuing, certs.Template{Names: names, Key: certs.RSA2048})
	}
	pairs := map[string]*certs.Pair{
		"default":     p.Leaf("default.example"),
		"exact":       p.Leaf("api.example.com"),
		"exact-rsa":   rsa("api.example.com"),
		"wild":        p.Leaf("*.example.com"),
		"default-rsa": rsa("default.example"),
		"cn-only":     p.Issue(p.Issuing, certs.Template{Names: []string{"old.example"}, NoSAN: true}),
	}
	var list []certs.KeyPairFiles
	for _, name := range []string{"default", "exact", "exact-rsa", "wild", "default-rsa", "cn-only"} {
		list = append(list, pairFiles(t, dir, name, pairs[name]))
	}
	f, err := certs.LoadFiles(list...)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		hello *tls.ClientHelloInfo
		want  string
	}{
		{"exact before wildcard", modern("api.example.com"), "exact"},
		{"case and trailing dot", modern("API.example.COM."), "exact"},
		{"RSA for a client without ECDSA", legacy("api.example.com"), "exact-rsa"},
		{"wildcard", modern("www.example.com"), "wild"},
		{"wildcard stands for one label", modern("a.www.example.com"), "default"},
		{"wildcard is not its parent", modern("example.com"), "default"},
		{"no SNI", modern(""), "default"},
		{"no SNI, no ECDSA", legacy(""), "default-rsa"},
		{"unknown name", modern("unknown.example"), "default"},
		{"unknown name, no ECDSA", legacy("unknown.example"), "default-rsa"},
		{"common name only", modern("old.example"), "cn-only"},
		{"nothing fits", legacy("www.example.com"), "wild"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := f.GetCertificate(tt.hello)
			if err != nil {
				t.Fatal(err)
			}
			if !got.Leaf.Equal(pairs[tt.want].Certificate) {
				t.Errorf("got the certificate for %v, want %s", got.Leaf.Subject, tt.want)
			}
		})
	}
	if !f.Covers("WWW.example.com") || f.Covers("unknown.example") || f.Covers("") {
		t.Error("Covers disagrees with the certificates")
	}
	if len(f.Certificates()) != 6 {
		t.Errorf("%d certificates", len(f.Certificates()))
	}
}

func TestLoadFilesSaysAllThatIsWrong(t *testing.T) {
	p := certstest.New(t)
	dir := t.TempDir()
	good := pairFiles(t, dir, "good", p.Leaf("a.example"))
	_, err := certs.LoadFiles(good, certs.KeyPairFiles{Cert: filepath.Join(dir, "x.pem"), Key: good.Key}, certs.KeyPairFiles{Cert: good.Cert, Key: filepath.Join(dir, "y.key")})
	if err == nil || !strings.Contains(err.Error(), "x.pem") || !strings.Contains(err.Error(), "y.key") {
		t.Errorf("%v", err)
	}
	if _, err := certs.LoadFiles(); err == nil {
		t.Error("no files were accepted")
	}
}

func TestReloadKeepsTheOldWhenTheNewIsWrong(t *testing.T) {
	p := certstest.New(t)
	dir := t.TempDir()
	old, renewed := p.Leaf("a.example"), p.Leaf("a.example")
	files := pairFiles(t, dir, "a", old)
	f, err := certs.LoadFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	serves := func(want *certs.Pair) {
		t.Helper()
		if c, err := f.GetCertificate(modern("a.example")); err != nil || !c.Leaf.Equal(want.Certificate) {
			t.Errorf("serves serial %v, want %v (%v)", c.Leaf.SerialNumber, want.Certificate.SerialNumber, err)
		}
	}
	write(t, dir, "a.pem", certs.EncodePEM(renewed.Chain()...)) // the key is still the old one
	var fe *certs.FileError
	if err := f.Reload(); !errors.As(err, &fe) || fe.Problem != certs.KeyMismatch {
		t.Errorf("%v", err)
	}
	serves(old)
	pairFiles(t, dir, "a", renewed)
	if err := f.Reload(); err != nil {
		t.Error(err)
	}
	serves(renewed)
	if err := os.Remove(files.Key); err != nil {
		t.Fatal(err)
	}
	if err := f.Reload(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	serves(renewed)
}

// watch starts Watch and returns what it reports.
func watch(t *testing.T, f *certs.Files) <-chan error {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	reports := make(chan error, 16)
	var wg sync.WaitGroup
	wg.Go(func() { f.Watch(ctx, func(err error) { reports <- err }) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	return reports
}

func next(t *testing.T, reports <-chan error) error {
	t.Helper()
	select {
	case err := <-reports:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("no reload was reported")
		return nil
	}
}

func TestWatch(t *testing.T) {
	p := certstest.New(t)
	// rename moves a finished file over the old one, as careful programs do.
	rename := func(t *testing.T, dir, name string, data []byte) {
		t.Helper()
		if err := os.Rename(write(t, dir, name+".new", data), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, poll := range map[string]time.Duration{"told of changes": time.Hour, "polling": 5 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			old, renewed := p.Leaf("a.example"), p.Leaf("a.example")
			files := pairFiles(t, dir, "a", old)
			f, err := certs.LoadFiles(files)
			if err != nil {
				t.Fatal(err)
			}
			f.Poll, f.Settle = poll, 20*time.Millisecond
			if name == "polling" {
				f.Settle = time.Hour // what is announced is never acted on
			}
			reports := watch(t, f)
			rename(t, dir, "a.pem", []byte("not a certificate"))
			if err := next(t, reports); err == nil {
				t.Error("a garbled certificate was taken")
			}
			if c, _ := f.GetCertificate(modern("a.example")); !c.Leaf.Equal(old.Certificate) {
				t.Error("the old certificate is gone")
			}
			key, err := renewed.KeyPEM()
			if err != nil {
				t.Fatal(err)
			}
			rename(t, dir, "a.key", key)
			rename(t, dir, "a.pem", certs.EncodePEM(renewed.Chain()...))
			for next(t, reports) != nil { // the key may be seen before its certificate
			}
			if c, _ := f.GetCertificate(modern("a.example")); !c.Leaf.Equal(renewed.Certificate) {
				t.Error("the new certificate is not served")
			}
		})
	}
}

// Kubernetes keeps a volume's files in a directory of its own behind the link ..data, and swaps the link.
func TestWatchFollowsAKubernetesVolume(t *testing.T) {
	p := certstest.New(t)
	dir := t.TempDir()
	old, renewed := p.Leaf("a.example"), p.Leaf("a.example")
	version := func(name string, pair *certs.Pair) {
		sub := filepath.Join(dir, name)
		if err := os.Mkdir(sub, 0o700); err != nil {
			t.Fatal(err)
		}
		pairFiles(t, sub, "tls", pair)
	}
	link := func(target, name string) {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skip("this system makes no symbolic links: " + err.Error())
		}
	}
	version("..2026_01", old)
	link("..2026_01", "..data")
	link(filepath.Join("..data", "tls.pem"), "tls.pem")
	link(filepath.Join("..data", "tls.key"), "tls.key")
	f, err := certs.LoadFiles(certs.KeyPairFiles{Cert: filepath.Join(dir, "tls.pem"), Key: filepath.Join(dir, "tls.key")})
	if err != nil {
		t.Fatal(err)
	}
	f.Poll, f.Settle = time.Hour, 20*time.Millisecond
	reports := watch(t, f)
	version("..2026_02", renewed)
	link("..2026_02", "..data_tmp")
	if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	if err := next(t, reports); err != nil {
		t.Fatal(err)
	}
	if c, _ := f.GetCertificate(modern("a.example")); !c.Leaf.Equal(renewed.Certificate) {
		t.Error("the new certificate is not served")
	}
}

func TestReloadUnderLoad(t *testing.T) {
	p := certstest.New(t)
	files := pairFiles(t, t.TempDir(), "a", p.Leaf("a.example"))
	f, err := certs.LoadFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if c, err := f.GetCertificate(modern("a.example")); err != nil || c == nil {
					t.Error(err)
				}
				if err := f.Reload(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestOpenSSLGetsTheCertificateThatItCanUse(t *testing.T) {
	p := certstest.New(t)
	dir := t.TempDir()
	ecdsa := p.Leaf("api.example.com")
	rsa := p.Issue(p.Issuing, certs.Template{Names: []string{"api.example.com"}, Key: certs.RSA2048})
	other := p.Leaf("other.example.com")
	f, err := certs.LoadFiles(pairFiles(t, dir, "other", other), pairFiles(t, dir, "ecdsa", ecdsa), pairFiles(t, dir, "rsa", rsa))
	if err != nil {
		t.Fatal(err)
	}
	address := serve(t, &tls.Config{GetCertificate: f.GetCertificate, MinVersion: tls.VersionTLS12})
	root := p.WriteRoot(t)
	for name, tt := range map[string]struct {
		args []string
		want *certs.Pair
		host string
	}{
		"TLS 1.3":      {[]string{"-servername", "api.example.com"}, ecdsa, "api.example.com"},
		"RSA only":     {[]string{"-servername", "api.example.com", "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"}, rsa, "api.example.com"},
		"RSA only 1.3": {[]string{"-servername", "api.example.com", "-tls1_3", "-sigalgs", "RSA-PSS+SHA256"}, rsa, "api.example.com"},
		"no SNI":       {[]string{"-noservername"}, other, "other.example.com"},
		"unknown SNI":  {[]string{"-servername", "unknown.example"}, other, "other.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := openssl(t, append([]string{"s_client", "-connect", address, "-CAfile", root, "-verify_hostname", tt.host, "-verify_return_error"}, tt.args...)...)
			if want := string(certs.EncodePEM(tt.want.Certificate)); err != nil || !strings.Contains(out, want) {
				t.Errorf("%v: not the certificate of %v\n%s", err, tt.want.Certificate.Subject, out)
			}
		})
	}
}
