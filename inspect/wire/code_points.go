package wire

// The code points of TLS. Each has a String method that gives the name of its registry (IANA, or the RFC where there is
// no registry), and "0x1A2B" for a value that no registry names.
type (
	// Version is a protocol version as it stands on the wire. Its String is the record's name: "TLSv1.2".
	Version uint16
	// CipherSuite is an IANA TLS cipher suite. SSLv2 kinds (three bytes) are SSLv2CipherKind.
	CipherSuite uint16
	// SSLv2CipherKind is a cipher kind of an SSLv2-format hello, in the low 24 bits.
	SSLv2CipherKind uint32
	// NamedGroup is a key exchange group (RFC 8446, Section 4.2.7).
	NamedGroup uint16
	// SignatureScheme is a signature algorithm of RFC 8446, Section 4.2.3, or a TLS 1.2 hash and signature pair.
	SignatureScheme uint16
	// ExtensionType is the type of a TLS extension.
	ExtensionType uint16
	// AlertDescription says what an alert is about (RFC 8446, Section 6).
	AlertDescription uint8
	// AlertLevel is 1 (warning) or 2 (fatal).
	AlertLevel uint8
	// ContentType is the type of a TLS record (RFC 8446, Section 5.1).
	ContentType uint8
	// HandshakeType is the type of a handshake message (RFC 8446, Section 4).
	HandshakeType uint8
	// CertificateCompressionAlgorithm is an algorithm of RFC 8879.
	CertificateCompressionAlgorithm uint16
)

// Protocol versions.
const (
	VersionSSLv2 Version = 0x0002
	VersionSSLv3 Version = 0x0300
	VersionTLS10 Version = 0x0301
	VersionTLS11 Version = 0x0302
	VersionTLS12 Version = 0x0303
	VersionTLS13 Version = 0x0304

	VersionDTLS10 Version = 0xFEFF
	VersionDTLS12 Version = 0xFEFD
	VersionDTLS13 Version = 0xFEFC
)

// Signalling suites: no suites at all, but flags that old servers ignore.
const (
	EmptyRenegotiationInfoSCSV CipherSuite = 0x00FF // RFC 5746, Section 3.3
	FallbackSCSV               CipherSuite = 0x5600 // RFC 7507
)

// IsGREASE reports whether v is one of the sixteen values that RFC 8701 reserves so that peers learn to ignore what
// they do not know.
func IsGREASE[T ~uint16](v T) bool {
	return v&0x0F0F == 0x0A0A && byte(v>>8) == byte(v)
}
