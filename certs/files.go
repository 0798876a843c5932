package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// KeyPairFiles names the PEM files of one certificate chain and its key; both may be the same file.
type KeyPairFiles struct {
	Cert string
	Key  string
}

// Files serves key pairs from disk, chosen by SNI and by what the client supports. Reload and Watch replace all of them
// at once, or none: while any of the files is wrong the certificates read before stay in use. It is safe for concurrent use.
type Files struct {
	// Poll is how often Watch looks at the files besides being told of changes, for file systems that tell nothing. 0: a minute.
	Poll time.Duration
	// Settle is how long Watch waits after a change for the other file of a pair to be written too. 0: 300 ms.
	Settle time.Duration

	pairs   []KeyPairFiles
	serving atomic.Pointer[fileSet]
	reload  sync.Mutex        // one reload at a time
	seen    [sha256.Size]byte // of the contents that the last reload found; guarded by reload
}

// fileSet is what one successful reading of the files gave. It is never changed.
type fileSet struct {
	all    []*tls.Certificate            // in the order configured; the first is the default
	byName map[string][]*tls.Certificate // lower case; wildcards with their asterisk
}

// LoadFiles reads the pairs; the first is the default for names that none covers. All that is wrong is said at once: the
// error joins one *FileError for each bad pair.
func LoadFiles(pairs ...KeyPairFiles) (*Files, error) {
	if len(pairs) == 0 {
		return nil, errors.New("certs: no certificate files were given")
	}
	f := &Files{pairs: slices.Clone(pairs)}
	if err := f.Reload(); err != nil {
		return nil, err
	}
	return f, nil
}

// Reload reads all files anew. When one of them is wrong the error says so and what was served before stays.
func (f *Files) Reload() error {
	f.reload.Lock()
	defer f.reload.Unlock()
	return f.read()
}

// read is Reload under the lock.
func (f *Files) read() error {
	f.seen = f.digest()
	set := &fileSet{byName: map[string][]*tls.Certificate{}}
	var errs []error
	for _, p := range f.pairs {
		c, err := LoadKeyPair(p.Cert, p.Key)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		set.add(c)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	f.serving.Store(set)
	return nil
}

// digest is over the contents of all files, or what the file system says of those that cannot be read.
func (f *Files) digest() (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, p := range f.pairs {
		for _, path := range []string{p.Cert, p.Key} {
			data, err := readFile(path)
			if err != nil {
				data = []byte(err.Error())
			}
			part := sha256.Sum256(data)
			h.Write(part[:])
		}
	}
	h.Sum(sum[:0])
	return sum
}

func (s *fileSet) add(c *tls.Certificate) {
	s.all = append(s.all, c)
	names := c.Leaf.DNSNames
	if len(names) == 0 && len(c.Leaf.IPAddresses) == 0 && c.Leaf.Subject.CommonName != "" {
		names = []string{c.Leaf.Subject.CommonName} // no client accepts it today, but it is what the operator means
	}
	for _, n := range names {
		n = strings.ToLower(strings.TrimSuffix(n, "."))
		s.byName[n] = append(s.byName[n], c)
	}
}

// covering are the certificates for a name: exact ones before wildcards (RFC 9525, Section 6.3: for the left-most label).
func (s *fileSet) covering(name string) []*tls.Certificate {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	list := s.byName[name]
	if i := strings.IndexByte(name, '.'); i > 0 {
		if wild := s.byName["*"+name[i:]]; len(wild) > 0 {
			list = slices.Concat(list, wild)
		}
	}
	return list
}

// GetCertificate has the shape of tls.Config.GetCertificate. Of the certificates that cover the SNI (without one, or
// where none covers it: of all, in their order) the first that the client can use is taken, so that an ECDSA and an RSA
// certificate can stand side by side for one name; where it can use none, the first.
func (f *Files) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	set := f.serving.Load()
	list := set.covering(hello.ServerName)
	if len(list) == 0 {
		list = set.likeDefault()
	}
	nameless := *hello // the name was looked at already, and must not refuse the default certificate
	nameless.ServerName = ""
	for _, c := range list {
		if nameless.SupportsCertificate(c) == nil {
			return c, nil
		}
	}
	return list[0], nil
}

// likeDefault are the default certificate and those with a name in common with it: the same site with another kind of key.
// A client without SNI must not be served another site's certificate only because its key fits.
func (s *fileSet) likeDefault() []*tls.Certificate {
	first := s.all[0]
	list := []*tls.Certificate{first}
	for _, c := range s.all[1:] {
		if slices.ContainsFunc(c.Leaf.DNSNames, func(n string) bool { return slices.Contains(first.Leaf.DNSNames, n) }) {
			list = append(list, c)
		}
	}
	return list
}

// Covers says whether a certificate for the name is served, not merely the default one.
func (f *Files) Covers(name string) bool { return len(f.serving.Load().covering(name)) > 0 }

// Certificates are those being served, the default first. They must not be changed.
func (f *Files) Certificates() []*tls.Certificate { return slices.Clone(f.serving.Load().all) }
