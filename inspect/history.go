package inspect

import "github.com/tlstriage/tlstriage/inspect/wire"

// The longest history that is kept.
const maxHistory = 64

// history is the course of a handshake, a letter a message, upper case from the client and lower case from the server. The
// letters are those of Zeek's ssl_history (docs/record.md). A letter that would repeat the one before it is left out.
type history struct{ letters []byte }

func (h *history) add(from Side, m *wire.Message) {
	letter := historyLetter(m)
	if from == FromServer {
		letter += 'a' - 'A'
	}
	if n := len(h.letters); n == maxHistory || n > 0 && h.letters[n-1] == letter {
		return
	}
	h.letters = append(h.letters, letter)
}

func historyLetter(m *wire.Message) byte {
	switch m.ContentType {
	case wire.ContentTypeAlert:
		return 'L'
	case wire.ContentTypeChangeCipherSpec:
		return 'I'
	case wire.ContentTypeApplicationData:
		return 'D'
	case wire.ContentTypeHeartbeat:
		return 'B'
	}
	if m.Encrypted {
		return 'F' // the first handshake message behind a ChangeCipherSpec
	}
	switch m.HandshakeType {
	case wire.HandshakeTypeHelloRequest:
		return 'H'
	case wire.HandshakeTypeClientHello:
		return 'C'
	case wire.HandshakeTypeServerHello:
		if isRetryRequest(m.Bytes) {
			return 'J'
		}
		return 'S'
	case wire.HandshakeTypeNewSessionTicket:
		return 'T'
	case wire.HandshakeTypeCertificate:
		return 'X'
	case wire.HandshakeTypeServerKeyExchange:
		return 'K'
	case wire.HandshakeTypeCertificateRequest:
		return 'R'
	case wire.HandshakeTypeServerHelloDone:
		return 'N'
	case wire.HandshakeTypeCertificateVerify:
		return 'Y'
	case wire.HandshakeTypeClientKeyExchange:
		return 'G'
	case wire.HandshakeTypeFinished:
		return 'F'
	case wire.HandshakeTypeCertificateURL:
		return 'W'
	case wire.HandshakeTypeCertificateStatus:
		return 'U'
	case wire.HandshakeTypeSupplementalData:
		return 'A'
	}
	return 'Q'
}

// isRetryRequest reports whether a ServerHello is a HelloRetryRequest (RFC 8446, Section 4.1.3: by its random).
func isRetryRequest(message []byte) bool {
	var hello wire.ServerHello
	return wire.ParseServerHello(message, &hello) == nil && hello.HelloRetryRequest
}
