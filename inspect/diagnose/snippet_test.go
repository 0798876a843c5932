package diagnose

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
)

// snippets are what fixes of all cases have to paste into a system, each once.
func snippets(t *testing.T, system string) []string {
	var list []string
	for _, tt := range slices.Concat(ruleCases(), chainCases(t), formCases(t), revocationCases(t), lookCases(t), clientCertCases(t), httpCases(), quicCases()) {
		tt.diagnoser().Diagnose(tt.in)
		for _, f := range tt.in.Findings {
			for _, x := range f.Fixes {
				if x.Target == system && x.Snippet != "" && !slices.Contains(list, x.Snippet) {
					list = append(list, x.Snippet)
				}
			}
		}
	}
	for _, v := range []string{"TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"} {
		for _, x := range acceptVersion(v) {
			if x.Target == system && !slices.Contains(list, x.Snippet) {
				list = append(list, x.Snippet)
			}
		}
	}
	if len(list) < 10 {
		t.Fatalf("only %d snippets for %s", len(list), system)
	}
	return list
}

// placeholders are what snippets leave to whoever pastes them.
func placeholders(t *testing.T, dir string) *strings.Replacer {
	key := importertest.Key(t, "rsa")
	certificate, private := importertest.PEM(t, key, siteName)
	ecdsa, ecdsaKey := importertest.PEM(t, importertest.Key(t, "ec"), siteName)
	pair := filepath.Join(dir, "pair.pem")
	for name, content := range map[string]string{
		"pair.pem": certificate + private, "ecdsa.pem": ecdsa + ecdsaKey,
	} {
		importertest.Write(t, filepath.Join(dir, name), content)
	}
	other := filepath.Join(dir, "ecdsa.pem")
	return strings.NewReplacer("fullchain.pem", pair, "chain.pem", pair, "ecdsa.pem", other, "ecdsa.key", other, "ECDSA.pem", other, "ECDSA.key", other,
		"rsa.pem", pair, "rsa.key", pair, "RSA.pem", pair, "RSA.key", pair, "site.pem", pair, "FILE", pair, "BACKEND", "127.0.0.1:1",
		" ca-file CA", " ca-file "+pair, "/etc/haproxy/certs/", pair, "str(NAME)", "str(name.example)", "NAME", "name.example")
}

var listening = regexp.MustCompile(`listen 443 ssl`)

// Whatever a fix has for nginx is taken by nginx.
func TestSnippetsForNginx(t *testing.T) {
	nginx := importertest.Program(t, "nginx")
	dir := t.TempDir()
	values, pair := placeholders(t, dir), filepath.Join(dir, "pair.pem")
	for _, snippet := range snippets(t, "nginx") {
		if strings.Contains(snippet, "ssl_crl") {
			continue // no list is at hand
		}
		text := values.Replace(listening.ReplaceAllString(snippet, "listen unix:"+filepath.Join(dir, "s")+" ssl"))
		listen := "listen unix:" + filepath.Join(dir, "s") + " ssl;\n"
		if strings.HasPrefix(text, "listen ") {
			listen = ""
		}
		if strings.Contains(text, "ssl_verify_client") {
			text += "\nssl_client_certificate " + pair + ";"
		}
		if strings.HasPrefix(text, "proxy_pass") {
			text = "location / {\n" + text + "\n}"
		}
		file := filepath.Join(dir, "nginx.conf")
		importertest.Write(t, file, "daemon off;\npid "+filepath.Join(dir, "pid")+";\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\nclient_body_temp_path "+dir+";\nproxy_temp_path "+dir+";\nfastcgi_temp_path "+dir+";\nuwsgi_temp_path "+dir+";\nscgi_temp_path "+dir+";\nssl_certificate "+pair+";\nssl_certificate_key "+pair+";\nserver {\n"+listen+text+"\n}\n}\n")
		if said, ok := importertest.Run(t, nginx, "-t", "-e", "stderr", "-p", dir, "-c", file); !ok {
			t.Errorf("%s\n%s", snippet, said)
		}
		os.Remove(filepath.Join(dir, "s"))
	}
}

// Whatever a fix has for HAProxy is taken by HAProxy, but for what only releases after the installed one know.
func TestSnippetsForHAProxy(t *testing.T) {
	haproxy := importertest.Program(t, "haproxy")
	dir := t.TempDir()
	values := placeholders(t, dir)
	for _, snippet := range snippets(t, "haproxy") {
		if strings.HasPrefix(snippet, "cat ") || strings.Contains(snippet, "ocsp-update") || strings.Contains(snippet, "client-sigalgs") || strings.Contains(snippet, "crl-file") {
			continue // for a shell; of HAProxy 3.0; of 2.8; no list is at hand
		}
		text := values.Replace(strings.ReplaceAll(snippet, "bind :443", "bind unix@"+filepath.Join(dir, "s")))
		global, front, back := "", "bind unix@"+filepath.Join(dir, "s"), "server one 127.0.0.1:1"
		switch {
		case strings.HasPrefix(text, "bind "):
			front = text
		case strings.HasPrefix(text, "server "):
			back = text
		case strings.HasPrefix(text, "tune."):
			global = text
		default:
			front += "\n" + text
		}
		file := filepath.Join(dir, "haproxy.cfg")
		importertest.Write(t, file, "global\n"+global+"\ndefaults\nmode http\ntimeout client 1s\ntimeout server 1s\ntimeout connect 1s\nfrontend f\n"+front+"\ndefault_backend b\nbackend b\n"+back+"\n")
		if said, ok := importertest.Run(t, haproxy, "-c", "-f", file); !ok {
			t.Errorf("%s\n%s", snippet, said)
		}
	}
}

// Whatever a fix has for Apache is taken by httpd.
func TestSnippetsForApache(t *testing.T) {
	httpd := importertest.Program(t, "apache2")
	dir := t.TempDir()
	values := placeholders(t, dir)
	for _, snippet := range snippets(t, "apache") {
		text := values.Replace(strings.ReplaceAll(snippet, "leaf.key", "FILE"))
		global := ""
		if line, rest, ok := strings.Cut(text, "\n"); ok && strings.HasPrefix(rest, "SSLStaplingCache") { // of the whole server
			text, global = line, strings.Replace(rest, "/run/httpd", dir, 1)
		}
		if !strings.Contains(text, "SSLCertificateFile") {
			text = "RSA; " + text
		}
		file := importertest.HTTPD(t, dir, "8443", global+"\n<VirtualHost 127.0.0.1:PORT>\nSSLEngine on\n"+text+"\n</VirtualHost>")
		if said, ok := importertest.Run(t, httpd, "-t", "-f", file); !ok {
			t.Errorf("%s\n%s", snippet, said)
		}
	}
}

// A client that offers TLS 1.3 alone is let in beside those that have TLS 1.2, not in their place.
func TestLettingInOneClientLocksNobodyOut(t *testing.T) {
	for _, x := range acceptVersion("TLSv1.3") {
		if strings.Contains(x.Snippet, "ssl_protocols TLSv1.3;") || strings.Contains(x.Snippet, "min-ver TLSv1.3") || strings.Contains(x.Snippet, "minimum_protocol_version: TLSv1_3") || strings.Contains(x.Snippet, "\"TLSv1.3\"") {
			t.Errorf("%s: %s", x.Target, x.Snippet)
		}
	}
}
