package certfile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
)

func TestReadTellsTheKindOfKey(t *testing.T) {
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	onCurve := func(c elliptic.Curve) crypto.Signer {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	for want, key := range map[policy.CertificateType]crypto.Signer{
		policy.CertRSA: rsaKey, policy.CertEd25519: ed,
		policy.CertECDSAP256: onCurve(elliptic.P256()), policy.CertECDSAP384: onCurve(elliptic.P384()), policy.CertECDSAP521: onCurve(elliptic.P521()),
	} {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"a.example", "*.b.example"}}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		file := append([]byte("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
		l, err := Read(file)
		if err != nil || l.Type != want {
			t.Fatalf("got %+v, %v; want %s", l, err, want)
		}
		if !l.Covers("A.example") || !l.Covers("x.b.example") || l.Covers("x.y.b.example") || l.Covers("b.example") {
			t.Error("names are not covered as the certificate says")
		}
	}
	for _, text := range []string{"", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		if l, err := Read([]byte(text)); err == nil {
			t.Errorf("%q: got %+v, want an error", text, l)
		}
	}
}
