package chain_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/chain"
)

const day = 24 * time.Hour

func raw(list ...*x509.Certificate) [][]byte {
	var out [][]byte
	for _, c := range list {
		out = append(out, c.Raw)
	}
	return out
}

// want compares the faults of a report with a list separated by spaces.
func want(t *testing.T, r *chain.Report, faultsWanted string) {
	t.Helper()
	w := strings.Fields(faultsWanted)
	slices.Sort(w)
	if got := faults(r); !slices.Equal(got, w) {
		t.Errorf("faults %v, want %v\n%+v", got, w, r.Faults)
	}
}

func TestExamineReportsFaultsTogether(t *testing.T) {
	p := certstest.New(t)
	lapsed := p.Issue(p.Intermediate, certs.Template{CommonName: "Lapsed", CA: true, NotBefore: p.Now.Add(-400 * day), NotAfter: p.Now.Add(-day)})
	foreign := p.OtherIntermediate
	expired := certs.Template{Names: []string{"www.example.com"}, NotBefore: p.Now.Add(-100 * day), NotAfter: p.Now.Add(-2 * day)}
	old := p.Issue(p.Issuing, expired)
	selfSigned := expired
	selfSigned.Key = certs.RSA1024
	worst := p.Issue(lapsed, certs.Template{Names: []string{"other.invalid"}, NotBefore: p.Now.Add(-100 * day), NotAfter: p.Now.Add(-2 * day), Key: certs.RSA1024,
		Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, Signature: x509.ECDSAWithSHA1})
	for name, tt := range map[string]struct {
		presented []*x509.Certificate
		want      string
		trusted   bool
	}{
		"expired and wrong name":             {old.Chain(), "cert-expired cert-name-mismatch", true},
		"expired and missing intermediate":   {old.Chain()[:1], "cert-expired cert-name-mismatch chain-missing-intermediate", false},
		"expired and untrusted":              {p.Issue(foreign, expired).Chain(), "cert-expired cert-name-mismatch chain-untrusted-root", false},
		"self-signed, expired, weak, name":   {p.SelfSign(selfSigned).Chain(), "cert-expired cert-name-mismatch cert-self-signed cert-weak-key", false},
		"expired above an expired leaf":      {p.Issue(lapsed, expired).Chain(), "cert-expired cert-name-mismatch chain-intermediate-expired", true},
		"everything":                         {append([]*x509.Certificate{worst.Certificate, p.Intermediate.Certificate, lapsed.Certificate}, foreign.Certificate), "cert-expired cert-name-mismatch cert-weak-key cert-weak-signature cert-wrong-usage chain-intermediate-expired chain-unrelated-certificate? chain-wrong-order?", true},
		"root first after the leaf":          {append([]*x509.Certificate{p.Leaf(name).Certificate, p.Root.Certificate}, p.Leaf(name).Chain()[1:]...), "chain-root-sent? chain-wrong-order?", true},
		"reversed":                           {[]*x509.Certificate{p.Intermediate.Certificate, p.Issuing.Certificate, p.Leaf(name).Certificate}, "chain-wrong-order", true},
		"twice":                              {[]*x509.Certificate{p.Issuing.Certificate}, "", true}, // replaced below
		"trusted root along":                 {append(p.Leaf(name).Chain(), p.Root.Certificate), "chain-root-sent?", true},
		"other name's leaf along":            {append(p.Leaf(name).Chain(), p.Leaf("b.invalid").Certificate), "chain-unrelated-certificate?", true},
		"self-signed with strangers":         {[]*x509.Certificate{p.SelfSign(certs.Template{Names: []string{name}}).Certificate, p.Intermediate.Certificate}, "cert-self-signed chain-unrelated-certificate?", false},
		"self-signed CA as the leaf":         {[]*x509.Certificate{p.SelfSign(certs.Template{Names: []string{name}, CA: true, NotAfter: p.Now.Add(90 * day)}).Certificate}, "cert-self-signed", false},
		"weak elliptic curve":                {p.Issue(p.Issuing, certs.Template{Names: []string{name}, Key: certs.ECDSAP224}).Chain(), "cert-weak-key", true},
		"wildcard for itself and one deeper": {p.Issue(p.Issuing, certs.Template{Names: []string{"*.api.example.com", "*.com"}}).Chain(), "cert-bad-name? cert-name-mismatch", true},
	} {
		t.Run(name, func(t *testing.T) {
			presented := tt.presented
			if name == "twice" {
				leaf := p.Leaf("api.example.com")
				presented = append(leaf.Chain(), leaf.Certificate, p.Issuing.Certificate)
				tt.want = "chain-unrelated-certificate? chain-unrelated-certificate?"
			}
			r := chain.Examine(raw(presented...), options(p))
			want(t, r, tt.want)
			if r.Trusted != tt.trusted {
				t.Errorf("trusted = %v, want %v (%v)", r.Trusted, tt.trusted, r.Err)
			}
			fatal := slices.ContainsFunc(r.Faults, func(f chain.Fault) bool { return f.Fatal })
			if r.Valid == fatal {
				t.Errorf("valid = %v with %+v", r.Valid, r.Faults)
			}
			if fatal != (r.Err != nil) && !strings.Contains(tt.want, "weak") && name != "self-signed CA as the leaf" {
				t.Errorf("crypto/x509 says %v, faults are %+v", r.Err, r.Faults)
			}
			for i, f := range r.Faults {
				if i > 0 && f.Fatal && !r.Faults[i-1].Fatal {
					t.Errorf("a fatal fault comes after a harmless one: %+v", r.Faults)
				}
			}
		})
	}
}

func TestExamineTellsMissingIntermediateFromUntrustedRoot(t *testing.T) {
	p := certstest.New(t)
	// tell makes a chain below an unknown issuer of the given name; authorityKey, when not nil, is what its authority key
	// identifier says of the issuer's own issuer.
	ca := func(by *certs.Pair, name, organization string) *certs.Pair {
		tpl := certs.Template{CommonName: name, Organization: organization, CA: true}
		if by == nil {
			return p.SelfSign(tpl)
		}
		return p.Issue(by, tpl)
	}
	leafOf := func(by *certs.Pair, tpl certs.Template) *x509.Certificate {
		tpl.Names = []string{name}
		return p.Issue(by, tpl).Certificate
	}
	plainRoot := ca(nil, "Some CA", "")
	housed := ca(p.Root, "Gamma 7", "Triage Test")
	worded := ca(p.Root, "Triage Gamma 7", "")
	plainSub := ca(p.Root, "Gamma 7", "")
	bottom := ca(plainSub, "Gamma 8", "")
	keyed := func(by *certs.Pair) certs.Template {
		return certs.Template{ExtraExtensions: []pkix.Extension{authorityKey(t, by.Certificate)}}
	}
	for _, tt := range []struct {
		name      string
		presented []*x509.Certificate
		known     []*x509.Certificate
		want      string
		right     int // length of the right chain; 0: not known
	}{
		{"leaf alone, issuer is called issuing", []*x509.Certificate{p.Leaf(name).Certificate}, nil, "chain-missing-intermediate", 0},
		{"leaf alone, issuer is of a trusted root's house", []*x509.Certificate{leafOf(housed, certs.Template{})}, nil, "chain-missing-intermediate", 0},
		{"leaf alone, issuer shares a word with the operator's root", []*x509.Certificate{leafOf(worded, certs.Template{})}, nil, "chain-missing-intermediate", 0},
		{"leaf alone, says where its issuer is", []*x509.Certificate{leafOf(plainSub, certs.Template{IssuingCertificateURL: []string{"http://ca.invalid/sub.crt"}})}, nil, "chain-missing-intermediate", 0},
		{"leaf alone, key identifier says issued by another", []*x509.Certificate{leafOf(plainSub, keyed(plainSub))}, nil, "chain-missing-intermediate", 0},
		{"leaf alone, key identifier says self-signed", []*x509.Certificate{leafOf(plainRoot, keyed(plainRoot))}, nil, "chain-untrusted-root", 1},
		{"leaf alone, issuer is called root", []*x509.Certificate{leafOf(p.OtherRoot, certs.Template{})}, nil, "chain-untrusted-root", 1},
		{"leaf alone, issuer of no house", []*x509.Certificate{leafOf(plainRoot, certs.Template{})}, nil, "chain-missing-intermediate", 0},
		{"leaf alone, issuer known and below a trusted root", []*x509.Certificate{leafOf(plainSub, certs.Template{})}, []*x509.Certificate{plainSub.Certificate}, "chain-missing-intermediate", 2},
		{"leaf alone, two known above it", []*x509.Certificate{leafOf(bottom, certs.Template{})}, []*x509.Certificate{bottom.Certificate, plainSub.Certificate, p.Root.Certificate}, "chain-missing-intermediate", 3},
		{"leaf alone, issuer known and self-signed", []*x509.Certificate{leafOf(plainRoot, certs.Template{})}, []*x509.Certificate{plainRoot.Certificate}, "chain-untrusted-root", 1},
		{"leaf alone, known up to an untrusted root", []*x509.Certificate{leafOf(p.OtherIntermediate, certs.Template{})}, []*x509.Certificate{p.OtherRoot.Certificate, p.OtherIntermediate.Certificate}, "chain-missing-intermediate chain-untrusted-root", 2},
		{"leaf and the trusted root, intermediate of no house between", []*x509.Certificate{leafOf(plainSub, certs.Template{}), p.Root.Certificate}, []*x509.Certificate{plainSub.Certificate}, "chain-missing-intermediate chain-root-sent?", 2},
		{"intermediate below an unknown authority of no house", []*x509.Certificate{leafOf(bottom, certs.Template{}), bottom.Certificate}, nil, "chain-untrusted-root", 2},
		{"the same, but known", []*x509.Certificate{leafOf(bottom, certs.Template{}), bottom.Certificate}, []*x509.Certificate{plainSub.Certificate}, "chain-missing-intermediate", 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := options(p)
			o.Known = tt.known
			r := chain.Examine(raw(tt.presented...), o)
			want(t, r, tt.want)
			if len(r.Right) != tt.right {
				t.Errorf("the right chain has %d certificates, want %d", len(r.Right), tt.right)
			}
			if strings.Contains(tt.want, "missing") && (r.Faults[0].Missing == "" || !strings.Contains(r.Faults[0].Missing, r.Presented[r.Faults[0].Index].Issuer.CommonName)) {
				t.Errorf("the missing one is not named: %+v", r.Faults[0])
			}
			if len(r.Right) > len(tt.presented) { // what is advised must work
				o.Known = nil
				if again := chain.Examine(raw(r.Right...), o); !again.Trusted && !strings.Contains(tt.want, "untrusted") {
					t.Errorf("the chain advised is not trusted: %+v", again.Faults)
				}
			}
		})
	}
}

// authorityKey is the extension as OpenSSL's "authorityKeyIdentifier = keyid,issuer" writes it.
func authorityKey(t *testing.T, issuer *x509.Certificate) pkix.Extension {
	t.Helper()
	name, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: issuer.RawIssuer})
	if err != nil {
		t.Fatal(err)
	}
	value, err := asn1.Marshal(struct {
		KeyID  []byte        `asn1:"optional,tag:0"`
		Issuer asn1.RawValue `asn1:"optional"`
	}{issuer.SubjectKeyId, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 1, IsCompound: true, Bytes: name}})
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 35}, Value: value}
}

func TestExamineFindsTheRightChain(t *testing.T) {
	p := certstest.New(t)
	for _, tt := range []struct {
		kind certstest.Kind
		want int
	}{{certstest.Healthy, 3}, {certstest.WrongOrder, 3}, {certstest.Unrelated, 3}, {certstest.Expired, 3}, {certstest.WrongName, 3}, {certstest.UntrustedRootSent, 2},
		{certstest.SelfSigned, 0}, {certstest.MissingIntermediate, 0}, {certstest.WeakSignature, 3}} {
		r := chain.Examine(p.Make(tt.kind, name).Raw(), options(p))
		if len(r.Right) != tt.want {
			t.Errorf("%s: the right chain has %d certificates, want %d", tt.kind, len(r.Right), tt.want)
		}
		for i := 1; i < len(r.Right); i++ {
			if string(r.Right[i-1].RawIssuer) != string(r.Right[i].RawSubject) {
				t.Errorf("%s: certificate %d of the right chain did not issue the one before it", tt.kind, i)
			}
		}
	}

	// An intermediate that was renewed with the same key: the fresh one is known, the lapsed one is being sent.
	c := p.Make(certstest.ExpiredIntermediate, name)
	lapsed := c.Presented[1]
	fresh := p.Issue(p.Intermediate, certs.Template{CommonName: lapsed.Subject.CommonName, CA: true, Signer: c.Leaf.Key})
	renewed, err := p.Intermediate.Issue(certs.Template{CommonName: lapsed.Subject.CommonName, CA: true, Signer: fixedPublic{c.Leaf.Key, lapsed.PublicKey}})
	if err != nil {
		t.Fatal(err)
	}
	o := options(p)
	o.Known = []*x509.Certificate{fresh.Certificate, renewed.Certificate}
	r := chain.Examine(c.Raw(), o)
	want(t, r, "chain-intermediate-expired")
	if len(r.Right) != 3 || !r.Right[1].Equal(renewed.Certificate) || r.Right[0] != r.Presented[0] {
		t.Errorf("the right chain does not use the renewed intermediate: %d certificates", len(r.Right))
	}
	if again := chain.Examine(raw(r.Right...), options(p)); !again.Valid {
		t.Errorf("the chain advised is refused: %+v", again.Faults)
	}
}

func TestExamineVerifiedHoldsEveryPath(t *testing.T) {
	p := certstest.New(t)
	// The same intermediate, cross-signed by a second trusted root.
	cross, err := p.OtherRoot.Issue(certs.Template{CommonName: "Test Intermediate", Organization: "Triage Test", CA: true,
		Signer: fixedPublic{p.Intermediate.Key, p.Intermediate.Certificate.PublicKey}})
	if err != nil {
		t.Fatal(err)
	}
	o := options(p)
	o.Roots.AddCert(p.OtherRoot.Certificate)
	r := chain.Examine(raw(append(p.Leaf(name).Chain(), cross.Certificate)...), o)
	want(t, r, "")
	if len(r.Verified) != 2 {
		t.Errorf("%d paths, want 2", len(r.Verified))
	}
	// One of the two has expired: a client finds the other.
	old, err := p.OtherRoot.Issue(certs.Template{CommonName: "Test Intermediate", Organization: "Triage Test", CA: true, NotBefore: p.Now.Add(-50 * day), NotAfter: p.Now.Add(-day),
		Signer: fixedPublic{p.Intermediate.Key, p.Intermediate.Certificate.PublicKey}})
	if err != nil {
		t.Fatal(err)
	}
	r = chain.Examine(raw(append(p.Leaf(name).Chain(), old.Certificate)...), o)
	want(t, r, "chain-intermediate-expired?")
	if !r.Valid || r.Err != nil {
		t.Errorf("valid %v, %v", r.Valid, r.Err)
	}
}

func TestExamineAnExpiredTrustedRoot(t *testing.T) {
	p := certstest.New(t)
	root := p.SelfSign(certs.Template{CommonName: "Gone Root", CA: true, NotBefore: p.Now.Add(-900 * day), NotAfter: p.Now.Add(-day)})
	by := p.Issue(root, certs.Template{CommonName: "Below Gone", CA: true})
	roots := x509.NewCertPool()
	roots.AddCert(root.Certificate)
	for what, presented := range map[string][]*x509.Certificate{
		"root not sent": p.Issue(by, certs.Template{Names: []string{name}}).Chain(),
		"root sent":     append(p.Issue(by, certs.Template{Names: []string{name}}).Chain(), root.Certificate),
	} {
		r := chain.Examine(raw(presented...), chain.Options{Name: "api.example.com", Roots: roots, Time: p.Now})
		wanted := []string{"chain-intermediate-expired"}
		if what == "root sent" {
			wanted = append(wanted, "chain-root-sent?")
		}
		if got := faults(r); !slices.Equal(got, wanted) || !r.Trusted || r.Valid {
			t.Errorf("%s: %v, trusted %v, valid %v: %+v", what, got, r.Trusted, r.Valid, r.Faults)
		}
	}
}

func TestExamineUsages(t *testing.T) {
	p := certstest.New(t)
	client := p.Make(certstest.ClientOnly, name)
	o := options(p)
	o.Name = ""
	o.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	want(t, chain.Examine(client.Raw(), o), "")
	want(t, chain.Examine(p.Make(certstest.Healthy, name).Raw(), o), "cert-wrong-usage")
	narrow := p.Issue(p.Intermediate, certs.Template{CommonName: "Mail only", CA: true, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}})
	r := chain.Examine(raw(p.Issue(narrow, certs.Template{Names: []string{name}}).Chain()...), options(p))
	want(t, r, "cert-wrong-usage")
	if len(r.Faults) > 0 && r.Faults[0].Index != 1 {
		t.Errorf("blamed certificate %d, want 1", r.Faults[0].Index)
	}
	// Encipherment only: RSA key exchange would still work, ECDSA would not.
	for kind, w := range map[certs.KeyKind]string{certs.RSA2048: "cert-wrong-usage?", certs.ECDSAP256: "cert-wrong-usage"} {
		leaf := p.Issue(p.Issuing, certs.Template{Names: []string{name}, Key: kind, KeyUsage: x509.KeyUsageKeyEncipherment})
		want(t, chain.Examine(raw(leaf.Chain()...), options(p)), w)
	}
	tooDeep := p.Issue(p.Intermediate, certs.Template{CommonName: "No more below", CA: true, MaxPathLen: -1})
	below := p.Issue(tooDeep, certs.Template{CommonName: "Below all the same", CA: true})
	want(t, chain.Examine(raw(p.Issue(below, certs.Template{Names: []string{name}}).Chain()...), options(p)), "cert-wrong-usage")
}

func TestExamineExpiringSoonIsConfigurable(t *testing.T) {
	p := certstest.New(t)
	leaf := p.Issue(p.Issuing, certs.Template{Names: []string{name}, NotAfter: p.Now.Add(20 * day)})
	for soon, w := range map[time.Duration]string{0: "cert-expiring-soon?", 21 * day: "cert-expiring-soon?", 19 * day: "", -1: ""} {
		o := options(p)
		o.ExpiringSoon = soon
		want(t, chain.Examine(raw(leaf.Chain()...), o), w)
	}
}

func TestExamineNothingAndGarbage(t *testing.T) {
	p := certstest.New(t)
	good := p.Make(certstest.Healthy, name).Raw()
	for what, tt := range map[string]struct {
		presented [][]byte
		want      string
	}{
		"nothing":                {nil, "cert-malformed"},
		"an empty certificate":   {[][]byte{{}}, "cert-malformed"},
		"garbage":                {[][]byte{[]byte("garbage")}, "cert-malformed"},
		"a leaf cut short":       {[][]byte{good[0][:len(good[0])-1], good[1]}, "cert-malformed"},
		"a bad one at the end":   {append(slices.Clone(good), []byte{0x30, 0x03, 1, 2, 3}), "cert-malformed"},
		"bytes after the leaf":   {[][]byte{append(slices.Clone(good[0]), 0), good[1], good[2]}, "cert-malformed"},
		"a hole in the middle":   {[][]byte{good[0], {1}, good[2]}, "cert-malformed chain-missing-intermediate chain-unrelated-certificate?"},
		"two that do not parse ": {[][]byte{{1}, {2}}, "cert-malformed cert-malformed"},
	} {
		t.Run(what, func(t *testing.T) {
			o := options(p)
			if strings.Contains(what, "leaf") {
				o.Name = ""
			}
			r := chain.Examine(tt.presented, o)
			got := strings.Join(faults(r), " ")
			if !strings.Contains(got, "cert-malformed") || r.Valid || r.Err == nil || len(r.Presented) != len(tt.presented) {
				t.Errorf("%s, valid %v, %v", got, r.Valid, r.Err)
			}
			if !strings.Contains(what, "leaf") && got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// A server that sends its whole CA bundle, with what belongs to the chain in the midst of it.
func TestExamineFindsThePathInABundle(t *testing.T) {
	p := certstest.New(t)
	presented := raw(p.Leaf(name).Certificate)
	for i := range 90 {
		presented = append(presented, p.SelfSign(certs.Template{CommonName: "Root", Organization: strings.Repeat("x", i+1), CA: true}).Certificate.Raw)
	}
	presented = append(presented, p.Issuing.Certificate.Raw, p.Root.Certificate.Raw, p.Intermediate.Certificate.Raw)
	r := chain.Examine(presented, options(p))
	if !r.Trusted || !r.Valid || len(r.Right) != 3 || r.Err != nil {
		t.Errorf("trusted %v, valid %v, right chain of %d, %v", r.Trusted, r.Valid, len(r.Right), r.Err)
	}
	o := options(p)
	o.Name = "other.invalid"
	if r := chain.Examine(presented, o); r.Valid || r.Faults[0].ID != chain.NameMismatch {
		t.Errorf("ninety strangers hide the name: %+v", r.Faults[0])
	}
	r = chain.Examine(slices.Delete(presented, 91, 92), options(p)) // without Issuing
	if got := faults(r); r.Trusted || !slices.Contains(got, "chain-missing-intermediate") || slices.Contains(got, "chain-untrusted-root") {
		t.Errorf("%v", got)
	}
}

func TestExamineLongPaths(t *testing.T) {
	p := certstest.New(t)
	ca := p.Root
	for i := 1; i <= 60; i++ {
		ca = p.Issue(ca, certs.Template{CommonName: "Level", Organization: strings.Repeat("i", i), CA: true})
		if i != 25 && i != 60 {
			continue
		}
		r := chain.Examine(raw(p.Issue(ca, certs.Template{Names: []string{name}}).Chain()...), options(p))
		if i == 25 && (!r.Valid || r.Err != nil || len(r.Verified) != 1) {
			t.Errorf("%d authorities: valid %v, %v", i, r.Valid, r.Err)
		}
		if i == 60 && (r.Valid || !strings.Contains(r.Faults[0].Detail, "more than clients verify")) {
			t.Errorf("%d authorities: valid %v, %+v", i, r.Valid, r.Faults)
		}
	}
}

func TestExamineCriticalExtensionAndConstraints(t *testing.T) {
	p := certstest.New(t)
	critical := []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
	odd := p.Issue(p.Intermediate, certs.Template{CommonName: "Odd", CA: true, ExtraExtensions: critical})
	for what, tt := range map[string]struct {
		leaf  *certs.Pair
		index int
	}{
		"leaf":         {p.Issue(p.Issuing, certs.Template{Names: []string{name}, ExtraExtensions: critical}), 0},
		"intermediate": {p.Issue(odd, certs.Template{Names: []string{name}}), 1},
	} {
		r := chain.Examine(raw(tt.leaf.Chain()...), options(p))
		want(t, r, "cert-malformed")
		if r.Faults[0].Index != tt.index || r.Err == nil {
			t.Errorf("%s: %+v, %v", what, r.Faults[0], r.Err)
		}
	}
}

func TestExpiresFirst(t *testing.T) {
	p := certstest.New(t)
	leaf := p.Leaf(name)
	r := chain.Examine(raw(leaf.Chain()...), options(p))
	if !r.ExpiresFirst().Equal(leaf.Certificate.NotAfter) {
		t.Errorf("%v, want %v", r.ExpiresFirst(), leaf.Certificate.NotAfter)
	}
	lapsed := p.Make(certstest.ExpiredIntermediate, name)
	if r := chain.Examine(lapsed.Raw(), options(p)); !r.ExpiresFirst().Equal(lapsed.Presented[1].NotAfter) {
		t.Errorf("%v, want %v", r.ExpiresFirst(), lapsed.Presented[1].NotAfter)
	}
	if r := chain.Examine(nil, options(p)); !r.ExpiresFirst().IsZero() {
		t.Errorf("%v of nothing", r.ExpiresFirst())
	}
}
