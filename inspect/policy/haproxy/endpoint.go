package haproxy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/release"
	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
)

// choice are the certificates between which a client's hello decides: HAProxy takes the ECDSA one where the client can use it, else
// the RSA one, and only then negotiates, with the SSL_CTX of that certificate.
type choice struct {
	ecdsa, rsa, other *certificate
}

func (c *choice) take(cert *certificate) {
	var at **certificate
	switch cert.kind() {
	case policy.CertECDSAP256, policy.CertECDSAP384, policy.CertECDSAP521:
		at = &c.ecdsa
	case policy.CertRSA:
		at = &c.rsa
	default:
		at = &c.other
	}
	if *at == nil {
		*at = cert
	}
}

func (c choice) empty() bool { return c == choice{} }

func (c choice) all() (certs []*certificate) {
	for _, cert := range []*certificate{c.ecdsa, c.rsa, c.other} {
		if cert != nil {
			certs = append(certs, cert)
		}
	}
	return certs
}

// lookup finds the certificates for a name, or with name "*.x" for one that only the wildcard knows. Exact names and wildcards are
// looked at together: an ECDSA wildcard goes before an exact name with RSA.
func (b *bind) lookup(name string) choice {
	var c choice
	patterns := []string{name}
	if _, domain, ok := strings.Cut(name, "."); ok && !strings.HasPrefix(name, "*.") {
		patterns = append(patterns, "*."+domain)
	}
	for _, pattern := range patterns {
		for _, cert := range b.byName[pattern] {
			if pattern == name || !slices.Contains(cert.negated, name) {
				c.take(cert)
			}
		}
	}
	return c
}

// fallback is the choice where no name matches: the first certificate, and since 3.0 one of several: beside the first there are those of
// default-crt and of the filter "*" in a crt-list.
func (im *importer) fallback(b *bind) choice {
	var c choice
	for i, cert := range b.certs {
		if i == 0 || cert.isDefault && im.version.since("3.0") {
			c.take(cert)
		}
	}
	return c
}

// bindEndpoints makes one endpoint for names that no certificate has, and one for each group of names that have the same ones.
func (im *importer) bindEndpoints(s *section, b *bind) {
	fallback := im.fallback(b)
	b.byName = map[string][]*certificate{}
	for _, cert := range b.certs {
		for _, name := range cert.names {
			b.byName[name] = append(b.byName[name], cert)
		}
	}
	var order []choice
	names, seen := map[choice][]string{}, map[string]bool{}
	for _, cert := range b.certs {
		for _, name := range slices.Concat(cert.names, cert.negated) {
			if seen[name] {
				continue
			}
			seen[name] = true
			c := b.lookup(name)
			if c.empty() { // the fallback answers, or nobody
				continue
			}
			if names[c] == nil {
				order = append(order, c)
			}
			names[c] = append(names[c], name)
		}
	}
	if b.strictSNI == nil && !im.Full(b.at.file) {
		im.Add(b.at.file, im.bindEndpoint(s, b, fallback, nil))
	}
	for _, c := range order {
		if (b.strictSNI != nil || c != fallback || im.fallbackDiffers(c)) && !im.Full(b.at.file) {
			im.Add(b.at.file, im.bindEndpoint(s, b, c, names[c]))
		}
	}
	if b.strictSNI == nil || len(order) > 0 {
		return
	}
	unread := slices.ContainsFunc(b.certs, func(c *certificate) bool { return c.leaf == nil && len(c.negated) == 0 })
	if !unread || im.Full(b.at.file) {
		im.problem(b.strictSNI.at, "strict-sni: no certificate has a name that is known here")
		return
	}
	im.problem(b.strictSNI.at, "strict-sni: the names of the certificates are not known here; they are taken to be all that clients ask for")
	im.Add(b.at.file, im.bindEndpoint(s, b, fallback, nil))
}

// bindVersions reports whether a client whose name no certificate has gets the versions of the bind line, and not those of the line in
// a crt-list whose certificate it gets: up to 2.9 HAProxy sets the latter only where it has found a name.
func (im *importer) bindVersions() bool { return !im.version.since("3.0") }

// fallbackDiffers reports whether the names of the fallback's certificates are answered otherwise than those of none.
func (im *importer) fallbackDiffers(c choice) bool {
	own := c.all()[0].own
	return im.bindVersions() && (own.min != nil || own.max != nil || own.off != nil)
}

// bindEndpoint is what answers the names; nil: all that no other endpoint has.
func (im *importer) bindEndpoint(s *section, b *bind, c choice, names []string) *imported.Endpoint {
	e := &imported.Endpoint{System: Kind, Version: string(im.version), Side: imported.Server, Name: s.name, Listen: b.listen, Default: names == nil}
	switch {
	case b.name != "":
		e.Name += "/" + b.name
	case len(b.listen) > 0:
		e.Name += "/" + strings.Join(b.listen, ",")
	}
	all := c.all()
	e.Spans = []imported.Span{b.at.span()}
	for _, cert := range all {
		e.Spans = append(e.Spans, cert.at.span()) // of its line in a crt-list
	}
	own := b.own
	if len(all) > 0 {
		own = all[0].own.or(b.own)
		for _, other := range all[1:] {
			if fmt.Sprint(other.own.or(b.own)) != fmt.Sprint(own) {
				im.problem(other.at, "crt %s has other settings than %s, which is served for the same names; the policy has those of the latter", other.file, all[0].file)
			}
		}
	}
	if names == nil && im.bindVersions() {
		own.min, own.max, own.off = b.own.min, b.own.max, b.own.off
	}
	x := im.context(b.global)
	own.apply(&x)
	lowest := im.version.minVersion()
	x.Versions = own.versions(im, lowest.value)
	if len(x.Versions) == 0 {
		im.refuse(b.at, "every version is off; HAProxy refuses it")
	}
	x.ServerPreference, x.PrioritizeChaCha = own.preferClient == nil, true
	e.Facts = own.facts()
	if own.min == nil {
		e.Facts = append(e.Facts, standard("ssl-min-ver", word(lowest.value), lowest.source))
	}
	im.groups(e, &x, b, own)
	im.keys(e, &x, b, all)
	p, notes, errs := im.made.Policy(&x)
	im.refusals(x, errs, func(err error) line { return own.about(err, b.at) })
	for _, note := range notes {
		e.Facts = append(e.Facts, standard("security level", note, "OpenSSL, SSL_CTX_set_security_level(3)"))
	}
	p.Name, p.Provider, p.Product, p.Names = e.Name, Kind, "bind", names
	p.CertificateFirst, p.CertificateBy12 = true, release.HAProxyCertificateBy12(string(im.version))
	if b.strictSNI != nil {
		p.SNIRequired = true
		e.Facts = append(e.Facts, b.strictSNI.fact())
	}
	im.alpn(e, s, own)
	e.Policy = p
	p.ALPN = protocols(own.alpn)
	if own.alpn == nil {
		if d := im.version.alpn(s.http); d.value != "" {
			p.ALPN = strings.Split(d.value, ",")
		}
	}
	return e
}

func (im *importer) context(g global) openssl.Context {
	x := openssl.Context{Options: openssl.Options{Version: im.openssl}, ClientAuth: policy.ClientAuthNone}
	if g.securityLevel != nil {
		level, _ := strconv.Atoi(g.securityLevel.text)
		x.Options.SecurityLevel = &level
	}
	return x
}

func standard(name, text, source string) imported.Fact {
	return imported.Fact{Setting: name, Value: text, Default: true, Source: source}
}

func word(v fmt.Stringer) string {
	if text := v.String(); text != "0x0000" {
		return text
	}
	return "none"
}

// groups are those of the bind line, whatever a crt-list says: OpenSSL copies them into a connection before HAProxy has chosen a
// certificate.
func (im *importer) groups(e *imported.Endpoint, x *openssl.Context, b *bind, own settings) {
	v := b.own.groups()
	if v != nil {
		x.Groups = v.text
	} else {
		e.Facts = append(e.Facts, standard("curves", "those of OpenSSL", manual+", curves"))
	}
	if have := own.groups(); have != v {
		e.Facts = slices.DeleteFunc(e.Facts, func(f imported.Fact) bool { return have != nil && f == have.fact() })
		im.problem(have.at, "%s %s has no effect in a crt-list: OpenSSL takes the groups of the bind line", have.name, have.text)
	}
}

// filterFact is the setting under which an endpoint keeps the names that a wildcard of its leaves out.
const filterFact = "crt-list filter"

// keys tells a context of the certificates and the Diffie-Hellman parameters.
func (im *importer) keys(e *imported.Endpoint, x *openssl.Context, b *bind, all []*certificate) {
	unknown := false
	smallest := 0
	for _, cert := range all {
		text := "not known"
		if unknown = unknown || cert.leaf == nil; cert.leaf != nil {
			x.Certificates = append(x.Certificates, openssl.Certificate{Type: cert.leaf.Type, Bits: cert.leaf.Bits})
			text = string(cert.leaf.Type)
			smallest = cert.leaf.Bits
			if c := x.Certificates[len(x.Certificates)-1]; !loads(c, x.Options) {
				level := firstLevel(x.Options)
				im.refuse(cert.at, "the RSA key of %d bits is too small for security level %d, which asks for %d; HAProxy refuses it", c.Bits, level, openssl.MinRSABits(level))
			}
		}
		e.Facts = append(e.Facts, cert.at.fact("crt", cert.file+" ("+text+")"))
		for _, name := range cert.negated {
			e.Facts = append(e.Facts, cert.at.fact(filterFact, "!"+name))
			im.problem(cert.at, "filter !%s: a policy cannot say which names it does not serve", name)
		}
	}
	if unknown {
		x.Certificates = nil
	}
	own := 0
	for _, cert := range all {
		own = max(own, cert.dhBits)
	}
	d := im.version.dhBits()
	switch g := b.global; {
	case own > 0:
		x.DHBits = own
	case g.dhFile != nil:
		x.DHBits = g.dhBits
		e.Facts = append(e.Facts, g.dhFile.fact())
	case g.defaultDH != nil:
		x.DHBits = g.defaultDHValue
		if smallest > 0 {
			x.DHBits = min(x.DHBits, smallest)
		}
		e.Facts = append(e.Facts, g.defaultDH.fact())
	default:
		if x.DHBits = d.value; smallest > 0 {
			x.DHBits = min(x.DHBits, smallest)
		}
		e.Facts = append(e.Facts, standard("tune.ssl.default-dh-param", strconv.Itoa(d.value), d.source))
	}
}

// loads reports whether HAProxy can load a certificate's key: it does so before it reads the cipher string, at the level that OpenSSL
// begins with.
func loads(c openssl.Certificate, o openssl.Options) bool {
	return c.Type != policy.CertRSA || c.Bits == 0 || c.Bits >= openssl.MinRSABits(firstLevel(o))
}

func firstLevel(o openssl.Options) int {
	if o.SecurityLevel != nil {
		return *o.SecurityLevel
	}
	return 2
}

func (im *importer) alpn(e *imported.Endpoint, s *section, own settings) {
	if own.alpn == nil {
		d := im.version.alpn(s.http)
		e.Facts = append(e.Facts, standard("alpn", d.value, d.source))
	}
}
