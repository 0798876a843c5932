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
	rsa   rsaKey
}

// NewAuthority makes an authority in memory, gone when the process ends.
func NewAuthority(o AuthorityOptions) (*Authority, error) { return newAuthority(o, nil) }

// newAuthority makes an authority with the key, or a new one.
func newAuthority(o AuthorityOptions, key crypto.Signer) (*Authority, error) {
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
	root, err := SelfSign(Template{CommonName: name, Organization: "tlstriage", CA: true, Signer: key, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(validity)})
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

// CreateAuthority makes an authority in dir, which is made with mode 0700 if it is missing. A certificate that is there
// already is an error: clients may trust it.
func CreateAuthority(dir string, o AuthorityOptions) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unreadable(dir, err)
	}
	certPath, keyPath := filepath.Join(dir, AuthorityCertificateFile), filepath.Join(dir, AuthorityKeyFile)
	if _, err := os.Lstat(certPath); err == nil {
		return nil, exists(certPath)
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, unreadable(certPath, err)
	}
	// The certificate is written last: where it stands, the key is complete. A crash in between leaves a key without a
	// certificate, which is then used.
	key, err := loadAuthorityKey(keyPath)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	a, err := newAuthority(o, key)
	if err != nil {
		return nil, err
	}
	if key == nil {
		data, err := a.root.KeyPEM()
		if err != nil {
			return nil, err
		}
		if err := createFile(keyPath, data, 0o600); err != nil {
			return nil, err
		}
	}
	if err := createFile(certPath, a.CertificatePEM(), 0o644); err != nil {
		return nil, err
	}
	return a, nil
}

func exists(path string) error {
	return problem(path, Exists, "this file is there already; it is not overwritten, since clients may trust it")
}

// loadAuthorityKey reads the key; one that others than its owner may read is refused.
func loadAuthorityKey(path string) (crypto.Signer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	// Windows keeps permissions in access lists that the mode does not show.
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, problem(path, LoosePermission, "mode %04o lets others read the authority's key, with which any name can be impersonated; allow its owner only: chmod 600 %s", mode, path)
	}
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return parseKey(path, data)
}

// LoadAuthority reads the authority in dir. A key that others than its owner may read is refused. Errors are *FileError.
func LoadAuthority(dir string, o AuthorityOptions) (*Authority, error) {
	certPath, keyPath := filepath.Join(dir, AuthorityCertificateFile), filepath.Join(dir, AuthorityKeyFile)
	if _, err := loadAuthorityKey(keyPath); err != nil {
		return nil, err
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
	for range 3 { // of processes that start at once one makes it, and the others load that
		if a, err = LoadAuthority(dir, o); err == nil {
			return a, false, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return nil, false, err
		}
		var createErr error
		if a, createErr = CreateAuthority(dir, o); createErr == nil {
			return a, true, nil
		}
		var fe *FileError
		if !errors.As(createErr, &fe) || fe.Problem != Exists {
			return nil, false, createErr
		}
	}
	return nil, false, err // a certificate whose key is gone
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
		return exists(path)
	} else if err != nil {
		if _, statErr := os.Lstat(path); statErr == nil {
			return exists(path)
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
