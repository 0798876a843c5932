package certstest

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"time"

	"github.com/tlstriage/tlstriage/certs"
)

// Kind names a ready-made chain by what is wrong with it.
type Kind string

// Kinds of chain.
const (
	Healthy              Kind = "healthy"
	HealthyRSA           Kind = "healthy-rsa"
	Wildcard             Kind = "wildcard" // *.PARENT for a name with a parent
	IPName               Kind = "ip"       // 127.0.0.1 and ::1 beside the name
	Expired              Kind = "expired"
	NotYetValid          Kind = "not-yet-valid"
	ExpiringSoon         Kind = "expiring-soon"
	WrongName            Kind = "wrong-name"
	CommonNameOnly       Kind = "common-name-only"
	SelfSigned           Kind = "self-signed"
	MissingIntermediate  Kind = "missing-intermediate" // the leaf alone
	MissingUpper         Kind = "missing-upper"        // leaf and Issuing, without Intermediate
	WrongOrder           Kind = "wrong-order"
	Unrelated            Kind = "unrelated"
	UntrustedRoot        Kind = "untrusted-root"      // complete but for the root, which nobody trusts
	UntrustedRootSent    Kind = "untrusted-root-sent" // the same with the root sent along
	ExpiredIntermediate  Kind = "expired-intermediate"
	WeakKey              Kind = "weak-key"       // RSA, 1024 bits
	WeakSignature        Kind = "weak-signature" // SHA-1
	ClientOnly           Kind = "client-only"    // extended key usage: client authentication only
	CAAsLeaf             Kind = "ca-as-leaf"
	NoSignatureKeyUsage  Kind = "no-signature-key-usage" // key usage that allows no TLS
	IntermediateIsNoCA   Kind = "intermediate-is-no-ca"
	SignedWithAnotherKey Kind = "signed-with-another-key" // names a trusted root as issuer whose key did not sign it
)

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{Healthy, HealthyRSA, Wildcard, IPName, Expired, NotYetValid, ExpiringSoon, WrongName, CommonNameOnly, SelfSigned,
		MissingIntermediate, MissingUpper, WrongOrder, Unrelated, UntrustedRoot, UntrustedRootSent, ExpiredIntermediate, WeakKey, WeakSignature, ClientOnly,
		CAAsLeaf, NoSignatureKeyUsage, IntermediateIsNoCA, SignedWithAnotherKey}
}

// Chain is what a server would present, with the key to present it.
type Chain struct {
	Kind      Kind
	Leaf      *certs.Pair
	Presented []*x509.Certificate // leaf first
}

// Make issues a chain of the kind for name, a DNS name of at least two labels.
func (p *PKI) Make(kind Kind, name string) *Chain {
	p.tb.Helper()
	t := certs.Template{Names: []string{name}}
	by := p.Issuing
	day := 24 * time.Hour
	switch kind {
	case Healthy, MissingIntermediate, MissingUpper, WrongOrder, Unrelated:
	case HealthyRSA:
		t.Key = certs.RSA2048
	case Wildcard:
		t.Names = []string{wildcardOf(name)}
	case IPName:
		t.Names = []string{name, "127.0.0.1", "::1"}
	case Expired:
		t.NotBefore, t.NotAfter = p.Now.Add(-90*day), p.Now.Add(-3*day)
	case NotYetValid:
		t.NotBefore, t.NotAfter = p.Now.Add(2*day), p.Now.Add(80*day)
	case ExpiringSoon:
		t.NotBefore, t.NotAfter = p.Now.Add(-55*day), p.Now.Add(5*day)
	case WrongName:
		t.Names = []string{"other." + name, "unlike.invalid"}
	case CommonNameOnly:
		t.NoSAN = true
	case SelfSigned:
		return p.chain(kind, p.SelfSign(t))
	case UntrustedRoot, UntrustedRootSent:
		by = p.OtherIntermediate
	case ExpiredIntermediate:
		by = p.Issue(p.Intermediate, certs.Template{CommonName: "Test Lapsed", CA: true, NotBefore: p.Now.Add(-400 * day), NotAfter: p.Now.Add(-10 * day)})
	case WeakKey:
		t.Key = certs.RSA1024
	case WeakSignature:
		t.Signature = sha1With(by)
	case ClientOnly:
		t.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	case CAAsLeaf:
		t.CA, t.Usages = true, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	case NoSignatureKeyUsage:
		t.KeyUsage = x509.KeyUsageCRLSign
	case IntermediateIsNoCA:
		by = p.Leaf("no-ca.invalid")
	case SignedWithAnotherKey:
		by = p.SelfSign(certs.Template{CommonName: "Test Root", Organization: "Triage Test", CA: true})
	default:
		p.tb.Fatalf("certstest: unknown kind %q", kind)
	}
	leaf := p.Issue(by, t)
	c := p.chain(kind, leaf, leaf.Chain()[1:]...)
	switch kind {
	case MissingIntermediate:
		c.Presented = c.Presented[:1]
	case MissingUpper:
		c.Presented = c.Presented[:2]
	case WrongOrder:
		c.Presented[1], c.Presented[2] = c.Presented[2], c.Presented[1]
	case Unrelated:
		c.Presented = append(c.Presented, p.OtherIntermediate.Certificate)
	case UntrustedRootSent:
		c.Presented = append(c.Presented, p.OtherRoot.Certificate)
	}
	return c
}

func (p *PKI) chain(kind Kind, leaf *certs.Pair, above ...*x509.Certificate) *Chain {
	return &Chain{Kind: kind, Leaf: leaf, Presented: append([]*x509.Certificate{leaf.Certificate}, above...)}
}

// sha1With is the SHA-1 algorithm for the issuer's key.
func sha1With(issuer *certs.Pair) x509.SignatureAlgorithm {
	if _, ok := issuer.Key.Public().(*rsa.PublicKey); ok {
		return x509.SHA1WithRSA
	}
	return x509.ECDSAWithSHA1
}

// wildcardOf replaces the first label.
func wildcardOf(name string) string {
	for i := range len(name) {
		if name[i] == '.' {
			return "*" + name[i:]
		}
	}
	return "*." + name
}

// Raw is what goes over the wire.
func (c *Chain) Raw() [][]byte {
	raw := make([][]byte, len(c.Presented))
	for i, x := range c.Presented {
		raw[i] = x.Raw
	}
	return raw
}

// TLS is the chain as crypto/tls serves it.
func (c *Chain) TLS() *tls.Certificate { return c.Leaf.TLSWith(c.Presented[1:]...) }
