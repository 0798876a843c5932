package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/scan"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// javaServer accepts TLS with every version and suite that its JSSE has, and says which these are.
const javaServer = `
import java.io.*; import java.security.*; import java.util.*; import javax.net.ssl.*;
public class Server {
  public static void main(String[] a) throws Exception {
    KeyStore ks = KeyStore.getInstance("PKCS12");
    char[] secret = "secret".toCharArray(); ks.load(null, secret);
    for (String file : a[1].split(",")) {
      KeyStore one = KeyStore.getInstance("PKCS12");
      try (InputStream in = new FileInputStream(file)) { one.load(in, secret); }
      for (String alias : Collections.list(one.aliases())) ks.setKeyEntry(file, one.getKey(alias, secret), secret, one.getCertificateChain(alias));
    }
    KeyManagerFactory k = KeyManagerFactory.getInstance("SunX509"); k.init(ks, secret);
    SSLContext c = SSLContext.getInstance("TLS"); c.init(k.getKeyManagers(), null, null);
    SSLServerSocket s = (SSLServerSocket) c.getServerSocketFactory().createServerSocket(Integer.parseInt(a[0]), 200, java.net.InetAddress.getLoopbackAddress());
    s.setEnabledProtocols(a[2].split(",")); s.setEnabledCipherSuites(s.getSupportedCipherSuites());
    SSLParameters p = s.getSSLParameters(); p.setUseCipherSuitesOrder(true); s.setSSLParameters(p);
    System.out.println("suites " + String.join(" ", s.getEnabledCipherSuites()));
    System.out.println("ready");
    while (true) {
      final SSLSocket x = (SSLSocket) s.accept();
      new Thread(() -> { try { x.setSoTimeout(5000); x.getInputStream().read(); x.close(); } catch (IOException e) { try { x.close(); } catch (IOException f) {} } }).start();
    }
  }
}`

// TestScanOfJavaWithEverythingOpened scans a JSSE from which nothing is disabled any more: SSLv3, NULL, anonymous and EXPORT suites, with
// keys of two kinds. It answers lists of schemes that have none for its first key with internal_error, speaks ECDHE in SSLv3, and has
// primes of 512 bits for EXPORT suites.
func TestScanOfJavaWithEverythingOpened(t *testing.T) {
	java, openssl := importertest.Program(t, "java"), importertest.Program(t, "openssl")
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "rsa", "ec")
	var stores []string
	for _, key := range []string{"rsa", "ec"} {
		store := filepath.Join(dir, key+".p12")
		if said, ok := importertest.Run(t, openssl, "pkcs12", "-export", "-in", filepath.Join(dir, key+".crt"), "-inkey", filepath.Join(dir, key+".key"), "-out", store, "-passout", "pass:secret"); !ok {
			t.Fatal(said)
		}
		stores = append(stores, store)
	}
	security := filepath.Join(dir, "java.security")
	importertest.Write(t, security, "jdk.tls.disabledAlgorithms=\njdk.tls.legacyAlgorithms=\njdk.certpath.disabledAlgorithms=\n")
	source := filepath.Join(dir, "Server.java")
	importertest.Write(t, source, javaServer)
	port := importertest.FreePort(t)
	importertest.Start(t, "^ready", java, "-Djava.security.properties="+security, "-Djdk.tls.ephemeralDHKeySize=1024", source, port, strings.Join(stores, ","), "SSLv3,TLSv1,TLSv1.1,TLSv1.2,TLSv1.3")
	said, ok := importertest.Run(t, java, "-Djava.security.properties="+security, writeJavaLister(t, dir))
	if !ok {
		t.Fatal(said)
	}
	s := scanOnce(t, "127.0.0.1:"+port, "--sni", "localhost", "--no-request")
	sameSet(t, "versions", s.Versions, []string{"TLSv1.3", "TLSv1.2", "TLSv1.1", "TLSv1.0", "SSLv3"})
	want := map[string][]string{}
	versions := map[string]wire.Version{"TLSv1.3": wire.VersionTLS13, "TLSv1.2": wire.VersionTLS12, "TLSv1.1": wire.VersionTLS11, "TLSv1.0": wire.VersionTLS10, "SSLv3": wire.VersionSSLv3}
	for _, name := range strings.Fields(regexp.MustCompile(`(?m)^suites (.*)$`).FindStringSubmatch(said)[1]) {
		suite, ok := wire.CipherSuiteByName(name)
		info, _ := suite.Info()
		if !ok || info.Signal() || info.Authentication == "DSS" { // the JSSE does not look at who signed a certificate: static ECDH goes with it in both forms
			continue
		}
		for text, v := range versions {
			// The JSSE has EXPORT up to TLS 1.0, and DES up to TLS 1.1 (RFC 4346, Appendix A.5; RFC 5469).
			if info.TLS13() != v.IsTLS13() || info.MinVersion > max(v, wire.VersionTLS10) || info.Export && v > wire.VersionTLS10 || info.Encryption == "DES" && v > wire.VersionTLS11 {
				continue
			}
			want[text] = append(want[text], suite.String())
		}
	}
	for text := range versions {
		sameSet(t, text, s.Ciphers[text], want[text])
	}
	for _, id := range []string{"server-obsolete-version", "server-weak-ciphers", "server-weak-dh"} {
		wantFinding(t, s, id)
	}
	for _, bits := range []int{512, 1024} {
		if !slices.ContainsFunc(s.FiniteFields, func(f scan.FiniteField) bool { return f.Bits == bits }) {
			t.Errorf("DH parameters %+v, want %d bits", s.FiniteFields, bits)
		}
	}
	var keys []string
	for _, p := range s.Certificates {
		keys = append(keys, p.Algorithm)
	}
	sameSet(t, "certificates", keys, []string{"RSA", "ECDSA"})
	for version, schemes := range map[string][]string{
		"TLSv1.2": {"ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256", "rsa_pkcs1_sha256", "rsa_pkcs1_sha1", "ecdsa_sha1"},
		"TLSv1.3": {"ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512"},
	} {
		for _, scheme := range schemes {
			if !slices.Contains(s.SchemesByVersion[version], scheme) {
				t.Errorf("%s: schemes %v lack %s", version, s.SchemesByVersion[version], scheme)
			}
		}
	}
	suites := 0
	for _, names := range s.Ciphers {
		suites += len(names)
	}
	if s.Connections > suites+130 { // each suite takes one, and there is no way to learn of two at once
		t.Errorf("%d connections for %d suites", s.Connections, suites)
	}
	t.Logf("%d connections for %d suites", s.Connections, suites)
}

// writeJavaLister prints what the JSSE supports.
func writeJavaLister(t *testing.T, dir string) string {
	t.Helper()
	file := filepath.Join(dir, "Lister.java")
	importertest.Write(t, file, `public class Lister { public static void main(String[] a) throws Exception {
  System.out.println("suites " + String.join(" ", javax.net.ssl.SSLContext.getDefault().getSupportedSSLParameters().getCipherSuites())); } }`)
	return file
}

// TestScanOfStunnelIsWhatIsConfigured scans services of one stunnel.
func TestScanOfStunnelIsWhatIsConfigured(t *testing.T) {
	stunnel := importertest.Program(t, "stunnel4")
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "rsa")
	plain := importertest.FreePort(t)
	cases := []struct {
		name, options    string
		versions, suites []string
	}{
		{"TLS 1.2, two suites", "sslVersion = TLSv1.2\nciphers = ECDHE-RSA-AES256-GCM-SHA384:AES128-SHA\n", []string{"TLSv1.2"}, []string{"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_RSA_WITH_AES_128_CBC_SHA"}},
		{"TLS 1.3", "sslVersionMin = TLSv1.3\n", []string{"TLSv1.3"}, nil},
	}
	conf := fmt.Sprintf("foreground = yes\npid =\ncert = %s/rsa.crt\nkey = %s/rsa.key\n", dir, dir)
	ports := make([]string, len(cases))
	for i, c := range cases {
		ports[i] = importertest.FreePort(t)
		conf += fmt.Sprintf("[s%d]\naccept = 127.0.0.1:%s\nconnect = 127.0.0.1:%s\n%s", i, ports[i], plain, c.options)
	}
	file := filepath.Join(dir, "stunnel.conf")
	importertest.Write(t, file, conf)
	importertest.Start(t, "Configuration successful", stunnel, file)
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			importertest.AwaitPort(t, "127.0.0.1:"+ports[i])
			s := scanOnce(t, "127.0.0.1:"+ports[i], "--sni", "localhost", "--no-request")
			sameSet(t, "versions", s.Versions, c.versions)
			sameSet(t, "suites", s.Ciphers["TLSv1.2"], c.suites)
		})
	}
}
