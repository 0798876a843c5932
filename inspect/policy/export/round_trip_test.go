package export_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/export"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importer"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// system finds a system by its name.
func system(t testing.TB, name string) export.System {
	t.Helper()
	for _, s := range export.Systems() {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no system %s", name)
	return export.System{}
}

// rooted is a file system in which absolute names are found, too.
type rooted struct{ fs.FS }

func (r rooted) Open(name string) (fs.File, error) { return r.FS.Open(strings.TrimPrefix(name, "/")) }

// certificateFor is a certificate for names, in PEM.
func certificateFor(t testing.TB, names []string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"test"}}, DNSNames: names}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// again reads a snippet as its system would, and gives the policy of the endpoint that serves the policy's names.
func again(t testing.TB, s *export.Snippet, o export.Options) *policy.Policy {
	t.Helper()
	kind := system(t, s.System).Importer
	text := s.WithComments()
	files := fstest.MapFS{"etc/snippet": &fstest.MapFile{Data: []byte(text)}}
	if (s.System == "haproxy" || s.System == "traefik") && s.Policy.Names != nil {
		// Both serve the names of their certificates.
		pem := certificateFor(t, s.Policy.Names)
		files["etc/haproxy/tls/server.pem"] = &fstest.MapFile{Data: pem}
		files["etc/traefik/tls/server.crt"] = &fstest.MapFile{Data: pem}
	}
	result, err := importer.Import(rooted{files}, "/etc/snippet", kind, imported.Options{Version: o.Version, OpenSSL: o.OpenSSL})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, p := range result.Problems {
		if !expected(s, p.Text) {
			t.Errorf("line %d: %s\n%s", p.Line, p.Text, text)
		}
	}
	var named, fallback *policy.Policy
	for _, e := range result.Endpoints {
		switch {
		case e.Side != imported.Server:
		case e.Default:
			fallback = e.Policy
		case named != nil:
			t.Fatalf("two endpoints with names\n%s", text)
		default:
			named = e.Policy
		}
	}
	if named == nil {
		if fallback == nil {
			t.Fatalf("no endpoint: %+v\n%s", result.Problems, text)
		}
		return fallback
	}
	// A client without a name comes to the default endpoint, which may refuse everybody.
	if fallback != nil && fallback.Names != nil && len(fallback.Names) == 0 {
		named.SNIRequired = true
	}
	return named
}

// expected are the problems that a snippet has for want of the files beside it, or for what is said as a loss already.
func expected(s *export.Snippet, problem string) bool {
	for _, known := range []string{
		"does not exist", "not exist", "no such file", "no certificate", "its kind is not known", "the kind of its certificate is not known", "which certificates there are is not in this file",
		"sniStrict refuses names without", "2048 bits are assumed", "the RSA key of 2048 bits is too small for security level",
	} {
		if strings.Contains(problem, known) {
			return true
		}
	}
	return false
}

// check exports a policy and reads the snippet again: the two differ in what the losses say and in nothing else.
func check(t testing.TB, p *policy.Policy, name string, o export.Options) *export.Snippet {
	t.Helper()
	s, err := export.Export(p, name, o)
	var unsayable *export.UnsayableError
	if errors.As(err, &unsayable) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	announced := make([]string, 0, len(s.Losses))
	for _, l := range s.Losses {
		announced = append(announced, string(l.Kind))
		if l.Weight == "" || len(l.Missing)+len(l.Extra) == 0 && !l.Order && !slices.Contains([]export.Kind{export.LossGroups, export.LossSchemes, export.LossALPN, export.LossNames}, l.Kind) {
			t.Errorf("%s for %s: nothing said: %+v", p.Name, name, l)
		}
	}
	if system(t, name).Importer == "" {
		return s
	}
	q := again(t, s, o)
	var found []string
	for _, d := range policy.Differences(p, q) {
		kind, _, _ := strings.Cut(d, ":")
		found = append(found, kind)
	}
	if !slices.Equal(found, announced) {
		t.Errorf("%s for %s: announced %q, found\n%s\n%s", p.Name, name, announced, strings.Join(policy.Differences(p, q), "\n"), s.WithComments())
	}
	if d := policy.Differences(s.Policy, q); len(d) > 0 {
		t.Errorf("%s for %s: read again it is not what was foretold:\n%s\n%s", p.Name, name, strings.Join(d, "\n"), s.WithComments())
	}
	return s
}

func TestEveryBuiltInPolicyComesBackFromEverySystem(t *testing.T) {
	for _, s := range export.Systems() {
		t.Run(s.Name, func(t *testing.T) {
			equal, lossless, unsayable, all := 0, 0, 0, 0
			for p := range policy.All() {
				all++
				switch snippet := check(t, p, s.Name, export.Options{}); {
				case snippet == nil:
					unsayable++
				case len(snippet.Losses) == 0:
					equal++
					lossless++
				case snippet.Lossless():
					lossless++
				}
				if t.Failed() {
					t.FailNow()
				}
			}
			t.Logf("%d policies: %d come back equal, %d with no client treated otherwise, %d cannot be said", all, equal, lossless, unsayable)
		})
	}
}

// own are policies that no provider has: with names, client certificates, protocols, holes, blocked versions and what nobody can say.
func own(t testing.TB) []*policy.Policy {
	t.Helper()
	base, err := policy.Lookup("mozilla/intermediate-5.7")
	if err != nil {
		t.Fatal(err)
	}
	var out []*policy.Policy
	add := func(name string, change func(p *policy.Policy)) {
		p := base.Clone()
		p.Name, p.Provider = name, ""
		change(p)
		out = append(out, p)
	}
	add("names", func(p *policy.Policy) { p.Names = []string{"a.example.com", "b.example.com"} })
	add("names and a wildcard", func(p *policy.Policy) { p.Names, p.SNIRequired = []string{"example.com", "*.example.com"}, true })
	add("a deep wildcard", func(p *policy.Policy) { p.Names, p.SNIRequired = []string{"**.example.com"}, true })
	add("no name at all", func(p *policy.Policy) { p.Names = []string{} })
	add("a name required", func(p *policy.Policy) { p.SNIRequired = true })
	add("names that are none", func(p *policy.Policy) {
		p.Names = []string{"a b", "x;y", "a\n}", "$x", "~^a$", "192.0.2.1", strings.Repeat("a", 300), "*", "a..b", "-", "\"", "ok.example"}
	})
	add("client certificates requested", func(p *policy.Policy) { p.ClientAuth = policy.ClientAuthRequest })
	add("client certificates required", func(p *policy.Policy) {
		p.ClientAuth, p.Names = policy.ClientAuthRequire, []string{"a.example.com"}
	})
	add("protocols", func(p *policy.Policy) { p.ALPN, p.ALPNRequired = []string{"h2", "http/1.1"}, true })
	add("protocols of mail", func(p *policy.Policy) { p.ALPN = []string{"imap", "managesieve"} })
	add("protocols that are none", func(p *policy.Policy) { p.ALPN = []string{"a b", "x,y", "\n", "\xff", "h2", ""} })
	add("an empty list of protocols", func(p *policy.Policy) { p.ALPN = []string{} })
	add("a hole", func(p *policy.Policy) { p.Versions = []wire.Version{wire.VersionTLS10, wire.VersionTLS12} })
	add("blocked versions", func(p *policy.Policy) {
		p.BlockedVersions, p.SecurityLevel = []wire.Version{wire.VersionTLS10, wire.VersionTLS11}, 1
	})
	add("level 3", func(p *policy.Policy) { p.SecurityLevel = 3 })
	add("SSLv3", func(p *policy.Policy) { p.Versions = []wire.Version{wire.VersionSSLv3} })
	add("TLS 1.3 alone, one suite", func(p *policy.Policy) {
		p.Versions, p.CipherSuites = []wire.Version{wire.VersionTLS13}, []wire.CipherSuite{wire.TLS_AES_256_GCM_SHA384}
	})
	add("TLS 1.3 without a suite", func(p *policy.Policy) {
		p.CipherSuites = []wire.CipherSuite{wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	})
	add("no groups", func(p *policy.Policy) { p.Groups = []wire.NamedGroup{} })
	add("rare groups", func(p *policy.Policy) {
		p.Groups = []wire.NamedGroup{wire.GroupX448, wire.GroupBrainpoolP256r1, wire.GroupX25519MLKEM768}
	})
	add("ChaCha20 first", func(p *policy.Policy) { p.Preference = policy.PreferServerChaCha })
	add("no parameters", func(p *policy.Policy) { p.NoDHParameters = true })
	add("groups of equal preference", func(p *policy.Policy) {
		p.Preference = policy.PreferServer
		p.EqualPreference = [][]wire.CipherSuite{{wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
			{wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256}}
	})
	add("a name\n}\\ with everything \x1b[31m", func(p *policy.Policy) {
		p.SignatureSchemes = []wire.SignatureScheme{wire.SchemeDSASHA1, 0xFEFE, wire.SchemeRSAPKCS1SHA256, wire.SchemeECDSASecp256r1SHA256}
	})
	return out
}

func TestPoliciesOfTheUsersOwnComeBackFromEverySystem(t *testing.T) {
	for _, s := range export.Systems() {
		for _, p := range own(t) {
			t.Run(s.Name+"/"+p.Name, func(t *testing.T) { check(t, p, s.Name, export.Options{}) })
		}
	}
}

func TestReleasesDiffer(t *testing.T) {
	for name, versions := range map[string][]string{
		"nginx": {"1.18.0", "1.19.4", "1.22.1", "1.25.1", "1.26", "1.29.2"}, "nginx-stream": {"1.18.0", "1.22.1", "1.25.5"},
		"haproxy": {"2.0", "2.4", "2.6.12", "2.8", "3.2"}, "ingress-nginx": {"1.2", "1.8", "1.11", "1.15"}, "go": {"1.21", "1.24"}, "java": {"8", "11", "21", "25"},
	} {
		for _, version := range versions {
			for _, release := range []string{"", "1.1.1", "3.5"} {
				for _, p := range own(t) {
					check(t, p, name, export.Options{Version: version, OpenSSL: release})
				}
			}
		}
	}
}

func TestPoliciesThatCannotBeSaid(t *testing.T) {
	p := own(t)[0]
	var unknown *export.UnknownSystemError
	if _, err := export.Export(p, "iis", export.Options{}); !errors.As(err, &unknown) {
		t.Errorf("got %v", err)
	}
	var unsayable *export.UnsayableError
	for name, o := range map[string]export.Options{"nginx": {Version: "x\ny"}, "haproxy": {Version: "new"}, "java": {Version: "7"}, "apache": {OpenSSL: "0.9.8"}} {
		if _, err := export.Export(p, name, o); !errors.As(err, &unsayable) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, s := range export.Systems() {
		if _, err := export.Export(&policy.Policy{Versions: []wire.Version{wire.VersionTLS12}}, s.Name, export.Options{}); !errors.As(err, &unsayable) {
			t.Errorf("%s: no suites: got %v", s.Name, err)
		}
	}
}

// A snippet is known for what it is without being told.
func TestTheKindOfASnippetIsToldByItsText(t *testing.T) {
	p := own(t)[0]
	for _, system := range export.Systems() {
		if system.Importer == "" {
			continue
		}
		s, err := export.Export(p, system.Name, export.Options{})
		if err != nil {
			t.Fatal(err)
		}
		files := fstest.MapFS{"etc/snippet": &fstest.MapFile{Data: []byte(s.WithComments())}}
		result, err := importer.Import(rooted{files}, "/etc/snippet", "", imported.Options{})
		if err != nil {
			t.Errorf("%s: %v", system.Name, err)
			continue
		}
		if kind := result.Kind; kind != system.Importer && system.Importer != "cloud" {
			t.Errorf("%s: read as %s", system.Name, kind)
		}
	}
}
