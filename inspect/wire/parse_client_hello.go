package wire

// ParseClientHello reads a ClientHello (RFC 8446, Section 4.1.2; RFC 5246, Section 7.4.1.2) from msg, a whole handshake
// message with its four-byte header, into h. It allocates nothing for a hello that is well formed; the slices of h are views
// into msg.
//
// The error is a *ParseError for the first thing that does not fit. An extension whose body is malformed does not keep the
// rest from being read: whatever the error, h holds all that could be read. Duplicate extensions are no error here; the typed
// fields hold the first of them.
func ParseClientHello(msg []byte, h *ClientHello) error {
	*h = ClientHello{Raw: msg}
	c := cursor{path: "client_hello"}
	c.message(msg, HandshakeTypeClientHello)
	truncated := c.err // the header's complaint; the body is read as far as it goes
	c.err = nil

	h.LegacyVersion = Version(c.u16("legacy_version"))
	h.Random = c.bytes("random", 32)
	h.SessionID = c.vector8("legacy_session_id")
	if len(h.SessionID) > 32 {
		c.keep(&ParseError{Path: "client_hello: legacy_session_id", Kind: ErrBound, Got: len(h.SessionID), Want: 32})
	} else if c.err == nil {
		h.CipherSuites = codes16[CipherSuite](&c, "cipher_suites")
		h.CompressionMethods = c.vector8("legacy_compression_methods")
		if c.err == nil {
			c.filled("legacy_compression_methods", h.CompressionMethods)
		}
	}
	// SSLv3 to TLS 1.2 allow a hello that ends here (RFC 5246, Section 7.4.1.2).
	if c.err == nil && len(c.rest) > 0 {
		h.HasExtensions = true
		block := c.vector16("extensions")
		c.end("extensions")
		h.Extensions, c.err = readExtensions("client_hello", block, c.err, h.readExtension)
	}
	if truncated != nil {
		return truncated
	}
	return c.error()
}

// extensionError says why nextExtension took nothing off b.
func extensionError(path string, b []byte) *ParseError {
	if len(b) < 4 {
		return &ParseError{Path: path, Kind: ErrShort, Got: len(b), Want: 4}
	}
	t := ExtensionType(b[0])<<8 | ExtensionType(b[1])
	return &ParseError{Path: path + ": " + t.String(), Kind: ErrLength, Got: int(b[2])<<8 | int(b[3]), Want: len(b) - 4}
}

// readExtension reads the body of one extension. Of a type that comes twice the first one counts.
func (h *ClientHello) readExtension(t ExtensionType, body []byte) *ParseError {
	c := cursor{rest: body}
	switch t {
	case ExtensionServerName: // RFC 6066, Section 3
		if name := serverName(&c); h.ServerName == nil {
			h.ServerName = name
		}
	case ExtensionStatusRequest: // RFC 6066, Section 8
		setOnce(&h.StatusRequest, body)
		if c.u8("status_type") == 1 { // ocsp
			c.vector16("responder_id_list")
			c.vector16("request_extensions")
		} else {
			c.rest = nil
		}
	case ExtensionSupportedGroups: // RFC 8422, Section 5.1.1; RFC 8446, Section 4.2.7
		setOnce(&h.SupportedGroups, codes16[NamedGroup](&c, ""))
	case ExtensionECPointFormats: // RFC 8422, Section 5.1.2
		setOnce(&h.PointFormats, c.filled("", c.vector8("")))
	case ExtensionSignatureAlgorithms: // RFC 8446, Section 4.2.3
		setOnce(&h.SignatureSchemes, codes16[SignatureScheme](&c, ""))
	case ExtensionSignatureAlgorithmsCert:
		setOnce(&h.SignatureSchemesCert, codes16[SignatureScheme](&c, ""))
	case ExtensionDelegatedCredential: // RFC 9345, Section 4.1.1
		setOnce(&h.DelegatedCredentials, codes16[SignatureScheme](&c, ""))
	case ExtensionALPN: // RFC 7301, Section 3.1
		setOnce(&h.ALPN, ProtocolNames(protocolNames(&c)))
	case ExtensionSCT: // RFC 6962, Section 3.3.1
		h.SCT = true
	case ExtensionPadding: // RFC 7685
		h.Padding = len(body)
		c.rest = nil
	case ExtensionEncryptThenMAC: // RFC 7366, Section 2
		h.EncryptThenMAC = true
	case ExtensionExtendedMasterSecret: // RFC 7627, Section 5.1
		h.ExtendedMasterSecret = true
	case ExtensionCompressCertificate: // RFC 8879, Section 3
		setOnce(&h.CompressCertificate, codes8[CertificateCompressionAlgorithm](&c, ""))
	case ExtensionRecordSizeLimit: // RFC 8449, Section 4
		h.RecordSizeLimit = c.u16("")
	case ExtensionSessionTicket: // RFC 5077, Section 3.2
		setOnce(&h.SessionTicket, body)
		c.rest = nil
	case ExtensionPreSharedKey: // RFC 8446, Section 4.2.11
		setOnce(&h.PSKIdentities, PSKIdentities(pskIdentities(&c)))
	case ExtensionEarlyData: // RFC 8446, Section 4.2.10
		h.EarlyData = true
	case ExtensionSupportedVersions: // RFC 8446, Section 4.2.1
		setOnce(&h.SupportedVersions, codes8[Version](&c, ""))
	case ExtensionCookie: // RFC 8446, Section 4.2.2
		setOnce(&h.Cookie, c.filled("", c.vector16("")))
	case ExtensionPSKKeyExchangeModes: // RFC 8446, Section 4.2.9
		setOnce(&h.PSKModes, c.filled("", c.vector8("")))
	case ExtensionPostHandshakeAuth: // RFC 8446, Section 4.2.6
		h.PostHandshakeAuth = true
	case ExtensionKeyShare, ExtensionKeyShareOld: // RFC 8446, Section 4.2.8; empty to ask for a HelloRetryRequest. 40 until draft 22
		setOnce(&h.KeyShares, KeyShares(keyShares(&c)))
	case ExtensionQUICTransportParameters: // RFC 9001, Section 8.2
		setOnce(&h.QUICTransportParameters, body)
		c.rest = nil
	case ExtensionEncryptedClientHello:
		setOnce(&h.ECH, body)
		c.rest = nil
	case ExtensionRenegotiationInfo: // RFC 5746, Section 3.2
		setOnce(&h.RenegotiationInfo, c.vector8(""))
	default:
		return nil
	}
	c.end("")
	return c.err
}

// setOnce keeps the first value; an empty one becomes non-nil, so that present and absent differ.
func setOnce[S ~[]byte](field *S, value S) {
	if *field != nil {
		return
	}
	if value == nil {
		value = S{}
	}
	*field = value
}

// serverName reads a ServerNameList and gives its first host_name.
func serverName(c *cursor) []byte {
	list := cursor{rest: c.filled("", c.vector16(""))}
	var name []byte
	for len(list.rest) > 0 {
		kind := list.u8("name_type")
		n := list.vector16("host_name")
		if kind == 0 && list.err == nil {
			list.filled("host_name", n)
			if name == nil {
				name = n
			}
		}
	}
	c.keep(list.err)
	return name
}

// protocolNames checks a ProtocolNameList: names of 1 to 255 bytes.
func protocolNames(c *cursor) []byte {
	b := c.filled("", c.vector16(""))
	list := cursor{rest: b}
	for len(list.rest) > 0 {
		n := list.vector8("protocol_name")
		if list.err == nil {
			list.filled("protocol_name", n)
		}
	}
	c.keep(list.err)
	return b
}

// keyShares checks client_shares.
func keyShares(c *cursor) []byte {
	b := c.vector16("client_shares")
	list := cursor{rest: b}
	for len(list.rest) > 0 {
		list.u16("group")
		key := list.vector16("key_exchange")
		if list.err == nil {
			list.filled("key_exchange", key)
		}
	}
	c.keep(list.err)
	return b
}

// pskIdentities checks an OfferedPsks and gives its identities.
func pskIdentities(c *cursor) []byte {
	b := c.filled("identities", c.vector16("identities"))
	list := cursor{rest: b}
	for len(list.rest) > 0 {
		identity := list.vector16("identity")
		list.u32("obfuscated_ticket_age")
		if list.err == nil {
			list.filled("identity", identity)
		}
	}
	c.keep(list.err)
	if c.err != nil {
		return b
	}
	list = cursor{rest: c.filled("binders", c.vector16("binders"))}
	for len(list.rest) > 0 {
		if b := list.vector8("binder"); list.err == nil {
			list.filled("binder", b)
		}
	}
	c.keep(list.err)
	return b
}

// ParseSSLv2ClientHello reads an SSLv2-format CLIENT-HELLO (RFC 5246, Appendix E.2) from msg, which is the message after the
// record's two length bytes, into h. CipherSuites holds the kinds that are TLS suites, in order, in bytes of its own; all kinds
// are in SSLv2CipherKinds. Random is the challenge, 16 to 32 bytes.
func ParseSSLv2ClientHello(msg []byte, h *ClientHello) error {
	*h = ClientHello{Raw: msg, SSLv2: true}
	c := cursor{rest: msg, path: "sslv2_client_hello"}
	if t := c.u8("msg_type"); c.err == nil && t != 1 {
		c.fail("msg_type", ErrType, int(t), 1)
	}
	h.LegacyVersion = Version(c.u16("version"))
	kinds, session, challenge := int(c.u16("cipher_spec_length")), int(c.u16("session_id_length")), int(c.u16("challenge_length"))
	h.SSLv2CipherKinds = c.vector("cipher_specs", kinds)
	if c.err == nil {
		if kinds%3 != 0 {
			c.fail("cipher_specs", ErrUneven, kinds, 3)
		}
		c.filled("cipher_specs", h.SSLv2CipherKinds)
	}
	h.SSLv2CipherKinds = h.SSLv2CipherKinds[:len(h.SSLv2CipherKinds)/3*3]
	for k := h.SSLv2CipherKinds; len(k) > 0; k = k[3:] {
		if k[0] == 0 {
			h.CipherSuites = append(h.CipherSuites, k[1], k[2])
		}
	}
	if c.err != nil {
		return c.err
	}
	h.SessionID = c.vector("session_id", session)
	if c.err == nil {
		h.Random = c.vector("challenge", challenge)
	}
	c.end("challenge")
	return c.error()
}
