package importer_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importer"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
)

// samples are small configurations of every kind, under names that do not tell the kind wherever a system leaves the name open.
var samples = map[string]struct{ name, kind, text string }{
	"nginx":      {"site", "nginx", "events {}\nhttp {\n  server {\n    listen 443 ssl;\n    server_name a.example;\n    ssl_protocols TLSv1.2;\n  }\n}\n"},
	"haproxy":    {"lb.cfg", "haproxy", "global\n  ssl-default-bind-options ssl-min-ver TLSv1.2\nfrontend web\n  mode http\n  bind :443 ssl crt site.pem\n  default_backend app\nbackend app\n  server one 10.0.0.1:443 ssl verify none\n"},
	"apache":     {"vhosts.conf", "apache", "Listen 443\n<VirtualHost *:443>\n  ServerName a.example\n  SSLEngine on\n  SSLProtocol -all +TLSv1.2\n</VirtualHost>\n"},
	"envoy":      {"config.yaml", "envoy", "static_resources:\n  listeners:\n  - name: edge\n    address: {socket_address: {address: 0.0.0.0, port_value: 443}}\n    filter_chains:\n    - transport_socket:\n        name: tls\n        typed_config:\n          \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext\n          common_tls_context: {tls_params: {tls_minimum_protocol_version: TLSv1_2}}\n"},
	"kubernetes": {"app.yaml", "kubernetes", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: app, annotations: {kubernetes.io/ingress.class: nginx}}\nspec:\n  tls: [{hosts: [a.example], secretName: s}]\n"},
	"aws":        {"out.json", "aws-describe-ssl-policies", `{"SslPolicies":[{"Name":"mine","SslProtocols":["TLSv1.2"],"Ciphers":[{"Name":"ECDHE-RSA-AES128-GCM-SHA256","Priority":1}]}]}`},
	"caddy":      {"caddy.json", "caddy", `{"apps":{"http":{"servers":{"s":{"listen":[":443"],"tls_connection_policies":[{"protocol_min":"tls1.2"}],"routes":[{"match":[{"host":["a.example"]}]}]}}}}}`},
	"yaml":       {"mine.yaml", "yaml", "name: mine\nversions: [TLSv1.2]\nciphers: [ECDHE-RSA-AES128-GCM-SHA256]\n"},
	"traefik":    {"dynamic.yaml", "traefik", "tls:\n  options:\n    default:\n      minVersion: VersionTLS12\n"},
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheKindIsToldByTheFile(t *testing.T) {
	for name, s := range samples {
		t.Run(name, func(t *testing.T) {
			result, err := importer.Import(importertest.Files{}, write(t, s.name, s.text), "", imported.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if result.Kind != s.kind {
				t.Errorf("read as %q, want %q", result.Kind, s.kind)
			}
			servers := 0
			for _, e := range result.Endpoints {
				if e.Side == imported.Server {
					servers++
				}
			}
			if servers == 0 {
				t.Errorf("no listener in it: %+v", result.Problems)
			}
		})
	}
	if len(importer.Kinds()) != len(samples) {
		t.Errorf("%d kinds, %d samples", len(importer.Kinds()), len(samples))
	}
}

const two = `events {}
http {
  server { listen 443 ssl default_server; server_name a.example; ssl_protocols TLSv1.2; ssl_certificate c; ssl_certificate_key k; location / { proxy_pass https://10.0.0.1; proxy_ssl_protocols TLSv1.2; } }
  server { listen 8443 ssl; server_name *.b.example; ssl_protocols TLSv1.3; ssl_certificate c; ssl_certificate_key k; }
}
`

func TestAReferenceChoosesAnEndpoint(t *testing.T) {
	conf := write(t, "nginx.conf", two)
	own := write(t, "own.yaml", "name: edge\nversions: [TLSv1.2]\nciphers: [ECDHE-RSA-AES128-GCM-SHA256]\n")
	for _, tt := range []struct{ ref, name, wrong string }{
		{"aws/ELBSecurityPolicy-2016-08", "aws/ELBSecurityPolicy-2016-08", ""},
		{own, "edge", ""},
		{conf + "#server_name=a.example", "a.example", ""},
		{conf + "#server_name=x.b.example", "*.b.example", ""},
		{conf + "#listen=8443", "*.b.example", ""},
		{conf + "#endpoint=a.example", "a.example", ""},
		{conf, "", "several endpoints"},
		{conf + "#endpoint=c.example", "", `no endpoint "c.example"; there are: "a.example"`},
		{conf + "#server_name=a.example&listen=9999", "", "no endpoint answers for"},
		{conf + "#server_name", "", "no key=value"},
		{conf + "#side=left", "", "side is server or client"},
		{conf + "#kind=haproxy&endpoint=x", "", "no TLS listener in it\tno endpoint"},
		{"aws/ELBSecurityPolicy-2016-8", "", "nearest names"},
		{filepath.Join(t.TempDir(), "missing.conf"), "", "no such file"},
	} {
		loaded, err := importer.Load(importertest.Files{}, tt.ref)
		if tt.wrong != "" {
			if err == nil {
				t.Errorf("%s: no error", tt.ref)
			} else if !containsAny(err.Error(), strings.Split(tt.wrong, "\t")) {
				t.Errorf("%s: %v, want %q in it", tt.ref, err, tt.wrong)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.ref, err)
			continue
		}
		name := loaded.Policy.Name
		if loaded.Endpoint != nil {
			name = loaded.Endpoint.Name
		}
		if name != tt.name {
			t.Errorf("%s is %q, want %q", tt.ref, name, tt.name)
		}
	}
	client, err := importer.Load(importertest.Files{}, conf+"#side=client")
	if err != nil {
		t.Fatal(err)
	}
	if client.Endpoint.Side != imported.Client {
		t.Errorf("side=client gives %v", client.Endpoint.Side)
	}
}

func containsAny(s string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

func TestAFileOfNoKindSaysSo(t *testing.T) {
	path := write(t, "notes.txt", "buy milk\n")
	_, err := importer.Import(importertest.Files{}, path, "", imported.Options{})
	var e *imported.Error
	if !errors.As(err, &e) || e.File != path || !strings.Contains(e.Text, "kind is not recognised") {
		t.Errorf("%v", err)
	}
	if _, err := importer.Import(importertest.Files{}, path, "iis", imported.Options{}); err == nil || !strings.Contains(err.Error(), "there are: cloud, ") {
		t.Errorf("%v", err)
	}
}

// Names choose as TLS servers do where an importer has no choice of its own: exact before wildcard before default.
func TestNamesChooseTheMostExact(t *testing.T) {
	path := write(t, "envoy.yaml", `static_resources:
  listeners:
  - name: edge
    address: {socket_address: {address: 0.0.0.0, port_value: 443}}
    filter_chains:
    - filter_chain_match: {server_names: ["*.example.com"]}
      transport_socket: {name: tls, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext, common_tls_context: {tls_params: {tls_minimum_protocol_version: TLSv1_2}}}}
    - filter_chain_match: {server_names: ["a.example.com"]}
      transport_socket: {name: tls, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext, common_tls_context: {tls_params: {tls_minimum_protocol_version: TLSv1_3}}}}
`)
	for name, want := range map[string]int{"a.example.com": 1, "b.example.com": 2} {
		loaded, err := importer.Load(importertest.Files{}, path+"#server_name="+name)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(policy.Accepts(loaded.Policy, policy.DimensionVersion)); got != want {
			t.Errorf("%s: %d versions, want %d", name, got, want)
		}
	}
}
