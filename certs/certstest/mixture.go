package certstest

import (
	"crypto/x509"
	"fmt"
	"math/rand/v2"

	"github.com/tlstriage/tlstriage/certs"
)

// Mixtures makes n chains put together at random from good and bad parts, below roots chosen at random. What is wrong with them
// nobody has written down: Faults is nil.
func (p *PKI) Mixtures(n int, seed uint64) []*Case {
	p.tb.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	h := newHouse(p, "Mixed", certs.ECDSAP256)
	old := h.SelfSign(certs.Template{CommonName: "Mixed Old Root", Organization: "Matrix", CA: true, NotBefore: p.Now.AddDate(-9, 0, 0), NotAfter: p.Now.Add(-20 * day)})
	valid := certs.Template{NotBefore: p.Now.AddDate(-5, 0, 0), NotAfter: p.Now.AddDate(1, 0, 0)}
	past := certs.Template{NotBefore: p.Now.AddDate(-5, 0, 0), NotAfter: p.Now.Add(-20 * day)}
	with := func(name string, edit func(*certs.Template)) *certs.Pair {
		t := h.authority(name)
		edit(&t)
		return h.Issue(h.upper, t)
	}
	issuers := []*certs.Pair{h.issuing, h.issuing, h.issuing, h.upper, h.root, h.foreignUpper,
		with("Lapsed", func(t *certs.Template) { t.NotBefore, t.NotAfter = p.Now.Add(-99*day), p.Now.Add(-day) }),
		with("SHA-1", func(t *certs.Template) { t.Signature = x509.ECDSAWithSHA1 }),
		with("Client CA", func(t *certs.Template) { t.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }),
		with("Short", func(t *certs.Template) { t.MaxPathLen = -1 }),
	}
	above := []*x509.Certificate{h.issuing.Certificate, h.upper.Certificate, h.issuing.Certificate, h.upper.Certificate, h.root.Certificate, h.foreign.Certificate, h.foreignUpper.Certificate, old.Certificate,
		h.CrossSign(old, h.root, valid), h.CrossSign(old, h.root, past), h.CrossSign(h.foreign, h.root, valid), h.CrossSign(h.foreign, h.root, past),
		h.CrossSign(h.foreign, h.upper, valid), h.CrossSign(h.foreign, h.upper, past), h.CrossSign(h.root, h.upper, past), h.CrossSign(h.upper, h.issuing, past), h.CrossSign(h.root, h.issuing, valid)}
	for _, i := range issuers {
		above = append(above, i.Certificate)
	}
	roots := []*x509.Certificate{h.root.Certificate, h.root.Certificate, h.foreign.Certificate, old.Certificate, h.upper.Certificate}
	faults := leafFaults()
	var out []*Case
	for i := range n {
		by := issuers[rng.IntN(len(issuers))]
		f := faults[0]
		if rng.IntN(3) == 0 {
			if f = faults[rng.IntN(len(faults))]; f.only == "RSA" || f.name == "rsa-2048" {
				f = faults[0]
			}
		}
		der, key := h.leaf(by, f)
		var sent []*x509.Certificate
		if rng.IntN(4) > 0 { // what belongs there, most of the time
			sent = append(sent, by.Certificate)
			for _, c := range by.Issuers {
				if rng.IntN(3) > 0 {
					sent = append(sent, c)
				}
			}
		}
		for range rng.IntN(5) {
			sent = append(sent, above[rng.IntN(len(above))])
		}
		if rng.IntN(2) == 0 {
			rng.Shuffle(len(sent), func(i, j int) { sent[i], sent[j] = sent[j], sent[i] })
		}
		c := h.kase(fmt.Sprintf("mixture/%d-%d-%s", seed, i, f.name), "", append([][]byte{der}, raws(sent...)...)...)
		c.Key, c.Faults, c.Roots = key, nil, nil
		for range 1 + rng.IntN(3) {
			root := roots[rng.IntN(len(roots))]
			if root == h.upper.Certificate && by.Certificate.SignatureAlgorithm == x509.ECDSAWithSHA1 {
				root = h.root.Certificate // of what signed with SHA-1 a pool tells no more than the name
			}
			c.Roots = append(c.Roots, root)
		}
		out = append(out, c)
	}
	return out
}
