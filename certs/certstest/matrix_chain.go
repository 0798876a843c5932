package certstest

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"

	"github.com/tlstriage/tlstriage/certs"
)

// permitted is a name constraints extension that permits one domain (RFC 5280, Section 4.2.1.10).
func permitted(domain string, critical bool) pkix.Extension {
	type subtree struct {
		Base asn1.RawValue
	}
	value, err := asn1.Marshal(struct {
		Permitted []subtree `asn1:"optional,tag:0"`
	}{[]subtree{{DNS(domain)}}})
	if err != nil {
		panic(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 30}, Critical: critical, Value: value}
}

// excluded forbids one domain.
func excluded(domain string) pkix.Extension {
	e := permitted(domain, true)
	e.Value = slices.Clone(e.Value)
	e.Value[2] = 0xa1
	return e
}

// authorityCases put a faulty authority between upper and a healthy leaf.
func (h *house) authorityCases() []*Case {
	var out []*Case
	type faulty struct {
		name, faults string
		edit         func(*certs.Template)
		forge        func(*TBS)
		below        bool // one more authority below it
	}
	for _, f := range []faulty{
		{name: "fine", edit: func(*certs.Template) {}},
		{name: "expired", faults: "chain-intermediate-expired", edit: func(t *certs.Template) { t.NotBefore, t.NotAfter = h.Now.Add(-400*day), h.Now.Add(-10*day) }},
		{name: "not-yet-valid", faults: "cert-not-yet-valid", edit: func(t *certs.Template) { t.NotBefore = h.Now.Add(10 * day) }},
		{name: "expiring-soon", faults: "cert-expiring-soon?", edit: func(t *certs.Template) { t.NotAfter = h.Now.Add(10 * day) }},
		{name: "sha1", faults: "cert-weak-signature", edit: func(t *certs.Template) { t.Signature = sha1With(h.upper) }},
		{name: "rsa-1024", faults: "cert-weak-key", edit: func(t *certs.Template) { t.Key = certs.RSA1024 }},
		{name: "p-384", edit: func(t *certs.Template) { t.Key = certs.ECDSAP384 }},
		{name: "client-only", faults: "cert-wrong-usage", edit: func(t *certs.Template) { t.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }},
		{name: "server-usage", edit: func(t *certs.Template) { t.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }},
		{name: "no-cert-sign", faults: "cert-wrong-usage", edit: func(t *certs.Template) { t.KeyUsage = x509.KeyUsageCRLSign }},
		{name: "critical-extension", faults: "cert-malformed", edit: func(t *certs.Template) { t.ExtraExtensions = []pkix.Extension{criticalUnknown} }},
		{name: "permitted", edit: func(t *certs.Template) { t.ExtraExtensions = []pkix.Extension{permitted("example.com", true)} }},
		{name: "not-permitted", faults: "cert-wrong-usage", edit: func(t *certs.Template) { t.ExtraExtensions = []pkix.Extension{permitted("example.org", true)} }},
		{name: "not-permitted-uncritical", faults: "cert-wrong-usage", edit: func(t *certs.Template) { t.ExtraExtensions = []pkix.Extension{permitted("example.org", false)} }},
		{name: "excluded", faults: "cert-wrong-usage", edit: func(t *certs.Template) { t.ExtraExtensions = []pkix.Extension{excluded("example.com")} }},
		{name: "excluded-other", edit: func(t *certs.Template) { t.ExtraExtensions = []pkix.Extension{excluded("example.org")} }},
		{name: "path-length", faults: "cert-wrong-usage", edit: func(t *certs.Template) { t.MaxPathLen = -1 }, below: true},
		{name: "path-length-enough", edit: func(t *certs.Template) { t.MaxPathLen = 1 }, below: true},
		{name: "no-ca", faults: "cert-missing-key-identifier? cert-wrong-usage", edit: func(t *certs.Template) { t.CA, t.Usages = false, nil }},
		{name: "no-basic-constraints", faults: "cert-wrong-usage", forge: func(t *TBS) { t.Drop(OIDBasicConstraints) }},
		{name: "uncritical-basic-constraints", forge: func(t *TBS) {
			t.Set(pkix.Extension{Id: OIDBasicConstraints, Value: []byte{0x30, 3, 1, 1, 0xff}})
		}},
		{name: "version-1", faults: "cert-missing-key-identifier? cert-wrong-usage", forge: func(t *TBS) { t.Version, t.Extensions = 0, nil }},
		{name: "no-key-ids", faults: "cert-missing-key-identifier? cert-missing-key-identifier?", forge: func(t *TBS) { t.Drop(OIDSubjectKeyID); t.Drop(OIDAuthorityKeyID) }},
		{name: "no-key-usage", forge: func(t *TBS) { t.Drop(OIDKeyUsage) }},
		{name: "zero-serial", faults: "cert-bad-serial?", forge: func(t *TBS) { t.SerialNumber = new(big.Int) }},
		{name: "other-subject-key-id", faults: "chain-legacy-path?", forge: func(t *TBS) {
			t.Set(pkix.Extension{Id: OIDSubjectKeyID, Value: append([]byte{4, 20}, make([]byte, 20)...)})
		}},
	} {
		t := h.authority("Sub " + f.name)
		if f.edit != nil {
			f.edit(&t)
		}
		ca := h.Issue(h.upper, t)
		by := ca
		if f.forge != nil {
			by = h.ForgePair(h.upper, ca, 0, f.forge)
		}
		if f.name == "other-subject-key-id" { // the leaf still names the key identifier that the key would have
			by = ca
		}
		if f.below {
			by = h.Issue(by, h.authority("Below "+f.name))
		}
		leaf := h.Issue(by, h.template())
		presented := leaf.Chain()
		if f.name == "other-subject-key-id" {
			presented[1] = h.ForgePair(h.upper, ca, 0, f.forge).Certificate
		}
		out = append(out, h.kase("authority/"+f.name, f.faults, raws(presented...)...))
	}
	negative := h.Issue(h.upper, h.authority("Sub negative-serial"))
	der := h.Forge(h.upper, negative.Certificate, 0, func(t *TBS) { t.SerialNumber = big.NewInt(-77) })
	leaf := h.Issue(negative, h.template())
	out = append(out, h.kase("authority/negative-serial", "cert-bad-serial", leaf.Certificate.Raw, der, h.upper.Certificate.Raw))
	md5 := h.Issue(h.upper, h.authority("Sub md5"))
	if h.label == "RSA" {
		by := h.ForgePair(h.upper, md5, crypto.MD5, func(*TBS) {})
		out = append(out, h.kase("authority/md5", "cert-weak-signature", raws(h.Issue(by, h.template()).Chain()...)...))
	}
	return out
}

// shapeCases are the ways in which good certificates are presented.
func (h *house) shapeCases() []*Case {
	leaf := h.Issue(h.issuing, h.template()).Certificate
	issuing, upper, root := h.issuing.Certificate, h.upper.Certificate, h.root.Certificate
	other := h.Issue(h.foreignUpper, h.template())
	selfSigned := h.SelfSign(h.template())
	selfSignedCA := h.template()
	selfSignedCA.CA, selfSignedCA.NotAfter = true, h.Now.Add(90*day)
	ownCA := h.SelfSign(selfSignedCA)
	direct := h.Issue(h.root, h.template()).Certificate
	imitation := h.SelfSign(certs.Template{CommonName: root.Subject.CommonName, Organization: "Matrix", CA: true, Key: h.key})
	imitated := h.Issue(imitation, h.template()).Certificate
	shape := func(name, faults string, list ...*x509.Certificate) *Case {
		return h.kase("shape/"+name, faults, raws(list...)...)
	}
	trusted := func(c *Case, roots ...*x509.Certificate) *Case {
		c.Roots = roots
		return c
	}
	return []*Case{
		shape("missing-both", "chain-missing-intermediate", leaf),
		shape("missing-upper", "chain-missing-intermediate", leaf, issuing),
		shape("missing-issuing", "chain-missing-intermediate chain-unrelated-certificate?", leaf, upper),
		shape("missing-upper-root-sent", "chain-missing-intermediate chain-unrelated-certificate?", leaf, issuing, root),
		shape("swapped", "chain-wrong-order?", leaf, upper, issuing),
		shape("reversed", "chain-wrong-order", upper, issuing, leaf),
		shape("leaf-second", "chain-wrong-order", issuing, leaf, upper),
		shape("root-sent", "chain-root-sent?", leaf, issuing, upper, root),
		shape("root-sent-first", "chain-root-sent? chain-wrong-order?", leaf, root, issuing, upper),
		shape("issuing-twice", "chain-unrelated-certificate?", leaf, issuing, issuing, upper),
		shape("leaf-twice", "chain-unrelated-certificate?", leaf, leaf, issuing, upper),
		shape("unrelated-last", "chain-unrelated-certificate?", leaf, issuing, upper, h.foreignUpper.Certificate),
		shape("unrelated-between", "chain-unrelated-certificate?", leaf, h.foreignUpper.Certificate, issuing, upper),
		shape("unrelated-root", "chain-unrelated-certificate?", leaf, issuing, upper, h.foreign.Certificate),
		shape("other-leaf-along", "chain-unrelated-certificate?", leaf, issuing, upper, other.Certificate),
		shape("direct", "", direct),
		shape("untrusted", "chain-untrusted-root", other.Chain()...),
		shape("untrusted-root-sent", "chain-untrusted-root", append(other.Chain(), h.foreign.Certificate)...),
		shape("self-signed", "cert-self-signed", selfSigned.Certificate),
		shape("self-signed-ca", "cert-self-signed", ownCA.Certificate),
		shape("imitated-root", "chain-untrusted-root", imitated),
		shape("imitated-root-sent", "chain-untrusted-root", imitated, imitation.Certificate),
		trusted(shape("self-signed-trusted", "", selfSigned.Certificate), selfSigned.Certificate),
		trusted(shape("leaf-trusted", "", leaf), leaf),
		trusted(shape("intermediate-trusted", "", leaf, issuing), upper),
		trusted(shape("intermediate-trusted-and-sent", "", leaf, issuing, upper), upper),
	}
}

// crossCases have two roots, a new one and an old, and the new one's key certified by the old.
func (h *house) crossCases() []*Case {
	lapsed := func(name string) *certs.Pair {
		return h.SelfSign(certs.Template{CommonName: h.label + " " + name, Organization: "Matrix", CA: true, Key: h.key, NotBefore: h.Now.AddDate(-9, 0, 0), NotAfter: h.Now.Add(-20 * day)})
	}
	old := lapsed("Old Root")
	leaf := h.Issue(h.issuing, h.template()).Certificate
	issuing, upper, root := h.issuing.Certificate, h.upper.Certificate, h.root.Certificate
	ten := certs.Template{NotBefore: h.Now.AddDate(-5, 0, 0), NotAfter: h.Now.AddDate(1, 0, 0)}
	past := certs.Template{NotBefore: h.Now.AddDate(-5, 0, 0), NotAfter: h.Now.Add(-20 * day)}
	byOld, byOldPast := h.CrossSign(old, h.root, ten), h.CrossSign(old, h.root, past)
	byForeign, byForeignPast := h.CrossSign(h.foreign, h.root, ten), h.CrossSign(h.foreign, h.root, past)
	upperByForeign, upperPast := h.CrossSign(h.foreign, h.upper, ten), h.CrossSign(h.foreign, h.upper, past)
	cross := func(name, faults string, roots []*x509.Certificate, list ...*x509.Certificate) *Case {
		c := h.kase("cross/"+name, faults, raws(list...)...)
		c.Roots = roots
		return c
	}
	both := []*x509.Certificate{root, h.foreign.Certificate}
	withOld := []*x509.Certificate{root, old.Certificate}
	alone := []*x509.Certificate{root}
	return []*Case{
		cross("both-trusted", "", both, leaf, issuing, upper, byForeign),
		cross("new-trusted", "chain-legacy-path?", alone, leaf, issuing, upper, byForeign),
		cross("old-trusted", "", []*x509.Certificate{h.foreign.Certificate}, leaf, issuing, upper, byForeign),
		cross("old-trusted-not-sent", "chain-untrusted-root", []*x509.Certificate{h.foreign.Certificate}, leaf, issuing, upper),
		cross("root-expired-in-store", "chain-legacy-path?", withOld, leaf, issuing, upper, byOld), // as DST Root CA X3
		cross("root-expired-gone", "chain-legacy-path?", alone, leaf, issuing, upper, byOld),
		cross("root-expired-only", "chain-intermediate-expired", []*x509.Certificate{old.Certificate}, leaf, issuing, upper, byOld),
		cross("cross-expired", "chain-intermediate-expired? chain-legacy-path?", both, leaf, issuing, upper, byForeignPast), // as AddTrust
		cross("cross-and-root-expired", "chain-intermediate-expired? chain-legacy-path?", withOld, leaf, issuing, upper, byOldPast),
		cross("cross-expired-only", "chain-intermediate-expired", []*x509.Certificate{h.foreign.Certificate}, leaf, issuing, upper, byForeignPast),
		cross("two-intermediates", "", both, leaf, issuing, upper, upperByForeign),
		cross("two-intermediates-swapped", "", both, leaf, issuing, upperByForeign, upper),
		cross("expired-intermediate-last", "chain-intermediate-expired?", both, leaf, issuing, upper, upperPast),
		cross("expired-intermediate-first", "chain-intermediate-expired? chain-legacy-path?", both, leaf, issuing, upperPast, upper),
		cross("foreign-intermediate-first", "chain-legacy-path?", alone, leaf, issuing, upperByForeign, upper),
	}
}

// combinedCases are faults of the leaf in chains of every shape.
func (h *house) combinedCases() []*Case {
	type shape struct {
		name, faults string
		above        func(by *certs.Pair) []*x509.Certificate
	}
	issuing, upper, root := h.issuing.Certificate, h.upper.Certificate, h.root.Certificate
	shapes := []shape{
		{name: "missing", faults: "chain-missing-intermediate", above: func(*certs.Pair) []*x509.Certificate { return nil }},
		{name: "swapped", faults: "chain-wrong-order?", above: func(*certs.Pair) []*x509.Certificate { return []*x509.Certificate{upper, issuing} }},
		{name: "root-sent", faults: "chain-root-sent?", above: func(*certs.Pair) []*x509.Certificate { return []*x509.Certificate{issuing, upper, root} }},
		{name: "unrelated", faults: "chain-unrelated-certificate?", above: func(*certs.Pair) []*x509.Certificate {
			return []*x509.Certificate{h.foreign.Certificate, issuing, upper}
		}},
		{name: "twice", faults: "chain-unrelated-certificate?", above: func(*certs.Pair) []*x509.Certificate { return []*x509.Certificate{issuing, upper, issuing} }},
		{name: "untrusted", faults: "chain-untrusted-root", above: func(*certs.Pair) []*x509.Certificate { return []*x509.Certificate{h.foreignUpper.Certificate} }},
	}
	var out []*Case
	for _, f := range leafFaults() {
		switch f.name {
		case "expired", "not-yet-valid", "client-only", "rsa-1024", "p-224", "no-authority-key-id", "zero-serial", "negative-serial", "version-1", "critical-extension":
		default:
			continue
		}
		for _, s := range shapes {
			by := h.issuing
			if s.name == "untrusted" {
				by = h.foreignUpper
			}
			der, key := h.leaf(by, f)
			c := h.kase("combined/"+f.name+"-"+s.name, f.faults+" "+s.faults, append([][]byte{der}, raws(s.above(by)...)...)...)
			c.Key = key
			out = append(out, c)
		}
	}
	return out
}
