package policy

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// chooseSuite walks the suites in the order that wins and takes the first for which usable finds nothing amiss. Without
// one, the dimension is that of the suite which came furthest: a suite that both list and that only a group keeps
// from being used makes it the group's matter.
func (n *negotiation) chooseSuite() (wire.CipherSuite, Dimension) {
	if n.clientOrder() {
		return n.firstOfClient()
	}
	suite, failed := n.firstOfServer()
	if failed != DimensionNone {
		return 0, failed
	}
	for _, group := range n.p.EqualPreference {
		if slices.Contains(group, suite) {
			return n.firstOfClientIn(group, suite), DimensionNone
		}
	}
	if n.preference() == PreferenceUnknown {
		if other, _ := n.firstOfClient(); other != suite {
			n.doubt(uncertainPreference)
		}
	}
	return suite, DimensionNone
}

// preference is whose order of suites wins in the version that was chosen.
func (n *negotiation) preference() Preference {
	if n.r.Version == wire.VersionTLS13 && n.p.PreferenceTLS13 != PreferenceUnknown {
		return n.p.PreferenceTLS13
	}
	return n.p.Preference
}

// clientOrder reports whether the client's order wins. BoringSSL has no order of its own in TLS 1.3.
func (n *negotiation) clientOrder() bool {
	return n.preference() == PreferClient && n.p.Family != FamilyGo || n.p.Family == FamilyBoringSSL && n.r.Version == wire.VersionTLS13
}

func (n *negotiation) firstOfClient() (wire.CipherSuite, Dimension) {
	worst := DimensionCipher
	var last wire.CipherSuite // a suite that JSSE takes where there is no other (jdk.tls.legacyAlgorithms)
	for i := range n.h.CipherSuites.Len() {
		suite := n.h.CipherSuites.At(i)
		if !slices.Contains(n.p.CipherSuites, suite) {
			continue
		}
		failed := n.usable(suite)
		switch {
		case n.signsTooLate(failed):
			return 0, failed
		case failed != DimensionNone:
			worst = further(worst, failed)
		case n.p.Family == FamilyJSSE && isLegacy(suite):
			if last == 0 {
				last = suite
			}
		default:
			return suite, DimensionNone
		}
	}
	if last != 0 {
		return last, DimensionNone
	}
	return 0, worst
}

// signsTooLate reports whether the server stops at a suite that lacks nothing but a signature: JSSE has chosen it by the time it
// looks for one.
func (n *negotiation) signsTooLate(failed Dimension) bool {
	return failed == DimensionSignature && n.p.Family == FamilyJSSE && n.r.Version == wire.VersionTLS12
}

func isLegacy(suite wire.CipherSuite) bool {
	info, _ := suite.Info()
	switch info.Encryption {
	case "3DES", "RC4", "DES", "NULL":
		return true
	}
	return false
}

func (n *negotiation) firstOfClientIn(group []wire.CipherSuite, otherwise wire.CipherSuite) wire.CipherSuite {
	for i := range n.h.CipherSuites.Len() {
		if suite := n.h.CipherSuites.At(i); slices.Contains(group, suite) && n.usable(suite) == DimensionNone {
			return suite
		}
	}
	return otherwise
}

// firstOfServer walks the server's list, in two rounds where a kind of suites goes before the others.
func (n *negotiation) firstOfServer() (wire.CipherSuite, Dimension) {
	first := n.firstKind()
	worst := DimensionCipher
	for round := 0; round < 2; round++ {
		for _, suite := range n.p.CipherSuites {
			if !n.h.CipherSuites.Contains(suite) {
				continue
			}
			if first != nil && first(suite) != (round == 0) {
				continue
			}
			failed := n.usable(suite)
			if failed == DimensionNone {
				return suite, DimensionNone
			}
			if n.signsTooLate(failed) {
				return 0, failed
			}
			worst = further(worst, failed)
		}
		if first == nil {
			break
		}
	}
	return 0, worst
}

// firstKind is the kind of suites that goes to the front for this client: ChaCha20 for one whose own first choice it is,
// which says that it has no AES in hardware. crypto/tls turns it round: ChaCha20 goes first unless the client's first
// choice is AES-GCM.
func (n *negotiation) firstKind() func(wire.CipherSuite) bool {
	switch {
	case n.p.Family == FamilyGo:
		if prefersAESGCM(n.h) {
			return isEphemeralGCM
		}
		return isChaCha20
	case n.preference() == PreferServerChaCha:
		for i := range n.h.CipherSuites.Len() {
			suite := n.h.CipherSuites.At(i)
			if info, _ := suite.Info(); info.OpenSSL == "" {
				continue // not one that OpenSSL knows, whose rule this is
			}
			if isChaCha20(suite) {
				return isChaCha20
			}
			break
		}
	}
	return nil
}

func isChaCha20(suite wire.CipherSuite) bool {
	info, _ := suite.Info()
	return info.Encryption == "CHACHA20"
}

func isEphemeralGCM(suite wire.CipherSuite) bool {
	info, _ := suite.Info()
	return info.Mode == "GCM" && info.KeyExchange != "RSA"
}

// prefersAESGCM reports whether the first suite of the hello that crypto/tls implements is AES-GCM with forward secrecy.
func prefersAESGCM(h *wire.ClientHello) bool {
	for i := range h.CipherSuites.Len() {
		switch h.CipherSuites.At(i) {
		case wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384,
			wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384:
			return true
		case wire.TLS_CHACHA20_POLY1305_SHA256, wire.TLS_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_RSA_WITH_AES_256_GCM_SHA384,
			wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, wire.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, wire.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
			wire.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, wire.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
			wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, wire.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
			wire.TLS_RSA_WITH_AES_128_CBC_SHA, wire.TLS_RSA_WITH_AES_256_CBC_SHA, wire.TLS_RSA_WITH_AES_128_CBC_SHA256,
			wire.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA, wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
			wire.TLS_ECDHE_RSA_WITH_RC4_128_SHA, wire.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA, wire.TLS_RSA_WITH_RC4_128_SHA:
			return false
		}
	}
	return false
}

// further is the dimension of the suite that came closer to being chosen.
func further(a, b Dimension) Dimension {
	if progress(b) > progress(a) {
		return b
	}
	return a
}

func progress(d Dimension) int {
	switch d {
	case DimensionGroup:
		return 1
	case DimensionSignature:
		return 2
	}
	return 0
}

// usable says what keeps the server from choosing a suite that both sides list; DimensionNone: nothing.
func (n *negotiation) usable(suite wire.CipherSuite) Dimension {
	info, ok := suite.Info()
	lowest := info.MinVersion
	if n.p.Family == FamilyJSSE && lowest == wire.VersionTLS10 {
		lowest = wire.VersionSSLv3 // elliptic curves, too
	}
	if !ok || n.r.Version < lowest || n.r.Version > info.MaxVersion {
		return DimensionCipher
	}
	if n.r.Version == wire.VersionTLS13 {
		return DimensionNone // groups and certificates are negotiated apart from the suite
	}
	_, failed := n.certificateFor(info)
	return failed
}

// certificateFor finds the certificate that a suite of TLS 1.2 or below is used with, and what is amiss if there is
// none. Pre-shared keys, SRP, Kerberos and static DH suites need what no web endpoint has: they are never used. Anonymous suites
// do without a certificate where OpenSSL has them, and JSSE takes an ECDSA certificate for static ECDH.
func (n *negotiation) certificateFor(info wire.CipherSuiteInfo) (CertificateType, Dimension) {
	switch info.KeyExchange {
	case "RSA", "ECDHE":
	case "DHE":
		if n.p.NoDHParameters {
			return "", DimensionCipher
		}
	case "ECDH":
		if n.p.Family != FamilyJSSE {
			return "", DimensionCipher
		}
	default:
		return "", DimensionCipher
	}
	if info.Authentication == "anon" {
		return "", n.anonymous(info)
	}
	worst := DimensionCipher
	for i, cert := range n.certs {
		if !authenticates(cert, info.Authentication, n.r.Version) {
			continue
		}
		failed := DimensionNone
		if info.KeyExchange == "ECDHE" {
			if _, ok := n.ecdheGroup(); !ok {
				failed = DimensionGroup
			} else if !n.answerFor(i).curveOK {
				failed = n.strangeCurve(cert)
			}
		}
		if info.KeyExchange == "ECDH" && (cert.curve() == 0 || !n.answerFor(i).curveOK) {
			failed = n.strangeCurve(cert)
		}
		// With Go the suite is chosen before the signature is looked at.
		if failed == DimensionNone && info.KeyExchange != "RSA" && info.KeyExchange != "ECDH" && n.p.Family != FamilyGo && !n.answerFor(i).schemeOK {
			failed = DimensionSignature
		}
		if failed == DimensionNone {
			return cert, DimensionNone
		}
		worst = further(worst, failed)
	}
	return "", worst
}

// strangeCurve is what failed where the client does not list the curve that a certificate's key lies on. The first one is remembered.
func (n *negotiation) strangeCurve(cert CertificateType) Dimension {
	if n.certificateCurve == 0 {
		n.certificateCurve = cert.curve()
	}
	return DimensionGroup
}

// anonymous says what keeps the server from choosing an anonymous suite.
func (n *negotiation) anonymous(info wire.CipherSuiteInfo) Dimension {
	if n.p.Family != FamilyOpenSSL {
		return DimensionCipher
	}
	if _, ok := n.ecdheGroup(); info.KeyExchange == "ECDHE" && !ok {
		return DimensionGroup
	}
	return DimensionNone
}

// authenticates reports whether a certificate fits a suite's authentication. Ed25519 is used with the ECDSA suites, in
// TLS 1.2 and above (RFC 8422, Section 5.10).
func authenticates(cert CertificateType, authentication string, version wire.Version) bool {
	switch cert {
	case CertRSA:
		return authentication == "RSA"
	case CertEd25519:
		return authentication == "ECDSA" && version >= wire.VersionTLS12
	}
	return authentication == "ECDSA"
}
