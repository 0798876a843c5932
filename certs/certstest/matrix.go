package certstest

import (
	"crypto"
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"github.com/tlstriage/tlstriage/certs"
)

// Case is one chain of the matrix, with the faults that it has.
type Case struct {
	Name      string
	Asked     string              // the name a client asks for
	Presented [][]byte            // leaf first; not all of it parses
	Key       crypto.Signer       // of the leaf
	Roots     []*x509.Certificate // trusted
	Faults    []string            // ids of package chain, sorted; with a "?" behind those that not every client minds
}

// Pool is Roots as crypto/x509 takes them.
func (c *Case) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, r := range c.Roots {
		pool.AddCert(r)
	}
	return pool
}

// matrixName is the name that clients of the matrix ask for, where a case is not about names.
const matrixName = "api.example.com"

const day = 24 * time.Hour

// house is a hierarchy with keys of one kind: a root, two authorities in a row, and a root that nobody trusts.
type house struct {
	*PKI
	label                 string
	key                   certs.KeyKind
	root, upper, issuing  *certs.Pair
	foreign, foreignUpper *certs.Pair
	signer                crypto.Signer // of all healthy leaves: keys are dear
}

func newHouse(p *PKI, label string, key certs.KeyKind) *house {
	h := &house{PKI: p, label: label, key: key}
	ca := func(name string) certs.Template {
		return certs.Template{CommonName: label + " " + name, Organization: "Matrix", CA: true, Key: key, NotBefore: p.Now.AddDate(-2, 0, 0), NotAfter: p.Now.AddDate(8, 0, 0)}
	}
	h.root = p.SelfSign(ca("Root"))
	h.upper = p.Issue(h.root, ca("Intermediate"))
	h.issuing = p.Issue(h.upper, ca("Issuing"))
	far := ca("Foreign Root")
	far.Organization = "Elsewhere"
	h.foreign = p.SelfSign(far)
	far.CommonName = label + " Foreign Intermediate"
	h.foreignUpper = p.Issue(h.foreign, far)
	signer, err := certs.NewKey(key)
	if err != nil {
		p.tb.Fatal(err)
	}
	h.signer = signer
	return h
}

// template is a good server certificate's.
func (h *house) template() certs.Template {
	return certs.Template{Names: []string{matrixName}, Signer: h.signer}
}

// authority is a template for one more authority below upper.
func (h *house) authority(name string) certs.Template {
	return certs.Template{CommonName: h.label + " " + name, Organization: "Matrix", CA: true, Key: h.key, NotAfter: h.Now.AddDate(3, 0, 0)}
}

// kase makes a case of DER certificates.
func (h *house) kase(name, faults string, presented ...[]byte) *Case {
	want := strings.Fields(faults)
	slices.Sort(want)
	return &Case{Name: h.label + "/" + name, Asked: matrixName, Presented: presented, Key: h.signer, Roots: []*x509.Certificate{h.root.Certificate}, Faults: want}
}

func raws(list ...*x509.Certificate) [][]byte {
	var out [][]byte
	for _, c := range list {
		out = append(out, c.Raw)
	}
	return out
}

// Matrix makes the chains of every fault, with keys of every kind, in every order: some 250. Only chains that can be asked
// about by other programs are among them, so all are meant for the present.
func (p *PKI) Matrix() []*Case {
	p.tb.Helper()
	var all []*Case
	for _, h := range []*house{newHouse(p, "EC", certs.ECDSAP256), newHouse(p, "RSA", certs.RSA2048)} {
		all = append(all, h.leafCases()...)
		all = append(all, h.nameCases()...)
		all = append(all, h.authorityCases()...)
		all = append(all, h.shapeCases()...)
		all = append(all, h.crossCases()...)
		all = append(all, h.combinedCases()...)
	}
	return all
}
