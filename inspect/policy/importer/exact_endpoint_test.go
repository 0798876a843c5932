package importer_test

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importer"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// endpoint is a real one with one configuration.
type endpoint struct {
	system string // "nginx 1.22.1"
	title  string // the configuration in a line
	names  []string
	one    bool // it answers one connection at a time
	// start runs it until the test ends. predict gives the policy of what answers for a server name, empty for none.
	start func(t *testing.T, l *lab) (address string, predict func(t *testing.T, name string) *policy.Policy)
}

// asRecorded stands among the names that an endpoint is asked for, for the name that a hello was recorded with.
const asRecorded = "="

// lab is what all endpoints share.
type lab struct {
	dir     string // certificates and keys
	certs   map[string]tls.Certificate
	keys    *keys
	corpus  []*hello
	java    string // directory of the compiled server
	release string // of Java
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{dir: t.TempDir(), certs: map[string]tls.Certificate{}, keys: newKeys(t)}
	l.corpus = corpus(t, l.keys)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	l.certificate(t, "rsa", rsaKey, "localhost")
	l.certificate(t, "both.pem.rsa", rsaKey, "localhost") // a bundle of HAProxy's, by its names
	l.certificate(t, "one", rsaKey, "one.example")
	for name, curve := range map[string]elliptic.Curve{"ec": elliptic.P256(), "ec384": elliptic.P384(), "ec521": elliptic.P521(), "two": elliptic.P256()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if name == "two" {
			l.certificate(t, name, key, "two.example", "*.two.example")
			continue
		}
		l.certificate(t, name, key, "localhost")
		if name == "ec" {
			l.certificate(t, "both.pem.ecdsa", key, "localhost")
		}
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	l.certificate(t, "ed", ed, "localhost")
	writeFile(t, filepath.Join(l.dir, "dh.pem"), dh2048)
	return l
}

// temp is a directory for the files of one endpoint. Its name has nothing in it that would need quotes in a configuration.
func (l *lab) temp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(l.dir, "endpoint")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// dh2048 is ffdhe2048 of RFC 7919.
const dh2048 = `-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
`

// certificate writes a self-signed certificate and its key as NAME.crt, NAME.key and, both together, NAME.pem.
func (l *lab) certificate(t *testing.T, name string, key crypto.Signer, names ...string) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Unix(1e9, 0), NotAfter: time.Unix(1e10, 0), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	private := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	if bundle, ok := strings.CutPrefix(name, "both."); ok {
		writeFile(t, filepath.Join(l.dir, "both."+bundle), cert+private)
		return
	}
	writeFile(t, filepath.Join(l.dir, name+".crt"), cert)
	writeFile(t, filepath.Join(l.dir, name+".key"), private)
	writeFile(t, filepath.Join(l.dir, name+".pem"), cert+private)
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	l.certs[name] = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func curveKind(leaf *x509.Certificate) policy.CertificateType {
	if key, ok := leaf.PublicKey.(*ecdsa.PublicKey); ok {
		switch key.Curve {
		case elliptic.P256():
			return policy.CertECDSAP256
		case elliptic.P384():
			return policy.CertECDSAP384
		case elliptic.P521():
			return policy.CertECDSAP521
		}
	}
	return ""
}

func writeFile(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// program finds a program. Where CI lacks one the test fails; elsewhere what needs it is skipped.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	path = filepath.Join("/usr/sbin", name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// output is what a program says when run with these arguments: what matches in it.
func output(t testing.TB, pattern, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(program(t, name), args...).CombinedOutput()
	m := regexp.MustCompile(pattern).FindSubmatch(out)
	if m == nil {
		t.Fatalf("%s %v says no version: %v\n%s", name, args, err, out)
	}
	return string(m[1])
}

// start runs a program until the test ends. It is ready when a line of its output matches.
func start(t testing.TB, ready, path string, args ...string) (match []string) {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "OPENSSL_CONF=/dev/null", "GNUTLS_SYSTEM_PRIORITY_FILE=/dev/null", "LC_ALL=C", "HOME="+t.TempDir(), "XDG_DATA_HOME=", "XDG_CONFIG_HOME=")
	stdin, err := cmd.StdinPipe() // kept open: s_server ends with its input
	if err != nil {
		t.Fatal(err)
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM) // killed, nginx would leave its workers behind
		late := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		late.Stop()
		stdin.Close()
		out.Close()
	})
	if err := out.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(ready)
	lines := bufio.NewScanner(out)
	var seen []string
	for lines.Scan() {
		seen = append(seen, lines.Text())
		if match = pattern.FindStringSubmatch(lines.Text()); match != nil {
			if err := out.SetReadDeadline(time.Time{}); err != nil {
				t.Fatal(err)
			}
			go io.Copy(io.Discard, out) // ends when the program does
			return match
		}
	}
	t.Fatalf("%s was not ready: %s", path, strings.Join(seen, " | "))
	return nil
}

var lastPort atomic.Int32 // counts from where the search for a port goes on

// freePort is a loopback port below those that the kernel gives to clients, so that none of this test's own connections takes
// it before the program does.
func freePort(t testing.TB) string {
	t.Helper()
	for range 10_000 {
		port := 15_000 + (os.Getpid()*61+int(lastPort.Add(1)))%15_000
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			listener.Close()
			return fmt.Sprint(port)
		}
	}
	t.Fatal("no port is free")
	return ""
}

// awaitPort returns when something listens.
func awaitPort(t testing.TB, address string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			conn.Close()
			return
		}
	}
	t.Fatalf("nothing listens on %s", address)
}

// importing reads a configuration as a user does: the endpoint of a reference with the server name and the address. Where none
// answers for a name, that of the address must refuse it.
func importing(conf, kind, version, port string) func(t *testing.T, name string) *policy.Policy {
	return func(t *testing.T, name string) *policy.Policy {
		t.Helper()
		ref := conf + "#kind=" + kind + "&version=" + version + "&listen=:" + port
		loaded, err := importer.Load(files{}, ref+"&server_name="+name)
		if err != nil {
			result, all := importer.Import(files{}, conf, kind, imported.Options{Version: version})
			if all != nil {
				t.Fatal(all)
			}
			for _, e := range result.Endpoints {
				if e.Side == imported.Server && slices.ContainsFunc(e.Listen, func(at string) bool { return strings.HasSuffix(at, ":"+port) }) {
					return e.Policy
				}
			}
			t.Fatalf("no endpoint for %q: %v", name, err)
		}
		return loaded.Policy
	}
}

// tally is what became of the hellos that were sent to an endpoint.
type tally struct {
	sent, accepted, refused, retried, whole int
	wrong                                   []string
}

// try sends all hellos of the lab to an endpoint and holds the answers against the predictions.
func (e *endpoint) try(t *testing.T, l *lab) *tally {
	address, predict := e.start(t, l)
	policies := map[string]*policy.Policy{}
	type question struct {
		hello  *hello
		form   *form
		policy *policy.Policy
		want   policy.Result
	}
	var questions []question
	for i, h := range l.corpus {
		f := h.form
		if name := asRecorded; f != nil && len(e.names) > 0 {
			if name = e.names[i%len(e.names)]; name != asRecorded && !f.bare {
				f = f.clone()
				f.setName(name)
			}
		}
		var parsed wire.ClientHello
		var err error
		if f == nil {
			err = wire.ParseSSLv2ClientHello(h.raw[2:], &parsed)
		} else {
			err = wire.ParseClientHello(f.message(), &parsed)
		}
		if err != nil {
			t.Fatalf("%s: %v", h.id, err)
		}
		name := string(parsed.ServerName)
		if policies[name] == nil {
			policies[name] = predict(t, name)
		}
		questions = append(questions, question{h, f, policies[name], policy.Negotiate(&parsed, policies[name])})
	}
	workers := 3
	if e.one {
		workers = 1
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	var next atomic.Int32
	result := &tally{}
	for range workers {
		wait.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(questions) {
					return
				}
				q := questions[i]
				got, err := dialAndAsk(address, q.hello, q.form, l.keys)
				difference := ""
				if err != nil {
					difference = err.Error()
				} else {
					difference = disagreement(q.want, q.policy, got)
					if refusesEarlyData(q.form, q.policy) {
						difference = wantEarlyDataRefused(got)
					}
				}
				mu.Lock()
				result.count(q.want, got)
				if difference != "" {
					result.wrong = append(result.wrong, fmt.Sprintf("%s: %s%s", q.hello.id, difference, describe(q.form)))
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return result
}

// refusesEarlyData reports whether a hello has early data for crypto/tls, which answers it with unsupported_extension: none of its
// own tickets allows any, so the ticket is another server's (RFC 8446, Section 4.2.10). Tickets and early data are no matter of a
// prediction, which is of a full handshake.
func refusesEarlyData(f *form, p *policy.Policy) bool {
	return f != nil && f.has(wire.ExtensionEarlyData) && p.Family == policy.FamilyGo &&
		slices.Contains(p.Versions, wire.VersionTLS13) && slices.Contains(f.versions(), wire.VersionTLS13)
}

func wantEarlyDataRefused(got answer) string {
	if got.alert == wire.AlertUnsupportedExtension {
		return ""
	}
	return "early data is answered otherwise than with unsupported_extension: " + got.String()
}

func (r *tally) count(want policy.Result, got answer) {
	r.sent++
	if want.Accepted {
		r.accepted++
	} else {
		r.refused++
	}
	if got.retry {
		r.retried++
	}
	if got.whole {
		r.whole++
	}
}

func dialAndAsk(address string, h *hello, f *form, k *keys) (answer, error) {
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return answer{}, err
	}
	return ask(conn, h, f, k)
}

// describe is what a person needs of a hello to see why an endpoint answered as it did.
func describe(f *form) string {
	if f == nil {
		return ""
	}
	var h wire.ClientHello
	if err := wire.ParseClientHello(f.message(), &h); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("\n  offered: %v %v for %q, alpn %q\n  suites %v\n  groups %v, shares %v, schemes %v", h.LegacyVersion, h.SupportedVersions.Slice(), h.ServerName, h.ALPN.Strings(),
		h.CipherSuites.Slice(), h.SupportedGroups.Slice(), f.shares(), h.SignatureSchemes.Slice())
}
