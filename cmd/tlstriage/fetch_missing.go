package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/certs/revocation"
	"github.com/tlstriage/tlstriage/inspect"
)

// fetchMissing fetches what lacks between a presented chain and a root, from where its last certificate says. Nothing when nothing
// lacks. What was fetched is trusted no more than what is presented.
func fetchMissing(ctx context.Context, fetcher *revocation.Fetcher, presented [][]byte, roots *x509.CertPool, now time.Time) ([]*x509.Certificate, error) {
	if trustedPath(presented, roots, "", now) != nil {
		return nil, nil
	}
	last := lastPresented(presented)
	if last == nil {
		return nil, nil
	}
	return fetcher.Intermediates(ctx, last, func(x *x509.Certificate) bool { return trustedPath([][]byte{x.Raw}, roots, "", now) != nil })
}

// lastPresented is the last certificate of a chain that parses; nil where none does.
func lastPresented(presented [][]byte) *x509.Certificate {
	for _, der := range slices.Backward(presented) {
		if x, err := x509.ParseCertificate(der); err == nil {
			return x
		}
	}
	return nil
}

// The largest certificate that is put into a fix, in bytes of DER: an answer of a stranger is not to fill the report.
const maxFixCertificate = 8 << 10

// sayFetched puts what was fetched into the fixes of the finding that something lacks, as PEM that can be pasted; or says there why
// nothing was.
func sayFetched(r *inspect.Connection, found []*x509.Certificate, failure error) {
	i := slices.IndexFunc(r.Findings, func(f inspect.Finding) bool { return f.ID == string(chain.MissingIntermediate) })
	if i < 0 {
		i = slices.IndexFunc(r.Findings, func(f inspect.Finding) bool { return f.ID == string(chain.UntrustedRoot) })
	}
	if i < 0 {
		return
	}
	f := &r.Findings[i]
	if failure != nil {
		f.Detail += "; what lacks was not fetched: " + inspect.Bounded(failure.Error())
	}
	var fixes []inspect.Fix
	var refused *revocation.FetchError
	if errors.As(failure, &refused) && refused.Kind == revocation.FetchForbidden {
		fixes = append(fixes, inspect.Fix{Target: "tlstriage", Action: "allow the host to be asked, if it is an authority of your own", Snippet: "--fetch-intermediates --revocation-host HOST:PORT"})
	}
	below := lastPresented(presentedBytes(r.BackendLeg))
	for _, x := range found {
		if len(x.Raw) > maxFixCertificate {
			continue
		}
		from := ""
		if below != nil && len(below.IssuingCertificateURL) > 0 {
			from = ", fetched from " + inspect.Bounded(below.IssuingCertificateURL[0])
		}
		fixes = append(fixes, inspect.Fix{Target: "backend", Snippet: strings.TrimSpace(string(certs.EncodePEM(x))), Action: fmt.Sprintf(
			"append this to the file that is served, behind what is in it: %s, valid until %s%s", inspect.Bounded(x.Subject.String()), x.NotAfter.UTC().Format(time.DateOnly), from)})
		below = x
	}
	if len(found) > 0 {
		fixes = append(fixes, inspect.Fix{Target: "tlstriage", Action: "or have the whole file written", Snippet: "tlstriage certs fix LEAF-FILE KEY-FILE --fetch --for nginx --out DIR"})
	}
	f.Fixes = append(fixes, f.Fixes...)
}
