package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"

	"fmt"
	"math/big"
	"net"
	"time"
)

// KeyKind is the kind of key made for a certificate.
type KeyKind int

// Kinds of key. The weak ones exist so that faulty certificates can be shown and tested.
const (
	ECDSAP256 KeyKind = iota // the default: what every client since TLS 1.2 can use, and cheap to make
	ECDSAP224
	ECDSAP384
	RSA2048
	RSA1024
)

// NewKey makes a key of the kind.
func NewKey(kind KeyKind) (crypto.Signer, error) {
	switch kind {
	case ECDSAP256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ECDSAP224:
		return ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	case ECDSAP384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case RSA1024:
		return rsa.GenerateKey(rand.Reader, 1024)
	}
	return nil, fmt.Errorf("certs: unknown kind of key %d", kind)
}

// Template says what certificate to issue. The zero value is a server certificate without a name, valid from an hour ago
// for 90 days.
type Template struct {
	CommonName   string   // subject common name; empty: the first of Names
	Organization string   // subject organisation; empty: none
	Names        []string // subject alternative names: DNS names (also wildcards) and IP addresses
	NoSAN        bool     // leave Names out of the subject alternative names: a certificate of the old form

	NotBefore time.Time // zero: an hour ago, for clients whose clock is behind
	NotAfter  time.Time // zero: 90 days after NotBefore for a leaf, ten years for a CA

	Key    KeyKind       // of the new key; ignored when Signer is set
	Signer crypto.Signer // an existing key to certify; nil: a new one is made

	CA         bool // a certificate authority
	MaxPathLen int  // CA: how many CAs may follow below; 0: no limit is stated, negative: none may

	Usages    []x509.ExtKeyUsage      // nil: server authentication for a leaf, none stated for a CA
	KeyUsage  x509.KeyUsage           // 0: what the kind of certificate and key needs
	Signature x509.SignatureAlgorithm // 0: SHA-256 with the issuer's key; SHA-1 is possible, MD5 is not

	IssuingCertificateURL []string // CA issuers in the authority information access
	OCSPServer            []string
	CRLDistributionPoints []string
	ExtraExtensions       []pkix.Extension
}

// Pair is a certificate with its key and the certificates above it.
type Pair struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
	Issuers     []*x509.Certificate // nearest first, the self-signed root last; empty when self-signed
}

// SelfSign issues a certificate that is signed with its own key: a root, or a self-signed leaf.
func SelfSign(t Template) (*Pair, error) { return issue(t, nil) }

// Issue issues a certificate signed by p. Nothing is refused because it makes no sense: certificates with every fault can
// be made, also below a certificate that is no CA.
func (p *Pair) Issue(t Template) (*Pair, error) { return issue(t, p) }

func issue(t Template, issuer *Pair) (*Pair, error) {
	key := t.Signer
	if key == nil {
		var err error
		if key, err = NewKey(t.Key); err != nil {
			return nil, err
		}
	}
	x, err := t.x509(key.Public())
	if err != nil {
		return nil, err
	}
	parent, signer := x, key
	var issuers []*x509.Certificate
	if issuer != nil {
		parent, signer = issuer.Certificate, issuer.Key
		issuers = append([]*x509.Certificate{issuer.Certificate}, issuer.Issuers...)
	}
	der, err := x509.CreateCertificate(rand.Reader, x, parent, key.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("certs: issue %q: %w", x.Subject.CommonName, err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certs: issue %q: %w", x.Subject.CommonName, err)
	}
	return &Pair{Certificate: c, Key: key, Issuers: issuers}, nil
}

// x509 is the template in the words of crypto/x509.
func (t Template) x509(pub crypto.PublicKey) (*x509.Certificate, error) {
	serial, err := serialNumber()
	if err != nil {
		return nil, err
	}
	x := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: t.CommonName},
		NotBefore:             t.NotBefore,
		NotAfter:              t.NotAfter,
		SignatureAlgorithm:    t.Signature,
		KeyUsage:              t.KeyUsage,
		ExtKeyUsage:           t.Usages,
		BasicConstraintsValid: true,
		IsCA:                  t.CA,
		IssuingCertificateURL: t.IssuingCertificateURL,
		OCSPServer:            t.OCSPServer,
		CRLDistributionPoints: t.CRLDistributionPoints,
		ExtraExtensions:       t.ExtraExtensions,
	}
	if t.Organization != "" {
		x.Subject.Organization = []string{t.Organization}
	}
	// RFC 5280, Appendix A.1: ub-common-name is 64; a longer name stands in the alternative names alone.
	if t.CommonName == "" && len(t.Names) > 0 && len(t.Names[0]) <= 64 {
		x.Subject.CommonName = t.Names[0]
	}
	if x.NotBefore.IsZero() {
		x.NotBefore = time.Now().Add(-time.Hour)
	}
	if x.NotAfter.IsZero() {
		x.NotAfter = x.NotBefore.Add(90 * 24 * time.Hour)
		if t.CA {
			x.NotAfter = x.NotBefore.AddDate(10, 0, 0)
		}
	}
	if !t.NoSAN {
		x.DNSNames, x.IPAddresses = splitNames(t.Names)
	}
	_, isRSA := pub.(*rsa.PublicKey)
	switch {
	case x.KeyUsage != 0:
	case t.CA:
		x.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	case isRSA: // RSA key exchange up to TLS 1.2 enciphers with the certificate's key
		x.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	default:
		x.KeyUsage = x509.KeyUsageDigitalSignature
	}
	if t.CA {
		x.MaxPathLen, x.MaxPathLenZero = max(t.MaxPathLen, 0), t.MaxPathLen < 0
		if t.MaxPathLen == 0 {
			x.MaxPathLen = -1
		}
	} else if x.ExtKeyUsage == nil {
		x.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	return x, nil
}

// serialNumber is a positive random number of 127 bits (RFC 5280, Section 4.1.2.2: at most 20 octets).
func serialNumber() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("certs: serial number: %w", err)
	}
	return n.Add(n, big.NewInt(1)), nil
}

// splitNames parts DNS names from IP addresses.
func splitNames(names []string) (dns []string, ips []net.IP) {
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			ips = append(ips, ip)
		} else {
			dns = append(dns, n)
		}
	}
	return dns, ips
}

// Chain is what a server should send: the certificate and its issuers without the self-signed root (RFC 8446,
// Section 4.4.2, lets the trust anchor be left out).
func (p *Pair) Chain() []*x509.Certificate {
	chain := []*x509.Certificate{p.Certificate}
	for _, c := range p.Issuers {
		if !bytes.Equal(c.RawSubject, c.RawIssuer) {
			chain = append(chain, c)
		}
	}
	return chain
}

// TLS is the pair as crypto/tls serves it, with Chain as the certificates sent.
func (p *Pair) TLS() *tls.Certificate { return p.TLSWith(p.Chain()[1:]...) }

// TLSWith is the pair as crypto/tls serves it, sending exactly the given certificates after its own: also wrong ones.
func (p *Pair) TLSWith(above ...*x509.Certificate) *tls.Certificate {
	t := &tls.Certificate{Certificate: [][]byte{p.Certificate.Raw}, PrivateKey: p.Key, Leaf: p.Certificate}
	for _, c := range above {
		t.Certificate = append(t.Certificate, c.Raw)
	}
	return t
}

// KeyPEM is the private key in PKCS #8 PEM.
func (p *Pair) KeyPEM() ([]byte, error) { return encodeKey(p.Key) }

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("certs: encode the key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// EncodePEM writes certificates one after the other, as certificate files hold them.
func EncodePEM(chain ...*x509.Certificate) []byte {
	var b bytes.Buffer
	for _, c := range chain {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return b.Bytes()
}
