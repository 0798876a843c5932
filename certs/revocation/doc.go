// Package revocation asks whether the certificates of a chain have been revoked: by the OCSP response stapled to the
// handshake (RFC 6066, Section 8), by OCSP (RFC 6960, RFC 5019) and by certificate revocation lists (RFC 5280, Section 5).
// It also fetches the missing intermediate that a certificate's caIssuers names (RFC 5280, Section 4.2.2.1).
//
// Every URL it follows was written by a stranger, into a certificate that may be hostile. One guarded client, Fetcher,
// makes all requests: http only, to public addresses at port 80 and to the hosts that the operator allows, with bounds on bytes,
// redirects and time (see FetchOptions). What comes back is believed only when the issuer, or a responder that the issuer
// empowered, has signed it.
//
// A Checker never stands in the way of a handshake unless its caller puts it there: Known answers from memory alone;
// Check goes to the network and is meant to be called off the path.
//
//	checker, err := revocation.New(revocation.Options{Mode: revocation.Check})
//	...
//	if status, ok := checker.Known(chain, staple); ok {
//		return status.Err() // nothing was asked
//	}
//	go func() { report(checker.Check(ctx, chain, staple)) }()
//
// The package is an island: it imports nothing of this project, and whoever wants to may import it.
package revocation
