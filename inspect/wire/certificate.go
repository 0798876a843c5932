package wire

import "iter"

// Certificate is a parsed Certificate message. Its two forms differ: RFC 5246, Section 7.4.2, and RFC 8446, Section 4.4.2.
type Certificate struct {
	Raw            []byte
	TLS13          bool
	RequestContext []byte // TLS 1.3
	list           []byte
}

// CertificateEntry is one certificate as presented, with what TLS 1.3 sends along with it.
type CertificateEntry struct {
	DER        []byte
	Extensions Extensions // TLS 1.3
	OCSP       []byte     // OCSPResponse of status_request, DER; nil: none
	SCTs       int        // signed certificate timestamps in the extension
}

// ParseCertificate reads msg, a whole handshake message with its four-byte header, of a connection of the given version, into
// m. An empty list, by which a client says that it has no certificate, is no error.
func ParseCertificate(msg []byte, version Version, m *Certificate) error {
	*m = Certificate{Raw: msg, TLS13: version.IsTLS13()}
	c := cursor{path: "certificate"}
	if c.message(msg, HandshakeTypeCertificate); c.err != nil {
		return c.err
	}
	if m.TLS13 {
		m.RequestContext = c.vector8("certificate_request_context")
	}
	m.list = c.vector24("certificate_list")
	c.end("certificate_list")
	list := cursor{rest: m.list, path: c.path + ": certificate_list"}
	whole := m.list // what remains behind the entries that are well formed
	for len(list.rest) > 0 {
		if list.certificateEntry(m.TLS13); list.err == nil {
			whole = list.rest
		}
	}
	m.list = m.list[:len(m.list)-len(whole)]
	c.keep(list.err)
	return c.error()
}

// certificateEntry takes one entry off the list.
func (c *cursor) certificateEntry(tls13 bool) CertificateEntry {
	e := CertificateEntry{DER: c.vector24("cert_data")}
	if c.err == nil {
		c.filled("cert_data", e.DER)
	}
	if !tls13 || c.err != nil {
		return e
	}
	block := c.vector16("extensions")
	if c.err != nil {
		return e
	}
	e.Extensions, c.err = readExtensions(c.path, block, nil, func(t ExtensionType, body []byte) *ParseError {
		switch t {
		case ExtensionStatusRequest:
			status := cursor{rest: body}
			e.OCSP = status.ocspResponse()
			return status.err
		case ExtensionSCT:
			n, err := countSCTs(body)
			e.SCTs = n
			return err
		}
		return nil
	})
	return e
}

// ocspResponse reads a CertificateStatus structure (RFC 6066, Section 8). Of another type than ocsp it gives nil.
func (c *cursor) ocspResponse() []byte {
	if t := c.u8("status_type"); t != 1 {
		c.rest = nil
		return nil
	}
	response := c.filled("response", c.vector24("response"))
	c.end("response")
	return response
}

// All yields the certificates as presented, leaf first.
func (m *Certificate) All() iter.Seq[CertificateEntry] {
	return func(yield func(CertificateEntry) bool) {
		c := cursor{rest: m.list, path: "certificate: certificate_list"}
		for len(c.rest) > 0 {
			e := c.certificateEntry(m.TLS13)
			if c.err != nil || !yield(e) {
				return
			}
		}
	}
}

// Len is the number of certificates.
func (m *Certificate) Len() int {
	n := 0
	for range m.All() {
		n++
	}
	return n
}

// ParseCertificateStatus gives the OCSPResponse (DER) of a CertificateStatus message of TLS 1.2 and earlier (RFC 6066,
// Section 8); nil for a status that is no OCSP response.
func ParseCertificateStatus(msg []byte) ([]byte, error) {
	c := cursor{path: "certificate_status"}
	if c.message(msg, HandshakeTypeCertificateStatus); c.err != nil {
		return nil, c.err
	}
	response := c.ocspResponse()
	return response, c.error()
}

// CertificateRequest is a parsed CertificateRequest (RFC 5246, Section 7.4.4; RFC 8446, Section 4.3.2).
type CertificateRequest struct {
	Raw                  []byte
	TLS13                bool
	Types                []byte // certificate_types, before TLS 1.3
	RequestContext       []byte // TLS 1.3
	Extensions           Extensions
	SignatureSchemes     List[SignatureScheme] // TLS 1.2 and 1.3
	SignatureSchemesCert List[SignatureScheme]
	authorities          []byte
}

// ParseCertificateRequest reads msg, a whole handshake message with its four-byte header, of a connection of the given
// version, into m.
func ParseCertificateRequest(msg []byte, version Version, m *CertificateRequest) error {
	*m = CertificateRequest{Raw: msg, TLS13: version.IsTLS13()}
	c := cursor{path: "certificate_request"}
	if c.message(msg, HandshakeTypeCertificateRequest); c.err != nil {
		return c.err
	}
	if m.TLS13 {
		m.RequestContext = c.vector8("certificate_request_context")
		block := c.vector16("extensions")
		c.end("extensions")
		m.Extensions, c.err = readExtensions("certificate_request", block, c.err, m.readExtension)
		return c.error()
	}
	m.Types = c.vector8("certificate_types")
	if version == VersionTLS12 || version == VersionDTLS12 {
		m.SignatureSchemes = codes16[SignatureScheme](&c, "supported_signature_algorithms")
	}
	m.authorities = c.vector16("certificate_authorities")
	c.end("certificate_authorities")
	c.checkAuthorities(&m.authorities)
	return c.error()
}

func (m *CertificateRequest) readExtension(t ExtensionType, body []byte) *ParseError {
	c := cursor{rest: body}
	switch t {
	case ExtensionSignatureAlgorithms:
		setOnce(&m.SignatureSchemes, codes16[SignatureScheme](&c, ""))
	case ExtensionSignatureAlgorithmsCert:
		setOnce(&m.SignatureSchemesCert, codes16[SignatureScheme](&c, ""))
	case ExtensionCertificateAuthorities:
		m.authorities = c.filled("authorities", c.vector16("authorities"))
		c.checkAuthorities(&m.authorities)
	default:
		return nil
	}
	c.end("")
	return c.err
}

// checkAuthorities cuts a list of distinguished names down to its well-formed part.
func (c *cursor) checkAuthorities(list *[]byte) {
	names := cursor{rest: *list, path: c.path}
	whole := *list
	for len(names.rest) > 0 {
		if names.vector16("distinguished_name"); names.err == nil {
			whole = names.rest
		}
	}
	*list = (*list)[:len(*list)-len(whole)]
	c.keep(names.err)
}

// Authorities yields the distinguished names (DER) of the authorities that the server accepts, in its order.
func (m *CertificateRequest) Authorities() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		c := cursor{rest: m.authorities}
		for len(c.rest) > 0 {
			name := c.vector16("")
			if c.err != nil || !yield(name) {
				return
			}
		}
	}
}

// ParseCertificateVerify gives scheme and signature of a CertificateVerify (RFC 8446, Section 4.4.3; RFC 5246, Section 7.4.8).
// Before TLS 1.2 no scheme is sent: it is 0.
func ParseCertificateVerify(msg []byte, version Version) (SignatureScheme, []byte, error) {
	c := cursor{path: "certificate_verify"}
	if c.message(msg, HandshakeTypeCertificateVerify); c.err != nil {
		return 0, nil, c.err
	}
	var scheme SignatureScheme
	if version >= VersionTLS12 && version != VersionDTLS10 {
		scheme = SignatureScheme(c.u16("algorithm"))
	}
	signature := c.vector16("signature")
	c.end("signature")
	return scheme, signature, c.error()
}
