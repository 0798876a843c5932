package diagnose

import (
	"crypto/x509"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// What is advised about authorities must be something that helps, said to who can do it.
func TestChainFindingsTurnToWhoCanAct(t *testing.T) {
	pki := certstest.NewAt(t, noon)
	past := func(name string) certs.Template {
		return certs.Template{CommonName: name, CA: true, NotBefore: noon.AddDate(-9, 0, 0), NotAfter: noon.AddDate(0, 0, -20)}
	}
	template := certs.Template{Names: []string{siteName}}
	lapsedRoot := pki.SelfSign(past("Lapsed Root"))
	earlyRoot := pki.SelfSign(certs.Template{CommonName: "Early Root", CA: true, NotBefore: noon.AddDate(0, 0, 20), NotAfter: noon.AddDate(9, 0, 0)})
	lapsed := pki.Issue(pki.Root, past("Gamma 6"))
	lapsedBoth := pki.Issue(lapsedRoot, past("Gamma 5"))
	plain := pki.Issue(pki.Root, certs.Template{CommonName: "Gamma 7", CA: true})
	namesake := pki.Issue(pki.Root, certs.Template{CommonName: "Gamma 7", CA: true})
	below := pki.Issue(plain, certs.Template{CommonName: "Gamma 8", CA: true})
	list := func(l ...*certs.Pair) (raw [][]byte) {
		for _, x := range l {
			raw = append(raw, x.Certificate.Raw)
		}
		return raw
	}
	roots := func(r *certs.Pair) *x509.CertPool {
		pool := x509.NewCertPool()
		pool.AddCert(r.Certificate)
		return pool
	}
	for _, tt := range []struct {
		name    string
		raw     [][]byte
		roots   *x509.CertPool // nil: those of pki
		known   []*x509.Certificate
		watched bool
		cause   string
		fault   inspect.Fault
		title   string
		says    []string // in the detail
		never   []string // in the detail and the first fix
		fixes   []string // each in some fix's action, the first in the first's
	}{
		{name: "expired intermediate", raw: list(pki.Issue(lapsed, template), lapsed), cause: "chain-intermediate-expired", fault: inspect.FaultBackend, title: "intermediate",
			says: []string{"certificate 1 (the intermediate Gamma 6) expired"}, never: []string{"send: "}, fixes: []string{"replace the expired intermediate"}},
		{name: "expired intermediate, root sent", raw: list(pki.Issue(lapsed, template), lapsed, pki.Root), cause: "chain-intermediate-expired", fault: inspect.FaultBackend, title: "intermediate",
			never: []string{"send: "}, fixes: []string{"replace the expired intermediate"}},
		{name: "expired root", raw: list(pki.Issue(lapsedRoot, template)), roots: roots(lapsedRoot), cause: "chain-intermediate-expired", fault: inspect.FaultProxy, title: "root",
			says: []string{"the root Lapsed Root", "expired on", "nothing that the backend sends"}, never: []string{"intermediate", "send: "}, fixes: []string{"in the store", "issued anew below a root"}},
		{name: "expired root for the client of a capture", raw: list(pki.Issue(lapsedRoot, template)), roots: roots(lapsedRoot), watched: true, cause: "chain-intermediate-expired", fault: inspect.FaultClient, title: "root",
			never: []string{"intermediate"}, fixes: []string{"in the client's store", "issued anew below a root"}},
		{name: "root of a time to come", raw: list(pki.Issue(earlyRoot, template)), roots: roots(earlyRoot), cause: "cert-not-yet-valid", fault: inspect.FaultProxy, title: "trusted root",
			says: []string{"Early Root"}, never: []string{"send: "}, fixes: []string{"clock of this machine", "in the store"}},
		{name: "expired root and intermediate", raw: list(pki.Issue(lapsedBoth, template), lapsedBoth), roots: roots(lapsedRoot), cause: "chain-intermediate-expired", fault: inspect.FaultBackend, title: "and so is the root",
			says: []string{"Lapsed Root", "Gamma 5"}, never: []string{"send: "}, fixes: []string{"in the store", "replace the expired intermediate"}},
		{name: "leaf alone below who knows what", raw: list(pki.Issue(plain, template)), cause: "chain-missing-intermediate", fault: inspect.FaultBackend, title: "not known here",
			says: []string{"either it is an intermediate that was not sent, or it is a root that is not trusted here"}, fixes: []string{"see who issued", "if it is an intermediate, send it", "if it is a root, trust it"}},
		{name: "intermediate below who knows what", raw: list(pki.Issue(below, template), below), cause: "chain-untrusted-root", fault: inspect.FaultBackend, title: "not known here",
			says: []string{"either it is an intermediate that was not sent, or it is a root that is not trusted here"}, fixes: []string{"see who issued", "if it is an intermediate, send it", "if it is a root, trust it"}},
		{name: "the same in a capture", raw: list(pki.Issue(below, template), below), watched: true, cause: "chain-untrusted-root", fault: inspect.FaultBackend, title: "not known here",
			fixes: []string{"see who issued", "if it is a root, trust it: let it trust this root"}},
		{name: "intermediate with another key", raw: list(pki.Issue(plain, template), namesake), cause: "chain-missing-intermediate", fault: inspect.FaultBackend, title: "another key",
			says: []string{"certificate 1, which was sent under this name, has another key"}, never: []string{"was not sent", "send: "}, fixes: []string{"replace it by the certificate of the same name"}},
		{name: "intermediate with another key, the right one known", raw: list(pki.Issue(plain, template), namesake), known: []*x509.Certificate{plain.Certificate}, cause: "chain-missing-intermediate", fault: inspect.FaultBackend, title: "another key",
			says: []string{"another key", "; send: CN=" + siteName + " -> CN=Gamma 7"}, never: []string{"was not sent"}, fixes: []string{"replace it"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := behind(tt.raw)
			if tt.watched {
				c = captured(func(c *inspect.Connection) {
					c.ClientLeg.TLS.Server = &inspect.Server{CertificateChain: inspect.Certificates(tt.raw)}
				}, fails(inspect.ErrorAlertReceived), clientAlert(inspect.FromClient, 48, "unknown_ca"))
			}
			d := &Diagnoser{Roots: pki.Roots(), KnownCAs: tt.known}
			if tt.roots != nil {
				d.Roots = tt.roots
			}
			d.Diagnose(c)
			invariants(t, c)
			if c.Cause != tt.cause || c.Fault != tt.fault {
				t.Fatalf("cause %s, fault %s, want %s, %s: %+v", c.Cause, c.Fault, tt.cause, tt.fault, c.Findings)
			}
			f := c.Findings[0]
			if !strings.Contains(f.Title, tt.title) {
				t.Errorf("title %q lacks %q", f.Title, tt.title)
			}
			for _, s := range tt.says {
				if !strings.Contains(f.Detail, s) {
					t.Errorf("%q lacks %q", f.Detail, s)
				}
			}
			for _, s := range tt.never {
				if strings.Contains(f.Detail, s) || strings.Contains(f.Fixes[0].Action, s) {
					t.Errorf("%q or %q has %q", f.Detail, f.Fixes[0].Action, s)
				}
			}
			all := ""
			for _, x := range f.Fixes {
				all += x.Action + "\n"
			}
			for i, s := range tt.fixes {
				if !strings.Contains(all, s) || i == 0 && !strings.Contains(f.Fixes[0].Action, s) {
					t.Errorf("fix %d, %q, is not where it belongs in\n%s", i, s, all)
				}
			}
		})
	}
}
