package inspect

import "github.com/tlstriage/tlstriage/inspect/wire"

// The longest history that is kept.
const maxHistory = 64

// history is the course of a handshake, a letter a message, upper case from the client and lower case from the server. The
// letters are those of Zeek's ssl_history (docs/record.md). A letter that would repeat the one before it is left out.
type history struct {
	letters [maxHistory]byte
	n       int
}

func (h *history) add(from Side, letter byte) {
	if from == FromServer {
		letter += 'a' - 'A'
	}
	if h.n == maxHistory || h.n > 0 && h.letters[h.n-1] == letter {
		return
	}
	h.letters[h.n] = letter
	h.n++
}

func (h *history) String() string { return string(h.letters[:h.n]) }

// historyLetter is the letter of a message. A HelloRetryRequest has the type of a ServerHello; whoever reads it gives it
// the letter J.
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
	case wire.ContentTypeHandshake:
		if m.Encrypted {
			return 'F' // the first handshake message behind a ChangeCipherSpec is Finished
		}
		return handshakeLetter(m.HandshakeType)
	}
	return 'Q'
}

func handshakeLetter(t wire.HandshakeType) byte {
	switch t {
	case wire.HandshakeTypeHelloRequest:
		return 'H'
	case wire.HandshakeTypeClientHello:
		return 'C'
	case wire.HandshakeTypeServerHello:
		return 'S'
	case wire.HandshakeTypeHelloVerifyRequest:
		return 'V'
	case wire.HandshakeTypeHelloRetryRequest:
		return 'J'
	case wire.HandshakeTypeNewSessionTicket:
		return 'T'
	case wire.HandshakeTypeEndOfEarlyData:
		return 'E'
	case wire.HandshakeTypeEncryptedExtensions:
		return 'O'
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
	case wire.HandshakeTypeKeyUpdate:
		return 'P'
	case wire.HandshakeTypeMessageHash:
		return 'M'
	}
	return 'Z'
}
