package chain_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/chain"
)

// Whoever reads a detail must not be sent the wrong way: to a certificate that is there, to the server for what is wrong with the
// store, or to the certificate beside the one that is meant.
func TestDetailsBlameTheRightCertificate(t *testing.T) {
	p := certstest.New(t)
	plain := p.Issue(p.Root, certs.Template{CommonName: "Gamma 7", CA: true})
	namesake := p.Issue(p.Root, certs.Template{CommonName: "Gamma 7", CA: true})
	bottom := p.Issue(plain, certs.Template{CommonName: "Gamma 8", CA: true})
	leaf := func(by *certs.Pair) *x509.Certificate {
		return p.Issue(by, certs.Template{Names: []string{name}, CommonName: "leaf"}).Certificate
	}
	past := certs.Template{CommonName: "Lapsed", CA: true, NotBefore: p.Now.AddDate(-9, 0, 0), NotAfter: p.Now.AddDate(0, 0, -20)}
	lapsed := p.SelfSign(past)
	early := p.SelfSign(certs.Template{CommonName: "Early", CA: true, NotBefore: p.Now.AddDate(0, 0, 20), NotAfter: p.Now.AddDate(9, 0, 0)})
	past.CommonName = "Gamma 9"
	expired := p.Issue(p.Root, past)
	renewed := p.Issue(p.Root, certs.Template{CommonName: "Gamma 9", CA: true, Signer: expired.Key})
	fetchable := p.Issue(expired, certs.Template{Names: []string{name}, IssuingCertificateURL: []string{"http://ca.invalid/gamma9.crt"}}).Certificate
	imitation := p.SelfSign(certs.Template{CommonName: "Gamma 7", CA: true})

	for _, tt := range []struct {
		name      string
		presented []*x509.Certificate
		known     []*x509.Certificate
		roots     *x509.CertPool
		faults    string
		id        chain.FaultID // whose detail is looked at
		reason    chain.Reason
		says      []string
		never     []string
	}{
		{name: "nothing tells what the issuer is", presented: []*x509.Certificate{leaf(plain)}, faults: "chain-missing-intermediate",
			id: chain.MissingIntermediate, reason: chain.ReasonUnknownIssuer,
			says: []string{"certificate 0 (leaf) was issued by CN=Gamma 7", "an intermediate that was not sent", "a root that is not trusted here"}},
		{name: "nor above an intermediate", presented: []*x509.Certificate{leaf(bottom), bottom.Certificate}, faults: "chain-untrusted-root",
			id: chain.UntrustedRoot, reason: chain.ReasonUnknownIssuer,
			says: []string{"certificate 1 (Gamma 8) was issued by CN=Gamma 7", "an intermediate that was not sent", "a root that is not trusted here"}},
		{name: "an intermediate of the name and another key", presented: []*x509.Certificate{leaf(plain), namesake.Certificate}, faults: "chain-missing-intermediate chain-unrelated-certificate?",
			id: chain.MissingIntermediate, reason: chain.ReasonAnotherKey,
			says:  []string{"certificate 0 (leaf)", "certificate 1, which was sent under this name, has another key", colons(plain.Certificate.SubjectKeyId), colons(namesake.Certificate.SubjectKeyId)},
			never: []string{"was not sent"}},
		{name: "the same, and the right one is known", presented: []*x509.Certificate{leaf(plain), namesake.Certificate}, known: []*x509.Certificate{plain.Certificate}, faults: "chain-missing-intermediate chain-unrelated-certificate?",
			id: chain.MissingIntermediate, reason: chain.ReasonAnotherKey, says: []string{"certificate 1, which", "another key", "is known"}, never: []string{"was not sent"}},
		{name: "what lies beside it", presented: []*x509.Certificate{leaf(plain), namesake.Certificate}, faults: "chain-missing-intermediate chain-unrelated-certificate?",
			id: chain.Unrelated, says: []string{"certificate 1 (Gamma 7)", "the name of the issuer of certificate 0"}},
		{name: "a root of the name and another key", presented: []*x509.Certificate{leaf(plain), imitation.Certificate}, faults: "chain-missing-intermediate chain-unrelated-certificate?",
			id: chain.MissingIntermediate, reason: chain.ReasonAnotherKey, says: []string{"certificate 1, which", "another key"}},
		{name: "the trusted root is expired", presented: []*x509.Certificate{leaf(lapsed)}, roots: poolOf(lapsed.Certificate), faults: "chain-intermediate-expired",
			id: chain.IntermediateExpired, reason: chain.ReasonExpiredRoot, says: []string{"the root Lapsed", "trusted by the store", "expired on", "20 days ago"}, never: []string{"intermediate"}},
		{name: "the same, and the current one is known", presented: []*x509.Certificate{fetchable, expired.Certificate}, known: []*x509.Certificate{renewed.Certificate}, faults: "chain-intermediate-expired",
			id: chain.IntermediateExpired, says: []string{"certificate 1 (the intermediate Gamma 9) expired on", fmt.Sprintf("(serial %X)", expired.Certificate.SerialNumber), fmt.Sprintf("in its place: serial %X", renewed.Certificate.SerialNumber)}},
		{name: "the trusted root is not valid yet", presented: []*x509.Certificate{leaf(early)}, roots: poolOf(early.Certificate), faults: "cert-not-yet-valid",
			id: chain.NotYetValid, reason: chain.ReasonFutureRoot, says: []string{"the root Early", "trusted by the store", "becomes valid on", "in 20 days"}, never: []string{"expired"}},
		{name: "the intermediate is expired", presented: []*x509.Certificate{fetchable, expired.Certificate}, faults: "chain-intermediate-expired",
			id: chain.IntermediateExpired, says: []string{"certificate 1 (the intermediate Gamma 9) expired on", "http://ca.invalid/gamma9.crt"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := options(p)
			o.Known = tt.known
			if tt.roots != nil {
				o.Roots = tt.roots
			}
			r := chain.Examine(raw(tt.presented...), o)
			want(t, r, tt.faults)
			for _, f := range r.Faults {
				if f.ID != tt.id {
					continue
				}
				if f.Reason != tt.reason {
					t.Errorf("reason %q, want %q", f.Reason, tt.reason)
				}
				for _, s := range tt.says {
					if !strings.Contains(f.Detail, s) {
						t.Errorf("%q lacks %q", f.Detail, s)
					}
				}
				for _, s := range tt.never {
					if strings.Contains(f.Detail, s) {
						t.Errorf("%q has %q", f.Detail, s)
					}
				}
			}
		})
	}
}

// Every certificate is counted as tables count it: the first is 0.
func TestDetailsCountFromZero(t *testing.T) {
	p := certstest.New(t)
	leaf := p.Leaf(name).Certificate
	issuing, upper, root, other := p.Issuing.Certificate, p.Intermediate.Certificate, p.Root.Certificate, p.OtherIntermediate.Certificate
	for says, presented := range map[string][][]byte{
		"certificate 2 (Test Issuing) is sent twice: it is certificate 1 already":            raw(leaf, issuing, issuing, upper),
		"certificate 3 (Foreign Sub) has no part":                                            raw(leaf, issuing, upper, other),
		"certificate 3 (Test Root) is a trusted root":                                        raw(leaf, issuing, upper, root),
		"certificate 1 (Test Intermediate) comes before":                                     raw(leaf, upper, issuing),
		"is certificate 2; clients take certificate 0 (Test Intermediate, a CA)":             raw(upper, issuing, leaf),
		"certificate 1 (Test Issuing) was issued by CN=Test Intermediate,O=Triage Test, whi": raw(leaf, issuing),
		"certificate 1 (3 bytes) cannot be parsed":                                           append(raw(leaf), []byte{1, 2, 3}),
	} {
		r := chain.Examine(presented, options(p))
		all := ""
		for _, f := range r.Faults {
			all += f.Detail + "\n"
		}
		if !strings.Contains(all, says) {
			t.Errorf("none says %q:\n%s", says, all)
		}
	}
}

// colons writes the beginning of a key identifier as people compare it.
func colons(id []byte) string {
	return strings.ReplaceAll(strings.TrimSpace(fmt.Sprintf("% X", id[:8])), " ", ":")
}

// The intermediates of public authorities have names that say nothing. A leaf that came alone lacks one: it is not called untrusted.
func TestLeavesAloneLackTheirIntermediate(t *testing.T) {
	p := certstest.New(t)
	for name, organization := range map[string]string{"R3": "Let's Encrypt", "E5": "Let's Encrypt", "WE1": "Google Trust Services", "YR1": ""} {
		issuer := p.Issue(p.OtherRoot, certs.Template{CommonName: name, Organization: organization, CA: true})
		leaf := p.Issue(issuer, certs.Template{Names: []string{"api.example.com"}}).Certificate
		want(t, chain.Examine(raw(leaf), options(p)), "chain-missing-intermediate")
	}
}

// A certificate that was damaged is named itself: its issuer stands beside it by name and key identifier, and no other one mends it.
func TestDamagedSignatures(t *testing.T) {
	p := certstest.New(t)
	leaf, issuing, upper, root := p.Leaf(name).Certificate.Raw, p.Issuing.Certificate, p.Intermediate.Certificate, p.Root.Certificate
	damaged := func(der []byte) []byte {
		der = bytes.Clone(der)
		der[len(der)-5] ^= 1
		return der
	}
	self := p.SelfSign(certs.Template{Names: []string{name}, CommonName: "own"})
	template := *self.Certificate
	template.SubjectKeyId, template.AuthorityKeyId = []byte("a key"), []byte("a key")
	own, err := x509.CreateCertificate(rand.Reader, &template, &template, self.Key.Public(), self.Key)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name      string
		presented [][]byte
		known     []*x509.Certificate
		faults    string
		index     int
		says      string
	}{
		{"the leaf", [][]byte{damaged(leaf), issuing.Raw, upper.Raw}, nil, "cert-malformed", 0, "with the key of certificate 1 (Test Issuing), which is its issuer by name and key identifier"},
		{"the leaf, its issuer last", [][]byte{damaged(leaf), upper.Raw, issuing.Raw}, nil, "cert-malformed chain-wrong-order?", 0, "with the key of certificate 2"},
		{"the leaf alone", [][]byte{damaged(leaf)}, []*x509.Certificate{issuing}, "cert-malformed", 0, "with the key of Test Issuing"},
		{"an intermediate", [][]byte{leaf, damaged(issuing.Raw), upper.Raw}, nil, "cert-malformed", 1, "with the key of certificate 2 (Test Intermediate)"},
		{"an intermediate below a known root", [][]byte{leaf, issuing.Raw, damaged(upper.Raw)}, []*x509.Certificate{root}, "cert-malformed", 2, "with the key of Test Root"},
		{"a leaf that signed itself", [][]byte{damaged(own)}, nil, "cert-malformed", 0, "its own"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := options(p)
			o.Known = tt.known
			r := chain.Examine(tt.presented, o)
			want(t, r, tt.faults)
			if f := r.Faults[0]; f.Reason != chain.ReasonBadSignature || f.Index != tt.index || !strings.Contains(f.Detail, tt.says) || len(f.RefusedBy) != 9 {
				t.Errorf("%+v", f)
			}
		})
	}
	// Another key under the identifier of the issuer is no sign of damage where the issuer itself is known.
	imitation, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(7), RawSubject: issuing.RawSubject, SubjectKeyId: issuing.SubjectKeyId, IsCA: true,
		BasicConstraintsValid: true, NotBefore: issuing.NotBefore, NotAfter: issuing.NotAfter}, root, p.OtherIntermediate.Key.Public(), p.Root.Key)
	if err != nil {
		t.Fatal(err)
	}
	o := options(p)
	o.Known = []*x509.Certificate{issuing, upper}
	want(t, chain.Examine([][]byte{leaf, imitation}, o), "chain-missing-intermediate chain-unrelated-certificate?")
}

// What lies beyond the bound is not called missing, nor is it passed over in silence.
func TestBeyondTheBound(t *testing.T) {
	p := certstest.New(t)
	leaf, issuing, upper, other := p.Leaf(name).Certificate, p.Issuing.Certificate, p.Intermediate.Certificate, p.OtherIntermediate.Certificate
	crowd := func(n int, last ...*x509.Certificate) [][]byte {
		list := raw(leaf)
		for range n {
			list = append(list, other.Raw)
		}
		return append(list, raw(last...)...)
	}
	o := options(p)
	r := chain.Examine(crowd(chain.MaxCertificates-3, issuing, upper), o)
	if !r.Valid || strings.Contains(strings.Join(faults(r), " "), "cert-malformed") || !strings.Contains(strings.Join(faults(r), " "), "chain-too-large") {
		t.Errorf("at the bound: %v", faults(r))
	}
	few := options(p)
	few.Sent = 200
	for what, r := range map[string]*chain.Report{
		"all at hand":    chain.Examine(crowd(chain.MaxCertificates, issuing, upper), o),
		"the first only": chain.Examine(raw(leaf), few),
	} {
		all := strings.Join(faults(r), " ")
		if r.Valid || strings.Contains(all, "missing") || strings.Contains(all, "untrusted") || r.Faults[0].ID != chain.Malformed || r.Faults[0].Reason != chain.ReasonTooMany {
			t.Errorf("%s: %v", what, r.Faults)
		}
		if d := r.Faults[0].Detail; !strings.Contains(d, "certificate 0") || !strings.Contains(d, "not known") {
			t.Errorf("%s: %s", what, d)
		}
	}
	if r := chain.Examine(crowd(chain.MaxCertificates, issuing), few); !strings.Contains(fmt.Sprint(r.Faults), "more of this kind") || !strings.Contains(fmt.Sprint(r.Faults), "200 certificates were presented; only the first 100") {
		t.Errorf("%v", r.Faults)
	}
}

// Clients of the most families find the name under such a wildcard or none do: an error follows from that, not from what Go does.
func TestWildcardsOverPublicSuffixes(t *testing.T) {
	p := certstest.New(t)
	for _, tt := range []struct {
		asked  string
		names  []string
		faults string
	}{
		{"site.test", []string{"*.test"}, "cert-bad-name"},
		{"site.test", []string{"*.test", "site.test"}, "cert-bad-name?"},
		{"site.co.uk", []string{"*.co.uk"}, "cert-bad-name?"}, // OpenSSL, GnuTLS and Java take it
		{"", []string{"*.test"}, "cert-bad-name?"},
		{"other.example", []string{"*.test"}, "cert-bad-name? cert-name-mismatch"},
	} {
		o := options(p)
		o.Name = tt.asked
		leaf := p.Issue(p.Issuing, certs.Template{Names: tt.names}).Certificate
		want(t, chain.Examine(raw(leaf, p.Issuing.Certificate, p.Intermediate.Certificate), o), tt.faults)
	}
}
