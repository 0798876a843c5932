package wire

import (
	"sort"
	"strconv"
	"strings"
)

// suiteFact is a row of the generated table; its small numbers stand for words of suiteTerms.
type suiteFact struct {
	name, openssl                 string
	code                          CipherSuite
	low, high                     Version
	bits                          uint16
	kx, auth, enc, mode, mac, prf uint8
	flags                         uint8
	recommended                   byte
}

const (
	suiteAEAD = 1 << iota
	suiteForwardSecret
	suiteExport
)

func (c CipherSuite) fact() *suiteFact {
	i := sort.Search(len(suiteFacts), func(i int) bool { return suiteFacts[i].code >= c }) // by index: rows are large
	if i == len(suiteFacts) || suiteFacts[i].code != c {
		return nil
	}
	return &suiteFacts[i]
}

// CipherSuiteInfo is what is known about a suite. The words are those of the IANA name: KeyExchange RSA, DHE, ECDHE, PSK, …;
// Authentication RSA, ECDSA, DSS, PSK, anon, …; Encryption AES, CHACHA20, 3DES, RC4, NULL, …; MAC SHA1, SHA256, AEAD, …
type CipherSuiteInfo struct {
	Name           string // IANA
	OpenSSL        string // OpenSSL 3's name; empty: it has none
	KeyExchange    string // "any" in TLS 1.3, where it is not the suite's matter; empty for a signalling suite
	Authentication string // "any" in TLS 1.3
	Encryption     string
	Mode           string // CBC, GCM, CCM, CCM_8, POLY1305, stream, …
	MAC            string
	PRF            string // empty: the version's own
	KeyBits        int    // nominal: 168 for 3DES
	AEAD           bool
	ForwardSecrecy bool // ephemeral keys; true for anonymous suites, too, that authenticate nobody
	Export         bool // weakened on purpose, for export from the United States before 2000
	MinVersion     Version
	MaxVersion     Version
	Recommended    byte // 'Y', 'N' or 'D' (discouraged) as IANA says
}

// TLS13 reports whether the suite belongs to TLS 1.3, whose suites and earlier ones exclude each other.
func (i CipherSuiteInfo) TLS13() bool { return i.MinVersion == VersionTLS13 }

// Signal reports whether this is no suite but a flag: TLS_FALLBACK_SCSV or TLS_EMPTY_RENEGOTIATION_INFO_SCSV.
func (i CipherSuiteInfo) Signal() bool { return i.KeyExchange == "" }

// Info is what is known about c; false: no registry knows it.
func (c CipherSuite) Info() (CipherSuiteInfo, bool) {
	f := c.fact()
	if f == nil {
		return CipherSuiteInfo{}, false
	}
	return CipherSuiteInfo{
		Name: f.name, OpenSSL: f.openssl, KeyBits: int(f.bits),
		KeyExchange: suiteTerms[f.kx], Authentication: suiteTerms[f.auth], Encryption: suiteTerms[f.enc], Mode: suiteTerms[f.mode],
		MAC: suiteTerms[f.mac], PRF: suiteTerms[f.prf],
		AEAD: f.flags&suiteAEAD != 0, ForwardSecrecy: f.flags&suiteForwardSecret != 0, Export: f.flags&suiteExport != 0,
		MinVersion: f.low, MaxVersion: f.high, Recommended: f.recommended,
	}, true
}

// OpenSSLName is the name that OpenSSL gives the suite, or else its IANA name.
func (c CipherSuite) OpenSSLName() string {
	if f := c.fact(); f != nil && f.openssl != "" {
		return f.openssl
	}
	return c.String()
}

// groupFact is a row of the generated table.
type groupFact struct {
	code           NamedGroup
	name           string
	kind           GroupKind
	tls13          bool
	obsolete       bool
	client, server uint16
}

func (g NamedGroup) fact() *groupFact {
	i := sort.Search(len(groupFacts), func(i int) bool { return groupFacts[i].code >= g }) // by index: rows are large
	if i == len(groupFacts) || groupFacts[i].code != g {
		return nil
	}
	return &groupFacts[i]
}

// GroupKind is the kind of key exchange that a group is for.
type GroupKind string

// Kinds of groups.
const (
	GroupKindECDHE    GroupKind = "ecdhe"
	GroupKindFFDHE    GroupKind = "ffdhe"
	GroupKindHybrid   GroupKind = "hybrid" // elliptic curve and post-quantum
	GroupKindKEM      GroupKind = "kem"    // post-quantum alone
	GroupKindExplicit GroupKind = "explicit"
)

// NamedGroupInfo is what is known about a group.
type NamedGroupInfo struct {
	Name        string
	Kind        GroupKind
	TLS13       bool // may be used in TLS 1.3; the others are reserved there (RFC 8446, Section 4.2.7)
	PostQuantum bool
	Obsolete    bool // an experiment that is over
	Weak        bool // a curve of less than 224 bits, which gives less than 112 bits of security, or a curve of the peer's own
	ClientShare int  // bytes of a key share in a ClientHello; 0: not known
	ServerShare int  // bytes of a key share in a ServerHello; 0: not known
}

// Info is what is known about g; false: no registry knows it.
func (g NamedGroup) Info() (NamedGroupInfo, bool) {
	f := g.fact()
	if f == nil {
		return NamedGroupInfo{}, false
	}
	return NamedGroupInfo{
		Name: f.name, Kind: f.kind, TLS13: f.tls13, Obsolete: f.obsolete, Weak: f.weak(),
		PostQuantum: f.kind == GroupKindHybrid || f.kind == GroupKindKEM,
		ClientShare: int(f.client), ServerShare: int(f.server),
	}, true
}

// weak reads the size out of the names of SEC 2, which carry it: sect163k1, secp192r1.
func (f *groupFact) weak() bool {
	if f.kind == GroupKindExplicit {
		return true
	}
	if len(f.name) < 7 || !strings.HasPrefix(f.name, "sec") {
		return false
	}
	bits, err := strconv.Atoi(f.name[4:7])
	return err == nil && bits < 224
}

// schemeFact is a row of the generated table.
type schemeFact struct {
	code             SignatureScheme
	name             string
	kind             SignatureKind
	hash             string
	curve            NamedGroup
	tls13            bool
	certificatesOnly bool
}

func (s SignatureScheme) fact() *schemeFact {
	i := sort.Search(len(schemeFacts), func(i int) bool { return schemeFacts[i].code >= s }) // by index: rows are large
	if i == len(schemeFacts) || schemeFacts[i].code != s {
		return nil
	}
	return &schemeFacts[i]
}

// SignatureKind is the algorithm of a signature scheme.
type SignatureKind string

// Kinds of signatures.
const (
	SignatureRSAPKCS1   SignatureKind = "RSA-PKCS1"    // RSASSA-PKCS1-v1_5
	SignatureRSAPSSRSAE SignatureKind = "RSA-PSS-RSAE" // RSASSA-PSS with an ordinary RSA key (rsaEncryption)
	SignatureRSAPSSPSS  SignatureKind = "RSA-PSS-PSS"  // RSASSA-PSS with a key that is for PSS only
	SignatureDSA        SignatureKind = "DSA"
	SignatureECDSA      SignatureKind = "ECDSA"
	SignatureEdDSA      SignatureKind = "EdDSA"
	SignatureMLDSA      SignatureKind = "ML-DSA"
	SignatureSM2        SignatureKind = "SM2"
	SignatureGOST       SignatureKind = "GOST"
	SignatureECCSI      SignatureKind = "ECCSI"
	SignatureISOIBS     SignatureKind = "ISO-IBS"
)

// SignatureSchemeInfo is what is known about a signature scheme.
type SignatureSchemeInfo struct {
	Name                  string
	Kind                  SignatureKind
	Hash                  string     // MD5, SHA1, SHA256, …; empty where the scheme brings its own (EdDSA, ML-DSA)
	Curve                 NamedGroup // that the key must be on in TLS 1.3, where the scheme binds it; 0: none. TLS 1.2 does not bind it.
	TLS13                 bool       // allowed in a TLS 1.3 CertificateVerify
	TLS13CertificatesOnly bool       // in TLS 1.3 for signatures inside certificates only (RFC 8446, Section 4.2.3)
}

// Info is what is known about s; false: no registry knows it.
func (s SignatureScheme) Info() (SignatureSchemeInfo, bool) {
	f := s.fact()
	if f == nil {
		return SignatureSchemeInfo{}, false
	}
	return SignatureSchemeInfo{Name: f.name, Kind: f.kind, Hash: f.hash, Curve: f.curve, TLS13: f.tls13, TLS13CertificatesOnly: f.certificatesOnly}, true
}
