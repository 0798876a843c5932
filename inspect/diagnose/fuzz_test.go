package diagnose

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

// seeds are the records that the report's golden files begin with.
func seeds(tb testing.TB) [][]byte {
	paths, err := filepath.Glob("../report/testdata/golden/*.json")
	if err != nil || len(paths) == 0 {
		tb.Fatal("no golden records", err)
	}
	var all [][]byte
	for _, p := range paths {
		if strings.HasSuffix(p, ".findings.json") {
			continue
		}
		b, err := os.ReadFile(p)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

// holds what must be true of any diagnosis.
func invariants(t *testing.T, c *inspect.Connection) {
	t.Helper()
	b, err := json.Marshal(c.Findings)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 64<<10 {
		t.Errorf("findings of %d bytes", len(b))
	}
	switch c.Verdict {
	case inspect.OK:
		if c.Cause != "" || c.Fault != "" {
			t.Errorf("ok with cause %q and fault %q", c.Cause, c.Fault)
		}
	case inspect.Warning, inspect.Failed:
		if c.Cause == "" || c.Fault == "" || len(c.Findings) == 0 || c.Findings[0].ID != c.Cause || len(c.Findings[0].CausedBy) > 0 {
			t.Errorf("%s: cause %q, fault %q, findings %+v", c.Verdict, c.Cause, c.Fault, c.Findings)
		}
	default:
		t.Errorf("verdict %q", c.Verdict)
	}
	ids := map[string]bool{}
	for _, f := range c.Findings {
		if ids[f.ID] {
			t.Errorf("%s twice", f.ID)
		}
		ids[f.ID] = true
		if f.Detail == "" || f.Title == "" || strings.Contains(f.Title, "\n") {
			t.Errorf("%s: title %q, detail %q", f.ID, f.Title, f.Detail)
		}
		if _, known := Lookup(f.ID); !known {
			t.Errorf("%q is in no catalogue", f.ID)
		}
	}
	for _, f := range c.Findings {
		for _, id := range f.CausedBy {
			if !ids[id] {
				t.Errorf("%s is caused by %s, which is not there", f.ID, id)
			}
		}
	}
}

func FuzzDiagnose(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	var d Diagnoser
	f.Fuzz(func(t *testing.T, b []byte) {
		c := new(inspect.Connection)
		if json.Unmarshal(b, c) != nil {
			return
		}
		sameAsByAllRules(t, &d, c)
		invariants(t, c)
		first, err := json.Marshal(c)
		if err != nil {
			return // a time outside of what JSON can hold
		}
		d.Diagnose(c) // findings are computed anew: the same again
		second, err := json.Marshal(c)
		if err != nil || string(first) != string(second) {
			t.Errorf("a second look differs:\n%s\n%s", first, second)
		}
	})
}

func FuzzExplain(f *testing.F) {
	for _, s := range []string{"error:14094410:SSL routines", "alert number 40", "SC--", "x509: ", "TLS error: 268435581:", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Explain(s)
		if len(got) == 0 || len(got) > maxExplanations {
			t.Fatalf("%d explanations", len(got))
		}
		b, err := json.Marshal(got)
		if err != nil || len(b) > 64<<10 {
			t.Errorf("%d bytes, %v", len(b), err)
		}
	})
}

// TestHostilePeersStayBounded makes both peers send the worst of everything.
func TestHostilePeersStayBounded(t *testing.T) {
	evil := strings.Repeat("\x00\x1b\u202e<", 4000)
	many := make([]string, 5000)
	for i := range many {
		many[i] = evil
	}
	for _, tt := range slices.Concat(ruleCases(), chainCases(t), formCases(t), revocationCases(t), lookCases(t), clientCertCases(t), httpCases(), canaryCases(), experimentCases(), quicCases()) {
		c := tt.in
		for _, l := range []*inspect.Leg{c.ClientLeg, c.BackendLeg} {
			if l == nil {
				continue
			}
			l.Address, l.ServerName = evil, evil
			if l.Error != nil {
				l.Error.Message = evil
			}
			if l.FirstBytes != nil {
				l.FirstBytes.Summary = evil
			}
			if l.TLS == nil {
				continue
			}
			for i := range l.TLS.Alerts {
				l.TLS.Alerts[i].Description = evil
			}
			l.TLS.Cipher = evil
			if h := l.TLS.Client; h != nil {
				h.ServerName, h.ALPNProtocols, h.SupportedGroups, h.SignatureAlgorithms, h.SupportedCiphers = evil, many, many, many, many
			}
			if h := l.TLS.Client; h != nil && h.Certificate != nil {
				h.Certificate.Subject, h.Certificate.Issuer, h.Certificate.PublicKeyAlgorithm = evil, evil, evil
			}
			revocation := &inspect.Revocation{Mode: evil, Status: inspect.RevocationRevoked}
			for i := range 50 {
				status := []inspect.RevocationStatus{inspect.RevocationRevoked, inspect.RevocationUnknown}[i%2]
				revocation.Certificates = append(revocation.Certificates, inspect.CertificateRevocation{Index: i, Subject: evil, Status: status, Detail: evil, Source: "ocsp", URL: evil, Reason: evil})
			}
			l.Looks = nil
			for range 50 {
				a := inspect.Alert{Level: "fatal", Code: 40, Description: evil, From: inspect.FromServer}
				l.Looks = append(l.Looks, inspect.Look{ServerName: evil, Origin: inspect.LookClientName, Alert: &a},
					inspect.Look{ServerName: evil + "x", Origin: evil, Established: true, Certificate: &inspect.Certificate{Subject: evil, AlternativeNames: many, Hash: inspect.Hashes{SHA256: evil}}})
			}
			l.TLS.Server = &inspect.Server{CertificateRequest: &inspect.CertificateRequest{Authorities: many, SignatureAlgorithms: many}, Revocation: revocation, OCSP: &inspect.OCSP{Stapled: true, Status: evil, Detail: evil}, Validation: &inspect.Validation{Status: inspect.ValidationInvalid, Error: evil}}
			for range 50 {
				l.TLS.Server.CertificateChain = append(l.TLS.Server.CertificateChain, inspect.Certificate{Subject: evil, Issuer: evil, AlternativeNames: many, NotBefore: noon.AddDate(-2, 0, 0), NotAfter: noon.AddDate(-1, 0, 0)})
			}
		}
		if c.Policy != nil {
			c.Policy.Name, c.Policy.Offered, c.Policy.Accepts = evil, many, many
		}
		new(Diagnoser).Diagnose(c)
		invariants(t, c)
	}
}

func BenchmarkDiagnose(b *testing.B) {
	var d Diagnoser
	b.Run("healthy", func(b *testing.B) {
		c := healthy()
		b.ReportAllocs()
		for b.Loop() {
			d.Diagnose(c)
		}
	})
	b.Run("bridged", func(b *testing.B) {
		pki := certstest.NewAt(b, noon)
		p, err := policy.Lookup("aws/ELBSecurityPolicy-TLS13-1-2-2021-06")
		if err != nil {
			b.Fatal(err)
		}
		d := Diagnoser{Policy: p, Roots: pki.Roots()}
		c := behind(pki.Make(certstest.Healthy, siteName).Raw())
		c.Policy = &inspect.PolicyOutcome{Name: p.Name, Accepted: true}
		b.ReportAllocs()
		for b.Loop() {
			d.Diagnose(c)
		}
	})
	b.Run("captured", func(b *testing.B) {
		pki := certstest.NewAt(b, noon)
		d := Diagnoser{Roots: pki.Roots()}
		c := captured(func(c *inspect.Connection) {
			c.Capture = &inspect.Capture{End: inspect.EndFINClient}
			c.ClientLeg.TLS.Version = "TLSv1.2"
			c.ClientLeg.TLS.Handshake = &inspect.Handshake{History: "CSXKDcFC"}
			c.ClientLeg.TLS.Server = &inspect.Server{CertificateChain: inspect.Certificates(pki.Make(certstest.Healthy, siteName).Raw())}
		})
		b.ReportAllocs()
		for b.Loop() {
			d.Diagnose(c)
		}
	})
	b.Run("captured, encrypted", func(b *testing.B) {
		c := captured(func(c *inspect.Connection) {
			c.Capture = &inspect.Capture{End: inspect.EndFINClient}
			c.ClientLeg.TLS.Server = &inspect.Server{Validation: &inspect.Validation{Status: inspect.ValidationNotVisible}}
		})
		b.ReportAllocs()
		for b.Loop() {
			d.Diagnose(c)
		}
	})
	for name, c := range map[string]*inspect.Connection{
		"failed/no version": frontFails(inspect.ErrorNoCommonVersion, inspect.PhaseHandshake, hello(oldHello("TLSv1.0"))),
		"failed/client refuses": captured(func(c *inspect.Connection) {
			c.ClientLeg.TLS.Established = false
			c.ClientLeg.TLS.Alerts = []inspect.Alert{{Level: "fatal", Code: alertUnknownCA, Description: "unknown_ca", From: inspect.FromClient}}
		}),
		"failed/backend gone": backFails(inspect.ErrorRefused, inspect.PhaseDial),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d.Diagnose(c)
			}
		})
	}
}
