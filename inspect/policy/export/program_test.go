package export_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/export"
	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	path = filepath.Join("/usr/sbin", name)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

// run runs a program without what the machine's OpenSSL configuration says, unless env has another one.
func run(t testing.TB, env []string, path string, args ...string) string {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Env = append(append(os.Environ(), "OPENSSL_CONF=/dev/null", "LC_ALL=C"), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", path, strings.Join(args, " "), err, out)
	}
	return string(out)
}

var number = regexp.MustCompile(`\d+\.\d+\.\d+`)

// material is a directory with the files that snippets name: a certificate, authorities, Diffie-Hellman parameters.
func material(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"a.example.com"}, IsCA: true, BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	write("server.crt", certificate)
	write("server.key", keyPEM)
	write("server.pem", slices.Concat(certificate, keyPEM))
	write("client-ca.crt", certificate)
	write("client-ca.pem", certificate)
	run(t, nil, program(t, "openssl"), "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048", "-out", filepath.Join(dir, "dhparam.pem"))
	return dir
}

// everything are the built-in policies and those of the user's own.
func everything(t testing.TB) []*policy.Policy {
	return append(slices.Collect(policy.All()), own(t)...)
}

// accepted hands the snippets of policies to a program: those of the user's own, and of the built-in ones every stride-th.
func accepted(t *testing.T, system string, o export.Options, file string, stride int, check func(t *testing.T, s *export.Snippet, path string)) {
	dir := material(t)
	tried := make(map[string]bool)
	for i, p := range everything(t) {
		if p.Provider != "" && i%stride != 0 {
			continue
		}
		s, err := export.Export(p, system, o)
		if err != nil || tried[s.Text] {
			continue // told by other tests, or the same
		}
		tried[s.Text] = true
		text := s.WithComments()
		for _, home := range []string{"/etc/nginx/tls", "/etc/haproxy/tls", "/etc/caddy/tls", "/etc/apache2/tls", "/etc/envoy/tls"} {
			text = strings.ReplaceAll(text, home, dir)
		}
		text = strings.ReplaceAll(text, "listen 443 ", "listen unix:"+dir+"/socket ")
		text = strings.ReplaceAll(text, "bind :443 ", "bind unix@"+dir+"/socket ")
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if check(t, s, path); t.Failed() {
			t.Fatalf("%s\n%s", p.Name, text)
		}
	}
	t.Logf("%d snippets accepted", len(tried))
	if len(tried) < 40 {
		t.Errorf("only %d snippets were tried", len(tried))
	}
}

func TestNginxAcceptsTheSnippets(t *testing.T) {
	path := program(t, "nginx")
	o := export.Options{Version: number.FindString(run(t, nil, path, "-v"))}
	test := func(t *testing.T, s *export.Snippet, file string) {
		dir := filepath.Dir(file)
		conf := fmt.Sprintf("pid %s/pid;\nerror_log stderr;\nevents {}\nhttp {\n    access_log off;\n    include %s;\n}\n", dir, file)
		if s.System == "nginx-stream" {
			conf = fmt.Sprintf("pid %s/pid;\nerror_log stderr;\nevents {}\ninclude %s;\n", dir, file)
			if module := "/usr/lib/nginx/modules/ngx_stream_module.so"; exists(module) {
				conf = "load_module " + module + ";\n" + conf
			}
		}
		main := filepath.Join(dir, "main.conf")
		if err := os.WriteFile(main, []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, nil, path, "-t", "-q", "-p", dir, "-c", main)
	}
	t.Run("http", func(t *testing.T) { accepted(t, "nginx", o, "snippet.conf", 2, test) })
	t.Run("stream", func(t *testing.T) {
		if !exists("/usr/lib/nginx/modules/ngx_stream_module.so") && !strings.Contains(run(t, nil, path, "-V"), "--with-stream ") {
			t.Skip("nginx has no stream module")
		}
		accepted(t, "nginx-stream", o, "snippet.conf", 2, test)
	})
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestHAProxyAcceptsTheSnippets(t *testing.T) {
	path := program(t, "haproxy")
	o := export.Options{Version: number.FindString(run(t, nil, path, "-v"))}
	accepted(t, "haproxy", o, "haproxy.cfg", 3, func(t *testing.T, s *export.Snippet, file string) {
		run(t, nil, path, "-c", "-q", "-f", file)
	})
}

func TestCaddyAcceptsTheSnippets(t *testing.T) {
	path := program(t, "caddy")
	version := number.FindString(run(t, nil, path, "version"))
	home := t.TempDir()
	accepted(t, "caddy", export.Options{}, "caddy.json", 1, func(t *testing.T, s *export.Snippet, file string) {
		if slices.Contains(s.Policy.Groups, wire.GroupX25519MLKEM768) && strings.HasPrefix(version, "2.6.") && strings.Contains(s.Text, "mlkem") {
			return // a release before 2.10 does not have the group
		}
		run(t, []string{"HOME=" + home}, path, "validate", "--config", file)
	})
}

// OpenSSL itself says which suites it has in use with the snippet as its configuration.
func TestOpenSSLObeysTheSnippets(t *testing.T) {
	path := program(t, "openssl")
	accepted(t, "openssl", export.Options{}, "policy.cnf", 1, func(t *testing.T, s *export.Snippet, file string) {
		if versions := s.Policy.Versions; len(versions) > 0 && int(slices.Max(versions)-slices.Min(versions)) >= len(versions) {
			return // the command sees itself as a client, which cannot say holes
		}
		var want []string
		for _, suite := range s.Policy.Normalize().CipherSuites {
			want = append(want, openssl.Name(suite))
		}
		out := strings.TrimSpace(run(t, []string{"OPENSSL_CONF=" + file}, path, "ciphers", "-s"))
		// The command sets bounds of its own for the versions.
		got := slices.DeleteFunc(strings.Split(out, ":"), func(name string) bool {
			suite, _ := wire.CipherSuiteByName(name)
			info, _ := suite.Info()
			return !slices.ContainsFunc(slices.Concat(s.Policy.Versions, s.Policy.BlockedVersions), func(v wire.Version) bool { return v >= info.MinVersion && v <= info.MaxVersion })
		})
		if !slices.Equal(got, want) {
			t.Errorf("suites in use: %q\nforetold: %q", got, want)
		}
	})
}

func TestApacheAcceptsTheSnippets(t *testing.T) {
	path := program(t, "apache2")
	const modules = "/usr/lib/apache2/modules/"
	accepted(t, "apache", export.Options{}, "site.conf", 2, func(t *testing.T, s *export.Snippet, file string) {
		dir := filepath.Dir(file)
		conf := "ServerRoot " + dir + "\nPidFile " + dir + "/pid\nErrorLog /dev/stderr\nListen 127.0.0.1:8443\n"
		for _, m := range []string{"mpm_event", "authz_core", "socache_shmcb", "ssl", "http2"} {
			conf += "LoadModule " + m + "_module " + modules + "mod_" + m + ".so\n"
		}
		main := filepath.Join(dir, "main.conf")
		if err := os.WriteFile(main, []byte(conf+"Include "+file+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, nil, path, "-t", "-f", main)
	})
}

// The literals are typed Go, and say what the policy foretold says.
func TestGoAcceptsTheSnippets(t *testing.T) {
	var source strings.Builder
	source.WriteString("package p\nimport \"crypto/tls\"\n")
	n := 0
	for _, p := range everything(t) {
		s, err := export.Export(p, "go", export.Options{})
		if err != nil {
			continue
		}
		fmt.Fprintf(&source, "func f%d() *tls.Config {\n%s\nreturn config }\n", n, s.WithComments())
		n++
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "p.go", source.String(), parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	config := types.Config{Importer: importer.ForCompiler(files, "source", nil)}
	if _, err := config.Check("p", files, []*ast.File{file}, nil); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d literals", n)
	if n < 100 {
		t.Errorf("only %d literals", n)
	}
}

const javaProgram = `import java.util.*;
import javax.net.ssl.*;
public class Snippets {
  static void say(SSLServerSocket s) {
    SSLParameters p = s.getSSLParameters();
    System.out.println(String.join(",", p.getProtocols()) + " " + String.join(",", p.getCipherSuites()));
  }
%s
  public static void main(String[] args) throws Exception {
    SSLContext context = SSLContext.getDefault();
%s
  }
}
`

// Java takes every name in the snippets, and has the suites in the order of the policy.
func TestJavaAcceptsTheSnippets(t *testing.T) {
	path := program(t, "java")
	var methods, calls strings.Builder
	var want []*export.Snippet
	for _, p := range everything(t) {
		s, err := export.Export(p, "java", export.Options{})
		if err != nil {
			continue
		}
		fmt.Fprintf(&methods, "  static void f%d(SSLContext context) throws Exception {\n    SSLServerSocket serverSocket = (SSLServerSocket) context.getServerSocketFactory().createServerSocket();\n%s    say(serverSocket);\n  }\n", len(want), s.WithComments())
		fmt.Fprintf(&calls, "    f%d(context);\n", len(want))
		want = append(want, s)
	}
	file := filepath.Join(t.TempDir(), "Snippets.java")
	if err := os.WriteFile(file, fmt.Appendf(nil, javaProgram, methods.String(), calls.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(run(t, nil, path, file)), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d answers to %d snippets:\n%.2000s", len(lines), len(want), strings.Join(lines, "\n"))
	}
	for i, s := range want {
		var suites []string
		for _, suite := range s.Policy.CipherSuites {
			name := suite.String()
			if strings.Contains(name, "3DES") && !strings.Contains(name, "ECDH") {
				name = "SSL_" + strings.TrimPrefix(name, "TLS_")
			}
			suites = append(suites, name)
		}
		_, got, _ := strings.Cut(lines[i], " ")
		if got != strings.Join(suites, ",") {
			t.Errorf("%s: got %s, want %v", s.Policy.Name, got, suites)
		}
	}
	t.Logf("%d snippets", len(want))
}
