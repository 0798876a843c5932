package keylog

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
)

// sealer makes TLS 1.3 records of one traffic secret.
type sealer struct {
	aead cipher.AEAD
	iv   []byte
	seq  uint64
}

func newSealer(t *testing.T, secret []byte) *sealer {
	t.Helper()
	key, err := expandLabel(crypto.SHA256, secret, "key", 16)
	if err != nil {
		t.Fatal(err)
	}
	iv, err := expandLabel(crypto.SHA256, secret, "iv", 12)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return &sealer{aead: aead, iv: iv}
}

// record is the payload of a record with some padding.
func (s *sealer) record(inner byte, text string, padding int) []byte {
	nonce := bytes.Clone(s.iv)
	for i, x := range binary.BigEndian.AppendUint64(nil, s.seq) {
		nonce[4+i] ^= x
	}
	s.seq++
	plain := append(append([]byte(text), inner), make([]byte, padding)...)
	n := len(plain) + 16
	return s.aead.Seal(nil, nonce, plain, []byte{23, 3, 3, byte(n >> 8), byte(n)})
}

// TestStages goes from early data to the handshake to the application, as a client does whose early data is taken (RFC 8446, Section 2.3).
func TestStages(t *testing.T) {
	random := bytes.Repeat([]byte{7}, 32)
	secrets := map[Label][]byte{
		ClientEarlyTraffic: bytes.Repeat([]byte{1}, 32), ClientHandshakeTraffic: bytes.Repeat([]byte{2}, 32), ClientTraffic0: bytes.Repeat([]byte{3}, 32),
	}
	updated, err := expandLabel(crypto.SHA256, secrets[ClientTraffic0], "traffic upd", 32)
	if err != nil {
		t.Fatal(err)
	}
	early, handshake, application, second := newSealer(t, secrets[ClientEarlyTraffic]), newSealer(t, secrets[ClientHandshakeTraffic]), newSealer(t, secrets[ClientTraffic0]), newSealer(t, updated)
	type step struct {
		of      Label
		payload []byte
		inner   byte
		want    string
	}
	steps := []step{
		{ClientEarlyTraffic, early.record(23, "GET /", 0), 23, "GET /"},
		{ClientEarlyTraffic, early.record(22, "\x05\x00\x00\x00", 3), 22, "\x05\x00\x00\x00"},
		{ClientHandshakeTraffic, handshake.record(22, "certificate", 100), 22, "certificate"},
		{ClientHandshakeTraffic, handshake.record(22, "finished", 0), 22, "finished"},
		{ClientTraffic0, application.record(23, "POST /", 0), 23, "POST /"},
		{ClientTraffic0, application.record(22, "\x18\x00\x00\x01\x00", 0), 22, "\x18\x00\x00\x01\x00"},
		{ClientTraffic0, second.record(21, "\x01\x00", 1), 21, "\x01\x00"},
	}
	for missing := range labels { // any one secret may be missing, or none
		t.Run("without "+missing.String(), func(t *testing.T) {
			store := &Store{}
			for label, secret := range secrets {
				if label == missing {
					continue
				}
				if err := store.Add(fmt.Appendf(nil, "%s %x %x", label, random, secret)); err != nil {
					t.Fatal(err)
				}
			}
			o, err := store.ForTLS(Connection{Version: 0x0304, Suite: 0x1301, ClientRandom: random}, FromClient)
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range steps {
				inner, got, err := o.Open(23, 0x0303, s.payload)
				if s.of == missing {
					if !errors.Is(err, ErrNotOpened) {
						t.Errorf("record %d: error %v", i, err)
					}
					continue
				}
				if err != nil || inner != s.inner || string(got) != s.want {
					t.Errorf("record %d: type %d, %q, error %v; want %d, %q", i, inner, got, err, s.inner, s.want)
				}
			}
		})
	}
	t.Run("with records missing", func(t *testing.T) {
		store := &Store{}
		if err := store.Add(fmt.Appendf(nil, "%s %x %x", ClientTraffic0, random, secrets[ClientTraffic0])); err != nil {
			t.Fatal(err)
		}
		o, err := store.ForTLS(Connection{Version: 0x0304, Suite: 0x1301, ClientRandom: random}, FromClient)
		if err != nil {
			t.Fatal(err)
		}
		o.Skip(1)
		if inner, _, err := o.Open(23, 0x0303, steps[5].payload); err != nil || inner != 22 {
			t.Errorf("type %d, error %v", inner, err)
		}
		if _, _, err := o.Open(23, 0x0303, steps[5].payload); !errors.Is(err, ErrNotOpened) {
			t.Errorf("opened twice: error %v", err)
		}
		if _, _, err := o.Open(23, 0x0303, make([]byte, 1<<17)); !errors.Is(err, ErrNotOpened) {
			t.Errorf("error %v", err)
		}
	})
}
