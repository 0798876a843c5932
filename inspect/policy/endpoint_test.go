package policy_test

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	cryptorand "crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// recordedHello is a hello of a real program, as it went over the wire.
type recordedHello struct {
	ID     string `json:"id"`
	Format string `json:"format"`
	Hex    string `json:"record_hex"`
	bytes  []byte
	hello  wire.ClientHello
}

// sharedFacts opens the facts that lie beside the module's root; the test is skipped where they are missing.
func sharedFacts(t testing.TB) fs.FS {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	facts := filepath.Join(dir, "..", "shared", "facts")
	if _, err := os.Stat(facts); err != nil {
		t.Skipf("the collected facts are not here: %v", err)
	}
	return os.DirFS(facts)
}

func recordedHellos(t testing.TB) []*recordedHello {
	t.Helper()
	data, err := fs.ReadFile(sharedFacts(t), "clienthellos.json")
	if err != nil {
		t.Fatal(err)
	}
	var hellos []*recordedHello
	if err := json.Unmarshal(data, &hellos); err != nil {
		t.Fatal(err)
	}
	if len(hellos) < 150 {
		t.Fatalf("%d recorded hellos, want at least 150", len(hellos))
	}
	for _, h := range hellos {
		if h.bytes, err = hex.DecodeString(h.Hex); err != nil {
			t.Fatalf("%s: %v", h.ID, err)
		}
		if h.Format == "sslv2" {
			err = wire.ParseSSLv2ClientHello(h.bytes[2:], &h.hello)
		} else {
			err = wire.ParseClientHello(h.bytes[5:], &h.hello)
		}
		if err != nil {
			t.Fatalf("%s: %v", h.ID, err)
		}
	}
	return hellos
}

// randomHellos are the same in every run.
func randomHellos(t testing.TB, count int) []*recordedHello {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	hellos := make([]*recordedHello, count)
	for i := range hellos {
		h := &recordedHello{ID: fmt.Sprintf("random %d", i), bytes: randomHello(r).record(t)}
		if err := wire.ParseClientHello(h.bytes[5:], &h.hello); err != nil {
			t.Fatal(err)
		}
		hellos[i] = h
	}
	return hellos
}

// describe is what a person needs of a hello to see why an endpoint answered as it did.
func describe(h *wire.ClientHello) string {
	var shares []wire.NamedGroup
	for g := range h.KeyShares.All() {
		shares = append(shares, g)
	}
	return fmt.Sprintf("  offered: %v %v\n  suites %v\n  groups %v, shares %v\n  schemes %v\n  alpn %q", h.LegacyVersion, h.SupportedVersions.Slice(),
		h.CipherSuites.Slice(), h.SupportedGroups.Slice(), shares, h.SignatureSchemes.Slice(), h.ALPN.Strings())
}

// answer is what an endpoint said to a hello, as far as it is in the clear.
type answer struct {
	alert   wire.AlertDescription // 0: none
	closed  bool                  // neither alert nor hello
	version wire.Version
	suite   wire.CipherSuite
	group   wire.NamedGroup
	scheme  wire.SignatureScheme // of the ServerKeyExchange
	retry   bool
	alpn    string // TLS 1.2 and below
}

var errAnswer = errors.New("unexpected bytes")

// ask sends the hello and reads up to the ServerHello, in TLS 1.2 and below up to the ServerKeyExchange.
func ask(address string, hello []byte) (a answer, err error) {
	conn, err := net.DialTimeout("tcp", address, time.Minute)
	if err != nil {
		return a, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return a, err
	}
	if _, err := conn.Write(hello); err != nil {
		return a, err
	}
	r := bufio.NewReader(conn)
	var messages []byte
	for {
		var head [5]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return a, err
			}
			a.closed = a.suite == 0
			return a, nil
		}
		body := make([]byte, int(head[3])<<8|int(head[4]))
		if _, err := io.ReadFull(r, body); err != nil {
			return a, err
		}
		switch {
		case head[0] == 21 && len(body) == 2 && body[0] == 2:
			a.alert = wire.AlertDescription(body[1])
			return a, nil
		case head[0] == 21 && len(body) == 2: // a warning
			continue
		case head[0] != 22:
			return a, fmt.Errorf("%w: record of type %d", errAnswer, head[0])
		}
		messages = append(messages, body...)
		for len(messages) >= 4 {
			n := 4 + int(messages[1])<<16 + int(messages[2])<<8 + int(messages[3])
			if len(messages) < n {
				break
			}
			done, err := a.read(messages[0], messages[4:n])
			if done || err != nil {
				return a, err
			}
			messages = messages[n:]
		}
	}
}

var retryRandom, _ = hex.DecodeString("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")

// read takes a handshake message of the server's.
func (a *answer) read(kind byte, m []byte) (done bool, err error) {
	switch kind {
	case 2: // ServerHello
		if len(m) < 38 {
			return false, errAnswer
		}
		a.version = wire.Version(m[0])<<8 | wire.Version(m[1])
		a.retry = bytes.Equal(m[2:34], retryRandom)
		m = m[35+int(m[34]):]
		a.suite = wire.CipherSuite(m[0])<<8 | wire.CipherSuite(m[1])
		if m = m[3:]; len(m) < 2 {
			return false, nil
		}
		for kind, body := range wire.Extensions(m[2:]).All() {
			switch kind {
			case wire.ExtensionSupportedVersions:
				a.version = wire.Version(body[0])<<8 | wire.Version(body[1])
			case wire.ExtensionKeyShare:
				a.group = wire.NamedGroup(body[0])<<8 | wire.NamedGroup(body[1])
			case wire.ExtensionALPN:
				a.alpn = string(body[3:])
			}
		}
		return a.version == wire.VersionTLS13, nil
	case 12: // ServerKeyExchange
		info, _ := a.suite.Info()
		if info.KeyExchange == "ECDHE" {
			a.group = wire.NamedGroup(m[1])<<8 | wire.NamedGroup(m[2])
			m = m[4+int(m[3]):]
		} else {
			for range 3 {
				m = m[2+int(m[0])<<8+int(m[1]):]
			}
		}
		if a.version >= wire.VersionTLS12 {
			a.scheme = wire.SignatureScheme(m[0])<<8 | wire.SignatureScheme(m[1])
		}
		return true, nil
	case 14: // ServerHelloDone
		return true, nil
	}
	return false, nil
}

// compare says in what the endpoint's answer differs from the prediction; "" if in nothing.
func compare(want policy.Result, got answer) string {
	if !want.Accepted {
		if got.retry && (want.RejectedBy == policy.DimensionSignature || want.RejectedBy == policy.DimensionALPN) {
			return "" // the rest of the answer comes after the second hello
		}
		if got.alert != want.Alert {
			return fmt.Sprintf("predicted alert %v (%s), got %s", want.Alert, want.RejectedBy, got)
		}
		return ""
	}
	if got.alert != 0 || got.closed || got.version != want.Version || got.suite != want.CipherSuite || got.retry != want.HelloRetry {
		return fmt.Sprintf("predicted %v %v group %v retry %t, got %s", want.Version, want.CipherSuite, want.Group, want.HelloRetry, got)
	}
	if want.Group != 0 && got.group != want.Group {
		return fmt.Sprintf("predicted group %v, got %s", want.Group, got)
	}
	if got.version == wire.VersionTLS12 && want.SignatureScheme != 0 && got.scheme != want.SignatureScheme {
		return fmt.Sprintf("predicted scheme %v, got %s", want.SignatureScheme, got)
	}
	if got.version < wire.VersionTLS13 && got.alpn != want.Protocol {
		return fmt.Sprintf("predicted protocol %q, got %s", want.Protocol, got)
	}
	return ""
}

func (a answer) String() string {
	switch {
	case a.alert != 0:
		return "alert " + a.alert.String()
	case a.closed:
		return "closed"
	}
	return fmt.Sprintf("%v %v group %v retry %t scheme %v alpn %q", a.version, a.suite, a.group, a.retry, a.scheme, a.alpn)
}

// checkEndpoint sends every recorded hello, and as many random ones, to the endpoint and compares its answers with what the
// policy predicts.
func checkEndpoint(t *testing.T, address string, p *policy.Policy) {
	t.Helper()
	checkEndpointWith(t, address, p, func(*wire.ClientHello) bool { return true })
}

func checkEndpointWith(t *testing.T, address string, p *policy.Policy, wanted func(*wire.ClientHello) bool) {
	t.Helper()
	accepted, rejected := 0, 0
	for _, h := range append(recordedHellos(t), randomHellos(t, 300)...) {
		if !wanted(&h.hello) {
			continue
		}
		if h.hello.EarlyData && p.Family == policy.FamilyGo {
			continue // answered with unsupported_extension: the ticket that allows early data cannot be crypto/tls's
		}
		want := policy.Negotiate(&h.hello, p)
		got, err := ask(address, h.bytes)
		if err != nil {
			t.Errorf("%s: %v", h.ID, err)
			continue
		}
		if p.SNIRequired && want.RejectedBy == policy.DimensionVersion && got.alert == wire.AlertUnrecognizedName {
			continue // HAProxy looks at the name before the version
		}
		if p.Family == policy.FamilyJSSE && want.RejectedBy == policy.DimensionSignature && got.version == wire.VersionTLS13 {
			continue // JSSE notices when it signs, after the ServerHello: the alert is encrypted
		}
		if difference := compare(want, got); difference != "" {
			t.Errorf("%s: %s\n%s", h.ID, difference, describe(&h.hello))
		}
		if want.Accepted {
			accepted++
		} else {
			rejected++
		}
	}
	if accepted == 0 || rejected == 0 {
		t.Errorf("%d accepted, %d rejected: the hellos do not tell", accepted, rejected)
	}
}

// keyPair is a self-signed certificate and its key, in memory and as PEM files.
type keyPair struct {
	cert, key string // paths
	tls       tls.Certificate
}

func newKeyPair(t testing.TB, kind policy.CertificateType) keyPair {
	t.Helper()
	var key crypto.Signer
	var err error
	switch kind {
	case policy.CertRSA:
		key, err = rsa.GenerateKey(cryptorand.Reader, 2048)
	case policy.CertECDSAP256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), cryptorand.Reader)
	case policy.CertECDSAP384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), cryptorand.Reader)
	case policy.CertEd25519:
		_, key, err = ed25519.GenerateKey(cryptorand.Reader)
	default:
		t.Fatalf("no key for %q", kind)
	}
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "policy test"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(cryptorand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	pair := keyPair{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	for path, data := range map[string][]byte{pair.cert: certPEM, pair.key: keyPEM, filepath.Join(dir, "both.pem"): append(certPEM, keyPEM...)} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair.tls = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return pair
}

// start runs a program until the test ends. It is ready when a line of its output matches.
func start(t testing.TB, ready string, name string, args ...string) (match []string) {
	t.Helper()
	return importertest.Start(t, ready, importertest.Program(t, name), args...)
}

func opensslServer(t testing.TB, args ...string) (address string) {
	t.Helper()
	return start(t, `^ACCEPT (127\.0\.0\.1:\d+)`, "openssl", append([]string{"s_server", "-accept", "127.0.0.1:0"}, args...)...)[1]
}
