package importer_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
)

func haproxyEndpoints(t *testing.T) []*endpoint {
	version := importertest.Version(t, importertest.Program(t, "haproxy"), `version ([\d.]+)`, "-v")
	cases := []struct {
		global, bind, list string
		names              []string
	}{
		{bind: "crt rsa.pem", names: []string{asRecorded, ""}},
		{bind: "crt ec.pem"},
		{bind: "crt both.pem", names: []string{asRecorded, "", "localhost"}},
		{bind: "crt rsa.pem crt ec.pem ssl-max-ver TLSv1.2 ciphers ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:AES128-SHA", names: []string{asRecorded, "", "localhost"}},
		{bind: "crt rsa.pem alpn h2,http/1.1"},
		{bind: "crt rsa.pem alpn http/1.1 npn http/1.1 no-tlsv12"},
		{bind: "strict-sni crt rsa.pem", names: []string{asRecorded, "", "localhost", "two.example"}},
		{bind: "strict-sni crt one.pem crt two.pem ssl-min-ver TLSv1.2 alpn h2", names: []string{"one.example", "two.example", "", "a.two.example", asRecorded}},
		{global: "ssl-default-bind-options ssl-min-ver TLSv1.2 prefer-client-ciphers no-tls-tickets; ssl-default-bind-ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256; ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384; tune.ssl.default-dh-param 2048",
			bind: "crt rsa.pem"},
		{global: "ssl-default-bind-options ssl-min-ver TLSv1.0; ssl-default-bind-ciphers DEFAULT:@SECLEVEL=0", bind: "crt rsa.pem"},
		{global: "ssl-default-bind-curves X25519:P-256; ssl-dh-param-file dh.pem", bind: "crt rsa.pem prefer-client-ciphers"},
		{global: "ssl-default-bind-curves X25519:P-256", bind: "crt ec384.pem curves P-384:P-521"},
		{bind: "crt rsa.pem ecdhe secp384r1 ciphers AES128-GCM-SHA256:ECDHE-RSA-AES256-SHA"},
		{bind: "crt rsa.pem ssl-min-ver TLSv1.0 ciphers ALL:@SECLEVEL=0"},
		{bind: "crt rsa.pem ssl-min-ver TLSv1.0"},
		{bind: "crt ec.pem force-tlsv13 ciphersuites TLS_CHACHA20_POLY1305_SHA256"},
		{bind: "crt ed.pem ssl-min-ver TLSv1.2"},
		{bind: "crt rsa.pem ca-file rsa.pem verify required"},
		{bind: "crt ec.pem ca-file rsa.pem verify optional ssl-max-ver TLSv1.2"},
		{bind: "crt rsa.pem curves P-256:X25519 crt-list list", list: "ec.pem [ssl-min-ver TLSv1.3 curves P-384 alpn h2] three.example\nec.pem [ciphers ECDHE-ECDSA-AES128-SHA ssl-max-ver TLSv1.2] *.list.example !not.list.example\ntwo.pem\n",
			names: []string{asRecorded, "", "three.example", "a.list.example", "not.list.example", "a.b.list.example", "a.two.example"}},
	}
	var out []*endpoint
	for _, c := range cases {
		title := "bind ssl " + c.bind
		if c.global != "" {
			title = c.global + "; " + title
		}
		if c.list != "" {
			title += "; list: " + strings.ReplaceAll(strings.TrimSpace(c.list), "\n", "; ")
		}
		out = append(out, &endpoint{system: "HAProxy " + version, title: title, names: c.names,
			start: func(t *testing.T, l *lab) (string, func(*testing.T, string) *policy.Policy) {
				return startHAProxy(t, l, version, c.global, c.bind, c.list)
			}})
	}
	return out
}

func startHAProxy(t *testing.T, l *lab, version, global, bind, list string) (string, func(*testing.T, string) *policy.Policy) {
	t.Helper()
	address, conf := haproxyAt(t, l, global, bind, list)
	return address, importing(conf, "haproxy", version, address[strings.LastIndex(address, ":")+1:])
}

// haproxyAt starts HAProxy and returns where it listens, and its configuration.
func haproxyAt(t *testing.T, l *lab, global, bind, list string) (address, conf string) {
	t.Helper()
	path, dir, port := importertest.Program(t, "haproxy"), l.temp(t), importertest.FreePort(t)
	words := func(s string) string {
		for _, name := range []string{"rsa", "ec", "ec384", "both", "one", "two", "ed", "dh"} {
			s = strings.ReplaceAll(" "+s, " "+name+".pem", " "+l.dir+"/"+name+".pem")[1:]
		}
		return s
	}
	var lines []string
	for line := range strings.SplitSeq(list, "\n") {
		lines = append(lines, words(line))
	}
	importertest.Write(t, filepath.Join(dir, "list"), strings.Join(lines, "\n"))
	conf = filepath.Join(dir, "haproxy.cfg")
	importertest.Write(t, conf, `global
  `+strings.ReplaceAll(words(global), "; ", "\n  ")+`
defaults
  mode tcp
  timeout client 20s
  timeout connect 20s
  timeout server 20s
frontend f
  bind 127.0.0.1:`+port+` ssl `+strings.ReplaceAll(words(bind), "crt-list list", "crt-list "+dir+"/list")+`
  tcp-request content reject
`)
	if out, err := exec.Command(path, "-c", "-f", conf).CombinedOutput(); err != nil {
		t.Fatalf("HAProxy refuses the configuration: %s", out)
	}
	importertest.Start(t, ".", path, "-V", "-db", "-f", conf)
	importertest.AwaitPort(t, "127.0.0.1:"+port)
	return "127.0.0.1:" + port, conf
}
