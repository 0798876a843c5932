package inspect

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"testing"
)

// TestKeysThatCryptoX509DoesNotReadAreNamed: by what they are called, and with their size.
func TestKeysThatCryptoX509DoesNotReadAreNamed(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), SignatureAlgorithm: x509.SHA256WithRSA}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	rsaEncryption, pss := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1}, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10}
	for _, c := range []struct {
		der  []byte
		want string
	}{{der, "RSA"}, {bytes.Replace(der, rsaEncryption, pss, 1), "RSASSA-PSS"}} {
		if d := DescribeCertificate(c.der); d.PublicKeyAlgorithm != c.want || d.PublicKeySize != 2048 {
			t.Errorf("%s with %d bits (%s), want %s with 2048", d.PublicKeyAlgorithm, d.PublicKeySize, d.Error, c.want)
		}
	}
}
