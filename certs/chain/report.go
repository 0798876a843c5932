// Package chain takes a presented certificate chain apart: every fault of it at once as typed data, and the right chain
// where it can be built. It judges certificates and nothing else, does no I/O, reads no clock (the time is an option)
// and imports nothing of this project.
package chain

import (
	"crypto/x509"
	"time"
)

// FaultID names a kind of fault; it is also the id of the finding that is made of it.
type FaultID string

// Faults of a chain.
const (
	Expired             FaultID = "cert-expired"
	NotYetValid         FaultID = "cert-not-yet-valid"
	ExpiringSoon        FaultID = "cert-expiring-soon"
	NameMismatch        FaultID = "cert-name-mismatch"
	SelfSigned          FaultID = "cert-self-signed"
	MissingIntermediate FaultID = "chain-missing-intermediate"
	WrongOrder          FaultID = "chain-wrong-order"
	Unrelated           FaultID = "chain-unrelated-certificate"
	UntrustedRoot       FaultID = "chain-untrusted-root"
	IntermediateExpired FaultID = "chain-intermediate-expired"
	WeakKey             FaultID = "cert-weak-key"
	WeakSignature       FaultID = "cert-weak-signature"
	WrongUsage          FaultID = "cert-wrong-usage"
	Malformed           FaultID = "cert-malformed"
	UncommonAlgorithm   FaultID = "cert-uncommon-algorithm" // some clients know it, and others do not

	LegacyPath      FaultID = "chain-legacy-path"           // clients that take the chain as it is sent get stuck where others find a way around
	RootSent        FaultID = "chain-root-sent"             // the trusted root is sent along for nothing
	TooLarge        FaultID = "chain-too-large"             // the flight does not fit the initial congestion window
	ValidityTooLong FaultID = "cert-validity-too-long"      // of a public certificate, for the day it was issued
	BadSerial       FaultID = "cert-bad-serial"             // zero, negative or too long
	BadName         FaultID = "cert-bad-name"               // an alternative name that matches nothing, or not what was meant
	CommonNameOnly  FaultID = "cert-common-name-only"       // no alternative names, where no name was asked for
	MissingKeyID    FaultID = "cert-missing-key-identifier" // strict clients want the identifiers of RFC 5280
	SCTMissing      FaultID = "sct-missing"                 // a public certificate without enough signed certificate timestamps
	SCTInvalid      FaultID = "sct-invalid"                 // a timestamp that is unreadable or that its log did not sign
)

// Reason is the finer cause within a FaultID; empty where the id says it all.
type Reason string

// Reasons.
const (
	// Of WrongUsage.
	ReasonExtKeyUsage     Reason = "extended-key-usage" // it does not allow what it is used for
	ReasonKeyUsage        Reason = "key-usage"
	ReasonNotCA           Reason = "not-a-ca"         // basic constraints lack or say so
	ReasonVersion1CA      Reason = "version-1-ca"     // an intermediate of X.509 version 1 cannot say that it is a CA
	ReasonCALeaf          Reason = "ca-as-leaf"       // the server's certificate is an authority
	ReasonNameConstraints Reason = "name-constraints" // a name below lies outside of what an authority may issue for
	ReasonPathLength      Reason = "path-length"      // more authorities below than one allows

	// Of Malformed.
	ReasonCriticalExtension Reason = "critical-extension" // one that nobody understands
	ReasonUnparseable       Reason = "unparseable"
	ReasonNotACertificate   Reason = "not-a-certificate" // PEM text, a private key, a request, or the like
	ReasonAlternativeNames  Reason = "alternative-names" // the extension breaks the parse
	ReasonTooMany           Reason = "too-many"          // not everything was looked at
	ReasonBadSignature      Reason = "bad-signature"     // the issuer that it names is there, and its key did not make the signature

	// Of UncommonAlgorithm.
	ReasonUncommonKey       Reason = "key"
	ReasonUncommonCurve     Reason = "curve" // of its key
	ReasonUncommonSignature Reason = "signature-algorithm"
	ReasonUnknownAlgorithm  Reason = "unknown-algorithm"

	// Of BadSerial.
	ReasonZeroSerial     Reason = "zero-serial"
	ReasonNegativeSerial Reason = "negative-serial"
	ReasonLongSerial     Reason = "long-serial"

	// Of BadName and NameMismatch.
	ReasonCommonNameOnly   Reason = "common-name-only"
	ReasonAddressAsName    Reason = "address-as-dns-name"
	ReasonNameAsAddress    Reason = "name-as-address"
	ReasonMappedAddress    Reason = "mapped-address" // an IPv4 address as ::ffff:192.0.2.7
	ReasonUnicodeLabel     Reason = "unicode-label"
	ReasonBadALabel        Reason = "bad-a-label"
	ReasonUnderscore       Reason = "underscore"
	ReasonTrailingDot      Reason = "trailing-dot"
	ReasonPartialWildcard  Reason = "partial-wildcard"
	ReasonWildcardPlace    Reason = "wildcard-not-leftmost"
	ReasonWildcardSuffix   Reason = "wildcard-over-public-suffix"
	ReasonWildcardDepth    Reason = "wildcard-depth" // of NameMismatch: it stands for one label
	ReasonDuplicateName    Reason = "duplicate-name"
	ReasonNotADomainName   Reason = "not-a-domain-name"  // empty, with spaces, a port or a scheme, or too long
	ReasonDuplicateSent    Reason = "sent-twice"         // of Unrelated
	ReasonExpiredRoot      Reason = "expired-root"       // of LegacyPath and IntermediateExpired
	ReasonFutureRoot       Reason = "root-not-yet-valid" // of NotYetValid
	ReasonExpiredCrossSign Reason = "expired-cross-sign"
	ReasonUntrustedTop     Reason = "untrusted-cross-sign"
	ReasonKeyIDMismatch    Reason = "key-identifier-mismatch"
	ReasonTooFewSCTs       Reason = "too-few"
	ReasonSCTSyntax        Reason = "syntax"
	ReasonSCTSignature     Reason = "signature"
	ReasonSCTFuture        Reason = "from-the-future"
	ReasonAnotherKey       Reason = "another-key"    // of MissingIntermediate and UntrustedRoot: a certificate of the issuer's name was sent, with a key that did not sign
	ReasonUnknownIssuer    Reason = "unknown-issuer" // of MissingIntermediate and UntrustedRoot: nothing tells which of the two it is
	ReasonMD5              Reason = "md5"            // of WeakSignature
	ReasonSHA1             Reason = "sha1"
)

// Fault is one thing that is wrong with a presented chain.
type Fault struct {
	ID     FaultID
	Reason Reason // the finer cause, where there is one
	Index  int    // of the certificate in Presented it is about; -1 when it is about the chain
	Fatal  bool   // a verifying client refuses the chain because of it
	Detail string // one sentence with the values seen; strangers' strings in it are bounded but not escaped

	Names     []string // NameMismatch: the names the certificate has, nearest first; BadName: the names meant. Otherwise nil
	Missing   string   // MissingIntermediate: the subject of the certificate that lacks, as its child names it; UntrustedRoot: of the root, where it was not sent
	RefusedBy []Family // the client families that refuse the chain for it (see Report.Verdicts)
}

// Options say against what a chain is examined.
type Options struct {
	Name         string              // DNS name or IP address the client asked for; empty: names are not checked
	Roots        *x509.CertPool      // nil: the system's roots
	Time         time.Time           // when to judge; must be set
	ExpiringSoon time.Duration       // remaining life below which ExpiringSoon is reported; 0: 30 days, negative: never
	Usages       []x509.ExtKeyUsage  // nil: server authentication
	Known        []*x509.Certificate // certificates that may help to name what lacks: CA bundles, roots. Never trusted

	Store  string  // what Roots is called in Report.Paths; empty: "system" where Roots is nil, else "configured"
	Public bool    // Roots holds public authorities only: the rules of the CA/Browser Forum apply to what ends there
	Stores []Store // further stores to look for paths in, at most 8: Valid and Trusted do not depend on them

	SCTs         [][]byte // signed certificate timestamps from the TLS extension (RFC 6962, Section 3.3.1), each by itself
	OCSPResponse []byte   // the staple; empty: none came
	Logs         *LogList // the logs to verify timestamps with; nil: they are counted, not verified
	RestOfFlight int      // bytes that the server sends in one go beside certificates and staple; 0: an estimate
	Sent         int      // how many certificates were sent, where those at hand are only the first of them; 0: these are all
}

// Store is a named set of trusted roots.
type Store struct {
	Name   string
	Roots  *x509.CertPool
	Public bool // as Options.Public
}

// Report is the result of an examination.
type Report struct {
	Presented []*x509.Certificate   // as sent, leaf first; nil where one does not parse
	Raw       [][]byte              // as sent
	Faults    []Fault               // worst first
	Trusted   bool                  // some path leads to a root, names and times aside
	Valid     bool                  // no fatal fault
	Verified  [][]*x509.Certificate // every path to a trusted root that crypto/x509 finds; where none holds, those that do with times, names and usages aside
	Right     []*x509.Certificate   // the chain to send instead (leaf first, no root), when it can be built from what is here
	Err       error                 // what crypto/x509 says first; nil when it accepts

	Paths      []Path    // every path to a root of any store, whatever is wrong with it; those that hold now first
	Verdicts   []Verdict // what each client family makes of the chain
	SCTs       []SCT     // signed certificate timestamps, embedded and delivered
	MustStaple bool      // the leaf asks for a stapled OCSP response (RFC 7633)
	Stapled    bool      // and one came
	Flight     Flight    // what sending the chain costs
	Public     bool      // the leaf is a public certificate: by the store its path ends in, or by what it says of itself
}
