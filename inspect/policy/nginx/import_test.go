package nginx_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/policy/nginx"
	"github.com/tlstriage/tlstriage/inspect/spenttest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// tree is a file system of these files and a few certificates.
func tree(t testing.TB, texts map[string]string) fstest.MapFS {
	t.Helper()
	return importertest.Tree(t, texts, map[string]string{"rsa.crt": "rsa localhost", "small.crt": "rsa1024 localhost", "ec384.crt": "ec384 localhost"})
}

func importText(t testing.TB, text, version string) *imported.Result {
	t.Helper()
	r, err := nginx.Import(tree(t, map[string]string{"nginx.conf": text}), "nginx.conf", imported.Options{Version: version})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestWhatIsNotJudgedIsTold: each line of a configuration that the policy cannot follow is a problem at its line.
func TestWhatIsNotJudgedIsTold(t *testing.T) {
	tests := []struct {
		name, text, version string
		want                []string // a beginning each; in order
	}{
		{"nothing", "http {\n server { listen 443 ssl; ssl_certificate rsa.crt; }\n}", "", nil},
		{"an unknown directive", "http { server { listen 443 ssl; ssl_certificate rsa.crt;\n ssl_cipher HIGH; } }", "", []string{"nginx.conf:2: ssl_cipher is no directive of nginx, which refuses it; ssl_ciphers is the nearest name"}},
		{"a directive of a module", "http { server { listen 443 ssl; ssl_certificate rsa.crt;\n ssl_dyn_rec_enable on; } }", "", []string{"nginx.conf:2: ssl_dyn_rec_enable is not judged"}},
		{"TLS that is passed on", "stream {\n server { listen 8445; ssl_preread on; proxy_pass 10.0.0.1:443; } }", "", []string{"nginx.conf:2: the server passes TLS on without ending it"}},
		{"a directive that decides in code", "http { server { listen 443 ssl; ssl_certificate rsa.crt;\n ssl_certificate_by_lua_block { ngx.say('}') } } }", "",
			[]string{"nginx.conf:2: ssl_certificate_by_lua_block is not judged"}},
		{"an include that lacks", "http {\n include mime.types;\n include more/*.conf; }", "",
			[]string{"nginx.conf:2: include mime.types: mime.types: file does not exist", "nginx.conf:3: include more/*.conf: no file matches"}},
		{"a certificate of a variable", "http { server { listen 443 ssl;\n ssl_certificate $ssl_server_name.crt; } }", "", []string{"nginx.conf:2: ssl_certificate $ssl_server_name.crt: the certificate depends on a variable"}},
		{"a certificate that lacks", "http { server { listen 443 ssl;\n\n ssl_certificate nowhere.crt; } }", "", []string{"nginx.conf:3: ssl_certificate nowhere.crt: file does not exist; its kind is not known"}},
		{"a small key", "http { server { listen 443 ssl;\n ssl_certificate small.crt; } }", "", []string{"nginx.conf:2: the RSA key of 1024 bits is too small for security level 2"}},
		{"a cipher string that OpenSSL refuses", "http { server { listen 443 ssl; ssl_certificate rsa.crt;\n ssl_ciphers FOO; } }", "", []string{`nginx.conf:2: openssl: cipher string "FOO": no cipher match`}},
		{"groups that OpenSSL refuses", "http { server { listen 443 ssl; ssl_certificate rsa.crt;\n ssl_ecdh_curve nocurve; } }", "", []string{`nginx.conf:2: openssl: groups "nocurve"`}},
		{"a protocol that nginx refuses", "http { server { listen 443 ssl; ssl_certificate rsa.crt;\n ssl_protocols TLSv1.2 TLS1.3; } }", "", []string{`nginx.conf:2: ssl_protocols: "TLS1.3" is no protocol`}},
		{"a command that OpenSSL refuses", "http { server { listen 443 ssl; ssl_certificate rsa.crt;\n ssl_conf_command MinimumProtocol TLSv1.2;\n ssl_conf_command Options NoSuch; } }", "",
			[]string{"nginx.conf:2: ssl_conf_command MinimumProtocol TLSv1.2: OpenSSL has no such command", "nginx.conf:3: ssl_conf_command Options NoSuch: OpenSSL refuses this value"}},
		{"a directive of a later version", "http { server { listen 443 ssl; ssl_certificate rsa.crt;\n http2 on; } }", "1.24", []string{"nginx.conf:2: http2: nginx 1.24 has no such directive"}},
		{"HTTP/3", "http { server { listen 443 ssl; ssl_certificate rsa.crt;\n listen 443 quic; } }", "", []string{"nginx.conf:2: listen 443 quic: HTTP/3 is not judged"}},
		{"a directive twice", "http { server { listen 443 ssl; ssl_certificate rsa.crt;\n ssl_ciphers HIGH;\n ssl_ciphers LOW; } }", "", []string{"nginx.conf:3: ssl_ciphers is there twice in one block, first in line 2"}},
		{"names that are patterns", "http { server { listen 443 ssl; ssl_certificate rsa.crt; }\n server { listen 443 ssl; ssl_certificate rsa.crt; server_name\n ~^www\\d+\\.x$; } }", "",
			[]string{`nginx.conf:2: server_name ~^www\d+\.x$: a policy cannot say such names`}},
		{"mail", "mail { server { listen 993 ssl; } }", "", []string{"nginx.conf:1: mail: servers of the mail module are not judged"}},
		{"an upstream of a variable", "http { server { listen 80; location / {\n proxy_pass $where; } } }", "", []string{"nginx.conf:2: proxy_pass $where: whether and where TLS is spoken depends on a variable"}},
		{"two defaults", "http { server { listen 443 ssl default_server; ssl_certificate rsa.crt; }\n server { listen 443 ssl default_server; ssl_certificate rsa.crt; } }", "", []string{"nginx.conf:2: listen 443: a second default server"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := importertest.Problems(importText(t, test.text, test.version))
			if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
				t.Errorf("problems %q\nwant %q", got, test.want)
			}
		})
	}
}

// TestWhatCannotBeReadIsAnError with its file and line.
func TestWhatCannotBeReadIsAnError(t *testing.T) {
	tests := []struct{ name, text, version, want string }{
		{"no end of a block", "http {\n server {\n }\n", "", `nginx.conf:3: unexpected end of file, expecting "}"`},
		{"no semicolon", "http {\n server {\n  listen 443 ssl\n }\n}", "", `nginx.conf:4: directive "listen" is not terminated by ";"`},
		{"too many ends", "http {\n}\n}\n", "", `nginx.conf:3: unexpected "}"`},
		{"a file that includes itself", "http {\n include nginx.conf;\n}", "", "nginx.conf:2: include nginx.conf: the file includes itself"},
		{"a broken include", "http {\n include part.conf;\n}", "", `part.conf:1: unexpected end of file, expecting "}"`},
		{"deep blocks", strings.Repeat("a {", 200), "", "nginx.conf:1: blocks are nested deeper than 100"},
		{"an unknown version", "http {}", "stable", `nginx.conf: "stable" is no version of nginx`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fsys := tree(t, map[string]string{"nginx.conf": test.text, "part.conf": "server {\n"})
			_, err := nginx.Import(fsys, "nginx.conf", imported.Options{Version: test.version})
			var typed *imported.Error
			if !errors.As(err, &typed) || err.Error() != test.want {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
	if _, err := nginx.Import(fstest.MapFS{}, "etc/nginx.conf", imported.Options{}); err == nil || err.Error() != "etc/nginx.conf: file does not exist" {
		t.Errorf("error %v for a file that is not there", err)
	}
	large := fstest.MapFS{"nginx.conf": {Data: make([]byte, nginx.MaxFileBytes+1)}}
	if _, err := nginx.Import(large, "nginx.conf", imported.Options{}); err == nil {
		t.Error("a file above the bound is read")
	}
}

// TestDefaultsFollowTheVersion of nginx, and say where they are from.
func TestDefaultsFollowTheVersion(t *testing.T) {
	tests := []struct {
		version  string
		versions string
		alpn     string
		required bool
	}{
		{"1.18.0", "[TLSv1.0 TLSv1.1 TLSv1.2]", "[h2 http/1.1]", false},
		{"1.20", "[TLSv1.0 TLSv1.1 TLSv1.2]", "[h2 http/1.1]", false},
		{"nginx/1.22.1", "[TLSv1.0 TLSv1.1 TLSv1.2]", "[h2 http/1.1 http/1.0 http/0.9]", true},
		{"1.23.4", "[TLSv1.0 TLSv1.1 TLSv1.2 TLSv1.3]", "[h2 http/1.1 http/1.0 http/0.9]", true},
		{"1.26", "[TLSv1.0 TLSv1.1 TLSv1.2 TLSv1.3]", "[h2 http/1.1 http/1.0 http/0.9]", true},
		{"1.27.2", "[TLSv1.0 TLSv1.1 TLSv1.2 TLSv1.3]", "[h2 http/1.1 http/1.0 http/0.9]", true},
		{"1.27.3", "[TLSv1.2 TLSv1.3]", "[h2 http/1.1 http/1.0 http/0.9]", true},
		{"", "[TLSv1.2 TLSv1.3]", "[h2 http/1.1 http/1.0 http/0.9]", true},
	}
	for _, test := range tests {
		t.Run(test.version, func(t *testing.T) {
			r := importText(t, "http { server { listen 443 ssl http2; ssl_certificate rsa.crt; ssl_ciphers ALL:@SECLEVEL=0; } }", test.version)
			if len(r.Endpoints) != 1 {
				t.Fatalf("%d endpoints", len(r.Endpoints))
			}
			e := r.Endpoints[0]
			if got := fmt.Sprint(e.Policy.Versions); got != test.versions {
				t.Errorf("versions %s, want %s", got, test.versions)
			}
			if got := fmt.Sprint(e.Policy.ALPN); got != test.alpn || e.Policy.ALPNRequired != test.required {
				t.Errorf("ALPN %s, required %t", got, e.Policy.ALPNRequired)
			}
			for _, f := range e.Facts {
				if f.Default && (f.Source == "" || f.Line != 0) || !f.Default && f.File == "" {
					t.Errorf("fact %+v", f)
				}
			}
		})
	}
}

// TestDirectivesAreInherited from http, and replaced as a whole in the server.
func TestDirectivesAreInherited(t *testing.T) {
	r := importText(t, `http {
  ssl_certificate rsa.crt;
  ssl_protocols TLSv1.2;
  ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
  server { listen 443 ssl; server_name a; }
  server { listen 8443 ssl; server_name b; ssl_protocols TLSv1.3; ssl_certificate ec384.crt; ssl_verify_client optional_no_ca; }
}`, "")
	a, b := nginx.Select(r, "a", "443"), nginx.Select(r, "b", "8443")
	if a == nil || b == nil || len(r.Problems) != 0 {
		t.Fatalf("%v %v %q", a, b, importertest.Problems(r))
	}
	if !slices.Equal(a.Policy.Versions, []wire.Version{wire.VersionTLS12}) || !slices.Equal(a.Policy.Certificates, []policy.CertificateType{policy.CertRSA}) {
		t.Errorf("a: %v %v", a.Policy.Versions, a.Policy.Certificates)
	}
	if !slices.Equal(b.Policy.Versions, []wire.Version{wire.VersionTLS13}) || !slices.Equal(b.Policy.Certificates, []policy.CertificateType{policy.CertECDSAP384}) ||
		!slices.Equal(b.Policy.CipherSuites, []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256}) || b.Policy.ClientAuth != policy.ClientAuthRequest {
		t.Errorf("b: %v %v %v %v", b.Policy.Versions, b.Policy.Certificates, b.Policy.CipherSuites, b.Policy.ClientAuth)
	}
	want := imported.Fact{File: "nginx.conf", Line: 3, Setting: "ssl_protocols", Value: "TLSv1.2"}
	if !slices.Contains(a.Facts, want) {
		t.Errorf("facts of a: %+v", a.Facts)
	}
}

// TestNewerVersionsTakeProtocolsOfTheNamedServer, older ones those of the default server.
func TestNewerVersionsTakeProtocolsOfTheNamedServer(t *testing.T) {
	const text = `http { ssl_certificate rsa.crt;
  server { listen 443 ssl; server_name a; ssl_protocols TLSv1.2; }
  server { listen 443 ssl; server_name b;
    ssl_protocols TLSv1.3; }
}`
	for version, want := range map[string]wire.Version{"1.29.1": wire.VersionTLS12, "1.29.2": wire.VersionTLS13} {
		r := importText(t, text, version)
		if b := nginx.Select(r, "b", "443"); b == nil || !slices.Equal(b.Policy.Versions, []wire.Version{want}) {
			t.Errorf("%s: %+v", version, b)
		}
		if told := len(r.Problems) == 1 && r.Problems[0].Line == 4; told != (version == "1.29.1") {
			t.Errorf("%s: problems %q", version, importertest.Problems(r))
		}
	}
}

// TestSelectFollowsNginx: exact, the longest wildcard, the longest trailing one, the first expression, the default.
func TestSelectFollowsNginx(t *testing.T) {
	r := importText(t, `http { ssl_certificate rsa.crt;
  server { listen 443 ssl; server_name ~^regex\d+\.example\.com$; }
  server { listen 443 ssl; server_name *.example.com; }
  server { listen 443 ssl; server_name *.deep.example.com; }
  server { listen 443 ssl; server_name www.example.*; }
  server { listen 443 ssl; server_name .dot.example; }
  server { listen 443 ssl; server_name WWW.Example.com; }
  server { listen 443 ssl default_server; server_name _; }
  server { listen 443 ssl; server_name ~^only\d+\.regex$ "~*^second"; }
  server { listen [::]:8443 ssl; listen 127.0.0.1:9000-9002 ssl; server_name six; }
}`, "")
	tests := []struct{ name, listen, want string }{
		{"www.example.com", "443", "WWW.Example.com"},
		{"a.example.com", "443", "*.example.com"},
		{"a.b.example.com", "*:443", "*.example.com"},
		{"regex1.example.com", "443", "*.example.com"},
		{"a.deep.example.com", "443", "*.deep.example.com"},
		{"deep.example.com", "443", "*.example.com"},
		{"www.example.org", "443", "www.example.*"},
		{"dot.example", "443", ".dot.example"},
		{"a.dot.example", "0.0.0.0:443", ".dot.example"},
		{"only7.regex", "443", `~^only\d+\.regex$`},
		{"nothing.test", "443", "nginx.conf:8"},
		{"", "443", "nginx.conf:8"},
		{"www.example.com.", "", "WWW.Example.com"},
		{"anything", "[::]:8443", "six"},
		{"anything", "[0::0]:8443", "six"},
		{"anything", "127.0.0.1:9001", "six"},
		{"anything", "127.0.0.1:9003", ""},
		{"nothing.test", "", ""},
	}
	for _, test := range tests {
		got := ""
		if e := nginx.Select(r, test.name, test.listen); e != nil {
			got = e.Name
		}
		if got != test.want {
			t.Errorf("Select(%q, %q) is %q, want %q", test.name, test.listen, got, test.want)
		}
	}
}

// TestUpstreamsAreClients with the settings of their location.
func TestUpstreamsAreClients(t *testing.T) {
	r := importText(t, `http {
  proxy_ssl_protocols TLSv1.2;
  server { listen 80;
    location /a { proxy_pass https://backend.example:8443/x; proxy_ssl_server_name on; proxy_ssl_ciphers ECDHE+AESGCM; }
    location /b { proxy_pass https://10.0.0.1; proxy_ssl_server_name on; proxy_ssl_name inner.example; proxy_ssl_certificate rsa.crt; proxy_ssl_protocols TLSv1.3;
      if ($x) { proxy_pass https://if.example; } }
    location /c { grpc_pass grpcs://grpc.example:50051; }
    location /d { proxy_pass http://plain.example; }
  }
}
stream { server { listen 9000; proxy_pass tls.example:993; proxy_ssl on; proxy_ssl_server_name on; } }`, "1.26")
	type client struct {
		target, sent, versions, alpn string
		certificates                 int
	}
	want := []client{
		{"backend.example:8443", "[backend.example]", "[TLSv1.2]", "[]", 0},
		{"10.0.0.1", "[inner.example]", "[TLSv1.3]", "[]", 1},
		{"if.example", "[inner.example]", "[TLSv1.3]", "[]", 1},
		{"grpc.example:50051", "[]", "[TLSv1.2 TLSv1.3]", "[h2]", 0},
		{"tls.example:993", "[tls.example]", "[TLSv1.2 TLSv1.3]", "[]", 0},
	}
	var got []client
	for _, e := range r.Endpoints {
		if e.Side != imported.Client {
			t.Errorf("a %s endpoint %s", e.Side, e.Name)
		}
		got = append(got, client{e.Name, fmt.Sprint(e.Policy.Names), fmt.Sprint(e.Policy.Versions), fmt.Sprint(e.Policy.ALPN), len(e.Policy.Certificates)})
	}
	if !slices.Equal(got, want) {
		t.Errorf("clients %+v\nwant %+v", got, want)
	}
	if len(r.Problems) != 0 {
		t.Errorf("problems %q", importertest.Problems(r))
	}
}

// TestIncludesKeepTheirPlaces: facts and problems name the file that has the line.
func TestIncludesKeepTheirPlaces(t *testing.T) {
	fsys := tree(t, map[string]string{
		"etc/nginx.conf":   "http { include tls.conf; include sites/*; }",
		"etc/tls.conf":     "ssl_protocols TLSv1.3;\nssl_certificate ../rsa.crt;\n",
		"etc/sites/a.conf": "server { listen 443 ssl;\n server_name a; }",
		"etc/sites/b.conf": "server { listen 443 ssl;\n server_name b;\n ssl_foo on; }",
	})
	r, err := nginx.Import(fsys, "etc/nginx.conf", imported.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := importertest.Problems(r); !slices.Equal(got, []string{"etc/sites/b.conf:3: ssl_foo is not judged: what it does to a handshake is not in the policy"}) {
		t.Errorf("problems %q", got)
	}
	b := nginx.Select(r, "b", "443")
	for _, want := range []imported.Fact{
		{File: "etc/sites/b.conf", Line: 2, Setting: "server_name", Value: "b"},
		{File: "etc/tls.conf", Line: 1, Setting: "ssl_protocols", Value: "TLSv1.3"},
		{File: "etc/tls.conf", Line: 2, Setting: "certificate", Value: "rsa.crt (rsa, 2048 bits)"},
	} {
		if b == nil || !slices.Contains(b.Facts, want) {
			t.Errorf("no fact %+v in %+v", want, b)
		}
	}
}

// TestWorkIsBounded whatever a file of the largest size holds. Each is read in a fraction of the processor time that is allowed here.
func TestWorkIsBounded(t *testing.T) {
	for name, text := range map[string]string{
		"servers":         "http { ssl_certificate rsa.crt; " + strings.Repeat("server { listen 1 ssl; }", 40_000) + "}",
		"sockets":         "http { ssl_certificate rsa.crt; " + strings.Repeat("server { listen 1-999 ssl; }", 35_000) + "}",
		"listens":         "http { ssl_certificate rsa.crt; server {" + strings.Repeat("listen 1 ssl;", 75_000) + "} }",
		"upstreams":       "http { server { " + strings.Repeat("proxy_pass https://a;", 45_000) + "} }",
		"other upstreams": "http { server { " + strings.Repeat("location / { proxy_ssl_name a; proxy_pass https://a; }", 18_000) + "} }",
		"arguments":       "http { server { ssl_protocols " + strings.Repeat("a ", 500_000) + "; } }",
		"expressions":     "http { ssl_certificate rsa.crt; " + strings.Repeat("server { listen 1 ssl; server_name ~(a*)*b; }", 20_000) + "}",
	} {
		t.Run(name, func(t *testing.T) {
			if len(text) > nginx.MaxFileBytes {
				t.Fatalf("%d bytes", len(text))
			}
			fsys := tree(t, map[string]string{"nginx.conf": text})
			var r *imported.Result
			var err error
			if took := spenttest.On(t, func() { r, err = nginx.Import(fsys, "nginx.conf", imported.Options{}) }); took > 20*time.Second {
				t.Errorf("%v of processor time", took)
			} else {
				t.Log(took)
			}
			if err == nil {
				nginx.Select(r, strings.Repeat("a", 200), "1")
			}
		})
	}
}

func TestDetect(t *testing.T) {
	tests := []struct {
		name, head string
		want       bool
	}{
		{"nginx.conf", "", true},
		{"site", "server {\n  listen 443 ssl;\n  server_name x;\n}", true},
		{"x.conf", "user www;\nworker_processes 4;\nevents {}\n", true},
		{"haproxy.cfg", "global\n  daemon\nfrontend f\n  bind :443 ssl crt x\n", false},
		{"httpd.conf", "ServerRoot /etc\n<VirtualHost *:443>\n SSLEngine on\n</VirtualHost>", false},
		{"x.json", `{"listen": "server { listen 443; }"}`, false},
		{"x.yaml", "server:\n  listen: 443\n", false},
	}
	for _, test := range tests {
		if got := nginx.Detect(test.name, []byte(test.head)); got != test.want {
			t.Errorf("Detect(%s) is %t", test.name, got)
		}
	}
}

func FuzzImport(f *testing.F) {
	for _, seed := range []string{
		"http { server { listen 443 ssl http2 default_server; server_name a *.b ~c; ssl_certificate rsa.crt; ssl_protocols TLSv1.2; ssl_ciphers HIGH:!aNULL; } }",
		"http { include *.conf; server { listen [::]:1-9 ssl; ssl_conf_command Options -ServerPreference,PrioritizeChaCha; location / { proxy_pass https://x:1/y; proxy_ssl_name $z; } } }",
		"stream { server { listen unix:/x ssl; ssl_alpn h2; proxy_ssl on; proxy_pass a:1; } }",
		"http { server { content_by_lua_block { x = '}' } set_by_lua_block $a { } } }", "a '\\\"' \"b\" ${c} #d\n;", "ssl_certificate data:-----BEGIN;",
	} {
		f.Add(seed, "1.22.1")
	}
	f.Fuzz(func(t *testing.T, text, version string) {
		fsys := fstest.MapFS{"nginx.conf": {Data: []byte(text)}, "rsa.crt": {Data: []byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n")}}
		nginx.Detect("x", []byte(text))
		r, err := nginx.Import(fsys, "nginx.conf", imported.Options{Version: version})
		if err != nil {
			var typed *imported.Error
			if !errors.As(err, &typed) || typed.File == "" {
				t.Fatalf("error %v", err)
			}
			return
		}
		nginx.Select(r, "a.b", "443")
		for _, e := range r.Endpoints {
			if e.Policy == nil || len(e.Listen) == 0 || len(e.Facts) == 0 {
				t.Fatalf("endpoint %+v", e)
			}
		}
	})
}

func BenchmarkImport(b *testing.B) {
	var text strings.Builder
	text.WriteString("http { ssl_certificate rsa.crt; ssl_protocols TLSv1.2 TLSv1.3;\n")
	for i := range 100 {
		fmt.Fprintf(&text, "server { listen 443 ssl; listen [::]:443 ssl; http2 on; server_name s%d.example;\n location / { proxy_pass http://b; } }\n", i)
	}
	text.WriteString("}")
	fsys := tree(b, map[string]string{"nginx.conf": text.String()})
	for b.Loop() {
		if r, err := nginx.Import(fsys, "nginx.conf", imported.Options{}); err != nil || len(r.Endpoints) != 100 {
			b.Fatal(err, r)
		}
	}
}
