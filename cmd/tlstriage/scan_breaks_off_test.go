package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/porttest"
	"github.com/tlstriage/tlstriage/inspect/scan"
)

// javaWith starts a JSSE with one key, after which nothing is disabled.
func javaWith(t *testing.T, key, protocols string, properties ...string) (address string) {
	t.Helper()
	java, openssl := importertest.Program(t, "java"), importertest.Program(t, "openssl")
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, key)
	store, security, source := filepath.Join(dir, key+".p12"), filepath.Join(dir, "java.security"), filepath.Join(dir, "Server.java")
	if said, ok := importertest.Run(t, openssl, "pkcs12", "-export", "-in", filepath.Join(dir, key+".crt"), "-inkey", filepath.Join(dir, key+".key"), "-out", store, "-passout", "pass:secret"); !ok {
		t.Fatal(said)
	}
	importertest.Write(t, security, "jdk.tls.disabledAlgorithms=\njdk.certpath.disabledAlgorithms=\n")
	importertest.Write(t, source, javaServer)
	port := importertest.FreePort(t)
	importertest.Start(t, "^ready", java, slices.Concat([]string{"-Djava.security.properties=" + security}, properties, []string{source, port, store, protocols})...)
	return "127.0.0.1:" + port
}

// breaksOff wants the finding about TLS 1.3, as an error, and the right name among those that are refused.
func breaksOff(t *testing.T, s *scanned, because string) {
	t.Helper()
	i := slices.IndexFunc(s.Findings, func(f inspect.Finding) bool { return f.ID == scan.FindingBreaksOff })
	if i < 0 {
		t.Fatalf("no finding about a version that breaks off: verdict %s, cause %s, names %+v", s.Verdict, s.Cause, s.SNI)
	}
	f := s.Findings[i]
	if f.Severity != inspect.SeverityError || !strings.HasPrefix(f.Title, "TLSv1.3 is chosen") || !strings.Contains(f.Detail, because) || !strings.Contains(f.Detail, "although TLSv1.2 works") {
		t.Errorf("%s: %s: %s", f.Severity, f.Title, f.Detail)
	}
	if s.Verdict != inspect.Failed || s.BreaksOff["TLSv1.3"].Reply != scan.No || len(s.BreaksOff) != 1 {
		t.Errorf("verdict %s, %+v", s.Verdict, s.BreaksOff)
	}
	if line := s.namesLine(); !strings.Contains(line, "right: ") {
		t.Errorf("names %s: nothing of the right one", line)
	}
}

// TestScanOfAVersionThatBreaksOff: TLS 1.3 is chosen, and no client that offers it ever gets a certificate.
func TestScanOfAVersionThatBreaksOff(t *testing.T) {
	t.Run("Java that signs with rsa_pkcs1 alone", func(t *testing.T) {
		s := scanOnce(t, javaWith(t, "rsa", "TLSv1.2,TLSv1.3", "-Djdk.tls.server.SignatureSchemes=rsa_pkcs1_sha512"), "--sni", "localhost", "--no-request")
		breaksOff(t, s, "it signs with nothing but rsa_pkcs1_sha512")
		if s.Cause == "" || !slices.Equal(s.Versions, []string{"TLSv1.3", "TLSv1.2"}) {
			t.Errorf("cause %q, versions %v", s.Cause, s.Versions)
		}
	})
	t.Run("OpenSSL that asks clients for rsa_pkcs1 alone", func(t *testing.T) {
		dir := t.TempDir()
		importertest.KeyPairs(t, dir, "rsa")
		s := scanOnce(t, "127.0.0.1:"+sServer(t, dir, "rsa", "-Verify", "1", "-client_sigalgs", "RSA+SHA256", "-CAfile", filepath.Join(dir, "rsa.crt")), "--sni", "localhost")
		breaksOff(t, s, "sign with nothing but rsa_pkcs1_sha256")
	})
}

// TestScanOfHandshakesOfTLS13ThatAreSignedWithSHA1: the JSSE does that with a key on P-256, for a client that offers nothing else.
func TestScanOfHandshakesOfTLS13ThatAreSignedWithSHA1(t *testing.T) {
	s := scanOnce(t, javaWith(t, "ec", "TLSv1.3"), "--sni", "localhost", "--no-request")
	if !slices.Contains(s.SchemesByVersion["TLSv1.3"], "ecdsa_sha1") {
		t.Fatalf("schemes %v, inconclusive %v", s.SchemesByVersion, s.Inconclusive)
	}
	wantFinding(t, s, scan.FindingSHA1In13)
	for _, f := range s.Findings {
		if f.ID == scan.FindingWeakSignature {
			t.Errorf("%s, which is about older versions: %s", f.ID, f.Detail)
		}
	}
}

// TestScanOfKeysOnCurvesThatGoDoesNotKnow: the certificates are well-formed, and the curve has to be among the client's groups.
func TestScanOfKeysOnCurvesThatGoDoesNotKnow(t *testing.T) {
	openssl := importertest.Program(t, "openssl")
	for _, curve := range []string{"brainpoolP256r1", "secp256k1"} {
		t.Run(curve, func(t *testing.T) {
			dir := t.TempDir()
			if said, ok := importertest.Run(t, openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:"+curve, "-nodes", "-days", "30", "-subj", "/CN=localhost",
				"-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", filepath.Join(dir, "own.key"), "-out", filepath.Join(dir, "own.crt")); !ok {
				t.Fatal(said)
			}
			s := scanOnce(t, "127.0.0.1:"+sServer(t, dir, "own", "-tls1_2"), "--sni", "localhost")
			wantFinding(t, s, "cert-uncommon-algorithm")
			for _, f := range s.Findings {
				if f.ID == "cert-malformed" || f.ID == "backend-cipher-no-overlap" {
					t.Errorf("%s: %s", f.ID, f.Detail)
				}
			}
			if len(s.Certificates) != 1 || s.Certificates[0].Algorithm != "ECDSA" || s.Certificates[0].Chain[0].PublicKeySize != 256 || s.Certificates[0].Chain[0].Subject != "CN=localhost" {
				t.Errorf("certificates %+v", s.Certificates)
			}
			if b := s.BrokenLayer(); b != nil {
				t.Errorf("broken: %s", b.Sentence)
			}
		})
	}
}

// TestScanOffersTheCurveOfTheCertificate: a server with one curve for the exchange wants that of its key beside it, in short hellos, too.
func TestScanOffersTheCurveOfTheCertificate(t *testing.T) {
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "ec")
	s := scanOnce(t, "127.0.0.1:"+sServer(t, dir, "ec", "-tls1_2", "-named_curve", "P-384"), "--sni", "localhost")
	for name, a := range s.Tolerance {
		if a.Reply == scan.No || strings.Contains(a.Evidence, "handshake_failure") {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// TestScanBringsRenegotiationInfo: GnuTLS that insists on it does so in TLS 1.3, too, where browsers send it.
func TestScanBringsRenegotiationInfo(t *testing.T) {
	serv := importertest.Program(t, "gnutls-serv")
	dir, port := t.TempDir(), importertest.FreePort(t)
	importertest.KeyPairs(t, dir, "rsa")
	importertest.Start(t, "listening on IPv4", serv, "--x509certfile", filepath.Join(dir, "rsa.crt"), "--x509keyfile", filepath.Join(dir, "rsa.key"), "--http", "-p", port, "--priority", "NORMAL:%SAFE_RENEGOTIATION")
	importertest.AwaitPort(t, "127.0.0.1:"+port)
	s := scanOnce(t, "127.0.0.1:"+port, "--sni", "localhost")
	if !slices.Contains(s.Versions, "TLSv1.3") {
		t.Fatalf("versions %v, inconclusive %v", s.Versions, s.Inconclusive)
	}
	for _, answers := range []map[string]scan.Answer{s.Tolerance, s.Resumption} {
		for name, a := range answers {
			if strings.Contains(a.Evidence, "handshake_failure") {
				t.Errorf("%s: %+v", name, a)
			}
		}
	}
}

// TestScanResumesWithX448: what is asked about has an answer, or is said to have none.
func TestScanResumesWithX448(t *testing.T) {
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "rsa")
	s := scanOnce(t, "127.0.0.1:"+sServer(t, dir, "rsa", "-groups", "X448"), "--sni", "localhost")
	if a, ok := s.Resumption[scan.ResumePSK]; !ok || a.Reply == scan.No {
		t.Errorf("resumption %+v", s.Resumption)
	}
}

// TestNoFixIsTheCommandThatWasJustRun, of an endpoint that takes up nothing because it has no certificate.
func TestNoFixIsTheCommandThatWasJustRun(t *testing.T) {
	address := "127.0.0.1:" + sServer(t, "", "", "-nocert")
	s := scanOnce(t, address, "--sni", "localhost")
	wantFinding(t, s, "backend-cipher-no-overlap")
	certificate := false
	for _, f := range s.Findings {
		for _, fix := range f.Fixes {
			if fix.Snippet == "tlstriage scan "+address {
				t.Errorf("%s: %s: %s", f.ID, fix.Action, fix.Snippet)
			}
			certificate = certificate || strings.Contains(fix.Action, "has a certificate with its key at all")
		}
	}
	if !certificate {
		t.Error("that it may have no certificate is not said")
	}
}

// TestScanNamesTheSuitesThatHaveNothingInCommon: those of both sides.
func TestScanNamesTheSuitesThatHaveNothingInCommon(t *testing.T) {
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "rsa")
	s := scanOnce(t, "127.0.0.1:"+sServer(t, dir, "rsa", "-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"), "--sni", "localhost", "--as", "haproxy")
	if s.Clients == nil || len(s.Clients.Refused) != 1 {
		t.Fatalf("clients %+v", s.Clients)
	}
	if text := s.Clients.Refused[0].Why; !strings.Contains(text, "it offers TLS_AES_") || !strings.HasSuffix(text, "the endpoint takes TLS_AES_128_CCM_SHA256") || strings.Contains(text, "ECDHE") {
		t.Error(text)
	}
}

// TestScanReportsTheAddressThatIsUp, where another one of the name is down: what is wrong there is said beside it.
func TestScanReportsTheAddressThatIsUp(t *testing.T) {
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "rsa")
	up := "127.0.0.1:" + sServer(t, dir, "rsa", "-tls1_2")
	down := porttest.FreeAddress(t)
	c := &scanCommand{scanner: &scan.Scanner{}, revocation: "off", failOn: "error", changed: func(string) bool { return false }, timeout: 10e9, ca: filepath.Join(dir, "rsa.crt")}
	if err := c.prepare(); err != nil {
		t.Fatal(err)
	}
	defer c.close()
	var judged []*scanned
	for _, address := range []string{down, up} {
		target := scan.Target{ServerName: "localhost"}
		target.Endpoint.Address = address
		judged = append(judged, c.judgeReport(context.Background(), address, "localhost", c.scanner.Address(context.Background(), target)))
	}
	alone, connections := judged[0].Cause, judged[0].Connections+judged[1].Connections
	s := ofSeveral(judged)
	s.conclude()
	if s.Address != up || !slices.Equal(s.Versions, []string{"TLSv1.2"}) {
		t.Errorf("reported is %s, versions %v", s.Address, s.Versions)
	}
	if s.Verdict != inspect.Failed || s.Cause != alone || alone == "" {
		t.Errorf("verdict %s, cause %q, that of the address that is down is %q", s.Verdict, s.Cause, alone)
	}
	if !strings.Contains(s.Findings[0].Detail, "At "+down) {
		t.Errorf("first finding %+v", s.Findings[0])
	}
	if s.Connections != connections || len(s.Addresses) != 2 {
		t.Errorf("%d connections of %d, addresses %+v", s.Connections, connections, s.Addresses)
	}
	if text := s.table(false); !strings.Contains(text, down) || !strings.Contains(text, up) {
		t.Errorf("addresses are missing:\n%s", text)
	}
}

func TestANumberOfOneIsNoPlural(t *testing.T) {
	if got := ofNumber(1, "difference") + ", " + ofNumber(2, "difference"); got != "1 difference, 2 differences" {
		t.Error(got)
	}
}
