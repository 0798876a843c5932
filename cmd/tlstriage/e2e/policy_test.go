package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
)

// servedWith finds what s_client agreed on.
var servedWith = regexp.MustCompile(`(?m)^New, (TLSv[\d.]+|SSLv3), Cipher is (\S+)`)

// What was recorded of real clients in front of one endpoint says what another one makes of them: here nginx with three servers on one
// listener, each of which is asked by the very clients that were recorded.
func TestRecordedClientsMeetAListener(t *testing.T) {
	need(t, "nginx", "openssl")
	dir := t.TempDir()
	for name, args := range map[string][]string{"rsa": {"-newkey", "rsa:2048"}, "ec": {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"}} {
		if err := command("openssl", append([]string{"req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=" + site, "-keyout", filepath.Join(dir, name+".key"), "-out", filepath.Join(dir, name+".crt")}, args...)...); err != nil {
			t.Fatal(err)
		}
	}
	addr, port := freePort(t)
	conf := filepath.Join(dir, "nginx.conf")
	text := strings.NewReplacer("ADDR", addr, "DIR", dir).Replace(`daemon off; pid DIR/pid; worker_processes 1; error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path DIR; proxy_temp_path DIR; fastcgi_temp_path DIR; uwsgi_temp_path DIR; scgi_temp_path DIR;
  ssl_protocols TLSv1.2 TLSv1.3;
  server { listen ADDR ssl default_server; server_name first.example; ssl_certificate DIR/rsa.crt; ssl_certificate_key DIR/rsa.key; ssl_ciphers AES128-GCM-SHA256; }
  server { listen ADDR ssl; server_name second.example; ssl_certificate DIR/ec.crt; ssl_certificate_key DIR/ec.key; ssl_ciphers ECDHE+CHACHA20; }
  server { listen ADDR ssl; server_name third.example *.third.example; ssl_reject_handshake on; }
}
`)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	server(t, dir, addr, "nginx", "-p", dir, "-e", "stderr", "-c", conf)
	version := regexp.MustCompile(`nginx/([\d.]+)`).FindStringSubmatch(client(t, "", "nginx", "-v").out)
	if version == nil {
		t.Fatal("nginx has no version")
	}

	recordFile := filepath.Join(dir, "clients.ndjson")
	p := startProxy(t, "--backend", "tls://"+addr, "--backend-verify", "report", "--record", recordFile)
	var clients [][]string
	for _, name := range []string{"", "first.example", "second.example", "third.example", "a.third.example", "else.example"} {
		sni := []string{"-noservername"}
		if name != "" {
			sni = []string{"-servername", name}
		}
		for _, offer := range [][]string{{"-tls1_3"}, {"-tls1_2"}, {"-tls1_2", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305:AES128-GCM-SHA256"}, {"-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"}} {
			clients = append(clients, append(append([]string{}, sni...), offer...))
		}
	}
	want := make([]string, len(clients))
	for i, c := range clients {
		client(t, "", "openssl", append([]string{"s_client", "-connect", p.Addr}, c...)...)
		p.next()
		said := client(t, "", "openssl", append([]string{"s_client", "-connect", addr}, c...)...).out
		want[i] = "refused"
		if m := servedWith.FindStringSubmatch(said); m != nil {
			want[i] = m[1] + " " + m[2]
		}
	}
	p.stop()

	ref := fmt.Sprintf("%s#listen=:%s&version=%s", conf, port, version[1])
	got := client(t, "", program, "policy", "check", "--policy", ref, "--from", recordFile, "--each")
	if got.code != 0 {
		t.Fatalf("exit code %d: %s", got.code, got.out)
	}
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	if len(lines) != len(clients) {
		t.Fatalf("%d lines for %d clients:\n%s", len(lines), len(clients), got.out)
	}
	lost, blocks := 0, map[string]bool{}
	for i, line := range lines {
		var j struct {
			Block  string
			Policy struct {
				Name            string
				Accepted        bool
				Version, Cipher string
			}
		}
		if err := json.Unmarshal([]byte(line), &j); err != nil {
			t.Fatal(err)
		}
		predicted := "refused"
		if j.Policy.Accepted {
			predicted = j.Policy.Version + " " + openSSLName(j.Policy.Cipher)
		} else {
			lost++
		}
		if predicted != want[i] {
			t.Errorf("%v: predicted %s at %s, nginx: %s", clients[i], predicted, j.Block, want[i])
		}
		if !strings.HasPrefix(j.Policy.Name, conf+"#") {
			t.Errorf("the policy is called %q, which does not say the file", j.Policy.Name)
		}
		blocks[j.Block] = true
	}
	if len(blocks) != 3 || lost == 0 || lost == len(clients) {
		t.Errorf("%d of %d lost, at %v: that shows little", lost, len(clients), blocks)
	}
	summary := client(t, "", program, "policy", "check", "--policy", ref, "--from", recordFile, "-o", "json", "--fail-on-loss", fmt.Sprint(lost-1))
	if summary.code != 1 || !strings.Contains(summary.out, fmt.Sprintf(`"lost":{"connections":%d,`, lost)) {
		t.Errorf("exit code %d, %d lost one by one: %s", summary.code, lost, summary.out)
	}
}

// openSSLName is OpenSSL's name for the suites of this test.
func openSSLName(iana string) string {
	return strings.NewReplacer("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305",
		"TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256").Replace(iana)
}

// Where --policy is a whole listener, each client is held against the server block that its name selects, and what is said of a refusal is
// of that block.
func TestTheProxyHoldsHellosAgainstTheirBlock(t *testing.T) {
	need(t, "nginx", "openssl")
	dir := t.TempDir()
	if err := command("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN="+site, "-newkey", "rsa:2048", "-keyout", filepath.Join(dir, "rsa.key"), "-out", filepath.Join(dir, "rsa.crt")); err != nil {
		t.Fatal(err)
	}
	addr, port := freePort(t)
	conf := filepath.Join(dir, "nginx.conf")
	text := strings.NewReplacer("ADDR", addr, "DIR", dir).Replace(`daemon off; pid DIR/pid; worker_processes 1; error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path DIR; proxy_temp_path DIR; fastcgi_temp_path DIR; uwsgi_temp_path DIR; scgi_temp_path DIR;
  ssl_certificate DIR/rsa.crt; ssl_certificate_key DIR/rsa.key; ssl_protocols TLSv1.2 TLSv1.3;
  server { listen ADDR ssl default_server; server_name first.example; ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256; }
  server { listen ADDR ssl; server_name second.example; ssl_ciphers ECDHE-RSA-CHACHA20-POLY1305; }
}
`)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	server(t, dir, addr, "nginx", "-p", dir, "-e", "stderr", "-c", conf)
	p := startProxy(t, "--backend", "tls://"+addr, "--backend-verify", "report", "--policy", conf+"#listen=:"+port, "--enforce")
	for _, test := range []struct {
		name, cipher string
		block        string
		accepted     bool
		accepts      string
	}{
		{"first.example", "ECDHE-RSA-AES128-GCM-SHA256", "first.example", true, ""},
		{"second.example", "ECDHE-RSA-AES128-GCM-SHA256", "second.example", false, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
		{"second.example", "ECDHE-RSA-CHACHA20-POLY1305", "second.example", true, ""},
		{"first.example", "ECDHE-RSA-CHACHA20-POLY1305", "first.example", false, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
		{"else.example", "ECDHE-RSA-CHACHA20-POLY1305", "first.example", false, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
	} {
		asked := []string{"s_client", "-tls1_2", "-cipher", test.cipher, "-servername", test.name, "-connect"}
		direct := servedWith.MatchString(client(t, "", "openssl", append(asked, addr)...).out)
		through := servedWith.MatchString(client(t, "", "openssl", append(asked, p.Addr)...).out)
		if direct != test.accepted || through != test.accepted {
			t.Errorf("%s with %s: nginx accepts: %t, the proxy: %t; want %t", test.name, test.cipher, direct, through, test.accepted)
		}
		r := p.next()
		if r.Policy == nil || r.Policy.Accepted != test.accepted || !strings.Contains(r.Policy.Name, "endpoint="+test.block) {
			t.Errorf("%s with %s: policy %+v", test.name, test.cipher, r.Policy)
			continue
		}
		if test.accepted {
			continue
		}
		i := slices.IndexFunc(r.Findings, func(f inspect.Finding) bool { return f.ID == "policy-rejects-cipher" })
		if i < 0 || !slices.Contains(r.Findings[i].Accepted, test.accepts) || len(r.Findings[i].Accepted) > 4 {
			t.Errorf("%s with %s: findings %+v do not say that %s is accepted", test.name, test.cipher, r.Findings, test.accepts)
		}
	}
}
