package main

import (
	"bufio"
	"crypto/tls"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/clients"
	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/policy/java"
	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
	"github.com/tlstriage/tlstriage/inspect/policy/trial"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/replay"
)

// replayed is an endpoint and what is predicted of it.
type replayed struct {
	name  string
	start func(t *testing.T) (address string, p *predictor)
	names replay.Names
}

// The prediction on paper and the experiment are two ways to the same answer: what a policy predicts of every client of the gallery is what
// comes back when its hello is sent again, in whether it is taken, in the choice, and in the alert.
func TestPredictionsAgreeWithReplay(t *testing.T) {
	samples, err := clients.Select("all")
	if err != nil {
		t.Fatal(err)
	}
	subjects, err := replay.FromSamples(samples)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "rsa", "ec")
	importertest.Write(t, filepath.Join(dir, "dh.pem"), importertest.DH2048)
	var endpoints []replayed
	endpoints = append(endpoints, replayedNginx(t, dir)...)
	endpoints = append(endpoints, replayedHAProxy(dir)...)
	endpoints = append(endpoints, replayedBlocks(dir)...)
	endpoints = append(endpoints, replayedGo(dir)...)
	endpoints = append(endpoints, replayedOpenSSL(dir)...)
	endpoints = append(endpoints, replayedJava(dir)...)
	if len(subjects) < 199 || len(endpoints) < 25 {
		t.Errorf("%d hellos, %d endpoints: docs/replay.md says 199 and 25", len(subjects), len(endpoints))
	}
	t.Logf("%d hellos, each to %d endpoints of five programs", len(subjects), len(endpoints))
	for _, e := range endpoints {
		t.Run(e.name, func(t *testing.T) {
			address, predicted := e.start(t)
			patient := &probe.Client{Timeouts: probe.Timeouts{Dial: patience, Preface: patience, Answer: patience}}
			runner := replay.Runner{Client: patient, Targets: []replay.Target{{Label: address, Target: probe.Target{Address: address}}}, Names: e.names, Rate: -1, Concurrency: 4, Once: true}
			report, err := runner.Run(t.Context(), subjects)
			if err != nil {
				t.Fatal(err)
			}
			measured := replay.Side{Label: address, Answers: report.Answers(0)}
			side := predicted.side(subjects, e.names)
			accepted, certain := 0, 0
			for i, a := range measured.Answers {
				if a.Undetermined != "" {
					t.Errorf("%s: %s", subjects[i].Sample, a)
				}
				if a.Accepted {
					accepted++
				}
				if side.Answers[i].Undetermined == "" {
					certain++
				}
			}
			if certain != len(subjects) || accepted == 0 || accepted == len(subjects) {
				t.Errorf("%d of %d predictions are certain, %d hellos were taken", certain, len(subjects), accepted)
			}
			if text := replay.ContradictionsText(subjects, side, measured); text != "" {
				t.Error(text)
			}
			t.Logf("%d taken, %d refused: as predicted", accepted, len(subjects)-accepted)
		})
	}
}

// replayedReference is an endpoint by its configuration, which is read as a user names it.
func replayedReference(t *testing.T, ref string) *predictor {
	t.Helper()
	cmd := &cobra.Command{}
	cmd.SetErr(t.Output())
	p, err := newPredictor(cmd, ref)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func replayedNginx(t *testing.T, dir string) []replayed {
	path := importertest.Program(t, "nginx")
	version := importertest.Version(t, path, `nginx/([\d.]+)`, "-v")
	var list []replayed
	for _, text := range []string{
		"RSA",
		"EC ssl_protocols TLSv1.2 TLSv1.3;",
		"RSA EC ssl_protocols TLSv1.2 TLSv1.3; ssl_ecdh_curve X25519:prime256v1; ssl_prefer_server_ciphers on;",
		"RSA ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers DEFAULT:@SECLEVEL=0; ssl_dhparam DIR/dh.pem;",
		"EC ssl_protocols TLSv1.3;",
		"RSA ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256; ssl_ecdh_curve secp384r1;",
		"EC ssl_protocols TLSv1.2 TLSv1.3; ssl_ecdh_curve secp521r1:secp384r1;",
	} {
		list = append(list, replayed{name: "nginx " + text, start: func(t *testing.T) (string, *predictor) {
			address, conf := startReplayedNginx(t, path, "server { listen 127.0.0.1:PORT ssl; "+nginxCertificates(text, dir)+" }")
			return address, replayedReference(t, conf+"#version="+version)
		}})
	}
	return list
}

// nginxCertificates spells out RSA and EC.
func nginxCertificates(text, dir string) string {
	var words []string
	for word := range strings.FieldsSeq(text) {
		if word == "RSA" || word == "EC" {
			name := dir + "/" + strings.ToLower(word)
			word = "ssl_certificate " + name + ".crt; ssl_certificate_key " + name + ".key;"
		}
		words = append(words, word)
	}
	return strings.ReplaceAll(strings.Join(words, " "), "DIR", dir)
}

func replayedHAProxy(dir string) []replayed {
	var list []replayed
	for _, bind := range []string{
		"crt DIR/rsa.pem",
		"crt DIR/ec.pem alpn h2,http/1.1",
		"crt DIR/rsa.pem ssl-min-ver TLSv1.0 ciphers DEFAULT:@SECLEVEL=0",
		"crt DIR/rsa.pem strict-sni",
		"crt DIR/rsa.pem ssl-max-ver TLSv1.2 curves P-384 ciphers ECDHE-RSA-AES256-GCM-SHA384:AES128-SHA",
		"crt DIR/ec.pem ssl-min-ver TLSv1.3 curves P-256:X25519",
	} {
		list = append(list, replayed{name: "haproxy " + bind, start: func(t *testing.T) (string, *predictor) {
			path := importertest.Program(t, "haproxy")
			version := importertest.Version(t, path, `version ([\d.]+)`, "-v")
			port, conf := importertest.FreePort(t), filepath.Join(t.TempDir(), "haproxy.cfg")
			importertest.Write(t, conf, "defaults\n  mode tcp\n  timeout client 20s\n  timeout connect 20s\n  timeout server 20s\nfrontend f\n  bind 127.0.0.1:"+port+" ssl "+
				strings.ReplaceAll(bind, "DIR", dir)+"\n  tcp-request content reject\n")
			importertest.Start(t, ".", path, "-V", "-db", "-f", conf)
			importertest.AwaitPort(t, "127.0.0.1:"+port)
			return "127.0.0.1:" + port, replayedReference(t, conf+"#version="+version)
		}})
	}
	return list
}

// replayedBlocks are endpoints of which the reference names one block, while the clients that send no server name get to another.
func replayedBlocks(dir string) []replayed {
	var list []replayed
	certificates := strings.NewReplacer("RSA [", dir+"/rsa.pem [", "EC [", dir+"/ec.pem [")
	for _, c := range []struct{ list, name string }{
		// The default certificate's line holds for those that ask for its name alone; its versions do not for the others.
		{"RSA [ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.2 ciphers ECDHE-RSA-AES128-GCM-SHA256 alpn http/1.1] first.example\nEC [ssl-min-ver TLSv1.3 alpn h2] second.example\n", "first.example"},
		{"RSA [ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.2 ciphers ECDHE-RSA-AES128-GCM-SHA256 alpn http/1.1] first.example\nEC [ssl-min-ver TLSv1.3 alpn h2] second.example\n", "second.example"},
	} {
		list = append(list, replayed{name: "haproxy crt-list, " + c.name, names: replay.Names{All: c.name}, start: func(t *testing.T) (string, *predictor) {
			path, home := importertest.Program(t, "haproxy"), t.TempDir()
			version := importertest.Version(t, path, `version ([\d.]+)`, "-v")
			port, conf := importertest.FreePort(t), filepath.Join(home, "haproxy.cfg")
			importertest.Write(t, filepath.Join(home, "list"), certificates.Replace(c.list))
			importertest.Write(t, conf, "global\n  ssl-default-bind-options ssl-min-ver TLSv1.0\ndefaults\n  mode tcp\n  timeout client 20s\n  timeout connect 20s\n  timeout server 20s\nfrontend f\n  bind 127.0.0.1:"+port+
				" ssl crt-list "+home+"/list\n  tcp-request content reject\n")
			importertest.Start(t, ".", path, "-V", "-db", "-f", conf)
			importertest.AwaitPort(t, "127.0.0.1:"+port)
			return "127.0.0.1:" + port, replayedReference(t, conf+"#server_name="+c.name+"&version="+version)
		}})
	}
	return append(list, replayed{name: "nginx, the second of two servers", names: replay.Names{All: "second.example"}, start: func(t *testing.T) (string, *predictor) {
		path := importertest.Program(t, "nginx")
		address, conf := startReplayedNginx(t, path, "server { listen 127.0.0.1:PORT ssl default_server; server_name first.example; "+nginxCertificates("RSA ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers AES128-SHA;", dir)+" } "+
			"server { listen 127.0.0.1:PORT ssl; server_name second.example; "+nginxCertificates("EC ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384; ssl_ecdh_curve secp384r1;", dir)+" }")
		return address, replayedReference(t, conf+"#server_name=second.example&version="+importertest.Version(t, path, `nginx/([\d.]+)`, "-v"))
	}})
}

// startReplayedNginx starts nginx with servers that listen on PORT, and returns where that is, and its configuration.
func startReplayedNginx(t *testing.T, path, servers string) (address, conf string) {
	t.Helper()
	port, home := importertest.FreePort(t), t.TempDir()
	conf = filepath.Join(home, "nginx.conf")
	importertest.Write(t, conf, strings.NewReplacer("HOME", home, "PORT", port).Replace(`daemon off; pid HOME/pid; error_log stderr notice; worker_processes 1;
events {}
http {
  access_log off; client_body_temp_path HOME; proxy_temp_path HOME; fastcgi_temp_path HOME; uwsgi_temp_path HOME; scgi_temp_path HOME;
  `+servers+`
}
`))
	importertest.Start(t, "start worker process", path, "-p", home, "-c", conf)
	importertest.AwaitPort(t, "127.0.0.1:"+port)
	return "127.0.0.1:" + port, conf
}

func replayedGo(dir string) []replayed {
	of := func(name, pair string, kind policy.CertificateType, change func(*tls.Config, *policy.Policy)) replayed {
		return replayed{name: "Go " + name, start: func(t *testing.T) (string, *predictor) {
			certificate, err := tls.LoadX509KeyPair(filepath.Join(dir, pair+".crt"), filepath.Join(dir, pair+".key"))
			if err != nil {
				t.Fatal(err)
			}
			builtin, err := policy.Lookup("go/go-1.26")
			if err != nil {
				t.Fatal(err)
			}
			config, p := &tls.Config{Certificates: []tls.Certificate{certificate}}, builtin.Clone()
			p.Certificates = []policy.CertificateType{kind}
			change(config, p)
			return importertest.ServeGo(t, config), &predictor{label: p.Name, target: trial.On(p)}
		}}
	}
	return []replayed{
		of("RSA", "rsa", policy.CertRSA, func(*tls.Config, *policy.Policy) {}),
		of("ECDSA", "ec", policy.CertECDSAP256, func(*tls.Config, *policy.Policy) {}),
		of("ECDSA, h2", "ec", policy.CertECDSAP256, func(c *tls.Config, p *policy.Policy) {
			c.NextProtos = []string{"h2"}
			p.ALPN, p.ALPNRequired = []string{"h2"}, true
		}),
	}
}

func replayedOpenSSL(dir string) []replayed {
	var list []replayed
	for _, c := range []struct {
		args    string
		context openssl.Context
		command [2]string
	}{
		{args: "-cert rsa", context: openssl.Context{Certificates: []openssl.Certificate{{Type: policy.CertRSA}}}},
		{args: "-cert ec", context: openssl.Context{Certificates: []openssl.Certificate{{Type: policy.CertECDSAP256}}}},
		{args: "-cert rsa -cipher DEFAULT:@SECLEVEL=0", context: openssl.Context{Certificates: []openssl.Certificate{{Type: policy.CertRSA}}}, command: [2]string{"CipherString", "DEFAULT:@SECLEVEL=0"}},
		{args: "-cert rsa -groups P-384", context: openssl.Context{Certificates: []openssl.Certificate{{Type: policy.CertRSA}}}, command: [2]string{"Groups", "P-384"}},
	} {
		list = append(list, replayed{name: "s_server " + c.args, start: func(t *testing.T) (string, *predictor) {
			path := importertest.Program(t, "openssl")
			args := []string{"s_server", "-accept", "127.0.0.1:0"}
			words := strings.Fields(c.args)
			args = append(args, "-cert", filepath.Join(dir, words[1]+".crt"), "-key", filepath.Join(dir, words[1]+".key"))
			address := startAnswering(t, `^ACCEPT (127\.0\.0\.1:\d+)`, path, append(args, words[2:]...)...)
			c.context.DHAuto, c.context.ClientAuth = true, policy.ClientAuthNone
			if c.command[0] != "" {
				if _, err := c.context.Command(c.command[0], c.command[1]); err != nil {
					t.Fatal(err)
				}
			}
			p, _, errs := c.context.Policy()
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			return address, &predictor{label: "openssl", target: trial.On(p)}
		}})
	}
	return list
}

// startAnswering runs a program that reads its standard input until the test ends, and gives what matches in a line of its output.
func startAnswering(t *testing.T, ready, path string, args ...string) string {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Env = importertest.Environment()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := regexp.MustCompile(ready).FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the program
			return m[1]
		}
	}
	t.Fatalf("%s was not ready", path)
	return ""
}

func replayedJava(dir string) []replayed {
	var list []replayed
	for _, c := range []struct {
		name string
		kind policy.CertificateType
	}{{"rsa", policy.CertRSA}, {"ec", policy.CertECDSAP256}} {
		list = append(list, replayed{name: "Java " + c.name, start: func(t *testing.T) (string, *predictor) {
			path, classes := importertest.Program(t, "java"), t.TempDir()
			version := importertest.Version(t, path, `(?:openjdk|java) (\d[\d.]*)`, "--version")
			if said, ok := importertest.Run(t, importertest.Program(t, "javac"), "-d", classes, filepath.Join(moduleRoot(t), "inspect/policy/importer/testdata/Endpoints.java")); !ok {
				t.Fatal(said)
			}
			file := filepath.Join(dir, c.name)
			if said, ok := importertest.Run(t, importertest.Program(t, "openssl"), "pkcs12", "-export", "-in", file+".crt", "-inkey", file+".key", "-out", file+".p12", "-passout", "pass:test"); !ok {
				t.Fatal(said)
			}
			p, err := java.Policy(java.Options{Release: version})
			if err != nil {
				t.Fatal(err)
			}
			p.Certificates, p.ClientAuth = []policy.CertificateType{c.kind}, policy.ClientAuthNone
			if err := java.Apply(p, java.Options{Release: version}); err != nil {
				t.Fatal(err)
			}
			return startAnswering(t, `listening on (\S+)`, path, "-cp", classes, "Endpoints", file+".p12"), &predictor{label: "java", target: trial.On(p)}
		}})
	}
	return list
}
