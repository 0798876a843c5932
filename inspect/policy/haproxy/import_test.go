package haproxy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/haproxy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/spenttest"
)

// tree is a file system of these files and a few certificates.
func tree(t testing.TB, texts map[string]string) fstest.MapFS {
	t.Helper()
	fsys := importertest.Tree(t, texts, map[string]string{
		"rsa.pem": "rsa a.example", "ec.pem": "ec a.example", "w.pem": "ec *.w.example", "small.pem": "rsa1024 a.example",
	})
	fsys["certs/b.pem"], fsys["certs/a.pem"] = fsys["w.pem"], fsys["rsa.pem"]
	fsys["certs/a.pem.ocsp"], fsys["certs/.hidden"] = &fstest.MapFile{}, &fstest.MapFile{}
	fsys["pair.rsa"], fsys["pair.ecdsa"] = fsys["rsa.pem"], fsys["ec.pem"]
	return fsys
}

func importText(t testing.TB, text, version string) *imported.Result {
	t.Helper()
	r, err := haproxy.Import(tree(t, map[string]string{"haproxy.cfg": text, "list": "rsa.pem [alpn h2 nonsense] x.example\nrsa.pem [alpn h2\n"}), "haproxy.cfg", imported.Options{Version: version})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestWhatIsNotJudgedIsTold: each line of a configuration that the policy cannot follow is a problem at its line.
func TestWhatIsNotJudgedIsTold(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string // a beginning each; in order
	}{
		{"nothing", "global\n  tune.ssl.cachesize 1\nfrontend f\n  bind :443 ssl crt rsa.pem ca-file x verify optional npn h2\n  bind :80\n", nil},
		{"an unknown keyword", "frontend f\n  bind :443 ssl crt rsa.pem chiphers X\n", []string{`haproxy.cfg:2: bind: "chiphers" is not understood`, `haproxy.cfg:2: bind: "X" is not understood`}},
		{"an unknown default", "global\n  ssl-default-bind-foo x\n  ssl-default-bind-options no-tlsv10 what\n", []string{`haproxy.cfg:2: global: "ssl-default-bind-foo" is not understood`, `haproxy.cfg:3: ssl-default-bind-options: "what" is not understood`}},
		{"an unknown version", "frontend f\n  bind :443 ssl crt rsa.pem ssl-min-ver TLSv1\n", []string{`haproxy.cfg:2: ssl-min-ver: "TLSv1" is no version`}},
		{"no certificate", "frontend f\n  bind :443 ssl\n", []string{"haproxy.cfg:2: bind :443 ssl: no certificate"}},
		{"a certificate that lacks", "frontend f\n\n  bind :443 ssl crt nowhere.pem\n", []string{"haproxy.cfg:3: crt nowhere.pem: file does not exist; its kind is not known"}},
		{"a small key", "frontend f\n  bind :443 ssl crt small.pem\n", []string{"haproxy.cfg:2: the RSA key of 1024 bits is too small for security level 2"}},
		{"a cipher string that OpenSSL refuses", "global\n  ssl-default-bind-ciphers NOPE\nfrontend f\n  bind :443 ssl crt rsa.pem\n", []string{`haproxy.cfg:2: openssl: cipher string "NOPE": no cipher match`}},
		{"a variable of the environment", "frontend f\n  bind \"${ADDR}:443\" ssl crt rsa.pem\n  bind \"${ADDR-0.0.0.0}:444\" ssl crt rsa.pem\n", []string{"haproxy.cfg:2: environment variable ADDR is not known here"}},
		{"a condition that is not known", ".if feature(QUIC)\nfrontend f\n  bind :443 ssl crt rsa.pem\n.endif\n", []string{"haproxy.cfg:1: .if: whether feature(QUIC) holds is not known here"}},
		{"HTTP/3", "frontend f\n  bind quic4@:443 ssl crt rsa.pem alpn h3\n", []string{"haproxy.cfg:2: bind quic4@:443: HTTP/3 is not judged"}},
		{"a hole between versions", "frontend f\n  bind :443 ssl crt rsa.pem no-tlsv13 ssl-max-ver TLSv1.3\n", []string{"haproxy.cfg:2: no-tlsv13 is ignored beside ssl-min-ver and ssl-max-ver"}},
		{"a list", "frontend f\n  bind :443 ssl crt rsa.pem crt-list list crt-list nolist\n",
			[]string{`list:1: crt-list: "nonsense" is not understood`, "list:2: crt-list: the bracket is not closed", "haproxy.cfg:2: crt-list nolist: file does not exist"}},
		{"a name that follows the request", "backend b\n  server s 10.0.0.1:443 ssl verify none sni req.hdr(host)\n", []string{"haproxy.cfg:2: sni req.hdr(host): the name follows the request"}},
		{"generated certificates", "frontend f\n  bind :443 ssl crt rsa.pem generate-certificates ca-sign-file x\n", []string{"haproxy.cfg:2: generate-certificates: certificates are made for each name"}},
		{"a store that lacks", "frontend f\n  bind :443 ssl crt @web/site\n", []string{"haproxy.cfg:2: crt @web/site: no crt-store has it"}},
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
		{"an open quote", "global\n  user \"x\n", "", "haproxy.cfg:2: unmatched quote"},
		{"an open condition", "global\n.if 1\n  daemon\n", "", "haproxy.cfg:2: .if is not closed by .endif"},
		{"an end without a beginning", "global\n.endif\n", "", "haproxy.cfg:2: .endif without .if"},
		{"a condition that is none", ".if what\n.endif\n", "", `haproxy.cfg:1: .if: condition "what" is not understood`},
		{"a broken escape", "global\n  user a\\xZZ\n", "", `haproxy.cfg:2: truncated or invalid hexadecimal sequence after \x`},
		{"no text", "global\n\x00\n", "", "haproxy.cfg:2: a NUL byte in the line: this is no configuration"},
		{"an unknown version", "global\n", "latest", `haproxy.cfg: "latest" is no version of HAProxy`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := haproxy.Import(fstest.MapFS{"haproxy.cfg": {Data: []byte(test.text)}}, "haproxy.cfg", imported.Options{Version: test.version})
			var typed *imported.Error
			if !errors.As(err, &typed) || err.Error() != test.want {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

// TestDefaultsFollowTheVersion of HAProxy, and say where they are from.
func TestDefaultsFollowTheVersion(t *testing.T) {
	tests := []struct {
		version, versions, alpn string
		dhe                     bool
	}{
		{"2.0", "[TLSv1.0 TLSv1.1 TLSv1.2 TLSv1.3]", "[]", true},
		{"2.2.33", "[TLSv1.2 TLSv1.3]", "[]", true},
		{"2.6.12", "[TLSv1.2 TLSv1.3]", "[]", false},
		{"2.8", "[TLSv1.2 TLSv1.3]", "[h2 http/1.1]", false},
		{"", "[TLSv1.2 TLSv1.3]", "[h2 http/1.1]", false},
	}
	for _, test := range tests {
		t.Run(test.version, func(t *testing.T) {
			r := importText(t, "global\n  ssl-security-level 0\ndefaults\n  mode http\nfrontend f\n  bind :443 ssl crt rsa.pem\nfrontend g\n  mode tcp\n  bind :444 ssl crt rsa.pem\n", test.version)
			if len(r.Endpoints) != 2 {
				t.Fatalf("%d endpoints", len(r.Endpoints))
			}
			e := r.Endpoints[0]
			if got := fmt.Sprint(e.Policy.Versions); got != test.versions {
				t.Errorf("versions %s, want %s", got, test.versions)
			}
			if got := fmt.Sprint(e.Policy.ALPN); got != test.alpn || r.Endpoints[1].Policy.ALPN != nil {
				t.Errorf("ALPN %s, in TCP mode %v", got, r.Endpoints[1].Policy.ALPN)
			}
			if e.Policy.NoDHParameters == test.dhe || e.Policy.Preference != policy.PreferServerChaCha {
				t.Errorf("no DH parameters %t, preference %v", e.Policy.NoDHParameters, e.Policy.Preference)
			}
			for _, f := range e.Facts {
				if f.Default && (f.Source == "" || f.Line != 0) || !f.Default && f.File == "" {
					t.Errorf("fact %+v", f)
				}
			}
		})
	}
}

// TestNamesHaveTheirCertificates: each group of names is an endpoint, and Select finds it.
func TestNamesHaveTheirCertificates(t *testing.T) {
	r := importText(t, "frontend g\n  bind :8443,:9443 ssl crt pair crt certs\nfrontend h\n  bind :1 ssl strict-sni crt w.pem # a comment\n", "2.6")
	tests := []struct{ name, listen, want string }{
		{"", ":8443", "[ecdsa-p256] true"},
		{"other.example", "9443", "[ecdsa-p256] true"},
		{"a.example", "g", "[ecdsa-p256 rsa] false"},
		{"x.w.example", ":9443", "[ecdsa-p256] false"},
		{"x.y.w.example", ":9443", "[ecdsa-p256] true"},
		{"x.w.example", ":1", "[ecdsa-p256] false"},
		{"other", ":1", "none"},
	}
	for _, test := range tests {
		got := "none"
		if e := haproxy.Select(r, test.name, test.listen); e != nil {
			got = fmt.Sprint(e.Policy.Certificates, e.Default)
			got = strings.Replace(got, "]", "] ", 1)
			got = strings.Join(strings.Fields(got), " ")
		}
		if got != test.want {
			t.Errorf("Select(%q, %q) is %s, want %s", test.name, test.listen, got, test.want)
		}
	}
	if len(r.Problems) != 0 {
		t.Errorf("problems %q", importertest.Problems(r))
	}
}

// TestStoresAndTheDefaultOfABundle of HAProxy 3.
func TestStoresAndTheDefaultOfABundle(t *testing.T) {
	r := importText(t, "crt-store web\n  crt-base certs\n  load crt b.pem alias wild\nfrontend f\n  bind :443 ssl crt pair crt @web/wild\n", "3.0")
	if e := haproxy.Select(r, "", ":443"); e == nil || len(e.Policy.Certificates) != 2 {
		t.Errorf("default %+v", e)
	}
	if e := haproxy.Select(r, "x.w.example", ":443"); e == nil || e.Default || len(r.Problems) != 0 {
		t.Errorf("wildcard %+v, problems %q", e, importertest.Problems(r))
	}
}

// TestPathsStartWhereHAProxySays: at the root, at crt-base, at default-path.
func TestPathsStartWhereHAProxySays(t *testing.T) {
	for global, crt := range map[string]string{
		"": "certs/b.pem", "crt-base certs": "b.pem", "crt-base /nowhere": "/../certs/b.pem", "default-path config": "../certs/b.pem", "default-path parent": "certs/b.pem",
		"default-path origin certs": "b.pem", "default-path config\n crt-base ../certs": "b.pem",
	} {
		fsys := tree(t, map[string]string{"etc/haproxy.cfg": "global\n " + global + "\nfrontend f\n  bind :443 ssl crt " + crt + "\n"})
		r, err := haproxy.Import(fsys, "etc/haproxy.cfg", imported.Options{})
		if err != nil {
			t.Fatal(err)
		}
		found := slices.ContainsFunc(r.Endpoints, func(e *imported.Endpoint) bool { return slices.Contains(e.Policy.Certificates, policy.CertECDSAP256) })
		if want := global != "crt-base /nowhere"; found != want || (len(r.Problems) == 0) != want {
			t.Errorf("%q and %s: %t, problems %q", global, crt, found, importertest.Problems(r))
		}
	}
}

// TestServerLinesAreClients with the settings of default-server and global.
func TestServerLinesAreClients(t *testing.T) {
	r := importText(t, `global
  ssl-default-server-options ssl-min-ver TLSv1.2
  ssl-default-server-ciphersuites TLS_AES_128_GCM_SHA256
defaults
  default-server ssl verify required ca-file ca.pem
backend b
  server one 10.0.0.1:443 sni str(one.example) alpn h2,http/1.1 check inter 1s weight 10
  server two 10.0.0.2:443 no-ssl
  default-server force-tlsv12 crt ec.pem
  server three 10.0.0.3:443 ciphers ECDHE+AESGCM
  server-template t 1-3 t.example:443 verify none
`, "2.8")
	var got []string
	for _, e := range r.Endpoints {
		got = append(got, fmt.Sprint(e.Side, " ", e.Name, " ", e.Listen, e.Policy.Names, e.Policy.Versions, e.Policy.ALPN, len(e.Policy.CipherSuites) < 10, e.Policy.Certificates))
	}
	want := []string{
		"client b/one [10.0.0.1:443] [one.example] [TLSv1.2 TLSv1.3] [h2 http/1.1] false []",
		"client b/three [10.0.0.3:443] [] [TLSv1.2] [] true [ecdsa-p256]",
		"client b/t [t.example:443] [] [TLSv1.2] [] false [ecdsa-p256]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("clients %q\nwant %q", got, want)
	}
	if len(r.Problems) != 0 {
		t.Errorf("problems %q", importertest.Problems(r))
	}
}

// TestLinesAreCutAsHAProxyCutsThem: conditions, quotes, escapes and variables decide on what a bind line says.
func TestLinesAreCutAsHAProxyCutsThem(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"quotes", "frontend f\n  bind ':44\"3' ssl crt \"rsa.pem\" # crt x\n", `[:44"3]`},
		{"escapes", "frontend f\n  bind \\:44\\x33 ssl crt rsa\\.pem\n", `[\:443]`},
		{"a variable that is set", "global\n  setenv A \":1,:2\"\nfrontend f\n  bind \"$A\" ssl crt rsa.pem\n", "[:1 :2]"},
		{"a default", "frontend f\n  bind \"${B-:3}\" ssl crt rsa.pem\n", "[:3]"},
		{"no variable outside quotes", "frontend f\n  bind $B ssl crt rsa.pem\n", "[$B]"},
		{"several words", "global\n  setenv A \"ssl crt rsa.pem\"\nfrontend f\n  bind :4 \"${A[*]}\"\n", "[:4]"},
		{"a version", ".if version_atleast(2.4) && !version_before(2.6)\nfrontend f\n bind :5 ssl crt rsa.pem\n.elif 1\nfrontend f\n bind :6 ssl crt rsa.pem\n.else\n bind :7\n.endif\n", "[:5]"},
		{"another branch", ".if version_before(2.4) || (0 && 1)\nfrontend f\n bind :5 ssl crt \"rsa.pem\n.elif streq(\"a\",a)\nfrontend f\n bind :6 ssl crt rsa.pem\n.else\n bind :7\n.endif\n", "[:6]"},
		{"inside another", ".if 0\n.if 1\nfrontend f\n bind :5 ssl crt rsa.pem\n.endif\n.else\nfrontend f\n bind :8 ssl crt rsa.pem\n.endif\n", "[:8]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := importText(t, test.text, "2.6")
			if len(r.Endpoints) != 1 || fmt.Sprint(r.Endpoints[0].Listen) != test.want {
				t.Errorf("endpoints %+v, problems %q", r.Endpoints, importertest.Problems(r))
			}
		})
	}
}

// TestWorkIsBounded whatever a file of the largest size holds. Each is read in a fraction of the processor time that is allowed here.
func TestWorkIsBounded(t *testing.T) {
	for name, text := range map[string]string{
		"variables that grow":    "global\nsetenv A aaaaaaaaaaaaaaaa\n" + strings.Repeat("setenv A \"$A$A\"\n", 40),
		"variables in each line": "global\nsetenv A " + strings.Repeat("a", 60_000) + "\n" + strings.Repeat("\"$A\"\n", 90_000),
		"binds":                  "frontend f\n" + strings.Repeat("bind :1 ssl crt rsa.pem\n", 40_000),
		"certificates":           "frontend f\nbind :1 ssl" + strings.Repeat(" crt rsa.pem", 400) + "\n",
		"addresses":              "frontend f\nbind " + strings.Repeat(":1,", 300_000) + " ssl crt rsa.pem\n",
		"servers":                "backend b\n" + strings.Repeat("server a b ssl\n", 65_000),
		"conditions":             strings.Repeat(".if "+strings.Repeat("(", 60)+"\n", 16_000),
	} {
		t.Run(name, func(t *testing.T) {
			if len(text) > haproxy.MaxFileBytes {
				t.Fatalf("%d bytes", len(text))
			}
			fsys := tree(t, map[string]string{"haproxy.cfg": text})
			var r *imported.Result
			var err error
			if took := spenttest.On(t, func() { r, err = haproxy.Import(fsys, "haproxy.cfg", imported.Options{}) }); took > 20*time.Second {
				t.Errorf("%v of processor time", took)
			} else {
				t.Log(took)
			}
			if err == nil {
				haproxy.Select(r, strings.Repeat("a", 200), "1")
			}
		})
	}
}

func TestDetect(t *testing.T) {
	tests := []struct {
		name, head string
		want       bool
	}{
		{"haproxy.cfg", "", true},
		{"edge.cfg", "global\n  daemon\nfrontend f\n  bind :443 ssl crt x\n", true},
		{"x", "defaults\n  mode http\nlisten a\n  bind :80\n  server s 10.0.0.1:80\n", true},
		{"nginx.conf", "http {\n  server {\n    listen 443 ssl;\n  }\n}\n", false},
		{"x.yaml", "global:\n  mode: http\n", false},
	}
	for _, test := range tests {
		if got := haproxy.Detect(test.name, []byte(test.head)); got != test.want {
			t.Errorf("Detect(%s) is %t", test.name, got)
		}
	}
}

func FuzzImport(f *testing.F) {
	for _, seed := range []string{
		"global\n ssl-default-bind-ciphers HIGH\n ssl-default-bind-options ssl-min-ver TLSv1.2 no-tlsv11\nfrontend f\n bind :443,:444 ssl crt x.pem alpn h2 strict-sni curves P-256 crt-list l\n",
		"defaults a\n mode http\nbackend b from a\n default-server ssl\n server s 1:2 sni str(x) verify none ciphers \"$X\" force-tlsv12\n",
		".if defined(A) && (1 || !streq(a,\"b\"))\n.elif version_atleast(2.4)\n.else\n.endif\n", "crt-store s\n load crt a alias b\n", "global\n setenv A \"b c\"\n x '\\\\' \"\\x41 ${A[*]} ${B-d}\" \\# #e\n",
	} {
		f.Add(seed, "x.pem [alpn h2 ciphers A] *.x !y.x\nz !*\n", "2.6")
	}
	f.Fuzz(func(t *testing.T, text, list, version string) {
		fsys := fstest.MapFS{"haproxy.cfg": {Data: []byte(text)}, "l": {Data: []byte(list)}, "x.pem": {Data: []byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n")}}
		haproxy.Detect("x", []byte(text))
		r, err := haproxy.Import(fsys, "haproxy.cfg", imported.Options{Version: version})
		if err != nil {
			var typed *imported.Error
			if !errors.As(err, &typed) || typed.File == "" {
				t.Fatalf("error %v", err)
			}
			return
		}
		haproxy.Select(r, "a.x", ":443")
		for _, e := range r.Endpoints {
			if e.Policy == nil || len(e.Facts) == 0 {
				t.Fatalf("endpoint %+v", e)
			}
		}
	})
}

// BenchmarkImport reads 5,000 frontends.
func BenchmarkImport(b *testing.B) {
	var text strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, "frontend f%d\n  bind :%d ssl crt rsa.pem alpn h2\n", i, 10_000+i)
	}
	fsys := tree(b, map[string]string{"haproxy.cfg": text.String()})
	for b.Loop() {
		if r, err := haproxy.Import(fsys, "haproxy.cfg", imported.Options{}); err != nil || len(r.Endpoints) != 5000 {
			b.Fatal(err, r)
		}
	}
}
