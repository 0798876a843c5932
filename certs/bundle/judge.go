package bundle

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"strings"

	"github.com/tlstriage/tlstriage/certs/chain"
)

// judgeKeys says which keys lack and which belong to nothing.
func (b *builder) judgeKeys() {
	for _, out := range b.result.Bundles {
		if out.Key != nil {
			continue
		}
		leaf := fmt.Sprintf("the certificate of %s (%s)", chain.Subject(out.Leaf.Certificate), keyText(out.Leaf.PublicKey))
		if len(b.keys) == 0 {
			b.problem(KeyMissing, out.Name, true, "%s has no private key here%s", leaf, b.lockedKeys())
			continue
		}
		b.problem(KeyMismatch, out.Name, true, "%s: no key here belongs to it", leaf)
	}
	for _, k := range b.keys {
		if b.belongs(k) {
			continue
		}
		b.problem(KeyMismatch, "", false, "the private key in %s (%s) belongs to no certificate here%s", k.Source, keyText(k.Signer.Public()), b.requested(k))
	}
}

// belongs says whether a key is that of any certificate of the pile, in a bundle or not.
func (b *builder) belongs(k Key) bool {
	for _, c := range b.unique {
		if matches(k.Signer, c.PublicKey) {
			return true
		}
	}
	return false
}

// requested tells for which names a key was made, when its signing request is in the pile.
func (b *builder) requested(k Key) string {
	for _, req := range b.pile.Requests {
		if matches(k.Signer, req.PublicKey) {
			names := strings.Join(req.DNSNames[:min(len(req.DNSNames), 5)], ", ")
			if names == "" {
				names = req.Subject.CommonName
			}
			return fmt.Sprintf("; the signing request in %s was made with it for %s, so its certificate is not here yet", req.Source, clip(names))
		}
	}
	return ""
}

// lockedKeys tells of keys that could not be opened.
func (b *builder) lockedKeys() string {
	for _, n := range b.pile.Notes {
		if n.Kind == Locked {
			return "; " + n.Source.String() + ": " + n.Detail
		}
	}
	return ""
}

// keysWithoutCertificate is what to add where there is no certificate.
func (b *builder) keysWithoutCertificate() string {
	if len(b.keys) == 0 {
		return b.lockedKeys()
	}
	text := fmt.Sprintf(", only %d private key(s)", len(b.keys))
	for _, k := range b.keys[:min(len(b.keys), 3)] {
		text += b.requested(k)
	}
	return text
}

// judgeChains says what lacks in the chains, and what clients will refuse in them all the same.
func (b *builder) judgeChains() {
	for _, out := range b.result.Bundles {
		if m := out.Missing; m != nil {
			where := "; it does not say where its issuer can be fetched"
			if len(m.URLs) > 0 {
				where = "; fetch it from " + clip(m.URLs[0]) + " and add it to the pile"
			}
			if m.Err != nil {
				where = fmt.Sprintf("; fetching it failed: %v", m.Err)
			}
			absent := "which is not here"
			switch m.Reason {
			case chain.ReasonAnotherKey:
				absent = "and what is here under that name has another key: it did not sign this"
			case chain.ReasonUnknownIssuer:
				absent = "which is neither here nor a trusted root; a private root goes to --ca, and lacks nowhere"
			}
			b.problem(IncompleteChain, out.Name, true, "%s was issued by %s, %s%s", clip(m.Below), clip(m.Subject), absent, where)
		}
		for _, f := range out.Report.Faults {
			switch {
			case f.ID == chain.MissingIntermediate:
			case f.ID == chain.UntrustedRoot && out.Missing != nil:
			case f.ID == chain.NameMismatch && b.hasProblem(NameNotCovered):
			default:
				b.problem(ChainFault, out.Name, f.Fatal, "%s: %s", f.ID, f.Detail)
			}
		}
	}
}

func (b *builder) hasProblem(id ProblemID) bool {
	for _, p := range b.result.Problems {
		if p.ID == id {
			return true
		}
	}
	return false
}

// sayLeftOut gives each certificate that is in no chain its reason.
func (b *builder) sayLeftOut() {
	told := map[*x509.Certificate]bool{}
	for _, l := range b.result.LeftOut {
		told[l.Certificate.Certificate] = true
	}
	for _, c := range b.unique {
		if told[c.Certificate] || b.used[sha256.Sum256(c.Raw)] {
			continue
		}
		if out, twin := b.twin(c.Certificate); twin != nil && !selfSigned(c.Certificate) {
			b.leaveOutTwin(c, out, twin)
			continue
		}
		if selfSigned(c.Certificate) {
			b.leaveOutRoot(c)
			continue
		}
		b.leaveOut(c, Unrelated, "%s has no part in %s", chain.Subject(c.Certificate), b.chains())
	}
}

func (b *builder) chains() string {
	if len(b.result.Bundles) == 1 {
		return "the chain of " + chain.Subject(b.result.Bundles[0].Leaf.Certificate)
	}
	return "any chain here"
}

// twin is the certificate of a chain, or its root, that is for the same authority and key as c.
func (b *builder) twin(c *x509.Certificate) (*Bundle, *x509.Certificate) {
	same := func(k *x509.Certificate) bool {
		return k != nil && bytes.Equal(k.RawSubject, c.RawSubject) && bytes.Equal(k.RawSubjectPublicKeyInfo, c.RawSubjectPublicKeyInfo)
	}
	for _, out := range b.result.Bundles {
		for _, k := range append(out.Chain[1:len(out.Chain):len(out.Chain)], out.Root) {
			if same(k) {
				return out, k
			}
		}
	}
	return nil, nil
}

func (b *builder) leaveOutTwin(c Certificate, out *Bundle, twin *x509.Certificate) {
	name := chain.Subject(c.Certificate)
	switch expired := !validAt(c.Certificate, b.o.Time); {
	case bytes.Equal(twin.RawIssuer, c.RawIssuer):
		b.leaveOut(c, Superseded, "%s is here twice, valid until %s and until %s; the latter is in the chain", name, day(c.NotAfter), day(twin.NotAfter))
	case expired:
		b.leaveOut(c, ExpiredCross, "%s, cross-signed by %s, expired on %s; the chain does without it, and clients that follow it fail", name, clip(c.Issuer.String()), day(c.NotAfter))
	default:
		b.leaveOut(c, OtherPath, "%s, cross-signed by %s: another path to a root, which the chain of %s does not need; only clients that lack %s would", name, clip(c.Issuer.String()), chain.Subject(out.Leaf.Certificate), clip(twin.Issuer.String()))
	}
}

func (b *builder) leaveOutRoot(c Certificate) {
	for _, out := range b.result.Bundles {
		top := out.Chain[len(out.Chain)-1]
		if !bytes.Equal(top.RawIssuer, c.RawSubject) {
			continue
		}
		if out.Private {
			b.leaveOut(c, Root, "%s is the root of this chain and not publicly trusted: clients have to be given it, sending it (%d bytes each time) changes nothing", chain.Subject(c.Certificate), len(c.Raw))
		} else {
			b.leaveOut(c, Root, "%s is the root of this chain: clients have it themselves, sending it costs %d bytes each time", chain.Subject(c.Certificate), len(c.Raw))
		}
		return
	}
	b.leaveOut(c, Unrelated, "%s is a root, of none of the chains here", chain.Subject(c.Certificate))
}
