package bundle

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tlstriage/tlstriage/certs/chain"
)

// maxBundles bounds how many server certificates of one pile get a bundle.
const maxBundles = 50

// maxFetches bounds the issuers fetched for one chain.
const maxFetches = 5

// Options say how to choose and to judge. Time must be set.
type Options struct {
	Time  time.Time
	Roots *x509.CertPool // nil: the system's roots
	Name  string         // the DNS name or IP address to serve; empty: every server certificate of the pile gets its bundle

	// FetchIntermediate fetches the issuers of a certificate from the addresses that it names (RFC 5280, Section 4.2.2.1), as
	// revocation.Fetcher does. Nil: nothing is fetched, and the addresses are said in Missing.
	FetchIntermediate func(ctx context.Context, below *x509.Certificate) ([]*x509.Certificate, error)
}

// Result is what can be made of a pile.
type Result struct {
	Bundles  []*Bundle
	LeftOut  []LeftOut
	Problems []Problem
	Notes    []Note // of the pile, and of what was fetched
}

// Bundle is a server certificate with its key and its chain.
type Bundle struct {
	Name    string // to name files after: the first name of the certificate, fit for a file system, unique in its Result
	Leaf    Certificate
	Key     *Key                // nil: the key is not in the pile
	Chain   []*x509.Certificate // what to send: the leaf first, each next one certifies the one before, no root
	Root    *x509.Certificate   // where the chain ends; nil when it is not known
	Private bool                // it ends at a root of the pile that is not among the trusted ones
	Fetched []string            // subjects of the certificates of Chain that were fetched
	Missing *Missing            // the chain is not complete; nil when it is
	Report  *chain.Report       // on Chain, as clients see it
}

// Missing is the certificate that a chain lacks.
type Missing struct {
	Subject string       // as the certificate below names it
	Below   string       // the certificate below
	Reason  chain.Reason // chain.ReasonAnotherKey: a namesake is in the pile; chain.ReasonUnknownIssuer: it may be an untrusted root; else empty
	URLs    []string     // where it says that its issuer can be fetched
	Err     error        // of the last fetch; nil when none was tried
}

// Reason is why a certificate is in no bundle.
type Reason string

// Reasons.
const (
	Duplicate    Reason = "duplicate"     // the same certificate is there already
	Root         Reason = "root"          // clients have it themselves, or do not trust it for being sent
	ExpiredCross Reason = "expired-cross" // another path to a root, expired; some clients choke on it
	OtherPath    Reason = "other-path"    // another path to a root, which this chain does not need
	Superseded   Reason = "superseded"    // there is a newer one for the same names
	OtherName    Reason = "other-name"    // it does not cover the name asked for
	NoKey        Reason = "no-key"        // a server certificate whose key is not in the pile, where others have theirs
	Unrelated    Reason = "unrelated"     // it has no part in any chain here
)

// LeftOut is a certificate that is in no bundle.
type LeftOut struct {
	Certificate Certificate
	Reason      Reason
	Detail      string // one sentence; it may hold a stranger's text
}

// ProblemID names what is wrong with a result.
type ProblemID string

// Problems.
const (
	NoCertificate       ProblemID = "no-certificate"        // the pile holds none
	NoServerCertificate ProblemID = "no-server-certificate" // the pile holds authorities only
	KeyMissing          ProblemID = "key-missing"           // no key at all
	KeyMismatch         ProblemID = "key-mismatch"          // keys, but not the certificate's
	NameNotCovered      ProblemID = "name-not-covered"      // no certificate covers Options.Name
	IncompleteChain     ProblemID = "incomplete-chain"      // see Missing
	ChainFault          ProblemID = "chain-fault"           // what clients will refuse all the same; see Bundle.Report
	TooMany             ProblemID = "too-many"              // beyond a bound
)

// Problem is something that the bundle does not mend by itself.
type Problem struct {
	ID     ProblemID
	Bundle string // Bundle.Name; empty: it concerns the whole pile
	Fatal  bool   // a server or its clients will refuse the result
	Detail string // one sentence with what to do; it may hold a stranger's text
}

// builder is one run of Build.
type builder struct {
	o       Options
	pile    *Pile
	result  *Result
	unique  []Certificate
	keys    []Key
	trusted *x509.CertPool
	used    map[[sha256.Size]byte]bool // certificates in a chain
}

// Build matches what is in the pile. It never fails: what is wrong is a problem of the result.
func Build(ctx context.Context, p *Pile, o Options) *Result {
	b := &builder{o: o, pile: p, result: &Result{Notes: slices.Clone(p.Notes)}, trusted: o.Roots, used: map[[sha256.Size]byte]bool{}}
	if b.trusted == nil {
		if pool, err := x509.SystemCertPool(); err == nil {
			b.trusted = pool
		} else {
			b.trusted = x509.NewCertPool()
		}
	}
	b.dropDuplicates()
	if len(b.unique) == 0 {
		b.problem(NoCertificate, "", true, "there is no certificate in this%s", b.keysWithoutCertificate())
		return b.result
	}
	for _, leaf := range b.chooseLeaves() {
		b.result.Bundles = append(b.result.Bundles, b.bundle(ctx, leaf))
	}
	b.nameBundles()
	b.judgeKeys()
	b.judgeChains()
	b.sayLeftOut()
	return b.result
}

func (b *builder) problem(id ProblemID, bundle string, fatal bool, format string, args ...any) {
	b.result.Problems = append(b.result.Problems, Problem{id, bundle, fatal, fmt.Sprintf(format, args...)})
}

func (b *builder) leaveOut(c Certificate, reason Reason, format string, args ...any) {
	b.result.LeftOut = append(b.result.LeftOut, LeftOut{c, reason, fmt.Sprintf(format, args...)})
}

func (b *builder) dropDuplicates() {
	first := map[[sha256.Size]byte]Source{}
	for _, c := range b.pile.Certificates {
		sum := sha256.Sum256(c.Raw)
		if at, there := first[sum]; there {
			b.leaveOut(c, Duplicate, "the same certificate as in %s", at)
			continue
		}
		first[sum] = c.Source
		b.unique = append(b.unique, c)
	}
	for _, k := range b.pile.Keys {
		if !slices.ContainsFunc(b.keys, func(other Key) bool { return matches(other.Signer, k.Signer.Public()) }) {
			b.keys = append(b.keys, k)
		}
	}
}

// matches says whether the key is that of the public key.
func matches(key crypto.Signer, public crypto.PublicKey) bool {
	own, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && own.Equal(public)
}

func (b *builder) keyOf(c Certificate) *Key {
	for i := range b.keys {
		if matches(b.keys[i].Signer, c.PublicKey) {
			return &b.keys[i]
		}
	}
	return nil
}

// bundle builds one chain, fetching what lacks where that is allowed.
func (b *builder) bundle(ctx context.Context, leaf Certificate) *Bundle {
	out := &Bundle{Leaf: leaf, Key: b.keyOf(leaf)}
	above := b.reachable(leaf)
	for fetched := 0; ; fetched++ {
		b.order(out, above)
		if out.Missing == nil || b.o.FetchIntermediate == nil || fetched == maxFetches {
			break
		}
		more := b.fetch(ctx, out)
		if len(more) == 0 {
			break
		}
		above = append(above, more...)
	}
	for _, c := range out.Chain {
		b.used[sha256.Sum256(c.Raw)] = true
	}
	out.Report = b.examine(out.Chain, out.Private, out.Root)
	return out
}

// reachable are the certificates that may stand somewhere above the leaf, going by names: a pile may hold hundreds of roots, and
// package chain looks at a hundred certificates.
func (b *builder) reachable(leaf Certificate) []*x509.Certificate {
	var out []*x509.Certificate
	wanted := [][]byte{leaf.RawIssuer}
	seen := map[string]bool{}
	for len(wanted) > 0 && len(out) < chain.MaxCertificates-maxFetches-1 {
		issuer := wanted[0]
		wanted = wanted[1:]
		if seen[string(issuer)] {
			continue
		}
		seen[string(issuer)] = true
		for _, c := range b.unique {
			if bytes.Equal(c.RawSubject, issuer) && c.Certificate != leaf.Certificate && len(out) < chain.MaxCertificates-maxFetches-1 {
				out = append(out, c.Certificate)
				wanted = append(wanted, c.RawIssuer)
			}
		}
	}
	return out
}

func selfSigned(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

// order finds the right chain among the leaf and what is above it, first to a trusted root and then to a root of the pile.
func (b *builder) order(out *Bundle, above []*x509.Certificate) {
	out.Missing, out.Private, out.Root = nil, false, nil
	all := append([]*x509.Certificate{out.Leaf.Certificate}, above...)
	report := chain.Examine(raw(all), chain.Options{Roots: b.trusted, Time: b.o.Time})
	if !report.Trusted {
		if own := roots(above); len(own) > 0 {
			pool := b.trusted.Clone()
			for _, c := range own {
				pool.AddCert(c)
			}
			if again := chain.Examine(raw(all), chain.Options{Roots: pool, Time: b.o.Time}); again.Trusted {
				report, out.Private = again, true
			}
		}
	}
	right := report.Right
	if len(right) == 0 {
		right = climb(out.Leaf.Certificate, above, b.o.Time)
	}
	out.Chain = right
	top := right[len(right)-1]
	if selfSigned(top) {
		out.Root = top
		return
	}
	for _, path := range report.Verified {
		if last := path[len(path)-1]; selfSigned(last) && bytes.Equal(last.RawSubject, top.RawIssuer) {
			out.Root = last
		}
	}
	for _, f := range report.Faults {
		if f.ID == chain.MissingIntermediate || f.ID == chain.UntrustedRoot && f.Missing != "" && len(top.IssuingCertificateURL) > 0 {
			out.Missing = &Missing{Subject: top.Issuer.String(), Below: chain.Subject(top), URLs: slices.Clone(top.IssuingCertificateURL), Reason: f.Reason}
			return
		}
	}
}

// roots are the self-signed authorities of the list.
func roots(list []*x509.Certificate) []*x509.Certificate {
	var out []*x509.Certificate
	for _, c := range list {
		if selfSigned(c) {
			out = append(out, c)
		}
	}
	return out
}

// climb follows signatures upwards as far as they go, past valid certificates where there is a choice.
func climb(leaf *x509.Certificate, above []*x509.Certificate, at time.Time) []*x509.Certificate {
	path := []*x509.Certificate{leaf}
	for len(path) < maxDepth {
		top := path[len(path)-1]
		var next *x509.Certificate
		for _, c := range above {
			if slices.Contains(path, c) || selfSigned(c) || !bytes.Equal(c.RawSubject, top.RawIssuer) || checkable(c) && top.CheckSignatureFrom(c) != nil {
				continue
			}
			if next == nil || !validAt(next, at) && validAt(c, at) {
				next = c
			}
		}
		if next == nil {
			break
		}
		path = append(path, next)
	}
	return path
}

// checkable says whether checking a signature with this key has a bounded price.
func checkable(c *x509.Certificate) bool {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	return !ok || key.N.BitLen() <= chain.MaxRSABits
}

func validAt(c *x509.Certificate, at time.Time) bool {
	return !at.Before(c.NotBefore) && !at.After(c.NotAfter)
}

// fetch gets the issuers of the chain's last certificate.
func (b *builder) fetch(ctx context.Context, out *Bundle) []*x509.Certificate {
	if len(out.Missing.URLs) == 0 {
		return nil
	}
	top := out.Chain[len(out.Chain)-1]
	certificates, err := b.o.FetchIntermediate(ctx, top)
	var found []*x509.Certificate
	for _, c := range certificates[:min(len(certificates), maxFetches)] {
		if bytes.Equal(c.RawSubject, top.RawIssuer) && (!checkable(c) || top.CheckSignatureFrom(c) == nil) {
			found = append(found, c)
			out.Fetched = append(out.Fetched, clip(c.Subject.String()))
		}
	}
	if len(found) == 0 {
		if err == nil {
			err = fmt.Errorf("%s holds no certificate of %s", strings.Join(out.Missing.URLs, ", "), clip(out.Missing.Subject))
		}
		out.Missing.Err = err
	}
	return found
}

// examine judges the chain as it will be sent. A private root is what its clients trust.
func (b *builder) examine(list []*x509.Certificate, private bool, root *x509.Certificate) *chain.Report {
	pool := b.trusted
	if private && root != nil {
		pool = pool.Clone()
		pool.AddCert(root)
	}
	return chain.Examine(raw(list), chain.Options{Roots: pool, Time: b.o.Time, Name: b.o.Name})
}

func raw(list []*x509.Certificate) [][]byte {
	out := make([][]byte, len(list))
	for i, c := range list {
		out[i] = c.Raw
	}
	return out
}

// nameBundles names them after their certificates, with the kind of key where two have the same name.
func (b *builder) nameBundles() {
	count := map[string]int{}
	for _, out := range b.result.Bundles {
		out.Name = fileName(out.Leaf.Certificate)
		count[out.Name]++
	}
	taken := map[string]bool{}
	for _, out := range b.result.Bundles {
		if count[out.Name] > 1 {
			out.Name += "-" + strings.ToLower(keyKind(out.Leaf.PublicKey))
		}
		base := out.Name
		for i := 2; taken[out.Name]; i++ {
			out.Name = fmt.Sprintf("%s-%d", base, i)
		}
		taken[out.Name] = true
	}
}

// fileName is the first name of a certificate, with nothing in it that a file system or a shell minds.
func fileName(c *x509.Certificate) string {
	name := c.Subject.CommonName
	if len(c.DNSNames) > 0 {
		name = c.DNSNames[0]
	} else if len(c.IPAddresses) > 0 {
		name = c.IPAddresses[0].String()
	}
	if rest, ok := strings.CutPrefix(name, "*."); ok {
		name = "wildcard." + rest
	}
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name)
	name = strings.Trim(name[:min(len(name), 100)], ".-")
	if name == "" {
		return "certificate"
	}
	return name
}

func keyKind(public any) string {
	switch public.(type) {
	case *rsa.PublicKey:
		return "RSA"
	case *ecdsa.PublicKey:
		return "ECDSA"
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return "other"
}

// keyText is a public key in words, with the beginning of its SHA-256 to compare by eye.
func keyText(public any) string {
	size := ""
	switch k := public.(type) {
	case *rsa.PublicKey:
		size = fmt.Sprintf(" %d bits", k.N.BitLen())
	case *ecdsa.PublicKey:
		size = " " + k.Curve.Params().Name
	}
	text := keyKind(public) + size
	if der, err := x509.MarshalPKIXPublicKey(public); err == nil {
		sum := sha256.Sum256(der)
		text += ", SHA-256 of the public key " + hex.EncodeToString(sum[:8]) + "…"
	}
	return text
}
