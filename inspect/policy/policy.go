// Package policy knows what a TLS endpoint accepts, and what it would make of a ClientHello: named policies of load
// balancers and servers as data, policies of the user's own, and Negotiate. It judges hellos only; it does no I/O (files come
// through an fs.FS or as bytes) and reads no clock.
package policy

//go:generate go run ./internal/generate -facts ../../../shared/facts -out builtin_generated.go

import "github.com/tlstriage/tlstriage/inspect/wire"

// Policy is what an endpoint accepts.
type Policy struct {
	Name     string   // "aws/ELBSecurityPolicy-TLS13-1-2-2021-06", or the user's own
	Provider string   // "aws", "nginx", …; empty for the user's own
	Product  string   // "ALB/NLB", …
	Aliases  []string // other names it is known by
	Verified bool     // the facts were checked against two sources, or a primary one
	Source   []string // where the facts are from
	AsOf     string
	Notes    string

	Versions         []wire.Version
	CipherSuites     []wire.CipherSuite // of all versions, in the server's order
	Preference       Preference
	PreferenceTLS13  Preference           // whose order of the suites of TLS 1.3 wins, where it is another (a server of nginx beside its default one); PreferenceUnknown: as Preference
	EqualPreference  [][]wire.CipherSuite // groups inside which the client's order wins (BoringSSL)
	Groups           []wire.NamedGroup    // in the server's order; nil: no source states them
	SignatureSchemes []wire.SignatureScheme
	Certificates     []CertificateType // what the endpoint can serve, in its order; nil: both RSA and ECDSA P-256
	NoDHParameters   bool              // DHE suites are listed but never chosen, for want of parameters (nginx without ssl_dhparam)
	CertificateFirst bool              // name and certificate are chosen before anything else, from what the client lists (HAProxy)
	CertificateBy12  bool              // with CertificateFirst: a suite of TLS 1.3 does not count as one for ECDSA (HAProxy before 2.6.16 and 2.8.4)
	ALPN             []string          // in the server's order; nil: the endpoint does not negotiate ALPN
	ALPNRequired     bool              // no protocol in common ends the handshake (alert 120) rather than being ignored
	ALPNOtherwise    string            // with ALPN: what is answered where no protocol is in common, listed by the client or not (httpd)
	Names            []string          // server names that are served: exact, "*.example.com" (one label), "**.example.com" (one or more); nil: any; empty: none
	SNIRequired      bool
	NameAlert        wire.AlertDescription // answer to a server name that is not served; 0: unrecognized_name
	NameSilent       bool                  // a server name that is not served ends the connection without an alert (Envoy)
	ClientAuth       ClientAuth
	Family           Family                // whose TLS library answers, which decides on alerts and on a few choices that the RFCs leave open
	GoRelease        int                   // of crypto/tls, with FamilyGo: 24 is Go 1.24; 0: the newest that is known
	OldVersionAlert  wire.AlertDescription // answer to hellos below the lowest version, where it was measured and is not protocol_version; 0: protocol_version
	BlockedVersions  []wire.Version        // chosen like Versions, but then no handshake completes: OldVersionAlert answers, or internal_error where that is 0
	SecurityLevel    int                   // OpenSSL's, already applied to everything above; Negotiate does not look at it
}

// Preference says whose order of suites wins.
type Preference uint8

// Preferences.
const (
	PreferenceUnknown Preference = iota // no source states it: taken as the server's
	PreferServer
	PreferClient
	PreferServerChaCha // the server's, but ChaCha20 first when the client lists it first
)

// String is the word for p in a policy file; "unknown" where no source states it.
func (p Preference) String() string {
	switch p {
	case PreferServer:
		return "server"
	case PreferClient:
		return "client"
	case PreferServerChaCha:
		return "server-chacha"
	}
	return "unknown"
}

// CertificateType is a kind of key that a certificate can have.
type CertificateType string

// Certificate types.
const (
	CertRSA       CertificateType = "rsa"
	CertECDSAP256 CertificateType = "ecdsa-p256"
	CertECDSAP384 CertificateType = "ecdsa-p384"
	CertECDSAP521 CertificateType = "ecdsa-p521"
	CertEd25519   CertificateType = "ed25519"
)

// ClientAuth says what an endpoint asks of the client's certificate.
type ClientAuth string

// Client authentication.
const (
	ClientAuthNone    ClientAuth = "none"
	ClientAuthRequest ClientAuth = "request"
	ClientAuthRequire ClientAuth = "require"
)

// Family is the TLS library behind an endpoint.
type Family string

// Families.
const (
	FamilyUnknown   Family = ""
	FamilyS2N       Family = "s2n" // AWS
	FamilyOpenSSL   Family = "openssl"
	FamilyBoringSSL Family = "boringssl"
	FamilyGo        Family = "go"
	FamilyGnuTLS    Family = "gnutls"
	FamilySchannel  Family = "schannel"
	FamilyJSSE      Family = "jsse" // Java
)

// Dimension is what a hello and a policy can fail to agree on. Its values are those of the record's rejected_by.
type Dimension string

// Dimensions, in the order in which a server looks at them.
const (
	DimensionNone              Dimension = ""
	DimensionVersion           Dimension = "version"
	DimensionServerName        Dimension = "server_name"
	DimensionALPN              Dimension = "alpn"
	DimensionCipher            Dimension = "cipher"
	DimensionGroup             Dimension = "curve"
	DimensionSignature         Dimension = "signature"
	DimensionClientCertificate Dimension = "client_certificate"
)

// Result is what an endpoint with a policy answers to a hello.
type Result struct {
	Accepted         bool
	Version          wire.Version
	CipherSuite      wire.CipherSuite
	Group            wire.NamedGroup      // 0: no (EC)DHE, or the policy's groups are not known
	SignatureScheme  wire.SignatureScheme // 0: none (RSA key exchange), or not known
	Certificate      CertificateType
	Protocol         string // ALPN
	HelloRetry       bool   // TLS 1.3: a HelloRetryRequest comes first
	RejectedBy       Dimension
	Alert            wire.AlertDescription // when not accepted; s2n-tls closes some of these connections without one
	Silent           bool                  // not accepted, and ended without an alert
	CertificateCurve wire.NamedGroup       // not accepted by DimensionGroup, because the client does not list the curve of this certificate, whatever other groups are in common; 0: no
	Uncertain        string                // what the policy's facts do not say but the answer depends on; empty: certain
}
