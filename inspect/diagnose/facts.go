package diagnose

import "github.com/tlstriage/tlstriage/inspect"

// facts are what is true of a connection at large. A rule says which of them it is about, and where none of these holds it need
// not be asked: of all rules, a good connection is looked at by a few.
type facts uint32

const (
	clientLegDown    facts = 1 << iota // the client leg was not established
	backendLegDown                     // the backend leg was not established
	backendLegUp                       // the backend leg was established
	hasError                           // a leg ended with an error, also after the handshake
	hasAlert                           // an alert came on the client leg
	chainFaulty                        // there is something to say about the examined chain
	chainSeen                          // the examined chain has a leaf
	chainInvalid                       // the record itself says that a chain did not verify
	revocationKnown                    // something came, or was asked, about revocation
	policyRefuses                      // the policy does not take the client
	clientCertFaulty                   // something is wrong with the client's certificate
	backendAsked                       // the backend asked for a certificate, or refused ours
	backendRefuses                     // it is known what the backend's refusal is about
	inferred                           // a capture infers something
	requestsFailed                     // HTTP requests failed
	backendCut                         // the backend ended a connection without saying so in TLS, or reset it
	canaried                           // the hello was sent to a canary, too
	altSvcUnused                       // clients that were told of HTTP/3 come back without it
	clientCertNone                     // in a capture, the client answered the wish for a certificate with none
	clientSilent                       // the client did the handshake and left without a byte

	legDown = clientLegDown | backendLegDown
	always  = facts(1 << 31) // of rules that are about any connection
)

// facts finds out what is true of e's connection at large.
func (e *evidence) facts() facts {
	var f facts
	set := func(bit facts, holds bool) {
		if holds {
			f |= bit
		}
	}
	set(clientLegDown, e.client.failed())
	if e.backend.exists() {
		up := e.backend.established()
		set(backendLegDown, !up)
		set(backendLegUp, up)
	}
	set(hasError, e.client.exists() && e.client.leg.Error != nil || e.backend.exists() && e.backend.leg.Error != nil)
	set(hasAlert, len(e.client.tls.Alerts) > 0)
	set(chainFaulty, len(e.chain.faults) > 0)
	set(chainSeen, e.chain.leaf() != nil)
	set(chainInvalid, invalid(e.client) || invalid(e.backend))
	set(revocationKnown, e.chain.known())
	set(policyRefuses, e.c.Policy != nil && !e.c.Policy.Accepted)
	set(clientCertFaulty, e.clientCert != certFine)
	set(backendAsked, e.backend.server.CertificateRequest != nil)
	set(backendRefuses, e.backendBy != "")
	set(inferred, e.c.Capture != nil && len(e.c.Capture.Inferred) > 0)
	set(requestsFailed, e.c.HTTP != nil && len(e.c.HTTP.Failures) > 0)
	set(backendCut, e.backend.exists() && (e.backend.leg.PeerEnd == inspect.PeerTruncated || e.backend.leg.PeerEnd == inspect.PeerReset || e.backend.leg.OpenEnded || e.backend.leg.Unanswered))
	set(canaried, e.c.Canary != nil)
	set(clientCertNone, e.wentWithoutCertificate())
	set(clientSilent, e.client.exists() && e.client.leg.Silent)
	set(altSvcUnused, e.c.HTTP != nil && e.c.HTTP.AltSvc != nil && e.c.HTTP.AltSvc.Returned > 0)
	return f
}

func invalid(v view) bool {
	return v.server.Validation != nil && v.server.Validation.Status == inspect.ValidationInvalid
}
