package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// pebble is a running ACME authority of the tests (github.com/letsencrypt/pebble).
type pebble struct {
	directory, management string
	ca                    string // file of the root of its own HTTPS
	roots                 *x509.CertPool
	said                  *lockedBuffer
	stop                  func()
}

// startPebble runs pebble at an address. It validates names, all of which are at 127.0.0.1, at the ports given, and refuses a fifth
// of all good nonces.
func startPebble(t *testing.T, listen, tlsPort, httpPort string) *pebble {
	t.Helper()
	name := pebbleProgram(t)
	pki := certstest.New(t)
	cert, key := pki.Make(certstest.IPName, "localhost.test").WriteFiles(t)
	management, _ := freePort(t)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": management, "certificate": cert, "privateKey": key,
		"httpPort": number(t, httpPort), "tlsPort": number(t, tlsPort), "retryAfter": map[string]int{"authz": 1, "order": 1}, "keyAlgorithm": "ecdsa",
		"profiles": map[string]any{"default": map[string]any{"description": "test", "validityPeriod": 90 * 24 * 3600}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	p := &pebble{directory: "https://" + listen + "/dir", management: "https://" + management, ca: pki.WriteRoot(t), roots: pki.Roots(), said: &lockedBuffer{}}
	cmd := exec.Command(name, "-config", writeFile(t, "pebble.json", string(config)), "-dnsserver", startDNS(t))
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=20", "PEBBLE_AUTHZREUSE=0")
	cmd.Stdout, cmd.Stderr = p.said, p.said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	p.stop = func() {
		cmd.Process.Kill()
		<-exited
	}
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("pebble said:\n%s", p.said)
		}
	})
	for _, url := range []string{p.directory, p.management + "/roots/0"} {
		waitFor(t, p.said, "pebble answers at "+url, func() bool {
			answer, err := p.client().Get(url)
			if err == nil {
				answer.Body.Close()
			}
			return err == nil
		})
	}
	return p
}

func (p *pebble) client() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.roots}, DisableKeepAlives: true}, Timeout: patience}
}

// orders is how many it has accepted.
func (p *pebble) orders() int { return strings.Count(p.said.String(), "Added order") }

// issuer is a file with the root under which it issues.
func (p *pebble) issuer(t *testing.T) string {
	t.Helper()
	answer, err := p.client().Get(p.management + "/roots/0")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	pem, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "issuer.pem", string(pem))
}

// pebbleProgram finds pebble where `make test` installs it, or in the path.
func pebbleProgram(t *testing.T) string {
	t.Helper()
	if path, err := filepath.Abs("../../../.tools/pebble"); err == nil {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	need(t, "pebble")
	return "pebble"
}

func number(t *testing.T, port string) int {
	t.Helper()
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// startDNS answers over TCP, which pebble asks by, that every name is at 127.0.0.1.
func startDNS(t *testing.T) string {
	t.Helper()
	return rawBackend(t, func(c net.Conn) {
		for answerDNS(c) == nil {
		}
	})
}

// answerDNS answers one question (RFC 1035, Section 4.2.2).
func answerDNS(c net.Conn) error {
	var length [2]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		return err
	}
	question := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(c, question); err != nil {
		return err
	}
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return err
	}
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	for _, q := range m.Questions {
		if q.Type == dnsmessage.TypeA {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1}, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}})
		}
	}
	answer, err := m.Pack()
	if err == nil {
		_, err = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	}
	return err
}

// ordering is a proxy whose certificates are ordered. The listener must have a port that is known before.
type ordering struct{ listen, dir string }

func (o ordering) start(t *testing.T, b backend, directory, ca string, more string, flags ...string) *proxy {
	t.Helper()
	return startProxy(t, append(flags, "--config", writeFile(t, "proxy.yaml", fmt.Sprintf(`listeners:
- {address: '%s', routes: [{backend: {url: 'tls://%s', ca: %s}}]}
acme: {directory: '%s', ca: %s, dir: %s, email: ops@example.com, %s}
`, o.listen, b.addr, b.ca, directory, ca, o.dir, more)))...)
}

// skipValidations takes the records of the authority's own connections away. It returns the first other.
func (p *proxy) skipValidations(t *testing.T) *record {
	t.Helper()
	for {
		if r := p.nextFor(t); r.Route != "acme-tls/1" {
			return r
		}
	}
}

// stopBehindValidations is stop where a connection of the authority's own may end later than the order for which it was.
func (p *proxy) stopBehindValidations(t *testing.T) {
	t.Helper()
	p.rest(func(r *record) {
		if r.Route != "acme-tls/1" {
			t.Errorf("a record that no test asked for: %s", r)
		}
	})
}

// asCurl asks for /hello of a name, trusting a file.
func asCurl(ca, name string) func(*testing.T, string) ran {
	return func(t *testing.T, addr string) ran {
		return client(t, "", "curl", "-sS", "--fail", "--cacert", ca, "--connect-to", "::"+addr, "-w", "%{certs}", "https://"+name+"/hello")
	}
}

func TestACMEByTLSALPN(t *testing.T) {
	t.Parallel()
	listen, port := freePort(t)
	directory, _ := freePort(t)
	_, unused := freePort(t)
	pb := startPebble(t, directory, port, unused)
	b := healthyGo(t)
	o := ordering{listen, filepath.Join(t.TempDir(), "acme")}
	names := "names: [" + site + "]"
	p := o.start(t, b, pb.directory, pb.ca, names)
	issuer := pb.issuer(t)

	// The authority validates the name at the proxy's own listener. Its connection is none of a client.
	validation := p.nextFor(t)
	if validation.Route != "acme-tls/1" || validation.BackendLeg != nil || validation.Verdict != inspect.OK || validation.ClientLeg.TLS.NextProtocol != "acme-tls/1" {
		t.Errorf("the validation in the record: %s", validation)
	}
	waitFor(t, p.stderr, "the certificate is there", func() bool { return len(stored(t, o.dir)) > 0 })
	got := asCurl(issuer, site)(t, p.Addr)
	if got.code != 0 || !strings.Contains(got.out, greeting) {
		t.Errorf("exit %d: %s", got.code, got.out)
	}
	r := p.skipValidations(t)
	expect(t, r, fine)
	served := r.ClientLeg.TLS.Server.CertificateChain
	if len(served) < 2 || !strings.Contains(served[0].Issuer, "Pebble") {
		t.Errorf("served: %+v", served)
	}

	// A name that nobody configured is neither ordered nor served.
	orders := pb.orders()
	got = asCurl(issuer, "stranger.example")(t, p.Addr)
	if got.code != 35 || !strings.Contains(got.out, "unrecognized name") {
		t.Errorf("exit %d: %s", got.code, got.out)
	}
	w := broken("sni-unknown", inspect.FaultProxy)
	r = p.skipValidations(t)
	expect(t, r, w)
	if a := r.ClientLeg.TLS.Alerts; len(a) != 1 || a[0].Code != 112 {
		t.Errorf("alerts: %+v", a)
	}
	if pb.orders() != orders || orders != 1 {
		t.Errorf("%d orders, %d before the stranger; want 1", pb.orders(), orders)
	}
	p.stopBehindValidations(t)

	// The next start serves what is stored, without the authority.
	pb.stop()
	again := o.start(t, b, pb.directory, pb.ca, names)
	got = asCurl(issuer, site)(t, again.Addr)
	if got.code != 0 || !strings.Contains(got.out, greeting) {
		t.Errorf("after the restart: exit %d: %s", got.code, got.out)
	}
	r = again.nextFor(t)
	expect(t, r, fine)
	if chain := r.ClientLeg.TLS.Server.CertificateChain; len(served) == 0 || len(chain) == 0 || chain[0].SerialNumber != served[0].SerialNumber || pb.orders() != orders {
		t.Errorf("after the restart another certificate is served, and there are %d orders", pb.orders())
	}
}

// The client because of whose connection a certificate is ordered gets one that is younger than its connection. Nothing is wrong with that.
func TestACMEOnDemand(t *testing.T) {
	t.Parallel()
	listen, port := freePort(t)
	directory, _ := freePort(t)
	_, unused := freePort(t)
	pb := startPebble(t, directory, port, unused)
	pki := certstest.New(t)
	leaf := pki.Issue(pki.Issuing, certs.Template{Names: []string{"*.apps.example.test"}})
	b := backend{addr: goBackend(t, &certstest.Chain{Leaf: leaf, Presented: leaf.Chain()}, nil), ca: pki.WriteRoot(t)}
	o := ordering{listen, filepath.Join(t.TempDir(), "acme")}
	p := o.start(t, b, pb.directory, pb.ca, "names: ['*.apps.example.test']")
	issuer := pb.issuer(t)
	for _, name := range []string{"one.apps.example.test", "two.apps.example.test"} {
		got := asCurl(issuer, name)(t, p.Addr)
		if got.code != 0 || !strings.Contains(got.out, greeting) {
			t.Errorf("%s: exit %d: %s", name, got.code, got.out)
		}
		w := fine
		w.hasNot = "listener-certificate-expired"
		r := p.skipValidations(t)
		expect(t, r, w)
		if x := r.ClientLeg.TLS.Server.CertificateChain; len(x) == 0 || x[0].NotBefore.Before(r.Timestamp.Add(-time.Minute)) {
			t.Errorf("%s: what was served is not new: %+v", name, x)
		}
	}
	if n := pb.orders(); n != 2 {
		t.Errorf("%d orders", n)
	}
	p.stopBehindValidations(t)
}

// stored are the certificates in a directory of the proxy's. It holds keys, which nobody else may read; locks say nothing.
func stored(t *testing.T, dir string) (files []string) {
	t.Helper()
	filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil //nolint:nilerr // what is not there yet, or no more, has nothing to tell
		}
		if info, err := entry.Info(); err == nil && info.Mode().Perm()&0o077 != 0 && filepath.Ext(path) != ".lock" {
			t.Errorf("%s may be read by others: %v", path, info.Mode())
		}
		if strings.HasSuffix(path, ".crt") {
			files = append(files, path)
		}
		return nil
	})
	return files
}

func TestACMEByHTTP(t *testing.T) {
	t.Parallel()
	listen, _ := freePort(t)
	web, port := freePort(t)
	directory, _ := freePort(t)
	_, unused := freePort(t)
	pb := startPebble(t, directory, unused, port)
	admin, _ := freePort(t)
	o := ordering{listen, filepath.Join(t.TempDir(), "acme")}
	p := o.start(t, healthyGo(t), pb.directory, pb.ca, fmt.Sprintf("names: [%s], challenges: [http-01], http: '%s'", site, web), "--admin", admin)
	waitFor(t, p.stderr, "the certificate is there", func() bool { return len(stored(t, o.dir)) > 0 })
	waitFor(t, p.stderr, "the metrics say when it ends", func() bool {
		answer, err := http.Get("http://" + admin + "/metrics")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		return strings.Contains(string(body), `tlstriage_acme_orders_total{reason="",result="success"} 1`) && regexp.MustCompile(`tlstriage_certificate_not_after_timestamp_seconds\{[^}]*acme/`+regexp.QuoteMeta(site)+`[^}]*\} 1\.[0-9]+e\+09`).Match(body)
	})
	got := asCurl(pb.issuer(t), site)(t, p.Addr)
	if got.code != 0 || !strings.Contains(got.out, greeting) {
		t.Errorf("exit %d: %s", got.code, got.out)
	}
	expect(t, p.nextFor(t), fine)
	// Whoever is no authority is sent to https, where the name is ours.
	for name, code := range map[string]string{site: "308 https://" + site + "/x?y=1", "stranger.example": "404 "} {
		got := client(t, "", "curl", "-sS", "-o", os.DevNull, "-w", "%{response_code} %{redirect_url}", "--connect-to", "::"+web, "http://"+name+"/x?y=1")
		if got.out != code {
			t.Errorf("%s: %q, want %q", name, got.out, code)
		}
	}
}

// What answers http-01 follows a reload: it is opened, moved and closed with the configuration, and one that cannot be opened leaves
// everything as it was.
func TestHTTPChallengesFollowAReload(t *testing.T) {
	t.Parallel()
	address, _ := freePort(t)
	down, _ := freePort(t)
	first, _ := freePort(t)
	second, _ := freePort(t)
	taken := listen(t).Addr().String()
	b := healthyGo(t)
	file := writeFile(t, "proxy.yaml", "")
	dir := filepath.Join(t.TempDir(), "acme")
	write := func(more string) {
		t.Helper()
		if err := os.WriteFile(file, fmt.Appendf(nil, `listeners:
- {address: '%s', routes: [{backend: {url: 'tls://%s', ca: %s}}]}
acme: {directory: 'https://%s/dir', ca: %s, dir: %s, names: [%s], %s}
`, address, b.addr, b.ca, down, b.ca, dir, site, more), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("challenges: [tls-alpn-01]")
	p := startProxy(t, "--config", file)
	reloads := 0
	reload := func(more string) {
		t.Helper()
		write(more)
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		reloads++
		waitFor(t, p.stderr, "it is reloaded, or not", func() bool {
			return strings.Count(p.stderr.String(), `"msg":"reloaded"`)+strings.Count(p.stderr.String(), `"msg":"not reloaded`) == reloads
		})
	}
	answers := func(web string) bool {
		return client(t, "", "curl", "-sS", "-o", os.DevNull, "-w", "%{response_code}", "--connect-to", "::"+web, "http://"+site+"/x").out == "308"
	}
	for _, step := range []struct {
		name, config string
		answering    string // empty: nobody
	}{
		{"on", "challenges: [http-01], http: '" + first + "'", first},
		{"moved", "challenges: [http-01, tls-alpn-01], http: '" + second + "'", second},
		{"to an address that is taken", "challenges: [http-01], http: '" + taken + "'", second},
		{"off", "challenges: [tls-alpn-01]", ""},
	} {
		reload(step.config)
		for _, web := range []string{first, second} {
			if got := answers(web); got != (web == step.answering) {
				t.Errorf("%s: %s answers: %t\n%s", step.name, web, got, p.stderr)
			}
		}
	}
	if log := p.stderr.String(); !strings.Contains(log, "acme.http: ") {
		t.Errorf("why it was not reloaded is not said: %s", log)
	}
}

// An authority that cannot be reached is no reason not to start: what is missing is said to whoever needs it.
func TestACMEDirectoryThatIsDown(t *testing.T) {
	t.Parallel()
	listen, _ := freePort(t)
	down, _ := freePort(t)
	b := healthyGo(t)
	o := ordering{listen, filepath.Join(t.TempDir(), "acme")}
	p := o.start(t, b, "https://"+down+"/dir", b.ca, "names: ["+site+"]")
	waitFor(t, p.stderr, "the failure is logged", func() bool { return strings.Contains(p.stderr.String(), "acme: no certificate") })
	start := time.Now()
	got := asCurl(b.ca, site)(t, p.Addr)
	if got.code != 35 {
		t.Errorf("exit %d: %s", got.code, got.out)
	}
	r := p.nextFor(t)
	e := r.ClientLeg.Error
	expect(t, r, broken("listener-certificate-missing", inspect.FaultProxy))
	if e == nil || e.Type != inspect.ErrorCertificatePending || !strings.Contains(e.Message, "acme: ") || !strings.Contains(e.Message, down) {
		t.Errorf("the record does not say why: %s", r)
	}
	if took := time.Since(start); took > patience/2 {
		t.Errorf("refused after %v", took)
	}
}

// Where the directory is not what it should be, the start says so.
func TestACMESettingsThatCannotBe(t *testing.T) {
	t.Parallel()
	b := healthyGo(t)
	key := writeFile(t, "eab.key", "not base64url!!")
	for name, flags := range map[string][]string{
		"a directory without TLS":   {"--acme", "http://127.0.0.1:1/dir", "--acme-names", site},
		"no name":                   {"--acme", "https://127.0.0.1:1/dir"},
		"an impossible challenge":   {"--acme", "https://127.0.0.1:1/dir", "--acme-names", site, "--acme-challenges", "dns-01"},
		"a key without its id":      {"--acme", "https://127.0.0.1:1/dir", "--acme-names", site, "--acme-eab-key-file", key},
		"a key that is none":        {"--acme", "https://127.0.0.1:1/dir", "--acme-names", site, "--acme-eab-key-file", key, "--acme-eab-key-id", "1"},
		"names without a directory": {"--acme-names", site},
	} {
		got := client(t, "", program, append(append([]string{"proxy", "--listen", "127.0.0.1:0", "--admin", "off", "--ca-dir", authority, "--acme-dir", t.TempDir()}, b.args()...), flags...)...)
		if got.code != 2 || strings.Contains(got.out, "not base64url") {
			t.Errorf("%s: exit %d: %s", name, got.code, got.out)
		}
	}
}
