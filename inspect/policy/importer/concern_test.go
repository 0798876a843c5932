package importer_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importer"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
)

// odd are configurations with one thing in each place that is not understood: ssl_odd_a in what concerns a.example alone, ssl_odd_b in what
// concerns b.example alone, both behind the last setting there that is, and for all of them ssl_odd_all.
var odd = map[string]struct{ file, text string }{
	"nginx": {"nginx.conf", `events {}
http {
  ssl_odd_all on;
  server {
    listen 443 ssl default_server;
    server_name a.example;
    ssl_certificate c; ssl_certificate_key k;
    location / {
      root /srv;
      ssl_odd_a on;
    }
  }
  server {
    listen 443 ssl;
    server_name b.example;
    ssl_certificate c; ssl_certificate_key k;
    include b.inc;
    location / {
      proxy_pass https://10.0.0.1;
    }
    ssl_odd_b on;
  }
}
`},
	"haproxy": {"haproxy.cfg", `global
  ssl-odd-all on
frontend f
  bind :443 ssl crt a.pem ssl_odd_a name a.example
frontend g
  bind :8443 ssl crt b.pem ssl_odd_b name b.example
`},
	"apache": {"httpd.conf", `Listen 443
SSL_odd_all on
<VirtualHost *:443>
  ServerName a.example
  SSLEngine on
  SSLCertificateFile c
  <Location /x>
    SSL_odd_a on
  </Location>
</VirtualHost>
<VirtualHost *:443>
  ServerName b.example
  SSLEngine on
  SSLCertificateFile c
  <Location /y>
    ProxyPass https://10.0.0.1/
  </Location>
  SSL_odd_b on
</VirtualHost>
`},
	"kubernetes": {"ingress.yaml", `apiVersion: v1
kind: ConfigMap
metadata: {name: ingress-nginx-controller, namespace: ingress-nginx}
data:
  ssl-odd-all: "on"
---
apiVersion: networking.k8s.io/v1
kind: Ingress
spec:
  tls: [{hosts: [a.example]}]
  rules: [{host: a.example}]
  ingressClassName: nginx
metadata:
  name: a
  annotations:
    nginx.ingress.kubernetes.io/ssl_odd_a: "on"
---
apiVersion: networking.k8s.io/v1
kind: Ingress
spec:
  tls: [{hosts: [b.example]}]
  rules: [{host: b.example}]
  ingressClassName: nginx
metadata:
  name: b
  annotations:
    nginx.ingress.kubernetes.io/ssl_odd_b: "on"
`},
}

// Whoever asks for one endpoint is told what was not understood of that one and of what is everybody's, wherever in its block it stands, and
// nothing of its neighbours.
func TestProblemsBehindTheLastSettingAreTheBlocks(t *testing.T) {
	for kind, o := range odd {
		t.Run(kind, func(t *testing.T) {
			conf := write(t, o.file, o.text)
			result, err := importer.Import(importertest.Files{}, conf, kind, imported.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, own := range []string{"a", "b"} {
				at := slices.IndexFunc(result.Endpoints, func(e *imported.Endpoint) bool {
					return e.Side == imported.Server && strings.Contains(e.Name, own+".example")
				})
				if at < 0 {
					t.Fatalf("no %s.example among %d endpoints; %+v", own, len(result.Endpoints), result.Problems)
				}
				l, err := importer.Load(importertest.Files{}, conf+"#kind="+kind+"&endpoint="+result.Endpoints[at].Name)
				if err != nil {
					t.Fatal(err)
				}
				for _, word := range []string{"a", "b", "all"} {
					told := slices.ContainsFunc(l.Problems, func(p imported.Problem) bool {
						text := strings.ReplaceAll(strings.ToLower(p.Text), "-", "_")
						return strings.Contains(text+" ", "ssl_odd_"+word+" ") || strings.Contains(text, "ssl_odd_"+word+`"`) || strings.Contains(text, "ssl_odd_"+word+`:`)
					})
					if want := word == own || word == "all"; told != want {
						t.Errorf("%s.example: ssl_odd_%s is told: %t, want %t; %+v", own, word, told, want, l.Problems)
					}
				}
			}
		})
	}
}
