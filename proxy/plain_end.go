package proxy

import (
	"crypto/tls"
	"errors"

	"github.com/tlstriage/tlstriage/inspect"
)

// plainUnbind says that a client of LDAP left in plain text behind the handshake; nil when err is another one. libldap, where GnuTLS does
// its TLS, looks at the certificate only then, gives TLS up where it does not accept it, and says its unbind below.
func plainUnbind(err error) *inspect.Error {
	var header tls.RecordHeaderError
	if !errors.As(err, &header) {
		return nil
	}
	// LDAPMessage ::= SEQUENCE { messageID INTEGER, UnbindRequest [APPLICATION 2] NULL }, of which five bytes are known (RFC 4511, Section 4.3).
	const sequence, integer, null = 0x30, 0x02, 2
	switch h := header.RecordHeader; {
	case h[0] != sequence || h[2] != integer:
		return nil
	case int(h[1]) != 2+int(h[3])+null || h[3] < 1 || h[3] > 4:
		return nil
	}
	return &inspect.Error{Type: inspect.ErrorNotTLS, Phase: inspect.PhaseTransfer, Message: "behind the handshake the client left in plain text (unbindRequest): " + err.Error()}
}
