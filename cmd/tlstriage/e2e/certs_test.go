package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/proxy/monitor"
)

// checkedChain is what `certs check -o json` says of one target.
type checkedChain struct {
	Target, Cause, Name string
	Verdict             inspect.Verdict
	Fault               inspect.Fault
	Findings            []inspect.Finding
	Chain               []inspect.Certificate `json:"certificate_chain"`
}

// Every faulty chain, at a live server and in a file: the same cause, the same exit code, and nothing about a healthy one.
func TestCertsCheck(t *testing.T) {
	t.Parallel()
	causes := map[certstest.Kind]string{
		certstest.Healthy: "", certstest.HealthyRSA: "", certstest.Wildcard: "", certstest.IPName: "",
		certstest.Expired: "cert-expired", certstest.NotYetValid: "cert-not-yet-valid", certstest.ExpiringSoon: "cert-expiring-soon",
		certstest.WrongName: "cert-name-mismatch", certstest.CommonNameOnly: "cert-name-mismatch", certstest.SelfSigned: "cert-self-signed",
		certstest.MissingIntermediate: "chain-missing-intermediate", certstest.MissingUpper: "chain-missing-intermediate",
		certstest.WrongOrder: "chain-wrong-order", certstest.Unrelated: "chain-unrelated-certificate",
		certstest.UntrustedRoot: "chain-untrusted-root", certstest.UntrustedRootSent: "chain-untrusted-root", certstest.ExpiredIntermediate: "chain-intermediate-expired",
		certstest.WeakKey: "cert-weak-key", certstest.WeakSignature: "cert-weak-signature",
		certstest.ClientOnly: "cert-wrong-usage", certstest.NoSignatureKeyUsage: "cert-wrong-usage", certstest.CAAsLeaf: "cert-wrong-usage",
	}
	pki := certstest.New(t)
	ca, name := pki.WriteRoot(t), "www."+site // a wildcard for site would be one for a whole top level
	for _, kind := range certstest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			chain := pki.Make(kind, name)
			if kind == certstest.ExpiringSoon { // of a usual life: a short-lived one is renewed late
				leaf := pki.Issue(pki.Issuing, certs.Template{Names: []string{name}, NotBefore: pki.Now.AddDate(0, 0, -80), NotAfter: pki.Now.AddDate(0, 0, 5)})
				chain = &certstest.Chain{Kind: kind, Leaf: leaf, Presented: leaf.Chain()}
			}
			file, _ := chain.WriteFiles(t)
			var seen []*checkedChain
			for _, target := range []string{goBackend(t, chain, nil), file} {
				got := client(t, "", program, "certs", "check", target, "--name", name, "--ca", ca, "-o", "json")
				c := &checkedChain{}
				if err := json.Unmarshal([]byte(got.out), c); err != nil {
					t.Fatalf("%v: %s", err, got.out)
				}
				seen = append(seen, c)
				want := 0
				for _, f := range c.Findings {
					if f.Severity == inspect.SeverityError {
						want = 1
					}
				}
				if got.code != want || (c.Verdict == inspect.Failed) != (want == 1) || len(c.Chain) != len(chain.Presented) {
					t.Errorf("%s: exit %d, verdict %s with %d certificates: %s", target, got.code, c.Verdict, len(c.Chain), got.out)
				}
				if cause, known := causes[kind]; known && c.Cause != cause || !known && (c.Verdict != inspect.Failed || c.Fault != inspect.FaultBackend) {
					t.Errorf("%s: cause %q of %s (%s), want %q", target, c.Cause, c.Fault, c.Verdict, cause)
				}
				text := client(t, "", program, "certs", "check", target, "--name", name, "--ca", ca)
				if text.code != got.code || !strings.HasPrefix(text.out, target+"  "+string(c.Verdict)) {
					t.Errorf("as text: exit %d: %s", text.code, text.out)
				}
			}
			if seen[0].Cause != seen[1].Cause {
				t.Errorf("the server's chain has %q, the file %q", seen[0].Cause, seen[1].Cause)
			}
		})
	}
}

// What other servers present is judged the same.
func TestCertsCheckOfOtherServers(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	cert, key := pki.Make(certstest.MissingIntermediate, site).WriteFiles(t)
	whole, wholeKey := healthyChain(pki).WriteFiles(t)
	for name, c := range map[string]struct{ addr, cause string }{
		"s_server": {sServer(t, cert, key), "chain-missing-intermediate"},
		"nginx":    {nginxServer(t, cert, key, ""), "chain-missing-intermediate"},
		"healthy":  {nginxServer(t, whole, wholeKey, ""), ""},
		"plain":    {plainBackend(t), "backend-not-tls"},
	} {
		got := client(t, "", program, "certs", "check", c.addr, "--name", site, "--ca", ca, "-o", "json")
		var seen checkedChain
		if err := json.Unmarshal([]byte(got.out), &seen); err != nil || seen.Cause != c.cause || (got.code == 0) != (c.cause == "") {
			t.Errorf("%s: exit %d, cause %q, %v: %s", name, got.code, seen.Cause, err, got.out)
		}
	}
}

// What `certs fix` makes of a pile is what nginx, HAProxy and OpenSSL take.
func TestCertsFixWritesWhatServersTake(t *testing.T) {
	t.Parallel()
	need(t, "nginx", "haproxy", "openssl")
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	pem := func(t *testing.T, name string, data []byte) string {
		t.Helper()
		file := filepath.Join(t.TempDir(), name)
		certstest.WriteFile(t, file, data)
		return file
	}
	openssl := func(t *testing.T, args ...string) {
		t.Helper()
		if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	leaf := pki.Leaf(site)
	keyPEM, err := leaf.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	stranger := pki.Issue(pki.OtherRoot, certs.Template{Names: []string{"stranger.example"}})
	key := pem(t, "site.key", keyPEM)
	above := pem(t, "above.pem", certs.EncodePEM(pki.Issuing.Certificate, pki.Intermediate.Certificate))
	password := pem(t, "password", []byte("s3cret\n"))
	p12, p7 := filepath.Join(t.TempDir(), "site.pfx"), filepath.Join(t.TempDir(), "chain.p7b")
	openssl(t, "pkcs12", "-export", "-in", pem(t, "leaf.pem", certs.EncodePEM(leaf.Certificate)), "-inkey", key, "-certfile", above, "-passout", "file:"+password, "-out", p12)
	openssl(t, "crl2pkcs7", "-nocrl", "-certfile", above, "-outform", "DER", "-out", p7)
	piles := map[string][]string{
		"wrong order, root and a stranger": {pem(t, "all.pem", certs.EncodePEM(pki.Root.Certificate, pki.Intermediate.Certificate, stranger.Certificate, leaf.Certificate, pki.Issuing.Certificate)), key},
		"one file of each":                 {key, pem(t, "root.pem", certs.EncodePEM(pki.Root.Certificate)), above, pem(t, "leaf.der", leaf.Certificate.Raw)},
		"PKCS 7 beside the leaf":           {p7, key, pem(t, "leaf.pem", certs.EncodePEM(leaf.Certificate))},
		"PKCS 12":                          {p12, "--password-file", password},
	}
	for name, pile := range piles {
		t.Run(name, func(t *testing.T) {
			fix := func(target string) string {
				out := filepath.Join(t.TempDir(), target)
				got := client(t, "", program, append([]string{"certs", "fix", "--ca", ca, "--for", target, "--out", out, "--name", site}, pile...)...)
				if got.code != 0 || strings.Contains(got.out, "PRIVATE KEY") || strings.Contains(got.out, "s3cret") {
					t.Errorf("%s: exit %d: %s", target, got.code, got.out)
				}
				if files := tidy(t, out); strings.Contains(files, " 644") || !strings.Contains(files, " 600") {
					t.Errorf("%s: %s", target, files)
				}
				return out
			}
			dir := fix("nginx")
			full := filepath.Join(dir, site+".fullchain.pem")
			b := backend{addr: nginxServer(t, full, filepath.Join(dir, site+".key"), ""), ca: ca}
			if got := client(t, "", "openssl", "verify", "-CAfile", ca, "-untrusted", full, "-verify_hostname", site, full); got.code != 0 {
				t.Errorf("openssl verify: %s", got.out)
			}
			b2 := backend{addr: haproxy(t, filepath.Join(fix("haproxy"), site+".pem"), ""), ca: ca}
			for _, x := range []backend{b, b2} {
				got := client(t, "", program, "certs", "check", x.addr, "--name", site, "--ca", ca, "-o", "json")
				var seen checkedChain
				if err := json.Unmarshal([]byte(got.out), &seen); err != nil || got.code != 0 || seen.Cause != "" || len(seen.Chain) != 3 {
					t.Errorf("served: exit %d: %s", got.code, got.out)
				}
			}
			for target, file := range map[string]string{"java": site + ".p12", "envoy": site + ".fullchain.pem"} {
				if _, err := os.Stat(filepath.Join(fix(target), file)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	t.Run("a key that is another's", func(t *testing.T) {
		wrong, err := stranger.KeyPEM()
		if err != nil {
			t.Fatal(err)
		}
		got := client(t, "", program, "certs", "fix", "--ca", ca, pem(t, "leaf.pem", certs.EncodePEM(leaf.Certificate)), above, pem(t, "wrong.key", wrong))
		if got.code != 1 || !strings.Contains(got.out, "none that fits") {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
	})
}

// An intermediate that nobody sends is fetched from where the certificate says, and from nowhere else: only when that is asked for,
// and inside only from hosts that are allowed.
func TestMissingIntermediateIsFetched(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	ca := pki.WriteRoot(t)
	var asked atomic.Int32
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/pkix-cert")
		w.Write(pki.Intermediate.Certificate.Raw)
	}))
	t.Cleanup(web.Close)
	leaf := pki.Issue(pki.Intermediate, certs.Template{Names: []string{site}, IssuingCertificateURL: []string{web.URL + "/ca.der"}})
	alone := &certstest.Chain{Leaf: leaf, Presented: leaf.Chain()[:1]}
	cert, key := alone.WriteFiles(t)
	addr := goBackend(t, alone, nil)

	check := func(more ...string) string {
		got := client(t, "", program, append([]string{"certs", "check", addr, "--name", site, "--ca", ca, "-v"}, more...)...)
		if got.code != 1 || !strings.Contains(got.out, "chain-missing-intermediate") {
			t.Errorf("exit %d: %s", got.code, got.out)
		}
		return got.out
	}
	check()
	check("--fetch-intermediates")
	if n := asked.Load(); n != 0 {
		t.Errorf("asked %d times where nobody allowed it", n)
	}
	if out := check("--fetch-intermediates", "--revocation-host", "127.0.0.1"); asked.Load() != 1 || !strings.Contains(out, "Test Intermediate") {
		t.Errorf("asked %d times: %s", asked.Load(), out)
	}
	reporting := startProxy(t, "--backend", "tls://"+addr, "--backend-ca", ca, "--backend-sni", site, "--fetch-intermediates", "--revocation-host", "127.0.0.1")
	waitFor(t, reporting.stderr, "the backend is looked at", func() bool { return strings.Contains(reporting.stderr.String(), `"msg":"backend checked`) })
	if got := curl("--http1.1")(t, reporting.Addr); got.code != 0 {
		t.Errorf("exit %d: %s", got.code, got.out)
	}
	r := reporting.next()
	expect(t, r, fails("chain-missing-intermediate", inspect.FaultBackend))
	if !strings.Contains(r.Findings[0].Detail, "Test Intermediate") || !strings.Contains(r.Findings[0].Detail, "send: ") {
		t.Errorf("the detail does not say what to send: %s", r.Findings[0].Detail)
	}

	dir := filepath.Join(t.TempDir(), "tls")
	if got := client(t, "", program, "certs", "fix", cert, key, "--ca", ca, "--for", "nginx", "--out", dir); got.code != 1 {
		t.Errorf("incomplete, and exit %d: %s", got.code, got.out)
	}
	got := client(t, "", program, "certs", "fix", cert, key, "--ca", ca, "--fetch", "--fetch-host", "127.0.0.1", "--for", "nginx", "--out", dir, "--overwrite")
	full := filepath.Join(dir, site+".fullchain.pem")
	if got.code != 0 || !strings.Contains(got.out, "fetched  CN=Test Intermediate") {
		t.Errorf("exit %d: %s", got.code, got.out)
	}
	b := backend{addr: nginxServer(t, full, filepath.Join(dir, site+".key"), ""), ca: ca}
	p := startProxy(t, b.args("--backend-verify", "enforce")...)
	if got := curl("--http1.1")(t, p.Addr); got.code != 0 {
		t.Errorf("exit %d: %s", got.code, got.out)
	}
	expect(t, p.next(), fine)
}

// `certs watch` sees a renewal, tells it where it was asked to, and ends as an operator ends it.
func TestCertsWatch(t *testing.T) {
	t.Parallel()
	pki := certstest.New(t)
	b := newRenewable(t, pki.Make(certstest.ExpiringSoon, site))
	url, posted := hook(t)
	list := writeFile(t, "endpoints", fmt.Sprintf("# what is watched\n%s %s\n", b.addr, site))
	cmd := exec.Command(program, "certs", "watch", "--file", list, "--ca", pki.WriteRoot(t), "--interval", "1s", "--webhook", url, "-o", "json")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	complaints := &lockedBuffer{}
	cmd.Stderr = complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	printed := lines(t, stdout)
	line := func() (v struct {
		Kind    monitor.Kind
		Backend string
		Verdict inspect.Verdict
	}) {
		t.Helper()
		select {
		case text, ok := <-printed:
			if err := json.Unmarshal([]byte(text), &v); err != nil || !ok {
				t.Fatalf("%v: %q\n%s", err, text, complaints)
			}
		case <-time.After(patience):
			t.Fatalf("nothing was printed\n%s", complaints)
		}
		return v
	}
	for line().Kind != monitor.ExpiryThreshold {
	}
	b.serve(healthyChain(pki))
	for line().Kind != monitor.CertificateChanged {
	}
	for posting(t, posted).Kind != monitor.CertificateChanged {
	}
	cmd.Process.Signal(syscall.SIGTERM)
	for range printed {
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, complaints)
	}
	// What was still to be posted when it ended is said, and nothing else is.
	for text := range strings.Lines(complaints.String()) {
		if !strings.Contains(text, "the program ended first") {
			t.Errorf("it complains: %s", text)
		}
	}
}
