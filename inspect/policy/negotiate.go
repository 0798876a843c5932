package policy

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Negotiate says what an endpoint with policy p answers to the hello h: what it would choose, or the first dimension in
// which the two do not agree and the alert that ends the handshake. It judges a full handshake; a resumption that the
// hello offers is looked past. It does not allocate.
//
// Where the RFCs leave the choice to the server (whose order wins, which group, which alert), p.Family decides. What p
// does not state is never a reason to reject: Result.Uncertain says where the answer depends on it.
func Negotiate(h *wire.ClientHello, p *Policy) Result {
	if p.Certificates != nil {
		certs := p.Certificates
		if p.CertificateFirst && len(certs) > 1 {
			i := firstCertificate(h, certs, p.CertificateBy12)
			certs = certs[i : i+1]
		}
		return negotiate(h, p, certs)
	}
	r := negotiate(h, p, defaultCertificates[:])
	if r.Accepted && r.Certificate != CertRSA && r.Uncertain == "" && !negotiate(h, p, defaultCertificates[:1]).Accepted {
		r.Uncertain = uncertainCertificate
	}
	return r
}

func negotiate(h *wire.ClientHello, p *Policy, certs []CertificateType) Result {
	n := negotiation{h: h, p: p, certs: certs}
	// crypto/tls asks for the name when it looks for a certificate.
	nameFirst, nameLast := p.CertificateFirst, p.Family == FamilyGo
	// A hello with a name that crypto/tls does not read is to it as if it were cut.
	readable := n.p.Family != FamilyGo || n.readServerName()
	if readable && (!nameFirst || n.checkServerName()) && n.chooseVersion() && (nameFirst || nameLast || n.checkServerName()) {
		switch {
		case n.blocked:
			n.negotiateBlocked()
		case n.r.Version == wire.VersionTLS13:
			n.negotiate13()
		default:
			n.negotiate12()
		}
	}
	if n.r.RejectedBy != DimensionNone {
		r := Result{RejectedBy: n.r.RejectedBy, Alert: n.r.Alert, Silent: n.r.Silent, Uncertain: n.r.Uncertain}
		if r.RejectedBy == DimensionGroup && n.r.Version < wire.VersionTLS13 {
			r.CertificateCurve = n.certificateCurve
		}
		return r
	}
	n.r.Accepted = true
	return n.r
}

// Reasons for Result.Uncertain.
const (
	uncertainCertificate = "an endpoint that has an RSA certificate only would refuse; no source states the certificates"
	uncertainPreference  = "no source states whose order of cipher suites wins: the server's is assumed"
	uncertainGroups      = "no source states the groups of this policy, and the client does not offer secp256r1, which every endpoint has"
	uncertainSchemes     = "no source states the signature schemes of this policy, and the client offers only old or rare ones"
	uncertainCurve       = "the client does not list the curve of the ECDSA certificate; not every server minds"
	uncertainNoGroups    = "the client lists no groups: the server may take any or do without ECDHE (RFC 8422, Section 4)"
)

var defaultCertificates = [...]CertificateType{CertRSA, CertECDSAP256}

// negotiation is one run of Negotiate.
type negotiation struct {
	h     *wire.ClientHello
	p     *Policy
	certs []CertificateType // that may be served in this run
	r     Result

	certificateCurve wire.NamedGroup // of a certificate for whose curve a suite was passed over; 0: none was

	blocked bool // the version is one of those in which no handshake completes

	// What does not depend on the suite is looked up once: a hello can list thousands of suites, groups and schemes.
	group    groupAnswer
	byCert   [5]certificateAnswer // for the first certificates, which are all that there are kinds
	answered [5]bool
}

// groupAnswer is the group of an ECDHE key exchange in TLS 1.2 and below; see ecdheGroup.
type groupAnswer struct {
	group     wire.NamedGroup
	ok, known bool
}

// certificateAnswer says what this client makes of a certificate in TLS 1.2 and below.
type certificateAnswer struct {
	curveOK, schemeOK bool
}

// answerFor is the client's answer to the i-th certificate.
func (n *negotiation) answerFor(i int) certificateAnswer {
	if i < len(n.byCert) && n.answered[i] {
		return n.byCert[i]
	}
	a := certificateAnswer{curveOK: n.curveAccepted(n.certs[i])}
	_, a.schemeOK = n.scheme(n.certs[i])
	if i < len(n.byCert) {
		n.byCert[i], n.answered[i] = a, true
	}
	return a
}

func (n *negotiation) reject(d Dimension, alert wire.AlertDescription) bool {
	n.r.RejectedBy, n.r.Alert = d, alert
	return false
}

// doubt keeps the first reason.
func (n *negotiation) doubt(reason string) {
	if n.r.Uncertain == "" {
		n.r.Uncertain = reason
	}
}

// chooseVersion takes the highest version that both have. A hello above everything that the server knows is no
// reason to refuse it (RFC 5246, Appendix E.1): the server answers with its own best. Versions that are blocked are chosen
// like others.
func (n *negotiation) chooseVersion() bool {
	var best, lowest, highest wire.Version
	for _, v := range n.p.Versions {
		if n.offers(v) && v > best {
			best = v
		}
		highest = max(highest, v)
		if lowest == 0 || v < lowest {
			lowest = v
		}
	}
	if n.h.SSLv2 && n.p.Family == FamilyGo { // crypto/tls reads no SSLv2-format hello
		best = 0
	} else if n.goBefore(25) {
		if len(n.h.SupportedVersions) == 0 && n.h.LegacyVersion > wire.VersionTLS12 && highest == wire.VersionTLS13 {
			return n.reject(DimensionVersion, wire.AlertIllegalParameter) // legacy_version is taken at its word, and then refused
		}
		best = n.firstVersionOfClient(best)
	} else if v := n.blockedVersion(lowest); v > best {
		best, n.blocked = v, true
	}
	for _, v := range n.p.BlockedVersions {
		highest = max(highest, v)
	}
	if n.h.SSLv2 && n.p.Family == FamilyJSSE { // SSLv2Hello is off
		return n.reject(DimensionVersion, wire.AlertHandshakeFailure)
	}
	if best == 0 {
		return n.reject(DimensionVersion, n.versionAlert())
	}
	if best == wire.VersionTLS13 && !n.legacyVersionFits() {
		return n.reject(DimensionVersion, wire.AlertProtocolVersion)
	}
	// GnuTLS refuses names and protocols while it reads the extensions.
	if n.p.Family == FamilyGnuTLS && (!n.readServerName() || !n.chooseProtocol()) {
		return false
	}
	if n.p.Family == FamilyJSSE && !n.readServerName() {
		return false
	}
	// RFC 7507, Section 3: the fallback signal with a version below the server's highest is an inappropriate fallback.
	// crypto/tls checks it after the suite is chosen, and JSSE not at all.
	if best < highest && n.p.Family != FamilyGo && n.p.Family != FamilyJSSE && n.h.CipherSuites.Contains(wire.FallbackSCSV) {
		return n.reject(DimensionVersion, wire.AlertInappropriateFallback)
	}
	n.r.Version = best
	return true
}

// goBefore reports whether crypto/tls of a release before Go 1.release answers.
func (n *negotiation) goBefore(release int) bool {
	return n.p.Family == FamilyGo && n.p.GoRelease > 0 && n.p.GoRelease < release
}

// firstVersionOfClient is the first in supported_versions that the server has, which crypto/tls took before Go 1.25.
func (n *negotiation) firstVersionOfClient(otherwise wire.Version) wire.Version {
	for i := range n.h.SupportedVersions.Len() {
		if v := n.h.SupportedVersions.At(i); slices.Contains(n.p.Versions, v) {
			return v
		}
	}
	return otherwise
}

// legacyVersionFits reports whether the server lets legacy_version pass in TLS 1.3. It MUST be that of TLS 1.2 (RFC 8446, Section
// 4.1.2), which JSSE checks; GnuTLS takes what it would have taken for the version.
func (n *negotiation) legacyVersionFits() bool {
	switch n.p.Family {
	case FamilyJSSE:
		return n.h.LegacyVersion == wire.VersionTLS12
	case FamilyGnuTLS:
		return n.h.LegacyVersion >= min(slices.Min(n.p.Versions), wire.VersionTLS12)
	}
	return true
}

// blockedVersion is the highest version on offer that the endpoint takes, but has no way to complete a handshake with; 0: none.
// A policy with an OldVersionAlert and no such versions means TLS 1.0 and 1.1 below its lowest.
func (n *negotiation) blockedVersion(lowest wire.Version) wire.Version {
	var best wire.Version
	for _, v := range n.p.BlockedVersions {
		if v > best && n.offers(v) {
			best = v
		}
	}
	if n.p.BlockedVersions != nil || n.p.OldVersionAlert == 0 {
		return best
	}
	for v := min(lowest-1, wire.VersionTLS11); v >= wire.VersionTLS10; v-- {
		if n.offers(v) {
			return v
		}
	}
	return 0
}

// negotiateBlocked is the end of a handshake in a blocked version. It may fail for the want of a suite before.
func (n *negotiation) negotiateBlocked() {
	alert := n.p.OldVersionAlert
	if alert == 0 {
		alert = wire.AlertInternalError
	}
	if _, failed := n.chooseSuite(); failed != DimensionNone {
		alert = wire.AlertHandshakeFailure
	}
	n.reject(DimensionVersion, alert)
}

// versionAlert is the answer to a client without a version in common.
func (n *negotiation) versionAlert() wire.AlertDescription {
	if n.p.Family == FamilyGnuTLS && len(n.h.SupportedVersions) == 0 && n.h.LegacyVersion >= wire.VersionTLS12 && slices.Contains(n.p.Versions, wire.VersionTLS13) {
		// With TLS 1.3 alone legacy_version is taken for it, as far as the choice of a suite.
		if n.h.CipherSuites.Contains(wire.FallbackSCSV) {
			return wire.AlertInappropriateFallback
		}
		return wire.AlertHandshakeFailure
	}
	// A build of OpenSSL without SSLv3 takes the record for a broken one, where it has a version left at all: Suite B can take the last.
	some := len(n.p.Versions)+len(n.p.BlockedVersions) > 0
	if n.p.Family == FamilyOpenSSL && some && !slices.Contains(n.p.Versions, wire.VersionSSLv3) && highestOffered(n.h) == wire.VersionSSLv3 {
		return wire.AlertHandshakeFailure
	}
	return wire.AlertProtocolVersion
}

// offers reports whether the client speaks v. With supported_versions nothing else counts (RFC 8446, Section 4.2.1);
// without it TLS 1.3 is not on offer, whatever legacy_version says, and everything from TLS 1.2 down to SSLv3 is below
// legacy_version.
func offers(h *wire.ClientHello, v wire.Version) bool {
	if len(h.SupportedVersions) > 0 {
		return h.SupportedVersions.Contains(v)
	}
	return v <= h.LegacyVersion && v <= wire.VersionTLS12 && v >= wire.VersionSSLv3
}

// offers is offers as this endpoint reads it: GnuTLS without TLS 1.3 does not know supported_versions, and goes by legacy_version.
func (n *negotiation) offers(v wire.Version) bool {
	if n.p.Family == FamilyGnuTLS && !slices.Contains(n.p.Versions, wire.VersionTLS13) {
		return v <= n.h.LegacyVersion && v <= wire.VersionTLS12 && v >= wire.VersionSSLv3
	}
	return offers(n.h, v)
}

// highestOffered is the highest final version that the client speaks; drafts and GREASE do not count.
func highestOffered(h *wire.ClientHello) wire.Version {
	for v := wire.VersionTLS13; v >= wire.VersionSSLv3; v-- {
		if offers(h, v) {
			return v
		}
	}
	return h.LegacyVersion
}

// checkServerName refuses names that the endpoint does not serve, and their absence where it needs one. RFC 6066,
// Section 3 names the alert for the first; for the second RFC 8446, Section 9.2 asks for missing_extension, while
// nginx and HAProxy answer unrecognized_name. An endpoint that serves no name at all, which nginx calls
// ssl_reject_handshake, refuses hellos without one, too.
func (n *negotiation) checkServerName() bool {
	none := n.p.Names != nil && len(n.p.Names) == 0
	if len(n.h.ServerName) == 0 {
		switch {
		case none:
			return n.rejectName()
		case !n.p.SNIRequired:
			return true
		case n.r.Version == wire.VersionTLS13 && n.p.Family != FamilyOpenSSL && n.p.NameAlert == 0 && !n.p.NameSilent:
			return n.reject(DimensionServerName, wire.AlertMissingExtension)
		}
		return n.rejectName()
	}
	if (n.p.Family == FamilyOpenSSL || n.p.Family == FamilyBoringSSL) && !n.readServerName() {
		return false
	}
	if n.p.Names == nil {
		return true
	}
	for _, name := range n.p.Names {
		// What a wildcard of HAProxy's stands for can be empty: ".example.com".
		if nameMatches(name, n.h.ServerName) || n.p.CertificateFirst && len(name) > 2 && name[:2] == "*." && equalFold(name[1:], n.h.ServerName) {
			return true
		}
	}
	return n.rejectName()
}

func (n *negotiation) rejectName() bool {
	alert := n.p.NameAlert
	if n.p.NameSilent {
		n.r.Silent, alert = true, 0
	} else if alert == 0 {
		alert = wire.AlertUnrecognizedName
	}
	return n.reject(DimensionServerName, alert)
}

// nameMatches compares a served name with the one asked for, in any case. A leading "*." stands for one label, "**." for
// one or more.
func nameMatches(pattern string, name []byte) bool {
	if len(pattern) > 3 && pattern[:3] == "**." {
		suffix := pattern[2:]
		return len(name) > len(suffix) && equalFold(suffix, name[len(name)-len(suffix):])
	}
	if len(pattern) > 2 && pattern[:2] == "*." {
		dot := 0
		for dot < len(name) && name[dot] != '.' {
			dot++
		}
		return dot > 0 && equalFold(pattern[1:], name[dot:])
	}
	return equalFold(pattern, name)
}

func equalFold(s string, b []byte) bool {
	if len(s) != len(b) {
		return false
	}
	for i := range b {
		x, y := s[i], b[i]
		if 'A' <= x && x <= 'Z' {
			x += 'a' - 'A'
		}
		if 'A' <= y && y <= 'Z' {
			y += 'a' - 'A'
		}
		if x != y {
			return false
		}
	}
	return true
}

// chooseProtocol takes the first protocol of the server's that the client lists (RFC 7301, Section 3.2), with GnuTLS the first of
// the client's. With none in common the RFC asks for no_application_protocol; many servers go on without a protocol, so
// ALPNRequired decides.
func (n *negotiation) chooseProtocol() bool {
	if n.p.ALPN == nil || len(n.h.ALPN) == 0 {
		return true
	}
	if n.p.Family == FamilyGnuTLS {
		return n.protocolOfClient()
	}
	http11 := false
	for _, own := range n.p.ALPN {
		for offered := range n.h.ALPN.All() {
			if string(offered) == own {
				n.r.Protocol = own
				return !n.isChallenge() || n.reject(DimensionALPN, wire.AlertInternalError)
			}
			// crypto/tls lets an http/1.1 client speak to an h2 server as if there were no ALPN.
			http11 = http11 || own == "h2" && string(offered) == "http/1.1"
		}
	}
	if !n.p.ALPNRequired || n.p.Family == FamilyGo && http11 {
		n.r.Protocol = n.p.ALPNOtherwise
		return true
	}
	return n.reject(DimensionALPN, wire.AlertNoApplicationProtocol)
}

func (n *negotiation) protocolOfClient() bool {
	for offered := range n.h.ALPN.All() {
		for _, own := range n.p.ALPN {
			if string(offered) == own {
				n.r.Protocol = own
				return true
			}
		}
	}
	return !n.p.ALPNRequired || n.reject(DimensionALPN, wire.AlertNoApplicationProtocol)
}

// isChallenge reports whether the hello is an ACME server's (RFC 8737, Section 3) to an endpoint that lists the protocol beside
// others: Caddy, Traefik and whatever else gets its own certificates in Go. Without a challenge under way there is no
// certificate for it.
func (n *negotiation) isChallenge() bool {
	return n.p.Family == FamilyGo && n.r.Protocol == "acme-tls/1" && len(n.p.ALPN) > 1 && n.h.ALPN.Len() == 1
}
