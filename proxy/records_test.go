package proxy

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"sync"
	"testing"
)

// secretLog catches the secrets of a connection (SSLKEYLOGFILE), so that a test can write records of its own.
type secretLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *secretLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *secretLog) secret(label string) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == label {
			b, _ := hex.DecodeString(f[2])
			return b
		}
	}
	return nil
}

func (l *secretLog) client() []byte { return l.secret("CLIENT_TRAFFIC_SECRET_0") }
func (l *secretLog) server() []byte { return l.secret("SERVER_TRAFFIC_SECRET_0") }

// records writes TLS 1.3 records with TLS_AES_128_GCM_SHA256, for what crypto/tls has no call for: alerts and KeyUpdates.
type records struct {
	t      testing.TB
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	number uint64
}

func newRecords(t testing.TB, secret []byte) *records {
	t.Helper()
	if len(secret) != sha256.Size {
		t.Skip("the machine prefers another suite than TLS_AES_128_GCM_SHA256, which is all that this test can write")
	}
	r := &records{t: t}
	r.use(secret)
	return r
}

// use derives the keys (RFC 8446, Section 7.3).
func (r *records) use(secret []byte) {
	r.secret, r.number = secret, 0
	block, err := aes.NewCipher(r.expand("key", 16))
	if err != nil {
		r.t.Fatal(err)
	}
	if r.aead, err = cipher.NewGCM(block); err != nil {
		r.t.Fatal(err)
	}
	r.iv = r.expand("iv", 12)
}

// expand is HKDF-Expand-Label with an empty context (RFC 8446, Section 7.1).
func (r *records) expand(label string, length int) []byte {
	label = "tls13 " + label
	info := binary.BigEndian.AppendUint16(nil, uint16(length))
	info = append(info, byte(len(label)))
	info = append(info, label...)
	info = append(info, 0)
	out, err := hkdf.Expand(sha256.New, r.secret, string(info), length)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// seal makes a record (RFC 8446, Section 5.2).
func (r *records) seal(contentType byte, content []byte) []byte {
	inner := append(bytes.Clone(content), contentType)
	header := []byte{23, 3, 3, 0, 0}
	binary.BigEndian.PutUint16(header[3:], uint16(len(inner)+r.aead.Overhead()))
	nonce := bytes.Clone(r.iv)
	for i := range 8 {
		nonce[4+i] ^= byte(r.number >> (56 - 8*i))
	}
	r.number++
	return r.aead.Seal(header, nonce, inner, header)
}

// keyUpdate makes a KeyUpdate and goes on with the next keys (RFC 8446, Section 4.6.3).
func (r *records) keyUpdate(requested bool) []byte {
	message := []byte{24, 0, 0, 1, 0}
	if requested {
		message[4] = 1
	}
	record := r.seal(22, message)
	r.use(r.expand("traffic upd", sha256.Size))
	return record
}
