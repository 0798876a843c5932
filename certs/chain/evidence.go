package chain

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
	"strings"
	"unicode"
)

// issuerIsIntermediate decides whether the issuer of top, of which nothing but the name is known, is an intermediate that should have
// been sent or a root that is not trusted, and says on what ground.
//
// The two cannot be told apart for certain: a server need not send its root, so a chain that lacks an intermediate looks
// like one that is complete up to an untrusted root. What there is to go by, the strongest first:
//
//  1. A certificate of the issuer's name was sent, with another key, and is no root: nor is the issuer.
//  2. A trusted root has exactly this name, but another key: a root was replaced or imitated.
//  3. The authority key identifier names the issuer's own issuer: itself for a root, another for an intermediate.
//  4. The name says it: "Intermediate", "Issuing", "Subordinate", or else "Root".
//  5. The issuer belongs to the organisation of a trusted root (or, against a small set of roots of the operator's own, shares
//     a telling word with one): an intermediate below it.
//  6. The leaf came alone and says where its issuer's certificate can be fetched (authority information access), as public
//     authorities do for their intermediates. On an intermediate the same field points at the root, and says nothing.
//  7. Otherwise nothing tells, and sure is false. A leaf that came alone has most likely lost its intermediate: few roots issue for
//     servers themselves. Above an intermediate a root is likelier, of a private authority that those who look do not trust.
func (e *examination) issuerIsIntermediate(top *cert) (missing, sure bool, why string) {
	roots := e.roots()
	if k := e.impostor(top); k != nil && !bytes.Equal(k.RawSubject, k.RawIssuer) {
		return true, true, "a certificate of this name was sent, and it is an intermediate"
	}
	if roots.named(top.RawIssuer) {
		return false, true, "a trusted root of this name exists, but its key did not sign this certificate"
	}
	if name := issuersIssuer(top.Certificate); name != nil {
		if bytes.Equal(name, top.RawIssuer) {
			return false, true, "its authority key identifier says that the issuer is self-signed"
		}
		return true, true, "its authority key identifier says that the issuer is itself issued by another authority"
	}
	words := nameWords(top.Issuer)
	if slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains([]string{"intermediate", "issuing", "subordinate", "sub", "subca", "ica"}, w)
	}) {
		return true, true, "the issuer's name says that it is an intermediate"
	}
	if slices.Contains(words, "root") {
		return false, true, "the issuer's name says that it is a root"
	}
	if e.related(top.Issuer, words, roots) {
		return true, true, "it belongs with one of the trusted roots"
	}
	if top == e.leaf && len(top.IssuingCertificateURL) > 0 {
		return true, true, "the certificate says where it can be fetched: " + clip(top.IssuingCertificateURL[0])
	}
	if top == e.leaf {
		return true, false, "the certificate was sent alone"
	}
	return false, false, "an intermediate was sent, so that a root is the likelier"
}

// fewRoots is the largest set of roots that is taken for one of the operator's own making.
const fewRoots = 32

// related says whether the issuer named seems to be of the house of a trusted root, or of a CA that was sent along.
func (e *examination) related(issuer pkix.Name, words []string, roots rootPool) bool {
	var names []pkix.Name
	subjects := roots.subjects()
	for _, raw := range subjects {
		names = append(names, parseName(raw))
	}
	for _, c := range e.certs {
		if c.IsCA && !c.inPath {
			names = append(names, c.Subject)
		}
	}
	for _, n := range names {
		for _, o := range n.Organization {
			if o != "" && slices.Contains(issuer.Organization, o) {
				return true
			}
		}
		if len(subjects) > fewRoots {
			continue
		}
		if slices.ContainsFunc(nameWords(n), func(w string) bool { return telling(w) && slices.Contains(words, w) }) {
			return true
		}
	}
	return false
}

// nameWords are the words of a name, in lower case: common name, organisation, unit and domain components.
func nameWords(n pkix.Name) []string {
	text := append([]string{n.CommonName}, n.Organization...)
	text = append(text, n.OrganizationalUnit...)
	for _, a := range n.Names {
		if v, ok := a.Value.(string); ok && a.Type.String() == "0.9.2342.19200300.100.1.25" { // domainComponent
			text = append(text, v)
		}
	}
	return strings.FieldsFunc(strings.ToLower(clip(strings.Join(text, " "))), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// telling says whether a shared word means anything: what every authority calls itself does not.
func telling(word string) bool {
	switch word {
	case "root", "certificate", "certificates", "certification", "authority", "server", "services", "service", "trust", "trusted", "the", "and", "inc", "ltd",
		"llc", "gmbh", "com", "net", "org", "local", "global", "secure", "security", "tls", "ssl", "ecc", "ecdsa", "rsa", "class", "public", "private", "internal":
		return false
	}
	return len(word) >= 3
}

// rootPool is the set of trusted roots, of which a pool tells nothing but the names.
type rootPool struct{ *x509.CertPool }

func (e *examination) roots() rootPool { return rootPool{e.o.Roots} }

// subjects are the raw names of the roots.
func (p rootPool) subjects() [][]byte {
	if p.CertPool == nil {
		system, err := x509.SystemCertPool()
		if err != nil {
			return nil
		}
		p.CertPool = system
	}
	//lint:ignore SA1019 where the platform keeps its roots to itself the names are evidence that is not to be had; nothing is trusted by them
	return p.CertPool.Subjects()
}

// named says whether a trusted root has the raw name.
func (p rootPool) named(raw []byte) bool {
	return slices.ContainsFunc(p.subjects(), func(s []byte) bool { return bytes.Equal(s, raw) })
}
