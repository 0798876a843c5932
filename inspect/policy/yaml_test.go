package policy_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

const wholeYAML = `
name: edge
notes: |
  what stands in front of the shop
versions: {min: TLSv1.2, max: TLS 1.3}
ciphers:
  - [ECDHE-ECDSA-AES128-GCM-SHA256, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]
  - ECDHE-RSA-AES128-GCM-SHA256
cipher_preference: server
groups: [X25519MLKEM768, x25519, P-256]
signature_algorithms: [ecdsa_secp256r1_sha256, RSA+SHA256, rsa_pss_rsae_sha256]
certificates: [ecdsa-p256, rsa]
dh_parameters: false
alpn: [h2, http/1.1]
alpn_required: true
server_names: [shop.example, "*.shop.example"]
sni_required: true
client_auth: request
family: boringssl
`

func TestParseYAML(t *testing.T) {
	p, err := policy.ParseYAML([]byte(wholeYAML), "edge.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "edge" || p.Notes != "what stands in front of the shop\n" || p.Preference != policy.PreferServer || p.Family != policy.FamilyBoringSSL ||
		!p.NoDHParameters || !p.ALPNRequired || !p.SNIRequired || p.ClientAuth != policy.ClientAuthRequest {
		t.Errorf("%+v", p)
	}
	if !slices.Equal(p.Versions, []wire.Version{wire.VersionTLS12, wire.VersionTLS13}) {
		t.Errorf("versions %v", p.Versions)
	}
	suites := []wire.CipherSuite{
		wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256,
		wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	}
	if !slices.Equal(p.CipherSuites, suites) {
		t.Errorf("suites %v, want %v", p.CipherSuites, suites)
	}
	if len(p.EqualPreference) != 1 || !slices.Equal(p.EqualPreference[0], suites[3:5]) {
		t.Errorf("equal preference %v", p.EqualPreference)
	}
	if !slices.Equal(p.Groups, []wire.NamedGroup{wire.GroupX25519MLKEM768, wire.GroupX25519, wire.GroupSecp256r1}) {
		t.Errorf("groups %v", p.Groups)
	}
	if !slices.Equal(p.SignatureSchemes, []wire.SignatureScheme{wire.SchemeECDSASecp256r1SHA256, wire.SchemeRSAPKCS1SHA256, wire.SchemeRSAPSSRSAESHA256}) {
		t.Errorf("schemes %v", p.SignatureSchemes)
	}
	if !slices.Equal(p.Certificates, []policy.CertificateType{policy.CertECDSAP256, policy.CertRSA}) || !slices.Equal(p.ALPN, []string{"h2", "http/1.1"}) ||
		!slices.Equal(p.Names, []string{"shop.example", "*.shop.example"}) {
		t.Errorf("%+v", p)
	}
}

func TestYAMLExtendsBuiltin(t *testing.T) {
	p, err := policy.ParseYAML([]byte("versions: [TLSv1.3]\nextends: ELBSecurityPolicy-TLS13-1-2-2021-06\n"), "dir/strict.yml")
	if err != nil {
		t.Fatal(err)
	}
	base := lookup(t, "ELBSecurityPolicy-TLS13-1-2-2021-06")
	if p.Name != "strict" || !slices.Equal(p.Versions, []wire.Version{wire.VersionTLS13}) || !slices.Equal(p.CipherSuites, base.CipherSuites) ||
		p.Family != base.Family || !strings.Contains(p.Source[0], base.Name) {
		t.Errorf("%+v", p)
	}
}

func TestYAMLErrorsNameLineAndNearest(t *testing.T) {
	const good = "versions: [TLSv1.2]\nciphers: [AES128-SHA]\n"
	tests := []struct {
		name, yaml string
		line       int
		want       string
	}{
		{"unknown key", good + "cipher: []\n", 3, `unknown key "cipher"; did you mean ciphers?`},
		{"repeated key", good + "versions: [TLSv1.3]\n", 3, "versions: stands twice, first in line 1"},
		{"unknown suite", "versions: [TLSv1.2]\nciphers:\n  - ECDHE-RSA-AES128-GCM-SHA265\n", 3, "did you mean ECDHE-RSA-AES128-GCM-SHA256"},
		{"unknown group", good + "groups: [x25518]\n", 3, "did you mean x25519"},
		{"unknown scheme", good + "signature_algorithms: [rsa_pkcs1_sha265]\n", 3, "did you mean rsa_pkcs1_sha256"},
		{"unknown version", "versions: [TLSv1.5]\nciphers: [AES128-SHA]\n", 1, "did you mean TLSv1."},
		{"version out of range", "versions: [SSLv2]\nciphers: [AES128-SHA]\n", 1, "not between SSLv3 and TLSv1.3: SSLv2"},
		{"bounds the wrong way round", "versions: {min: TLSv1.3, max: TLSv1.2}\nciphers: [AES128-SHA]\n", 1, "min TLSv1.3 is above max TLSv1.2"},
		{"unknown bound", "versions: {least: TLSv1.3}\nciphers: [AES128-SHA]\n", 1, `unknown key "least"`},
		{"no versions", "ciphers: [AES128-SHA]\n", 0, "versions: missing"},
		{"no suites", "versions: [TLSv1.2]\n", 0, "ciphers: missing"},
		{"no list", "versions: TLSv1.2\n", 1, "versions: a list is expected"},
		{"no truth", good + "sni_required: perhaps\n", 3, "true or false is expected"},
		{"no word", good + "client_auth: maybe\n", 3, "one of none, request, require is expected"},
		{"no certificates", good + "certificates: []\n", 3, "certificates: empty"},
		{"repeated certificate", good + "certificates: [rsa, ecdsa-p256, rsa]\n", 3, "stands twice: rsa"},
		{"unknown base", "extends: mozilla/intermediat\n", 1, "did you mean mozilla/mozilla-intermediate"},
		{"ambiguous base", "extends: modern\n", 1, "several built-in policies"},
		{"long protocol", good + "alpn: [" + strings.Repeat("a", 256) + "]\n", 3, "name of 256 bytes exceeds 255"},
		{"broken", "versions: [TLSv1.2\nciphers: x", 2, ""},
		{"no mapping", "- a\n- b\n", 1, "a policy is a mapping"},
		{"empty", "\n", 0, "the file is empty"},
		{"too many", "versions: [TLSv1.2]\nciphers: [" + strings.Repeat("A,", 1001) + "]\n", 2, "1001 items exceed 1000"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := policy.ParseYAML([]byte(test.yaml), "edge.yaml")
			var file *policy.FileError
			if !errors.As(err, &file) {
				t.Fatalf("%v, want a FileError", err)
			}
			if file.Line != test.line || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "edge.yaml") {
				t.Errorf("line %d: %v, want line %d: %s", file.Line, err, test.line, test.want)
			}
		})
	}
}

// TestYAMLErrorsAreBounded feeds a file in which everything is wrong.
func TestYAMLErrorsAreBounded(t *testing.T) {
	_, err := policy.ParseYAML([]byte(strings.Repeat("a", 2000)+": 1\n"+strings.Repeat("? [x]\n: 1\n", 500)), "edge.yaml")
	if err == nil || len(err.Error()) > 10_000 {
		t.Errorf("error of %d bytes", len(err.Error()))
	}
}

func FuzzParseYAML(f *testing.F) {
	f.Add([]byte(wholeYAML))
	f.Add([]byte("extends: mozilla/intermediate\ngroups: &g [P-256]\nalpn: *g\n"))
	f.Add([]byte("versions: {min: 1.2}\nciphers: [[]]\n"))
	f.Add([]byte("a: &a [*a]"))
	hello := randomHellos(f, 1)[0].hello
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := policy.ParseYAML(data, "fuzz.yaml")
		if (p == nil) == (err == nil) {
			t.Fatalf("%v, %v", p, err)
		}
		if err != nil {
			var file *policy.FileError
			if !errors.As(err, &file) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if len(p.Versions) == 0 || len(p.CipherSuites) == 0 || p.Name == "" {
			t.Fatalf("incomplete policy %+v", p)
		}
		if r := policy.Negotiate(&hello, p); r.Accepted != (r.RejectedBy == policy.DimensionNone) {
			t.Fatalf("%+v", r)
		}
	})
}

// merge gives base with the keys of over in place of its own.
func merge(base, over string) string {
	set := make(map[string]bool)
	for line := range strings.Lines(over) {
		if key, _, ok := strings.Cut(line, ":"); ok {
			set[key] = true
		}
	}
	var out strings.Builder
	skipping := false
	for line := range strings.Lines(base) {
		if !strings.HasPrefix(line, " ") {
			key, _, _ := strings.Cut(line, ":")
			skipping = set[key]
		}
		if !skipping {
			out.WriteString(line)
		}
	}
	return out.String() + over + "\n"
}

func TestPreferenceInTLS13(t *testing.T) {
	p, err := policy.ParseYAML([]byte("versions: [TLSv1.2, TLSv1.3]\nciphers: [TLS_AES_256_GCM_SHA384, TLS_AES_128_GCM_SHA256, ECDHE-RSA-AES128-GCM-SHA256]\ncipher_preference: server\ncipher_preference_tls13: client\n"), "own.yaml")
	if err != nil || p.Preference != policy.PreferServer || p.PreferenceTLS13 != policy.PreferClient {
		t.Fatalf("%+v, %v", p, err)
	}
	if same := p.Clone(); policy.Equal(p, func() *policy.Policy { same.PreferenceTLS13 = policy.PreferServer; return same }()) {
		t.Error("the order in TLS 1.3 makes no difference")
	}
	if _, err := policy.ParseYAML([]byte("versions: [TLSv1.3]\ncipher_preference_tls13: mine\n"), "own.yaml"); err == nil {
		t.Error("a word that is none is taken")
	}
}
