package policy

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// negotiate12 is the choice of suite, certificate, group and signature in SSLv3 to TLS 1.2, where they depend on each other.
// OpenSSL looks at ALPN after everything else, other libraries before.
func (n *negotiation) negotiate12() {
	protocolLast := n.p.Family == FamilyOpenSSL
	if !protocolLast && !n.chooseProtocol() {
		return
	}
	if n.p.Family == FamilyGo && !n.checkServerName() {
		return
	}
	if n.p.Family == FamilyGo && len(n.certs) > 1 {
		n.negotiate12Go()
	} else {
		n.negotiate12With()
	}
	if protocolLast && n.r.RejectedBy == DimensionNone {
		n.chooseProtocol()
	}
}

// negotiate12Go takes the first certificate with which the handshake can be completed, as crypto/tls does, and the very
// first without any. That all of them have the client's server name is assumed. What a refusal is blamed on is the
// dimension in which the certificate that came furthest failed: a client with RSA suites and no usable signature for the
// RSA certificate lacks a signature, not a suite.
func (n *negotiation) negotiate12Go() {
	certs, before, worst := n.certs, n.r, DimensionCipher
	if n.h.LegacyVersion > wire.VersionTLS12 && len(n.h.SupportedVersions) == 0 && slices.Contains(n.p.Versions, wire.VersionTLS13) {
		// Here, and only here, legacy_version counts as an offer of TLS 1.3, in which the scheme alone decides.
		i := max(slices.IndexFunc(certs, n.signs13), 0)
		n.certs = certs[i : i+1]
		n.negotiate12With()
		return
	}
	for i := range certs {
		n.certs, n.r, n.answered[0] = certs[i:i+1], before, false
		if curve := certs[i].curve(); curve != 0 && !n.h.SupportedGroups.Contains(curve) {
			continue
		}
		if n.negotiate12With(); n.r.RejectedBy == DimensionNone || n.r.RejectedBy == DimensionVersion {
			return // the certificate would do, be it for an inappropriate fallback
		}
		worst = further(worst, n.r.RejectedBy)
	}
	n.certs, n.r, n.answered[0] = certs[:1], before, false
	if n.negotiate12With(); n.r.RejectedBy == DimensionCipher {
		n.r.RejectedBy = worst
	}
}

// signs13 reports whether a certificate could sign in TLS 1.3 for this client.
func (n *negotiation) signs13(cert CertificateType) bool {
	for i := range n.h.SignatureSchemes.Len() {
		if s := n.h.SignatureSchemes.At(i); fits(s, cert, wire.VersionTLS13) && hasScheme(n.p.SignatureSchemes, s) {
			return true
		}
	}
	return len(n.h.SignatureSchemes) == 0
}

func (n *negotiation) negotiate12With() {
	// OpenSSL refuses a client that shares no signature scheme before it looks at suites that need none.
	if n.p.Family == FamilyOpenSSL && n.r.Version == wire.VersionTLS12 && len(n.h.SignatureSchemes) > 0 && n.p.SignatureSchemes != nil && !n.sharesScheme() {
		n.reject(DimensionSignature, wire.AlertHandshakeFailure)
		return
	}
	// signature_algorithms_cert by itself leaves OpenSSL without a scheme: its default is for clients that have neither.
	if n.p.Family == FamilyOpenSSL && n.r.Version == wire.VersionTLS12 && len(n.h.SignatureSchemes) == 0 && len(n.h.SignatureSchemesCert) > 0 {
		n.reject(DimensionSignature, wire.AlertHandshakeFailure)
		return
	}
	suite, failed := n.chooseSuite()
	if failed == DimensionSignature && n.p.Family == FamilyJSSE && n.r.Version == wire.VersionTLS12 {
		n.reject(failed, wire.AlertInternalError) // noticed when it comes to sign
		return
	}
	if failed != DimensionNone {
		n.reject(failed, wire.AlertHandshakeFailure)
		return
	}
	if n.p.Family == FamilyGo && n.h.LegacyVersion < slices.Max(n.p.Versions) && n.h.CipherSuites.Contains(wire.FallbackSCSV) {
		n.reject(DimensionVersion, wire.AlertInappropriateFallback)
		return
	}
	info, _ := suite.Info()
	cert, _ := n.certificateFor(info)
	n.r.CipherSuite, n.r.Certificate = suite, cert
	switch {
	case info.KeyExchange == "RSA" && n.p.Family != FamilyOpenSSL, info.KeyExchange == "ECDH":
		return // nothing is signed
	case info.Authentication == "anon":
		if info.KeyExchange == "ECDHE" {
			n.r.Group, _ = n.ecdheGroup()
		}
		return
	}
	scheme, ok := n.scheme(cert)
	if !ok {
		n.reject(DimensionSignature, wire.AlertHandshakeFailure)
		return
	}
	if info.KeyExchange == "RSA" {
		return // OpenSSL looks for a scheme, but has nothing to sign
	}
	n.r.SignatureScheme = scheme
	n.doubtScheme(cert)
	if info.KeyExchange == "ECDHE" {
		n.r.Group, _ = n.ecdheGroup()
		n.doubtGroup()
		if curve := cert.curve(); curve != 0 && len(n.h.SupportedGroups) > 0 && !n.h.SupportedGroups.Contains(curve) && n.p.Family != FamilyGo && n.p.Family != FamilyGnuTLS {
			n.doubt(uncertainCurve)
		}
	}
}

// ecdheGroup is the group of an ECDHE key exchange in TLS 1.2 and below; 0 and true: one is in use, but it is not known
// which. A client that lists no groups leaves the choice to the server (RFC 8422, Section 4); several libraries then do
// without ECDHE. Servers that have their own order of suites have one of groups, too.
func (n *negotiation) ecdheGroup() (wire.NamedGroup, bool) {
	if !n.group.known {
		n.group.group, n.group.ok = n.findGroup()
		n.group.known = true
	}
	return n.group.group, n.group.ok
}

func (n *negotiation) findGroup() (wire.NamedGroup, bool) {
	if !n.uncompressedPoints() {
		return 0, false
	}
	offered, own := n.h.SupportedGroups, n.p.Groups
	if len(offered) == 0 || n.p.Family == FamilyJSSE && !n.knownGroups() {
		if n.needsGroups() {
			return 0, false
		}
		return n.groupUnasked(), true
	}
	if own == nil {
		for i := range offered.Len() {
			if forECDHE(offered.At(i)) {
				return 0, true
			}
		}
		return 0, false
	}
	if n.clientGroupOrder() {
		for i := range offered.Len() {
			if g := offered.At(i); forECDHE(g) && contains(own, g) {
				return g, true
			}
		}
		return 0, false
	}
	for _, g := range own {
		if forECDHE(g) && offered.Contains(g) {
			return g, true
		}
	}
	return 0, false
}

// knownGroups reports whether the client lists any group that a server could know: one that JSSE does not, such as the Brainpool
// curves, is as if it were not there.
func (n *negotiation) knownGroups() bool {
	for i := range n.h.SupportedGroups.Len() {
		if g := n.h.SupportedGroups.At(i); forECDHE(g) && (g < wire.GroupBrainpoolP256r1 || g > wire.GroupBrainpoolP512r1) || g >= wire.GroupFfdhe2048 && g <= wire.GroupFfdhe8192 {
			return true
		}
	}
	return false
}

// needsGroups reports whether the server leaves ECDHE alone when the client lists no groups.
func (n *negotiation) needsGroups() bool {
	switch n.p.Family {
	case FamilyGo, FamilyOpenSSL, FamilyBoringSSL:
		return true
	}
	return false
}

// groupUnasked is the group for a client that lists none: secp256r1 where the server has it, or else its first, which is what
// JSSE always takes.
func (n *negotiation) groupUnasked() wire.NamedGroup {
	if n.p.Family == FamilyGnuTLS { // enabled or not
		return wire.GroupSecp256r1
	}
	if n.p.Family != FamilyJSSE && contains(n.p.Groups, wire.GroupSecp256r1) {
		return wire.GroupSecp256r1
	}
	for _, g := range n.p.Groups {
		if forECDHE(g) {
			return g
		}
	}
	return 0
}

// clientGroupOrder reports whether the client's order of groups wins in TLS 1.2 and below.
func (n *negotiation) clientGroupOrder() bool {
	switch n.p.Family {
	case FamilyGo, FamilyJSSE:
		return true
	case FamilyOpenSSL, FamilyBoringSSL, FamilyGnuTLS:
		return n.p.Preference == PreferClient
	}
	return false
}

// forECDHE reports whether a group can be used in TLS 1.2 and below: an elliptic curve, and not one of those that were
// registered for TLS 1.3 alone.
func forECDHE(g wire.NamedGroup) bool { return g >= 1 && g <= wire.GroupX448 }

// uncompressedPoints reports whether the client reads uncompressed points, the only form in use. An absent extension
// says yes (RFC 8422, Section 5.1.2).
func (n *negotiation) uncompressedPoints() bool {
	if len(n.h.PointFormats) == 0 {
		return true
	}
	for _, f := range n.h.PointFormats {
		if f == 0 {
			return true
		}
	}
	return false
}

// curveAccepted reports whether the server would use a certificate with this client, as far as its curve goes.
// RFC 8422, Section 5.1.1 has the client's groups bind the curve of the certificate too; OpenSSL and JSSE hold to it.
func (n *negotiation) curveAccepted(cert CertificateType) bool {
	curve := cert.curve()
	binds := n.p.Family == FamilyOpenSSL || n.p.Family == FamilyJSSE
	return !binds || curve == 0 || len(n.h.SupportedGroups) == 0 || n.h.SupportedGroups.Contains(curve)
}

func (n *negotiation) doubtGroup() {
	switch {
	case len(n.h.SupportedGroups) == 0:
		if n.p.Family == FamilyUnknown {
			n.doubt(uncertainNoGroups)
		}
	case n.p.Groups == nil && !n.h.SupportedGroups.Contains(wire.GroupSecp256r1):
		n.doubt(uncertainGroups)
	}
}

// curve is the group that the key of a certificate lies on; 0: none.
func (c CertificateType) curve() wire.NamedGroup {
	switch c {
	case CertECDSAP256:
		return wire.GroupSecp256r1
	case CertECDSAP384:
		return wire.GroupSecp384r1
	case CertECDSAP521:
		return wire.GroupSecp521r1
	}
	return 0
}

func contains(groups []wire.NamedGroup, g wire.NamedGroup) bool {
	for _, own := range groups {
		if own == g {
			return true
		}
	}
	return false
}
