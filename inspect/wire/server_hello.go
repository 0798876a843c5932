package wire

import "bytes"

// ServerHello is a parsed ServerHello (RFC 8446, Section 4.1.3, and its predecessors down to SSLv3) or HelloRetryRequest
// (Section 4.1.4), which has the form of one. All slices are views into Raw; those of absent fields are nil.
type ServerHello struct {
	Raw []byte // the handshake message, its four-byte header included

	LegacyVersion     Version
	Version           Version // the one selected: supported_versions where it is there, else LegacyVersion
	Random            []byte
	SessionID         []byte // in TLS 1.3 an echo of the client's
	CipherSuite       CipherSuite
	CompressionMethod byte
	HasExtensions     bool
	Extensions        Extensions

	HelloRetryRequest bool       // Random is the one that says so
	Downgrade         Downgrade  // the end of Random says that the server can do more than it selected
	Group             NamedGroup // of key_share; in a HelloRetryRequest the one asked for; 0: absent
	KeyShare          []byte     // key_exchange of key_share
	Cookie            []byte
	PreSharedKey      bool // a PSK was accepted, the one at SelectedIdentity
	SelectedIdentity  uint16

	// TLS 1.2 and earlier; TLS 1.3 moves them to EncryptedExtensions and Certificate.
	ALPN                 []byte // the protocol selected
	RenegotiationInfo    []byte // non-nil and empty at the first handshake
	PointFormats         []byte
	ServerName           bool // the name was used
	StatusRequest        bool // a CertificateStatus will come
	SessionTicket        bool // a NewSessionTicket will come
	ExtendedMasterSecret bool
	EncryptThenMAC       bool
	SCTs                 int    // signed certificate timestamps in the extension
	NextProtocols        []byte // next_protocol_negotiation, the predecessor of ALPN; a ProtocolNames in form
}

// Downgrade is what a server says in the last eight bytes of its random (RFC 8446, Section 4.1.3).
type Downgrade uint8

// Downgrade sentinels.
const (
	DowngradeNone      Downgrade = iota
	DowngradeFromTLS13           // selected TLS 1.2, can do 1.3
	DowngradeFromTLS12           // selected TLS 1.1 or below, can do 1.2 or more
)

// helloRetryRequestRandom is the SHA-256 of "HelloRetryRequest" (RFC 8446, Section 4.1.3).
var helloRetryRequestRandom = [32]byte{
	0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
	0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
}

// ParseServerHello reads a ServerHello or HelloRetryRequest from msg, a whole handshake message with its four-byte header,
// into h. Whatever the error (a *ParseError for the first thing that does not fit), h holds all that could be read.
func ParseServerHello(msg []byte, h *ServerHello) error {
	*h = ServerHello{Raw: msg}
	c := cursor{path: "server_hello"}
	c.message(msg, HandshakeTypeServerHello)
	truncated := c.err
	c.err = nil

	h.LegacyVersion = Version(c.u16("legacy_version"))
	h.Version = h.LegacyVersion
	h.Random = c.bytes("random", 32)
	if isDraft18(h.LegacyVersion) {
		// Drafts of TLS 1.3 before 22 had neither session id nor compression method here.
		h.CipherSuite = CipherSuite(c.u16("cipher_suite"))
	} else {
		h.SessionID = c.vector8("legacy_session_id_echo")
		if len(h.SessionID) > 32 {
			c.fail("legacy_session_id_echo", ErrBound, len(h.SessionID), 32)
		}
		h.CipherSuite = CipherSuite(c.u16("cipher_suite"))
		h.CompressionMethod = c.u8("legacy_compression_method")
	}
	h.HelloRetryRequest = bytes.Equal(h.Random, helloRetryRequestRandom[:])
	if c.err == nil && len(c.rest) > 0 {
		h.HasExtensions = true
		block := c.vector16("extensions")
		c.end("extensions")
		h.Extensions, c.err = readExtensions("server_hello", block, c.err, h.readExtension)
	}
	h.Downgrade = downgrade(h)
	if truncated != nil {
		return truncated
	}
	return c.error()
}

func isDraft18(v Version) bool { return v.IsDraft() && v < 0x7F16 }

// downgrade reads the end of the random. TLS 1.3 itself does not use it.
func downgrade(h *ServerHello) Downgrade {
	if len(h.Random) != 32 || h.Version.IsTLS13() {
		return DowngradeNone
	}
	switch string(h.Random[24:]) {
	case "DOWNGRD\x01":
		return DowngradeFromTLS13
	case "DOWNGRD\x00":
		return DowngradeFromTLS12
	}
	return DowngradeNone
}

func (h *ServerHello) readExtension(t ExtensionType, body []byte) *ParseError {
	c := cursor{rest: body}
	switch t {
	case ExtensionSupportedVersions:
		h.Version = Version(c.u16("selected_version"))
		if c.err != nil {
			h.Version = h.LegacyVersion
		}
	case ExtensionKeyShare, ExtensionKeyShareOld: // 40 until draft 22
		h.Group = NamedGroup(c.u16("group"))
		if !h.HelloRetryRequest {
			h.KeyShare = c.filled("key_exchange", c.vector16("key_exchange"))
		}
	case ExtensionCookie:
		h.Cookie = c.filled("", c.vector16(""))
	case ExtensionPreSharedKey:
		h.PreSharedKey = true
		h.SelectedIdentity = c.u16("selected_identity")
	case ExtensionALPN:
		h.ALPN = selectedProtocol(&c)
	case ExtensionRenegotiationInfo:
		setOnce(&h.RenegotiationInfo, c.vector8(""))
	case ExtensionECPointFormats:
		setOnce(&h.PointFormats, c.filled("", c.vector8("")))
	case ExtensionServerName:
		h.ServerName = true
	case ExtensionStatusRequest:
		h.StatusRequest = true
	case ExtensionSessionTicket:
		h.SessionTicket = true
	case ExtensionExtendedMasterSecret:
		h.ExtendedMasterSecret = true
	case ExtensionEncryptThenMAC:
		h.EncryptThenMAC = true
	case ExtensionSCT:
		h.SCTs, c.err = countSCTs(body)
		c.rest = nil
	case ExtensionNextProtocolNegotiation:
		setOnce(&h.NextProtocols, body)
		c.rest = nil
	default:
		return nil
	}
	c.end("")
	return c.err
}

// selectedProtocol reads a ProtocolNameList of exactly one name (RFC 7301, Section 3.1).
func selectedProtocol(c *cursor) []byte {
	list := ProtocolNames(protocolNames(c))
	if c.err == nil && list.Len() != 1 {
		c.fail("protocol_name_list", ErrTrailing, len(list)-1-len(list.First()), 0)
	}
	return list.First()
}

// readExtensions hands each extension of a block to read, gives the part of the block that is well formed, and the first
// error of all with its path.
func readExtensions(message string, block []byte, err *ParseError, read func(ExtensionType, []byte) *ParseError) (Extensions, *ParseError) {
	rest := block
	for len(rest) > 0 {
		t, body, after, ok := nextExtension(rest)
		if !ok {
			if err == nil {
				err = extensionError(message+": extensions", rest)
			}
			break
		}
		if e := read(t, body); e != nil && err == nil {
			e.Path = message + ": extensions: " + t.String() + e.Path
			err = e
		}
		rest = after
	}
	return Extensions(block[:len(block)-len(rest)]), err
}

// countSCTs counts the entries of a SignedCertificateTimestampList (RFC 6962, Section 3.3).
func countSCTs(body []byte) (int, *ParseError) {
	c := cursor{rest: body}
	list := cursor{rest: c.vector16("sct_list")}
	n := 0
	for len(list.rest) > 0 {
		if list.vector16("serialized_sct"); list.err == nil {
			n++
		}
	}
	c.keep(list.err)
	c.end("")
	return n, c.err
}

// EncryptedExtensions is a parsed EncryptedExtensions message (RFC 8446, Section 4.3.1), where it could be decrypted.
type EncryptedExtensions struct {
	Raw                     []byte
	Extensions              Extensions
	ALPN                    []byte // the protocol selected
	ServerName              bool   // the name was used
	EarlyData               bool   // early data was accepted
	SupportedGroups         List[NamedGroup]
	RecordSizeLimit         uint16
	QUICTransportParameters []byte
	ECH                     []byte // retry_configs
}

// ParseEncryptedExtensions reads msg, a whole handshake message with its four-byte header, into e.
func ParseEncryptedExtensions(msg []byte, e *EncryptedExtensions) error {
	*e = EncryptedExtensions{Raw: msg}
	c := cursor{path: "encrypted_extensions"}
	if c.message(msg, HandshakeTypeEncryptedExtensions); c.err != nil {
		return c.err
	}
	block := c.vector16("extensions")
	c.end("extensions")
	e.Extensions, c.err = readExtensions("encrypted_extensions", block, c.err, e.readExtension)
	return c.error()
}

func (e *EncryptedExtensions) readExtension(t ExtensionType, body []byte) *ParseError {
	c := cursor{rest: body}
	switch t {
	case ExtensionALPN:
		e.ALPN = selectedProtocol(&c)
	case ExtensionServerName:
		e.ServerName = true
	case ExtensionEarlyData:
		e.EarlyData = true
	case ExtensionSupportedGroups:
		e.SupportedGroups = codes16[NamedGroup](&c, "")
	case ExtensionRecordSizeLimit:
		e.RecordSizeLimit = c.u16("")
	case ExtensionQUICTransportParameters:
		setOnce(&e.QUICTransportParameters, body)
		return nil
	case ExtensionEncryptedClientHello:
		setOnce(&e.ECH, body)
		return nil
	default:
		return nil
	}
	c.end("")
	return c.err
}
