package configs

// Mode is what happens to a client's TLS.
type Mode string

// Modes.
const (
	ModeBridge      Mode = "bridge"      // terminated, and carried on over a TLS connection of its own
	ModeHTTP        Mode = "http"        // as bridge, with HTTP understood in the middle
	ModePassthrough Mode = "passthrough" // not terminated, only watched
)

// Switch is off or on.
type Switch string

// Positions of a switch.
const (
	Off Switch = "off"
	On  Switch = "on"
)

// UnmarshalText takes true and false as well: YAML has these words for the two.
func (s *Switch) UnmarshalText(text []byte) error {
	switch *s = Switch(text); *s {
	case "true":
		*s = On
	case "false":
		*s = Off
	}
	return nil
}

// ClientAuth is whether clients are asked for a certificate.
type ClientAuth string

// Degrees of asking. A certificate that is shown is verified in both of the latter.
const (
	ClientAuthNone    ClientAuth = "none"
	ClientAuthRequest ClientAuth = "request"
	ClientAuthRequire ClientAuth = "require"
)

// ClientIdentity is the header by which a backend learns whose certificate a client showed.
type ClientIdentity string

// Headers of the identity.
const (
	IdentityOff        ClientIdentity = "off"
	IdentityClientCert ClientIdentity = "client-cert" // Client-Cert and Client-Cert-Chain (RFC 9440)
	IdentityXFCC       ClientIdentity = "xfcc"        // X-Forwarded-Client-Cert, as Envoy writes it
)

// Fallback is what becomes of a client that could be served by the backend but not by this program.
type Fallback string

// Fallbacks.
const (
	FallbackRefuse      Fallback = "refuse"      // end the connection and report it
	FallbackPassthrough Fallback = "passthrough" // hand it to the backend untouched
)

// QUICRetry is when a client over QUIC first has to show that its address is its own, which costs it a round trip.
type QUICRetry string

// Occasions.
const (
	QUICRetryAuto   QUICRetry = "auto" // while many handshakes of unknown addresses are open
	QUICRetryAlways QUICRetry = "always"
	QUICRetryNever  QUICRetry = "never"
)

// AltSvc is what answers over TCP say of the way over QUIC (RFC 7838): AltSvcOff, AltSvcOn, or the header's value.
type AltSvc string

// What is not a value by itself.
const (
	AltSvcOff AltSvc = "off"
	AltSvcOn  AltSvc = "on" // h3 at the port that is listened on, for a day
)

// UnmarshalText takes true and false as well, as switches do.
func (a *AltSvc) UnmarshalText(text []byte) error {
	switch *a = AltSvc(text); *a {
	case "true":
		*a = AltSvcOn
	case "false":
		*a = AltSvcOff
	}
	return nil
}

// StartTLS is the protocol in which TLS is asked for, on connections that begin in plain text.
type StartTLS string

// Protocols of StartTLS.
const (
	StartTLSNone     StartTLS = "none"
	StartTLSPostgres StartTLS = "postgres"
	StartTLSSMTP     StartTLS = "smtp"
	StartTLSIMAP     StartTLS = "imap"
	StartTLSPOP3     StartTLS = "pop3"
	StartTLSLDAP     StartTLS = "ldap"
)

// OriginalDst is how the kernel hands over connections that were on their way to another address.
type OriginalDst string

// Ways of handing over.
const (
	OriginalDstOff      OriginalDst = "off"
	OriginalDstRedirect OriginalDst = "redirect" // by REDIRECT or DNAT on this machine
	OriginalDstTProxy   OriginalDst = "tproxy"   // by TPROXY: what the client connected to is the local address
)

// UnmarshalText takes true and false as well: true is what the flag means when it stands alone.
func (d *OriginalDst) UnmarshalText(text []byte) error {
	switch *d = OriginalDst(text); *d {
	case "true":
		*d = OriginalDstRedirect
	case "false":
		*d = OriginalDstOff
	}
	return nil
}

// BackendVerify is whether a faulty backend chain stops the traffic. It is reported either way.
type BackendVerify string

// What a faulty chain leads to.
const (
	VerifyReport  BackendVerify = "report"
	VerifyEnforce BackendVerify = "enforce"
)

// ProxyHeader is the PROXY protocol header that the backend gets.
type ProxyHeader string

// Forms of the header.
const (
	ProxyHeaderNone ProxyHeader = "none"
	ProxyHeaderV1   ProxyHeader = "v1"
	ProxyHeaderV2   ProxyHeader = "v2"
)

// BackendProtocol is the HTTP that a backend is asked in.
type BackendProtocol string

// Protocols of a backend in mode http.
const (
	ProtocolAuto  BackendProtocol = "auto" // HTTP/2 where client and backend both speak it
	ProtocolHTTP1 BackendProtocol = "h1"
	ProtocolHTTP2 BackendProtocol = "h2" // without TLS: by prior knowledge
	ProtocolHTTP3 BackendProtocol = "h3" // over QUIC
)

// ACMEChallenge is how an authority validates a name (RFC 8555, Section 8).
type ACMEChallenge string

// Challenges.
const (
	ACMETLSALPN ACMEChallenge = "tls-alpn-01"
	ACMEHTTP    ACMEChallenge = "http-01"
)

// RevocationCheck is how far revocation is looked into.
type RevocationCheck string

// Degrees of looking.
const (
	RevocationOff     RevocationCheck = "off"
	RevocationStaple  RevocationCheck = "staple"
	RevocationCheckIt RevocationCheck = "check"
	RevocationRequire RevocationCheck = "require"
)

// RecordRaw is whose raw bytes a recording holds.
type RecordRaw string

// Choices of RecordRaw. Without the bytes, a hello cannot be sent again.
const (
	RawAll      RecordRaw = "all"
	RawFailures RecordRaw = "failures"
	RawNone     RecordRaw = "none"
)

// Output is the form of what is printed.
type Output string

// Forms.
const (
	OutputText Output = "text"
	OutputJSON Output = "json"
)

// AccessFormat is the form of a line of the access log.
type AccessFormat string

// Forms of the access log.
const (
	AccessJSON     AccessFormat = "json"     // one object a line, in the words of the records
	AccessCombined AccessFormat = "combined" // as web servers have it, and the record's id behind it
)

// FailOn is the severity from which findings make the exit code 1.
type FailOn string

// Severities to fail on.
const (
	FailOnInfo    FailOn = "info"
	FailOnWarning FailOn = "warning"
	FailOnError   FailOn = "error"
	FailOnNever   FailOn = "never"
)

// LogLevel is the least severe message that is logged.
type LogLevel string

// Levels.
const (
	LogDebug LogLevel = "debug"
	LogInfo  LogLevel = "info"
	LogWarn  LogLevel = "warn"
	LogError LogLevel = "error"
)

// Version is a TLS version: "TLSv1.0" to "TLSv1.3". The bare number ("1.2") is accepted when read.
type Version string

// TLS versions.
const (
	TLS10 Version = "TLSv1.0"
	TLS11 Version = "TLSv1.1"
	TLS12 Version = "TLSv1.2"
	TLS13 Version = "TLSv1.3"
)

// Number is the version's code point (RFC 8446, Section 4.1.2); 0 for an empty or unknown version.
func (v Version) Number() uint16 {
	switch v {
	case TLS10:
		return 0x0301
	case TLS11:
		return 0x0302
	case TLS12:
		return 0x0303
	case TLS13:
		return 0x0304
	}
	return 0
}
