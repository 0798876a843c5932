package certs

import (
	"container/list"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	leafValidity = 90 * 24 * time.Hour
	leafRenewal  = 24 * time.Hour // a cached leaf with less left is minted anew
	maxLeafNames = 100
)

// ErrServerName is the error for a name that no certificate is minted for.
var ErrServerName = errors.New("certs: not a server name")

// rsaKey is the one RSA key of an authority's leaves, made when the first client needs it. ECDSA leaves have a key each, but
// making an RSA key for each name would cost a hostile client nothing and us much.
type rsaKey struct {
	mu  sync.Mutex
	key crypto.Signer
}

func (k *rsaKey) signer() (crypto.Signer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key == nil {
		key, err := NewKey(RSA2048)
		if err != nil {
			return nil, err
		}
		k.key = key
	}
	return k.key, nil
}

// GetCertificate has the shape of tls.Config.GetCertificate: a leaf for the SNI, or for Default or the local address where
// the client sends none. Clients that cannot use ECDSA get an RSA leaf.
func (a *Authority) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return a.GetCertificateFor(hello, nil)
}

// GetCertificateFor is GetCertificate with further names that the leaf is to carry, such as those of the backend's own
// certificate.
func (a *Authority) GetCertificateFor(hello *tls.ClientHelloInfo, mirrored []string) (*tls.Certificate, error) {
	name := hello.ServerName
	if name == "" {
		name = a.o.Default
	}
	if name == "" {
		name = localName(hello.Conn)
	}
	names := append([]string{name}, mirrored...)
	leaf, err := a.leaf(names, ECDSAP256)
	if err != nil {
		return nil, err
	}
	if hello.SupportsCertificate(leaf) == nil {
		return leaf, nil
	}
	rsa, err := a.leaf(names, RSA2048)
	if err != nil {
		return nil, err
	}
	if hello.SupportsCertificate(rsa) == nil {
		return rsa, nil
	}
	// Neither fits: crypto/tls says why, in the words that the diagnosis knows.
	return leaf, nil
}

// localName is the address that the client connected to.
func localName(c net.Conn) string {
	if c != nil {
		if at, err := netip.ParseAddrPort(c.LocalAddr().String()); err == nil {
			return at.Addr().Unmap().WithZone("").String()
		}
	}
	return "localhost"
}

// Leaf mints a certificate for the names, or takes it from the cache: the first name is the one asked for, which must be
// valid; of the others those that are not valid, or beyond a hundred, are left out.
func (a *Authority) Leaf(names []string) (*tls.Certificate, error) { return a.leaf(names, ECDSAP256) }

func (a *Authority) leaf(names []string, kind KeyKind) (*tls.Certificate, error) {
	names, err := leafNames(names)
	if err != nil {
		return nil, err
	}
	id := leafID{kind, sha256.Sum256([]byte(strings.Join(names, " ")))}
	now := a.o.now()
	if leaf := a.cache.get(id, now); leaf != nil {
		return leaf, nil
	}
	v, err, _ := a.mint.Do(fmt.Sprint(id), func() (any, error) {
		if leaf := a.cache.get(id, now); leaf != nil { // minted while this call was on its way
			return leaf, nil
		}
		leaf, err := a.newLeaf(names, kind, now)
		if err == nil {
			a.cache.put(id, leaf)
		}
		return leaf, err
	})
	if err != nil {
		return nil, err
	}
	return v.(*tls.Certificate), nil
}

func (a *Authority) newLeaf(names []string, kind KeyKind, now time.Time) (*tls.Certificate, error) {
	t := Template{Names: names, Key: kind, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(leafValidity)}
	if kind == RSA2048 {
		key, err := a.rsa.signer()
		if err != nil {
			return nil, err
		}
		t.Signer = key
	}
	if ca := a.root.Certificate; t.NotAfter.After(ca.NotAfter) {
		t.NotAfter = ca.NotAfter
	}
	if ca := a.root.Certificate; t.NotBefore.Before(ca.NotBefore) {
		t.NotBefore = ca.NotBefore
	}
	leaf, err := a.root.Issue(t)
	if err != nil {
		return nil, err
	}
	return leaf.TLS(), nil
}

// leafNames normalises names: lower case, no trailing dot, none twice, the first one first.
func leafNames(names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, fmt.Errorf("%w: no name was given", ErrServerName)
	}
	var out []string
	for i, n := range names {
		n, err := normalName(n)
		if err != nil {
			if i == 0 {
				return nil, err
			}
			continue
		}
		if !slices.Contains(out, n) && len(out) < maxLeafNames {
			out = append(out, n)
		}
	}
	return out, nil
}

// normalName checks a name: an IP address, or a DNS name of at most 253 bytes in labels of at most 63 letters, digits, hyphens and
// underscores (RFC 1035, Section 2.3.4; underscores occur in practice), of which the first may be a wildcard.
func normalName(name string) (string, error) {
	if ip, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil && ip.Zone() == "" {
		return ip.Unmap().String(), nil
	}
	n := strings.ToLower(strings.TrimSuffix(name, "."))
	if n == "" || len(n) > 253 {
		return "", fmt.Errorf("%w: %d bytes", ErrServerName, len(name))
	}
	if _, err := netip.ParseAddr(n); err == nil { // an address with a dot behind it is neither
		return "", fmt.Errorf("%w: %q", ErrServerName, clip(name))
	}
	for i, label := range strings.Split(n, ".") {
		if i == 0 && label == "*" && len(n) > 2 {
			continue
		}
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return "", fmt.Errorf("%w: %q", ErrServerName, clip(name))
		}
		for _, r := range []byte(label) {
			if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' {
				return "", fmt.Errorf("%w: %q", ErrServerName, clip(name))
			}
		}
	}
	return n, nil
}

// leafID stands for the names and the kind of key of a leaf, in a few bytes however many names there are.
type leafID struct {
	kind  KeyKind
	names [sha256.Size]byte
}

// leafCache keeps the leaves used last. Its size bounds what a client that asks for ever new names can make us keep.
type leafCache struct {
	mu    sync.Mutex
	size  int
	order *list.List // of *cachedLeaf, used last first
	byID  map[leafID]*list.Element
}

type cachedLeaf struct {
	id   leafID
	leaf *tls.Certificate
}

func newLeafCache(size int) *leafCache {
	return &leafCache{size: size, order: list.New(), byID: map[leafID]*list.Element{}}
}

func (c *leafCache) get(id leafID, now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byID[id]
	if e == nil {
		return nil
	}
	leaf := e.Value.(*cachedLeaf).leaf
	// A leaf that ends with its authority is not improved by minting it anew for ever: only what leafValidity limits is renewed.
	if now.After(leaf.Leaf.NotAfter) || leaf.Leaf.NotAfter.Sub(now) < leafRenewal && leaf.Leaf.NotAfter.Sub(leaf.Leaf.NotBefore) > leafValidity {
		c.order.Remove(e)
		delete(c.byID, id)
		return nil
	}
	c.order.MoveToFront(e)
	return leaf
}

func (c *leafCache) put(id leafID, leaf *tls.Certificate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byID[id]; e != nil {
		c.order.Remove(e)
	}
	c.byID[id] = c.order.PushFront(&cachedLeaf{id: id, leaf: leaf})
	for len(c.byID) > c.size {
		last := c.order.Back()
		c.order.Remove(last)
		delete(c.byID, last.Value.(*cachedLeaf).id)
	}
}
