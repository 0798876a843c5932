package diagnose

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// Where a server is looked at by itself nobody is told to do anything with a proxy, and an error still has a fix.
func TestNoProxyIsSpokenOfWhereThereIsNone(t *testing.T) {
	for _, tt := range slices.Concat(ruleCases(), chainCases(t), revocationCases(t), lookCases(t), clientCertCases(t)) {
		if tt.in.BackendLeg == nil {
			continue
		}
		d := tt.diagnoser().Knowing()
		d.Alone = true
		tt.in.ClientLeg = nil
		d.Diagnose(tt.in)
		for _, f := range tt.in.Findings {
			for _, words := range []string{"backend ", "backend'", "proxy's", "the proxy ", "this proxy"} {
				if strings.Contains(f.Title+" "+f.Detail+" ", words) {
					t.Errorf("%s: %s: %s; %s", tt.name, f.ID, f.Title, f.Detail)
				}
			}
			if f.Severity == inspect.SeverityError && len(f.Fixes) == 0 {
				t.Errorf("%s: %s has no fix", tt.name, f.ID)
			}
			for _, x := range f.Fixes {
				if strings.Contains(x.Snippet, "tlstriage proxy") || strings.Contains(x.Snippet, "--backend") || strings.Contains(x.Action, "proxy's place") {
					t.Errorf("%s: %s: %s: %s", tt.name, f.ID, x.Action, x.Snippet)
				}
			}
		}
	}
	c := backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, asked(false), backendAlert(42, "bad_certificate"))
	c.ClientLeg = nil
	(&Diagnoser{Alone: true}).Diagnose(c)
	if f := c.Findings[0]; f.ID != "backend-requires-client-cert" || len(f.Fixes) == 0 {
		t.Errorf("%+v", f)
	}
	c = backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, backendAlert(112, "unrecognized_name"), sends("old.example"), withLooks(tookLook(inspect.LookBackendHost, siteName, certificateFor("aa", siteName))))
	c.ClientLeg = nil
	(&Diagnoser{Alone: true}).Diagnose(c)
	if f := c.Findings[0]; !strings.Contains(f.Fixes[0].Snippet, "tlstriage certs check HOST:PORT --name "+siteName) {
		t.Errorf("%+v", f)
	}
}

// What a file holds is looked at in the file, which is no host.
func TestFilesAreNoHosts(t *testing.T) {
	pki := certstest.NewAt(t, noon)
	c := behind([][]byte{pki.Leaf(siteName).Certificate.Raw})
	c.ClientLeg, c.BackendLeg.Address, c.BackendLeg.Port = nil, "certs/last.pem", 0
	(&Diagnoser{Alone: true, Roots: pki.Roots()}).Diagnose(c)
	all := ""
	for _, f := range c.Findings {
		for _, x := range f.Fixes {
			all += x.Snippet + "\n"
		}
	}
	if strings.Contains(all, "s_client") || !strings.Contains(all, "openssl storeutl -noout -text -certs certs/last.pem") ||
		strings.Contains(all, "HOST:PORT") || !strings.Contains(all, "tlstriage certs check certs/last.pem --ca FILE") {
		t.Errorf("%s", all)
	}
}

// A certificate without a subject is called by a name that it has.
func TestCertificatesWithoutASubject(t *testing.T) {
	c := healthy()
	c.ClientLeg.TLS.Server = &inspect.Server{CertificateChain: []inspect.Certificate{{AlternativeNames: []string{siteName}, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(0, 0, -1)}}}
	new(Diagnoser).Diagnose(c)
	if f := c.Findings[0]; f.ID != "listener-certificate-expired" || !strings.HasPrefix(f.Detail, "the certificate for "+siteName+" expired on") {
		t.Errorf("%+v", f)
	}
	if got := calledWhat(&inspect.Certificate{SerialNumber: "0AF3"}); got != "the certificate with serial number 0AF3" {
		t.Errorf("%s", got)
	}
}

// Damaged signatures, and chains of which not all is known, are told as what they are.
func TestDamagedAndEndlessChains(t *testing.T) {
	pki := certstest.NewAt(t, noon)
	whole := pki.Make(certstest.Healthy, siteName).Raw()
	damaged := append([][]byte{append([]byte{}, whole[0]...)}, whole[1:]...)
	damaged[0][len(damaged[0])-5] ^= 1
	d := &Diagnoser{Roots: pki.Roots()}
	c := behind(damaged)
	d.Diagnose(c)
	if f := c.Findings[0]; c.Cause != "cert-malformed" || !strings.Contains(f.Title, "damaged") || !strings.Contains(f.Detail, "does not verify with the key of certificate 1") {
		t.Errorf("%s: %+v", c.Cause, f)
	}
	for _, f := range c.Findings {
		if f.ID == "chain-missing-intermediate" || f.ID == "chain-unrelated-certificate" {
			t.Errorf("%+v", f)
		}
	}
	for _, sent := range []int{0, 150} { // the cache keeps the two apart
		c = behind(whole[:1])
		c.BackendLeg.TLS.Server.CertificatesSent = sent
		d.Diagnose(c)
		want := map[int]string{0: "chain-missing-intermediate", 150: "cert-malformed"}[sent]
		if c.Cause != want {
			t.Errorf("%d sent: %s", sent, c.Cause)
		}
		if sent > 0 && !strings.Contains(c.Findings[0].Detail, "150 certificates were presented") {
			t.Errorf("%+v", c.Findings[0])
		}
	}
}

// What is learnt later is learnt by a Diagnoser of its own that judges by all the same.
func TestKnowingMore(t *testing.T) {
	pki := certstest.NewAt(t, noon)
	d := &Diagnoser{Roots: pki.Roots(), KnownCAs: []*x509.Certificate{pki.Root.Certificate}, Shown: pki.Issuing.Chain(), ExpiringSoon: -1, Systems: []string{"nginx"}, Alone: true, Now: noon}
	more := d.Knowing(pki.Issuing.Certificate)
	if len(more.KnownCAs) != 2 || len(d.KnownCAs) != 1 || more.Roots != d.Roots || len(more.Shown) != len(d.Shown) || more.ExpiringSoon != -1 || len(more.Systems) != 1 || !more.Alone || !more.Now.Equal(noon) {
		t.Errorf("%+v", more)
	}
	lacks := behind([][]byte{pki.Make(certstest.Healthy, siteName).Raw()[0]})
	more.Diagnose(lacks)
	if lacks.Cause != "chain-missing-intermediate" || !strings.Contains(lacks.Findings[0].Detail, "Test Issuing") {
		t.Errorf("%s: %+v", lacks.Cause, lacks.Findings)
	}
}

// The title of a name that is refused does not contradict the id, and a served certificate is renewed, not trusted.
func TestWordsForNamesAndServedCertificates(t *testing.T) {
	c := backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, backendAlert(112, "unrecognized_name"), withLooks(refusedLook(inspect.LookWithoutName, "", 112, "unrecognized_name")))
	new(Diagnoser).Diagnose(c)
	if f := c.Findings[0]; f.ID != "sni-required-by-backend" || !strings.Contains(f.Title, "requires a server name that it serves") {
		t.Errorf("refused by any name: %s: %s", f.ID, f.Title)
	}
	c = backFails(inspect.ErrorAlertReceived, inspect.PhaseHandshake, backendAlert(112, "unrecognized_name"), withLooks(tookLook(inspect.LookWithoutName, "", certificateFor("bb", "www.example.net"))))
	new(Diagnoser).Diagnose(c)
	if f := c.Findings[0]; !strings.Contains(f.Title, "send none") {
		t.Errorf("served without a name: %s", f.Title)
	}
	for _, tt := range ruleCases() {
		if !strings.HasPrefix(tt.name, "we serve an expired certificate") {
			continue
		}
		tt.diagnoser().Diagnose(tt.in)
		f := tt.in.Findings[0]
		if !strings.Contains(f.Fixes[0].Action, "renew") {
			t.Errorf("%s: %+v", tt.name, f.Fixes)
		}
		for _, x := range f.Fixes {
			if strings.Contains(x.Snippet, "tlstriage ca") {
				t.Errorf("%s: trust is not the matter: %s", tt.name, x.Snippet)
			}
		}
	}
}
