package importer_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
)

// nginxFrame lets nginx run without root. RSA, EC and the like stand for the two directives of a certificate, @ for where the
// servers listen.
const nginxFrame = `daemon off; pid DIR/pid; error_log stderr notice; worker_processes 1;
events {}
`

const nginxHTTP = `http {
  access_log off;
  client_body_temp_path DIR; proxy_temp_path DIR; fastcgi_temp_path DIR; uwsgi_temp_path DIR; scgi_temp_path DIR;
`

func nginxEndpoints(t *testing.T) []*endpoint {
	version := importertest.Version(t, importertest.Program(t, "nginx"), `nginx/([\d.]+)`, "-v")
	cases := []struct {
		text  string
		names []string
	}{
		{"server { @; RSA; }", nil},
		{"server { @; EC; }", nil},
		{"server { @ http2; RSA; EC; }", nil},
		{"server { @ http2; EC; RSA; ssl_prefer_server_ciphers on; }", nil},
		{"server { @; RSA; EC; ssl_protocols TLSv1.2 TLSv1.3; ssl_ecdh_curve X25519:prime256v1:secp384r1; ssl_dhparam dh.pem; ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256; }", nil},
		{"server { @; EC; ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256; }", nil},
		{"server { @; RSA; ssl_protocols TLSv1.2; }", nil},
		{"server { @; RSA; ssl_protocols TLSv1 TLSv1.1 TLSv1.2; ssl_ciphers ALL:@SECLEVEL=0; ssl_prefer_server_ciphers on; }", nil},
		{"server { @; RSA; EC; ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers DEFAULT:@SECLEVEL=0; ssl_dhparam dh.pem; }", nil},
		{"server { @; RSA; ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on; ssl_conf_command MinProtocol TLSv1.2; ssl_conf_command Options PrioritizeChaCha; ssl_conf_command Groups P-256:X448; ssl_conf_command SignatureAlgorithms RSA+SHA256:rsa_pss_rsae_sha256; }", nil},
		{"server { @; RSA; ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers HIGH:!aNULL:!kRSA:@STRENGTH; ssl_prefer_server_ciphers on; ssl_ecdh_curve P-521:P-384; }", nil},
		{"server { @; EC384; ssl_protocols TLSv1.2 TLSv1.3; ssl_ecdh_curve secp384r1; ssl_ciphers EECDH+AESGCM:@SECLEVEL=3; }", nil},
		{"server { @; EC521; RSA; }", nil},
		{"server { @; ED; }", nil},
		{"server { @; RSA; ssl_ciphers kRSA+AES; ssl_session_tickets off; }", nil},
		{"server { @; RSA; ssl_verify_client on; ssl_client_certificate rsa.crt; }", nil},
		{"server { @; EC; ssl_verify_client optional_no_ca; ssl_client_certificate rsa.crt; }", nil},
		{"server { @ default_server; server_name one.example; ONE; ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256; ssl_ecdh_curve prime256v1; } server { @; server_name two.example *.deep.example; TWO; ssl_protocols TLSv1.3; ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384:AES128-SHA; ssl_ecdh_curve X25519; }",
			[]string{asRecorded, "", "one.example", "two.example", "a.b.deep.example", "deep.example"}},
		{"server { @; server_name one.example; ONE; ssl_prefer_server_ciphers on; ssl_ciphers AES128-SHA:AES256-SHA; } server { @ default_server; server_name ~^two\\.; TWO; ssl_protocols TLSv1.2 TLSv1.3; ssl_conf_command Options ServerPreference; }",
			[]string{asRecorded, "", "one.example", "two.example"}},
		{"server { @ default_server; server_name one.example; ONE; ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on; ssl_conf_command Options PrioritizeChaCha; } server { @; server_name two.example; TWO; ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305; }",
			[]string{asRecorded, "one.example", "two.example"}},
		{"server { @ default_server; server_name one.example; ONE; ssl_protocols TLSv1.2 TLSv1.3; } server { @; server_name two.example; TWO; ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on; }", []string{asRecorded, "one.example", "two.example"}},
		{"server { @ default_server; ssl_reject_handshake on; } server { @; server_name two.example localhost; TWO; }", []string{asRecorded, "", "TWO.example", "localhost"}},
		{"server { @; server_name one.example; ONE; ssl_protocols TLSv1 TLSv1.1 TLSv1.2; } server { @; server_name two.example; ONE; ssl_dhparam dh.pem; ssl_ciphers DHE:@SECLEVEL=0; ssl_prefer_server_ciphers on; }",
			[]string{"one.example", "two.example"}},
		{"stream { server { @; RSA; ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers HIGH; ssl_prefer_server_ciphers on; return \"\"; } }", nil},
		{"stream { server { @; EC; ssl_alpn h2 http/1.1; return \"\"; } }", nil},
	}
	var out []*endpoint
	for _, c := range cases {
		out = append(out, &endpoint{system: "nginx " + version, title: strings.ReplaceAll(strings.ReplaceAll(c.text, "@; ", ""), "@ ", ""), names: c.names,
			start: func(t *testing.T, l *lab) (string, func(*testing.T, string) *policy.Policy) {
				return startNginx(t, l, version, c.text)
			}})
	}
	return out
}

func startNginx(t *testing.T, l *lab, version, text string) (string, func(*testing.T, string) *policy.Policy) {
	t.Helper()
	address, conf := nginxAt(t, l, text)
	return address, importing(conf, "nginx", version, address[strings.LastIndex(address, ":")+1:])
}

// nginxAt starts nginx and returns where it listens, and its configuration.
func nginxAt(t *testing.T, l *lab, text string) (address, conf string) {
	t.Helper()
	path, dir, port := importertest.Program(t, "nginx"), l.temp(t), importertest.FreePort(t)
	frame := nginxFrame
	if strings.HasPrefix(text, "stream") {
		const module = "/usr/lib/nginx/modules/ngx_stream_module.so" // where Debian has it apart
		if _, err := os.Stat(module); err == nil {
			frame = "load_module " + module + ";\n" + frame
		}
	} else {
		text = nginxHTTP + text + "\n}"
	}
	listen := "listen 127.0.0.1:" + port + " ssl"
	fill := []string{"DIR", dir, "@;", listen + ";", "@ ", listen + " ", "dh.pem", l.dir + "/dh.pem", "rsa.crt", l.dir + "/rsa.crt"}
	for _, name := range []string{"RSA", "EC384", "EC521", "EC", "ED", "ONE", "TWO"} {
		file := l.dir + "/" + strings.ToLower(name)
		fill = append(fill, " "+name+";", " ssl_certificate "+file+".crt; ssl_certificate_key "+file+".key;")
	}
	conf = filepath.Join(dir, "nginx.conf")
	importertest.Write(t, conf, strings.NewReplacer(fill...).Replace(frame+text))
	if out, err := exec.Command(path, "-t", "-p", dir, "-c", conf).CombinedOutput(); err != nil {
		t.Fatalf("nginx refuses the configuration: %s", out)
	}
	importertest.Start(t, `start worker process`, path, "-p", dir, "-c", conf)
	return "127.0.0.1:" + port, conf
}
