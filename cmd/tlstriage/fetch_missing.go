package main

import (
	"context"
	"crypto/x509"
	"time"

	"github.com/tlstriage/tlstriage/certs/revocation"
)

// fetchMissing fetches what lacks between a presented chain and a root, from where its last certificate says. Nothing when nothing
// lacks. What was fetched is trusted no more than what is presented.
func fetchMissing(ctx context.Context, fetcher *revocation.Fetcher, presented [][]byte, roots *x509.CertPool, now time.Time) ([]*x509.Certificate, error) {
	if trustedPath(presented, roots, "", now) != nil {
		return nil, nil
	}
	var last *x509.Certificate
	for _, der := range presented {
		if x, err := x509.ParseCertificate(der); err == nil {
			last = x
		}
	}
	if last == nil {
		return nil, nil
	}
	return fetcher.Intermediates(ctx, last, func(x *x509.Certificate) bool { return trustedPath([][]byte{x.Raw}, roots, "", now) != nil })
}
