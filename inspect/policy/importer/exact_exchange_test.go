package importer_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// answer is what an endpoint said to a hello, up to the end of its first flight where that can be read: to the ServerHelloDone,
// or in TLS 1.3 to its Finished. A HelloRetryRequest is answered with a second hello.
type answer struct {
	alert     wire.AlertDescription // 0: none
	closed    bool                  // ended with neither an alert nor a whole flight
	version   wire.Version
	suite     wire.CipherSuite
	group     wire.NamedGroup
	retry     bool
	scheme    wire.SignatureScheme // 0: not seen
	protocol  string
	leaf      policy.CertificateType // empty: not seen
	requested bool                   // a client certificate
	whole     bool                   // the flight was read to its end
}

func (a answer) String() string {
	s := fmt.Sprintf("%v %v group %v retry %t scheme %v alpn %q certificate %q requested %t", a.version, a.suite, a.group, a.retry, a.scheme, a.protocol, a.leaf, a.requested)
	if a.suite == 0 {
		s = "nothing"
	}
	switch {
	case a.alert != 0:
		return fmt.Sprintf("alert %v after %s", a.alert, s)
	case a.closed:
		return "closed after " + s
	}
	return s
}

// conversation is one connection.
type conversation struct {
	answer
	conn       net.Conn
	hello      *form // nil: SSLv2 format
	keys       *keys
	transcript [][]byte
	aead       cipher.AEAD // of the server's handshake keys
	iv         []byte
	sequence   uint64
	pending    []byte // of messages that are not whole yet
}

var (
	errUnexpected = errors.New("unexpected bytes")
	errDone       = errors.New("no more is to be read")
)

// ask sends a hello and reads the answer.
func ask(conn net.Conn, h *hello, f *form, k *keys) (answer, error) {
	c := &conversation{conn: conn, hello: f, keys: k}
	first := h.raw
	if f != nil {
		c.transcript = [][]byte{f.message()}
		first = record(c.transcript[0])
	}
	if _, err := conn.Write(first); err != nil {
		return c.answer, err
	}
	for {
		kind, body, err := c.record()
		var late interface{ Timeout() bool }
		if errors.As(err, &late) && late.Timeout() {
			return c.answer, fmt.Errorf("after %s: %w", c.answer, err)
		}
		if err != nil { // however the connection ended
			c.closed = !c.whole
			return c.answer, nil //nolint:nilerr // the end is the answer
		}
		switch kind {
		case 21:
			if len(body) != 2 {
				return c.answer, errUnexpected
			}
			if body[0] == 2 {
				c.alert = wire.AlertDescription(body[1])
				return c.answer, nil
			}
		case 22:
			c.pending = append(c.pending, body...)
			if err := c.messages(); err != nil {
				if errors.Is(err, errDone) {
					err = nil
				}
				return c.answer, err
			}
		case 20: // for middleboxes
		default:
			return c.answer, fmt.Errorf("%w: a record of type %d", errUnexpected, kind)
		}
	}
}

// record reads a record, and what is inside where it is protected.
func (c *conversation) record() (kind byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(c.conn, head[:]); err != nil {
		return 0, nil, err
	}
	body = make([]byte, binary.BigEndian.Uint16(head[3:]))
	if _, err := io.ReadFull(c.conn, body); err != nil {
		return 0, nil, err
	}
	if head[0] != 23 || c.aead == nil {
		return head[0], body, nil
	}
	// RFC 8446, Sections 5.2 and 5.3.
	nonce := bytes.Clone(c.iv)
	for i := range 8 {
		nonce[len(nonce)-1-i] ^= byte(c.sequence >> (8 * i))
	}
	c.sequence++
	inner, err := c.aead.Open(nil, nonce, body, head[:])
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", errUnexpected, err)
	}
	inner = bytes.TrimRight(inner, "\x00")
	if len(inner) == 0 {
		return 0, nil, errUnexpected
	}
	return inner[len(inner)-1], inner[:len(inner)-1], nil
}

// messages takes the whole ones of what is pending.
func (c *conversation) messages() error {
	for len(c.pending) >= 4 {
		n := 4 + (int(c.pending[1])<<16 | int(c.pending[2])<<8 | int(c.pending[3]))
		if len(c.pending) < n {
			break
		}
		m := c.pending[:n:n]
		c.pending = c.pending[n:]
		c.transcript = append(c.transcript, m)
		if err := c.message(m); err != nil {
			return err
		}
	}
	return nil
}

func (c *conversation) message(m []byte) error {
	switch wire.HandshakeType(m[0]) {
	case wire.HandshakeTypeServerHello:
		return c.serverHello(m)
	case wire.HandshakeTypeEncryptedExtensions:
		var e wire.EncryptedExtensions
		err := wire.ParseEncryptedExtensions(m, &e)
		c.protocol = string(e.ALPN)
		return err
	case wire.HandshakeTypeCertificate:
		var list wire.Certificate
		if err := wire.ParseCertificate(m, c.version, &list); err != nil {
			return err
		}
		for entry := range list.All() {
			leaf, err := x509.ParseCertificate(entry.DER)
			if err != nil {
				return err
			}
			c.leaf = kindOf(leaf)
			break
		}
	case wire.HandshakeTypeServerKeyExchange:
		var k wire.ServerKeyExchange
		if err := wire.ParseServerKeyExchange(m, c.version, c.suite, &k); err != nil {
			return err
		}
		c.group, c.scheme = k.Group, k.SignatureScheme
	case wire.HandshakeTypeCertificateVerify:
		var err error
		c.scheme, _, err = wire.ParseCertificateVerify(m, c.version)
		return err
	case wire.HandshakeTypeCertificateRequest:
		c.requested = true
	case wire.HandshakeTypeServerHelloDone, wire.HandshakeTypeFinished:
		c.whole = true
		return errDone
	}
	return nil
}

func (c *conversation) serverHello(m []byte) error {
	var h wire.ServerHello
	if err := wire.ParseServerHello(m, &h); err != nil {
		return err
	}
	c.version, c.suite, c.group, c.protocol = h.Version, h.CipherSuite, h.Group, string(h.ALPN)
	switch {
	case h.Version != wire.VersionTLS13:
		return nil
	case h.HelloRetryRequest:
		c.retry = true
		return c.again(&h)
	}
	return c.protect(&h)
}

// again answers a HelloRetryRequest, if there is a key for the group that it asks for (RFC 8446, Section 4.1.2). Hellos with a
// pre-shared key are not sent a second time: their binders would have to be of a key that nobody has.
func (c *conversation) again(h *wire.ServerHello) error {
	if c.keys.share[h.Group] == nil || c.hello.find(wire.ExtensionPreSharedKey) != nil {
		return errDone
	}
	f := c.hello.clone()
	f.setShares(c.keys, h.Group)
	f.remove(wire.ExtensionEarlyData)
	if h.Cookie != nil {
		f.set(wire.ExtensionCookie, prefixed(h.Cookie))
	}
	c.hello = f
	// RFC 8446, Section 4.4.1: the first hello counts by its hash.
	newHash, _ := suiteHash(c.suite)
	sum := newHash()
	sum.Write(c.transcript[0])
	digest := sum.Sum(nil)
	c.transcript[0] = append([]byte{254, 0, 0, byte(len(digest))}, digest...)
	second := f.message()
	c.transcript = append(c.transcript, second)
	out := record(second)
	out[2] = 3               // only the first hello may have 0x0301 there (RFC 8446, Section 5.1)
	_, _ = c.conn.Write(out) // if it fails, what the endpoint said instead is read next
	return nil
}

// suiteHash is the hash of a TLS 1.3 suite, and the length of its key; 0: not one that can be read.
func suiteHash(s wire.CipherSuite) (func() hash.Hash, int) {
	switch s {
	case wire.TLS_AES_128_GCM_SHA256:
		return sha256.New, 16
	case wire.TLS_AES_256_GCM_SHA384:
		return sha512.New384, 32
	case wire.TLS_CHACHA20_POLY1305_SHA256:
		return sha256.New, 32
	}
	return sha256.New, 0
}

// protect makes the server's handshake keys (RFC 8446, Section 7.1).
func (c *conversation) protect(h *wire.ServerHello) error {
	agree := c.keys.secret[h.Group]
	newHash, size := suiteHash(h.CipherSuite)
	if agree == nil || size == 0 {
		return errDone
	}
	shared, err := agree(h.KeyShare)
	if err != nil {
		return err
	}
	zeros := make([]byte, newHash().Size())
	early, err := hkdf.Extract(newHash, zeros, nil)
	if err != nil {
		return err
	}
	salt, err := expand(newHash, early, "derived", newHash().Sum(nil), len(zeros))
	if err != nil {
		return err
	}
	secret, err := hkdf.Extract(newHash, shared, salt)
	if err != nil {
		return err
	}
	transcript := newHash()
	for _, m := range c.transcript {
		transcript.Write(m)
	}
	traffic, err := expand(newHash, secret, "s hs traffic", transcript.Sum(nil), len(zeros))
	if err != nil {
		return err
	}
	key, err := expand(newHash, traffic, "key", nil, size)
	if err != nil {
		return err
	}
	if c.iv, err = expand(newHash, traffic, "iv", nil, 12); err != nil {
		return err
	}
	if h.CipherSuite == wire.TLS_CHACHA20_POLY1305_SHA256 {
		c.aead, err = chacha20poly1305.New(key)
		return err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	c.aead, err = cipher.NewGCM(block)
	return err
}

// expand is HKDF-Expand-Label.
func expand(newHash func() hash.Hash, secret []byte, label string, context []byte, n int) ([]byte, error) {
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	label = "tls13 " + label
	info = append(append(info, byte(len(label))), label...)
	info = append(append(info, byte(len(context))), context...)
	return hkdf.Expand(newHash, secret, string(info), n)
}

// disagreement says in what an answer differs from the prediction; empty if in nothing that can be seen.
func disagreement(want policy.Result, p *policy.Policy, got answer) string {
	if !want.Accepted {
		switch {
		case got.alert == 0 && got.retry && !got.closed && want.RejectedBy != policy.DimensionGroup:
			return "" // the second hello could not be sent
		case want.Silent && got.alert == 0 && got.closed:
			return ""
		case want.Silent || got.alert != want.Alert:
			return fmt.Sprintf("predicted alert %v (%s), got %s", want.Alert, want.RejectedBy, got)
		}
		return ""
	}
	requested := p.ClientAuth == policy.ClientAuthRequest || p.ClientAuth == policy.ClientAuthRequire
	var what string
	switch {
	case got.alert != 0 || got.closed || got.suite == 0:
		what = "is answered"
	case got.version != want.Version:
		what = "version"
	case got.suite != want.CipherSuite:
		what = "suite"
	case got.retry != want.HelloRetry:
		what = "retry"
	case want.Group != 0 && got.group != want.Group:
		what = "group"
	case got.scheme != 0 && got.scheme != want.SignatureScheme:
		what = "scheme"
	case (got.whole || got.version < wire.VersionTLS13) && got.protocol != want.Protocol:
		what = "protocol"
	case got.leaf != "" && got.leaf != want.Certificate:
		what = "certificate"
	case got.whole && got.requested != requested:
		what = "client certificate"
	default:
		return ""
	}
	return fmt.Sprintf("%s: predicted %v %v group %v retry %t scheme %v alpn %q certificate %q requested %t, got %s",
		what, want.Version, want.CipherSuite, want.Group, want.HelloRetry, want.SignatureScheme, want.Protocol, want.Certificate, requested, got)
}

// kindOf is the policy's word for a certificate's key.
func kindOf(leaf *x509.Certificate) policy.CertificateType {
	switch leaf.PublicKeyAlgorithm {
	case x509.RSA:
		return policy.CertRSA
	case x509.Ed25519:
		return policy.CertEd25519
	}
	return curveKind(leaf)
}
