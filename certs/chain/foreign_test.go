package chain_test

import (
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/chain"
)

// Certificates that crypto/x509 cannot make, made by OpenSSL below a trusted root.
func TestExamineCertificatesOfOpenSSL(t *testing.T) {
	program(t, "openssl")
	p := certstest.NewAt(t, time.Now())
	ecRoot := p.Root
	rsaRoot := p.SelfSign(certs.Template{CommonName: "RSA Root", CA: true, Key: certs.RSA2048})
	san := []string{"-extensions", "ext"}
	for _, tt := range []struct {
		name string
		by   *certs.Pair
		key  []string // of openssl genpkey
		sign []string // of openssl x509 -req
		want string
	}{
		{"MD5", rsaRoot, []string{"-algorithm", "RSA"}, append(slices.Clone(san), "-md5"), "cert-weak-signature"},
		{"SHA-1 with RSA", rsaRoot, []string{"-algorithm", "RSA"}, append(slices.Clone(san), "-sha1"), "cert-weak-signature"},
		{"RSA-PSS signature", rsaRoot, []string{"-algorithm", "RSA"}, append(slices.Clone(san), "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1"), ""},
		{"RSA-PSS with a long salt", rsaRoot, []string{"-algorithm", "RSA"}, append(slices.Clone(san), "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-2"), "cert-uncommon-algorithm"},
		{"DSA", ecRoot, nil, append(slices.Clone(san), "-sha256"), "cert-weak-key"},
		{"Ed25519", ecRoot, []string{"-algorithm", "ED25519"}, append(slices.Clone(san), "-sha256"), ""},
		{"Ed448", ecRoot, []string{"-algorithm", "ED448"}, append(slices.Clone(san), "-sha256"), "cert-uncommon-algorithm?"},
		{"a key for RSA-PSS alone", rsaRoot, []string{"-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"}, append(slices.Clone(san), "-sha256"), "cert-uncommon-algorithm?"},
		{"a short key for RSA-PSS alone", rsaRoot, []string{"-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:1024"}, append(slices.Clone(san), "-sha256"), "cert-uncommon-algorithm? cert-weak-key"},
		{"P-521", ecRoot, []string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"}, append(slices.Clone(san), "-sha512"), ""},
		{"brainpool", ecRoot, []string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"}, append(slices.Clone(san), "-sha256"), "cert-uncommon-algorithm?"},
		{"secp256k1", ecRoot, []string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"}, append(slices.Clone(san), "-sha256"), "cert-uncommon-algorithm?"},
		{"version 1", ecRoot, []string{"-algorithm", "RSA"}, []string{"-sha256"}, "cert-name-mismatch"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			run := opensslIn(t, dir)
			caKey, err := tt.by.KeyPEM()
			if err != nil {
				t.Fatal(err)
			}
			certstest.WriteFile(t, filepath.Join(dir, "ca.key"), caKey)
			certstest.WriteFile(t, filepath.Join(dir, "ca.pem"), certs.EncodePEM(tt.by.Certificate))
			certstest.WriteFile(t, filepath.Join(dir, "ext.cnf"), []byte("[ext]\nsubjectAltName = DNS:"+name+"\n"))
			if tt.key != nil {
				run(append([]string{"genpkey", "-out", "leaf.key"}, tt.key...)...)
			} else {
				run("dsaparam", "-genkey", "-out", "leaf.key", "1024")
			}
			run("req", "-new", "-key", "leaf.key", "-subj", "/CN="+name, "-out", "leaf.csr")
			sign := []string{"x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "90", "-out", "leaf.pem"}
			if len(tt.sign) > 1 {
				sign = append(sign, "-extfile", "ext.cnf")
			}
			run(append(sign, tt.sign...)...)
			data, err := os.ReadFile(filepath.Join(dir, "leaf.pem"))
			if err != nil {
				t.Fatal(err)
			}
			block, _ := pem.Decode(data)
			if block == nil {
				t.Fatal("openssl wrote no certificate")
			}
			o := chain.Options{Name: name, Roots: p.Roots(), Time: time.Now().Add(time.Minute)}
			o.Roots.AddCert(rsaRoot.Certificate)
			r := chain.Examine([][]byte{block.Bytes}, o)
			want(t, r, tt.want)
			if !r.Trusted && tt.want != "cert-malformed" {
				t.Errorf("not trusted: %+v", r.Faults)
			}
		})
	}
}

// An authority on a curve that is not computed here: nobody else's root is blamed for that, and the chain is not believed either.
func TestExamineAnAuthorityOnACurveThatIsNotKnown(t *testing.T) {
	p, dir := certstest.NewAt(t, time.Now()), t.TempDir()
	run := opensslIn(t, dir)
	rootKey, err := p.Root.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	certstest.WriteFile(t, filepath.Join(dir, "root.key"), rootKey)
	certstest.WriteFile(t, filepath.Join(dir, "root.pem"), certs.EncodePEM(p.Root.Certificate))
	certstest.WriteFile(t, filepath.Join(dir, "ext.cnf"), []byte("[leaf]\nsubjectAltName = DNS:"+name+"\n[ca]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\n"))
	issue := func(what, curve, by, extensions string) []byte {
		run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:"+curve, "-out", what+".key")
		run("req", "-new", "-key", what+".key", "-subj", "/CN="+what, "-out", what+".csr")
		run("x509", "-req", "-in", what+".csr", "-CA", by+".pem", "-CAkey", by+".key", "-CAcreateserial", "-days", "90", "-sha256", "-extfile", "ext.cnf", "-extensions", extensions, "-out", what+".pem")
		data, err := os.ReadFile(filepath.Join(dir, what+".pem"))
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(data)
		if block == nil {
			t.Fatal("openssl wrote no certificate")
		}
		return block.Bytes
	}
	intermediate := issue("intermediate", "brainpoolP384r1", "root", "ca")
	leaf := issue("leaf", "P-256", "intermediate", "leaf")
	r := chain.Examine([][]byte{leaf, intermediate}, chain.Options{Name: name, Roots: p.Roots(), Time: time.Now().Add(time.Minute)})
	want(t, r, "cert-uncommon-algorithm")
	if r.Valid || r.Err == nil {
		t.Errorf("valid %v, %v: what signed the leaf was not checked", r.Valid, r.Err)
	}
}

// Against the system's roots, of which a test can only say that they do not trust this.
func TestExamineAgainstTheSystemsRoots(t *testing.T) {
	p := certstest.New(t)
	for kind, w := range map[certstest.Kind]string{
		certstest.Healthy:             "chain-untrusted-root",
		certstest.MissingIntermediate: "chain-missing-intermediate",
		certstest.SelfSigned:          "cert-self-signed",
	} {
		r := chain.Examine(p.Make(kind, name).Raw(), chain.Options{Name: name, Time: p.Now})
		want(t, r, w)
		if r.Trusted || r.Err == nil {
			t.Errorf("%s: trusted %v, %v", kind, r.Trusted, r.Err)
		}
	}
}

// opensslIn runs openssl in a directory.
func opensslIn(t *testing.T, dir string) func(args ...string) {
	t.Helper()
	path := program(t, "openssl")
	return func(args ...string) {
		t.Helper()
		cmd := exec.Command(path, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
}
