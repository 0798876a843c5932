package keylog

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/md5"
	"crypto/rc4"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// TestSuitesAgreeWithTheRegistry holds the table against what inspect/wire generates from the registry.
func TestSuitesAgreeWithTheRegistry(t *testing.T) {
	kinds := map[string]cipherKind{
		"AES GCM": cipherAESGCM, "CHACHA20 POLY1305": cipherChaCha20, "AES CCM": cipherAESCCM, "AES CCM_8": cipherAESCCM8,
		"AES CBC": cipherAESCBC, "3DES CBC": cipher3DESCBC, "DES CBC": cipherDESCBC, "RC4 stream": cipherRC4, "NULL NULL": cipherNULL,
	}
	hashes := map[string]crypto.Hash{"MD5": crypto.MD5, "SHA1": crypto.SHA1, "SHA256": crypto.SHA256, "SHA384": crypto.SHA384}
	keys := map[cipherKind]int{cipher3DESCBC: 24, cipherDESCBC: 8, cipherRC4: 16, cipherNULL: 0}
	known := 0
	for id := range 1 << 16 {
		got, ok := suiteOf(uint16(id))
		info, registered := wire.CipherSuite(id).Info()
		kind, opens := kinds[info.Encryption+" "+info.Mode]
		// Not opened: experiments (CECPQ1), the ChaCha20 suites of a draft, numbers for private use, the integrity-only suites of RFC 9150.
		opens = opens && !info.Export && info.MAC != "NULL" && id < 0xFE00 && id>>8 != 0x16 && (id < 0xCC13 || id > 0xCC15) && id != 0xC0B4 && id != 0xC0B5
		if ok && !registered || ok != opens {
			t.Errorf("%04X %s: opened %v, want %v", id, info.Name, ok, opens)
			continue
		}
		if !ok {
			continue
		}
		known++
		key, fixed := keys[kind]
		if !fixed {
			key = info.KeyBits / 8
		}
		want := suite{kind, key, hashes[info.MAC], hashes[info.PRF]}
		if got != want {
			t.Errorf("%04X %s: %+v, want %+v", id, info.Name, got, want)
		}
	}
	if known < 150 {
		t.Errorf("only %d suites", known)
	}
}

// TestCCM is Example 3 of NIST SP 800-38C.
func TestCCM(t *testing.T) {
	key := unhex(t, "404142434445464748494a4b4c4d4e4f")
	nonce, additional := unhex(t, "101112131415161718191a1b"), unhex(t, "000102030405060708090a0b0c0d0e0f10111213")
	plain, sealed := unhex(t, "202122232425262728292a2b2c2d2e2f3031323334353637"), unhex(t, "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951")
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	c := &ccm{block, shortTag}
	if got, ok := c.open(nil, nonce, sealed, additional); !ok || !bytes.Equal(got, plain) {
		t.Errorf("opened %v: %x, want %x", ok, got, plain)
	}
	for i := range sealed {
		damaged := bytes.Clone(sealed)
		damaged[i] ^= 1
		if _, ok := c.open(nil, nonce, damaged, additional); ok {
			t.Errorf("opened with byte %d damaged", i)
		}
	}
	if _, ok := c.open(nil, nonce, sealed, additional[1:]); ok {
		t.Error("opened with other additional data")
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSSL3 seals records as RFC 6101, Section 5.2.3, draws them, with keys derived as its Section 6.2.2 does, written out once more: no
// program that is at hand speaks SSL 3.0 and logs its keys.
func TestSSL3(t *testing.T) {
	clientRandom, serverRandom := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	master := bytes.Repeat([]byte{3}, 48)
	var block []byte
	for _, salt := range []string{"A", "BB", "CCC", "DDDD", "EEEEE", "FFFFFF", "GGGGGGG", "HHHHHHHH"} {
		inner := sha1.Sum([]byte(salt + string(master) + string(serverRandom) + string(clientRandom)))
		outer := md5.Sum(append(bytes.Clone(master), inner[:]...))
		block = append(block, outer[:]...)
	}
	mac := func(secret []byte, seq uint64, contentType byte, b []byte) []byte {
		head := binary.BigEndian.AppendUint64(nil, seq)
		head = append(head, contentType, byte(len(b)>>8), byte(len(b)))
		inner := sha1.Sum([]byte(string(secret) + strings.Repeat("6", 40) + string(head) + string(b)))
		outer := sha1.Sum([]byte(string(secret) + strings.Repeat("\\", 40) + string(inner[:])))
		return append(bytes.Clone(b), outer[:]...)
	}
	store := &Store{}
	if err := store.Add([]byte("CLIENT_RANDOM " + hex.EncodeToString(clientRandom) + " " + hex.EncodeToString(master))); err != nil {
		t.Fatal(err)
	}
	contents := []string{"the first record", "", "the third, which is longer than a block"}

	t.Run("3DES", func(t *testing.T) {
		o, err := store.ForTLS(Connection{Version: 0x0300, Suite: 0x000A, ClientRandom: clientRandom, ServerRandom: serverRandom}, FromServer)
		if err != nil {
			t.Fatal(err)
		}
		tripleDES, err := des.NewTripleDESCipher(block[64:88])
		if err != nil {
			t.Fatal(err)
		}
		chain := cipher.NewCBCEncrypter(tripleDES, block[96:104])
		for seq, want := range contents {
			b := mac(block[20:40], uint64(seq), 23, []byte(want))
			padding := 7 - len(b)%8
			b = append(append(b, bytes.Repeat([]byte{0xEE}, padding)...), byte(padding)) // padding of any value
			chain.CryptBlocks(b, b)
			if inner, got, err := o.Open(23, 0x0300, b); err != nil || inner != 23 || string(got) != want {
				t.Errorf("record %d: %q, error %v, want %q", seq, got, err, want)
			}
		}
	})
	t.Run("RC4", func(t *testing.T) {
		o, err := store.ForTLS(Connection{Version: 0x0300, Suite: 0x0005, ClientRandom: clientRandom, ServerRandom: serverRandom}, FromClient)
		if err != nil {
			t.Fatal(err)
		}
		stream, err := rc4.NewCipher(block[40:56])
		if err != nil {
			t.Fatal(err)
		}
		for seq, want := range contents {
			b := mac(block[:20], uint64(seq), 21, []byte(want))
			stream.XORKeyStream(b, b)
			if _, got, err := o.Open(21, 0x0300, b); err != nil || string(got) != want {
				t.Errorf("record %d: %q, error %v, want %q", seq, got, err, want)
			}
		}
	})
}
