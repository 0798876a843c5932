package chain_test

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/chain"
)

func pathsOf(r *chain.Report) (out []string) {
	for _, p := range r.Paths {
		s := p.Store + ":"
		for _, c := range p.Certificates {
			s += " " + c.Subject.CommonName + "/" + c.Issuer.CommonName
		}
		if !p.Holds {
			s += fmt.Sprintf(" (%d not now)", len(p.NotNow))
		}
		out = append(out, s)
	}
	return out
}

func poolOf(list ...*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range list {
		p.AddCert(c)
	}
	return p
}

// The story of DST Root CA X3 and of AddTrust: the path to the old root comes with the chain, and the new root is in newer
// stores.
func TestExamineFindsEveryPathAndItsStore(t *testing.T) {
	p := certstest.New(t)
	old := p.SelfSign(certs.Template{CommonName: "Old", CA: true, NotBefore: p.Now.AddDate(-20, 0, 0), NotAfter: p.Now.Add(-30 * day)})
	young := p.SelfSign(certs.Template{CommonName: "New", CA: true, NotAfter: p.Now.AddDate(9, 0, 0)})
	cross := p.CrossSign(old, young, certs.Template{NotBefore: p.Now.AddDate(-5, 0, 0), NotAfter: p.Now.AddDate(1, 0, 0)})
	sub := p.Issue(young, certs.Template{CommonName: "Sub", CA: true, NotAfter: p.Now.AddDate(2, 0, 0)})
	leaf := p.Issue(sub, certs.Template{Names: []string{name}, CommonName: "leaf"})
	presented := raw(leaf.Certificate, sub.Certificate, cross)
	o := chain.Options{Name: name, Time: p.Now, Roots: poolOf(young.Certificate), Store: "new",
		Stores: []chain.Store{{Name: "old", Roots: poolOf(old.Certificate)}, {Name: "both", Roots: poolOf(old.Certificate, young.Certificate)}, {Name: "none", Roots: poolOf(p.Root.Certificate)}}}
	r := chain.Examine(presented, o)
	wanted := []string{
		"new: leaf/Sub Sub/New New/New",
		"both: leaf/Sub Sub/New New/New",
		"old: leaf/Sub Sub/New New/Old Old/Old (1 not now)",
		"both: leaf/Sub Sub/New New/Old Old/Old (1 not now)",
	}
	if got := pathsOf(r); !slices.Equal(got, wanted) {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(wanted, "\n"))
	}
	want(t, r, "chain-legacy-path?")
	if f := r.Faults[0]; f.Index != 2 || f.Reason != chain.ReasonUntrustedTop || !slices.Equal(f.RefusedBy, []chain.Family{chain.FamilyOpenSSL10}) {
		t.Errorf("%+v", f)
	}
	// With the expired root still in the store, an old client runs into it.
	o.Roots, o.Stores = poolOf(old.Certificate, young.Certificate), nil
	r = chain.Examine(presented, o)
	want(t, r, "chain-legacy-path?")
	if f := r.Faults[0]; f.Index != 2 || f.Reason != chain.ReasonExpiredRoot || !slices.Equal(f.RefusedBy, []chain.Family{chain.FamilyOpenSSL10}) || len(r.Paths) != 2 {
		t.Errorf("%+v, %v", f, pathsOf(r))
	}
	if v := verdictOf(r, chain.FamilyOpenSSL10); v.Accepts || v.Reasons[0].Reason != chain.ReasonExpiredRoot || !strings.Contains(v.Reasons[0].Text, "Old") {
		t.Errorf("%+v", v)
	}
	// Without the cross-signed certificate all is well.
	r = chain.Examine(presented[:2], o)
	want(t, r, "")
	if i := slices.IndexFunc(r.Verdicts, func(v chain.Verdict) bool { return !v.Accepts }); i >= 0 {
		t.Errorf("%+v", r.Verdicts[i])
	}
	// Only the old root is left: nobody but Java, which does not ask how old a root is, gets through.
	o.Roots = poolOf(old.Certificate)
	r = chain.Examine(presented, o)
	want(t, r, "chain-intermediate-expired")
	for _, v := range r.Verdicts {
		if v.Accepts != (v.Family == chain.FamilyJava) {
			t.Errorf("%+v", v)
		}
	}
}

func TestExaminePathsAreBounded(t *testing.T) {
	p := certstest.New(t)
	// Nine authorities that certify each other, the first one also by the root: paths beyond counting.
	presented := ring(t, p, nil)
	o := options(p)
	for i := range 12 {
		o.Stores = append(o.Stores, chain.Store{Name: fmt.Sprint(i), Roots: p.Roots()})
	}
	if r := chain.Examine(presented, o); len(r.Paths) > 16*9 {
		t.Errorf("%d paths", len(r.Paths))
	}
}

func TestExamineHoldsPublicCertificatesToTheRulesOfTheirDay(t *testing.T) {
	date := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	p := certstest.NewAt(t, date("2029-06-01"))
	root := p.SelfSign(certs.Template{CommonName: "Long Root", CA: true, NotBefore: date("2000-01-01"), NotAfter: date("2040-01-01")})
	for _, tt := range []struct {
		issued string
		days   int
		long   bool
		chrome bool // accepts
	}{
		{"2011-01-01", 3000, false, true},
		{"2012-07-01", 1827, false, true}, {"2012-07-01", 1828, true, false},
		{"2015-04-01", 1188, false, true}, {"2015-04-01", 1189, true, false},
		{"2018-03-01", 825, false, true}, {"2018-02-28", 826, false, true}, {"2018-03-01", 826, true, false},
		{"2020-09-01", 398, false, true}, {"2020-09-01", 399, true, false}, {"2020-08-31", 825, false, true},
		{"2026-03-14", 398, false, true}, {"2026-03-15", 200, false, true}, {"2026-03-15", 201, true, true},
		{"2027-03-15", 100, false, true}, {"2027-03-15", 101, true, true}, {"2027-03-14", 200, false, true},
		{"2029-03-15", 47, false, true}, {"2029-03-15", 48, true, true}, {"2029-03-14", 100, false, true},
	} {
		from := date(tt.issued)
		leaf := p.Issue(root, certs.Template{Names: []string{name}, NotBefore: from, NotAfter: from.Add(time.Duration(tt.days)*day - time.Second)})
		o := chain.Options{Name: name, Roots: poolOf(root.Certificate), Time: from.Add(time.Hour), ExpiringSoon: -1, Public: true}
		r := chain.Examine(raw(leaf.Certificate), o)
		if long := slices.Contains(faults(r), "cert-validity-too-long?"); long != tt.long || !r.Public {
			t.Errorf("%s for %d days: too long %v, public %v", tt.issued, tt.days, long, r.Public)
		}
		refusesTime := func(family chain.Family) bool {
			return slices.ContainsFunc(verdictOf(r, family).Reasons, func(b chain.Because) bool { return b.Fault == chain.ValidityTooLong })
		}
		if refusesTime(chain.FamilyChrome) == tt.chrome || refusesTime(chain.FamilyOpenSSL) {
			t.Errorf("%s for %d days: Chrome says %+v", tt.issued, tt.days, verdictOf(r, chain.FamilyChrome))
		}
		o.Public = false
		if r := chain.Examine(raw(leaf.Certificate), o); slices.Contains(faults(r), "cert-validity-too-long?") || r.Public {
			t.Errorf("%s for %d days: a private certificate is held to public rules", tt.issued, tt.days)
		}
	}
	// Apple holds private certificates to 825 days too.
	leaf := p.Issue(root, certs.Template{Names: []string{name}, NotBefore: date("2029-01-01"), NotAfter: date("2032-01-01")})
	r := chain.Examine(raw(leaf.Certificate), chain.Options{Name: name, Roots: poolOf(root.Certificate), Time: p.Now})
	if v := verdictOf(r, chain.FamilyApple); v.Accepts || v.Reasons[0].Fault != chain.ValidityTooLong || !verdictOf(r, chain.FamilyChrome).Accepts {
		t.Errorf("%+v", v)
	}
}

func TestExamineTellsAPublicCertificateByItsPolicy(t *testing.T) {
	p := certstest.New(t)
	policies, err := asn1.Marshal([]struct{ ID asn1.ObjectIdentifier }{{asn1.ObjectIdentifier{2, 23, 140, 1, 2, 1}}})
	if err != nil {
		t.Fatal(err)
	}
	leaf := p.Leaf(name)
	der := p.Forge(p.Issuing, leaf.Certificate, 0, func(tbs *certstest.TBS) {
		e := certstest.MustStaple()
		e.Id, e.Value = asn1.ObjectIdentifier{2, 5, 29, 32}, policies
		tbs.Extensions = append(tbs.Extensions, e)
	})
	r := chain.Examine(append([][]byte{der}, raw(leaf.Chain()[1:]...)...), options(p))
	want(t, r, "sct-missing?")
	if !r.Public {
		t.Error("not public")
	}
}

func TestExamineMeasuresTheFlight(t *testing.T) {
	p := certstest.New(t)
	leaf := p.Leaf(name)
	presented := raw(leaf.Chain()...)
	o := options(p)
	r := chain.Examine(presented, o)
	want(t, r, "")
	size := 8
	for _, der := range presented {
		size += 5 + len(der)
	}
	if r.Flight.Certificates != size || r.Flight.RoundTrip {
		t.Errorf("%+v, want %d", r.Flight, size)
	}
	o.RestOfFlight = chain.InitialWindow - size
	want(t, chain.Examine(presented, o), "")
	o.RestOfFlight++
	r = chain.Examine(presented, o)
	want(t, r, "chain-too-large?")
	if r.Flight.Total() != chain.InitialWindow+1 || !r.Flight.RoundTrip || !strings.Contains(r.Faults[0].Detail, "14600") {
		t.Errorf("%+v %s", r.Flight, r.Faults[0].Detail)
	}
	o.RestOfFlight, o.OCSPResponse, o.SCTs = 0, make([]byte, 2000), [][]byte{make([]byte, 119)}
	if r := chain.Examine(presented, o); r.Flight.Certificates != size+2008+6+121 {
		t.Errorf("%+v with a staple and a timestamp, without it is %d", r.Flight, size)
	}
}

func TestExamineGivesReasons(t *testing.T) {
	reasons := map[string]chain.Reason{
		"leaf/client-only": chain.ReasonExtKeyUsage, "leaf/crl-sign-only": chain.ReasonKeyUsage, "leaf/ca-as-leaf": chain.ReasonCALeaf, "leaf/critical-extension": chain.ReasonCriticalExtension,
		"leaf/zero-serial": chain.ReasonZeroSerial, "leaf/negative-serial": chain.ReasonNegativeSerial, "leaf/long-serial": chain.ReasonLongSerial, "leaf/sha1": chain.ReasonSHA1, "leaf/md5": chain.ReasonMD5,
		"name/common-name-only": chain.ReasonCommonNameOnly, "name/wildcard-too-deep": chain.ReasonWildcardDepth, "name/wildcard-in-the-middle": chain.ReasonWildcardPlace,
		"name/wildcard-partial": chain.ReasonPartialWildcard, "name/wildcard-suffix": chain.ReasonWildcardSuffix, "name/wildcard-alone": chain.ReasonWildcardSuffix, "name/underscore": chain.ReasonUnderscore,
		"name/trailing-dot": chain.ReasonTrailingDot, "name/duplicate": chain.ReasonDuplicateName, "name/empty": chain.ReasonNotADomainName, "name/with-port": chain.ReasonNotADomainName,
		"name/bad-a-label": chain.ReasonBadALabel, "name/u-label": chain.ReasonUnicodeLabel, "name/address-as-name": chain.ReasonAddressAsName, "name/name-as-address": chain.ReasonNameAsAddress,
		"authority/client-only": chain.ReasonExtKeyUsage, "authority/no-cert-sign": chain.ReasonKeyUsage, "authority/no-ca": chain.ReasonNotCA, "authority/version-1": chain.ReasonVersion1CA,
		"authority/not-permitted": chain.ReasonNameConstraints, "authority/excluded": chain.ReasonNameConstraints, "authority/path-length": chain.ReasonPathLength,
		"authority/other-subject-key-id": chain.ReasonKeyIDMismatch, "authority/critical-extension": chain.ReasonCriticalExtension, "shape/issuing-twice": chain.ReasonDuplicateSent,
		"cross/root-expired-in-store": chain.ReasonExpiredRoot, "cross/cross-expired": chain.ReasonExpiredCrossSign, "cross/new-trusted": chain.ReasonUntrustedTop, "cross/root-expired-only": chain.ReasonExpiredRoot,
	}
	seen := 0
	for _, c := range matrix(t) {
		_, short, _ := strings.Cut(c.Name, "/")
		reason, ok := reasons[short]
		if !ok {
			continue
		}
		seen++
		r := examineCase(c)
		if !slices.ContainsFunc(r.Faults, func(f chain.Fault) bool { return f.Reason == reason }) {
			t.Errorf("%s: no fault with reason %s in %+v", c.Name, reason, r.Faults)
		}
	}
	if seen < len(reasons) {
		t.Errorf("%d of %d", seen, len(reasons))
	}
}

func TestVerdictsOfBrowsersFollowWhatIsPublished(t *testing.T) {
	refused := map[string][]chain.Family{ // of Chrome, Firefox, Apple
		"leaf/healthy":          nil,
		"leaf/sha1":             {chain.FamilyChrome, chain.FamilyFirefox, chain.FamilyApple},
		"leaf/ca-as-leaf":       {chain.FamilyFirefox},
		"leaf/rsa-1024":         {chain.FamilyApple},
		"leaf/p-224":            {chain.FamilyChrome, chain.FamilyFirefox, chain.FamilyApple},
		"leaf/any-usage":        {chain.FamilyApple},
		"leaf/no-usage-stated":  {chain.FamilyApple},
		"leaf/three-years":      {chain.FamilyApple},
		"leaf/negative-serial":  {chain.FamilyChrome, chain.FamilyFirefox, chain.FamilyApple},
		"name/common-name-only": {chain.FamilyChrome, chain.FamilyFirefox, chain.FamilyApple},
		"authority/version-1":   {chain.FamilyChrome, chain.FamilyFirefox, chain.FamilyApple},
		"shape/swapped":         nil,
		"shape/missing-upper":   {chain.FamilyChrome, chain.FamilyFirefox, chain.FamilyApple},
	}
	seen := 0
	for _, c := range matrix(t) {
		_, short, _ := strings.Cut(c.Name, "/")
		families, ok := refused[short]
		if !ok {
			continue
		}
		seen++
		r := examineCase(c)
		for _, family := range []chain.Family{chain.FamilyChrome, chain.FamilyFirefox, chain.FamilyApple} {
			if v := verdictOf(r, family); v.Accepts == slices.Contains(families, family) {
				t.Errorf("%s: %+v", c.Name, v)
			}
		}
	}
	if seen != 2*len(refused) {
		t.Errorf("%d cases", seen)
	}
}

func TestExamineCommonNameWithoutANameAsked(t *testing.T) {
	p := certstest.New(t)
	o := options(p)
	o.Name = ""
	c := p.Make(certstest.CommonNameOnly, name)
	want(t, chain.Examine(c.Raw(), o), "cert-common-name-only?")
	o.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	client := p.Issue(p.Issuing, certs.Template{CommonName: "a client", NoSAN: true, Usages: o.Usages})
	want(t, chain.Examine(raw(client.Chain()...), o), "")
}
