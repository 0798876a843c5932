package importer_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/export"
	"github.com/tlstriage/tlstriage/inspect/policy/importer"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/policy/trial"
	"github.com/tlstriage/tlstriage/inspect/recording"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// sent is a hello that goes to an endpoint, and what came back.
type sent struct {
	hello  *hello
	form   *form
	parsed *wire.ClientHello
	got    answer
}

// asked are the recorded hellos, each with its own name and with others. It is what a recording of them has, entry by entry.
func asked(t *testing.T, k *keys, names ...string) []*sent {
	t.Helper()
	var all []*sent
	add := func(h *hello, f *form) {
		s := &sent{hello: h, form: f, parsed: new(wire.ClientHello)}
		var err error
		if f == nil {
			err = wire.ParseSSLv2ClientHello(h.raw[2:], s.parsed)
		} else {
			err = wire.ParseClientHello(f.message(), s.parsed)
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	for i, h := range recorded(t) {
		if h.form == nil {
			add(h, nil)
			continue
		}
		h.form.rekey(k)
		add(h, h.form)
		if len(names) > 0 && !h.form.bare {
			f := h.form.clone()
			f.setName(names[i%len(names)])
			add(h, f)
		}
	}
	if len(all) < 100 {
		t.Fatalf("%d hellos", len(all))
	}
	return all
}

// oddNames are names that programs read in ways of their own.
func oddNames() []string {
	return []string{"two.example.", "TWO.Example.", "two..example", "two.example..", ".", "..", ".two.example", ".deep.example", ".deep.example.", "a.deep.example.",
		"a..deep.example", "deep.example", "deep.example.", "refused.deep.example", "refused.deep.example.", "refused.example.", ".example", "example", "example.",
		"a b.deep.example", " two.example", "two.example ", "a/b.deep.example", "a\\b.deep.example", "a_b.deep.example", "_.deep.example", "-.deep.example", "*.deep.example", "tab\tb.deep.example", "del\x7f.deep.example",
		"caf\xc3\xa9.deep.example", "\xe9.deep.example", "xn--bcher-kva.deep.example", "two.example:443", "two.example.:443", "two.example:4.", ":443", "a:b.deep.example", "[two.example", "[two.example]", "[::1]", "[::1]:443", "::1",
		"127.0.0.1", "172.17.0.1", "172.17.0.1.", "LOCALHOST", "localhost.", "zero\x00.deep.example", "two.example\x00", "~^a\\..*example$", "a.anything.example.", "tail.", "tail.x", "tail.x.", "tail..x", "dotted.example", ".dotted.example", "x.dotted.example.", "~2.regex", "~2.regex.",
		strings.Repeat("a", 200) + ".deep.example", strings.Repeat("a.", 121) + "deep.example.", strings.Repeat("a", 242) + ".deep.example", strings.Repeat("a", 243) + ".deep.example", strings.Repeat("a", 300),
	}
}

// askedFor are a few of the recorded hellos for each of the names.
func askedFor(t *testing.T, k *keys, names []string) []*sent {
	t.Helper()
	var forms []*hello
	for _, h := range recorded(t) {
		if h.form != nil && !h.form.bare {
			h.form.rekey(k)
			forms = append(forms, h)
		}
	}
	var all []*sent
	for i, name := range names {
		for j := range 4 {
			h := forms[(i*4+j)%len(forms)]
			s := &sent{hello: h, form: h.form.clone(), parsed: new(wire.ClientHello)}
			s.form.setName(name)
			if err := wire.ParseClientHello(s.form.message(), s.parsed); err != nil {
				t.Fatalf("%q: %v", name, err)
			}
			all = append(all, s)
		}
	}
	return all
}

// recordingOf is the recording that the hellos are in.
func recordingOf(all []*sent) []byte {
	var text bytes.Buffer
	for _, s := range all {
		raw := s.hello.raw
		if s.form != nil {
			raw = s.form.message()
		}
		fmt.Fprintln(&text, hex.EncodeToString(raw))
	}
	return text.Bytes()
}

// send asks an endpoint all of them.
func send(t *testing.T, l *lab, address string, all []*sent) {
	t.Helper()
	var wait sync.WaitGroup
	var next atomic.Int32
	for range 3 {
		wait.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(all) {
					return
				}
				var err error
				if all[i].got, err = dialAndAsk(address, all[i].hello, all[i].form, l.keys); err != nil {
					t.Errorf("%s: %v", all[i].hello.id, err)
				}
			}
		})
	}
	wait.Wait()
}

// TestListenersAreExact starts nginx and HAProxy with one listener of several blocks, tries the recording of all recorded hellos on the whole
// listener, and holds every answer of the program, and all counts of the summary, against it.
func TestListenersAreExact(t *testing.T) {
	l := newLab(t)
	nginx := importertest.Version(t, importertest.Program(t, "nginx"), `nginx/([\d.]+)`, "-v")
	haproxy := importertest.Version(t, importertest.Program(t, "haproxy"), `version ([\d.]+)`, "-v")
	httpd := importertest.Version(t, importertest.Program(t, "apache2"), `Apache/([\d.]+)`, "-v")
	names := []string{"one.example", "two.example", "a.deep.example", "a.b.deep.example", "refused.example", "elsewhere.example", "a.two.example"}
	for _, tt := range []struct {
		title, kind, version string
		blocks               int
		start                func(t *testing.T) (address, conf string)
	}{
		{title: "nginx", kind: "nginx", version: nginx, blocks: 4, start: func(t *testing.T) (string, string) {
			return nginxAt(t, l, `server { @ default_server; server_name one.example; ONE; EC; ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE+AESGCM; ssl_ecdh_curve X25519:prime256v1; ssl_prefer_server_ciphers on; }
server { @; server_name two.example localhost; TWO; ssl_ciphers ECDHE-ECDSA-CHACHA20-POLY1305; ssl_prefer_server_ciphers on; }
server { @; server_name *.deep.example backend.example; RSA; ssl_ciphers AES128-SHA:ECDHE-RSA-AES256-SHA384; ssl_prefer_server_ciphers on; }
server { @; server_name refused.example 172.17.0.1; ssl_reject_handshake on; }`)
		}},
		{title: "nginx that refuses unknown names", kind: "nginx", version: nginx, blocks: 3, start: func(t *testing.T) (string, string) {
			return nginxAt(t, l, `server { @ default_server; ssl_reject_handshake on; ssl_protocols TLSv1.2 TLSv1.3; }
server { @; server_name two.example backend.example; TWO; RSA; ssl_dhparam dh.pem; ssl_ciphers DHE+AESGCM:ECDHE+AESGCM; }
server { @; server_name ~^a\..*example$; RSA; ssl_verify_client on; ssl_client_certificate rsa.crt; }`)
		}},
		{title: "nginx with names of all forms", kind: "nginx", version: nginx, blocks: 5, start: func(t *testing.T) (string, string) {
			return nginxAt(t, l, `server { @ default_server; server_name one.example; ONE; ssl_ciphers ECDHE+AESGCM; }
server { @; server_name .example; EC; ssl_ciphers ECDHE-ECDSA-CHACHA20-POLY1305; }
server { @; server_name tail.* [::1] 172.17.0.1; RSA; ssl_ciphers AES128-SHA; ssl_verify_client on; ssl_client_certificate rsa.crt; }
server { @; server_name ~^\~?\d+\.regex$ ~^a; RSA; ssl_ciphers AES256-SHA256; }
server { @; server_name "" localhost *.two.example; TWO; ssl_ciphers ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA; }`)
		}},
		{title: "HAProxy", kind: "haproxy", version: haproxy, blocks: 4, start: func(t *testing.T) (string, string) {
			return haproxyAt(t, l, "", "crt rsa.pem crt-list list", "ec.pem [ssl-min-ver TLSv1.3 alpn h2] one.example\nec.pem [ciphers ECDHE-ECDSA-AES128-SHA ssl-max-ver TLSv1.2] *.deep.example backend.example !refused.deep.example\ntwo.pem [curves P-384]\n")
		}},
		{title: "HAProxy with strict-sni", kind: "haproxy", version: haproxy, blocks: 4, start: func(t *testing.T) (string, string) {
			return haproxyAt(t, l, "ssl-default-bind-options ssl-min-ver TLSv1.2", "strict-sni crt-list list", "rsa.pem [ssl-min-ver TLSv1.0] backend.example localhost\nec.pem [ciphers ECDHE-ECDSA-AES256-GCM-SHA384 alpn h2,http/1.1] one.example *.deep.example !refused.deep.example\ntwo.pem [ssl-min-ver TLSv1.3]\n")
		}},
		{title: "httpd", kind: "apache", version: httpd, blocks: 3, start: func(t *testing.T) (string, string) {
			return httpdAt(t, l, `@; ServerName one.example; RSA; SSLProtocol all; </VirtualHost> @; ServerName two.example; ServerAlias *.deep.example localhost; ECDSA; </VirtualHost> @; ServerName three.example; ServerAlias t??l.* ~2.*; RSA; SSLCipherSuite AES128-SHA:AES256-SHA; </VirtualHost>`)
		}},
	} {
		t.Run(tt.title, func(t *testing.T) {
			address, conf := tt.start(t)
			_, port, _ := strings.Cut(address, ":")
			all := append(asked(t, l.keys, names...), askedFor(t, l.keys, oddNames())...)
			send(t, l, address, all)

			loaded, err := importer.LoadListener(importertest.Files{}, conf+"#kind="+tt.kind+"&version="+tt.version+"&listen=:"+port)
			if err != nil {
				t.Fatal(err)
			}
			if len(loaded.Blocks) != tt.blocks {
				t.Fatalf("%d blocks, want %d", len(loaded.Blocks), tt.blocks)
			}
			target := &trial.Target{Name: loaded.Name, Choose: loaded.Choose}
			for _, b := range loaded.Blocks {
				target.Blocks = append(target.Blocks, trial.Block{Name: b.Name, Policy: b.Policy})
			}
			text := recordingOf(all)
			var lost int64
			lostAt, allAt := map[string]int64{}, map[string]int64{}
			i := 0
			for c, err := range recording.Each(bytes.NewReader(text), "") {
				if err != nil {
					t.Fatal(err)
				}
				s := all[i]
				j := trial.Judge(c, target)
				block := loaded.Blocks[loaded.Choose(string(s.parsed.ServerName))]
				// A block of a listener that has a name's choice answers it, and its own names do not judge again.
				own := block.Policy
				if len(own.Names) > 0 {
					own = own.Clone()
					own.Names = nil
				}
				want := policy.Negotiate(s.parsed, own)
				if j.Block != block.Name || j.Policy.Accepted != want.Accepted {
					t.Errorf("%s: judged by %q: %+v", s.hello.id, j.Block, j.Policy)
				}
				if d := disagreement(want, own, s.got); d != "" {
					t.Errorf("%s for %q at %s: %s%s", s.hello.id, s.parsed.ServerName, j.Block, d, describe(s.form))
				}
				allAt[j.Block]++
				if s.got.alert != 0 || s.got.closed {
					lost++
					lostAt[j.Block]++
				}
				i++
			}
			var tally recording.Tally
			if err := tally.Read(bytes.NewReader(text), ""); err != nil {
				t.Fatal(err)
			}
			report := trial.Check(&tally, target)
			if report.Lost.Connections != lost || report.Connections != int64(len(all)) {
				t.Errorf("the summary says that %d of %d are lost, %s refused %d of %d", report.Lost.Connections, report.Connections, tt.title, lost, len(all))
			}
			for _, b := range report.Blocks {
				if b.Connections != allAt[b.Name] || b.Lost.Connections != lostAt[b.Name] || b.Connections == 0 {
					t.Errorf("block %s: %d of %d lost, %s refused %d of %d", b.Name, b.Lost.Connections, b.Connections, tt.title, lostAt[b.Name], allAt[b.Name])
				}
			}
			t.Logf("%d hellos, %d lost, by block %v of %v", len(all), lost, lostAt, allAt)
		})
	}
}

// TestTailoredSnippetsLoseWhomTheySay fits snippets to the recorded hellos, gives them to nginx and HAProxy, and asks these.
func TestTailoredSnippetsLoseWhomTheySay(t *testing.T) {
	l := newLab(t)
	nginx := importertest.Version(t, importertest.Program(t, "nginx"), `nginx/([\d.]+)`, "-v")
	haproxy := importertest.Version(t, importertest.Program(t, "haproxy"), `version ([\d.]+)`, "-v")
	openssl := importertest.Version(t, importertest.Program(t, "openssl"), `OpenSSL (3\.\d+|1\.1\.1)`, "version")
	for _, tt := range []struct {
		system       trial.System
		version      string
		certificates []policy.CertificateType
		maxLoss      string
	}{
		{trial.SystemNginx, nginx, nil, "0"},
		{trial.SystemNginx, nginx, []policy.CertificateType{policy.CertECDSAP256}, "0"},
		{trial.SystemNginx, nginx, nil, "25%"},
		{trial.SystemHAProxy, haproxy, nil, "0"},
		{trial.SystemHAProxy, haproxy, []policy.CertificateType{policy.CertECDSAP256}, "15%"},
	} {
		t.Run(fmt.Sprint(tt.system, tt.certificates, tt.maxLoss), func(t *testing.T) {
			all := asked(t, l.keys)
			var tally recording.Tally
			if err := tally.Read(bytes.NewReader(recordingOf(all)), ""); err != nil {
				t.Fatal(err)
			}
			maxLoss, err := trial.ParseThreshold(tt.maxLoss)
			if err != nil {
				t.Fatal(err)
			}
			var made *policy.Policy
			tailored, err := trial.Tailor(&tally, tt.system, trial.Options{MaxLoss: maxLoss, Certificates: tt.certificates,
				Write: func(p *policy.Policy, s trial.System) (*trial.Written, error) {
					snippet, err := export.Export(p, string(s), export.Options{Version: tt.version, OpenSSL: openssl})
					if err != nil {
						return nil, err
					}
					made = snippet.Policy.Clone()
					made.Certificates = p.Certificates
					return &trial.Written{Text: snippet.WithComments(), Policy: made, Comment: "#"}, nil
				}})
			if err != nil {
				t.Fatal(err)
			}
			certificate := "one"
			if tt.certificates != nil {
				certificate = "ec"
			}
			address := startSnippet(t, l, tt.system, tailored.Snippet, certificate)
			send(t, l, address, all)
			lost := map[string]int64{}
			for _, loss := range tailored.Losses {
				lost[loss.Shape] += loss.Connections
			}
			var refused int64
			i := 0
			for c, err := range recording.Each(bytes.NewReader(recordingOf(all)), "") {
				if err != nil {
					t.Fatal(err)
				}
				s := all[i]
				i++
				if d := disagreement(policy.Negotiate(s.parsed, made), made, s.got); d != "" {
					t.Errorf("%s: %s%s", s.hello.id, d, describe(s.form))
				}
				if s.got.alert != 0 || s.got.closed {
					refused++
					if lost[string(c.Shape)]--; lost[string(c.Shape)] < 0 {
						t.Errorf("%s is refused (%s), which is not said", s.hello.id, s.got)
					}
				}
			}
			if refused != tailored.Lost.Connections {
				t.Errorf("%d are said to be lost, %s refused %d of %d:\n%s", tailored.Lost.Connections, tt.system, refused, len(all), tailored.Snippet)
			}
			t.Logf("%d of %d lost, as said", refused, len(all))
		})
	}
}

// startSnippet runs a system with a snippet as it was printed, but for the port and the files of the certificate.
func startSnippet(t *testing.T, l *lab, s trial.System, snippet, certificate string) (address string) {
	t.Helper()
	file := filepath.Join(l.dir, certificate)
	if s == trial.SystemNginx {
		address, _ = nginxAt(t, l, strings.NewReplacer("listen 443 ssl", "@", "/etc/nginx/tls/server", file, "/etc/nginx/tls/dhparam.pem", "dh.pem").Replace(snippet))
		return address
	}
	port := importertest.FreePort(t)
	conf := filepath.Join(l.temp(t), "haproxy.cfg")
	importertest.Write(t, conf, strings.NewReplacer("bind :443 ", "bind 127.0.0.1:"+port+" ", "/etc/haproxy/tls/server.pem", file+".pem").Replace(snippet))
	path := importertest.Program(t, "haproxy")
	if out, err := exec.Command(path, "-c", "-f", conf).CombinedOutput(); err != nil {
		t.Fatalf("HAProxy refuses the snippet: %s", out)
	}
	importertest.Start(t, ".", path, "-V", "-db", "-f", conf)
	importertest.AwaitPort(t, "127.0.0.1:"+port)
	return "127.0.0.1:" + port
}

// TestNamesAreReadAsEndpointsDo asks one endpoint of each system for odd names.
func TestNamesAreReadAsEndpointsDo(t *testing.T) {
	l := newLab(t)
	seen := map[string]bool{}
	for _, e := range allEndpoints(t, l) {
		if seen[e.system] {
			continue
		}
		seen[e.system] = true
		t.Run(e.system, func(t *testing.T) {
			address, predict := e.start(t, l)
			all := askedFor(t, l.keys, oddNames())
			send(t, l, address, all)
			p := predict(t, "localhost")
			refused := 0
			for _, s := range all {
				want := policy.Negotiate(s.parsed, p)
				d := disagreement(want, p, s.got)
				if refusesEarlyData(s.form, p) && want.Alert != wire.AlertUnexpectedMessage && want.Alert != wire.AlertDecodeError {
					d = wantEarlyDataRefused(s.got)
				}
				if d != "" {
					t.Errorf("%s for %q: %s", s.hello.id, s.parsed.ServerName, d)
				}
				if !want.Accepted {
					refused++
				}
			}
			t.Logf("%d hellos, %d refused", len(all), refused)
		})
	}
}
