package main

import (
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// peerEndpoint is an nginx with two certificates and the suites of a string.
func peerEndpoint(t testing.TB, versions, ciphers string) (port string) {
	t.Helper()
	nginx := importertest.Program(t, "nginx")
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "rsa", "ec")
	port = importertest.FreePort(t)
	conf := fmt.Sprintf("daemon off; master_process off; pid %s/pid; error_log stderr notice;\nevents {}\nhttp { access_log off;\n", dir)
	for _, d := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		conf += fmt.Sprintf("%s_temp_path %s/%s;\n", d, dir, d)
	}
	conf += fmt.Sprintf("server { listen 127.0.0.1:%s ssl; server_name localhost; ssl_certificate rsa.crt; ssl_certificate_key rsa.key; ssl_certificate ec.crt; ssl_certificate_key ec.key; ssl_protocols %s; ssl_ciphers %s; ssl_prefer_server_ciphers on; return 200 ok; } }\n", port, versions, ciphers)
	file := filepath.Join(dir, "nginx.conf")
	importertest.Write(t, file, conf)
	importertest.Start(t, "using the|nginx/", nginx, "-p", dir, "-c", file)
	importertest.AwaitPort(t, "127.0.0.1:"+port)
	return port
}

// peer finds a program to compare with. No part of the product needs it: it may be missing, in CI too.
func peer(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed, so that nothing is compared with it", name)
	}
	return path
}

// bySSLScan is what sslscan lists, by version.
func bySSLScan(t testing.TB, address string) map[string][]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "out.xml")
	if out, err := exec.Command(peer(t, "sslscan"), "--no-colour", "--xml="+file, address).CombinedOutput(); err != nil {
		t.Fatalf("sslscan: %v: %s", err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Ciphers []struct {
			Version string `xml:"sslversion,attr"`
			ID      string `xml:"id,attr"`
		} `xml:"ssltest>cipher"`
	}
	if err := xml.Unmarshal(data, &document); err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, c := range document.Ciphers {
		suite, ok := wire.CipherSuiteByName(c.ID)
		if !ok {
			t.Fatalf("sslscan's %q is not known", c.ID)
		}
		found[c.Version] = append(found[c.Version], suite.String())
	}
	return found
}

// byNmap is what nmap's ssl-enum-ciphers lists.
func byNmap(t testing.TB, port string) map[string][]string {
	t.Helper()
	out, err := exec.Command(peer(t, "nmap"), "-Pn", "--script", "ssl-enum-ciphers", "-p", port, "127.0.0.1").Output()
	if err != nil {
		t.Fatalf("nmap: %v", err)
	}
	found, version := map[string][]string{}, ""
	for line := range strings.Lines(string(out)) {
		if m := regexp.MustCompile(`^\|\s+(TLSv1\.\d|SSLv3):`).FindStringSubmatch(line); m != nil {
			version = m[1]
		}
		if m := regexp.MustCompile(`^\|\s+(TLS_\S+)`).FindStringSubmatch(line); m != nil && version != "" {
			name := strings.Replace(m[1], "TLS_AKE_WITH_", "TLS_", 1)
			if suite, ok := wire.CipherSuiteByName(name); ok {
				name = suite.String()
			}
			found[version] = append(found[version], name)
		}
	}
	return found
}

// TestScanAgreesWithItsPeers holds what is enumerated against what sslscan and nmap list for the same endpoint.
func TestScanAgreesWithItsPeers(t *testing.T) {
	for _, c := range []struct{ name, versions, ciphers string }{
		{"modern", "TLSv1.2 TLSv1.3", "HIGH:!aNULL:!MD5"},
		{"old", "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3", "ALL:@SECLEVEL=0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			port := peerEndpoint(t, c.versions, c.ciphers)
			ours := scanOnce(t, "127.0.0.1:"+port, "--sni", "localhost").Ciphers
			t.Run("sslscan", func(t *testing.T) {
				for version, names := range bySSLScan(t, "127.0.0.1:"+port) {
					sameSet(t, version, ours[version], names)
				}
			})
			t.Run("nmap", func(t *testing.T) {
				for version, names := range byNmap(t, port) {
					sameSet(t, version, ours[version], names)
				}
			})
		})
	}
}

// BenchmarkScan measures scan against its peers on one endpoint, in turns: what counts is the ratio.
//
//	go test ./cmd/tlstriage -run '^$' -bench Scan$ -benchtime 5x
func BenchmarkScan(b *testing.B) {
	port := peerEndpoint(b, "TLSv1.2 TLSv1.3", "HIGH:!aNULL:!MD5")
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	measure := func(name string, command func() *exec.Cmd) {
		path := command().Path
		if _, err := exec.LookPath(path); err != nil {
			b.Logf("%s is not installed", name)
			return
		}
		var took time.Duration
		for range b.N {
			cmd := command()
			began := time.Now()
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("%s: %v: %.500s", name, err, out)
			}
			took += time.Since(began)
		}
		b.ReportMetric(took.Seconds()/float64(b.N), name+"-s/op")
	}
	measure("tlstriage", func() *exec.Cmd {
		cmd := exec.Command(self, "scan", "127.0.0.1:"+port, "--sni", "localhost", "--fail-on", "never", "-o", "json")
		cmd.Env = append(os.Environ(), benchRole+"=tlstriage")
		return cmd
	})
	measure("sslscan", func() *exec.Cmd { return exec.Command("sslscan", "--no-colour", "127.0.0.1:"+port) })
	measure("nmap", func() *exec.Cmd {
		return exec.Command("nmap", "-Pn", "--script", "ssl-enum-ciphers", "-p", port, "127.0.0.1")
	})
}
