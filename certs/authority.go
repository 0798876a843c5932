package certs

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sync/singleflight"
)

// Names of an authority's files in its directory.
const (
	AuthorityCertificateFile = "ca.pem" // 0644: to be handed to clients
	AuthorityKeyFile         = "ca.key" // 0600: whoever has it can issue for any name
)

// AuthorityOptions say how an authority is made and how it mints. The zero value works.
type AuthorityOptions struct {
	CommonName string           // of a new authority; empty: "tlstriage local CA" with the host's name
	Validity   time.Duration    // of a new authority; 0: ten years
	Default    string           // name or address of the leaf for clients that send no SNI; empty: the address they connected to
	CacheSize  int              // how many minted leaves are kept; 0: 1024
	Now        func() time.Time // nil: time.Now
}

// Authority is a local certificate authority: it mints a leaf for each name that a client asks for. Clients must be told to
// trust Certificate. It is safe for concurrent use.
type Authority struct {
	root  *Pair
	o     AuthorityOptions
	cache *leafCache
	mint  singleflight.Group
	keys  leafKeys
}

// NewAuthority makes an authority in memory, gone when the process ends.
func NewAuthority(o AuthorityOptions) (*Authority, error) {
	now := o.now()
	validity := o.Validity
	if validity == 0 {
		validity = 10 * 365 * 24 * time.Hour
	}
	name := o.CommonName
	if name == "" {
		name = "tlstriage local CA"
		if host, err := os.Hostname(); err == nil && len(host) <= 40 {
			name += " " + host
		}
	}
	root, err := SelfSign(Template{CommonName: name, Organization: "tlstriage", CA: true, MaxPathLen: 1, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(validity)})
	if err != nil {
		return nil, err
	}
	return o.authority(root), nil
}

func (o AuthorityOptions) authority(root *Pair) *Authority {
	size := o.CacheSize
	if size <= 0 {
		size = 1024
	}
	return &Authority{root: root, o: o, cache: newLeafCache(size)}
}

func (o AuthorityOptions) now() time.Time {
	if o.Now != nil {
		return o.Now()
	}
	return time.Now()
}

// CreateAuthority makes an authority in dir, which is made with mode 0700 if it is missing. Files that are there already
// are an error: clients may trust them.
func CreateAuthority(dir string, o AuthorityOptions) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unreadable(dir, err)
	}
	for _, name := range []string{AuthorityKeyFile, AuthorityCertificateFile} {
		path := filepath.Join(dir, name)
		if _, err := os.Lstat(path); err == nil {
			return nil, problem(path, Exists, "there is an authority already; it is not overwritten, since clients may trust it")
		} else if !errors.Is(err, os.ErrNotExist) {
			return nil, unreadable(path, err)
		}
	}
	a, err := NewAuthority(o)
	if err != nil {
		return nil, err
	}
	key, err := a.root.KeyPEM()
	if err != nil {
		return nil, err
	}
	// The certificate comes last: where it stands, the key is complete. A crash in between leaves a key that was never used.
	keyPath := filepath.Join(dir, AuthorityKeyFile)
	if err := createFile(keyPath, key, 0o600); err != nil {
		return nil, err
	}
	if err := createFile(filepath.Join(dir, AuthorityCertificateFile), a.CertificatePEM(), 0o644); err != nil {
		return nil, err
	}
	return a, nil
}

// LoadAuthority reads the authority in dir. A key that others than its owner may read is refused.
func LoadAuthority(dir string, o AuthorityOptions) (*Authority, error) {
	certPath, keyPath := filepath.Join(dir, AuthorityCertificateFile), filepath.Join(dir, AuthorityKeyFile)
	info, err := os.Stat(keyPath)
	if err != nil {
		return nil, unreadable(keyPath, err)
	}
	// Windows keeps permissions in access lists that the mode does not show.
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, problem(keyPath, LoosePermission, "mode %04o lets others read the authority's key, with which any name can be impersonated; allow its owner only: chmod 600 %s", mode, keyPath)
	}
	t, err := LoadKeyPair(certPath, keyPath)
	if err != nil {
		return nil, err
	}
	if !t.Leaf.IsCA || t.Leaf.KeyUsage != 0 && t.Leaf.KeyUsage&x509.KeyUsageCertSign == 0 {
		return nil, problem(certPath, NotAuthority, "%s is no certificate authority", commonName(t.Leaf))
	}
	if now := o.now(); now.After(t.Leaf.NotAfter) {
		return nil, problem(certPath, NotAuthority, "the authority expired on %s; make a new one in another directory", t.Leaf.NotAfter.UTC().Format(time.DateOnly))
	}
	root := &Pair{Certificate: t.Leaf, Key: t.PrivateKey.(crypto.Signer)}
	for _, der := range t.Certificate[1:] { // an authority that is itself below another one
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, problem(certPath, Garbled, "%w", err)
		}
		root.Issuers = append(root.Issuers, c)
	}
	return o.authority(root), nil
}

// OpenAuthority loads the authority in dir, or makes one where there is none at all. created says which.
func OpenAuthority(dir string, o AuthorityOptions) (a *Authority, created bool, err error) {
	for range 2 { // two processes may start at once: the one that comes second loads what the first made
		a, err = LoadAuthority(dir, o)
		var fe *FileError
		if err == nil || !errors.As(err, &fe) || !errors.Is(err, os.ErrNotExist) {
			return a, false, err
		}
		if a, err = CreateAuthority(dir, o); err == nil {
			return a, true, nil
		}
		if !errors.As(err, &fe) || fe.Problem != Exists {
			return nil, false, err
		}
	}
	return nil, false, err
}

// createFile writes a new file so that it is either complete or not there, and never replaces one.
func createFile(path string, data []byte, mode os.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return unreadable(path, err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data) // the mode is 0600 until everything is written
	err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close())
	if err != nil {
		return unreadable(path, err)
	}
	// A link fails where the name is taken, a rename would replace it.
	if err := os.Link(tmp.Name(), path); errors.Is(err, os.ErrExist) {
		return problem(path, Exists, "there is an authority already; it is not overwritten, since clients may trust it")
	} else if err != nil {
		if _, statErr := os.Lstat(path); statErr == nil {
			return problem(path, Exists, "there is an authority already; it is not overwritten, since clients may trust it")
		}
		if err := os.Rename(tmp.Name(), path); err != nil { // a file system without links
			return unreadable(path, err)
		}
	}
	return nil
}

// Certificate is the authority's own certificate: what clients have to trust.
func (a *Authority) Certificate() *x509.Certificate { return a.root.Certificate }

// CertificatePEM is Certificate as PEM.
func (a *Authority) CertificatePEM() []byte { return EncodePEM(a.root.Certificate) }

// Fingerprint is the SHA-256 of the certificate in hexadecimal, to compare by eye.
func (a *Authority) Fingerprint() string {
	sum := sha256.Sum256(a.root.Certificate.Raw)
	return hex.EncodeToString(sum[:])
}

// Root is the authority as a pair, to issue from: certificates of every form, also faulty ones.
func (a *Authority) Root() *Pair { return a.root }

// Issue issues a certificate from the template, not from the cache.
func (a *Authority) Issue(t Template) (*Pair, error) { return a.root.Issue(t) }

// String tells the authority's name and fingerprint.
func (a *Authority) String() string {
	return fmt.Sprintf("%s (SHA-256 %s)", commonName(a.root.Certificate), a.Fingerprint())
}
