package apache_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/apache"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/spenttest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// tree is a file system of these files and the certificates rsa.crt and ec.crt.
func tree(t testing.TB, texts map[string]string) fstest.MapFS {
	t.Helper()
	return importertest.Tree(t, texts, map[string]string{"rsa.crt": "rsa localhost", "ec.crt": "ec localhost"})
}

func importText(t testing.TB, text, version string) *imported.Result {
	t.Helper()
	r, err := apache.Import(tree(t, map[string]string{"httpd.conf": text}), "httpd.conf", imported.Options{Version: version})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// host is a virtual host that speaks TLS; inside stands in its third line.
func host(inside string) string {
	return "<VirtualHost *:443>\nSSLEngine on\n" + inside + "\nSSLCertificateFile rsa.crt\n</VirtualHost>\n"
}

// TestWhatIsNotJudgedIsTold: each line of a configuration that the policy cannot follow is a problem at its line.
func TestWhatIsNotJudgedIsTold(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string // a beginning each; in order
	}{
		{"nothing", "Listen 443\nSSLSessionCache none\n" + host("SSLUseStapling on"), nil},
		{"an unknown directive", host("SSLCiphers HIGH"), []string{"httpd.conf:3: SSLCiphers is not judged"}},
		{"a protocol that replaces", host("SSLProtocol TLSv1.2 TLSv1.3"), []string{"httpd.conf:3: SSLProtocol: TLSv1.3, without a + before it, replaces what stands left of it"}},
		{"a hole", host("SSLProtocol all -TLSv1.2"), []string{"httpd.conf:3: SSLProtocol: TLSv1.1 and what is below are off, for TLSv1.2 between them is"}},
		{"an unknown protocol", host("SSLProtocol -all +TLSv1.2 +TLS13"), []string{`httpd.conf:3: SSLProtocol: "+TLS13" is no protocol`}},
		{"no protocol", host("SSLProtocol -all"), []string{"httpd.conf:1: SSLProtocol: no protocol is left"}},
		{"a cipher string that OpenSSL refuses", host("SSLCipherSuite [HIGH]"), []string{"httpd.conf:3: openssl: cipher string"}},
		{"a command that OpenSSL refuses", host("SSLOpenSSLConfCmd Minimum TLSv1.2"), []string{"httpd.conf:3: SSLOpenSSLConfCmd Minimum TLSv1.2: OpenSSL has no such command"}},
		{"a directory", host("<Directory /x>\nSSLVerifyClient require\n</Directory>"), []string{"httpd.conf:4: SSLVerifyClient inside <Directory> is not judged"}},
		{"a module", host("<IfModule mod_foo.c>\nSSLHonorCipherOrder on\n</IfModule>"), []string{"httpd.conf:3: <IfModule mod_foo.c>: whether mod_foo.c is loaded is not known here; taken as true"}},
		{"a module without TLS in it", host("<IfModule mod_foo.c>\nFoo on\n</IfModule>"), nil},
		{"a name of the command line", host("<IfDefine HARD>\nSSLProtocol TLSv1.3\n</IfDefine>"), []string{"httpd.conf:3: <IfDefine HARD>: whether HARD is defined on the command line is not known here; taken as false"}},
		{"a variable", host("SSLCipherSuite ${CIPHERS}:HIGH"), []string{"httpd.conf:3: variable ${CIPHERS} is not defined here", "httpd.conf:3: openssl: cipher string"}},
		{"an include that lacks", host("Include more.conf\nIncludeOptional sites/*.conf"), []string{"httpd.conf:3: Include more.conf: the file cannot be read here", "httpd.conf:4: IncludeOptional sites/*.conf: no file matches"}},
		{"a macro", "<Macro x>\nSSLEngine on\n</Macro>\nUse x\n", []string{"httpd.conf:1: <Macro x>: macros are not expanded", "httpd.conf:4: Use x: macros are not expanded"}},
		{"a certificate that lacks", host("SSLCertificateFile nowhere.crt"), []string{"httpd.conf:3: SSLCertificateFile nowhere.crt: file does not exist; its kind is not known"}},
		{"an upgrade", "<VirtualHost *:80>\nSSLEngine optional\n</VirtualHost>\n", []string{"httpd.conf:2: SSLEngine optional: TLS after an upgrade inside HTTP is not judged"}},
		{"names that are patterns", host("ServerName a") + host("ServerAlias a*b"), []string{"httpd.conf:8: ServerAlias a*b: a policy cannot say such names"}},
		{"a backend without TLS", "ProxyPass / https://b.example/\n", []string{"httpd.conf:1: ProxyPass to https://b.example without SSLProxyEngine on"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := importertest.Problems(importText(t, test.text, ""))
			if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
				t.Errorf("problems %q\nwant %q", got, test.want)
			}
		})
	}
}

// TestWhatCannotBeReadIsAnError with its file and line.
func TestWhatCannotBeReadIsAnError(t *testing.T) {
	tests := []struct{ name, text, version, want string }{
		{"an open section", "Listen 443\n<VirtualHost *:443>\nSSLEngine on\n", "", "httpd.conf:2: <VirtualHost> is not closed"},
		{"another end", "<VirtualHost *:443>\n</Directory>\n", "", "httpd.conf:2: </Directory> closes <VirtualHost>"},
		{"an end without a beginning", "\n</IfModule>\n", "", "httpd.conf:2: </IfModule> closes <>"},
		{"a section's line that is cut", "<VirtualHost *:443\n", "", "httpd.conf:1: the section's first line does not end in >"},
		{"a file that includes itself", "\nInclude httpd.conf\n", "", "httpd.conf:2: Include httpd.conf: the file includes itself"},
		{"deep sections", strings.Repeat("<IfModule a>\n", 100), "", "httpd.conf:65: sections are nested deeper than 64"},
		{"no text", "Listen\x00\n", "", "httpd.conf:1: a NUL byte in the line: this is no configuration"},
		{"an unknown version", "", "new", `httpd.conf: "new" is no version of Apache httpd`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := apache.Import(fstest.MapFS{"httpd.conf": {Data: []byte(test.text)}}, "httpd.conf", imported.Options{Version: test.version})
			var typed *imported.Error
			if !errors.As(err, &typed) || err.Error() != test.want {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

// TestSettingsOfAHost are its own, those of the main server, or the defaults with their source.
func TestSettingsOfAHost(t *testing.T) {
	tests := []struct {
		name, text string
		want       string
	}{
		{"defaults", host(""), "[TLSv1.2 TLSv1.3] client none [http/1.1] dhe true"},
		{"all but the old", host("SSLProtocol all -SSLv3 -TLSv1 -TLSv1.1"), "[TLSv1.2 TLSv1.3] client none [http/1.1] dhe true"},
		{"security level 0", host("SSLCipherSuite ALL:@SECLEVEL=0"), "[TLSv1.0 TLSv1.1 TLSv1.2 TLSv1.3] client none [http/1.1] dhe true"},
		{"inherited", "SSLProtocol +TLSv1.2\nSSLHonorCipherOrder on\nProtocols h2 h2c http/1.1\n" + host("SSLVerifyClient require"), "[TLSv1.2] server require [h2 http/1.1] dhe true"},
		{"own before inherited", "SSLProtocol TLSv1.2\n" + host("SSLProtocol TLSv1.3\nSSLVerifyClient optional"), "[TLSv1.3] client request [http/1.1] dhe true"},
		{"commands", "SSLOpenSSLConfCmd MinProtocol TLSv1.2\n" + host("SSLOpenSSLConfCmd Options ServerPreference,PrioritizeChaCha"), "[TLSv1.2 TLSv1.3] server-chacha none [http/1.1] dhe true"},
		{"continued, quoted and defined", "Define V TLSv1.3\n" + host("SSLProtocol \\\n  \"-all\" +${V}"), "[TLSv1.3] client none [http/1.1] dhe true"},
		{"conditions", "Define HARD\n" + host("<IfDefine HARD>\nSSLProtocol TLSv1.3\n</IfDefine>\n<IfVersion < 2.4>\nSSLProtocol TLSv1\n</IfVersion>\n<IfModule !mod_ssl.c>\nSSLEngine off\n</IfModule>"), "[TLSv1.3] client none [http/1.1] dhe true"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := importText(t, test.text, "")
			if len(r.Endpoints) != 1 || len(r.Problems) != 0 {
				t.Fatalf("%d endpoints, problems %q", len(r.Endpoints), importertest.Problems(r))
			}
			p := r.Endpoints[0].Policy
			if got := fmt.Sprintf("%v %v %s %v dhe %t", p.Versions, p.Preference, p.ClientAuth, p.ALPN, !p.NoDHParameters); got != test.want {
				t.Errorf("%s\nwant %s", got, test.want)
			}
			for _, f := range r.Endpoints[0].Facts {
				if f.Default && (f.Source == "" || f.Line != 0) || !f.Default && f.File == "" {
					t.Errorf("fact %+v", f)
				}
			}
		})
	}
}

// TestTheMainServerListens where no virtual host does.
func TestTheMainServerListens(t *testing.T) {
	const text = "Listen 10.0.0.1:443\nListen 8443\nSSLEngine on\nSSLCertificateFile rsa.crt\n"
	if r := importText(t, text, ""); len(r.Endpoints) != 1 || !slices.Equal(r.Endpoints[0].Listen, []string{"10.0.0.1:443", "*:8443"}) {
		t.Errorf("endpoints %+v", r.Endpoints)
	}
	r := importText(t, text+"<VirtualHost *:8443>\nServerName v\n</VirtualHost>\n", "")
	if e := apache.Select(r, "", "8443"); e == nil || e.Name != "v" || len(r.Endpoints) != 2 {
		t.Errorf("endpoints %+v", r.Endpoints)
	}
}

// TestSuitesOfTLS13HaveAFormOfTheirOwn beside the cipher string, to which mod_ssl adds its own words.
func TestSuitesOfTLS13HaveAFormOfTheirOwn(t *testing.T) {
	r := importText(t, host("SSLCipherSuite TLSv1.3 TLS_AES_128_GCM_SHA256\nSSLCipherSuite SSL ECDHE-RSA-AES128-GCM-SHA256:aNULL"), "")
	want := []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	if got := r.Endpoints[0].Policy.CipherSuites; !slices.Equal(got, want) || len(r.Problems) != 0 {
		t.Errorf("suites %v, problems %q", got, importertest.Problems(r))
	}
}

// TestHostsOfAnAddress: the first is the default, and older versions take the protocols from it.
func TestHostsOfAnAddress(t *testing.T) {
	text := "SSLCertificateFile rsa.crt\nSSLEngine on\n" +
		"<VirtualHost *:443 [::]:443>\nServerName https://one.example:443\nSSLProtocol TLSv1.2\n</VirtualHost>\n" +
		"<VirtualHost _default_:443>\nServerName two.example\nServerAlias *.two.example w?w.test\nSSLProtocol TLSv1.3\nSSLCertificateFile ec.crt\n</VirtualHost>\n" +
		"<VirtualHost 10.0.0.1:8443>\nServerName three.example\nSSLEngine off\n</VirtualHost>\n"
	for version, want := range map[string]wire.Version{"2.4.41": wire.VersionTLS12, "2.4.42": wire.VersionTLS13} {
		r := importText(t, text, version)
		two := apache.Select(r, "a.b.two.example", "443")
		if two == nil || two.Name != "two.example" || !slices.Equal(two.Policy.Versions, []wire.Version{want}) {
			t.Errorf("%s: %+v", version, two)
			continue
		}
		if !slices.Equal(two.Policy.Certificates, []policy.CertificateType{policy.CertRSA, policy.CertECDSAP256}) {
			t.Errorf("certificates %v", two.Policy.Certificates)
		}
		if e := apache.Select(r, "www.test", "*:443"); e != two {
			t.Errorf("w?w.test: %+v", e)
		}
		for _, name := range []string{"", "one.example", "other.example"} {
			if e := apache.Select(r, name, "10.1.2.3:443"); e == nil || e.Name != "one.example" || !e.Default {
				t.Errorf("%q: %+v", name, e)
			}
		}
		if e := apache.Select(r, "three.example", "8443"); e != nil {
			t.Errorf("a host without TLS: %+v", e)
		}
	}
}

// TestBackendsAreClients with the settings of their section.
func TestBackendsAreClients(t *testing.T) {
	r := importText(t, `SSLProxyEngine on
SSLProxyProtocol TLSv1.2
<VirtualHost *:80>
  ProxyPass /a https://one.example:8443/x retry=0
  <Location /b>
    ProxyPass h2://two.example/
    SSLProxyProtocol TLSv1.3
  </Location>
  <Proxy balancer://c>
    BalancerMember https://10.0.0.1
    SSLProxyMachineCertificateFile ec.crt
  </Proxy>
  ProxyPass /d http://plain.example
</VirtualHost>
`, "")
	want := []string{
		"client one.example:8443 [one.example][TLSv1.2][] []",
		"client two.example [two.example][TLSv1.3][h2] []",
		"client 10.0.0.1 [][TLSv1.2][] [ecdsa-p256]",
	}
	var got []string
	for _, e := range r.Endpoints {
		got = append(got, fmt.Sprintf("%s %s %v%v%v %v", e.Side, e.Name, e.Policy.Names, e.Policy.Versions, e.Policy.ALPN, e.Policy.Certificates))
	}
	if !slices.Equal(got, want) || len(r.Problems) != 0 {
		t.Errorf("clients %q\nwant %q\nproblems %q", got, want, importertest.Problems(r))
	}
}

// TestIncludesKeepTheirPlaces: facts name the file that has the line; relative paths start at ServerRoot.
func TestIncludesKeepTheirPlaces(t *testing.T) {
	fsys := tree(t, map[string]string{
		"etc/httpd.conf":    "ServerRoot .\nInclude sites\nIncludeOptional none/*\n",
		"sites/a.conf":      "<VirtualHost *:443>\nSSLEngine on\nSSLCertificateFile ec.crt\nInclude part/tls.conf\n</VirtualHost>\n",
		"part/tls.conf":     "\nSSLProtocol TLSv1.3\n",
		"sites/deep/b.conf": "Listen 443 https\n<VirtualHost *:443>\nServerName b\nSSLCertificateFile rsa.crt\n</VirtualHost>\n",
	})
	r, err := apache.Import(fsys, "etc/httpd.conf", imported.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Endpoints) != 2 {
		t.Fatalf("endpoints %+v, problems %q", r.Endpoints, importertest.Problems(r))
	}
	want := imported.Fact{File: "part/tls.conf", Line: 2, Setting: "SSLProtocol", Value: "TLSv1.3"}
	if !slices.Contains(r.Endpoints[0].Facts, want) || r.Endpoints[1].Name != "b" {
		t.Errorf("facts %+v", r.Endpoints[0].Facts)
	}
}

// TestWorkIsBounded whatever a file of the largest size holds. Each is read in a fraction of the processor time that is allowed here.
func TestWorkIsBounded(t *testing.T) {
	for name, text := range map[string]string{
		"variables that grow":    "Define A aaaaaaaaaaaaaaaa\n" + strings.Repeat("Define A ${A}${A}\n", 40),
		"variables in each line": "Define A " + strings.Repeat("a", 60_000) + "\n" + strings.Repeat("${A}\n", 100_000),
		"hosts":                  strings.Repeat("<VirtualHost *:1>\nSSLEngine on\n</VirtualHost>\n", 20_000),
		"hosts elsewhere":        strings.Repeat("<VirtualHost *:1 *:2 *:3 *:4 *:5 *:6 *:7>\nSSLEngine on\n</VirtualHost>\n", 14_000),
		"backends":               "SSLProxyEngine on\n" + strings.Repeat("ProxyPass / https://a\n", 45_000),
		"a long line":            strings.Repeat("a \\\n", 250_000),
	} {
		t.Run(name, func(t *testing.T) {
			if len(text) > apache.MaxFileBytes {
				t.Fatalf("%d bytes", len(text))
			}
			fsys := tree(t, map[string]string{"httpd.conf": text})
			var r *imported.Result
			var err error
			if took := spenttest.On(t, func() { r, err = apache.Import(fsys, "httpd.conf", imported.Options{}) }); took > 20*time.Second {
				t.Errorf("%v of processor time", took)
			} else {
				t.Log(took)
			}
			if err == nil {
				apache.Select(r, strings.Repeat("a", 200), "1")
			}
		})
	}
}

func TestDetect(t *testing.T) {
	tests := []struct {
		name, head string
		want       bool
	}{
		{"httpd.conf", "", true},
		{"site.conf", "<VirtualHost *:443>\n  ServerName x\n</VirtualHost>\n", true},
		{"nginx.conf", "http {\n  server {\n    listen 443 ssl;\n  }\n}\n", false},
		{"haproxy.cfg", "global\n  daemon\nfrontend f\n  bind :443 ssl crt x\n", false},
		{"x.xml", "<Location>\n <x/>\n</Location>\n", false},
	}
	for _, test := range tests {
		if got := apache.Detect(test.name, []byte(test.head)); got != test.want {
			t.Errorf("Detect(%s) is %t", test.name, got)
		}
	}
}

func FuzzImport(f *testing.F) {
	for _, seed := range []string{
		host("SSLProtocol all -TLSv1\nSSLCipherSuite TLSv1.3 TLS_AES_128_GCM_SHA256\nServerAlias *.a b?c\nProtocols h2"),
		"Define A b\n<IfDefine !A>\n</IfDefine>\n<IfVersion >= 2.4>\nSSLOpenSSLConfCmd Options -ServerPreference\n</IfVersion>\n",
		"SSLProxyEngine on\nProxyPass / \"https://${A}:1/\" \\\n x\n<Proxy x>\nBalancerMember h2://[::1]:2\n</Proxy>\n", "Include *\nInclude .\nServerRoot /\nSSLEngine on\nSSLCertificateFile rsa.crt",
	} {
		f.Add(seed, "2.4.41")
	}
	f.Fuzz(func(t *testing.T, text, version string) {
		fsys := fstest.MapFS{"d/httpd.conf": {Data: []byte(text)}, "d/rsa.crt": {Data: []byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n")}}
		apache.Detect("x", []byte(text))
		r, err := apache.Import(fsys, "d/httpd.conf", imported.Options{Version: version})
		if err != nil {
			var typed *imported.Error
			if !errors.As(err, &typed) || typed.File == "" {
				t.Fatalf("error %v", err)
			}
			return
		}
		apache.Select(r, "a.b", "443")
		for _, e := range r.Endpoints {
			if e.Policy == nil || len(e.Listen) == 0 || len(e.Facts) == 0 {
				t.Fatalf("endpoint %+v", e)
			}
		}
	})
}
