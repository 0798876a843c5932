package main

import (
	"crypto/x509"
	"time"

	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/certs/revocation"
	"github.com/tlstriage/tlstriage/inspect"
)

// trustedPath is the presented chain as revocation is asked about: the leaf first, the root last. Nil when no path leads to a root.
func trustedPath(presented [][]byte, roots *x509.CertPool, name string, at time.Time) []*x509.Certificate {
	if len(presented) == 0 {
		return nil
	}
	if r := chain.Examine(presented, chain.Options{Roots: roots, Name: name, Time: at}); len(r.Verified) > 0 {
		return r.Verified[0]
	}
	return nil
}

// presentedBytes are the certificates of a leg as they came; nil when the record lacks some.
func presentedBytes(leg *inspect.Leg) [][]byte {
	if leg == nil || leg.TLS == nil || leg.TLS.Server == nil {
		return nil
	}
	var raw [][]byte
	for _, c := range leg.TLS.Server.CertificateChain {
		if len(c.Raw) == 0 {
			return nil
		}
		raw = append(raw, c.Raw)
	}
	return raw
}

// stapleOf is the OCSP response that came with a chain; nil where none did.
func stapleOf(leg *inspect.Leg) []byte {
	if leg == nil || leg.TLS == nil || leg.TLS.Server == nil || leg.TLS.Server.OCSP == nil {
		return nil
	}
	return leg.TLS.Server.OCSP.Raw
}

// recordRevocation puts what was found out about a chain into the leg that presented it.
func recordRevocation(leg *inspect.Leg, status *revocation.Status) {
	recordStaple(leg, status)
	if status.Mode != revocation.Off {
		leg.TLS.ServerSide().Revocation = describeRevocation(status)
	}
}

// recordStaple puts what a stapled answer says into the leg that it came on.
func recordStaple(leg *inspect.Leg, status *revocation.Status) {
	if status.Staple == nil {
		return
	}
	server := leg.TLS.ServerSide()
	if server.OCSP == nil {
		server.OCSP = &inspect.OCSP{Stapled: true}
	}
	server.OCSP.Status, server.OCSP.Detail = stapleStatus(status.Staple.Result), status.Staple.Detail
}

// stapleStatus is the record's word for what a stapled answer came to.
func stapleStatus(r revocation.Result) string {
	switch r {
	case revocation.Good, revocation.Revoked, revocation.Unknown, revocation.Expired:
		return string(r)
	}
	return "invalid"
}

// describeRevocation is a status in the record's words.
func describeRevocation(s *revocation.Status) *inspect.Revocation {
	r := &inspect.Revocation{Mode: string(s.Mode), Status: revocationStatus(s.Result), MustStaple: s.MustStaple}
	for _, c := range s.Certificates {
		x := inspect.CertificateRevocation{Index: c.Index, Subject: c.Subject, Status: revocationStatus(c.Result), Detail: inspect.Bounded(c.Detail)}
		if a := c.Answer(); a != nil {
			x.Source, x.URL = string(a.Source), inspect.Bounded(a.URL)
			x.ThisUpdate, x.NextUpdate, x.RevokedAt = a.ThisUpdate, a.NextUpdate, a.RevokedAt
			if c.Result == revocation.Revoked {
				x.Reason = a.Reason.String()
			}
		}
		r.Certificates = append(r.Certificates, x)
	}
	return r
}

func revocationStatus(r revocation.Result) inspect.RevocationStatus {
	switch r {
	case revocation.Good:
		return inspect.RevocationGood
	case revocation.Revoked:
		return inspect.RevocationRevoked
	case revocation.NotNeeded:
		return inspect.RevocationNotNeeded
	case revocation.NotChecked:
		return inspect.RevocationNotChecked
	}
	return inspect.RevocationUnknown
}
