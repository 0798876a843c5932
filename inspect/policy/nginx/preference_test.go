package nginx_test

import (
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/policy/nginx"
)

// The order of the suites of TLS 1.3 is the default server's until nginx learns the name before OpenSSL chooses.
func TestThePreferenceInTLS13IsTheDefaultServers(t *testing.T) {
	const text = `events {}
http {
  ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate c; ssl_certificate_key k;
  server { listen 443 ssl default_server; server_name a.example; ssl_prefer_server_ciphers on; }
  server { listen 443 ssl; server_name b.example; }
  server { listen 443 ssl; server_name c.example; ssl_protocols TLSv1.2; }
  server { listen 443 ssl; server_name d.example; ssl_prefer_server_ciphers on; }
}
`
	for version, want := range map[string]map[string]policy.Preference{
		"1.22.1": {"a.example": policy.PreferenceUnknown, "b.example": policy.PreferServer, "c.example": policy.PreferServer, "d.example": policy.PreferenceUnknown},
		"1.29.2": {"a.example": policy.PreferenceUnknown, "b.example": policy.PreferenceUnknown, "c.example": policy.PreferenceUnknown, "d.example": policy.PreferenceUnknown},
	} {
		r, err := nginx.Import(importertest.Tree(t, map[string]string{"nginx.conf": text}, nil), "nginx.conf", imported.Options{Version: version})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Endpoints) != len(want) {
			t.Fatalf("%d endpoints", len(r.Endpoints))
		}
		for _, e := range r.Endpoints {
			if got := e.Policy.PreferenceTLS13; got != want[e.Name] {
				t.Errorf("nginx %s, %s: %v, want %v", version, e.Name, got, want[e.Name])
			}
		}
	}
}
