package bundle_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/bundle"
	"github.com/tlstriage/tlstriage/certs/certstest"
)

func leftOut(t *testing.T, r *bundle.Result, c *x509.Certificate) bundle.Reason {
	t.Helper()
	for _, l := range r.LeftOut {
		if l.Certificate.Equal(c) {
			if l.Detail == "" {
				t.Errorf("%s without a sentence", l.Reason)
			}
			return l.Reason
		}
	}
	return ""
}

func TestBuildOrdersAndLeavesOut(t *testing.T) {
	p := certstest.New(t)
	leaf := p.Leaf("www.example.com")
	stranger := p.Issue(p.OtherIntermediate, certs.Template{Names: []string{"other.example"}})
	older := p.Issue(p.Issuing, certs.Template{Names: []string{"www.example.com"}, Signer: leaf.Key, NotAfter: p.Now.Add(24 * time.Hour)})
	crossed := p.Issue(p.OtherRoot, certs.Template{CommonName: "Test Intermediate", Organization: "Triage Test", CA: true, Signer: p.Intermediate.Key, NotBefore: p.Now.AddDate(-1, 0, 0), NotAfter: p.Now.Add(-time.Hour)})
	living := p.Issue(p.OtherRoot, certs.Template{CommonName: "Test Intermediate", Organization: "Triage Test", CA: true, Signer: p.Intermediate.Key, NotBefore: p.Now.AddDate(-1, 0, 0), NotAfter: p.Now.AddDate(3, 0, 0)})
	expired := p.Issue(p.Intermediate, certs.Template{CommonName: "Test Issuing", Organization: "Triage Test", CA: true, Signer: p.Issuing.Key, NotBefore: p.Now.AddDate(-1, 0, 0), NotAfter: p.Now.Add(-time.Hour)})

	list := []*x509.Certificate{p.Root.Certificate, crossed.Certificate, p.Intermediate.Certificate, stranger.Certificate, expired.Certificate, living.Certificate, p.Issuing.Certificate, older.Certificate, leaf.Certificate, p.OtherIntermediate.Certificate, leaf.Certificate, p.OtherRoot.Certificate}
	r := build(p, pile(certs.EncodePEM(list...), keyPEM(t, leaf)))
	b := complete(t, r)
	if b.Name != "www.example.com" || b.Private || b.Root == nil || b.Root.Subject.CommonName != "Test Root" || !b.Report.Valid {
		t.Errorf("name %q, private %v, root %v, report %v", b.Name, b.Private, b.Root, b.Report.Faults)
	}
	for name, want := range map[string]struct {
		c      *x509.Certificate
		reason bundle.Reason
	}{
		"root":         {p.Root.Certificate, bundle.Root},
		"foreign root": {p.OtherRoot.Certificate, bundle.Unrelated},
		"twice":        {leaf.Certificate, bundle.Duplicate},
		"older":        {older.Certificate, bundle.Superseded},
		"stranger":     {stranger.Certificate, bundle.NoKey},
		"crossed":      {crossed.Certificate, bundle.ExpiredCross},
		"living cross": {living.Certificate, bundle.OtherPath},
		"expired":      {expired.Certificate, bundle.Superseded},
		"unrelated":    {p.OtherIntermediate.Certificate, bundle.Unrelated},
	} {
		if got := leftOut(t, r, want.c); got != want.reason {
			t.Errorf("%s: left out as %q, want %q", name, got, want.reason)
		}
	}
	if len(r.LeftOut) != len(list)-3 {
		t.Errorf("%d left out, want %d", len(r.LeftOut), len(list)-3)
	}
}

func TestBuildOfSeveralServers(t *testing.T) {
	p := certstest.New(t)
	a, b := p.Leaf("www.example.com"), p.Leaf("*.b.example")
	aRSA := p.Issue(p.Issuing, certs.Template{Names: []string{"www.example.com"}, Key: certs.RSA2048})
	parts := [][]byte{certs.EncodePEM(b.Certificate, a.Certificate, p.Intermediate.Certificate, aRSA.Certificate, p.Issuing.Certificate), keyPEM(t, aRSA), keyPEM(t, a), keyPEM(t, b), keyPEM(t, b)}
	r := build(p, pile(parts...))
	want := map[string]*certs.Pair{"www.example.com-ecdsa": a, "www.example.com-rsa": aRSA, "wildcard.b.example": b}
	if len(r.Bundles) != len(want) || len(fatal(r)) > 0 {
		t.Fatalf("%d bundles, problems %v", len(r.Bundles), r.Problems)
	}
	for _, got := range r.Bundles {
		pair := want[got.Name]
		if pair == nil || !got.Leaf.Equal(pair.Certificate) || len(got.Chain) != 3 || got.Key == nil || !pair.Certificate.PublicKey.(interface{ Equal(crypto.PublicKey) bool }).Equal(got.Key.Signer.Public()) {
			t.Errorf("bundle %q of %s, %d certificates", got.Name, got.Leaf.Subject, len(got.Chain))
		}
	}
	named := bundle.Build(context.Background(), bundle.Read(pile(parts...)), bundle.Options{Time: p.Now, Roots: p.Roots(), Name: "x.b.example"})
	if len(named.Bundles) != 1 || named.Bundles[0].Name != "wildcard.b.example" || leftOut(t, named, a.Certificate) != bundle.OtherName {
		t.Errorf("%d bundles, left out %v", len(named.Bundles), named.LeftOut)
	}
	none := bundle.Build(context.Background(), bundle.Read(pile(parts...)), bundle.Options{Time: p.Now, Roots: p.Roots(), Name: "c.example"})
	if !hasProblem(none, bundle.NameNotCovered, "c.example") {
		t.Errorf("problems %v", none.Problems)
	}
}

func TestBuildSaysWhatIsWrong(t *testing.T) {
	p := certstest.New(t)
	leaf, other := p.Leaf("www.example.com"), p.Leaf("other.example")
	whole := certs.EncodePEM(leaf.Chain()...)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "other.example"}, DNSNames: []string{"other.example"}}, other.Key)
	if err != nil {
		t.Fatal(err)
	}
	request := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})
	expired := p.Issue(p.Issuing, certs.Template{Names: []string{"www.example.com"}, NotAfter: p.Now.Add(-time.Minute)})
	private := p.Issue(p.OtherIntermediate, certs.Template{Names: []string{"www.example.com"}})
	self := p.SelfSign(certs.Template{Names: []string{"www.example.com"}, CA: true})
	for name, tt := range map[string]struct {
		parts   [][]byte
		id      bundle.ProblemID
		says    string
		bundles int
	}{
		"no key":               {[][]byte{whole}, bundle.KeyMissing, "ECDSA P-256", 1},
		"another's key":        {[][]byte{whole, keyPEM(t, other)}, bundle.KeyMismatch, "no key here belongs to it", 1},
		"another's key, named": {[][]byte{whole, keyPEM(t, other)}, bundle.KeyMismatch, "belongs to no certificate here", 1},
		"its request is here":  {[][]byte{whole, keyPEM(t, other), request}, bundle.KeyMismatch, "other.example, so its certificate is not here yet", 1},
		"only a key":           {[][]byte{keyPEM(t, other), request}, bundle.NoCertificate, "its certificate is not here yet", 0},
		"only authorities":     {[][]byte{certs.EncodePEM(p.Root.Certificate, p.Issuing.Certificate)}, bundle.NoServerCertificate, "2 certificates of authorities", 0},
		"expired":              {[][]byte{certs.EncodePEM(expired.Chain()...), keyPEM(t, expired)}, bundle.ChainFault, "cert-expired", 1},
		"no intermediate":      {[][]byte{certs.EncodePEM(leaf.Certificate), keyPEM(t, leaf)}, bundle.IncompleteChain, "Test Issuing", 1},
		"a gap":                {[][]byte{certs.EncodePEM(leaf.Certificate, p.Intermediate.Certificate), keyPEM(t, leaf)}, bundle.IncompleteChain, "Test Issuing", 1},
		"private root":         {[][]byte{certs.EncodePEM(private.Certificate, p.OtherIntermediate.Certificate), keyPEM(t, private)}, bundle.ChainFault, "chain-untrusted-root", 1},
		"self-signed":          {[][]byte{certs.EncodePEM(self.Certificate), keyPEM(t, self)}, bundle.ChainFault, "cert-self-signed", 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := build(p, pile(tt.parts...))
			if !hasProblem(r, tt.id, tt.says) || len(r.Bundles) != tt.bundles {
				t.Errorf("%d bundles, problems %v; want %d, %s … %s", len(r.Bundles), r.Problems, tt.bundles, tt.id, tt.says)
			}
		})
	}
}

func TestBuildEndsAtAPrivateRootThatIsInThePile(t *testing.T) {
	p := certstest.New(t)
	leaf := p.Issue(p.OtherIntermediate, certs.Template{Names: []string{"www.example.com"}})
	r := build(p, pile(certs.EncodePEM(p.OtherRoot.Certificate, p.OtherIntermediate.Certificate, leaf.Certificate), keyPEM(t, leaf)))
	if len(r.Bundles) != 1 || len(fatal(r)) > 0 {
		t.Fatalf("%d bundles, %v", len(r.Bundles), r.Problems)
	}
	if b := r.Bundles[0]; !b.Private || !b.Root.Equal(p.OtherRoot.Certificate) || len(b.Chain) != 2 || leftOut(t, r, p.OtherRoot.Certificate) != bundle.Root {
		t.Errorf("private %v, root %v, %d certificates, left out %v", b.Private, b.Root, len(b.Chain), r.LeftOut)
	}
}

func TestBuildFetchesWhatLacks(t *testing.T) {
	p := certstest.New(t)
	const issuingURL, intermediateURL = "http://ca.example/issuing.cer", "http://ca.example/intermediate.p7c"
	issuing := p.Issue(p.Intermediate, certs.Template{CommonName: "Test Issuing", Organization: "Triage Test", CA: true, Signer: p.Issuing.Key, NotBefore: p.Now.AddDate(-1, 0, 0), NotAfter: p.Now.AddDate(3, 0, 0), IssuingCertificateURL: []string{intermediateURL}})
	leaf := p.Issue(issuing, certs.Template{Names: []string{"www.example.com"}, IssuingCertificateURL: []string{issuingURL}})
	inputs := pile(certs.EncodePEM(leaf.Certificate), keyPEM(t, leaf))

	r := build(p, inputs)
	if m := r.Bundles[0].Missing; m == nil || len(m.URLs) != 1 || m.URLs[0] != issuingURL || !hasProblem(r, bundle.IncompleteChain, issuingURL) {
		t.Fatalf("missing %+v, problems %v", m, r.Problems)
	}
	options := bundle.Options{Time: p.Now, Roots: p.Roots(), FetchIntermediate: func(_ context.Context, below *x509.Certificate) ([]*x509.Certificate, error) {
		switch below.IssuingCertificateURL[0] {
		case issuingURL:
			return []*x509.Certificate{issuing.Certificate}, nil
		case intermediateURL:
			return []*x509.Certificate{p.OtherIntermediate.Certificate, p.Intermediate.Certificate}, nil
		}
		return nil, errors.New("no such address")
	}}
	fetched := bundle.Build(context.Background(), bundle.Read(inputs), options)
	if b := complete(t, fetched); len(b.Fetched) != 2 || !strings.Contains(b.Fetched[0], "Test Issuing") {
		t.Errorf("fetched %v", b.Fetched)
	}

	options.FetchIntermediate = func(context.Context, *x509.Certificate) ([]*x509.Certificate, error) {
		return nil, errors.New("connection refused")
	}
	failed := bundle.Build(context.Background(), bundle.Read(inputs), options)
	if !hasProblem(failed, bundle.IncompleteChain, "connection refused") {
		t.Errorf("problems %v", failed.Problems)
	}
	options.FetchIntermediate = func(context.Context, *x509.Certificate) ([]*x509.Certificate, error) {
		return []*x509.Certificate{p.OtherRoot.Certificate}, nil
	}
	wrong := bundle.Build(context.Background(), bundle.Read(inputs), options)
	if !hasProblem(wrong, bundle.IncompleteChain, "holds no certificate of") || len(wrong.Bundles[0].Chain) != 1 {
		t.Errorf("problems %v", wrong.Problems)
	}
}
