package chain_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/chain"
)

const name = "api.example.com"

// faults writes a report's faults as "id", or "id?" when a client takes the chain all the same.
func faults(r *chain.Report) []string {
	out := []string{}
	for _, f := range r.Faults {
		s := string(f.ID)
		if !f.Fatal {
			s += "?"
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

func options(p *certstest.PKI) chain.Options {
	return chain.Options{Name: name, Roots: p.Roots(), Time: p.Now}
}

func TestExamineNamesTheFaultOfEachKind(t *testing.T) {
	p := certstest.New(t)
	for kind, tt := range map[certstest.Kind]struct {
		want    []string
		trusted bool
	}{
		certstest.Healthy:              {nil, true},
		certstest.HealthyRSA:           {nil, true},
		certstest.Wildcard:             {nil, true},
		certstest.IPName:               {nil, true},
		certstest.Expired:              {[]string{"cert-expired"}, true},
		certstest.NotYetValid:          {[]string{"cert-not-yet-valid"}, true},
		certstest.ExpiringSoon:         {[]string{"cert-expiring-soon?"}, true},
		certstest.WrongName:            {[]string{"cert-name-mismatch"}, true},
		certstest.CommonNameOnly:       {[]string{"cert-name-mismatch"}, true},
		certstest.SelfSigned:           {[]string{"cert-self-signed"}, false},
		certstest.MissingIntermediate:  {[]string{"chain-missing-intermediate"}, false},
		certstest.MissingUpper:         {[]string{"chain-missing-intermediate"}, false},
		certstest.WrongOrder:           {[]string{"chain-wrong-order?"}, true},
		certstest.Unrelated:            {[]string{"chain-unrelated-certificate?"}, true},
		certstest.UntrustedRoot:        {[]string{"chain-untrusted-root"}, false},
		certstest.UntrustedRootSent:    {[]string{"chain-untrusted-root"}, false},
		certstest.ExpiredIntermediate:  {[]string{"chain-intermediate-expired"}, true},
		certstest.WeakKey:              {[]string{"cert-weak-key"}, true},
		certstest.WeakSignature:        {[]string{"cert-weak-signature"}, true},
		certstest.ClientOnly:           {[]string{"cert-wrong-usage"}, true},
		certstest.CAAsLeaf:             {[]string{"cert-wrong-usage?"}, true},
		certstest.NoSignatureKeyUsage:  {[]string{"cert-wrong-usage"}, true},
		certstest.IntermediateIsNoCA:   {[]string{"cert-missing-key-identifier?", "cert-wrong-usage"}, false},
		certstest.SignedWithAnotherKey: {[]string{"chain-untrusted-root"}, false},
	} {
		t.Run(string(kind), func(t *testing.T) {
			r := chain.Examine(p.Make(kind, name).Raw(), options(p))
			if got := faults(r); !slices.Equal(got, tt.want) && len(got)+len(tt.want) > 0 {
				t.Errorf("faults %v, want %v\n%+v", got, tt.want, r.Faults)
			}
			if r.Trusted != tt.trusted {
				t.Errorf("trusted = %v, want %v (%v)", r.Trusted, tt.trusted, r.Err)
			}
			fatal := slices.ContainsFunc(tt.want, func(s string) bool { return !strings.HasSuffix(s, "?") })
			if r.Valid == fatal {
				t.Errorf("valid = %v with %v", r.Valid, tt.want)
			}
			t.Log(r.Faults)
		})
	}
	if got := len(certstest.Kinds()); got != 24 {
		t.Errorf("certstest has %d kinds; this table has 24", got)
	}
}
