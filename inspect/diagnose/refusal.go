package diagnose

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

// clientRefusal is the dimension in which the client leg really found nothing in common. A refusal by policy (--enforce)
// and a client that this program cannot serve are other findings.
func (e *evidence) clientRefusal() policy.Dimension {
	v := e.client
	if !v.failed() || e.enforced() || e.unservable != "" || e.clientCert != certFine || e.helloUnread() {
		return policy.DimensionNone
	}
	switch v.ended() {
	case inspect.ErrorNoCommonVersion:
		return policy.DimensionVersion
	case inspect.ErrorNoCommonCipher:
		return policy.DimensionCipher
	case inspect.ErrorNoCommonGroup:
		return policy.DimensionGroup
	case inspect.ErrorNoCommonSignature:
		return policy.DimensionSignature
	case inspect.ErrorNoCommonALPN:
		return policy.DimensionALPN
	case inspect.ErrorNoRoute, inspect.ErrorNoCertificate:
		return policy.DimensionServerName
	}
	a := v.alert(inspect.FromServer)
	if a == nil {
		return policy.DimensionNone
	}
	if e.foreign() && v.settled(a) {
		return policy.DimensionNone // it had chosen among all that the hello offers
	}
	switch a.Code {
	case alertProtocolVersion, alertInappropriateFallback:
		return policy.DimensionVersion
	case alertInsufficientSecurity, alertHandshakeFailure:
		return e.suspect(policy.DimensionCipher)
	case alertNoApplicationProtocol:
		return policy.DimensionALPN
	case alertUnrecognizedName:
		return policy.DimensionServerName
	case alertMissingExtension:
		if v.hello.ServerName == "" {
			return policy.DimensionServerName
		}
		return policy.DimensionGroup
	}
	return policy.DimensionNone
}

// helloUnread reports whether the client's hello is not in the capture, or not all of it: what it offers is not known then, and
// cannot be what the server refused.
func (e *evidence) helloUnread() bool {
	v := e.client
	return e.c.Event.Source == inspect.SourceCapture && (!v.spoke || v.hello.Message != nil && !v.hello.Message.Complete)
}

// suspect finds the dimension behind handshake_failure, which names none: what the server's own policy says, where it is
// known; else what in the hello is most often the reason; else the dimension given.
func (e *evidence) suspect(otherwise policy.Dimension) policy.Dimension {
	if !e.foreign() && e.d.Own != nil && e.parsed != nil {
		if r := policy.Negotiate(e.parsed, e.d.Own); !r.Accepted {
			return r.RejectedBy
		}
	}
	if e.foreign() && e.c.Policy != nil && !e.c.Policy.Accepted {
		return policy.Dimension(e.c.Policy.RejectedBy)
	}
	h := e.client.hello
	if outdated(policy.DimensionVersion, h.SupportedVersions) {
		return otherwise
	}
	if e.c.Event.Source == inspect.SourceCapture {
		if dim := narrow(h); dim != policy.DimensionNone {
			return dim
		}
	}
	if e.foreign() && h.ServerName == "" && !outdated(policy.DimensionCipher, offered(h, policy.DimensionCipher)) {
		return policy.DimensionServerName
	}
	if e.foreign() && otherwise == policy.DimensionCipher && mandatorySuite(h) && oneKeyKind(h.SignatureAlgorithms) {
		return policy.DimensionSignature
	}
	return otherwise
}

// narrow is the dimension in which a hello offers so little that it is the first to be suspected: somebody has restricted that client, or it is
// a small device.
func narrow(h *inspect.Hello) policy.Dimension {
	const few = 2
	groups, signatures := offered(h, policy.DimensionGroup), offered(h, policy.DimensionSignature)
	switch {
	case len(offered(h, policy.DimensionCipher)) <= few:
		return policy.DimensionCipher
	case len(groups) > 0 && !slices.Contains(groups, "x25519") && !slices.Contains(groups, "secp256r1"):
		return policy.DimensionGroup
	case len(signatures) > 0 && len(signatures) <= few:
		return policy.DimensionSignature
	}
	return policy.DimensionNone
}

// mandatorySuite reports whether a hello offers TLS 1.3 alone, and the suite that its servers must have (RFC 8446, Section 9.1): then it is
// hardly the suites that one finds nothing in.
func mandatorySuite(h *inspect.Hello) bool {
	return len(h.SupportedVersions) == 1 && h.SupportedVersions[0] == "TLSv1.3" && slices.Contains(h.SupportedCiphers, "TLS_AES_128_GCM_SHA256")
}

// oneKeyKind reports whether signature schemes are all of one kind of key, so that a server whose certificate has another has none to make.
func oneKeyKind(schemes []string) bool {
	for _, s := range schemes {
		if keyKind(s) != keyKind(schemes[0]) {
			return false
		}
	}
	return len(schemes) > 0
}

// keyKind is the kind of key that a signature scheme is of.
func keyKind(scheme string) string {
	kind, _, _ := strings.Cut(scheme, "_")
	return kind
}

// blame says who must act when a server finds nothing in common with a client: the client when all it offers is
// outdated; else whoever refuses something current.
func (e *evidence) blame(dim policy.Dimension) inspect.Fault {
	if !e.foreign() && e.c.Policy != nil && e.c.Policy.Accepted {
		return inspect.FaultProxy // the real endpoint would have taken this client
	}
	if outdated(dim, offered(e.client.hello, dim)) {
		return inspect.FaultClient
	}
	if e.c.Policy != nil && !e.c.Policy.Accepted {
		return inspect.FaultPolicy
	}
	if e.foreign() {
		return inspect.FaultBackend
	}
	return inspect.FaultProxy
}

// backendRefusal is the id of the rule that explains why the backend ended the backend leg; empty when it did not.
func (e *evidence) backendRefusal() string {
	v := e.backend
	if e.explainedByExperiment() {
		return idBackendExplained
	}
	switch v.ended() {
	case inspect.ErrorNoCommonVersion:
		return idBackendVersionNoOverlap
	case inspect.ErrorNoCommonCipher, inspect.ErrorNoCommonGroup, inspect.ErrorNoCommonSignature:
		return idBackendCipherNoOverlap
	case inspect.ErrorNoCommonALPN:
		return idBackendALPNMismatch
	}
	asked := v.server.CertificateRequest
	if v.established() {
		switch {
		case asked == nil || asked.Refusal == "":
			return "" // an alert at the end of a leg that carried data refuses nothing
		case asked.CertificateSent:
			return idBackendRejectsClientCert
		}
		return idBackendRequiresClientCert
	}
	a := v.alert(inspect.FromServer)
	if a == nil {
		switch {
		case !v.is(inspect.ErrorClosed, inspect.ErrorReset):
		case asked != nil && !asked.CertificateSent:
			return idBackendRequiresClientCert
		case e.withoutALPN() != nil:
			return idBackendALPNMismatch
		case e.nameMatters() == nameDecides:
			return idSNIRequiredByBackend
		}
		return ""
	}
	if asked != nil {
		switch {
		case asked.CertificateSent && (refusesCertificate(a.Code) || a.Code == alertAccessDenied || a.Code == alertDecryptError || a.Code == alertHandshakeFailure):
			return idBackendRejectsClientCert
		case !asked.CertificateSent && (refusesCertificate(a.Code) || a.Code == alertHandshakeFailure || a.Code == alertAccessDenied || a.Code == alertNoCertificate || a.Code == alertDecodeError): // decode_error: GnuTLS, of an empty Certificate
			return idBackendRequiresClientCert
		}
	}
	if a.Code == alertCertificateRequired || a.Code == alertNoCertificate {
		return idBackendRequiresClientCert // in TLS 1.3 it comes after the handshake
	}
	if v.settled(a) && e.withoutALPN() == nil && e.nameMatters() != nameDecides {
		return idBackendAlert // of what the hellos settle it is not: that was agreed on
	}
	switch a.Code {
	case alertProtocolVersion:
		return idBackendVersionNoOverlap
	case alertInappropriateFallback:
		if slices.Contains(v.hello.SupportedCiphers, fallbackSignal) {
			return idBackendVersionNoOverlap // the hello says itself that it offers less than it could
		}
		return idBackendAlert
	case alertInsufficientSecurity:
		return idBackendCipherNoOverlap
	case alertNoApplicationProtocol:
		return idBackendALPNMismatch
	case alertUnrecognizedName:
		return idSNIRequiredByBackend
	}
	if e.withoutALPN() != nil {
		return idBackendALPNMismatch
	}
	// Servers that have no certificate for a name answer handshake_failure, missing_extension, internal_error, access_denied, ...
	nameless, matter := v.hello.ServerName == "", e.nameMatters()
	switch {
	case matter == nameDecides:
		return idSNIRequiredByBackend
	case a.Code == alertMissingExtension && nameless && matter == nameUnknown:
		return idSNIRequiredByBackend // "respond to a ClientHello lacking a server_name extension by terminating the connection with" it (RFC 8446, Section 9.2)
	case a.Code == alertHandshakeFailure && nameless && matter == nameUnknown:
		return idBackendAlert // it may be that, and it may be anything
	case a.Code == alertHandshakeFailure:
		return idBackendCipherNoOverlap
	}
	return idBackendAlert
}

// fallbackSignal marks a hello that is a second attempt with an older version (RFC 7507).
const fallbackSignal = "TLS_FALLBACK_SCSV"

// Ids that the reading of the backend's alert decides between.
const (
	idBackendVersionNoOverlap   = "backend-version-no-overlap"
	idBackendCipherNoOverlap    = "backend-cipher-no-overlap"
	idBackendALPNMismatch       = "backend-alpn-mismatch"
	idBackendRequiresClientCert = "backend-requires-client-cert"
	idBackendRejectsClientCert  = "backend-rejects-client-cert"
	idSNIRequiredByBackend      = "sni-required-by-backend"
	idBackendAlert              = "backend-alert"
	idBackendExplained          = "backend-explained"
)
