package probe

import (
	"bytes"
	"compress/zlib"
	"io"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Bounds of what is kept of a server's messages.
const (
	maxHandshakeMessage = 256 << 10
	maxCertificates     = 100
	maxAlerts           = 16
)

// handshake follows the server's handshake messages, whatever carries them, and puts what they say into an Exchange.
type handshake struct {
	x          *Exchange
	hello      *Hello // the last one sent
	shallow    bool   // nothing behind the ServerHello is read: keys are not made
	transcript []byte // all messages, as they count for the key schedule
	tls13      bool
	modern     *schedule13 // nil: no keys
	tickets    [][]byte    // NewSessionTicket messages
	done       bool        // the server's flight ended
	finished   bool        // TLS 1.3: its Finished was among it
	server     struct {    // as long as it is known
		exchange []byte // raw ServerKeyExchange
		leaf     []byte // DER
	}
}

// sent notes a hello that was sent.
func (h *handshake) sent(hello *Hello, message []byte) {
	h.hello = hello
	h.transcript = append(h.transcript, message...)
}

// message takes the server's next message, encrypted or not. It must be whole; b is copied.
func (h *handshake) message(b []byte) {
	b = bytes.Clone(b)
	t := wire.HandshakeType(b[0])
	if t == wire.HandshakeTypeHelloRequest && !h.tls13 {
		return // RFC 5246, Section 7.4.1.1: it does not count for the transcript
	}
	if t == wire.HandshakeTypeServerHello && h.x.ServerHello == nil {
		h.serverHello(b)
		return
	}
	if h.finished {
		h.afterwards(t, b)
		return
	}
	h.transcript = append(h.transcript, b...)
	if h.tls13 {
		h.message13(t, b)
	} else {
		h.message12(t, b)
	}
}

func (h *handshake) serverHello(b []byte) {
	hello := &wire.ServerHello{}
	if err := wire.ParseServerHello(b, hello); err != nil && len(hello.Random) != 32 {
		return // too little of it to go by
	}
	if hello.HelloRetryRequest {
		if h.x.RetryRequest == nil {
			h.x.RetryRequest = hello
		}
		h.transcript = append(messageHash(hello.CipherSuite, h.transcript), b...)
		return
	}
	h.transcript = append(h.transcript, b...)
	h.x.ServerHello = hello
	h.x.Version, h.x.CipherSuite, h.x.Group = hello.Version, hello.CipherSuite, hello.Group
	h.x.ALPN = string(hello.ALPN)
	h.x.SCTs = hello.SCTs
	h.tls13 = hello.Version.IsTLS13() || hello.Extensions.Has(wire.ExtensionSupportedVersions)
	if h.tls13 {
		h.x.Resumed = hello.PreSharedKey
	}
	if h.tls13 && !h.shallow {
		h.modern = newSchedule13(hello, h.hello, h.transcript)
		h.x.Unreadable = h.modern == nil
	}
}

// message12 takes a message of TLS 1.2 and older.
func (h *handshake) message12(t wire.HandshakeType, b []byte) {
	x := h.x
	switch t {
	case wire.HandshakeTypeCertificate:
		h.certificate(b)
	case wire.HandshakeTypeCertificateStatus:
		x.Staple, _ = wire.ParseCertificateStatus(b)
	case wire.HandshakeTypeServerKeyExchange:
		exchange := &wire.ServerKeyExchange{}
		if wire.ParseServerKeyExchange(b, x.Version, x.CipherSuite, exchange) == nil {
			x.KeyExchange, x.Group, x.Scheme = exchange, exchange.Group, exchange.SignatureScheme
		}
		h.server.exchange = b
	case wire.HandshakeTypeCertificateRequest:
		h.certificateRequest(b)
	case wire.HandshakeTypeServerHelloDone:
		h.done, x.Flight = true, true
	case wire.HandshakeTypeNewSessionTicket:
		h.keepTicket(b)
	}
}

// message13 takes a message of TLS 1.3 that was encrypted.
func (h *handshake) message13(t wire.HandshakeType, b []byte) {
	x := h.x
	switch t {
	case wire.HandshakeTypeEncryptedExtensions:
		extensions := &wire.EncryptedExtensions{}
		if wire.ParseEncryptedExtensions(b, extensions) == nil {
			x.Encrypted, x.ALPN = extensions, string(extensions.ALPN)
		}
	case wire.HandshakeTypeCertificateRequest:
		h.certificateRequest(b)
	case wire.HandshakeTypeCertificate:
		h.certificate(b)
	case wire.HandshakeTypeCompressedCertificate:
		if plain, ok := decompressed(b); ok {
			h.certificate(plain)
		}
	case wire.HandshakeTypeCertificateVerify:
		x.Scheme, _, _ = wire.ParseCertificateVerify(b, x.Version)
	case wire.HandshakeTypeFinished:
		h.done, h.finished, x.Flight = true, true, true
	}
}

// afterwards takes a message behind the server's Finished.
func (h *handshake) afterwards(t wire.HandshakeType, b []byte) {
	if t == wire.HandshakeTypeNewSessionTicket {
		h.keepTicket(b)
	}
}

func (h *handshake) certificate(b []byte) {
	x := h.x
	if x.Certificates != nil {
		return
	}
	var message wire.Certificate
	_ = wire.ParseCertificate(b, x.Version, &message) // the entries before a fault count
	for entry := range message.All() {
		if len(x.Certificates) == maxCertificates {
			x.CertificatesBeyond++
			continue
		}
		if len(x.Certificates) == 0 {
			h.server.leaf = entry.DER
			if entry.OCSP != nil {
				x.Staple = entry.OCSP
			}
			x.SCTs += entry.SCTs
		}
		x.Certificates = append(x.Certificates, entry.DER)
	}
}

func (h *handshake) certificateRequest(b []byte) {
	request := &wire.CertificateRequest{}
	if h.x.CertificateRequest == nil && wire.ParseCertificateRequest(b, h.x.Version, request) == nil {
		h.x.CertificateRequest = request
	}
}

// decompressed undoes a CompressedCertificate (RFC 8879, Section 4) where the algorithm is zlib, and bounds what comes out.
func decompressed(b []byte) (message []byte, ok bool) {
	const header = 4 + 2 + 3 + 3 // of the message, algorithm, both lengths
	if len(b) < header || wire.CertificateCompressionAlgorithm(uint16(b[4])<<8|uint16(b[5])) != zlibCompression {
		return nil, false
	}
	length := int(b[6])<<16 | int(b[7])<<8 | int(b[8])
	if length > maxHandshakeMessage {
		return nil, false
	}
	r, err := zlib.NewReader(bytes.NewReader(b[header:]))
	if err != nil {
		return nil, false
	}
	defer func() { _ = r.Close() }() // of a reader in memory
	message = append([]byte{byte(wire.HandshakeTypeCertificate), byte(length >> 16), byte(length >> 8), byte(length)}, make([]byte, length)...)
	_, err = io.ReadFull(r, message[4:])
	return message, err == nil
}

// zlibCompression is the algorithm zlib of RFC 8879, Section 7.3.
const zlibCompression wire.CertificateCompressionAlgorithm = 1

// alert takes an alert of the server and reports whether it is the last word. In TLS 1.3 every alert is but user_canceled, which
// close_notify follows (RFC 8446, Section 6.1), "regardless of the AlertLevel".
func (h *handshake) alert(level wire.AlertLevel, description wire.AlertDescription, encrypted bool, moment Moment) (last bool) {
	a := Alert{Level: level, Description: description, Encrypted: encrypted, Moment: moment}
	if len(h.x.Alerts) < maxAlerts {
		h.x.Alerts = append(h.x.Alerts, a)
	}
	if description == wire.AlertCloseNotify {
		return true
	}
	fatal := level == wire.AlertLevelFatal || h.tls13 && description != wire.AlertUserCanceled
	if fatal && h.x.Alert == nil {
		h.x.Alert = &a
	}
	return fatal
}
