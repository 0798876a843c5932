package chain_test

import (
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/chain"
)

// shared is the matrix, which is dear to make (keys), made once for all tests.
var shared struct {
	once  sync.Once
	now   time.Time
	cases []*certstest.Case
}

func matrix(t *testing.T) []*certstest.Case {
	t.Helper()
	shared.once.Do(func() {
		p := certstest.New(t)
		shared.now, shared.cases = p.Now, p.Matrix()
	})
	if shared.cases == nil {
		t.Fatal("the matrix could not be made")
	}
	return shared.cases
}

func examineCase(c *certstest.Case) *chain.Report {
	return chain.Examine(c.Presented, chain.Options{Name: c.Asked, Roots: c.Pool(), Time: shared.now})
}

func verdictOf(r *chain.Report, family chain.Family) *chain.Verdict {
	i := slices.IndexFunc(r.Verdicts, func(v chain.Verdict) bool { return v.Family == family })
	if i < 0 {
		return nil
	}
	return &r.Verdicts[i]
}

func TestExamineFindsTheFaultsOfTheMatrix(t *testing.T) {
	cases := matrix(t)
	if len(cases) < 150 {
		t.Errorf("the matrix has only %d chains", len(cases))
	}
	names := map[string]bool{}
	for _, c := range cases {
		if names[c.Name] {
			t.Errorf("two cases are called %s", c.Name)
		}
		names[c.Name] = true
		r := examineCase(c)
		if got := faults(r); !slices.Equal(got, c.Faults) {
			t.Errorf("%s: %v, want %v\n%+v", c.Name, got, c.Faults, r.Faults)
		}
		fatal := slices.ContainsFunc(c.Faults, func(s string) bool { return !strings.HasSuffix(s, "?") })
		if r.Valid == fatal || r.Valid && r.Err != nil {
			t.Errorf("%s: valid %v with %v, crypto/x509 says %v", c.Name, r.Valid, c.Faults, r.Err)
		}
		for _, v := range r.Verdicts {
			if !v.Accepts && len(v.Reasons) == 0 {
				t.Errorf("%s: %s refuses for no reason", c.Name, v.Family)
			}
		}
	}
	t.Logf("%d chains", len(cases))
}

// What other programs say of every chain of the matrix is what the verdict of their family says: where they differ from
// crypto/x509, and from each other, that is predicted.
func TestVerdictsAgreeWithOtherPrograms(t *testing.T) {
	agree(t, matrix(t), 50)
}

// mixtures is how many chains are put together at random; TLSTRIAGE_TEST_MIXTURES asks for more, and for others.
const mixtures = "TLSTRIAGE_TEST_MIXTURES"

// The same for chains of which nobody wrote down what is wrong with them.
func TestVerdictsAgreeWithOtherProgramsOnMixtures(t *testing.T) {
	matrix(t)
	n, seed := 150, uint64(20261121)
	if more := os.Getenv(mixtures); more != "" {
		if _, err := fmt.Sscan(more, &n, &seed); err != nil {
			t.Fatalf("%s is a number of chains and a seed: %v", mixtures, err)
		}
	}
	agree(t, certstest.NewAt(t, shared.now).Mixtures(n, seed), n/10)
}

// describe lists a case's certificates, for whoever has to find out why two programs differ.
func describe(c *certstest.Case) string {
	var b strings.Builder
	list := func(what string, x *x509.Certificate) {
		fmt.Fprintf(&b, "  %s %s, by %s, %s to %s, key %x, by key %x\n", what, x.Subject.CommonName, x.Issuer.CommonName, x.NotBefore.Format(time.DateOnly), x.NotAfter.Format(time.DateOnly), x.SubjectKeyId, x.AuthorityKeyId)
	}
	for _, der := range c.Presented {
		if x, err := x509.ParseCertificate(der); err == nil {
			list("sent", x)
		}
	}
	for _, x := range c.Roots {
		list("root", x)
	}
	return b.String()
}

// agree asks all programs about cases and compares. Of a test that means something at least some are accepted and some
// refused.
func agree(t *testing.T, cases []*certstest.Case, some int) {
	t.Helper()
	top := writeCases(t, cases)
	reports := make([]*chain.Report, len(cases))
	for i, c := range cases {
		reports[i] = examineCase(c)
		if v := verdictOf(reports[i], chain.FamilyGo); v.Accepts != (reports[i].Err == nil) {
			t.Errorf("%s: Go's verdict is %v, and crypto/x509 says %v", c.Name, v, reports[i].Err)
		}
	}
	for _, other := range []struct {
		family chain.Family
		ask    func(*testing.T) []opinion
	}{
		{chain.FamilyOpenSSL, func(t *testing.T) []opinion { return askOpenSSL(t, top, cases) }},
		{chain.FamilyOpenSSLStrict, func(t *testing.T) []opinion { return askOpenSSL(t, top, cases, "-x509_strict") }},
		{chain.FamilyOpenSSL10, func(t *testing.T) []opinion { return askOldOpenSSL(t, top, cases) }},
		{chain.FamilyGnuTLS, func(t *testing.T) []opinion { return askGnuTLS(t, top, cases) }},
		{chain.FamilyJava, func(t *testing.T) []opinion { return askJava(t, top, cases) }},
	} {
		t.Run(string(other.family), func(t *testing.T) {
			said := other.ask(t)
			accepted, differs, unsure := 0, 0, 0
			for i, c := range cases {
				v := verdictOf(reports[i], other.family)
				if v.Unsure {
					unsure++
				} else if v.Accepts != said[i].accepts {
					t.Errorf("%s: it accepts: %v, predicted: %v, %+v\n%s\n%s", c.Name, said[i].accepts, v.Accepts, v.Reasons, describe(c), said[i].said)
				}
				if said[i].accepts {
					accepted++
				}
				if said[i].accepts != (reports[i].Err == nil) {
					differs++
				}
			}
			t.Logf("%d of %d accepted, %d otherwise than by crypto/x509, %d unsure", accepted, len(cases), differs, unsure)
			if unsure > len(cases)/6 || unsure > 0 && other.family != chain.FamilyGnuTLS {
				t.Errorf("%d of %d verdicts are unsure", unsure, len(cases))
			}
			if accepted < some || accepted > len(cases)-some || differs < 5 {
				t.Errorf("%d accepted, %d otherwise than by crypto/x509: the matrix tests one side only", accepted, differs)
			}
		})
	}
}
