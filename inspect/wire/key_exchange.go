package wire

import "math/bits"

// ServerKeyExchange is a parsed ServerKeyExchange of TLS 1.2 and earlier (RFC 5246, Section 7.4.3; RFC 8422, Section 5.4;
// RFC 4279; RFC 5489). Which form it has follows from the suite.
type ServerKeyExchange struct {
	Raw             []byte
	Group           NamedGroup      // ECDHE over a named curve
	ExplicitCurve   bool            // ECDHE over a curve that the server describes
	PublicKey       []byte          // ECDHE: the server's point; DHE: its public value
	Prime           []byte          // DHE, SRP: p
	PrimeBits       int             // DHE, SRP: size of p
	Modulus         []byte          // RSA_EXPORT: the modulus of the temporary key
	ModulusBits     int             // RSA_EXPORT
	PSKHint         []byte          // PSK suites: psk_identity_hint
	Signed          bool            // the parameters are signed; anonymous and PSK suites do not sign them
	SignatureScheme SignatureScheme // TLS 1.2; 0: not signed, or an earlier version, which does not send it
}

// ParseServerKeyExchange reads msg, a whole handshake message with its four-byte header, of a connection with the given
// version and suite, into m. A suite whose message has a form of its own (ECCPWD, GOST, Kerberos) or is not known gives no
// fields and no error.
func ParseServerKeyExchange(msg []byte, version Version, suite CipherSuite, m *ServerKeyExchange) error {
	*m = ServerKeyExchange{Raw: msg}
	c := cursor{path: "server_key_exchange"}
	if c.message(msg, HandshakeTypeServerKeyExchange); c.err != nil {
		return c.err
	}
	info, ok := suite.Info()
	if !ok {
		return nil
	}
	m.Signed = info.Authentication != "anon" && info.Authentication != "PSK"
	switch info.KeyExchange {
	case "PSK", "RSA_PSK":
		m.PSKHint = c.vector16("psk_identity_hint")
		m.Signed = false
	case "DHE_PSK":
		m.PSKHint = c.vector16("psk_identity_hint")
		m.Signed = false
		m.readDH(&c)
	case "ECDHE_PSK":
		m.PSKHint = c.vector16("psk_identity_hint")
		m.Signed = false
		m.readECDH(&c)
	case "DHE", "DH":
		m.readDH(&c)
	case "ECDHE", "ECDH":
		m.readECDH(&c)
	case "RSA":
		m.Modulus = c.vector16("rsa_modulus")
		m.ModulusBits = bitLen(m.Modulus)
		c.vector16("rsa_exponent")
	case "SRP":
		m.Prime = c.vector16("N")
		m.PrimeBits = bitLen(m.Prime)
		c.vector16("g")
		c.vector8("s")
		m.PublicKey = c.vector16("B")
		m.Signed = info.Authentication == "RSA" || info.Authentication == "DSS"
	default:
		m.Signed = false
		return nil
	}
	if m.Signed {
		if version == VersionTLS12 || version == VersionDTLS12 {
			m.SignatureScheme = SignatureScheme(c.u16("algorithm"))
		}
		c.vector16("signature")
	}
	c.end("")
	return c.error()
}

func (m *ServerKeyExchange) readDH(c *cursor) {
	m.Prime = c.vector16("dh_p")
	m.PrimeBits = bitLen(m.Prime)
	c.vector16("dh_g")
	m.PublicKey = c.vector16("dh_Ys")
}

// readECDH reads ServerECDHParams (RFC 8422, Section 5.4): named_curve, or one of the two explicit forms that it deprecates.
func (m *ServerKeyExchange) readECDH(c *cursor) {
	switch curveType := c.u8("curve_type"); {
	case c.err != nil:
		return
	case curveType == 3: // named_curve
		m.Group = NamedGroup(c.u16("namedcurve"))
	case curveType == 1: // explicit_prime: p, a, b, base, order, cofactor
		m.ExplicitCurve = true
		m.Group = GroupArbitraryExplicitPrimeCurves
		for range 6 {
			c.vector8("explicit_prime")
		}
	case curveType == 2: // explicit_char2: m, basis, one or three exponents, a, b, base, order, cofactor
		m.ExplicitCurve = true
		m.Group = GroupArbitraryExplicitChar2Curves
		c.u16("m")
		exponents := 1
		if c.u8("basis") == 2 {
			exponents = 3
		}
		for range exponents + 5 {
			c.vector8("explicit_char2")
		}
	default:
		c.fail("curve_type", ErrType, int(curveType), 3)
		return
	}
	m.PublicKey = c.vector8("public")
}

// bitLen is the size of a big-endian number without its leading zeros.
func bitLen(b []byte) int {
	for i, v := range b {
		if v != 0 {
			return (len(b)-i-1)*8 + bits.Len8(v)
		}
	}
	return 0
}

// NewSessionTicket is a parsed NewSessionTicket (RFC 5077, Section 3.3; RFC 8446, Section 4.6.1).
type NewSessionTicket struct {
	Raw          []byte
	Lifetime     uint32 // seconds; before TLS 1.3 a hint, 0: not said
	Ticket       []byte // empty: the server has none after all
	Extensions   Extensions
	MaxEarlyData uint32 // TLS 1.3: early_data
}

// ParseNewSessionTicket reads msg, a whole handshake message with its four-byte header, of a connection of the given version,
// into m.
func ParseNewSessionTicket(msg []byte, version Version, m *NewSessionTicket) error {
	*m = NewSessionTicket{Raw: msg}
	c := cursor{path: "new_session_ticket"}
	if c.message(msg, HandshakeTypeNewSessionTicket); c.err != nil {
		return c.err
	}
	m.Lifetime = c.u32("ticket_lifetime")
	if !version.IsTLS13() {
		m.Ticket = c.vector16("ticket")
		c.end("ticket")
		return c.error()
	}
	c.u32("ticket_age_add")
	c.vector8("ticket_nonce")
	m.Ticket = c.filled("ticket", c.vector16("ticket"))
	block := c.vector16("extensions")
	c.end("extensions")
	m.Extensions, c.err = readExtensions("new_session_ticket", block, c.err, func(t ExtensionType, body []byte) *ParseError {
		if t != ExtensionEarlyData {
			return nil
		}
		early := cursor{rest: body}
		m.MaxEarlyData = early.u32("max_early_data_size")
		early.end("")
		return early.err
	})
	return c.error()
}

// SSLv2ServerHello is a parsed SERVER-HELLO of SSL 2.0, by which a server answers in the version that RFC 6176 prohibits.
type SSLv2ServerHello struct {
	Raw              []byte
	SessionIDHit     bool
	CertificateType  byte
	Version          Version
	Certificate      []byte // X.509, DER; empty when the session is resumed
	SSLv2CipherKinds []byte // three bytes a kind
	ConnectionID     []byte
}

// ParseSSLv2ServerHello reads msg, the message after the record's two length bytes, into m.
func ParseSSLv2ServerHello(msg []byte, m *SSLv2ServerHello) error {
	*m = SSLv2ServerHello{Raw: msg}
	c := cursor{rest: msg, path: "sslv2_server_hello"}
	if t := c.u8("msg_type"); c.err == nil && t != sslv2ServerHello {
		c.fail("msg_type", ErrType, int(t), sslv2ServerHello)
	}
	m.SessionIDHit = c.u8("session_id_hit") != 0
	m.CertificateType = c.u8("certificate_type")
	m.Version = Version(c.u16("version"))
	certificate, kinds, connection := int(c.u16("certificate_length")), int(c.u16("cipher_specs_length")), int(c.u16("connection_id_length"))
	m.Certificate = c.vector("certificate", certificate)
	if c.err == nil {
		m.SSLv2CipherKinds = c.vector("cipher_specs", kinds)
		if kinds%3 != 0 {
			c.fail("cipher_specs", ErrUneven, kinds, 3)
		}
	}
	if c.err == nil {
		m.ConnectionID = c.vector("connection_id", connection)
	}
	c.end("connection_id")
	return c.error()
}
