package bundle_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/bundle"
	"github.com/tlstriage/tlstriage/certs/certstest"
)

// workshop is a directory with leaf.pem, key.pem, above.pem (intermediates and root), chain.pem and all.pem (the key too).
func workshop(t testing.TB, p *certstest.PKI, leaf *certs.Pair) string {
	t.Helper()
	dir := t.TempDir()
	above := certs.EncodePEM(p.Root.Certificate, p.Intermediate.Certificate, p.Issuing.Certificate)
	one := certs.EncodePEM(leaf.Certificate)
	for name, data := range map[string][]byte{
		"leaf.pem": one, "key.pem": keyPEM(t, leaf), "above.pem": above, "root.pem": certs.EncodePEM(p.Root.Certificate),
		"all.pem": bytes.Join([][]byte{keyPEM(t, leaf), one, above}, nil),
	} {
		certstest.WriteFile(t, filepath.Join(dir, name), data)
	}
	return dir
}

func read(t testing.TB, dir, name string) bundle.Input {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return bundle.Input{Name: name, Data: data}
}

func TestReadWhatOpenSSLWrites(t *testing.T) {
	openssl := program(t, "openssl")
	p := certstest.New(t)
	export := func(more ...string) []string {
		return append([]string{"pkcs12", "-export", "-inkey", "key.pem", "-in", "leaf.pem", "-certfile", "above.pem", "-out", "out"}, more...)
	}
	const password = "pass:s3cret ü"
	for name, tt := range map[string]struct {
		kind  certs.KeyKind
		args  []string
		extra []string // further inputs
	}{
		"PKCS #12":                          {0, export("-passout", password), nil},
		"PKCS #12, RSA":                     {certs.RSA2048, export("-passout", password), nil},
		"PKCS #12, legacy RC2":              {0, export("-passout", password, "-legacy"), nil},
		"PKCS #12, RC2 with 128 bits":       {0, export("-passout", password, "-legacy", "-certpbe", "PBE-SHA1-RC2-128"), nil},
		"PKCS #12, Triple DES":              {0, export("-passout", password, "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"), nil},
		"PKCS #12, AES-128":                 {0, export("-passout", password, "-keypbe", "AES-128-CBC", "-certpbe", "AES-192-CBC"), nil},
		"PKCS #12, certificates in clear":   {0, export("-passout", password, "-certpbe", "NONE"), nil},
		"PKCS #12, nothing encrypted":       {0, export("-passout", password, "-certpbe", "NONE", "-keypbe", "NONE", "-nomac"), nil},
		"PKCS #12, empty password":          {0, export("-passout", "pass:"), nil},
		"PKCS #12, empty password, 3DES":    {0, export("-passout", "pass:", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES"), nil},
		"PKCS #12 without key":              {0, []string{"pkcs12", "-export", "-nokeys", "-in", "all.pem", "-passout", password, "-out", "out"}, []string{"key.pem"}},
		"PKCS #12 with key alone":           {0, []string{"pkcs12", "-export", "-nocerts", "-inkey", "key.pem", "-in", "leaf.pem", "-passout", password, "-out", "out"}, []string{"leaf.pem", "above.pem"}},
		"PKCS #7 PEM":                       {0, []string{"crl2pkcs7", "-nocrl", "-certfile", "leaf.pem", "-certfile", "above.pem", "-out", "out"}, []string{"key.pem"}},
		"PKCS #7 DER":                       {0, []string{"crl2pkcs7", "-nocrl", "-certfile", "above.pem", "-certfile", "leaf.pem", "-outform", "DER", "-out", "out"}, []string{"key.pem"}},
		"CMS in BER":                        {0, []string{"cms", "-sign", "-signer", "leaf.pem", "-inkey", "key.pem", "-certfile", "above.pem", "-in", "root.pem", "-stream", "-nodetach", "-binary", "-outform", "DER", "-out", "out"}, []string{"key.pem"}},
		"trusted certificate":               {0, []string{"x509", "-in", "leaf.pem", "-trustout", "-addtrust", "serverAuth", "-out", "out"}, []string{"key.pem", "above.pem"}},
		"certificate with its text":         {0, []string{"x509", "-in", "leaf.pem", "-text", "-out", "out"}, []string{"key.pem", "above.pem"}},
		"PKCS #8, PBKDF2 and AES":           {0, []string{"pkcs8", "-topk8", "-in", "key.pem", "-v2", "aes256", "-passout", password, "-out", "out"}, []string{"leaf.pem", "above.pem"}},
		"PKCS #8, SHA-512":                  {0, []string{"pkcs8", "-topk8", "-in", "key.pem", "-v2", "aes128", "-v2prf", "hmacWithSHA512", "-passout", password, "-out", "out"}, []string{"leaf.pem", "above.pem"}},
		"PKCS #8, Triple DES":               {0, []string{"pkcs8", "-topk8", "-in", "key.pem", "-v2", "des3", "-passout", password, "-out", "out"}, []string{"leaf.pem", "above.pem"}},
		"PKCS #8, scrypt":                   {0, []string{"pkcs8", "-topk8", "-in", "key.pem", "-scrypt", "-passout", password, "-out", "out"}, []string{"leaf.pem", "above.pem"}},
		"PKCS #8, PKCS #12's Triple DES":    {0, []string{"pkcs8", "-topk8", "-in", "key.pem", "-v1", "PBE-SHA1-3DES", "-passout", password, "-out", "out"}, []string{"leaf.pem", "above.pem"}},
		"PKCS #8 in DER, encrypted":         {0, []string{"pkcs8", "-topk8", "-in", "key.pem", "-outform", "DER", "-passout", password, "-out", "out"}, []string{"leaf.pem", "above.pem"}},
		"PKCS #1 with DEK-Info":             {certs.RSA2048, []string{"rsa", "-in", "key.pem", "-traditional", "-aes256", "-passout", password, "-out", "out"}, []string{"leaf.pem", "above.pem"}},
		"PKCS #1 with DEK-Info, Triple DES": {certs.RSA2048, []string{"rsa", "-in", "key.pem", "-traditional", "-des3", "-passout", password, "-out", "out"}, []string{"leaf.pem", "above.pem"}},
		"SEC 1 with DEK-Info":               {0, []string{"ec", "-in", "key.pem", "-aes128", "-passout", password, "-out", "out"}, []string{"leaf.pem", "above.pem"}},
		"PKCS #1":                           {certs.RSA2048, []string{"rsa", "-in", "key.pem", "-traditional", "-out", "out"}, []string{"leaf.pem", "above.pem"}},
		"SEC 1 in DER":                      {0, []string{"ec", "-in", "key.pem", "-outform", "DER", "-out", "out"}, []string{"leaf.pem", "above.pem"}},
	} {
		t.Run(name, func(t *testing.T) {
			leaf := p.Issue(p.Issuing, certs.Template{Names: []string{"www.example.com"}, Key: tt.kind})
			dir := workshop(t, p, leaf)
			run(t, dir, openssl, tt.args...)
			inputs := []bundle.Input{read(t, dir, "out")}
			for _, name := range tt.extra {
				inputs = append(inputs, read(t, dir, name))
			}
			complete(t, build(p, inputs, "wrong", "s3cret ü"))
			if !strings.Contains(strings.Join(tt.args, " "), "s3cret") || strings.Contains(name, "nothing encrypted") {
				return
			}
			for _, passwords := range [][]string{nil, {"wrong"}, {"wrong", "also wrong"}} {
				r := build(p, inputs, passwords...)
				if !hasNote(r.Notes, bundle.Locked, "openssl") {
					t.Errorf("passwords %q: notes %v", passwords, r.Notes)
				}
				for _, n := range r.Notes {
					if strings.Contains(n.Detail, "also") {
						t.Errorf("a password is told: %q", n.Detail)
					}
				}
			}
		})
	}
}

func TestReadWhatKeytoolWrites(t *testing.T) {
	keytool, openssl := program(t, "keytool"), program(t, "openssl")
	p := certstest.New(t)
	leaf := p.Leaf("www.example.com")
	dir := workshop(t, p, leaf)
	run(t, dir, openssl, "pkcs12", "-export", "-inkey", "key.pem", "-in", "leaf.pem", "-certfile", "above.pem", "-name", "www", "-passout", "pass:changeit", "-out", "in.p12")
	run(t, dir, keytool, "-importkeystore", "-srckeystore", "in.p12", "-srcstorepass", "changeit", "-destkeystore", "out.p12", "-deststoretype", "PKCS12", "-deststorepass", "changeit")
	run(t, dir, keytool, "-genkeypair", "-alias", "second", "-keyalg", "RSA", "-dname", "CN=second.example", "-ext", "san=dns:second.example", "-keystore", "out.p12", "-storepass", "changeit")
	run(t, dir, keytool, "-importcert", "-noprompt", "-alias", "ca", "-file", "root.pem", "-keystore", "out.p12", "-storepass", "changeit")
	run(t, dir, keytool, "-importkeystore", "-srckeystore", "out.p12", "-srcstorepass", "changeit", "-destkeystore", "out.jks", "-deststoretype", "JKS", "-deststorepass", "changeit")
	run(t, dir, keytool, "-importkeystore", "-srckeystore", "out.p12", "-srcstorepass", "changeit", "-destkeystore", "old.p12", "-deststoretype", "PKCS12", "-deststorepass", "changeit", "-J-Dkeystore.pkcs12.legacy")
	for _, name := range []string{"out.p12", "out.jks"} {
		t.Run(name, func(t *testing.T) {
			r := build(p, []bundle.Input{read(t, dir, name)}, "changeit")
			if len(r.Bundles) != 2 {
				t.Fatalf("%d bundles, problems %v, notes %v", len(r.Bundles), r.Problems, r.Notes)
			}
			for _, b := range r.Bundles {
				if b.Key == nil || b.Name == "www.example.com" && subjects(b.Chain) != wantChain {
					t.Errorf("%s: key %v, chain %s", b.Name, b.Key != nil, subjects(b.Chain))
				}
			}
			if r := build(p, []bundle.Input{read(t, dir, name)}); !hasNote(r.Notes, bundle.Locked, "no password was given") {
				t.Errorf("without a password: %v", r.Notes)
			}
		})
	}
	t.Run("several keys under RC2", func(t *testing.T) {
		r := build(p, []bundle.Input{read(t, dir, "old.p12")}, "changeit")
		if len(r.Bundles) == 0 && !hasNote(r.Notes, bundle.Unsupported, "openssl pkcs12 -legacy") {
			t.Errorf("neither read nor a way to read it: %v", r.Notes)
		}
	})
}
