package traefik

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func importFile(t *testing.T, name string, o imported.Options) *imported.Result {
	t.Helper()
	result, err := Import(os.DirFS("testdata"), name, o)
	if err != nil {
		t.Fatal(err)
	}
	return checked(t, result)
}

func importText(t *testing.T, text string, files fstest.MapFS) *imported.Result {
	t.Helper()
	fsys := fstest.MapFS{"conf/dynamic.yaml": {Data: []byte(text)}}
	for name, file := range files {
		fsys[name] = file
	}
	result, err := Import(fsys, "conf/dynamic.yaml", imported.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return checked(t, result)
}

func checked(t *testing.T, result *imported.Result) *imported.Result {
	t.Helper()
	importertest.Places(t, result)
	return result
}

func TestOptionsGoToTheNamesOfTheirRouters(t *testing.T) {
	result := importFile(t, "dynamic.yaml", imported.Options{})
	standard := importertest.Endpoint(t, result, "default")
	if !standard.Default || standard.Policy.Names != nil || !standard.Policy.SNIRequired || standard.Policy.NameAlert != wire.AlertInternalError {
		t.Errorf("default: %+v", standard.Policy)
	}
	if want := []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp384r1}; !slices.Equal(standard.Policy.Groups, want) {
		t.Errorf("groups %v, want %v: Go's order stands", standard.Policy.Groups, want)
	}
	mutual := importertest.Endpoint(t, result, "mutual")
	if mutual.Policy.ClientAuth != policy.ClientAuthRequire || !slices.Equal(mutual.Policy.Names, []string{"partners.example.com"}) || mutual.Default ||
		!slices.Equal(mutual.Policy.Versions, []wire.Version{wire.VersionTLS13}) || !slices.Equal(mutual.Policy.ALPN, []string{"h2"}) {
		t.Errorf("mutual: %+v", mutual.Policy)
	}
	old := importertest.Endpoint(t, result, "old")
	if want := []wire.CipherSuite{wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, wire.TLS_RSA_WITH_AES_128_CBC_SHA}; !slices.Equal(old.Policy.CipherSuites, want) ||
		!slices.Equal(old.Policy.Names, []string{"old.example.com"}) || len(old.Policy.Versions) != 3 || old.Policy.Family != policy.FamilyGo {
		t.Errorf("old: %+v", old.Policy)
	}
	importertest.Problem(t, result, 17, "different tls.options")
	importertest.Problem(t, result, 21, "Traefik refuses its names")
	importertest.Problem(t, result, 26, "cannot be listed")
	importertest.Problem(t, result, 41, "passes TLS through")
	importertest.Problem(t, result, 49, "missing.pem")
	importertest.Problem(t, result, 68, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA")
	importertest.Problem(t, result, 69, "unheardOf")
}

func TestTransportsAreTheClientSide(t *testing.T) {
	result := importFile(t, "dynamic.yaml", imported.Options{})
	inner := importertest.Endpoint(t, result, "serversTransports/inner")
	if inner.Side != imported.Client || !slices.Equal(inner.Policy.Names, []string{"inner.example.com"}) || len(inner.Policy.CipherSuites) != 3 || inner.Policy.ALPN[0] != "h2" {
		t.Errorf("got %+v", inner.Policy)
	}
	if sub := importertest.Endpoint(t, result, "serversTransports/sub"); sub.Policy.ALPN != nil || sub.Policy.Names[0] != "mqtt-inner.example.com" {
		t.Errorf("got %+v", sub.Policy)
	}
}

func TestDefaultsDependOnTheVersion(t *testing.T) {
	newest := importText(t, "tls:\n  options: {}\n", nil).Endpoints[0]
	if builtin, _ := policy.Lookup("traefik/traefik-3.7"); !slices.Equal(newest.Policy.CipherSuites, builtin.CipherSuites) || !slices.Equal(newest.Policy.Groups, builtin.Groups) || !slices.Equal(newest.Policy.Versions, builtin.Versions) {
		t.Errorf("got %+v", newest.Policy)
	}
	if newest.Policy.Certificates[0] != policy.CertRSA {
		t.Errorf("without a certificate Traefik makes one with RSA: %v", newest.Policy.Certificates)
	}
	result := importFile(t, "dynamic.yaml", imported.Options{Version: "v2.9.4"})
	if old := importertest.Endpoint(t, result, "mutual"); old.Version != "v2.9.4" || len(old.Policy.Groups) != 4 {
		t.Errorf("got version %s, groups %v", old.Version, old.Policy.Groups)
	}
	fs := fstest.MapFS{"x.yaml": {Data: []byte("tls:\n  options:\n    default: {}\n")}}
	old, err := Import(fs, "x.yaml", imported.Options{Version: "2.9"})
	if err != nil || old.Endpoints[0].Policy.Versions[0] != wire.VersionTLS10 {
		t.Errorf("2.9 without minVersion: %+v, %v", old, err)
	}
}

func TestCustomResources(t *testing.T) {
	result := importFile(t, "crd.yaml", imported.Options{})
	strict := importertest.Endpoint(t, result, "edge-strict")
	if !slices.Equal(strict.Policy.Names, []string{"api.example.com", "v2.api.example.com"}) || strict.Policy.ClientAuth != policy.ClientAuthRequire {
		t.Errorf("got %+v", strict.Policy)
	}
	if b := importertest.Endpoint(t, result, "serversTransports/default-backend"); b.Policy.Names[0] != "backend.internal" {
		t.Errorf("got %+v", b.Policy)
	}
	if !importertest.Endpoint(t, result, "default").Default {
		t.Error("there is no default endpoint")
	}
}

func TestCertificatesAreReadForTheirKind(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"*.example.com"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	text := "http: {routers: {a: {rule: 'Host(`a.example.com`)', tls: {options: x}}, b: {rule: 'Host(`b.example.net`)', tls: {options: x}}}}\n" +
		"tls:\n  certificates: [{certFile: a.pem}]\n  options: {x: {sniStrict: true}}\n"
	result := importText(t, text, fstest.MapFS{"conf/a.pem": {Data: file}})
	if x := importertest.Endpoint(t, result, "x").Policy; !slices.Equal(x.Certificates, []policy.CertificateType{policy.CertECDSAP384}) || !slices.Equal(x.Names, []string{"a.example.com"}) {
		t.Errorf("got %+v", x)
	}
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {tls.crt: " + base64.StdEncoding.EncodeToString(file) + "}\n---\n" +
		"apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: r}\nspec: {tls: {options: {name: o}}, routes: [{match: 'Host(`a.example.com`)'}]}\n---\n" +
		"apiVersion: traefik.io/v1alpha1\nkind: TLSOption\nmetadata: {name: o}\nspec: {}\n"
	if o := importertest.Endpoint(t, importText(t, secret, nil), "default-o").Policy; !slices.Equal(o.Certificates, []policy.CertificateType{policy.CertECDSAP384}) {
		t.Errorf("got %+v", o)
	}
}

func TestRulesGiveTheirNames(t *testing.T) {
	for _, test := range []struct {
		rule  string
		hosts string
		whole bool
		fails bool
	}{
		{"Host(`a.b`)", "a.b", false, false},
		{"(Host(\"A.b\", 'c.d') || HostHeader(`e.f`)) && PathPrefix(`/`)", "a.b c.d e.f", false, false},
		{"HostSNI(`*`)", "", true, false},
		{"Path(`/x(`)", "", true, false},
		{"!Host(`a.b`)", "", true, false},
		{"Host(`a.b", "", true, true},
		{"Host(", "", true, true},
		{"HostRegexp(`.*`)", "", true, true},
		{"", "", true, false},
	} {
		hosts, whole, err := hostsOf(test.rule)
		if strings.Join(hosts, " ") != test.hosts || whole != test.whole || (err != nil) != test.fails {
			t.Errorf("%s: got %v, whole %v, %v", test.rule, hosts, whole, err)
		}
	}
}

func TestTOMLIsRefusedPlainly(t *testing.T) {
	for _, text := range []string{"# x\n[tls.options]\n  [tls.options.default]\n    minVersion = \"VersionTLS12\"\n", "\nlogLevel = \"x\"\n"} {
		_, err := Import(fstest.MapFS{"x": {Data: []byte(text)}}, "x", imported.Options{})
		var e *imported.Error
		if !errors.As(err, &e) || e.Line != 2 || !strings.Contains(e.Text, "TOML") {
			t.Errorf("got %v", err)
		}
	}
	for _, text := range []string{"a: 1", "", "tls: [", "[]"} {
		_, err := Import(fstest.MapFS{"x": {Data: []byte(text)}}, "x", imported.Options{})
		var e *imported.Error
		if !errors.As(err, &e) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestDetect(t *testing.T) {
	for _, name := range []string{"dynamic.yaml", "crd.yaml"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if !Detect(name, data) {
			t.Errorf("%s is not detected", name)
		}
	}
	if !Detect("t.toml", []byte("[tls.options]\n")) {
		t.Error("TOML is not detected, whose error says what to do")
	}
	for _, text := range []string{"http {\n server { listen 443 ssl; }\n}\n", "versions: [TLSv1.2]\nciphers: [a]\n", "static_resources:\n  listeners: []\n", `{"apps": {"http": {"servers": {}}, "tls": {}}}`} {
		if Detect("x", []byte(text)) {
			t.Errorf("detected %q", text)
		}
	}
}

func FuzzImport(f *testing.F) {
	for _, name := range []string{"dynamic.yaml", "crd.yaml"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
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
		Detect("f", bytes.Clone(data))
	})
}
