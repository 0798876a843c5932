package wire

// ClientHello is a parsed ClientHello (RFC 8446, Section 4.1.2, and its predecessors down to SSLv3), or an SSLv2-format
// CLIENT-HELLO that offers SSLv3 or TLS (RFC 5246, Appendix E.2). All slices are views into Raw.
type ClientHello struct {
	Raw   []byte // the handshake message, its four-byte header included; for SSLv2 the message after the two length bytes
	SSLv2 bool   // came in the SSLv2 format

	LegacyVersion      Version
	Random             []byte
	SessionID          []byte
	CipherSuites       List[CipherSuite] // wire order, GREASE and SCSVs kept; of an SSLv2 hello the kinds that are TLS suites
	SSLv2CipherKinds   []byte            // SSLv2 format only: three bytes a kind, wire order
	CompressionMethods []byte

	HasExtensions bool       // the extensions block was there, be it empty
	Extensions    Extensions // wire order, duplicates and GREASE kept

	// The extensions that are read further. Nil when the extension is absent; use Has where absent and empty differ.
	ServerName              []byte // first host_name of server_name, as sent
	SupportedVersions       List[Version]
	SupportedGroups         List[NamedGroup]
	KeyShares               KeyShares
	SignatureSchemes        List[SignatureScheme] // signature_algorithms
	SignatureSchemesCert    List[SignatureScheme] // signature_algorithms_cert
	DelegatedCredentials    List[SignatureScheme] // RFC 9345
	ALPN                    ProtocolNames
	PointFormats            []byte
	PSKModes                []byte        // psk_key_exchange_modes
	PSKIdentities           PSKIdentities // pre_shared_key
	Cookie                  []byte
	SessionTicket           []byte // the ticket; empty and non-nil when only support is signalled
	RenegotiationInfo       []byte // renegotiated_connection; empty and non-nil at the first handshake
	CompressCertificate     List[CertificateCompressionAlgorithm]
	QUICTransportParameters []byte
	ECH                     []byte // encrypted_client_hello, raw: GREASE and the outer hello look alike
	StatusRequest           []byte
	RecordSizeLimit         uint16 // 0: absent
	Padding                 int    // bytes of padding
	EarlyData               bool
	ExtendedMasterSecret    bool
	EncryptThenMAC          bool
	SCT                     bool // signed_certificate_timestamp
	PostHandshakeAuth       bool
}
