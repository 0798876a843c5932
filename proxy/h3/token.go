package h3

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"

	"github.com/quic-go/quic-go"
)

// tokens reads the tokens that quic-go sends in Retry packets, with a key that both are given. quic-go knows a connection by the id that
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
	key, err := hkdf.Key(sha256.New, t.key[:], token[:tokenSalt], "quic-go token source", 32)
	if err != nil {
		return ""
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return ""
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
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
