package chain

import (
	"crypto/x509"
	"errors"
	"slices"
)

// Family is a family of clients that judge certificates alike.
type Family string

// Families. What is said of Go, OpenSSL, GnuTLS and Java is held to the programs by tests; of the browsers it is what their
// makers have published.
const (
	FamilyGo            Family = "go"             // crypto/x509 since Go 1.23
	FamilyOpenSSL       Family = "openssl"        // 1.1.0 and later at security level 2, as Debian, Ubuntu and Fedora set it: curl, Python, Ruby, PHP
	FamilyOpenSSLStrict Family = "openssl-strict" // the same with X509_V_FLAG_X509_STRICT: Python from 3.13
	FamilyOpenSSL10     Family = "openssl-1.0"    // before 1.1.0, without alternative chains: what was sent is followed to its end, whatever the roots hold
	FamilyGnuTLS        Family = "gnutls"         // 3.6 and later: wget, systems of Debian
	FamilyJava          Family = "java"           // the JDK's trust manager, from 11
	FamilyChrome        Family = "chrome"         // Chrome, Edge and Android's WebView with their own verifier
	FamilyFirefox       Family = "firefox"
	FamilyApple         Family = "apple" // Safari, iOS and macOS (support article 103769, formerly HT210176)
)

// pathHabit is how a family looks for a path.
type pathHabit int

const (
	everyPath    pathHabit = iota // goes back and tries others
	greedyTime                    // the roots first, then what was sent, preferring what is valid now
	greedyPlain                   // the same without the preference
	asPresented                   // what was sent to its end, then the roots
	ownVerifying                  // crypto/x509 itself
)

// commonNameHabit is when the common name stands in for alternative names.
type commonNameHabit int

const (
	never        commonNameHabit = iota
	withoutDNS                   // when there is no DNS name among them
	withoutNames                 // when there is neither DNS name nor address
)

// usageHabit is what of the leaf's key usage counts.
type usageHabit int

const (
	ignoresUsage  usageHabit = iota
	anyForTLS                // one of digital signature, key encipherment, key agreement
	signatureOnly            // digital signature
)

// habits are what sets one family apart.
type habits struct {
	family Family
	paths  pathHabit

	anchorsAnything bool // a trusted certificate need not be self-signed, and may be the leaf
	anchorsNoLeaf   bool // but not the leaf
	forgivesRoot    bool // the root's own validity does not count where the chain is sent in order, and nothing else
	anyUsage        bool // anyExtendedKeyUsage is server authentication too
	wantsUsage      bool // an extended key usage must be there
	caUsages        bool // extended key usages of authorities narrow what is below
	leafUsage       usageHabit
	minRSA, minEC   int  // least bits of keys; roots are not asked
	sha1, md5       bool // taken in signatures
	keyIDs          bool // an authority key identifier that does not fit ends the path
	strict          bool // the forms of RFC 5280: key identifiers, critical basic constraints, key usage of authorities
	commonName      commonNameHabit
	match           func(host, pattern string) bool
	underscore      bool // may stand in a name
	mappedAddress   bool // ::ffff:192.0.2.7 is 192.0.2.7
	tolerant        bool // of negative serial numbers and alternative names that crypto/x509 cannot parse
	emptyName       bool // among alternative names
	caLeaf          bool // takes an authority for a server
	badAddress      bool // an address entry of wrong length is passed over
	public          bool // holds public certificates to validity and timestamps
	days825         bool // holds all certificates to 825 days
}

// families are the habits of all. They are made for each examination: nothing of them is shared.
func families() []habits {
	openssl := habits{family: FamilyOpenSSL, paths: greedyTime, caUsages: true, leafUsage: anyForTLS, minRSA: 2048, minEC: 224, keyIDs: true,
		commonName: withoutDNS, match: matchOpenSSL, underscore: true, tolerant: true, emptyName: true, caLeaf: true, badAddress: true}
	strict := openssl
	strict.family, strict.strict = FamilyOpenSSLStrict, true
	old := openssl
	old.family, old.paths, old.minRSA, old.minEC, old.sha1, old.md5 = FamilyOpenSSL10, asPresented, 0, 0, true, true
	browser := habits{paths: everyPath, anchorsAnything: true, anyUsage: true, caUsages: true, leafUsage: signatureOnly, minRSA: 1024, minEC: 256,
		match: matchWhole, underscore: true, mappedAddress: true, emptyName: true, caLeaf: true, public: true}
	chrome, firefox, apple := browser, browser, browser
	chrome.family, firefox.family, apple.family = FamilyChrome, FamilyFirefox, FamilyApple
	firefox.caLeaf = false
	apple.minRSA, apple.days825, apple.wantsUsage, apple.anyUsage = 2048, true, true, false
	return []habits{
		{family: FamilyGo, paths: ownVerifying},
		openssl, strict, old,
		{family: FamilyGnuTLS, paths: greedyPlain, anchorsAnything: true, anchorsNoLeaf: true, anyUsage: true, caUsages: true, leafUsage: ignoresUsage, minRSA: 1024, minEC: 192,
			keyIDs: true, commonName: withoutNames, match: matchGnuTLS, underscore: true, tolerant: true, caLeaf: true, badAddress: true},
		{family: FamilyJava, paths: everyPath, anchorsAnything: true, forgivesRoot: true, anyUsage: true, leafUsage: signatureOnly, minRSA: 1024, minEC: 224, sha1: true,
			commonName: withoutDNS, match: matchJava, mappedAddress: true, tolerant: true, emptyName: true, caLeaf: true},
		chrome, firefox, apple,
	}
}

// Verdict is what one family makes of the chain.
type Verdict struct {
	Family  Family
	Accepts bool
	Unsure  bool      // what is known of the family does not settle it: other certificates along make it go either way
	Reasons []Because // why it refuses, or, where it accepts, what others refuse for
}

// Because is one ground of a verdict.
type Because struct {
	Fault  FaultID
	Reason Reason
	Index  int // of the certificate in Presented; -1 for a root, or the chain
	Text   string
}

// verdicts asks every family.
func (e *examination) verdicts() {
	for _, h := range families() {
		v := Verdict{Family: h.family, Reasons: e.refusals(&h)}
		v.Accepts = len(v.Reasons) == 0
		v.Unsure = h.paths == greedyPlain && e.unsettled(&h, v.Accepts)
		if v.Accepts {
			v.Reasons = e.fatal()
		}
		if len(v.Reasons) > maxReasons {
			v.Reasons = v.Reasons[:maxReasons:maxReasons]
		}
		e.r.Verdicts = append(e.r.Verdicts, v)
	}
	for i := range e.r.Faults {
		f := &e.r.Faults[i]
		for _, v := range e.r.Verdicts {
			if v.Accepts {
				continue
			}
			for _, b := range v.Reasons {
				if b.of(f) {
					f.RefusedBy = append(f.RefusedBy, v.Family)
					break
				}
			}
		}
	}
}

// of says whether a ground is that of a fault. Of name constraints the fault is the name's, the ground the authority's; a path on which
// a client gets stuck is one matter, wherever it does.
func (b *Because) of(f *Fault) bool {
	switch {
	case b.Fault != f.ID:
		return false
	case f.ID == LegacyPath, f.Reason == ReasonNameConstraints && b.Reason == f.Reason:
		return true
	}
	return (b.Index == f.Index || f.Index < 0 || b.Index < 0) && (b.Reason == f.Reason || b.Reason == "" || f.Reason == "")
}

// unsettled says whether a client like GnuTLS accepts or refuses by what else was sent: when the chain followed to its end and
// the chain cut at a trusted certificate within fare differently, and when it leads to an untrusted root that was sent while
// another path stands.
func (e *examination) unsettled(h *habits, accepts bool) bool {
	if !accepts {
		return e.strict != nil && slices.ContainsFunc(e.certs, func(c *cert) bool {
			return c.inPath && c.self && c != e.leaf && len(e.anchorsOf(e.stores[0], c.Certificate)) == 0
		})
	}
	path, a := e.follow(greedy{})
	return len(e.walkRefusals(h, walk{path, a})) > 0
}

// fatal lists the fatal faults.
func (e *examination) fatal() (list []Because) {
	for _, f := range e.r.Faults {
		if f.Fatal {
			list = append(list, Because{f.ID, f.Reason, f.Index, f.Detail})
		}
	}
	return list
}

// refusals says why a family refuses the chain; nothing when it accepts.
func (e *examination) refusals(h *habits) []Because {
	if h.paths == ownVerifying {
		return e.ownRefusals()
	}
	if list := e.beforePaths(h); len(list) > 0 {
		return list
	}
	var best []Because
	for i, w := range e.walks(h) {
		list := append(e.leafRefusals(h), e.walkRefusals(h, w)...)
		if i == 0 || len(list) < len(best) {
			best = list
		}
		if len(best) == 0 {
			return nil
		}
	}
	if h.paths != everyPath {
		e.blamePath(best)
	}
	return best
}

// blamePath puts what a client that never goes back met on its path down to that: another path stands.
func (e *examination) blamePath(list []Because) {
	if !slices.ContainsFunc(e.r.Faults, func(f Fault) bool { return f.ID == LegacyPath }) {
		return
	}
	for i := range list {
		if b := &list[i]; b.Fault == IntermediateExpired {
			b.Fault = LegacyPath
			if b.Reason == "" {
				b.Reason = ReasonExpiredCrossSign
			}
		}
	}
}

// ownRefusals are the grounds of crypto/x509.
func (e *examination) ownRefusals() (list []Because) {
	if e.r.Err == nil {
		return nil
	}
	for _, b := range e.fatal() {
		switch {
		case b.Fault == WeakKey, b.Fault == WrongUsage && (b.Reason == ReasonKeyUsage && b.Index == e.leaf.index || b.Reason == ReasonVersion1CA):
		default:
			list = append(list, b)
		}
	}
	var invalid x509.CertificateInvalidError
	if len(list) == 0 && errors.As(e.r.Err, &invalid) && invalid.Reason == x509.NotAuthorizedToSign {
		list = e.fatal()
	}
	if len(list) == 0 {
		list = []Because{{UntrustedRoot, "", -1, clip(e.r.Err.Error())}}
	}
	return list
}

// beforePaths are the grounds that make an end of it before any path is looked for.
func (e *examination) beforePaths(h *habits) (list []Because) {
	for _, f := range e.r.Faults {
		refuses := false
		switch f.Reason {
		case ReasonUnparseable, ReasonNotACertificate, ReasonBadSignature:
			refuses = true
		case ReasonNegativeSerial:
			refuses = !h.tolerant
		case ReasonAlternativeNames:
			refuses = f.ID == Malformed && !h.tolerant
		case ReasonTooMany:
			refuses = f.Fatal
		}
		if refuses || f.ID == WrongOrder && f.Fatal {
			list = append(list, Because{f.ID, f.Reason, f.Index, f.Detail})
		}
	}
	return list
}

// walk is a path as a family sees it.
type walk struct {
	certs []*x509.Certificate
	a     *anchor // nil: it ends nowhere
}

// walks are the paths that a family considers.
func (e *examination) walks(h *habits) (list []walk) {
	var g greedy
	switch h.paths {
	case greedyTime:
		g = greedy{trustedFirst: true, prefersValid: true}
	case greedyPlain:
		g = greedy{trustedFirst: true, partial: true}
	case asPresented:
		g = greedy{prefersValid: true}
	default:
		for i := range e.r.Paths {
			p := &e.r.Paths[i]
			if p.Store != e.stores[0].Name {
				continue
			}
			list = append(list, walk{p.sent, &p.anchor})
		}
		if len(list) == 0 {
			list = []walk{{certs: []*x509.Certificate{e.leaf.Certificate}}}
		}
		return list
	}
	path, a := e.follow(g)
	return []walk{{path, a}}
}
