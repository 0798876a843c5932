package certstest

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"github.com/tlstriage/tlstriage/certs"
)

// WriteFiles writes chain.pem (all that is presented) and key.pem into a new temporary directory, for programs that read
// their certificates from files.
func (c *Chain) WriteFiles(tb testing.TB) (certFile, keyFile string) {
	tb.Helper()
	key, err := c.Leaf.KeyPEM()
	if err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	certFile, keyFile = filepath.Join(dir, "chain.pem"), filepath.Join(dir, "key.pem")
	WriteFile(tb, certFile, certs.EncodePEM(c.Presented...))
	WriteFile(tb, keyFile, key)
	return certFile, keyFile
}

// WriteCombined writes the chain and the key into one file, as HAProxy wants them.
func (c *Chain) WriteCombined(tb testing.TB) string {
	tb.Helper()
	key, err := c.Leaf.KeyPEM()
	if err != nil {
		tb.Fatal(err)
	}
	file := filepath.Join(tb.TempDir(), "combined.pem")
	WriteFile(tb, file, append(certs.EncodePEM(c.Presented...), key...))
	return file
}

// WriteRoot writes the trusted root into a file.
func (p *PKI) WriteRoot(tb testing.TB) string {
	tb.Helper()
	return WriteCertificates(tb, p.Root.Certificate)
}

// WriteCertificates writes certificates into a file of a new temporary directory.
func WriteCertificates(tb testing.TB, list ...*x509.Certificate) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "certificates.pem")
	WriteFile(tb, file, certs.EncodePEM(list...))
	return file
}

// WriteFile writes a file that only its owner may read.
func WriteFile(tb testing.TB, file string, data []byte) {
	tb.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		tb.Fatal(err)
	}
}
