package diagnose

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

// public is the policy by which a certificate says that it keeps the rules for public ones.
func public(tb testing.TB) pkix.Extension {
	type information struct{ ID asn1.ObjectIdentifier }
	value, err := asn1.Marshal([]information{{asn1.ObjectIdentifier{2, 23, 140, 1, 2, 1}}})
	if err != nil {
		tb.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 32}, Value: value}
}

// formCases are chains that some clients take and others do not, or that could be better.
func formCases(tb testing.TB) []ruleCase {
	pki := certstest.NewAt(tb, noon)
	leaf := func(t certs.Template) *certs.Pair { return pki.Issue(pki.Issuing, t) }
	site := certs.Template{Names: []string{siteName}}
	sent := func(leaf []byte, more ...*x509.Certificate) [][]byte {
		raw := [][]byte{leaf, pki.Issuing.Certificate.Raw, pki.Intermediate.Certificate.Raw}
		for _, c := range more {
			raw = append(raw, c.Raw)
		}
		return raw
	}
	forged := func(edit func(*certstest.TBS)) [][]byte {
		return sent(pki.Forge(pki.Issuing, leaf(site).Certificate, 0, edit))
	}
	years := certs.Template{NotBefore: noon.AddDate(-5, 0, 0), NotAfter: noon.AddDate(1, 0, 0)}
	past := certs.Template{NotBefore: noon.AddDate(-5, 0, 0), NotAfter: noon.AddDate(0, 0, -20)}
	astray, cross := pki.CrossSign(pki.OtherRoot, pki.Intermediate, years), pki.CrossSign(pki.OtherRoot, pki.Root, past)
	large := site
	for i := range 440 {
		large.Names = append(large.Names, fmt.Sprintf("host-%d.department.example.com", i))
	}
	loose := site
	loose.Names = []string{siteName, "a*.example.com"}
	bare := certs.Template{CommonName: siteName, NoSAN: true}
	open := site
	open.ExtraExtensions = []pkix.Extension{public(tb)}
	long := open
	long.NotBefore, long.NotAfter = noon.AddDate(0, -1, 0), noon.AddDate(2, 0, 0)
	garbled := site
	garbled.ExtraExtensions = []pkix.Extension{certstest.SCTExtension(certstest.SCTList([]byte{0, 1, 2, 3}))}
	one, two := pki.NewCTLog("one", certs.ECDSAP256), pki.NewCTLog("two", certs.ECDSAP256)
	logged := leaf(open)
	stamps := [][]byte{one.SCT(noon.AddDate(0, 0, -1), 0, logged.Certificate.Raw), two.SCT(noon.AddDate(0, 0, -1), 0, logged.Certificate.Raw)}
	embedded := pki.Embed(pki.Issuing, leaf(site).Certificate, noon.AddDate(0, 0, -1), one, two)
	early := pki.Embed(pki.Issuing, leaf(site).Certificate, noon.Add(5*time.Hour), one, two)

	nameless := func(c *inspect.Connection) { c.BackendLeg.ServerName, c.BackendLeg.TLS.Client.ServerName = "", "" }
	backend, warn := inspect.FaultBackend, inspect.Warning
	cases := []ruleCase{
		{name: "expired cross-certificate", in: behind(sent(leaf(site).Certificate.Raw, cross)), cause: "chain-intermediate-expired", fault: backend, verdict: warn, also: []string{"chain-legacy-path"}},
		{name: "cross-certificate of a stranger", in: behind([][]byte{leaf(site).Certificate.Raw, pki.Issuing.Certificate.Raw, astray.Raw, pki.Intermediate.Certificate.Raw}), cause: "chain-legacy-path", fault: backend, verdict: warn},
		{name: "root along", in: behind(sent(leaf(site).Certificate.Raw, pki.Root.Certificate)), verdict: inspect.OK, also: []string{"chain-root-sent"}},
		{name: "large", in: behind(sent(leaf(large).Certificate.Raw)), verdict: inspect.OK, also: []string{"chain-too-large"}},
		{name: "negative serial number", in: behind(forged(func(t *certstest.TBS) { t.SerialNumber = big.NewInt(-7) })), cause: "cert-bad-serial", fault: backend, verdict: inspect.Failed},
		{name: "no key identifier", in: behind(forged(func(t *certstest.TBS) { t.Drop(certstest.OIDAuthorityKeyID) })), verdict: inspect.OK, also: []string{"cert-missing-key-identifier"}},
		{name: "wildcard in a label", in: behind(sent(leaf(loose).Certificate.Raw)), cause: "cert-bad-name", fault: backend, verdict: warn},
		{name: "common name only, no name asked for", in: behind(sent(leaf(bare).Certificate.Raw), nameless), cause: "cert-common-name-only", fault: backend, verdict: warn, never: []string{"cert-name-mismatch"}},
		{name: "public, for two years", in: behind(sent(leaf(long).Certificate.Raw)), cause: "sct-missing", fault: backend, verdict: warn, also: []string{"cert-validity-too-long"}},
		{name: "public, without timestamps", in: behind(sent(leaf(open).Certificate.Raw)), cause: "sct-missing", fault: backend, verdict: warn, never: []string{"cert-validity-too-long"}},
		{name: "public, with timestamps in the handshake", in: behind(sent(logged.Certificate.Raw), func(c *inspect.Connection) {
			c.BackendLeg.TLS.Server.SCTs, c.BackendLeg.TLS.Server.SCTList = 2, stamps
		}), verdict: inspect.OK, never: []string{"sct-missing", "sct-invalid"}},
		{name: "public, with another certificate's timestamps", in: behind(sent(leaf(open).Certificate.Raw), func(c *inspect.Connection) {
			c.BackendLeg.TLS.Server.SCTs, c.BackendLeg.TLS.Server.SCTList = 2, stamps
		}), cause: "sct-invalid", fault: backend, verdict: warn, also: []string{"sct-missing"}},
		{name: "public, with timestamps inside", in: behind(sent(embedded)), verdict: inspect.OK, never: []string{"sct-missing", "sct-invalid"}},
		{name: "public, with timestamps that were counted and not kept", in: behind(sent(leaf(open).Certificate.Raw), func(c *inspect.Connection) { c.BackendLeg.TLS.Server.SCTs = 3 }), verdict: inspect.OK, never: []string{"sct-missing"}},
		{name: "public, with a staple that was not kept", in: behind(sent(leaf(open).Certificate.Raw), func(c *inspect.Connection) {
			c.BackendLeg.TLS.Server.OCSP = &inspect.OCSP{Stapled: true}
		}), verdict: inspect.OK, never: []string{"sct-missing"}},
		{name: "garbled timestamps", in: behind(sent(leaf(garbled).Certificate.Raw)), cause: "sct-invalid", fault: backend, verdict: warn},
		{name: "timestamps of this evening", in: behind(sent(early)), cause: "sct-invalid", fault: backend, verdict: warn, also: []string{"sct-missing"}},
		{name: "public, in a capture of a client that asked for no timestamps", in: captured(func(c *inspect.Connection) {
			c.ClientLeg.TLS.Server = &inspect.Server{CertificateChain: inspect.Certificates(sent(leaf(open).Certificate.Raw))}
			c.ClientLeg.TLS.Client.Extensions = []string{"server_name", "supported_groups"}
		}), verdict: inspect.OK, never: []string{"sct-missing"}},
		{name: "public, in a capture of a client that asked for timestamps", in: captured(func(c *inspect.Connection) {
			c.ClientLeg.TLS.Server = &inspect.Server{CertificateChain: inspect.Certificates(sent(leaf(open).Certificate.Raw))}
			c.ClientLeg.TLS.Client.Extensions = []string{"server_name", "signed_certificate_timestamp"}
		}), cause: "sct-missing", fault: backend, verdict: warn},
	}
	for i := range cases {
		cases[i].d = &Diagnoser{Roots: pki.Roots(), Logs: logList(tb, one, two)}
	}
	return cases
}

// logList is a list of logs as browsers publish it.
func logList(tb testing.TB, logs ...*certstest.CTLog) *chain.LogList {
	list, err := chain.ParseLogList(certstest.LogListJSON(logs...))
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

func TestForms(t *testing.T) {
	for _, tt := range formCases(t) {
		t.Run(tt.name, func(t *testing.T) {
			tt.diagnoser().Diagnose(tt.in)
			check(t, tt.in, tt)
		})
	}
}

// A certificate is held to what browsers wanted of those of its day: timestamps since May 2018.
func TestFormerCertificatesNeededFewerTimestamps(t *testing.T) {
	for years, want := range map[int]inspect.Verdict{-5: inspect.Warning, -9: inspect.OK} {
		then := noon.AddDate(years, 0, 0)
		pki := certstest.NewAt(t, then)
		leaf := pki.Issue(pki.Issuing, certs.Template{Names: []string{siteName}, ExtraExtensions: []pkix.Extension{public(t)}})
		c := behind([][]byte{leaf.Certificate.Raw, pki.Issuing.Certificate.Raw, pki.Intermediate.Certificate.Raw})
		c.Timestamp = then
		(&Diagnoser{Roots: pki.Roots()}).Diagnose(c)
		if c.Verdict != want || len(c.Findings) > 1 || len(c.Findings) == 1 && c.Cause != "sct-missing" {
			t.Errorf("%d: verdict %s, findings %+v", then.Year(), c.Verdict, c.Findings)
		}
	}
}

func TestTimestampsAreJudgedAgainWhenTheirTimeComes(t *testing.T) {
	pki := certstest.NewAt(t, noon)
	one, two := pki.NewCTLog("one", certs.ECDSAP256), pki.NewCTLog("two", certs.ECDSAP256)
	early := pki.Embed(pki.Issuing, pki.Leaf(siteName).Certificate, noon.Add(3*time.Hour), one, two)
	d := &Diagnoser{Roots: pki.Roots(), Logs: logList(t, one, two)}
	for _, tt := range []struct {
		hours int
		found bool
	}{{0, true}, {1, true}, {4, false}, {5, false}, {0, true}} {
		c := behind([][]byte{early, pki.Issuing.Certificate.Raw, pki.Intermediate.Certificate.Raw})
		c.Timestamp = noon.Add(time.Duration(tt.hours) * time.Hour)
		d.Diagnose(c)
		if found := slices.ContainsFunc(c.Findings, func(f inspect.Finding) bool { return f.ID == "sct-invalid" }); found != tt.found {
			t.Errorf("after %d hours: %t, want %t (%v)", tt.hours, found, tt.found, c.Findings)
		}
	}
}

func TestWhatComesBesideTheChainIsExaminedToo(t *testing.T) {
	pki := certstest.NewAt(t, noon)
	raw := pki.Make(certstest.Healthy, siteName).Raw()
	d := &Diagnoser{Roots: pki.Roots()}
	seen := map[string]bool{}
	for _, edit := range []func(*inspect.Server){
		func(*inspect.Server) {},
		func(s *inspect.Server) { s.OCSP = &inspect.OCSP{Stapled: true, Raw: []byte{1}} },
		func(s *inspect.Server) { s.OCSP = &inspect.OCSP{Stapled: true, Raw: make([]byte, 15000)} },
		func(s *inspect.Server) { s.SCTs, s.SCTList = 1, [][]byte{{1}} },
		func(s *inspect.Server) { s.SCTs, s.SCTList = 2, [][]byte{{1}, {2}} },
	} {
		c := behind(raw)
		edit(c.BackendLeg.TLS.Server)
		d.Diagnose(c)
		for _, f := range c.Findings {
			seen[f.ID] = true
		}
	}
	if n := d.chains.order.Len(); n != 5 {
		t.Errorf("%d examinations kept, want one for each", n)
	}
	if !seen["chain-too-large"] {
		t.Errorf("found %v", seen)
	}
}

func TestClientFamiliesAreAllNamed(t *testing.T) {
	pki := certstest.NewAt(t, noon)
	for _, v := range chain.Examine(pki.Make(certstest.Expired, siteName).Raw(), chain.Options{Name: siteName, Roots: pki.Roots(), Time: noon}).Verdicts {
		if !slices.ContainsFunc(clientFamilies[:], func(k clientKind) bool { return k.family == v.Family }) {
			t.Errorf("%s has no name", v.Family)
		}
	}
}
