package probe

import (
	"crypto"
	"crypto/hkdf"
	"crypto/hmac"
	_ "crypto/sha256" // crypto.Hash makes what is linked in
	_ "crypto/sha512"
	"encoding/hex"

	"github.com/tlstriage/tlstriage/inspect/keylog"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// schedule13 is the key schedule of TLS 1.3 (RFC 8446, Section 7.1) with a shared secret of ours.
type schedule13 struct {
	hash            crypto.Hash
	clientHandshake []byte
	serverHandshake []byte
	master          []byte
	clientTraffic   []byte // behind the server's Finished
	resumption      []byte // behind ours
	connection      keylog.Connection
}

// hashOf is the hash of a suite of TLS 1.3, and of the PRF of TLS 1.2; 0: not at hand.
func hashOf(suite wire.CipherSuite) crypto.Hash {
	info, _ := suite.Info()
	switch info.PRF {
	case "SHA256", "":
		return crypto.SHA256
	case "SHA384":
		return crypto.SHA384
	}
	return 0
}

// newSchedule13 derives the handshake's secrets from the transcript up to the ServerHello; nil if no share of ours fits.
func newSchedule13(server *wire.ServerHello, hello *Hello, transcript []byte) *schedule13 {
	s := &schedule13{hash: hashOf(server.CipherSuite)}
	if s.hash == 0 || server.PreSharedKey {
		return nil
	}
	var shared []byte
	for i := range hello.keys {
		if hello.keys[i].group == server.Group {
			secret, err := hello.keys[i].secret(server.KeyShare)
			if err != nil {
				return nil
			}
			shared = secret
			break // a second share of the group is that of another extension, of the drafts
		}
	}
	if shared == nil || len(hello.Random) != 32 {
		return nil
	}
	zeros := make([]byte, s.hash.Size())
	early := s.extract(zeros, nil)
	handshake := s.extract(shared, s.derive(early, "derived", nil))
	s.clientHandshake = s.derive(handshake, "c hs traffic", transcript)
	s.serverHandshake = s.derive(handshake, "s hs traffic", transcript)
	s.master = s.extract(zeros, s.derive(handshake, "derived", nil))
	s.connection = keylog.Connection{
		Version: uint16(server.Version), Suite: uint16(server.CipherSuite), ClientRandom: hello.Random, ServerRandom: server.Random,
	}
	return s
}

func (s *schedule13) extract(secret, salt []byte) []byte {
	out, err := hkdf.Extract(s.hash.New, secret, salt)
	if err != nil {
		return nil
	}
	return out
}

// derive is Derive-Secret: the context is the hash of the messages.
func (s *schedule13) derive(secret []byte, label string, messages []byte) []byte {
	h := s.hash.New()
	h.Write(messages)
	return expandLabel(s.hash, secret, label, h.Sum(nil), s.hash.Size())
}

// expandLabel is HKDF-Expand-Label.
func expandLabel(hash crypto.Hash, secret []byte, label string, context []byte, size int) []byte {
	info := append([]byte{byte(size >> 8), byte(size), byte(len("tls13 ") + len(label))}, "tls13 "...)
	info = append(append(append(info, label...), byte(len(context))), context...)
	out, err := hkdf.Expand(hash.New, secret, string(info), size)
	if err != nil {
		return nil
	}
	return out
}

// verifyData is that of a Finished (RFC 8446, Section 4.4.4).
func (s *schedule13) verifyData(secret, transcript []byte) []byte {
	h := s.hash.New()
	h.Write(transcript)
	mac := hmac.New(s.hash.New, expandLabel(s.hash, secret, "finished", nil, s.hash.Size()))
	mac.Write(h.Sum(nil))
	return mac.Sum(nil)
}

// opener opens the server's records under one secret; nil: the suite's cipher is not at hand.
func (s *schedule13) opener(label keylog.Label, secret []byte) *keylog.Opener {
	return openerOf(s.connection, label, secret)
}

func openerOf(c keylog.Connection, label keylog.Label, secret []byte) *keylog.Opener {
	var store keylog.Store
	line := label.String() + " " + hex.EncodeToString(c.ClientRandom) + " " + hex.EncodeToString(secret)
	if store.Add([]byte(line)) != nil {
		return nil
	}
	opener, err := store.ForTLS(c, keylog.FromServer)
	if err != nil {
		return nil
	}
	return opener
}

// messageHash stands in the transcript for a first hello that a HelloRetryRequest answered (RFC 8446, Section 4.4.1).
func messageHash(suite wire.CipherSuite, transcript []byte) []byte {
	hash := hashOf(suite)
	if hash == 0 {
		return transcript
	}
	h := hash.New()
	h.Write(transcript)
	return append([]byte{byte(wire.HandshakeTypeMessageHash), 0, 0, byte(hash.Size())}, h.Sum(nil)...)
}
