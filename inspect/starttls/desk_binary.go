package starttls

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// Codes that stand where the version of a StartupMessage does (PostgreSQL, "Message Formats").
const (
	postgresCancel = 80877102
	postgresSSL    = 80877103
	postgresGSS    = 80877104
)

// The longest message that a client of PostgreSQL may begin with.
const maxStartup = 10_000

// postgres answers the first messages of a client of PostgreSQL.
func (s *serving) postgres() (Agreement, error) {
	for range maxCommands {
		head := make([]byte, 8)
		if _, err := io.ReadFull(s.client.in, head[:1]); err != nil {
			return Agreement{}, s.ofClient(err)
		}
		if head[0] == recordOfHandshake {
			return Agreement{First: head[:1]}, nil // sslnegotiation=direct
		}
		if _, err := io.ReadFull(s.client.in, head[1:]); err != nil {
			return Agreement{}, s.ofClient(err)
		}
		length, code := binary.BigEndian.Uint32(head), binary.BigEndian.Uint32(head[4:])
		switch {
		case length == 8 && code == postgresSSL:
			return s.postgresAsks(head)
		case length == 8 && code == postgresGSS:
			if err := s.tell([]byte("N")); err != nil {
				return Agreement{}, err
			}
		case length == 16 && code == postgresCancel:
			return Agreement{}, s.cancel(head)
		case length >= 8 && length <= maxStartup && code>>16 == 3:
			s.plain = "StartupMessage"
			if _, err := io.CopyN(io.Discard, s.client.in, int64(length-8)); err != nil {
				return Agreement{}, s.ofClient(err)
			}
			if err := s.tell(postgresFatal("28000", "no encryption: this connection needs TLS (sslmode=require or higher)")); err != nil {
				return Agreement{}, err
			}
			return Agreement{}, s.wentOn(s.plain)
		default:
			return Agreement{}, &Error{Protocol: s.protocol, Client: true}
		}
	}
	return Agreement{}, s.wentOn("GSSENCRequest")
}

// postgresFatal is an ErrorResponse of PostgreSQL that ends a connection.
func postgresFatal(code, text string) []byte {
	fields := "SFATAL\x00VFATAL\x00C" + code + "\x00M" + text + "\x00\x00"
	return append(binary.BigEndian.AppendUint32([]byte{'E'}, uint32(4+len(fields))), fields...)
}

// postgresAsks answers an SSLRequest.
func (s *serving) postgresAsks(request []byte) (Agreement, error) {
	if s.backend == nil {
		return Agreement{}, s.tell([]byte("S"))
	}
	if err := s.pass(request); err != nil {
		return Agreement{}, err
	}
	c, err := s.backend.in.ReadByte()
	if err != nil {
		return Agreement{}, s.ofBackend(err)
	}
	if c == 'S' || c == 'N' {
		if err := s.tell([]byte{c}); err != nil {
			return Agreement{}, err
		}
	}
	if c != 'S' {
		return Agreement{}, s.backend.unexpected(c == 'N', string(c))
	}
	return Agreement{Relayed: true}, nil
}

// cancel passes on a request to end a query, which clients send on a connection of its own, older ones in plain text. There is no
// answer to it.
func (s *serving) cancel(head []byte) error {
	rest := make([]byte, 8)
	if _, err := io.ReadFull(s.client.in, rest); err != nil {
		return s.ofClient(err)
	}
	switch request := append(head, rest...); {
	case s.backend != nil:
		if err := s.pass(request); err != nil {
			return err
		}
	case s.cancels != nil:
		s.cancels(request)
	}
	return s.wentOn("CancelRequest")
}

// Result codes of LDAP (RFC 4511, Appendix A).
const (
	ldapSuccess                 = 0
	ldapConfidentialityRequired = 13
	ldapUnavailable             = 52
)

// Operations of LDAP that a client may ask for, and the tag of what answers each; 0: nothing does.
var ldapOperations = map[byte]struct {
	name   string
	answer byte
}{
	0x60: {"bindRequest", 0x61}, 0x42: {"unbindRequest", 0}, 0x63: {"searchRequest", 0x65}, 0x66: {"modifyRequest", 0x67}, 0x68: {"addRequest", 0x69},
	0x4a: {"delRequest", 0x6b}, 0x6c: {"modDNRequest", 0x6d}, 0x6e: {"compareRequest", 0x6f}, 0x50: {"abandonRequest", 0}, 0x77: {"extendedRequest", 0x78},
}

// ldapNotice is the Notice of Disconnection, which nobody asked for and by which a server says that it ends the connection
// (RFC 4511, Section 4.4.1). All of it is shorter than 128 bytes.
func ldapNotice(code byte, text string) []byte {
	const oid = "1.3.6.1.4.1.1466.20036"
	result := append([]byte{0x0a, 1, code, 0x04, 0, 0x04, byte(len(text))}, text...)
	result = append(append(result, 0x8a, byte(len(oid))), oid...)
	return berSequence(append([]byte{0x02, 1, 0, 0x78, byte(len(result))}, result...))
}

// ldapStartTLS is the name of the extended operation (RFC 4511, Section 4.14.1).
const ldapStartTLS = "1.3.6.1.4.1.1466.20037"

// ldap answers the first messages of a client of LDAP.
func (s *serving) ldap() (Agreement, error) {
	for range maxCommands {
		first, err := s.client.in.ReadByte()
		if err != nil {
			return Agreement{}, s.ofClient(err)
		}
		if first == recordOfHandshake {
			return Agreement{First: []byte{first}}, nil // LDAPS
		}
		if err := s.client.in.UnreadByte(); err != nil {
			return Agreement{}, s.ofClient(err)
		}
		body, err := s.client.element()
		if err != nil {
			return Agreement{}, s.ofClient(err)
		}
		id, operation, ok := berElement(body, 0x02)
		if !ok || len(id) == 0 || len(id) > 4 || len(operation) == 0 {
			return Agreement{}, &Error{Protocol: s.protocol, Client: true}
		}
		known, ok := ldapOperations[operation[0]]
		if !ok {
			return Agreement{}, &Error{Protocol: s.protocol, Client: true}
		}
		if asksForTLS(operation) {
			return s.ldapAsks(id, body)
		}
		if known.answer == 0 {
			return Agreement{}, s.wentOn(known.name)
		}
		s.plain = known.name
		if err := s.tell(ldapResult(id, known.answer, ldapConfidentialityRequired, "TLS first")); err != nil {
			return Agreement{}, err
		}
	}
	return Agreement{}, s.wentOn(s.plain)
}

func asksForTLS(operation []byte) bool {
	request, _, ok := berElement(operation, 0x77)
	if !ok {
		return false
	}
	name, _, ok := berElement(request, 0x80)
	return ok && string(name) == ldapStartTLS
}

// ldapAsks answers the StartTLS operation.
func (s *serving) ldapAsks(id, request []byte) (Agreement, error) {
	if s.backend == nil {
		return Agreement{}, s.tell(ldapResult(id, 0x78, ldapSuccess, ""))
	}
	if err := s.pass(berSequence(request)); err != nil {
		return Agreement{}, err
	}
	answer, err := s.backend.element()
	if err != nil {
		return Agreement{}, s.ofBackend(err)
	}
	if err := s.tell(berSequence(answer)); err != nil {
		return Agreement{}, err
	}
	if err := s.backend.ldapConsent(answer); err != nil {
		return Agreement{}, s.ofBackend(err)
	}
	if given, _, _ := berElement(answer, 0x02); !bytes.Equal(given, id) {
		return Agreement{}, s.ofBackend(errors.New("starttls ldap: the answer is one to another request"))
	}
	return Agreement{Relayed: true}, nil
}

// ldapResult is a message with an LDAPResult and nothing else. All of it is shorter than 128 bytes.
func ldapResult(id []byte, tag, code byte, text string) []byte {
	result := append([]byte{0x0a, 1, code, 0x04, 0, 0x04, byte(len(text))}, text...)
	message := append([]byte{0x02, byte(len(id))}, id...)
	message = append(message, tag, byte(len(result)))
	return berSequence(append(message, result...))
}

// berSequence puts contents into a SEQUENCE.
func berSequence(b []byte) []byte {
	head := []byte{0x30, byte(len(b))}
	if len(b) >= 0x80 {
		head = []byte{0x30, 0x82, byte(len(b) >> 8), byte(len(b))}
	}
	return append(head, b...)
}
