package acme

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"io"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/tlstriage/tlstriage/certs"
)

// localValidity of certificates from the local authority: renewed like any other, so short.
const localValidity = 30 * 24 * time.Hour

// localIssuer makes an authority of package certs one that certmagic can order from.
type localIssuer struct{ authority *certs.Authority }

// IssuerKey tells the authority from another one that a storage has certificates of.
func (i *localIssuer) IssuerKey() string { return "local-" + i.authority.Fingerprint()[:16] }

// Issue certifies the names of a request.
func (i *localIssuer) Issue(_ context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	names := append([]string(nil), csr.DNSNames...)
	for _, ip := range csr.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return nil, errors.New("acme: a request without names")
	}
	t := certs.Template{Names: names, Signer: publicOnly{csr.PublicKey}, NotAfter: time.Now().Add(localValidity)}
	if end := i.authority.Certificate().NotAfter; t.NotAfter.After(end) {
		t.NotAfter = end
	}
	pair, err := i.authority.Issue(t)
	if err != nil {
		return nil, err
	}
	return &certmagic.IssuedCertificate{Certificate: certs.EncodePEM(pair.Chain()...)}, nil
}

// publicOnly is a key of which only the public part is here.
type publicOnly struct{ public crypto.PublicKey }

func (k publicOnly) Public() crypto.PublicKey { return k.public }

func (k publicOnly) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("acme: the private key is the requester's")
}
