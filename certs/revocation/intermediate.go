package revocation

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// maxIssuerURLs is how many caIssuers of one certificate are followed.
const maxIssuerURLs = 3

// Intermediate fetches the issuer of a certificate from where its caIssuers say (RFC 5280, Section 4.2.2.1): certificates with the issuer's name whose
// key has signed it, several where the issuer is cross-signed. What else the body held is dropped. What was fetched is kept for a while. Nothing
// fetched is trusted: it is a candidate for a path that ends in somebody's roots.
func (f *Fetcher) Intermediate(ctx context.Context, cert *x509.Certificate) ([]*x509.Certificate, error) {
	if len(cert.IssuingCertificateURL) == 0 {
		return nil, fmt.Errorf("revocation: %s names no place to fetch its issuer from", subject(cert))
	}
	var failures []error
	for _, u := range cert.IssuingCertificateURL[:min(len(cert.IssuingCertificateURL), maxIssuerURLs)] {
		body, err := f.keptBytes(ctx, u)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		certs, err := ParseCertificates(body)
		if err != nil {
			failures = append(failures, fmt.Errorf("%q: %w", clip(u), err))
			continue
		}
		if issuers := issuersOf(cert, certs); len(issuers) > 0 {
			return issuers, nil
		}
		failures = append(failures, fmt.Errorf("revocation: %q: holds %s, which did not issue %s", clip(u), subject(certs[0]), subject(cert)))
	}
	return nil, errors.Join(failures...)
}

// issuersOf picks those that issued the certificate.
func issuersOf(cert *x509.Certificate, candidates []*x509.Certificate) []*x509.Certificate {
	var issuers []*x509.Certificate
	for _, c := range candidates {
		if bytes.Equal(c.RawSubject, cert.RawIssuer) && !c.Equal(cert) && signedBy(cert, c) == nil {
			issuers = append(issuers, c)
		}
	}
	return issuers
}

// Intermediates fetches what lacks between a certificate and a trusted one, nearest first: after each fetch done is asked whether the next
// certificate's issuer is at hand (a root of the store, or one that was sent). It ends at a self-issued certificate, which is not returned, and
// after FetchOptions.MaxDepth fetches. What was found is returned beside an error.
func (f *Fetcher) Intermediates(ctx context.Context, cert *x509.Certificate, done func(*x509.Certificate) bool) ([]*x509.Certificate, error) {
	var found []*x509.Certificate
	for !done(cert) {
		if len(found) == f.o.MaxDepth {
			return found, fmt.Errorf("revocation: after %d intermediates there is still none that a trusted certificate issued", f.o.MaxDepth)
		}
		issuers, err := f.Intermediate(ctx, cert)
		if err != nil {
			return found, err
		}
		next := issuers[0]
		for _, c := range issuers { // of cross-signed ones that which ends the climb
			if done(c) {
				next = c
			}
		}
		if bytes.Equal(next.RawSubject, next.RawIssuer) {
			return found, fmt.Errorf("revocation: the climb ends at %s, which is its own issuer and not trusted", subject(next))
		}
		found = append(found, next)
		cert = next
	}
	return found, nil
}

// fetched is what came of a request.
type fetched struct {
	body []byte
	err  error
}

// keptBytes fetches a body, or takes it from memory. Failures are remembered shortly, so that a proxy does not ask for every connection.
func (f *Fetcher) keptBytes(ctx context.Context, u string) ([]byte, error) {
	k := keyOf([]byte(u))
	if kept, ok := f.kept.look(k, f.o.Now()); ok {
		return kept.body, kept.err
	}
	v, err := f.flights.do(ctx, k, func(ctx context.Context) (any, error) {
		body, _, err := f.bytes(ctx, request{method: http.MethodGet, url: u, limit: f.o.MaxIntermediateBytes, timeout: f.o.Timeout})
		lifetime := f.o.CacheTime
		if err != nil {
			lifetime = min(lifetime/12, 5*time.Minute)
		}
		f.kept.keep(k, fetched{body, err}, int64(len(body))+int64(len(u)), f.o.Now().Add(lifetime))
		return body, err
	})
	body, _ := v.([]byte)
	return body, err
}
