package bundle

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tlstriage/tlstriage/certs/chain"
)

// chooseLeaves finds the server certificates of the pile: one for each set of names and kind of key.
func (b *builder) chooseLeaves() []Certificate {
	var servers, keyed []Certificate
	for _, c := range b.unique {
		if b.isServer(c) {
			servers = append(servers, c)
			if b.keyOf(c) != nil {
				keyed = append(keyed, c)
			}
		}
	}
	if len(servers) == 0 {
		// Self-signed certificates that openssl req -x509 makes are authorities by their form; the key tells what they are for.
		for _, c := range b.unique {
			if b.keyOf(c) != nil {
				keyed = append(keyed, c)
			}
		}
		servers = keyed
	}
	if len(servers) == 0 {
		b.problem(NoServerCertificate, "", true, "there are %d certificates of authorities here, and none of a server", len(b.unique))
		return nil
	}
	if len(keyed) > 0 {
		for _, c := range servers {
			if !has(keyed, c) {
				b.leaveOut(c, NoKey, "a server certificate (%s) whose private key is not here: %s", chain.Subject(c.Certificate), keyText(c.PublicKey))
			}
		}
		servers = keyed
	}
	servers = b.newest(b.named(servers))
	if len(servers) > maxBundles {
		b.problem(TooMany, "", true, "there are %d server certificates; bundles are made of the first %d", len(servers), maxBundles)
		servers = servers[:maxBundles]
	}
	return servers
}

func has(list []Certificate, c Certificate) bool {
	return slices.ContainsFunc(list, func(other Certificate) bool { return other.Certificate == c.Certificate })
}

// isServer says whether a certificate is a server's rather than an authority's. Version 1 certificates do not say what they are:
// one that issued another of the pile is an authority.
func (b *builder) isServer(c Certificate) bool {
	if c.IsCA {
		return false
	}
	if c.BasicConstraintsValid {
		return true
	}
	return !slices.ContainsFunc(b.unique, func(other Certificate) bool {
		return other.Certificate != c.Certificate && bytes.Equal(other.RawIssuer, c.RawSubject) && !selfSigned(other.Certificate)
	})
}

// named keeps those that cover the name asked for.
func (b *builder) named(servers []Certificate) []Certificate {
	if b.o.Name == "" {
		return servers
	}
	var out, others []Certificate
	for _, c := range servers {
		if covers(c.Certificate, b.o.Name) {
			out = append(out, c)
		} else {
			others = append(others, c)
		}
	}
	if len(out) == 0 {
		b.problem(NameNotCovered, "", true, "no certificate here covers %q; there are: %s", clip(b.o.Name), subjects(servers))
		return servers
	}
	for _, c := range others {
		b.leaveOut(c, OtherName, "it covers %s, not %q", nameList(c.Certificate), clip(b.o.Name))
	}
	return out
}

func covers(c *x509.Certificate, name string) bool {
	if c.VerifyHostname(name) == nil {
		return true
	}
	// No client accepts the common name today, but it is what the operator means by it.
	return len(c.DNSNames) == 0 && len(c.IPAddresses) == 0 && strings.EqualFold(c.Subject.CommonName, name)
}

func subjects(list []Certificate) string {
	var out []string
	for _, c := range list[:min(len(list), 5)] {
		out = append(out, chain.Subject(c.Certificate))
	}
	if len(list) > 5 {
		out = append(out, fmt.Sprintf("and %d more", len(list)-5))
	}
	return strings.Join(out, ", ")
}

// names are those that a certificate covers, sorted, bounded.
func names(c *x509.Certificate) []string {
	out := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		out = append(out, ip.String())
	}
	if len(out) == 0 {
		out = append(out, c.Subject.CommonName)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func nameList(c *x509.Certificate) string {
	list := names(c)
	text := strings.Join(list[:min(len(list), 5)], ", ")
	if len(list) > 5 {
		text += fmt.Sprintf(" and %d more names", len(list)-5)
	}
	return clip(text)
}

// newest keeps of several certificates with the same names and kind of key the one to serve: valid now, and longest.
func (b *builder) newest(servers []Certificate) []Certificate {
	best := map[string]Certificate{}
	var order []string
	group := func(c Certificate) string {
		return keyKind(c.PublicKey) + " " + strings.Join(names(c.Certificate), " ")
	}
	for _, c := range servers {
		g := group(c)
		now, there := best[g]
		switch {
		case !there:
			order = append(order, g)
			best[g] = c
		case b.better(c, now):
			best[g] = c
		}
	}
	var out []Certificate
	for _, g := range order {
		out = append(out, best[g])
	}
	for _, c := range servers {
		if kept := best[group(c)]; kept.Certificate != c.Certificate {
			b.leaveOut(c, Superseded, "it is valid until %s; the one in %s, for the same names, until %s", day(c.NotAfter), kept.Source, day(kept.NotAfter))
		}
	}
	return out
}

func (b *builder) better(c, than Certificate) bool {
	if v := validAt(c.Certificate, b.o.Time); v != validAt(than.Certificate, b.o.Time) {
		return v
	}
	return c.NotAfter.After(than.NotAfter)
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
