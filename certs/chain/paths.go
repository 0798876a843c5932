package chain

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"slices"
)

// Path is one way from the leaf to a trusted root, over the certificates presented.
type Path struct {
	Store        string              // where the root is trusted
	Certificates []*x509.Certificate // leaf first
	Root         *x509.Certificate   // the last of Certificates; nil where a store has a root of the name and no more is known of it
	NotNow       []*x509.Certificate // those of it that are expired or not yet valid
	Holds        bool                // crypto/x509 accepts exactly this path now, names aside

	public bool
	sent   []*x509.Certificate // the certificates without a root that was not sent
	anchor anchor
}

// Bounds on the search for paths.
const (
	maxPaths     = 16
	maxStores    = 8
	maxPathDepth = 24
	maxAnchored  = 24 // questions to crypto/x509 whether a certificate is anchored, in one examination
	maxSteps     = 512
)

// store is one set of roots with what was learnt of it.
type store struct {
	Store
	names   map[string]bool // raw subjects; nil: they cannot be had
	anchors map[*x509.Certificate][]anchor
}

// anchor is what makes a certificate trusted: a root above it, or itself. The root is nil where only its name is known.
type anchor struct {
	root *x509.Certificate
	self bool
}

// openStores readies Options.Roots and Options.Stores, the former first.
func (e *examination) openStores() {
	name := e.o.Store
	if name == "" {
		name = "configured"
		if e.o.Roots == nil {
			name = "system"
		}
	}
	all := append([]Store{{name, e.o.Roots, e.o.Public}}, e.o.Stores[:min(len(e.o.Stores), maxStores)]...)
	for _, s := range all {
		st := &store{Store: s, anchors: map[*x509.Certificate][]anchor{}}
		if subjects := (rootPool{s.Roots}).subjects(); len(subjects) > 0 {
			st.names = make(map[string]bool, len(subjects))
			for _, raw := range subjects {
				st.names[string(raw)] = true
			}
		}
		e.stores = append(e.stores, st)
	}
	for _, path := range e.strict { // what crypto/x509 found already need not be asked again
		if n := len(path); n > 1 {
			e.stores[0].learn(path[n-2], anchor{root: path[n-1]})
		}
	}
}

func (s *store) learn(c *x509.Certificate, a anchor) {
	if !slices.ContainsFunc(s.anchors[c], func(b anchor) bool { return a.self == b.self && sameCertificate(a.root, b.root) }) {
		s.anchors[c] = append(s.anchors[c], a)
	}
}

func sameCertificate(a, b *x509.Certificate) bool {
	return a == b || a != nil && b != nil && bytes.Equal(a.Raw, b.Raw)
}

// anchorsOf says what in a store makes c trusted, times aside.
func (e *examination) anchorsOf(s *store, c *x509.Certificate) []anchor {
	if known, ok := s.anchors[c]; ok {
		return known
	}
	s.anchors[c] = nil
	if s.names != nil && !s.names[string(c.RawIssuer)] && !s.names[string(c.RawSubject)] || tooLarge(c) {
		return nil
	}
	if unverifiable(c) {
		if s.names[string(c.RawIssuer)] {
			s.anchors[c] = []anchor{{root: e.knownRoot(c.RawIssuer), self: bytes.Equal(c.RawIssuer, c.RawSubject)}}
		}
		return s.anchors[c]
	}
	if e.asked++; e.asked > maxAnchored {
		return nil
	}
	// Whatever of this certificate is wrong in itself is judged elsewhere: only whose it is matters here.
	k := *c
	k.UnhandledCriticalExtensions, k.DNSNames, k.IPAddresses = nil, nil, nil
	paths, err := e.verifyIn(s.Roots, &k, nil)
	if err != nil {
		return nil
	}
	if len(paths[0]) == 1 {
		s.learn(c, anchor{root: c, self: true})
		if bytes.Equal(c.RawIssuer, c.RawSubject) {
			return s.anchors[c]
		}
		// crypto/x509 looks no further than a trusted certificate. By other bytes it does not know it, and finds who issued it.
		k.Raw = append(slices.Clip(k.Raw), 0)
		if e.asked++; e.asked > maxAnchored {
			return s.anchors[c]
		}
		if paths, err = e.verifyIn(s.Roots, &k, nil); err != nil {
			return s.anchors[c]
		}
	}
	for _, p := range paths {
		s.learn(c, anchor{root: p[len(p)-1]})
	}
	return s.anchors[c]
}

// knownRoot looks for a self-signed certificate of a name among what was sent and what is known.
func (e *examination) knownRoot(name []byte) *x509.Certificate {
	is := func(c *x509.Certificate) bool {
		return c != nil && bytes.Equal(c.RawSubject, name) && bytes.Equal(c.RawIssuer, name)
	}
	for _, c := range e.certs {
		if is(c.Certificate) {
			return c.Certificate
		}
	}
	if i := slices.IndexFunc(e.o.Known, is); i >= 0 {
		return e.o.Known[i]
	}
	return nil
}

// findPaths fills Report.Paths: every way over the presented certificates to a root of any store, within bounds.
func (e *examination) findPaths() {
	for _, s := range e.stores {
		steps := 0
		var climb func(path []*x509.Certificate)
		found := 0
		climb = func(path []*x509.Certificate) {
			if steps++; steps > maxSteps || found >= maxPaths {
				return
			}
			top := path[len(path)-1]
			for _, a := range e.anchorsOf(s, top) {
				if found++; found > maxPaths {
					return
				}
				e.r.Paths = append(e.r.Paths, e.path(s, path, a))
			}
			if len(path) > maxPathDepth || bytes.Equal(top.RawSubject, top.RawIssuer) {
				return
			}
			for _, k := range e.issuersByName(top) {
				if k.inPath && !slices.Contains(path, k.Certificate) && e.links.signed(top, k.Certificate) {
					climb(append(slices.Clip(path), k.Certificate))
				}
			}
		}
		climb([]*x509.Certificate{e.leaf.Certificate})
	}
	slices.SortStableFunc(e.r.Paths, func(a, b Path) int {
		if a.Holds != b.Holds {
			if a.Holds {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(len(a.NotNow), len(b.NotNow)), cmp.Compare(len(a.Certificates), len(b.Certificates)))
	})
}

// path makes the Path that ends over or at the last of certificates.
func (e *examination) path(s *store, certificates []*x509.Certificate, a anchor) Path {
	p := Path{Store: s.Name, Certificates: slices.Clone(certificates), Root: a.root, public: s.Public, sent: slices.Clone(certificates), anchor: a}
	if !a.self && a.root != nil {
		p.Certificates = append(p.Certificates, a.root)
	}
	for _, c := range p.Certificates {
		if e.o.Time.Before(c.NotBefore) || e.o.Time.After(c.NotAfter) {
			p.NotNow = append(p.NotNow, c)
		}
	}
	if len(p.NotNow) == 0 && a.root != nil {
		if s == e.stores[0] {
			p.Holds = slices.ContainsFunc(e.strict, func(q []*x509.Certificate) bool { return slices.EqualFunc(p.Certificates, q, sameCertificate) })
		} else {
			p.Holds = e.holdsIn(s, p.Certificates)
		}
	}
	return p
}

// holdsIn asks crypto/x509 about one path in a store beside Options.Roots.
func (e *examination) holdsIn(s *store, path []*x509.Certificate) bool {
	if e.asked++; e.asked > maxAnchored {
		return false
	}
	pool := x509.NewCertPool()
	for _, c := range path[1:] {
		pool.AddCert(withoutPolicies(c))
	}
	paths, err := withoutPolicies(path[0]).Verify(x509.VerifyOptions{Roots: s.Roots, Intermediates: pool, CurrentTime: e.o.Time, KeyUsages: e.o.Usages})
	return err == nil && slices.ContainsFunc(paths, func(q []*x509.Certificate) bool { return slices.EqualFunc(path, q, sameCertificate) })
}

// issuersByName are the presented certificates of the issuer's name, without looking at signatures.
func (e *examination) issuersByName(c *x509.Certificate) (out []*cert) {
	for _, k := range e.certs {
		if k.Certificate != c && bytes.Equal(k.RawSubject, c.RawIssuer) {
			out = append(out, k)
		}
	}
	return out
}

// greedy is how a client builds a path that never takes a step back.
type greedy struct {
	trustedFirst bool // look among the roots before what was sent (OpenSSL from 1.1.0); else follow what was sent to its end
	prefersValid bool // of several issuers take one whose time it is
	partial      bool // end at any trusted certificate; else only at a self-signed one
}

// follow builds the path that such a client arrives at: the certificates, and the root, or no anchor where it gets stuck.
// Trusted certificates below a root are among the certificates.
func (e *examination) follow(g greedy) (path []*x509.Certificate, a *anchor) {
	at := e.leaf.Certificate
	path = []*x509.Certificate{at}
	for range maxPathDepth {
		if g.trustedFirst {
			if a := e.rootAbove(at, g); a != nil {
				return e.climbStore(path, a, g)
			}
		}
		self := bytes.Equal(at.RawSubject, at.RawIssuer)
		next := e.nextByName(at, path, g)
		if self || next == nil {
			if a := e.rootAbove(at, g); a != nil {
				return e.climbStore(path, a, g)
			}
			if self && len(path) > 1 { // a root that was sent gives way to another of its name and key in the store
				path = path[:len(path)-1]
				if a := e.rootAbove(path[len(path)-1], g); a != nil {
					return e.climbStore(path, a, g)
				}
			}
			return path, nil
		}
		path, at = append(path, next), next
	}
	return path, nil
}

// climbStore goes on from a trusted certificate that is no root to the root above it, for clients that want one.
func (e *examination) climbStore(path []*x509.Certificate, a *anchor, g greedy) ([]*x509.Certificate, *anchor) {
	for range maxPathDepth {
		if g.partial || a.self || a.root == nil || bytes.Equal(a.root.RawSubject, a.root.RawIssuer) {
			return path, a
		}
		next := e.rootAbove(a.root, g)
		if next == nil {
			return path, a
		}
		path, a = append(path, a.root), next
	}
	return path, nil
}

// rootAbove is the anchor over a certificate that a greedy client picks.
func (e *examination) rootAbove(c *x509.Certificate, g greedy) *anchor {
	all := e.anchorsOf(e.stores[0], c)
	self := bytes.Equal(c.RawSubject, c.RawIssuer)
	var first *anchor
	for i := range all {
		if all[i].self && !self && !g.partial {
			continue // it asks who issued it, not whether it is trusted
		}
		if r := all[i].root; !g.prefersValid || r == nil || e.validNow(r) {
			return &all[i]
		}
		if first == nil {
			first = &all[i]
		}
	}
	return first
}

// nextByName is the issuer among what was sent that a greedy client picks: by name and key identifier, not by signature.
func (e *examination) nextByName(c *x509.Certificate, path []*x509.Certificate, g greedy) *x509.Certificate {
	var first *x509.Certificate
	for _, k := range e.issuersByName(c) {
		if !keyIDsFit(c, k.Certificate) || slices.Contains(path, k.Certificate) {
			continue
		}
		if !g.prefersValid || !e.o.Time.After(k.NotAfter) && !e.o.Time.Before(k.NotBefore) {
			return k.Certificate
		}
		if first == nil {
			first = k.Certificate
		}
	}
	return first
}

// keyIDsFit says whether the key identifiers let parent be the issuer of child (RFC 5280, Sections 4.2.1.1 and 4.2.1.2).
func keyIDsFit(child, parent *x509.Certificate) bool {
	return len(child.AuthorityKeyId) == 0 || len(parent.SubjectKeyId) == 0 || bytes.Equal(child.AuthorityKeyId, parent.SubjectKeyId)
}
