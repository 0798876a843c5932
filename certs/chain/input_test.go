package chain_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect/spenttest"
)

func kindsOf(in chain.Input) (out []string) {
	for _, p := range in.Problems {
		out = append(out, string(p.Kind))
	}
	return out
}

func TestReadInput(t *testing.T) {
	p := certstest.New(t)
	leaf := p.Leaf(name)
	good := certs.EncodePEM(leaf.Chain()...)
	key, err := leaf.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(key)
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, leaf.Key)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 it is what old files hold
	legacy, err := x509.EncryptPEMBlock(rand.Reader, "EC PRIVATE KEY", block.Bytes, []byte("secret"), x509.PEMCipherAES128)
	if err != nil {
		t.Fatal(err)
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	of := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	half := bytes.Index(good[10:], []byte("-----BEGIN")) + 10
	for what, tt := range map[string]struct {
		data  []byte
		certs int
		want  string
	}{
		"a chain":                        {good, 3, ""},
		"a chain with Windows lines":     {bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")), 3, ""},
		"a chain with comments":          {join([]byte("subject=CN = x\n"), good, []byte("# end\n")), 3, ""},
		"one in DER":                     {leaf.Certificate.Raw, 1, ""},
		"two in DER":                     {join(leaf.Certificate.Raw, p.Issuing.Certificate.Raw), 2, ""},
		"DER cut off":                    {leaf.Certificate.Raw[:100], 0, "truncated"},
		"nothing":                        {nil, 0, "empty"},
		"text":                           {[]byte("hello"), 0, "garbled"},
		"cut off in the last":            {good[:len(good)-60], 2, "truncated"},
		"cut off in the first":           {join(good[:half-40], []byte("\n"), good[half:]), 2, "truncated"},
		"broken base64":                  {bytes.Replace(good, []byte("MII"), []byte("M!I"), 1), 2, "garbled"},
		"a key along":                    {join(good, key), 3, "private-key"},
		"a key alone":                    {key, 0, "private-key"},
		"a key in DER":                   {block.Bytes, 0, "private-key"},
		"an encrypted key along":         {join(of("ENCRYPTED PRIVATE KEY", []byte{1, 2, 3}), good), 3, "encrypted-key"},
		"an encrypted key, the old form": {join(good, pem.EncodeToMemory(legacy)), 3, "encrypted-key"},
		"a key called a certificate":     {join(good, of("CERTIFICATE", block.Bytes)), 3, "something-else"},
		"a request called a certificate": {of("CERTIFICATE", request), 0, "something-else"},
		"a request":                      {of("CERTIFICATE REQUEST", request), 0, "something-else"},
		"too many":                       {bytes.Repeat(good, 40), chain.MaxCertificates, "too-large"},
	} {
		t.Run(what, func(t *testing.T) {
			in := chain.ReadInput(tt.data)
			if len(in.Certificates) != tt.certs || strings.Join(kindsOf(in), " ") != tt.want {
				t.Errorf("%d certificates and %v, want %d and %q", len(in.Certificates), in.Problems, tt.certs, tt.want)
			}
			for _, problem := range in.Problems {
				if problem.Error() == "" || strings.Contains(problem.Error(), "secret\n") {
					t.Errorf("%q", problem.Error())
				}
			}
		})
	}
	in := chain.ReadInput(join(good, key))
	if want := bytes.Count(good, []byte("\n")) + 1; in.Problems[0].Line != want {
		t.Errorf("the key is in line %d, want %d", in.Problems[0].Line, want)
	}
	for i := range good[:len(good)-1] { // without the last line break it is whole
		if n := len(chain.ReadInput(good[:i]).Certificates); n > 2 {
			t.Fatalf("%d certificates in the first %d bytes", n, i)
		}
	}
	took := spenttest.On(t, func() {
		chain.ReadInput(bytes.Repeat([]byte("-----BEGIN CERTIFICATE-----\n"), 200_000))
		chain.ReadInput(join(bytes.Repeat([]byte("-----BEGIN CERTIFICATE-----\n"), 140_000), []byte("-----END CERTIFICATE-----\n")))
	})
	if took > 20*time.Second { // it is milliseconds; were it quadratic it would be minutes
		t.Errorf("hostile files took %v of processor time", took)
	}
}

func TestExamineNamesWhatIsNoCertificate(t *testing.T) {
	p := certstest.New(t)
	leaf := p.Leaf(name)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(leaf.Key)
	if err != nil {
		t.Fatal(err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, leaf.Key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(leaf.Key.Public())
	if err != nil {
		t.Fatal(err)
	}
	for what, der := range map[string][]byte{
		"PEM text":              certs.EncodePEM(leaf.Certificate),
		"private key (PKCS #8)": pkcs8,
		"certificate request":   request,
		"public key":            public,
	} {
		r := chain.Examine([][]byte{leaf.Certificate.Raw, der}, options(p))
		i := slices.IndexFunc(r.Faults, func(f chain.Fault) bool { return f.Reason == chain.ReasonNotACertificate })
		if i < 0 || !strings.Contains(r.Faults[i].Detail, what) || r.Faults[i].Index != 1 {
			t.Errorf("%s: %+v", what, r.Faults)
		}
	}
}
