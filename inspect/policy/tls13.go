package policy

import "github.com/tlstriage/tlstriage/inspect/wire"

// negotiate13 chooses suite, group and signature of TLS 1.3, which do not depend on each other (RFC 8446, Section 4.1.1).
// The order of the checks decides which of several alerts is sent: it is OpenSSL's, unless Go answers.
func (n *negotiation) negotiate13() {
	suite, failed := n.chooseSuite()
	if n.p.Family == FamilyJSSE && !n.extensionsForJSSE() {
		return
	}
	if failed != DimensionNone {
		n.reject(failed, wire.AlertHandshakeFailure)
		return
	}
	n.r.CipherSuite = suite
	if n.p.Family == FamilyGo {
		if n.goBefore(21) {
			_ = n.keyExchange13Go() && n.nameAndCertificate13() && n.chooseProtocol()
		} else {
			_ = n.keyExchange13Go() && n.chooseProtocol() && n.nameAndCertificate13()
		}
		return
	}
	// RFC 8446, Section 9.2: a hello without signature_algorithms, supported_groups or key_share MUST be answered with
	// missing_extension, unless a pre-shared key makes up for it.
	shares, groups := n.h.Extensions.Has(wire.ExtensionKeyShare), len(n.h.SupportedGroups) > 0
	switch {
	case !groups && n.p.Family == FamilyJSSE:
		n.reject(DimensionGroup, wire.AlertUnexpectedMessage)
	case shares && !groups:
		n.reject(DimensionGroup, n.missingExtension())
	case !n.chooseProtocol():
	case len(n.h.SignatureSchemes) == 0:
		n.reject(DimensionSignature, n.missingExtension())
	case groups && n.p.Family == FamilyGnuTLS && !n.chooseCertificate13(): // with the suite
	case !shares && groups:
		n.reject(DimensionGroup, wire.AlertMissingExtension)
	case !shares:
		n.reject(DimensionGroup, n.missingExtension())
	case n.chooseGroup13():
		n.chooseCertificate13()
	}
}

// extensionsForJSSE refuses protocols, and a hello without an extension that it needs, before anything is chosen, as JSSE does.
func (n *negotiation) extensionsForJSSE() bool {
	switch {
	case !n.chooseProtocol():
		return false
	case len(n.h.SignatureSchemes) == 0:
		return n.reject(DimensionSignature, wire.AlertMissingExtension)
	case len(n.h.SupportedGroups) > 0 && !n.h.Extensions.Has(wire.ExtensionKeyShare), len(n.h.SupportedGroups) == 0 && n.sharesGroup():
		return n.reject(DimensionGroup, wire.AlertMissingExtension)
	}
	return true
}

// sharesGroup reports whether the client has a key share in a group of the server's.
func (n *negotiation) sharesGroup() bool {
	for share := range n.h.KeyShares.All() {
		if contains(n.p.Groups, share) {
			return true
		}
	}
	return false
}

// missingExtension is the answer to a TLS 1.3 hello without an extension that it needs; GnuTLS has its own
// for all but key_share.
func (n *negotiation) missingExtension() wire.AlertDescription {
	if n.p.Family == FamilyGnuTLS {
		return wire.AlertHandshakeFailure
	}
	return wire.AlertMissingExtension
}

// keyExchange13Go chooses the group as crypto/tls does, which asks for a key share that is not there. Before Go 1.23 a share was
// enough, listed or not.
func (n *negotiation) keyExchange13Go() bool {
	if n.goBefore(24) {
		for _, g := range n.p.Groups {
			switch {
			case !n.hasKeyShare(g):
			case !n.goBefore(23) && !n.h.SupportedGroups.Contains(g):
				return n.reject(DimensionGroup, wire.AlertIllegalParameter)
			default:
				n.r.Group = g
				return true
			}
		}
	}
	if len(n.h.SupportedGroups) == 0 {
		return n.reject(DimensionGroup, wire.AlertHandshakeFailure)
	}
	return n.chooseGroup13()
}

// chooseGroup13 chooses the group of the key exchange; no source of the groups: none, and it is not known whether a
// HelloRetryRequest comes first. The RFC leaves open whether a share at hand goes before a better group; libraries differ:
//
//   - as the RFC suggests: the server's first group that has a share, or else its first, with a HelloRetryRequest;
//   - OpenSSL before 3.5: the client's first share that the server can use, or else the server's first group;
//   - BoringSSL: the server's first group, share or not;
//   - GnuTLS: the client's first group, share or not, or with %SERVER_PRECEDENCE the server's;
//   - JSSE: the client's first share that the server can use, or else the client's first group;
//   - Go and s2n-tls: post-quantum groups, then groups with a share, then the rest, each in the server's order.
func (n *negotiation) chooseGroup13() bool {
	if n.p.Groups == nil {
		n.doubtGroup()
		return true
	}
	var g wire.NamedGroup
	switch n.p.Family {
	case FamilyOpenSSL:
		for share := range n.h.KeyShares.All() {
			if contains(n.p.Groups, share) && n.h.SupportedGroups.Contains(share) {
				n.r.Group = share
				return true
			}
		}
		g = n.serverGroup(false, false)
	case FamilyBoringSSL:
		if n.p.Preference == PreferClient {
			g = n.clientGroup()
		} else {
			g = n.serverGroup(false, false)
		}
	case FamilyJSSE:
		for share := range n.h.KeyShares.All() {
			if contains(n.p.Groups, share) {
				n.r.Group = share
				return true
			}
		}
		g = n.clientGroup()
	case FamilyGnuTLS:
		if n.p.Preference == PreferClient {
			g = n.clientGroup()
		} else {
			g = n.serverGroup(false, false)
		}
	case FamilyGo, FamilyS2N:
		for _, form := range [...][2]bool{{true, true}, {true, false}, {false, true}, {false, false}} {
			if g = n.serverGroup(form[0], form[1]); g != 0 {
				break
			}
		}
	default:
		if g = n.serverGroup(false, true); g == 0 {
			g = n.serverGroup(false, false)
		}
	}
	if g == 0 && n.p.Family == FamilyJSSE {
		return n.reject(DimensionGroup, wire.AlertUnexpectedMessage)
	}
	if g == 0 {
		return n.reject(DimensionGroup, wire.AlertHandshakeFailure)
	}
	n.r.Group, n.r.HelloRetry = g, !n.hasKeyShare(g)
	return true
}

// serverGroup is the first group of the server's that the client lists and that is post-quantum or has a share where
// that is asked for; 0: none.
func (n *negotiation) serverGroup(postQuantum, share bool) wire.NamedGroup {
	for _, g := range n.p.Groups {
		if postQuantum {
			if info, _ := g.Info(); !info.PostQuantum {
				continue
			}
		}
		if n.h.SupportedGroups.Contains(g) && (!share || n.hasKeyShare(g)) {
			return g
		}
	}
	return 0
}

// clientGroup is the client's first group that the server has; 0: none.
func (n *negotiation) clientGroup() wire.NamedGroup {
	for i := range n.h.SupportedGroups.Len() {
		if g := n.h.SupportedGroups.At(i); contains(n.p.Groups, g) {
			return g
		}
	}
	return 0
}

func (n *negotiation) hasKeyShare(g wire.NamedGroup) bool {
	_, ok := n.h.KeyShares.Find(g)
	return ok
}

// chooseCertificate13 takes the first certificate of the server's that the client accepts a signature of. OpenSSL goes by
// the order of the schemes rather than of the certificates.
func (n *negotiation) chooseCertificate13() bool {
	if len(n.h.SignatureSchemes) == 0 {
		return n.reject(DimensionSignature, n.missingExtension())
	}
	if n.p.Family == FamilyOpenSSL && n.p.SignatureSchemes != nil {
		if n.chooseByScheme() {
			return true
		}
	} else {
		for _, cert := range n.certs {
			if scheme, ok := n.scheme(cert); ok {
				n.r.SignatureScheme, n.r.Certificate = scheme, cert
				n.doubtScheme(cert)
				return true
			}
		}
	}
	if n.p.Family == FamilyJSSE && n.listsCurveScheme() {
		return n.reject(DimensionSignature, wire.AlertInternalError)
	}
	return n.reject(DimensionSignature, wire.AlertHandshakeFailure)
}

// listsCurveScheme reports whether the two share an ECDSA scheme, if of another curve than the certificate's: JSSE then serves it
// all the same, and fails when it comes to sign.
func (n *negotiation) listsCurveScheme() bool {
	for _, cert := range n.certs {
		for _, s := range n.p.SignatureSchemes {
			if cert.curve() != 0 && s>>8 >= 4 && s>>8 <= 6 && s&0xFF == 3 && n.h.SignatureSchemes.Contains(s) {
				return true
			}
		}
	}
	return false
}

// nameAndCertificate13 is how crypto/tls comes to a certificate in TLS 1.3.
func (n *negotiation) nameAndCertificate13() bool {
	if len(n.h.SignatureSchemes) == 0 {
		return n.reject(DimensionSignature, wire.AlertMissingExtension)
	}
	return n.checkServerName() && n.chooseCertificate13()
}

func (n *negotiation) chooseByScheme() bool {
	try := func(s wire.SignatureScheme) bool {
		for _, cert := range n.certs {
			if fits(s, cert, wire.VersionTLS13) {
				n.r.SignatureScheme, n.r.Certificate = s, cert
				return true
			}
		}
		return false
	}
	if n.p.Preference == PreferClient {
		for i := range n.h.SignatureSchemes.Len() {
			if s := n.h.SignatureSchemes.At(i); hasScheme(n.p.SignatureSchemes, s) && try(s) {
				return true
			}
		}
		return false
	}
	for _, s := range n.p.SignatureSchemes {
		if n.h.SignatureSchemes.Contains(s) && try(s) {
			return true
		}
	}
	return false
}
