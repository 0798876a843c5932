package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"strings"
)

// MaxFileBytes bounds what is read of one file. The largest CA bundles in use have a quarter of a megabyte.
const MaxFileBytes = 8 << 20

// LoadKeyPair reads a certificate chain (leaf first) and its private key from PEM files; both may be the same file, as
// HAProxy keeps them. The returned certificate has its Leaf set. Errors are *FileError.
func LoadKeyPair(certFile, keyFile string) (*tls.Certificate, error) {
	certData, err := readFile(certFile)
	if err != nil {
		return nil, err
	}
	keyData := certData
	if keyFile != certFile {
		if keyData, err = readFile(keyFile); err != nil {
			return nil, err
		}
	}
	if keyFile != certFile && holdsOnlyKey(certData) && holdsCertificate(keyData) {
		return nil, problem(certFile, Swapped, "this is a private key, and %s holds the certificate: the two are swapped", keyFile)
	}
	chain, err := parseCertificates(certFile, certData, keyFile == certFile)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(keyFile, keyData)
	if err != nil {
		return nil, err
	}
	pub, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !pub.Equal(chain[0].PublicKey) {
		return nil, mismatch(certFile, keyFile, chain, key)
	}
	t := &tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, c := range chain {
		t.Certificate = append(t.Certificate, c.Raw)
	}
	return t, nil
}

// mismatch explains a key that is not the first certificate's: often the chain is only in the wrong order.
func mismatch(certFile, keyFile string, chain []*x509.Certificate, key crypto.Signer) error {
	for i, c := range chain[1:] {
		if pub, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); ok && pub.Equal(c.PublicKey) {
			return problem(certFile, KeyMismatch, "the key in %s belongs to certificate %d (%s) of this file; the server's own certificate must come first", keyFile, i+2, commonName(c))
		}
	}
	return problem(keyFile, KeyMismatch, "this key (%s) does not belong to the certificate of %s (%s, %s)", keyText(key.Public()), certFile, commonName(chain[0]), keyText(chain[0].PublicKey))
}

// LoadCABundle reads the certificates of a PEM file as a pool, and as a list in the file's order. A file that is missing, empty or
// garbled is an error, and so is one bad certificate among good ones: it never means "no checks".
func LoadCABundle(file string) (*x509.CertPool, []*x509.Certificate, error) {
	list, err := LoadCertificates(file)
	if err != nil {
		return nil, nil, err
	}
	pool := x509.NewCertPool()
	for _, c := range list {
		pool.AddCert(c)
	}
	return pool, list, nil
}

// LoadCertificates reads the certificates of a PEM file in order; private keys in it are passed over. Errors are *FileError.
func LoadCertificates(file string) ([]*x509.Certificate, error) {
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	return parseCertificates(file, data, true)
}

// readFile reads a bounded file.
func readFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, unreadable(file, err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, problem(file, Unreadable, "this is a directory")
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err != nil {
		return nil, unreadable(file, err)
	}
	if len(data) > MaxFileBytes {
		return nil, problem(file, TooLarge, "larger than %d bytes", MaxFileBytes)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, problem(file, Empty, "the file is empty")
	}
	return data, nil
}

// blocks parts PEM blocks; left is what follows the last one that can be read.
func blocks(data []byte) (list []*pem.Block, left []byte) {
	for {
		b, rest := pem.Decode(data)
		if b == nil {
			return list, data
		}
		list, data = append(list, b), rest
	}
}

func isKeyBlock(b *pem.Block) bool { return strings.HasSuffix(b.Type, "PRIVATE KEY") }

func isCertificateBlock(b *pem.Block) bool {
	return b.Type == "CERTIFICATE" || b.Type == "X509 CERTIFICATE" || b.Type == "TRUSTED CERTIFICATE"
}

func holdsOnlyKey(data []byte) bool {
	list, _ := blocks(data)
	key := false
	for _, b := range list {
		key = key || isKeyBlock(b)
		if isCertificateBlock(b) {
			return false
		}
	}
	return key
}

func holdsCertificate(data []byte) bool {
	list, _ := blocks(data)
	for _, b := range list {
		if isCertificateBlock(b) {
			return true
		}
	}
	return false
}

// parseCertificates reads every certificate of a PEM file. With keys, private keys may stand among them.
func parseCertificates(file string, data []byte, keys bool) ([]*x509.Certificate, error) {
	list, left := blocks(data)
	if len(list) == 0 {
		return nil, notPEM(file, data)
	}
	if bytes.Contains(left, []byte("-----BEGIN")) {
		return nil, problem(file, Garbled, "after %d PEM blocks comes one that cannot be read: cut off, or its text damaged", len(list))
	}
	var out []*x509.Certificate
	for i, b := range list {
		switch {
		case b.Type == "EC PARAMETERS" || b.Type == "DH PARAMETERS":
			continue
		case isKeyBlock(b):
			if keys {
				continue
			}
			return nil, problem(file, WrongBlock, "block %d is a %s, where only certificates belong", i+1, b.Type)
		case b.Type == "TRUSTED CERTIFICATE":
			return nil, problem(file, WrongBlock, "block %d is an OpenSSL TRUSTED CERTIFICATE; write it as a plain one with: openssl x509 -in FILE -out FILE", i+1)
		case !isCertificateBlock(b):
			return nil, problem(file, WrongBlock, "block %d is a %q, not a CERTIFICATE", i+1, clip(b.Type))
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, problem(file, Garbled, "block %d is no readable certificate: %w", i+1, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, problem(file, WrongBlock, "there is a private key, but no certificate")
	}
	return out, nil
}

// notPEM says what a file without a PEM block is instead, where that can be told.
func notPEM(file string, data []byte) error {
	if _, err := x509.ParseCertificates(data); err == nil {
		return problem(file, NotPEM, "this is a certificate in binary (DER) form; write it as PEM with: openssl x509 -inform DER -in FILE -out FILE")
	}
	if bytes.Contains(data, []byte("-----BEGIN")) {
		return problem(file, Garbled, "the PEM block cannot be read: cut off, or its text damaged")
	}
	if data[0] == 0x30 {
		return problem(file, NotPEM, "binary data (PKCS #12 or another DER form), not PEM")
	}
	return problem(file, NotPEM, "no PEM block: nothing begins with -----BEGIN")
}

// parseKey reads the one private key of a PEM file.
func parseKey(file string, data []byte) (crypto.Signer, error) {
	list, _ := blocks(data)
	if len(list) == 0 {
		return nil, notPEM(file, data)
	}
	for _, b := range list {
		if !isKeyBlock(b) {
			continue
		}
		if b.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(b.Headers["Proc-Type"], "ENCRYPTED") {
			return nil, problem(file, Encrypted, "the private key is encrypted with a passphrase; decrypt it with: openssl pkey -in FILE -out FILE")
		}
		key, err := parseKeyDER(b)
		if err != nil {
			return nil, problem(file, Garbled, "the %s cannot be read: %w", b.Type, err)
		}
		switch key := key.(type) {
		case *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey:
			return key.(crypto.Signer), nil
		}
		return nil, problem(file, UnsupportedKey, "a key of kind %T cannot sign TLS handshakes", key)
	}
	if holdsCertificate(data) {
		return nil, problem(file, WrongBlock, "this is a certificate, not a private key")
	}
	return nil, problem(file, WrongBlock, "block 1 is a %q, not a private key", clip(list[0].Type))
}

// parseKeyDER reads a key by the kind of its block, and by the others' where the block lies about its kind.
func parseKeyDER(b *pem.Block) (any, error) {
	key, err := x509.ParsePKCS8PrivateKey(b.Bytes)
	if err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(b.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(b.Bytes); err == nil {
		return key, nil
	}
	return nil, err
}

// keyText is a public key in words.
func keyText(pub any) string {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d bits", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return fmt.Sprintf("%T", pub)
}

// commonName is what to call a certificate in an error.
func commonName(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return clip(c.Subject.CommonName)
	}
	if len(c.DNSNames) > 0 {
		return clip(c.DNSNames[0])
	}
	return clip(c.Subject.String())
}

// clip bounds a string that comes from a file.
func clip(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}
