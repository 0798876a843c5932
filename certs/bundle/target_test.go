package bundle_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/bundle"
	"github.com/tlstriage/tlstriage/certs/certstest"
)

// written renders the result and writes it into a new directory.
func written(t *testing.T, r *bundle.Result, target bundle.Target, o bundle.OutputOptions) (string, *bundle.Output) {
	t.Helper()
	out, err := r.Output(target, o)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "out")
	paths, err := out.Write(dir, false)
	if err != nil || len(paths) != len(out.Files) {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 && runtime.GOOS != "windows" {
			t.Errorf("%s: mode %04o", path, mode)
		}
	}
	for _, line := range append(out.Use, out.Warnings...) {
		if strings.Contains(line, "PRIVATE") {
			t.Errorf("a key is told: %s", line)
		}
	}
	return dir, out
}

// kinds are results for one server with each kind of key.
func kinds(t *testing.T) map[string]*bundle.Result {
	p := certstest.New(t)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*bundle.Result{}
	for name, tpl := range map[string]certs.Template{"ECDSA": {}, "RSA": {Key: certs.RSA2048}, "Ed25519": {Signer: ed}} {
		tpl.Names, tpl.OCSPServer = []string{"www.example.com"}, []string{"http://ocsp.example/$(touch x)"}
		leaf := p.Issue(p.Issuing, tpl)
		r := build(p, pile(certs.EncodePEM(p.Root.Certificate, p.Intermediate.Certificate, p.Issuing.Certificate, leaf.Certificate), keyPEM(t, leaf)))
		complete(t, r)
		out[name] = r
	}
	return out
}

func TestNginxLoadsItsFiles(t *testing.T) {
	nginx := program(t, "nginx")
	for name, r := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			dir, out := written(t, r, bundle.Nginx, bundle.OutputOptions{})
			conf := "pid " + dir + "/pid;\nerror_log stderr;\nevents {}\nhttp { access_log off; server { listen 127.0.0.1:1 ssl;\n" +
				strings.ReplaceAll(strings.Join(out.Use[:2], "\n"), "/etc/nginx/tls", dir) + "\n} }\n"
			certstest.WriteFile(t, filepath.Join(dir, "nginx.conf"), []byte(conf))
			if said, err := command(dir, nginx, "-t", "-c", filepath.Join(dir, "nginx.conf")); !strings.Contains(said, "syntax is ok") || err != nil && !strings.Contains(said, "bind()") {
				t.Errorf("%v\n%s", err, said)
			}
		})
	}
}

func TestHAProxyLoadsItsFile(t *testing.T) {
	haproxy := program(t, "haproxy")
	for name, r := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			dir, out := written(t, r, bundle.HAProxy, bundle.OutputOptions{})
			conf := "defaults\n timeout client 1s\n timeout server 1s\n timeout connect 1s\nfrontend f\n mode tcp\n " +
				strings.NewReplacer("/etc/haproxy/tls", dir, ":443", "127.0.0.1:1").Replace(out.Use[0]) + "\n"
			certstest.WriteFile(t, filepath.Join(dir, "haproxy.cfg"), []byte(conf))
			run(t, dir, haproxy, "-c", "-f", filepath.Join(dir, "haproxy.cfg"))
			if said := strings.Join(out.Use, "\n"); !strings.Contains(said, "'http://ocsp.example/$(touch x)'") {
				t.Errorf("a stranger's address is not quoted: %s", said)
			}
		})
	}
}

func TestAWSPartsFitTogether(t *testing.T) {
	openssl := program(t, "openssl")
	for name, r := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			dir, out := written(t, r, bundle.AWS, bundle.OutputOptions{})
			if len(out.Files) != 3 || !strings.Contains(out.Use[0], "aws acm import-certificate --certificate fileb://www.example.com.cert.pem --private-key fileb://www.example.com.key.pem --certificate-chain fileb://www.example.com.chain.pem") {
				t.Errorf("%d files, %q", len(out.Files), out.Use[0])
			}
			ofCertificate := run(t, dir, openssl, "x509", "-in", "www.example.com.cert.pem", "-noout", "-pubkey")
			if ofKey := run(t, dir, openssl, "pkey", "-in", "www.example.com.key.pem", "-pubout"); ofKey != ofCertificate {
				t.Error("certificate and key do not match")
			}
			run(t, dir, openssl, "verify", "-partial_chain", "-trusted", "www.example.com.chain.pem", "www.example.com.cert.pem")
			if warned := len(out.Warnings) > 0; warned != (name == "Ed25519") {
				t.Errorf("warnings %q", out.Warnings)
			}
		})
	}
}

func TestKubectlTakesTheSecret(t *testing.T) {
	for name, r := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			dir, out := written(t, r, bundle.Ingress, bundle.OutputOptions{Namespace: "web"})
			again := bundle.Read([]bundle.Input{read(t, dir, "www.example.com.secret.yaml")})
			if len(again.Certificates) != 3 || len(again.Keys) != 1 {
				t.Errorf("read back: %d certificates and %d keys", len(again.Certificates), len(again.Keys))
			}
			if !strings.Contains(out.Use[0], "kubectl apply --namespace web -f www.example.com.secret.yaml") {
				t.Errorf("%q", out.Use)
			}
			kubectl := program(t, "kubectl")
			said := run(t, dir, kubectl, "label", "--local", "-f", "www.example.com.secret.yaml", "checked=yes", "-o", "json")
			for _, want := range []string{`"kubernetes.io/tls"`, `"www-example-com-tls"`, `"namespace": "web"`, `"tls.crt"`, `"tls.key"`} {
				if !strings.Contains(said, want) {
					t.Errorf("kubectl does not see %s: %s", want, said)
				}
			}
		})
	}
}

func TestEnvoySnippetNamesItsFiles(t *testing.T) {
	for name, r := range kinds(t) {
		dir, out := written(t, r, bundle.Envoy, bundle.OutputOptions{})
		snippet := string(read(t, dir, "www.example.com.envoy.yaml").Data)
		for _, f := range out.Files[:2] {
			if !strings.Contains(snippet, "filename: /etc/envoy/tls/"+f.Name) {
				t.Errorf("%s is not in the snippet:\n%s", f.Name, snippet)
			}
		}
		if warned := len(out.Warnings) > 0; warned != (name == "Ed25519") {
			t.Errorf("%s: warnings %q", name, out.Warnings)
		}
	}
}

func TestKeytoolAndOpenSSLOpenTheKeyStore(t *testing.T) {
	keytool, openssl := program(t, "keytool"), program(t, "openssl")
	for name, r := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			dir, out := written(t, r, bundle.Java, bundle.OutputOptions{})
			listed := run(t, dir, keytool, strings.Fields(out.Use[0])[1:]...)
			if !strings.Contains(listed, "PrivateKeyEntry") || !strings.Contains(listed, "1 entry") {
				t.Errorf("keytool: %s", listed)
			}
			long := run(t, dir, keytool, append(strings.Fields(out.Use[0])[1:], "-v")...)
			if !strings.Contains(long, "Certificate chain length: 3") {
				t.Errorf("keytool: %s", long)
			}
			run(t, dir, openssl, "pkcs12", "-in", "www.example.com.p12", "-passin", "file:www.example.com.p12.password", "-nodes", "-out", "back.pem")
			if back := bundle.Read([]bundle.Input{read(t, dir, "back.pem")}); len(back.Certificates) != 3 || len(back.Keys) != 1 {
				t.Errorf("openssl gives back %d certificates and %d keys", len(back.Certificates), len(back.Keys))
			}
			password := string(read(t, dir, "www.example.com.p12.password").Data)
			if strings.Contains(strings.Join(out.Use, " "), password) {
				t.Error("the password is told")
			}
			own, err := r.Output(bundle.Java, bundle.OutputOptions{Password: "my own"})
			if err != nil || len(own.Files) != 1 {
				t.Fatal(len(own.Files), err)
			}
			if back := bundle.Read([]bundle.Input{{Name: "own", Data: own.Files[0].Data}}, "my own"); len(back.Keys) != 1 {
				t.Errorf("with a password of one's own: %v", back.Notes)
			}
		})
	}
}

func TestOutputWithoutAKeyGivesTheCertificates(t *testing.T) {
	p := certstest.New(t)
	r := build(p, pile(certs.EncodePEM(p.Leaf("www.example.com").Chain()...)))
	for _, target := range bundle.Targets() {
		out, err := r.Output(target, bundle.OutputOptions{})
		if err != nil || len(out.Files) == 0 {
			t.Fatal(target, err)
		}
		for _, f := range out.Files {
			if f.Secret || strings.Contains(string(f.Data), "PRIVATE") {
				t.Errorf("%s: %s is said to hold a key", target, f.Name)
			}
		}
	}
	if _, err := r.Output("iis", bundle.OutputOptions{}); err == nil {
		t.Error("an unknown target was accepted")
	}
}

func TestWriteReplacesOnlyWhenAsked(t *testing.T) {
	r := kinds(t)["ECDSA"]
	dir, out := written(t, r, bundle.Nginx, bundle.OutputOptions{})
	if _, err := out.Write(dir, false); !errors.Is(err, os.ErrExist) {
		t.Errorf("written again: %v", err)
	}
	if _, err := out.Write(dir, true); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(out.Files) {
		t.Errorf("%d files, want %d, %v", len(entries), len(out.Files), err)
	}
}
