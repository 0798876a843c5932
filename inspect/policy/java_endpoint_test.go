package policy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/java"
)

// javaServer serves handshakes with JSSE until the test ends.
func javaServer(t *testing.T, pair keyPair, properties []string, args ...string) (address string) {
	t.Helper()
	store := filepath.Join(t.TempDir(), "keys.p12")
	if out, err := exec.Command("openssl", "pkcs12", "-export", "-in", pair.cert, "-inkey", pair.key, "-out", store, "-passout", "pass:test").CombinedOutput(); err != nil {
		t.Fatalf("openssl pkcs12: %v\n%s", err, out)
	}
	command := append([]string{}, properties...)
	command = append(command, filepath.Join("testdata", "TLSServer.java"), store)
	return start(t, `listening on (127\.0\.0\.1:\d+)`, "java", append(command, args...)...)[1]
}

// javaRelease is that of the java on the path.
func javaRelease(t *testing.T) string {
	t.Helper()
	source := writeFile(t, filepath.Join(t.TempDir(), "Release.java"), `public class Release { public static void main(String[] a) { System.out.print(System.getProperty("java.version")); } }`)
	out, err := exec.Command("java", source).Output()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("java: CI needs it: %v", err)
		}
		t.Skipf("java is not installed or cannot compile: %v", err)
	}
	return string(out)
}

// TestJavaAnswersAsPredicted imports what a java.security file disables, and has JSSE answer.
func TestJavaAnswersAsPredicted(t *testing.T) {
	release := javaRelease(t)
	none := ""
	most := "RC4, DES, 3DES_EDE_CBC, anon, NULL, ECDH, EC keySize < 384, TLSv1, AES_128_CBC, SHA256withRSA, x25519"
	tests := []struct {
		name     string
		disabled *string
		cert     policy.CertificateType
		args     []string
	}{
		{"defaults, RSA", nil, policy.CertRSA, nil},
		{"defaults, ECDSA P-256", nil, policy.CertECDSAP256, nil},
		{"nothing disabled, RSA", &none, policy.CertRSA, nil},
		{"nothing disabled, the client's order", &none, policy.CertRSA, []string{"client"}},
		{"much disabled", &most, policy.CertRSA, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := java.Policy(java.Options{Release: release, DisabledTLS: test.disabled})
			if err != nil {
				t.Fatal(err)
			}
			p.Certificates = []policy.CertificateType{test.cert}
			if len(test.args) > 0 {
				p.Preference = policy.PreferClient
			}
			var properties []string
			if test.disabled != nil {
				file := writeFile(t, filepath.Join(t.TempDir(), "java.security"), "jdk.tls.disabledAlgorithms="+*test.disabled+"\n")
				properties = []string{"-Djava.security.properties=" + file}
			}
			checkEndpoint(t, javaServer(t, newKeyPair(t, test.cert), properties, test.args...), p)
		})
	}
}
