package certs_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
)

func TestLoadKeyPairReadsEveryFormOfKey(t *testing.T) {
	p := certstest.New(t)
	dir := t.TempDir()
	ec := p.Leaf("a.example")
	rsa := p.Issue(p.Issuing, certs.Template{Names: []string{"a.example"}, Key: certs.RSA2048})
	for name, pair := range map[string]*certs.Pair{"ec": ec, "rsa": rsa} {
		files := pairFiles(t, dir, name, pair)
		c, err := certs.LoadKeyPair(files.Cert, files.Key)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Certificate) != 3 || !c.Leaf.Equal(pair.Certificate) {
			t.Errorf("%s: %d certificates, leaf %v", name, len(c.Certificate), c.Leaf.Subject)
		}
		for _, args := range [][]string{{"pkey", "-traditional"}, {"pkey"}} { // SEC 1 and PKCS #1, PKCS #8
			out := filepath.Join(dir, name+".converted")
			if msg, err := openssl(t, append(args, "-in", files.Key, "-out", out)...); err != nil {
				t.Fatal(msg)
			}
			if _, err := certs.LoadKeyPair(files.Cert, out); err != nil {
				t.Error(err)
			}
		}
		key, _ := pair.KeyPEM()
		both := write(t, dir, name+".both", append(key, certs.EncodePEM(pair.Chain()...)...))
		if _, err := certs.LoadKeyPair(both, both); err != nil {
			t.Error(err)
		}
	}
}

func TestLoadKeyPairSaysWhatIsWrong(t *testing.T) {
	p := certstest.New(t)
	dir := t.TempDir()
	leaf := p.Leaf("a.example")
	good := pairFiles(t, dir, "good", leaf)
	other := pairFiles(t, dir, "other", p.Leaf("b.example"))
	certPEM, err := os.ReadFile(good.Cert)
	if err != nil {
		t.Fatal(err)
	}
	keyPEM, err := os.ReadFile(good.Key)
	if err != nil {
		t.Fatal(err)
	}
	encrypted := filepath.Join(dir, "encrypted.key")
	if msg, err := openssl(t, "pkey", "-in", good.Key, "-aes128", "-passout", "pass:secret", "-out", encrypted); err != nil {
		t.Fatal(msg)
	}
	encryptedOld := filepath.Join(dir, "encrypted-old.key")
	if msg, err := openssl(t, "ec", "-in", good.Key, "-aes128", "-passout", "pass:secret", "-out", encryptedOld); err != nil {
		t.Fatal(msg)
	}
	block := func(kind string, data []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data})
	}
	reversed := write(t, dir, "reversed.pem", certs.EncodePEM(p.Issuing.Certificate, leaf.Certificate))
	for name, tt := range map[string]struct {
		cert, key string
		problem   certs.Problem
		path      string // which file is blamed
		says      string
	}{
		"no certificate file":    {filepath.Join(dir, "none.pem"), good.Key, certs.Unreadable, filepath.Join(dir, "none.pem"), "no such file"},
		"no key file":            {good.Cert, filepath.Join(dir, "none.key"), certs.Unreadable, filepath.Join(dir, "none.key"), "no such file"},
		"directory":              {dir, good.Key, certs.Unreadable, dir, "directory"},
		"empty":                  {write(t, dir, "empty.pem", []byte("\n \n")), good.Key, certs.Empty, filepath.Join(dir, "empty.pem"), "empty"},
		"too large":              {write(t, dir, "large.pem", make([]byte, certs.MaxFileBytes+1)), good.Key, certs.TooLarge, filepath.Join(dir, "large.pem"), "larger"},
		"text":                   {write(t, dir, "text.pem", []byte("certificate\n")), good.Key, certs.NotPEM, filepath.Join(dir, "text.pem"), "no PEM block"},
		"DER":                    {write(t, dir, "der.pem", leaf.Certificate.Raw), good.Key, certs.NotPEM, filepath.Join(dir, "der.pem"), "-inform DER"},
		"cut off":                {write(t, dir, "cut.pem", certPEM[:200]), good.Key, certs.Garbled, filepath.Join(dir, "cut.pem"), "cut off"},
		"second cut off":         {write(t, dir, "cut2.pem", certPEM[:len(certPEM)-100]), good.Key, certs.Garbled, filepath.Join(dir, "cut2.pem"), "after 2 PEM blocks"},
		"garbled certificate":    {write(t, dir, "garbled.pem", block("CERTIFICATE", leaf.Certificate.Raw[:100])), good.Key, certs.Garbled, filepath.Join(dir, "garbled.pem"), "block 1"},
		"request":                {write(t, dir, "csr.pem", block("CERTIFICATE REQUEST", []byte{1})), good.Key, certs.WrongBlock, filepath.Join(dir, "csr.pem"), "CERTIFICATE REQUEST"},
		"key among certificates": {write(t, dir, "mixed.pem", append(bytes.Clone(certPEM), keyPEM...)), good.Key, certs.WrongBlock, filepath.Join(dir, "mixed.pem"), "PRIVATE KEY"},
		"swapped":                {good.Key, good.Cert, certs.Swapped, good.Key, "swapped"},
		"certificate as key":     {good.Cert, other.Cert, certs.WrongBlock, other.Cert, "not a private key"},
		"key only":               {good.Key, good.Key, certs.WrongBlock, good.Key, "no certificate"},
		"garbled key":            {good.Cert, write(t, dir, "garbled.key", block("PRIVATE KEY", []byte{0x30, 1, 2})), certs.Garbled, filepath.Join(dir, "garbled.key"), "cannot be read"},
		"public key":             {good.Cert, write(t, dir, "public.key", block("PUBLIC KEY", []byte{1})), certs.WrongBlock, filepath.Join(dir, "public.key"), "PUBLIC KEY"},
		"encrypted PKCS #8":      {good.Cert, encrypted, certs.Encrypted, encrypted, "openssl pkey"},
		"encrypted SEC 1":        {good.Cert, encryptedOld, certs.Encrypted, encryptedOld, "openssl pkey"},
		"another's key":          {good.Cert, other.Key, certs.KeyMismatch, other.Key, "does not belong to the certificate of " + good.Cert},
		"leaf not first":         {reversed, good.Key, certs.KeyMismatch, reversed, "must come first"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := certs.LoadKeyPair(tt.cert, tt.key)
			var fe *certs.FileError
			if !errors.As(err, &fe) {
				t.Fatalf("%v is no FileError", err)
			}
			if fe.Problem != tt.problem || fe.Path != tt.path || !strings.Contains(fe.Detail, tt.says) {
				t.Errorf("%s: %s: %s\nwant %s: %s: … %s", fe.Problem, fe.Path, fe.Detail, tt.problem, tt.path, tt.says)
			}
			if msg := err.Error(); !strings.HasPrefix(msg, tt.path+": ") || strings.ContainsAny(msg, "\n\r") {
				t.Errorf("%q is not one line that begins with the path", msg)
			}
			if tt.says == "no such file" && !errors.Is(err, fs.ErrNotExist) {
				t.Error("the cause is lost")
			}
		})
	}
}

func TestLoadCABundleNeverMeansNoChecks(t *testing.T) {
	p := certstest.New(t)
	dir := t.TempDir()
	root := certs.EncodePEM(p.Root.Certificate)
	good := write(t, dir, "good.pem", append([]byte("# a comment before, as in many bundles\n"), append(root, certs.EncodePEM(p.OtherRoot.Certificate)...)...))
	pool, list, err := certs.LoadCABundle(good)
	if err != nil || len(list) != 2 {
		t.Fatalf("%d certificates, %v", len(list), err)
	}
	if _, err := p.Intermediate.Certificate.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: p.Now}); err != nil {
		t.Error(err)
	}
	key, _ := p.Root.KeyPEM()
	for name, file := range map[string]string{
		"missing":      filepath.Join(dir, "missing.pem"),
		"empty":        write(t, dir, "empty.pem", nil),
		"comment only": write(t, dir, "comment.pem", []byte("# nothing\n")),
		"key only":     write(t, dir, "key.pem", key),
		"half":         write(t, dir, "half.pem", append(bytes.Clone(root), root[:80]...)),
		"one bad":      write(t, dir, "bad.pem", append(bytes.Clone(root), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1, 2}})...)),
	} {
		pool, list, err := certs.LoadCABundle(file)
		var fe *certs.FileError
		if !errors.As(err, &fe) || pool != nil || list != nil {
			t.Errorf("%s: pool %v, %v", name, pool, err)
		}
	}
}

func TestDescribeIsPlainText(t *testing.T) {
	p := certstest.New(t)
	leaf := p.Issue(p.Issuing, certs.Template{CommonName: "evil\x1b[31m\nsubject: trusted", Names: []string{"a.example", "192.0.2.1"}})
	text := certs.Describe(leaf.Certificate)
	for _, want := range []string{"names       a.example, 192.0.2.1\n", "key         ECDSA P-256\n", "issuer      CN=Test Issuing,O=Triage Test\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "\x1b") || strings.Contains(text, "\nsubject: trusted") {
		t.Errorf("control characters came through: %q", text)
	}
}
