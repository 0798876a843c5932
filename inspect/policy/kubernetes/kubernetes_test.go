package kubernetes

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
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
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return importText(t, string(data), o)
}

func importText(t *testing.T, text string, o imported.Options) *imported.Result {
	t.Helper()
	result, err := Import(fstest.MapFS{"all.yaml": {Data: []byte(text)}}, "all.yaml", o)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range result.Endpoints {
		if e.Policy == nil || len(e.Policy.Versions) == 0 || len(e.Policy.CipherSuites) == 0 {
			t.Errorf("%s: no policy that accepts anything", e.Name)
		}
	}
	importertest.Places(t, result)
	return result
}

func TestIngressWithAnnotationsAndConfigMap(t *testing.T) {
	result := importFile(t, "ingress.yaml", imported.Options{})
	shop := importertest.Endpoint(t, result, "shop.example.com")
	if shop.Version != "1.9.4" {
		t.Errorf("version %s: that of the controller's image is 1.9.4", shop.Version)
	}
	want := []wire.CipherSuite{wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256, wire.TLS_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_RSA_WITH_AES_256_CBC_SHA}
	if !slices.Equal(shop.Policy.CipherSuites, want) || shop.Policy.Preference != policy.PreferClient {
		t.Errorf("suites %v, preference %v", shop.Policy.CipherSuites, shop.Policy.Preference)
	}
	if !slices.Equal(shop.Policy.Names, []string{"shop.example.com", "**.shop.example.com"}) || shop.Policy.ClientAuth != policy.ClientAuthRequest ||
		!slices.Equal(shop.Policy.Groups, []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp256r1}) || shop.Policy.ALPN[0] != "http/1.1" || !shop.Policy.ALPNRequired {
		t.Errorf("got %+v", shop.Policy)
	}
	bare := importertest.Endpoint(t, result, "bare.example.com")
	if !slices.Equal(bare.Policy.Certificates, []policy.CertificateType{policy.CertRSA}) {
		t.Errorf("a host without a certificate has %v, want the fake one", bare.Policy.Certificates)
	}
	if d := importertest.Endpoint(t, result, "_"); !d.Default || d.Policy.Names != nil || d.Policy.Preference != policy.PreferServer {
		t.Errorf("default server: %+v", d.Policy)
	}
	for _, f := range shop.Facts {
		if f.Setting == "ssl-protocols" && f.Line != 22 || strings.HasSuffix(f.Setting, "ssl-ciphers") && f.Line != 42 && !f.Default {
			t.Errorf("got %+v", f)
		}
	}
	importertest.Problem(t, result, 25, "ssl-moon-phase")
	importertest.Problem(t, result, 26, "http-snippet")
	importertest.Problem(t, result, 51, "ssl-moon")
	importertest.Problem(t, result, 56, "Secret \"web/shop-tls\"")
	importertest.Problem(t, result, 71, "haproxy")
	importertest.Problem(t, result, 80, "without --enable-ssl-passthrough")
	importertest.Problem(t, result, 81, "nginx refuses it")
	if len(shop.Policy.BlockedVersions) == 0 || slices.Contains(shop.Policy.Versions, wire.VersionTLS11) {
		t.Errorf("TLS 1.1 at security level 1 of OpenSSL 3.1: versions %v, blocked %v", shop.Policy.Versions, shop.Policy.BlockedVersions)
	}
}

func TestBackendsOfAnIngressAreTheClientSide(t *testing.T) {
	e := importertest.Endpoint(t, importFile(t, "ingress.yaml", imported.Options{}), "web/shop backends")
	if e.Side != imported.Client || !slices.Equal(e.Policy.Names, []string{"shop.internal"}) || !slices.Equal(e.Policy.Versions, []wire.Version{wire.VersionTLS12}) || e.Listen[0] != "shop:8443" {
		t.Errorf("got %+v, %v", e.Policy, e.Listen)
	}
}

const lone = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: a}\nspec: {tls: [{hosts: [a.example.com], secretName: s}], rules: [{host: a.example.com}]}\n"

func TestDefaultsDependOnTheVersion(t *testing.T) {
	newest := importertest.Endpoint(t, importText(t, lone, imported.Options{}), "a.example.com")
	builtin, _ := policy.Lookup("ingress-nginx/ingress-nginx-1.15")
	if !slices.Equal(newest.Policy.CipherSuites, builtin.CipherSuites) || !slices.Equal(newest.Policy.Versions, builtin.Versions) || !newest.Policy.NoDHParameters {
		t.Errorf("got %v, want those of the built-in policy %v", newest.Policy.CipherSuites, builtin.CipherSuites)
	}
	if newest.Policy.Groups[0] != wire.GroupX25519MLKEM768 {
		t.Errorf("OpenSSL 3.5 begins with %v", newest.Policy.Groups[0])
	}
	old := importertest.Endpoint(t, importText(t, lone, imported.Options{Version: "1.2.0"}), "a.example.com")
	if old.Policy.ALPNRequired || old.Policy.Groups[0] != wire.GroupX25519 {
		t.Errorf("got %+v", old.Policy)
	}
	importertest.Problem(t, importText(t, lone, imported.Options{Version: "0.26.1"}), 0, "before 1.0")
	if rejected := importText(t, lone+"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {ssl-reject-handshake: \"true\"}\n", imported.Options{}); importertest.Endpoint(t, rejected, "_").Policy.Names == nil {
		t.Error("ssl-reject-handshake: the default server answers")
	}
}

func TestSecretsTellTheKindOfCertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"a.example.com"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	crt := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	text := fmt.Sprintf("apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: s}\n  data: {tls.crt: %s}\n---\n%s", crt, lone)
	result := importText(t, text, imported.Options{})
	if got := importertest.Endpoint(t, result, "a.example.com").Policy.Certificates; !slices.Equal(got, []policy.CertificateType{policy.CertECDSAP256}) || len(result.Problems) != 0 {
		t.Errorf("got %v, %v", got, result.Problems)
	}
	importertest.Problem(t, importText(t, strings.ReplaceAll(text, "a.example.com", "b.example.com"), imported.Options{}), 12, "not for")
	importertest.Problem(t, importText(t, strings.ReplaceAll(text, crt, "AAAA"), imported.Options{}), 12, "no certificate")
}

func TestIngressOfTheAWSController(t *testing.T) {
	result := importText(t, `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  annotations:
    alb.ingress.kubernetes.io/ssl-policy: ELBSecurityPolicy-TLS13-1-2-Res-2021-06
spec:
  ingressClassName: alb
`, imported.Options{})
	if e := importertest.Endpoint(t, result, "default/shop"); e.Policy.Name != "aws/ELBSecurityPolicy-TLS13-1-2-Res-2021-06" || e.System != "aws-elb" {
		t.Errorf("got %+v", e)
	}
}

func TestGatewaysAndTheirRoutes(t *testing.T) {
	result := importFile(t, "gateway.yaml", imported.Options{})
	https := importertest.Endpoint(t, result, "public/https")
	if !slices.Equal(https.Policy.Names, []string{"**.example.com"}) || https.Policy.ClientAuth != policy.ClientAuthRequire || https.Policy.ALPN[0] != "h2" || https.Policy.Family != policy.FamilyBoringSSL {
		t.Errorf("got %+v", https.Policy)
	}
	if mqtt := importertest.Endpoint(t, result, "public/mqtt"); !slices.Equal(mqtt.Policy.Names, []string{"mqtt.example.net"}) || mqtt.Policy.ALPN != nil || mqtt.Listen[0] != ":8883" {
		t.Errorf("got %+v", mqtt.Policy)
	}
	importertest.Problem(t, result, 19, "example.com/moon")
	importertest.Problem(t, result, 28, "passes TLS through")
	importertest.Problem(t, result, 58, "homegrown")
	importertest.Problem(t, result, 18, "Secret \"infra/wildcard\"")
}

func TestBackendTLSPolicyIsTheClientSide(t *testing.T) {
	text, _, _ := strings.Cut(string(mustRead(t, "gateway.yaml")), "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: mystery}")
	e := importertest.Endpoint(t, importText(t, text, imported.Options{}), "shop/shop")
	if e.Side != imported.Client || !slices.Equal(e.Policy.Names, []string{"shop.internal"}) || !slices.Equal(e.Policy.Versions, []wire.Version{wire.VersionTLS12}) || e.Listen[0] != "shop:https" {
		t.Errorf("got %+v", e)
	}
}

func mustRead(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestWhatIsNotOursIsAnError(t *testing.T) {
	for _, text := range []string{"a: 1", "", "apiVersion: v1\nkind: Service\n", "apiVersion: [", "[]", "- 1\n"} {
		_, err := Import(fstest.MapFS{"x": {Data: []byte(text)}}, "x", imported.Options{})
		var e *imported.Error
		if !errors.As(err, &e) || e.File != "x" {
			t.Errorf("%q: got %v, want an *imported.Error", text, err)
		}
	}
}

func TestDetect(t *testing.T) {
	if !Detect("x", mustRead(t, "ingress.yaml")) || !Detect("x", []byte(`{"apiVersion": "v1", "kind": "List", "items": []}`)) {
		t.Error("manifests are not detected")
	}
	if Detect("x", []byte("apiVersion: traefik.io/v1alpha1\nkind: TLSOption\n")) || Detect("x", []byte("server { listen 443 ssl; }")) {
		t.Error("what is another's is detected")
	}
}

func FuzzImport(f *testing.F) {
	for _, name := range []string{"ingress.yaml", "gateway.yaml"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		for doc := range bytes.SplitSeq(data, []byte("---\n")) {
			f.Add(doc)
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
	})
}

func TestEndpointsAreBounded(t *testing.T) {
	var text strings.Builder
	text.WriteString("{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [")
	for i := range 4 {
		if i > 0 {
			text.WriteString(",")
		}
		fmt.Fprintf(&text, "\n{\"apiVersion\": \"networking.k8s.io/v1\", \"kind\": \"Ingress\", \"metadata\": {\"name\": \"i%d\"}, \"spec\": {\"tls\": [", i)
		for j := range maxHosts {
			if j > 0 {
				text.WriteString(",")
			}
			fmt.Fprintf(&text, "{\"hosts\": [\"h%d-%d.example\"]}", i, j)
		}
		text.WriteString("]}}")
	}
	text.WriteString("]}")
	if testing.Short() {
		t.Skip("takes seconds")
	}
	result := importText(t, text.String(), imported.Options{})
	if len(result.Endpoints) != maxEndpoints || importertest.Endpoint(t, result, "_") == nil {
		t.Errorf("%d endpoints, want %d with the default server among them", len(result.Endpoints), maxEndpoints)
	}
	importertest.Problem(t, result, 0, "the rest is left out")
}
