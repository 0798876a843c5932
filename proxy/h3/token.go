package h3

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"net"
	"time"

	"github.com/quic-go/quic-go"
)

// tokens makes and reads the tokens of Retry packets as quic-go does, with a key that both are given. quic-go knows a connection by the id that
// its client made up before the Retry, which stands in the token and nowhere else: so nothing has to be kept for clients of whom nobody
// knows whether they come back.
type tokens struct{ key quic.TokenGeneratorKey }

func newTokens() *tokens {
	t := &tokens{}
	rand.Read(t.key[:])
	return t
}

// retryToken is what a token says; its form and its sealing are quic-go's own.
type retryToken struct {
	Retry                bool
	Address              []byte
	Sent, RoundTrip      int64
	First, RetrySourceID []byte // the id before the Retry, and the one that the client was given by it
}

const tokenSalt = 32

// first is the id before the Retry that a token came with; empty: it is none of ours, or of an earlier connection, or the client sends to
// another id than the Retry gave it.
func (t *tokens) first(token, sentTo []byte) string {
	if len(token) < tokenSalt {
		return ""
	}
	aead, err := t.aead(token[:tokenSalt])
	if err != nil {
		return ""
	}
	text, err := aead.Open(nil, nil, token[tokenSalt:], nil)
	if err != nil {
		return ""
	}
	var r retryToken
	if rest, err := asn1.Unmarshal(text, &r); err != nil || len(rest) > 0 || !r.Retry || string(r.RetrySourceID) != string(sentTo) {
		return ""
	}
	return string(r.First)
}

// retry is the token for a client that is to come back to the id sentTo; first is the one that it made up.
func (t *tokens) retry(client *net.UDPAddr, first, sentTo []byte) ([]byte, error) {
	text, err := asn1.Marshal(retryToken{Retry: true, Address: append([]byte{tokenOfIP}, client.IP...), Sent: time.Now().UnixNano(), First: first, RetrySourceID: sentTo})
	if err != nil {
		return nil, err
	}
	salt := make([]byte, tokenSalt)
	rand.Read(salt)
	aead, err := t.aead(salt)
	if err != nil {
		return nil, err
	}
	return aead.Seal(salt, nil, text, nil), nil
}

// tokenOfIP stands before an address that is one of IP.
const tokenOfIP = 0

func (t *tokens) aead(salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, t.key[:], salt, "quic-go token source", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
