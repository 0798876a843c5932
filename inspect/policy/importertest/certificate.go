package importertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
)

// DH2048 is ffdhe2048 of RFC 7919.
const DH2048 = `-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
`

// keys are made once in a run: those for RSA take their time.
var keys sync.Map

// Key is a key by its name: "rsa", "rsa1024", "ec", "ec384", "ec521" or "ed". In one run it is always the same.
func Key(t testing.TB, kind string) crypto.Signer {
	t.Helper()
	if key, ok := keys.Load(kind); ok {
		return key.(crypto.Signer)
	}
	key, _ := keys.LoadOrStore(kind, newKey(t, kind))
	return key.(crypto.Signer)
}

func newKey(t testing.TB, kind string) (key crypto.Signer) {
	t.Helper()
	var err error
	switch kind {
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "rsa1024":
		key, err = rsa.GenerateKey(rand.Reader, 1024)
	case "ec":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ec384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ec521":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "ed":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		t.Fatalf("no kind of key %q", kind)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// PEM is a self-signed certificate for names, and its key.
func PEM(t testing.TB, key crypto.Signer, names ...string) (certificate, private string) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Unix(1e9, 0), NotAfter: time.Unix(1e10, 0), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

// KeyPair writes a self-signed certificate and its key as NAME.crt, NAME.key and, both together, NAME.pem.
func KeyPair(t testing.TB, dir, name string, key crypto.Signer, names ...string) {
	t.Helper()
	certificate, private := PEM(t, key, names...)
	Write(t, filepath.Join(dir, name+".crt"), certificate)
	Write(t, filepath.Join(dir, name+".key"), private)
	Write(t, filepath.Join(dir, name+".pem"), certificate+private)
}

// KeyPairs writes pairs for localhost by the names of their kinds of keys.
func KeyPairs(t testing.TB, dir string, kinds ...string) {
	t.Helper()
	for _, kind := range kinds {
		KeyPair(t, dir, kind, Key(t, kind), "localhost")
	}
}

// Tree is a file system of texts, and of certificates (with their keys) by the names of their files, each of a kind of key and for a
// name: "rsa localhost".
func Tree(t testing.TB, texts, certificates map[string]string) fstest.MapFS {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range texts {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	for file, what := range certificates {
		kind, name, _ := strings.Cut(what, " ")
		certificate, private := PEM(t, Key(t, kind), name)
		fsys[file] = &fstest.MapFile{Data: []byte(certificate + private)}
	}
	return fsys
}
