package diagnose

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// behind is a connection whose backend presents a chain that nobody judged yet.
func behind(raw [][]byte, change ...func(*inspect.Connection)) *inspect.Connection {
	c := healthy()
	c.BackendLeg.TLS.Server = &inspect.Server{CertificateChain: inspect.Certificates(raw)}
	for _, f := range change {
		f(c)
	}
	return c
}

func chainCases(tb testing.TB) []ruleCase {
	pki := certstest.NewAt(tb, noon)
	trusting := func() *Diagnoser {
		return &Diagnoser{Roots: pki.Roots(), KnownCAs: []*x509.Certificate{pki.Intermediate.Certificate, pki.Issuing.Certificate}}
	}
	fake := pki.SelfSign(certs.Template{CommonName: "Kubernetes Ingress Controller Fake Certificate", Names: []string{"ingress.local"}})
	local := pki.SelfSign(certs.Template{CommonName: "localhost", Names: []string{"localhost"}})
	refusing := func(c *inspect.Connection) {
		c.BackendLeg.TLS.Established = false
		c.BackendLeg.Error = &inspect.Error{Type: inspect.ErrorCertificate, Phase: inspect.PhaseHandshake}
	}
	backend := inspect.FaultBackend
	cases := []ruleCase{
		{name: "default certificate of ingress-nginx", in: behind([][]byte{fake.Certificate.Raw}), cause: "default-certificate-served", fault: backend, verdict: inspect.Failed, also: []string{"cert-name-mismatch", "cert-self-signed"}},
		{name: "certificate of an installer", in: behind([][]byte{local.Certificate.Raw}), cause: "default-certificate-served", fault: backend, verdict: inspect.Failed},
		{name: "no certificate at all", in: behind([][]byte{{1, 2, 3}}), cause: "cert-malformed", fault: backend, verdict: inspect.Failed},
		{name: "expired and refused", in: behind(pki.Make(certstest.Expired, siteName).Raw(), refusing), cause: "cert-expired", fault: backend, verdict: inspect.Failed, never: []string{"cert-rejected", "handshake-unexplained"}},
		{name: "refused, and the client left", in: behind(pki.Make(certstest.Expired, siteName).Raw(), refusing, fails(inspect.ErrorClosed)), cause: "cert-expired", fault: backend, verdict: inspect.Failed, also: []string{"client-aborted"}},
	}
	cases = append(cases, ruleCase{name: "a key for RSASSA-PSS alone", in: behind(underPSS(tb, pki)), cause: "cert-uncommon-algorithm", fault: backend, verdict: inspect.Warning, never: []string{"cert-malformed"}})
	lives := func(since, left int) *inspect.Connection {
		leaf := pki.Issue(pki.Issuing, certs.Template{Names: []string{siteName}, NotBefore: noon.AddDate(0, 0, -since), NotAfter: noon.AddDate(0, 0, left)})
		return behind([][]byte{leaf.Certificate.Raw, pki.Issuing.Certificate.Raw, pki.Intermediate.Certificate.Raw})
	}
	cases = append(cases,
		ruleCase{name: "twenty days left", in: lives(70, 20), cause: "cert-expiring-soon", fault: backend, verdict: inspect.Warning},
		ruleCase{name: "twenty days left of 47", in: lives(27, 20), verdict: inspect.OK, never: []string{"cert-expiring-soon"}},
		ruleCase{name: "fifteen days left of 47", in: lives(32, 15), cause: "cert-expiring-soon", fault: backend, verdict: inspect.Warning},
	)
	for _, k := range []struct {
		kind    certstest.Kind
		cause   string
		verdict inspect.Verdict
	}{
		{certstest.Healthy, "", inspect.OK}, {certstest.HealthyRSA, "", inspect.OK}, {certstest.Wildcard, "", inspect.OK}, {certstest.IPName, "", inspect.OK},
		{certstest.Expired, "cert-expired", inspect.Failed},
		{certstest.NotYetValid, "cert-not-yet-valid", inspect.Failed},
		{certstest.ExpiringSoon, "cert-expiring-soon", inspect.Warning},
		{certstest.WrongName, "cert-name-mismatch", inspect.Failed},
		{certstest.CommonNameOnly, "cert-name-mismatch", inspect.Failed},
		{certstest.SelfSigned, "cert-self-signed", inspect.Failed},
		{certstest.MissingIntermediate, "chain-missing-intermediate", inspect.Failed},
		{certstest.MissingUpper, "chain-missing-intermediate", inspect.Failed},
		{certstest.WrongOrder, "chain-wrong-order", inspect.Warning},
		{certstest.Unrelated, "chain-unrelated-certificate", inspect.Warning},
		{certstest.UntrustedRoot, "chain-untrusted-root", inspect.Failed},
		{certstest.ExpiredIntermediate, "chain-intermediate-expired", inspect.Failed},
		{certstest.WeakKey, "cert-weak-key", ""},
		{certstest.WeakSignature, "cert-weak-signature", ""},
		{certstest.ClientOnly, "cert-wrong-usage", inspect.Failed},
	} {
		fault := backend
		if k.cause == "" {
			fault = ""
		}
		cases = append(cases, ruleCase{name: "chain: " + string(k.kind), in: behind(pki.Make(k.kind, siteName).Raw()), cause: k.cause, fault: fault, verdict: k.verdict})
	}
	for i := range cases {
		cases[i].d = trusting()
	}
	return append(cases, ruleCase{
		name: "valid for the proxy, whose roots are not known here", in: behind(pki.Make(certstest.UntrustedRoot, siteName).Raw(), func(c *inspect.Connection) {
			c.BackendLeg.TLS.Server.Validation = &inspect.Validation{Status: inspect.ValidationValid}
		}), verdict: inspect.OK, d: trusting(),
	}, ruleCase{
		name: "private authority in a capture that the client accepts", in: captured(func(c *inspect.Connection) {
			c.ClientLeg.TLS.Server = &inspect.Server{CertificateChain: inspect.Certificates(pki.Make(certstest.UntrustedRoot, siteName).Raw())}
		}), verdict: inspect.OK, also: []string{"chain-untrusted-root"}, d: &Diagnoser{},
	}, ruleCase{
		name: "missing intermediate in a capture that the client refuses", in: captured(func(c *inspect.Connection) {
			c.ClientLeg.TLS.Server = &inspect.Server{CertificateChain: inspect.Certificates(pki.Make(certstest.MissingIntermediate, siteName).Raw())}
			fails(inspect.ErrorAlertReceived)(c)
			clientAlert(inspect.FromClient, 48, "unknown_ca")(c)
		}), cause: "chain-missing-intermediate", fault: backend, verdict: inspect.Failed, also: []string{"server-cert-rejected-by-client"}, d: trusting(),
	})
}

// underPSS is a chain whose leaf has its key of RSA under the object identifier of RSASSA-PSS, which is as long.
func underPSS(t testing.TB, pki *certstest.PKI) [][]byte {
	t.Helper()
	leaf := pki.Issue(pki.Issuing, certs.Template{Names: []string{siteName}, Key: certs.RSA2048})
	var whole struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(leaf.Certificate.Raw, &whole); err != nil {
		t.Fatal(err)
	}
	rsaEncryption, pss := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1}, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10}
	if bytes.Count(whole.TBS.FullBytes, rsaEncryption) != 1 {
		t.Fatal("the key is not found by its object identifier")
	}
	whole.TBS = asn1.RawValue{FullBytes: bytes.Replace(whole.TBS.FullBytes, rsaEncryption, pss, 1)}
	digest := sha256.Sum256(whole.TBS.FullBytes)
	signature, err := pki.Issuing.Key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	whole.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	der, err := asn1.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return [][]byte{der, pki.Issuing.Certificate.Raw, pki.Intermediate.Certificate.Raw}
}

func TestChainRules(t *testing.T) {
	for _, tt := range chainCases(t) {
		t.Run(tt.name, func(t *testing.T) {
			tt.diagnoser().Diagnose(tt.in)
			if tt.verdict == "" { // strict or lenient is crypto/x509's to say
				tt.verdict = tt.in.Verdict
				if tt.verdict == inspect.OK {
					t.Error("verdict ok")
				}
			}
			check(t, tt.in, tt)
			leg := tt.in.BackendLeg
			if leg == nil {
				leg = tt.in.ClientLeg
			}
			if v := leg.TLS.Server.Validation; v == nil || (v.Status == inspect.ValidationInvalid) != (tt.in.Verdict == inspect.Failed) && tt.name[:5] == "chain" {
				t.Errorf("validation %+v with verdict %s", v, tt.in.Verdict)
			}
		})
	}
}

// diagnoser is the case's own, or one that knows nothing.
func (c *ruleCase) diagnoser() *Diagnoser {
	if c.d != nil {
		return c.d
	}
	return &Diagnoser{}
}

func TestChainIsJudgedAgainWhenItsTimeComes(t *testing.T) {
	pki := certstest.NewAt(t, noon)
	raw := pki.Make(certstest.Healthy, siteName).Raw()
	d := &Diagnoser{Roots: pki.Roots()}
	for _, tt := range []struct {
		days int
		want string
	}{{0, ""}, {0, ""}, {70, "cert-expiring-soon"}, {89, "cert-expired"}, {0, ""}, {-30, "cert-not-yet-valid"}} {
		c := behind(raw)
		c.Timestamp = noon.AddDate(0, 0, tt.days).Add(1)
		d.Diagnose(c)
		if c.Cause != tt.want {
			t.Errorf("after %d days: cause %q, want %q", tt.days, c.Cause, tt.want)
		}
	}
	if n := d.chains.order.Len(); n != 4 {
		t.Errorf("%d examinations kept, want 4", n)
	}
}

func TestRecordingIsJudgedAnewWithOtherRoots(t *testing.T) {
	pki := certstest.NewAt(t, noon)
	c := behind(pki.Make(certstest.Healthy, siteName).Raw())
	(&Diagnoser{Roots: x509.NewCertPool()}).Diagnose(c)
	if c.Cause != "chain-untrusted-root" || c.BackendLeg.TLS.Server.Validation.Status != inspect.ValidationInvalid {
		t.Fatalf("without roots: cause %q", c.Cause)
	}
	(&Diagnoser{Roots: pki.Roots()}).Diagnose(c)
	if c.Verdict != inspect.OK || c.BackendLeg.TLS.Server.Validation.Status != inspect.ValidationValid {
		t.Errorf("with roots: cause %q, findings %v", c.Cause, c.Findings)
	}
}

func TestChainCacheIsBounded(t *testing.T) {
	pki := certstest.NewAt(t, noon)
	raw := pki.Make(certstest.Healthy, siteName).Raw()
	d := &Diagnoser{Roots: pki.Roots()}
	for i := range maxChains + 20 {
		c := behind(raw)
		c.BackendLeg.ServerName = fmt.Sprintf("h%d.example.com", i)
		d.Diagnose(c)
	}
	if n := d.chains.order.Len(); n != maxChains || len(d.chains.byKey) != n {
		t.Errorf("%d and %d examinations kept, want %d", n, len(d.chains.byKey), maxChains)
	}
}

func TestDiagnoserIsSafeForConcurrentUse(t *testing.T) {
	pki := certstest.NewAt(t, noon)
	d := &Diagnoser{Roots: pki.Roots()}
	kinds := []certstest.Kind{certstest.Healthy, certstest.Expired, certstest.WrongName}
	var raws [][][]byte
	for _, k := range kinds {
		raws = append(raws, pki.Make(k, siteName).Raw())
	}
	want := []string{"", "cert-expired", "cert-name-mismatch"}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 30 {
				k := (i + j) % len(kinds)
				c := behind(raws[k])
				d.Diagnose(c)
				if c.Cause != want[k] {
					t.Errorf("%s: cause %q", kinds[k], c.Cause)
				}
			}
		})
	}
	wg.Wait()
}

func TestSystemsLimitFixes(t *testing.T) {
	c := frontFails(inspect.ErrorNoCommonVersion, inspect.PhaseHandshake, hello(oldHello("TLSv1.0")))
	(&Diagnoser{Systems: []string{"aws"}}).Diagnose(c)
	var targets []string
	for _, f := range c.Findings[0].Fixes {
		targets = append(targets, f.Target)
		if f.Target == "aws/alb" && !strings.Contains(f.Snippet, "--ssl-policy ELBSecurityPolicy-TLS13-1-0-2021-06") {
			t.Errorf("snippet %q names no policy that accepts TLS 1.0", f.Snippet)
		}
	}
	if got := strings.Join(targets, " "); got != "client aws/alb aws/nlb aws/clb" {
		t.Errorf("targets %s", got)
	}
}
