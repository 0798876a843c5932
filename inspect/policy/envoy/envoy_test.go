package envoy

import (
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

func importText(t *testing.T, text string, o imported.Options) *imported.Result {
	t.Helper()
	result, err := Import(fstest.MapFS{"envoy": {Data: []byte(text)}}, "envoy", o)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range result.Endpoints {
		if len(e.Policy.Versions) == 0 || len(e.Policy.CipherSuites) == 0 {
			t.Errorf("%s: no policy that accepts anything", e.Name)
		}
	}
	importertest.Places(t, result)
	return result
}

func mustRead(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestFilterChainsOfABootstrap(t *testing.T) {
	result := importText(t, mustRead(t, "bootstrap.yaml"), imported.Options{})
	shop := importertest.Endpoint(t, result, "edge/shop")
	want := []wire.CipherSuite{wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}
	if !slices.Equal(shop.Policy.CipherSuites, want) || len(shop.Policy.EqualPreference) != 1 || shop.Policy.Preference != policy.PreferServer {
		t.Errorf("suites %v, groups %v", shop.Policy.CipherSuites, shop.Policy.EqualPreference)
	}
	if !slices.Equal(shop.Policy.Names, []string{"shop.example.com", "**.shop.example.com"}) || !shop.Policy.NameSilent || shop.Default || shop.Policy.ClientAuth != policy.ClientAuthRequire ||
		!slices.Equal(shop.Policy.ALPN, []string{"h2", "http/1.1"}) || shop.Policy.ALPNRequired || !slices.Equal(shop.Policy.Groups, []wire.NamedGroup{wire.GroupSecp384r1, wire.GroupX25519}) ||
		len(shop.Policy.SignatureSchemes) != 2 || shop.Policy.Family != policy.FamilyBoringSSL || shop.Listen[0] != "0.0.0.0:443" {
		t.Errorf("got %+v", shop.Policy)
	}
	partners := importertest.Endpoint(t, result, "edge/partners")
	if partners.Policy.Preference != policy.PreferClient || partners.Policy.ClientAuth != policy.ClientAuthRequest {
		t.Errorf("got %+v", partners.Policy)
	}
	if fallback := importertest.Endpoint(t, result, "edge"); !fallback.Default || fallback.Policy.Names != nil {
		t.Errorf("got %+v", fallback.Policy)
	}
	quic := importertest.Endpoint(t, result, "quic (QUIC)")
	if !slices.Equal(quic.Policy.Versions, []wire.Version{wire.VersionTLS13}) || len(quic.Policy.CipherSuites) != 3 || quic.Listen[0] != "[::]:443" {
		t.Errorf("got %+v", quic)
	}
	importertest.Problem(t, result, 29, "certs/gone.pem")
	importertest.Problem(t, result, 34, "source_prefix_ranges")
	importertest.Problem(t, result, 41, "Envoy refuses the configuration")
	importertest.Problem(t, result, 42, "partners_cert")
	importertest.Problem(t, result, 44, "unheard_of")
	for _, f := range shop.Facts {
		if f.Setting == "cipher_suites" && f.Line != 25 {
			t.Errorf("got %+v, want line 25", f)
		}
	}
}

func TestClustersAreTheClientSide(t *testing.T) {
	result := importText(t, mustRead(t, "bootstrap.yaml"), imported.Options{})
	shop := importertest.Endpoint(t, result, "shop")
	if shop.Side != imported.Client || !slices.Equal(shop.Policy.Names, []string{"shop.internal"}) || !slices.Equal(shop.Policy.Versions, []wire.Version{wire.VersionTLS12}) ||
		!slices.Equal(shop.Policy.ALPN, []string{"h2", "http/1.1"}) || shop.Listen[0] != "10.0.0.7:8443" || shop.Policy.EqualPreference != nil {
		t.Errorf("got %+v", shop)
	}
	if d := importertest.Endpoint(t, result, "dynamic"); d.Policy.Names != nil || len(d.Policy.Versions) != 2 {
		t.Errorf("got %+v", d.Policy)
	}
	importertest.Problem(t, result, 72, "auto_sni")
}

func TestConfigDump(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	chain := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	result := importText(t, strings.Replace(mustRead(t, "config_dump.json"), "CERTIFICATE", chain, 1), imported.Options{})
	if len(result.Endpoints) != 1 {
		t.Fatalf("%d endpoints, want one: the bootstrap's copy is left out", len(result.Endpoints))
	}
	api := importertest.Endpoint(t, result, "0.0.0.0_8443")
	if !slices.Equal(api.Policy.Certificates, []policy.CertificateType{policy.CertECDSAP256}) || api.Policy.ClientAuth != policy.ClientAuthRequire ||
		!slices.Equal(api.Policy.Versions, []wire.Version{wire.VersionTLS13}) || !slices.Equal(api.Policy.Names, []string{"api.example.com"}) {
		t.Errorf("got %+v", api.Policy)
	}
	importertest.Problem(t, result, 30, "ROOTCA")
	importertest.Problem(t, result, 40, "not active")
	importertest.Problem(t, result, 49, "MoonConfigDump")
}

func TestDefaultsDependOnTheVersion(t *testing.T) {
	const text = `{"resources": [{"@type": "type.googleapis.com/envoy.config.listener.v3.Listener", "filterChains": [{"transportSocket": {"typedConfig":
		{"@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", "commonTlsContext": {"alpnProtocols": ["h2"]}}}}]}]}`
	for version, ref := range map[string]string{"": "envoy/envoy-server-default", "1.22.0": "envoy/envoy-server-default", "1.21.4": "envoy/envoy-server-default-legacy"} {
		want, err := policy.Lookup(ref)
		if err != nil {
			t.Fatal(err)
		}
		got := importText(t, text, imported.Options{Version: version}).Endpoints[0].Policy
		if !slices.Equal(got.Versions, want.Versions) || !slices.Equal(got.CipherSuites, want.CipherSuites) || !slices.Equal(got.Groups, want.Groups) || len(got.EqualPreference) != len(want.EqualPreference) {
			t.Errorf("%s: got %v %v %v, want %v %v %v", version, got.Versions, got.CipherSuites, got.Groups, want.Versions, want.CipherSuites, want.Groups)
		}
		if got.ALPN[0] != "h2" {
			t.Error("the names of JSON are not understood")
		}
	}
}

func TestWhatIsNotOursIsAnError(t *testing.T) {
	for _, text := range []string{"a: 1", "", "[]", "{\"configs\": [", "resources: [{a: 1}]"} {
		_, err := Import(fstest.MapFS{"x": {Data: []byte(text)}}, "x", imported.Options{})
		var e *imported.Error
		if !errors.As(err, &e) || e.File != "x" {
			t.Errorf("%q: got %v, want an *imported.Error", text, err)
		}
	}
}

func TestDetect(t *testing.T) {
	if !Detect("x", []byte(mustRead(t, "bootstrap.yaml"))) || !Detect("x", []byte(mustRead(t, "config_dump.json"))) {
		t.Error("Envoy's files are not detected")
	}
	if Detect("x", []byte("tls:\n  options: {}\n")) {
		t.Error("another's file is detected")
	}
}

func FuzzImport(f *testing.F) {
	f.Add([]byte(mustRead(f, "bootstrap.yaml")))
	f.Add([]byte(mustRead(f, "config_dump.json")))
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
