package trial

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/recording"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func TestCandidatesOfAProduct(t *testing.T) {
	for _, test := range []struct{ provider, product string }{
		{"aws/alb", "ALB/NLB"}, {"AWS/NLB", "ALB/NLB"}, {"aws/clb", "Classic Load Balancer"}, {"aws/classic", "Classic Load Balancer"},
		{"aws/cloudfront", "CloudFront viewer"}, {"azure/application-gateway", "Application Gateway"}, {"azure/frontdoor", "Front Door Standard/Premium"},
	} {
		found, err := Candidates(test.provider)
		if err != nil || len(found) < 2 {
			t.Errorf("%s: %d policies, %v", test.provider, len(found), err)
		}
		for _, p := range found {
			if p.Product != test.product {
				t.Errorf("%s: %s is of %s", test.provider, p.Name, p.Product)
			}
		}
	}
	all, err := Candidates("aws")
	if err != nil || slices.ContainsFunc(all, func(p *policy.Policy) bool {
		return p.Provider != "aws" || len(p.CipherSuites) == 0 || strings.Contains(p.Product, "client side")
	}) {
		t.Errorf("aws: %v", err)
	}
	for _, bad := range []string{"nobody", "aws/toaster", ""} {
		var unknown *UnknownProviderError
		if _, err := Candidates(bad); !errors.As(err, &unknown) || len(unknown.Known) == 0 {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestStrictnessIsAnOrder checks that the comparison is one, and puts some policies where everybody expects them.
func TestStrictnessIsAnOrder(t *testing.T) {
	var all []Strictness
	for p := range policy.All() {
		all = append(all, StrictnessOf(p))
	}
	for _, a := range all {
		for _, b := range all {
			if CompareStrictness(a, b) != -CompareStrictness(b, a) {
				t.Fatalf("%+v and %+v compare in one direction only", a, b)
			}
			for _, c := range all {
				if CompareStrictness(a, b) <= 0 && CompareStrictness(b, c) <= 0 && CompareStrictness(a, c) > 0 {
					t.Fatalf("%+v, %+v and %+v go round in a circle", a, b, c)
				}
			}
		}
	}
	strictest := []string{
		"aws/ELBSecurityPolicy-TLS13-1-3-2021-06", "aws/ELBSecurityPolicy-TLS13-1-2-Res-2021-06", "aws/ELBSecurityPolicy-TLS13-1-2-2021-06",
		"aws/ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06", "aws/ELBSecurityPolicy-TLS13-1-1-2021-06", "aws/ELBSecurityPolicy-TLS13-1-0-2021-06", "aws/ELBSecurityPolicy-TLS-1-0-2015-04",
	}
	for i := range strictest[1:] {
		if a, b := StrictnessOf(lookup(t, strictest[i])), StrictnessOf(lookup(t, strictest[i+1])); CompareStrictness(a, b) >= 0 {
			t.Errorf("%s should be stricter than %s: %+v, %+v", strictest[i], strictest[i+1], a, b)
		}
	}
}

// TestBestIsTheStrictestThatIsCheapEnough looks through all candidates for a better one.
func TestBestIsTheStrictestThatIsCheapEnough(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	all, err := Candidates("aws/alb")
	if err != nil {
		t.Fatal(err)
	}
	withBest, without := 0, 0
	for i := range 60 {
		tally := randomCounts(t, r).tally(t)
		limit := []string{"0", "5%", "20", "40%"}[i%4]
		maxLoss, err := ParseThreshold(limit)
		if err != nil {
			t.Fatal(err)
		}
		got := recommend(t, all, tally, Options{MaxLoss: maxLoss})
		cheapEnough := 0
		for _, p := range all {
			report := Check(tally, On(p))
			if maxLoss.Exceeded(report.Lost.Connections, report.Connections) {
				continue
			}
			cheapEnough++
			if c := candidateOf(p, report); got.Best != nil && (p.Verified || got.Best.Unverified) && compareCandidates(&c, got.Best) < 0 {
				t.Errorf("%s loses %d and is stricter than %s", p.Name, report.Lost.Connections, got.Best.Policy)
			}
		}
		if (got.Best != nil) != (cheapEnough > 0) || got.Best == nil && got.Cheapest == nil {
			t.Errorf("best %v, but %d are cheap enough", got.Best, cheapEnough)
		}
		if got.Best == nil {
			without++
			continue
		}
		withBest++
		if maxLoss.Exceeded(got.Best.Lost.Connections, tally.Connections) {
			t.Errorf("%s loses %d", got.Best.Policy, got.Best.Lost.Connections)
		}
		for _, c := range got.Stricter {
			if !maxLoss.Exceeded(c.Lost.Connections, tally.Connections) && !c.Unverified || compareCandidates(&c, got.Best) > 0 {
				t.Errorf("%s is named as stricter and too dear: %+v", c.Policy, c)
			}
		}
		for _, c := range got.Others {
			if maxLoss.Exceeded(c.Lost.Connections, tally.Connections) || compareCandidates(&c, got.Best) < 0 {
				t.Errorf("%s is named as runner-up: %+v", c.Policy, c)
			}
		}
	}
	if withBest < 5 || without < 5 {
		t.Errorf("the recordings decide nothing: %d with a best policy, %d without", withBest, without)
	}
}

// TestTailoredServesAllWhoCanBeServed fits policies to random recordings: whoever is lost could not be served by the system at all,
// and nothing can be taken away.
func TestTailoredServesAllWhoCanBeServed(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	fitted := 0
	for i := range 40 {
		c := randomCounts(t, r)
		delete(c, "openssl-3.0.22-s_client-fallback-scsv") // refused by every server that has a higher version
		tally := c.tally(t)
		system := Systems()[i%4]
		var certificates []policy.CertificateType
		if i%3 == 1 {
			certificates = []policy.CertificateType{policy.CertRSA}
		}
		got := fit(t, tally, system, Options{Certificates: certificates})
		everything := generous(system, certificates)
		if lost := Check(tally, On(everything)).Lost; got.Lost != lost {
			t.Errorf("%s: lost %+v, with everything %+v: %+v", system, got.Lost, lost, got.Policy)
		}
		before := kindsOf(t, tally, got.Policy)
		for s, suite := range got.Policy.CipherSuites {
			if info, _ := suite.Info(); info.TLS13() {
				continue
			}
			fitted++
			less := *got.Policy
			less.CipherSuites = slices.Delete(slices.Clone(got.Policy.CipherSuites), s, s+1)
			if twin := twinOf(suite, less.CipherSuites); twin >= 0 {
				less.CipherSuites = slices.Delete(less.CipherSuites, twin, twin+1)
			}
			if Check(tally, On(&less)).Lost.Connections == got.Lost.Connections && slices.Equal(kindsOf(t, tally, &less), before) {
				t.Errorf("%s: nobody needs %s of %v", system, suite, got.OpenSSL)
			}
		}
		for v, version := range got.Policy.Versions {
			if version == wire.VersionTLS13 || system.ranged() && v < len(got.Policy.Versions)-1 {
				continue // what lies between two versions cannot be taken away everywhere
			}
			less := *got.Policy
			less.Versions = slices.Delete(slices.Clone(got.Policy.Versions), v, v+1)
			if Check(tally, On(&less)).Lost.Connections == got.Lost.Connections && slices.Equal(kindsOf(t, tally, &less), before) {
				t.Errorf("%s: nobody needs %s", system, version)
			}
		}
	}
	if fitted < 40 {
		t.Errorf("only %d suites below TLS 1.3 in all", fitted)
	}
}

// generous is all that a system can do.
func generous(s System, certificates []policy.CertificateType) *policy.Policy {
	f := fitting{system: s}
	suites := tls13Suites()
	for _, u := range s.units() {
		suites = append(suites, u.suites...)
	}
	p := f.attempt(wire.VersionTLS13, suites, f.groups(), certificates)
	p.Versions = []wire.Version{wire.VersionTLS13, wire.VersionTLS12, wire.VersionTLS11, wire.VersionTLS10}
	return p
}

// kindsOf is how strong what each shape negotiates is.
func kindsOf(t *testing.T, tally *recording.Tally, p *policy.Policy) []string {
	t.Helper()
	var out []string
	for _, c := range Check(tally, On(p)).Negotiated {
		suite, _ := wire.CipherSuiteByName(c.Cipher)
		info, _ := suite.Info()
		kind := kindOf(info)
		if info.TLS13() {
			kind = kindTLS13
		}
		for range c.Shapes {
			out = append(out, c.Version+string(rune('0'+kind)))
		}
	}
	slices.Sort(out)
	return out
}

// twinOf is where the same suite for the other kind of certificate stands; -1: nowhere.
func twinOf(suite wire.CipherSuite, in []wire.CipherSuite) int {
	own, _ := suite.Info()
	return slices.IndexFunc(in, func(other wire.CipherSuite) bool {
		info, _ := other.Info()
		return strings.ReplaceAll(info.Name, "_ECDSA_", "_RSA_") == strings.ReplaceAll(own.Name, "_ECDSA_", "_RSA_")
	})
}

// TestBestKeepsTLS13 has clients of TLS 1.0, 1.2 and 1.3: of the policies that lose none of them, one that ends at TLS 1.2 is stricter in
// its suites, and would take TLS 1.3 away from most.
func TestBestKeepsTLS13(t *testing.T) {
	all, err := Candidates("aws/alb")
	if err != nil {
		t.Fatal(err)
	}
	tally := counts{"chromium-156.0.8078.79-default": 3, "curl-7.88.1-default": 1, "openssl-3.0.22-s_client-tls12": 1, "openssl-3.0.22-s_client-tls10": 1}.tally(t)
	r := recommend(t, all, tally, Options{})
	if r.Best == nil || r.Best.Strictness.MaxVersion != "TLSv1.3" || r.Best.WithoutTLS13.Connections != 0 {
		t.Fatalf("best: %+v", r.Best)
	}
	var in13, sum int64
	for _, c := range r.Best.Negotiated {
		sum += c.Connections
		if c.Version == "TLSv1.3" {
			in13 += c.Connections
		}
	}
	if in13 != 4 || sum != tally.Connections {
		t.Errorf("negotiated with the best: %+v", r.Best.Negotiated)
	}
	costly := slices.IndexFunc(r.Others, func(c Candidate) bool { return c.WithoutTLS13.Connections > 0 })
	free := slices.IndexFunc(r.Others, func(c Candidate) bool { return c.WithoutTLS13.Connections == 0 })
	if costly >= 0 && free > costly {
		t.Errorf("runners-up are not in the order of TLS 1.3 lost: %+v", r.Others)
	}
	only12, err := policy.Lookup("aws/ELBSecurityPolicy-FS-2018-06")
	if err != nil {
		t.Fatal(err)
	}
	text := recommend(t, []*policy.Policy{only12}, tally, Options{}).Text()
	if !strings.Contains(text, "It has no TLS 1.3 for 4 connections of 2 client shapes") || !strings.Contains(text, "NEGOTIATED WITH IT") {
		t.Error(text)
	}
}

// TestTooMuch: whatever loses more than was accepted is told by the exit code.
func TestTooMuch(t *testing.T) {
	all, err := Candidates("aws/alb")
	if err != nil {
		t.Fatal(err)
	}
	tally := counts{"java-17.0.15-sslv3": 2, "curl-7.88.1-default": 5}.tally(t)
	if r := recommend(t, all, tally, Options{}); !r.TooMuch() || r.Best != nil {
		t.Errorf("nobody serves SSLv3: %+v", r.Best)
	}
	some, err := ParseThreshold("2")
	if err != nil {
		t.Fatal(err)
	}
	if r := recommend(t, all, tally, Options{MaxLoss: some}); r.TooMuch() {
		t.Error("two may be lost")
	}
	if r := recommend(t, nil, tally, Options{Systems: Systems()}); !r.TooMuch() {
		t.Error("no tailored list serves SSLv3")
	}
	if r := recommend(t, nil, tally, Options{Systems: Systems(), MaxLoss: some}); r.TooMuch() {
		t.Error("two may be lost by a tailored list")
	}
}

// TestUnservableIsExplainedByTheMildestPolicy looks at clients that no policy of a provider takes.
func TestUnservableIsExplainedByTheMildestPolicy(t *testing.T) {
	all, err := Candidates("aws/alb")
	if err != nil {
		t.Fatal(err)
	}
	tally := counts{"openssl-3.0.22-s_client-fallback-scsv": 3, "java-17.0.15-sslv3": 2, "curl-7.88.1-default": 5, "openssl-3.0.22-s_client-tls10": 1}.tally(t)
	r := recommend(t, all, tally, Options{})
	got := make(map[int64]Loss)
	for _, l := range r.Unservable {
		got[l.Connections] = l
	}
	if len(r.Unservable) != 2 || got[3].Alert != "inappropriate_fallback" || !strings.Contains(got[3].Reason, "TLS_FALLBACK_SCSV") || !slices.Contains(got[2].Accepts, "TLSv1.0") {
		t.Errorf("unservable: %+v", r.Unservable)
	}
}

func TestTailoredGivesUpTheWeakest(t *testing.T) {
	tally := counts{"chromium-156.0.8078.79-default": 900, "openssl-3.0.22-s_client-tls12": 90, "java-17.0.15-tls10": 10}.tally(t)
	none, err := ParseThreshold("0")
	if err != nil {
		t.Fatal(err)
	}
	all := fit(t, tally, SystemHAProxy, Options{MaxLoss: none})
	if all.Lost.Connections != 0 || !slices.Equal(all.Versions, []string{"TLSv1.3", "TLSv1.2", "TLSv1.1", "TLSv1.0"}) {
		t.Errorf("for all: %v, lost %+v", all.Versions, all.Lost)
	}
	if !slices.ContainsFunc(all.Notes, func(n string) bool { return strings.Contains(n, "SECLEVEL") }) {
		t.Errorf("notes %q do not tell of the security level", all.Notes)
	}
	some, err := ParseThreshold("1%")
	if err != nil {
		t.Fatal(err)
	}
	most := fit(t, tally, SystemHAProxy, Options{MaxLoss: some})
	if most.Lost.Connections != 10 || !slices.Equal(most.Versions, []string{"TLSv1.3", "TLSv1.2"}) || !slices.Equal(most.OpenSSL, []string{"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"}) {
		t.Errorf("for most: %v %v, lost %+v", most.Versions, most.OpenSSL, most.Lost)
	}
}

func TestSmallestCover(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 500 {
		masks := make([]uint64, r.IntN(8))
		for i := range masks {
			masks[i] = 1 + r.Uint64N(127)
		}
		got := smallestCover(masks)
		meets := func(cover uint64) bool {
			return !slices.ContainsFunc(masks, func(m uint64) bool { return m&cover == 0 })
		}
		best := 64
		for cover := range uint64(128) {
			if meets(cover) {
				best = min(best, onesIn(cover))
			}
		}
		if !meets(got) || onesIn(got) != best {
			t.Fatalf("%b covers %b with %d, %d are enough", got, masks, onesIn(got), best)
		}
	}
}

func onesIn(n uint64) (count int) {
	for ; n != 0; n &= n - 1 {
		count++
	}
	return count
}
