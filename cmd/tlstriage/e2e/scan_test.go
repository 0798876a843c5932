package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// scanResult is what `scan -o json` says of one target, by the fields that others rely on.
type scanResult struct {
	Target           string
	Address          string
	Verdict          inspect.Verdict
	Cause            string
	Findings         []inspect.Finding
	Versions         []string
	Ciphers          map[string][]string
	CipherPreference map[string]string `json:"cipher_preference"`
	Groups           []string
	SignatureSchemes []string `json:"signature_schemes"`
	ALPN             []string
	Certificates     []json.RawMessage
	SNI              []struct{ Form, Result string }
	ClientCert       struct{ Request string } `json:"client_certificate"`
	Resumption       map[string]struct{ Result string }
	Connections      int
	LongestHello     int `json:"longest_hello"`
	Layers           []struct{ Layer, Status, Sentence string }
}

// scanned runs a scan that prints JSON.
func scanned(t *testing.T, args ...string) (*scanResult, ran) {
	t.Helper()
	got := client(t, "", program, append([]string{"scan", "-o", "json", "--timeout", "30s"}, args...)...)
	s := &scanResult{}
	if err := json.Unmarshal([]byte(got.out), s); err != nil {
		t.Fatalf("scan %q: %v: exit %d: %s", args, err, got.code, got.out)
	}
	return s, got
}

// Every faulty chain has the same cause as with `certs check`, and everything else is enumerated all the same.
func TestScanJudgesCertificates(t *testing.T) {
	t.Parallel()
	causes := map[certstest.Kind]string{
		certstest.Healthy: "", certstest.Expired: "cert-expired", certstest.NotYetValid: "cert-not-yet-valid", certstest.WrongName: "cert-name-mismatch",
		certstest.SelfSigned: "cert-self-signed", certstest.MissingIntermediate: "chain-missing-intermediate", certstest.WrongOrder: "chain-wrong-order",
		certstest.UntrustedRoot: "chain-untrusted-root", certstest.ExpiredIntermediate: "chain-intermediate-expired",
		certstest.WeakKey: "cert-weak-key", certstest.ClientOnly: "cert-wrong-usage",
	}
	pki := certstest.New(t)
	ca, name := pki.WriteRoot(t), "www."+site
	for kind, cause := range causes {
		t.Run(string(kind), func(t *testing.T) {
			s, got := scanned(t, goBackend(t, pki.Make(kind, name), nil), "--sni", name, "--ca", ca)
			want := 0
			if slices.ContainsFunc(s.Findings, func(f inspect.Finding) bool { return f.Severity == inspect.SeverityError }) {
				want = 1
			}
			if s.Cause != cause || got.code != want || (s.Verdict == inspect.Failed) != (want == 1) {
				t.Errorf("cause %q, verdict %s, exit %d; want cause %q", s.Cause, s.Verdict, got.code, cause)
			}
			if !slices.Equal(s.Versions, []string{"TLSv1.3", "TLSv1.2"}) || len(s.Certificates) != 1 || !slices.Equal(s.ALPN, []string{"h2", "http/1.1"}) {
				t.Errorf("versions %v, %d certificates, ALPN %v", s.Versions, len(s.Certificates), s.ALPN)
			}
			if s.Connections == 0 || s.Connections > 150 || s.LongestHello < 1000 {
				t.Errorf("%d connections, the longest hello %d bytes", s.Connections, s.LongestHello)
			}
		})
	}
}

func TestScanOfWhatIsBroken(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	closed, _ := freePort(t)
	clientCAs := x509.NewCertPool()
	clientCAs.AddCert(pki.Root.Certificate)
	for _, c := range []struct{ name, address, cause, layer string }{
		{"nothing listens", closed, "backend-refused", "tcp"},
		{"plain HTTP", plainBackend(t), "backend-not-tls", "first_bytes"},
		{"no address", "nowhere.invalid:443", "backend-unresolvable", "dns"},
		{"a client certificate", goBackend(t, pki.Make(certstest.Healthy, site), &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clientCAs}), "backend-requires-client-cert", "finished"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, got := scanned(t, c.address, "--sni", site, "--ca", ca)
			if s.Cause != c.cause || s.Verdict != inspect.Failed || got.code != 1 {
				t.Errorf("cause %q, verdict %s, exit %d; want %q, failed, 1: %s", s.Cause, s.Verdict, got.code, c.cause, got.out)
			}
			broken := ""
			for _, l := range s.Layers {
				if l.Status == "broken" {
					broken = l.Layer
					if !strings.HasSuffix(l.Sentence, ".") {
						t.Errorf("no sentence: %q", l.Sentence)
					}
				}
			}
			if broken != c.layer {
				t.Errorf("broken layer %q, want %q: %+v", broken, c.layer, s.Layers)
			}
		})
	}
	t.Run("with the client certificate", func(t *testing.T) {
		cert, key := pki.Make(certstest.ClientOnly, "client").WriteFiles(t)
		address := goBackend(t, pki.Make(certstest.Healthy, site), &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clientCAs})
		s, got := scanned(t, address, "--sni", site, "--ca", ca, "--client-cert", cert, "--client-key", key)
		if s.Verdict == inspect.Failed || got.code != 0 {
			t.Errorf("verdict %s, cause %q, exit %d: %s", s.Verdict, s.Cause, got.code, got.out)
		}
	})
}

func TestScanAgainstSomething(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	chain := pki.Make(certstest.HealthyRSA, site)
	before := goBackend(t, chain, nil)
	after := goBackend(t, chain, &tls.Config{MaxVersion: tls.VersionTLS12})
	has := func(s *scanResult, id string) bool {
		return slices.ContainsFunc(s.Findings, func(f inspect.Finding) bool { return f.ID == id })
	}
	_, got := scanned(t, before, "--sni", site, "--ca", ca)
	baseline := filepath.Join(t.TempDir(), "before.json")
	certstest.WriteFile(t, baseline, []byte(got.out))
	if s, got := scanned(t, before, "--sni", site, "--ca", ca, "--baseline", baseline); got.code != 0 || has(s, "server-changed") {
		t.Errorf("nothing has changed: exit %d: %+v", got.code, s.Findings)
	}
	if s, got := scanned(t, after, "--sni", site, "--ca", ca, "--baseline", baseline); got.code != 1 || !has(s, "server-changed") {
		t.Errorf("TLS 1.3 is gone: exit %d: %+v", got.code, s.Findings)
	}
	policy := filepath.Join(t.TempDir(), "go.yaml")
	certstest.WriteFile(t, policy, []byte("versions: [TLSv1.2]\nciphers: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]\nfamily: go\n"))
	narrow := goBackend(t, chain, &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}})
	if s, got := scanned(t, narrow, "--sni", site, "--ca", ca, "--policy", policy); got.code != 0 || has(s, "server-policy-drift") {
		t.Errorf("it has its policy: exit %d: %+v", got.code, s.Findings)
	}
	if s, got := scanned(t, before, "--sni", site, "--ca", ca, "--policy", policy); got.code != 1 || !has(s, "server-policy-drift") {
		t.Errorf("it has another policy: exit %d: %+v", got.code, s.Findings)
	}
	if s, got := scanned(t, after, "--sni", site, "--ca", ca, "--as", "java6", "--explain"); got.code != 1 || !has(s, "server-refuses-clients") {
		t.Errorf("Java 6 speaks TLS 1.0 alone: exit %d: %+v", got.code, s.Findings)
	}
	if s, got := scanned(t, after, "--sni", site, "--ca", ca, "--as", "curl"); got.code != 0 || has(s, "server-refuses-clients") {
		t.Errorf("curl is taken: exit %d: %+v", got.code, s.Findings)
	}
}

func TestScanForms(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	good, bad := goBackend(t, pki.Make(certstest.Healthy, site), nil), plainBackend(t)
	targets := filepath.Join(t.TempDir(), "targets")
	certstest.WriteFile(t, targets, []byte("# two\n"+good+"\n\n"+bad+"  # no TLS\n"))
	args := []string{"scan", "--timeout", "30s", "--targets", targets, "--sni", site, "--ca", pki.WriteRoot(t)}
	got := client(t, "", program, append(args, "-o", "json")...)
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	if got.code != 1 || len(lines) != 2 || !strings.Contains(lines[0], good) || !strings.Contains(lines[1], bad) {
		t.Errorf("two targets in their order: exit %d: %s", got.code, got.out)
	}
	got = client(t, "", program, append(args, "-o", "junit")...)
	var suites struct {
		Failures int `xml:"failures,attr"`
		Suites   []struct {
			Name string `xml:"name,attr"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(got.out), &suites); err != nil || len(suites.Suites) != 2 || suites.Failures == 0 || suites.Suites[0].Name != good {
		t.Errorf("junit: %v: %+v", err, suites)
	}
	got = client(t, "", program, append(args, "-o", "sarif")...)
	var log struct {
		Version string
		Runs    []struct {
			Results []struct{ RuleID, Level string }
		}
	}
	if err := json.Unmarshal([]byte(got.out), &log); err != nil || log.Version != "2.1.0" || len(log.Runs) != 1 || len(log.Runs[0].Results) == 0 {
		t.Errorf("sarif: %v: %+v", err, log)
	}
	got = client(t, "", program, append(args, "-o", "markdown")...)
	if !strings.Contains(got.out, "backend-not-tls") || strings.Count(got.out, "\n## ") != 1 || !strings.HasPrefix(got.out, "## ") {
		t.Errorf("markdown: %s", got.out)
	}
	got = client(t, "", program, args...)
	if !strings.Contains(got.out, "plain HTTP") || !strings.Contains(got.out, "TLSv1.3") {
		t.Errorf("text: %s", got.out)
	}
	for _, wrong := range [][]string{{"scan"}, {"scan", "host:0"}, {"scan", "a", "-o", "yaml"}, {"scan", "a", "--starttls", "gopher"}, {"scan", "a", "--quic", "--starttls", "smtp"}, {"scan", "a", "--fail-on", "x"}, {"scan", "a", "--policy", "no/such"}, {"scan", "a", "--baseline", os.DevNull}} {
		if got := client(t, "", program, wrong...); got.code != 2 || got.out == "" {
			t.Errorf("%q: exit %d: %s", wrong, got.code, got.out)
		}
	}
}
