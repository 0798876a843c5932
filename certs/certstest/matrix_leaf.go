package certstest

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"strings"

	"github.com/tlstriage/tlstriage/certs"
)

// leafFault is a fault of the leaf alone: made by a template, or by a change of the finished certificate.
type leafFault struct {
	name   string
	faults string
	only   string // the label of the house that can make it; empty: any
	edit   func(*house, *certs.Template)
	forge  func(*TBS)
	hash   crypto.Hash
}

var criticalUnknown = pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}

// mustStaple is the TLS feature extension with status_request (RFC 7633, Section 4.1).
var mustStaple = pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: []byte{0x30, 3, 2, 1, 5}}

func leafFaults() []leafFault {
	template := func(name, faults string, edit func(*house, *certs.Template)) leafFault {
		return leafFault{name: name, faults: faults, edit: edit}
	}
	forged := func(name, faults string, forge func(*TBS)) leafFault {
		return leafFault{name: name, faults: faults, forge: forge}
	}
	list := []leafFault{
		template("healthy", "", func(*house, *certs.Template) {}),
		template("expired", "cert-expired", func(h *house, t *certs.Template) {
			t.NotBefore, t.NotAfter = h.Now.Add(-90*day), h.Now.Add(-3*day)
		}),
		template("not-yet-valid", "cert-not-yet-valid", func(h *house, t *certs.Template) {
			t.NotBefore, t.NotAfter = h.Now.Add(2*day), h.Now.Add(80*day)
		}),
		template("expiring-soon", "cert-expiring-soon?", func(h *house, t *certs.Template) { t.NotAfter = h.Now.Add(5 * day) }),
		template("three-years", "", func(h *house, t *certs.Template) { t.NotAfter = h.Now.Add(1000 * day) }),
		template("client-only", "cert-wrong-usage", func(_ *house, t *certs.Template) { t.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }),
		template("any-usage", "cert-wrong-usage?", func(_ *house, t *certs.Template) { t.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }),
		template("ca-as-leaf", "cert-wrong-usage?", func(_ *house, t *certs.Template) {
			t.CA, t.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
			t.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}),
		template("crl-sign-only", "cert-wrong-usage", func(_ *house, t *certs.Template) { t.KeyUsage = x509.KeyUsageCRLSign }),
		template("critical-extension", "cert-malformed", func(_ *house, t *certs.Template) { t.ExtraExtensions = []pkix.Extension{criticalUnknown} }),
		template("unknown-extension", "", func(_ *house, t *certs.Template) {
			e := criticalUnknown
			e.Critical = false
			t.ExtraExtensions = []pkix.Extension{e}
		}),
		template("must-staple", "", func(_ *house, t *certs.Template) { t.ExtraExtensions = []pkix.Extension{mustStaple} }),
		template("rsa-1024", "cert-weak-key", func(_ *house, t *certs.Template) { t.Signer, t.Key = nil, certs.RSA1024 }),
		template("p-224", "cert-weak-key", func(_ *house, t *certs.Template) { t.Signer, t.Key = nil, certs.ECDSAP224 }),
		template("p-384", "", func(_ *house, t *certs.Template) { t.Signer, t.Key = nil, certs.ECDSAP384 }),
		template("rsa-2048", "", func(_ *house, t *certs.Template) { t.Signer, t.Key = nil, certs.RSA2048 }),
		template("sha1", "cert-weak-signature", func(h *house, t *certs.Template) { t.Signature = sha1With(h.issuing) }),
		template("500-names", "chain-too-large?", func(_ *house, t *certs.Template) {
			for i := range 500 {
				t.Names = append(t.Names, fmt.Sprintf("host-%d.department-of-something.example.com", i))
			}
		}),
		forged("no-usage-stated", "", func(t *TBS) { t.Drop(OIDExtKeyUsage); t.Drop(OIDKeyUsage) }),
		forged("no-basic-constraints", "", func(t *TBS) { t.Drop(OIDBasicConstraints) }),
		forged("no-authority-key-id", "cert-missing-key-identifier?", func(t *TBS) { t.Drop(OIDAuthorityKeyID) }),
		forged("zero-serial", "cert-bad-serial?", func(t *TBS) { t.SerialNumber = new(big.Int) }),
		forged("negative-serial", "cert-bad-serial", func(t *TBS) { t.SerialNumber = big.NewInt(-123456789) }),
		forged("long-serial", "cert-bad-serial?", func(t *TBS) { t.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 200) }),
		forged("version-1", "cert-name-mismatch", func(t *TBS) { t.Version, t.Extensions = 0, nil }),
	}
	enciphers := template("encipherment-only", "cert-wrong-usage", func(_ *house, t *certs.Template) { t.KeyUsage = x509.KeyUsageKeyEncipherment })
	enciphers.only = "EC"
	onlyRSA := enciphers
	onlyRSA.only, onlyRSA.faults = "RSA", "cert-wrong-usage?"
	md5 := forged("md5", "cert-weak-signature", func(*TBS) {})
	md5.only, md5.hash = "RSA", crypto.MD5
	return append(list, enciphers, onlyRSA, md5)
}

// leaf issues one leaf by the fault.
func (h *house) leaf(by *certs.Pair, f leafFault) ([]byte, crypto.Signer) {
	h.tb.Helper()
	t := h.template()
	if f.edit != nil {
		f.edit(h, &t)
	}
	pair := h.Issue(by, t)
	if f.forge == nil {
		return pair.Certificate.Raw, pair.Key
	}
	return h.Forge(by, pair.Certificate, f.hash, f.forge), pair.Key
}

func (h *house) leafCases() []*Case {
	var out []*Case
	for _, f := range leafFaults() {
		if f.only != "" && f.only != h.label {
			continue
		}
		der, key := h.leaf(h.issuing, f)
		c := h.kase("leaf/"+f.name, f.faults, der, h.issuing.Certificate.Raw, h.upper.Certificate.Raw)
		c.Key = key
		out = append(out, c)
	}
	return out
}

// nameCases are about alternative names and what is asked.
func (h *house) nameCases() []*Case {
	type named struct {
		name, faults, asked string
		san                 []asn1.RawValue
		commonName          string
		noSAN               bool
	}
	dns := func(names ...string) (out []asn1.RawValue) {
		for _, n := range names {
			out = append(out, DNS(n))
		}
		return out
	}
	good := DNS(matrixName)
	list := []named{
		{name: "other-name", faults: "cert-name-mismatch", san: dns("other.example.com")},
		{name: "common-name-only", faults: "cert-name-mismatch", commonName: matrixName, noSAN: true},
		{name: "common-name-beside-other-name", faults: "cert-name-mismatch", commonName: matrixName, san: dns("other.example.com")},
		{name: "common-name-beside-address", faults: "cert-name-mismatch", commonName: matrixName, san: []asn1.RawValue{Address([]byte{192, 0, 2, 7})}},
		{name: "no-name", faults: "cert-name-mismatch", commonName: "Server", noSAN: true},
		{name: "upper-case", san: dns("API.Example.COM")},
		{name: "wildcard", san: dns("*.example.com")},
		{name: "wildcard-too-deep", faults: "cert-name-mismatch", asked: "a.b.example.com", san: dns("*.example.com")},
		{name: "wildcard-itself", faults: "cert-name-mismatch", asked: "example.com", san: dns("*.example.com")},
		{name: "wildcard-in-the-middle", faults: "cert-bad-name? cert-name-mismatch", asked: "api.b.example.com", san: dns("api.*.example.com")},
		{name: "wildcard-partial", faults: "cert-bad-name? cert-name-mismatch", san: dns("a*.example.com")},
		{name: "wildcard-partial-end", faults: "cert-bad-name? cert-name-mismatch", san: dns("*i.example.com")},
		{name: "wildcard-suffix", faults: "cert-bad-name", asked: "example.com", san: dns("*.com")},
		{name: "wildcard-alone", faults: "cert-bad-name? cert-name-mismatch", asked: "localhost", san: dns("*")},
		{name: "wildcard-over-country", faults: "cert-bad-name?", asked: "example.co.uk", san: dns("*.co.uk")},
		{name: "wildcard-for-a-label", asked: "xn--bcher-kva.example.com", san: dns("*.example.com")},
		{name: "underscore", faults: "cert-bad-name?", asked: "my_api.example.com", san: dns("my_api.example.com")},
		{name: "trailing-dot", faults: "cert-bad-name? cert-name-mismatch", san: dns(matrixName + ".")},
		{name: "duplicate", faults: "cert-bad-name?", san: dns(matrixName, matrixName)},
		{name: "empty", faults: "cert-bad-name?", san: []asn1.RawValue{DNS(""), good}},
		{name: "with-port", faults: "cert-bad-name? cert-name-mismatch", san: dns(matrixName + ":443")},
		{name: "with-scheme", faults: "cert-bad-name? cert-name-mismatch", san: dns("https://" + matrixName)},
		{name: "with-space", faults: "cert-bad-name? cert-name-mismatch", san: dns(" " + matrixName)},
		{name: "with-nul", faults: "cert-bad-name? cert-name-mismatch", san: dns(matrixName + "\x00.attacker.invalid")},
		{name: "long-label", faults: "cert-bad-name?", san: dns(strings.Repeat("a", 64)+".example.com", matrixName)},
		{name: "a-label", asked: "xn--bcher-kva.example.com", san: dns("xn--bcher-kva.example.com")},
		{name: "bad-a-label", faults: "cert-bad-name?", san: dns("xn--zzzzzzzzzzzzz99999.example.com", matrixName)},
		{name: "u-label", faults: "cert-bad-name?  cert-malformed", san: dns("bücher.example.com", matrixName)},
		{name: "address", asked: "192.0.2.7", san: []asn1.RawValue{Address([]byte{192, 0, 2, 7})}},
		{name: "address-v6", asked: "2001:db8::7", san: []asn1.RawValue{Address([]byte{0x20, 1, 0xd, 0xb8, 15: 7})}},
		{name: "address-other", faults: "cert-name-mismatch", asked: "192.0.2.8", san: []asn1.RawValue{Address([]byte{192, 0, 2, 7})}},
		{name: "address-as-name", faults: "cert-bad-name? cert-name-mismatch", asked: "192.0.2.7", san: dns("192.0.2.7")},
		{name: "address-in-common-name", faults: "cert-name-mismatch", asked: "192.0.2.7", commonName: "192.0.2.7", noSAN: true},
		{name: "name-as-address", faults: "cert-bad-name? cert-malformed", san: []asn1.RawValue{Address([]byte(matrixName)), good}},
		{name: "address-of-mapped-form", faults: "cert-bad-name?", asked: "192.0.2.7", san: []asn1.RawValue{Address([]byte{10: 0xff, 11: 0xff, 12: 192, 13: 0, 14: 2, 15: 7})}},
	}
	var out []*Case
	for _, n := range list {
		t := h.template()
		t.CommonName = n.commonName
		if t.CommonName == "" {
			t.CommonName = "Server"
		}
		der := h.Forge(h.issuing, h.Issue(h.issuing, t).Certificate, 0, func(tbs *TBS) {
			tbs.Drop(OIDSubjectAltName)
			if !n.noSAN {
				tbs.Set(SAN(n.san...))
			}
		})
		c := h.kase("name/"+n.name, n.faults, der, h.issuing.Certificate.Raw, h.upper.Certificate.Raw)
		if n.asked != "" {
			c.Asked = n.asked
		}
		out = append(out, c)
	}
	return out
}

// MustStaple is the TLS feature extension that asks for a staple.
func MustStaple() pkix.Extension { return mustStaple }
