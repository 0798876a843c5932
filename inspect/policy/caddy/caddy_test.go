package caddy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func importText(t *testing.T, text string, o imported.Options) *imported.Result {
	t.Helper()
	result, err := Import(fstest.MapFS{"caddy": {Data: []byte(text)}}, "caddy", o)
	if err != nil {
		t.Fatal(err)
	}
	importertest.Places(t, result)
	return result
}

const config = `{
  "apps": {
    "http": {
      "servers": {
        "edge": {
          "listen": [":443"],
          "routes": [
            {"match": [{"host": ["shop.example.com", "api.example.com"]}],
             "handle": [{"handler": "subroute", "routes": [{"handle": [
               {"handler": "reverse_proxy",
                "transport": {"protocol": "http", "tls": {"server_name": "inner.example.com", "moon": 1}, "versions": ["1.1"]},
                "upstreams": [{"dial": "10.0.0.1:8443"}]}]}]}]}
          ],
          "tls_connection_policies": [
            {"match": {"sni": ["shop.example.com"]},
             "protocol_min": "tls1.3",
             "alpn": ["h2"],
             "client_authentication": {"trusted_ca_certs_pem_files": ["ca.pem"]}},
            {"match": {"sni": ["old.example.com"], "remote_ip": {"ranges": ["10.0.0.0/8"]}},
             "protocol_min": "tls1.0",
             "cipher_suites": ["TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLS_AES_128_GCM_SHA256", "TLS_NO_SUCH"],
             "curves": ["secp521r1", "x25519", "x448"],
             "client_authentication": {"mode": "request"},
             "unheard_of": 1},
            {"default_sni": "shop.example.com"}
          ]
        },
        "plain": {"listen": [":80"], "routes": [{"match": [{"host": ["shop.example.com"]}]}]},
        "auto": {"listen": [":8443"], "routes": [{"match": [{"host": ["auto.example.com"]}]}], "protocols": ["h1"]}
      }
    },
    "tls": {"automation": {"policies": [{"subjects": ["auto.example.com"], "key_type": "rsa2048"}, {"key_type": "p384"}]}}
  }
}
`

func TestConnectionPoliciesOfJSON(t *testing.T) {
	result := importText(t, config, imported.Options{})
	shop := importertest.Endpoint(t, result, "edge shop.example.com")
	if !slices.Equal(shop.Policy.Versions, []wire.Version{wire.VersionTLS13}) || !slices.Equal(shop.Policy.ALPN, []string{"h2", "acme-tls/1"}) || shop.Policy.ClientAuth != policy.ClientAuthRequire ||
		!slices.Equal(shop.Policy.Names, []string{"shop.example.com"}) || shop.Policy.NameAlert != wire.AlertInternalError || !slices.Equal(shop.Policy.Certificates, []policy.CertificateType{policy.CertECDSAP384}) {
		t.Errorf("got %+v", shop.Policy)
	}
	old := importertest.Endpoint(t, result, "edge old.example.com")
	if !slices.Contains(old.Policy.CipherSuites, wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA) || len(old.Policy.CipherSuites) != 4 || old.Policy.ClientAuth != policy.ClientAuthRequest ||
		!slices.Equal(old.Policy.Groups, []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp521r1}) || old.Policy.Versions[0] != wire.VersionTLS12 {
		t.Errorf("got %+v", old.Policy)
	}
	fallback := importertest.Endpoint(t, result, "edge")
	if !fallback.Default || fallback.Policy.SNIRequired || !slices.Equal(fallback.Policy.Names, []string{"api.example.com", "shop.example.com"}) {
		t.Errorf("got %+v", fallback.Policy)
	}
	auto := importertest.Endpoint(t, result, "auto")
	if !slices.Equal(auto.Policy.ALPN, []string{"http/1.1", "acme-tls/1"}) || !slices.Equal(auto.Policy.Certificates, []policy.CertificateType{policy.CertRSA}) || !auto.Policy.SNIRequired {
		t.Errorf("got %+v", auto.Policy)
	}
	if len(result.Endpoints) != 5 {
		t.Errorf("%d endpoints, want 4 servers and 1 client", len(result.Endpoints))
	}
	importertest.Problem(t, result, 19, "remote_ip")
	importertest.Problem(t, result, 20, "tls1.0")
	importertest.Problem(t, result, 21, "TLS_NO_SUCH")
	importertest.Problem(t, result, 22, "x448")
	importertest.Problem(t, result, 24, "unheard_of")
	importertest.Problem(t, result, 11, "moon")
}

func TestReverseProxiesAreTheClientSide(t *testing.T) {
	e := importertest.Endpoint(t, importText(t, config, imported.Options{}), "edge reverse_proxy 10.0.0.1:8443")
	if e.Side != imported.Client || !slices.Equal(e.Policy.Names, []string{"inner.example.com"}) || !slices.Equal(e.Policy.ALPN, []string{"http/1.1"}) || e.Listen[0] != "10.0.0.1:8443" {
		t.Errorf("got %+v", e)
	}
}

func TestDefaultsDependOnTheVersion(t *testing.T) {
	const text = `{"apps": {"http": {"servers": {"s": {"listen": [":443"], "tls_connection_policies": [{}]}}}}}`
	for version, ref := range map[string]string{"": "caddy/caddy-2.11", "2.6.2": "caddy/caddy-2.6.2"} {
		want, err := policy.Lookup(ref)
		if err != nil {
			t.Fatal(err)
		}
		got := importText(t, text, imported.Options{Version: version}).Endpoints[0].Policy
		if !slices.Equal(got.Versions, want.Versions) || !slices.Equal(got.CipherSuites, want.CipherSuites) || !slices.Equal(got.Groups, want.Groups) {
			t.Errorf("%s: got %v %v %v, want %v %v %v", version, got.Versions, got.CipherSuites, got.Groups, want.Versions, want.CipherSuites, want.Groups)
		}
	}
}

const sites = `# the edge
{
	default_sni a.example
	email x@example.com
}

(secure) {
	tls {
		protocols tls1.3
		curves {args.0} secp384r1
	}
}

a.example, "b.example" {
	tls internal {
		protocols tls1.2 tls1.3
		ciphers TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 \
			TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
		alpn http/1.1
		client_auth {
			mode verify_if_given
			trusted_ca_cert_file {{DIR}}/ca.pem
		}
	}
	handle /api/* {
		reverse_proxy https://10.0.0.1:8443 {
			transport http {
				tls_server_name inner.example
				versions 1.1
			}
		}
	}
}
c.example:8443 {
	import secure x25519
	reverse_proxy https://backend.example
}
http://plain.example {
	respond "tls { }"
}
d.example {
	tls {{DIR}}/cert.pem {{DIR}}/key.pem
}
e.example {
	respond ok
}
`

func TestCaddyfile(t *testing.T) {
	dir := t.TempDir()
	certificate(t, dir)
	text := strings.ReplaceAll(sites, "{{DIR}}", dir)
	result, err := Import(hostFS{}, write(t, dir, "Caddyfile", text), imported.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := importertest.Endpoint(t, result, "srv0 a.example")
	if !slices.Equal(a.Policy.ALPN, []string{"http/1.1", "acme-tls/1"}) || a.Policy.ClientAuth != policy.ClientAuthRequest || len(a.Policy.CipherSuites) != 5 {
		t.Errorf("got %+v", a.Policy)
	}
	c := importertest.Endpoint(t, result, "srv1 c.example")
	if !slices.Equal(c.Policy.Groups, []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp384r1}) || c.Listen[0] != ":8443" {
		t.Errorf("got %+v", c)
	}
	for _, f := range c.Facts {
		if f.Setting == "curves" && f.Line != 10 {
			t.Errorf("got %+v, want the line of the snippet", f)
		}
	}
}

// hostFS opens files by the names that configurations give them.
type hostFS struct{}

func (hostFS) Open(name string) (fs.File, error) { return os.Open(name) }

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// certificate writes cert.pem, key.pem and ca.pem.
func certificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"d.example"}, NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	crt := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, dir, "cert.pem", crt)
	write(t, dir, "ca.pem", crt)
	write(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

// A Caddyfile and the JSON that Caddy itself makes of it are imported as the same policies.
func TestCaddyfilesAreAdaptedAsCaddyDoes(t *testing.T) {
	caddy, err := exec.LookPath("caddy")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("no caddy: ", err)
	}
	dir := t.TempDir()
	certificate(t, dir)
	for name, text := range map[string]string{
		"many sites": sites, "one site without braces": "a.example\n\ntls {\n\tprotocols tls1.3\n}\nrespond ok\n",
		"a port alone": ":8443 {\n\ttls internal {\n\t\tcurves x25519\n\t}\n}\n",
		"wildcard":     "*.a.example, a.example {\n\ttls x@example.com\n\trespond ok\n}\n",
		"heredoc":      "a.example {\n\ttls {\n\t\talpn h2\n\t}\n\troute {\n\t\treverse_proxy https://x.example https://y.example:8443\n\t}\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, dir, "Caddyfile", strings.ReplaceAll(text, "{{DIR}}", dir))
			adapt := exec.Command(caddy, "adapt", "--adapter", "caddyfile", "--config", file)
			adapt.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
			out, err := adapt.Output()
			if err != nil {
				var exit *exec.ExitError
				errors.As(err, &exit)
				t.Fatalf("caddy adapt: %v\n%s", err, exit.Stderr)
			}
			ours, err := Import(hostFS{}, file, imported.Options{Version: "2.6.2"})
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := Import(hostFS{}, write(t, dir, "caddy.json", string(out)), imported.Options{Version: "2.6.2"})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := summary(ours), summary(theirs); got != want {
				t.Errorf("imported\n%s\nCaddy's own JSON gives\n%s\n%s", got, want, out)
			}
			if len(ours.Endpoints) == 0 {
				t.Error("nothing was imported")
			}
		})
	}
}

// summary is a line for each endpoint. Caddy writes the names of a matcher in any order.
func summary(result *imported.Result) string {
	var lines []string
	for _, e := range result.Endpoints {
		p := e.Policy
		lines = append(lines, strings.Join([]string{
			string(e.Side), strings.Join(e.Listen, " "), strings.Join(slices.Sorted(slices.Values(p.Names)), " "), strings.Join(policy.Accepts(p, policy.DimensionVersion), " "),
			strings.Join(policy.Accepts(p, policy.DimensionCipher), " "), strings.Join(policy.Accepts(p, policy.DimensionGroup), " "),
			strings.Join(p.ALPN, " "), string(p.ClientAuth), strings.Join(certs(p), " "), map[bool]string{true: "default"}[e.Default], map[bool]string{true: "needs SNI"}[p.SNIRequired],
		}, " | "))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func certs(p *policy.Policy) (out []string) {
	for _, c := range p.Certificates {
		out = append(out, string(c))
	}
	return out
}

func TestWhatIsNotOursIsAnError(t *testing.T) {
	for _, text := range []string{"", "{\"a\": 1}", "{\"apps\":", "a.example {\n\ttls {\n", "}\n", "a.example {\n}\nstray\n", "x \"y\n", "a.example {\n respond <<END\n x\n"} {
		_, err := Import(fstest.MapFS{"x": {Data: []byte(text)}}, "x", imported.Options{})
		var e *imported.Error
		if !errors.As(err, &e) || e.File != "x" {
			t.Errorf("%q: got %v, want an *imported.Error", text, err)
		}
	}
}

func TestImportsThatUnfoldWithoutEndAreRefused(t *testing.T) {
	text := "(a) {\n import a\n import a\n}\nx.example {\n import a\n}\n"
	if _, err := Import(fstest.MapFS{"x": {Data: []byte(text)}}, "x", imported.Options{}); err == nil {
		t.Error("a snippet that imports itself was read")
	}
}

func TestDetect(t *testing.T) {
	if !Detect("conf/Caddyfile", nil) || !Detect("x", []byte(config)) {
		t.Error("Caddy's files are not detected")
	}
	if Detect("x", []byte(`{"Listeners": []}`)) || Detect("nginx.conf", []byte("http {")) {
		t.Error("another's file is detected")
	}
}

func FuzzImport(f *testing.F) {
	f.Add([]byte(config))
	f.Add([]byte(sites))
	f.Fuzz(func(t *testing.T, data []byte) {
		result, err := Import(fstest.MapFS{"f": {Data: data}}, "f", imported.Options{})
		var e *imported.Error
		if err != nil {
			if !errors.As(err, &e) {
				t.Fatalf("error of type %T", err)
			}
			return
		}
		for _, e := range result.Endpoints {
			if e.Policy == nil {
				t.Fatalf("endpoint %q without a policy", e.Name)
			}
		}
	})
}
