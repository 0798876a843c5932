package java

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// askJava puts values of the properties to the JSSE of this machine, and returns what its clients offer, and its release.
func askJava(t *testing.T, argument string, questions []string) (hellos []*wire.ClientHello, release string) {
	t.Helper()
	program, err := exec.LookPath("java")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("java is not installed: CI needs it")
		}
		t.Skip("java is not installed")
	}
	cmd := exec.Command(program, "--add-opens", "java.base/sun.security.util=ALL-UNNAMED", "--add-opens", "java.base/sun.security.ssl=ALL-UNNAMED",
		filepath.Join("testdata", "Oracle.java"), argument)
	var out, problems bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(strings.Join(questions, "\n")+"\n"), &out, &problems
	if err := cmd.Run(); err != nil {
		if strings.Contains(problems.String(), "no compiler") && os.Getenv("CI") != "true" {
			t.Skip("java cannot compile here: it has no jdk.compiler")
		}
		t.Fatalf("%v\n%s", err, problems.String())
	}
	lines := bufio.NewScanner(&out)
	if !lines.Scan() {
		t.Fatal("java says nothing")
	}
	release = lines.Text()
	for lines.Scan() {
		raw, err := hex.DecodeString(lines.Text())
		if err != nil {
			hellos = append(hellos, nil) // an error, in words
			continue
		}
		h := new(wire.ClientHello)
		if err := wire.ParseClientHello(raw[5:], h); err != nil {
			t.Fatal(err)
		}
		hellos = append(hellos, h)
	}
	if len(hellos) != len(questions) {
		t.Fatalf("%d answers to %d questions", len(hellos), len(questions))
	}
	return hellos, release
}

// compare holds a policy against what a client with the same settings offers.
func compare(t *testing.T, what string, p *policy.Policy, h *wire.ClientHello) {
	t.Helper()
	offered := slices.DeleteFunc(h.CipherSuites.Slice(), func(c wire.CipherSuite) bool { return c == wire.EmptyRenegotiationInfoSCSV })
	if !slices.Equal(p.CipherSuites, offered) {
		t.Errorf("%s: suites\n%v\nJava: %v", what, p.CipherSuites, offered)
	}
	if !slices.Equal(p.Groups, h.SupportedGroups.Slice()) {
		t.Errorf("%s: groups %v, Java %v", what, p.Groups, h.SupportedGroups.Slice())
	}
	if !slices.Equal(p.SignatureSchemes, h.SignatureSchemes.Slice()) {
		t.Errorf("%s: schemes\n%v\nJava: %v", what, p.SignatureSchemes, h.SignatureSchemes.Slice())
	}
	versions := slices.Clone(p.Versions)
	slices.Reverse(versions)
	if theirs := h.SupportedVersions.Slice(); !slices.Equal(versions, theirs) {
		t.Errorf("%s: versions %v, Java %v", what, versions, theirs)
	}
}

// TestDisabledAlgorithmsAsJavaReadsThem holds the model against the JSSE of this machine: every word alone, and many together.
func TestDisabledAlgorithmsAsJavaReadsThem(t *testing.T) {
	words := []string{
		"RSA", "EC", "ECDSA", "ECDH", "ECDHE", "DH", "DHE", "DiffieHellman", "DSA", "DSS", "anon", "NULL", "AES", "AES_128", "AES_128_CBC", "AES_256_CBC", "AES_128_GCM",
		"AES_256_GCM", "GCM", "CBC", "DESede", "3DES_EDE_CBC", "3DES", "DES", "RC4", "NoPadding", "ChaCha20-Poly1305", "SHA1", "SHA-1", "SHA", "HmacSHA1", "SHA256", "SHA-256",
		"HmacSHA256", "SHA384", "SHA-384", "SHA224", "SHA512", "MD5", "MD5withRSA", "SHA1withRSA", "SHA256withECDSA", "SHA1withDSA", "RSASSA-PSS", "rsa_pkcs1_sha1",
		"rsa_pkcs1_sha384", "rsa_pss_rsae_sha256", "rsa_pss_pss_sha512", "ed25519", "Ed448", "EdDSA", "ecdsa_sha1", "ecdsa_secp384r1_sha384", "secp256r1", "x25519", "XDH", "ffdhe2048",
		"TLSv1", "TLSv1.1", "TLSv1.3", "SSLv3", "DTLSv1.0", "tlsv1.1", "rsa", "TLS_RSA_WITH_AES_128_CBC_SHA", "SSL_RSA_WITH_3DES_EDE_CBC_SHA", "TLS_AES_128_GCM_SHA256",
		"DHE_RSA", "ECDHE_ECDSA", "ECDH_RSA", "RSA keySize < 2048", "EC keySize < 256", "EC keySize < 384", "EC keySize <= 384", "EC keySize  ==  256", "EC keySize != 384", "EC keySize > 384",
		"EC keySize >= 521", "DH keySize < 2048", "DH keySize < 3072", "DiffieHellman keySize < 4096", "EC keySize < 384 & usage TLSServer", "SHA1 usage TLSServer",
		"SHA1 jdkCA & usage TLSServer", "SHA1 denyAfter 2019-01-01", "rsa_sha224", "dsa_sha256", "rsa_md5",
		"SHA1 foo", "EC keySize<256", "RSA keySize => 3", "RSA keySize < x", "usage TLSServer & keySize < 384",
	}
	r := rand.New(rand.NewPCG(17, 25))
	questions := []string{"tls ", "cert "}
	for _, w := range words {
		questions = append(questions, "tls "+w, "cert "+w)
	}
	for range 600 {
		var some []string
		for range 1 + r.IntN(5) {
			some = append(some, words[r.IntN(len(words)-5)])
		}
		questions = append(questions, []string{"tls ", "cert "}[r.IntN(2)]+strings.Join(some, []string{", ", ",", " ,  "}[r.IntN(3)]))
	}
	hellos, version := askJava(t, "", questions)
	t.Logf("Java %s", version)
	refused, nothing, compared := 0, 0, 0
	for i, q := range questions {
		kind, value, _ := strings.Cut(q, " ")
		none := ""
		o := Options{Release: version, DisabledTLS: &value, DisabledCertPath: &none}
		if kind == "cert" {
			o.DisabledTLS, o.DisabledCertPath = &none, &value
		}
		p, err := Policy(o)
		h := hellos[i]
		var typed *Error
		switch {
		case err != nil && !errors.As(err, &typed):
			t.Errorf("%s: %v is no *Error", q, err)
		case err != nil && h != nil:
			t.Errorf("%s: Java reads it, we say %v", q, err)
		case err != nil:
			refused++
		case h == nil:
			// Java has no hello to send where nothing is left of one kind.
			if len(p.CipherSuites) > 0 && len(p.SignatureSchemes) > 0 && len(p.Groups) > 0 && !strings.Contains(value, "TLSv1.3") {
				nothing++
				t.Logf("%s: Java sends nothing", q)
			}
		case !slices.Contains(p.Versions, wire.VersionTLS13):
			continue // no supported_versions, groups by the suites that are left: nothing to compare with
		default:
			compared++
			compare(t, q, p, h)
		}
	}
	if refused < 5 || nothing > 20 || compared < 500 {
		t.Errorf("%d refused, %d without a hello, %d compared", refused, nothing, compared)
	}
}

// TestDefaultsAreThoseOfTheRelease holds the defaults of the Java of this machine, with what it disables by itself.
func TestDefaultsAreThoseOfTheRelease(t *testing.T) {
	hellos, version := askJava(t, "default", []string{"tls "})
	p, err := Policy(Options{Release: version})
	if err != nil || hellos[0] == nil {
		t.Fatal(err, hellos[0])
	}
	compare(t, version, p, hellos[0])
}

func TestReleases(t *testing.T) {
	tests := []struct {
		release    string
		suites     int // before anything is disabled
		first      wire.NamedGroup
		preference policy.Preference
	}{
		{"", 55, wire.GroupX25519, policy.PreferServer},
		{"17.0.15", 55, wire.GroupX25519, policy.PreferServer},
		{"21", 55, wire.GroupX25519, policy.PreferServer},
		{"25.0.3", 48, wire.GroupX25519, policy.PreferServer},
		{"1.8.0_402", 51, wire.GroupSecp256r1, policy.PreferClient},
		{"8u402", 51, wire.GroupSecp256r1, policy.PreferClient},
		{"11.0.22+7", 51, wire.GroupSecp256r1, policy.PreferClient},
	}
	none := ""
	for _, test := range tests {
		p, err := Policy(Options{Release: test.release, DisabledTLS: &none, DisabledCertPath: &none})
		if err != nil || len(p.CipherSuites) != test.suites || p.Groups[0] != test.first || p.Preference != test.preference {
			t.Errorf("%q: %v, %+v", test.release, err, p)
		}
	}
	for _, bad := range []string{"7", "seventeen", "1.", "-3", "100"} {
		if _, err := Policy(Options{Release: bad}); !errors.Is(err, ErrRelease) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestNewWaysToDisable: patterns of suites, and schemes for the handshake alone, both since 24.
func TestNewWaysToDisable(t *testing.T) {
	value := "TLS_RSA_*, TLS_*_CBC_SHA, rsa_pkcs1_sha1 usage HandshakeSignature"
	old, err := Policy(Options{Release: "21", DisabledTLS: &value})
	if err != nil || !slices.Contains(old.CipherSuites, wire.TLS_RSA_WITH_AES_128_CBC_SHA) || !slices.Contains(old.SignatureSchemes, wire.SchemeRSAPKCS1SHA1) {
		t.Errorf("21: %v, %+v", err, old)
	}
	p, err := Policy(Options{Release: "25", DisabledTLS: &value})
	if err != nil || slices.ContainsFunc(p.CipherSuites, func(c wire.CipherSuite) bool {
		info, _ := c.Info()
		return info.KeyExchange == "RSA" || strings.HasSuffix(info.Name, "CBC_SHA")
	}) || slices.Contains(p.SignatureSchemes, wire.SchemeRSAPKCS1SHA1) || !slices.Contains(p.SignatureSchemes, wire.SchemeECDSASHA1) || len(p.CipherSuites) < 20 {
		t.Errorf("25: %v, %+v", err, p)
	}
}

func TestErrorsSayWhere(t *testing.T) {
	tests := []struct {
		value  string
		reason error
		offset int
	}{
		{"RSA, SHA1 foo", ErrConstraint, 5}, {"\"RSA,EC keySize ~ 3\"", ErrOperator, 5}, {"EC keySize < many", ErrKeySize, 0}, {"RSA &", ErrConstraint, 0},
		{strings.Repeat("RSA,", maxProperty), ErrTooLong, 0},
	}
	for _, test := range tests {
		_, err := ParseDisabled(test.value)
		var typed *Error
		if !errors.As(err, &typed) || !errors.Is(err, test.reason) || typed.Offset != test.offset {
			t.Errorf("%.40q: %.200v", test.value, err)
		}
	}
}

func FuzzParseDisabled(f *testing.F) {
	for _, s := range []string{defaultDisabledCertPath, defaultDisabledTLS(release{24, true}), "RSA keySize <", "\"", "TLS_*_*", ",", "EC &"} {
		f.Add(s, "25")
	}
	f.Fuzz(func(t *testing.T, value, rel string) {
		p, err := Policy(Options{Release: rel, DisabledTLS: &value, DisabledCertPath: &value})
		var typed *Error
		if err != nil && !errors.As(err, &typed) {
			t.Fatal(err)
		}
		if err == nil && (len(p.CipherSuites) > 55 || len(p.Groups) > 10) {
			t.Fatal("something came to what was there")
		}
	})
}
