package revocation_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/revocation"
	"github.com/tlstriage/tlstriage/inspect/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const name = "www.example.com"

// single is one SingleResponse to make.
type single struct {
	issuer     *x509.Certificate
	serial     *big.Int
	hash       crypto.Hash // 0: SHA-1
	said       revocation.Result
	at         time.Time
	reason     int
	thisUpdate time.Time
	nextUpdate time.Time // zero: none
	critical   bool
}

// response is an OCSP response to make; x/crypto/ocsp makes none of the odd ones.
type response struct {
	by       *certs.Pair
	byKey    bool // name the responder by its key
	certs    []*x509.Certificate
	singles  []single
	nonce    []byte
	critical bool
	named    *x509.Certificate // named as the responder; nil: by
}

func (r response) der(t testing.TB) []byte {
	t.Helper()
	explicit := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
	extension := func(b *cryptobyte.Builder, oid asn1.ObjectIdentifier, critical bool, value []byte) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oid)
			if critical {
				b.AddASN1Boolean(true)
			}
			b.AddASN1OctetString(value)
		})
	}
	strange := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}
	named := r.named
	if named == nil {
		named = r.by.Certificate
	}
	var data cryptobyte.Builder
	data.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if r.byKey {
			sum := sha1.Sum(publicKey(t, named))
			b.AddASN1(explicit(2), func(b *cryptobyte.Builder) { b.AddASN1OctetString(sum[:]) })
		} else {
			b.AddASN1(explicit(1), func(b *cryptobyte.Builder) { b.AddBytes(named.RawSubject) })
		}
		b.AddASN1GeneralizedTime(r.singles[0].thisUpdate.UTC())
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, s := range r.singles {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					hash, oid := s.hash, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
					if hash == 0 {
						hash, oid = crypto.SHA1, asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
					}
					sum := func(b []byte) []byte {
						w := hash.New()
						w.Write(b)
						return w.Sum(nil)
					}
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oid); b.AddASN1NULL() })
						b.AddASN1OctetString(sum(s.issuer.RawSubject))
						b.AddASN1OctetString(sum(publicKey(t, s.issuer)))
						b.AddASN1BigInt(s.serial)
					})
					switch s.said {
					case revocation.Good:
						b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(*cryptobyte.Builder) {})
					case revocation.Unknown:
						b.AddASN1(cbasn1.Tag(2).ContextSpecific(), func(*cryptobyte.Builder) {})
					case revocation.Revoked:
						b.AddASN1(explicit(1), func(b *cryptobyte.Builder) {
							b.AddASN1GeneralizedTime(s.at.UTC())
							b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddASN1Enum(int64(s.reason)) })
						})
					}
					b.AddASN1GeneralizedTime(s.thisUpdate.UTC())
					if !s.nextUpdate.IsZero() {
						b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(s.nextUpdate.UTC()) })
					}
					if s.critical {
						b.AddASN1(explicit(1), func(b *cryptobyte.Builder) {
							b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { extension(b, strange, true, []byte{5, 0}) })
						})
					}
				})
			}
		})
		if r.nonce != nil || r.critical {
			b.AddASN1(explicit(1), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					if r.nonce != nil {
						var octets cryptobyte.Builder
						octets.AddASN1OctetString(r.nonce)
						extension(b, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}, false, octets.BytesOrPanic())
					}
					if r.critical {
						extension(b, strange, true, []byte{5, 0})
					}
				})
			})
		}
	})
	tbs, err := data.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(tbs)
	signature, err := ecdsa.SignASN1(rand.Reader, r.by.Key.(*ecdsa.PrivateKey), sum[:])
	if err != nil {
		t.Fatal(err)
	}
	var basic cryptobyte.Builder
	basic.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2})
		})
		b.AddASN1BitString(signature)
		if len(r.certs) > 0 {
			b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					for _, c := range r.certs {
						b.AddBytes(c.Raw)
					}
				})
			})
		}
	})
	inner, err := basic.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	var out cryptobyte.Builder
	out.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Enum(0)
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1})
				b.AddASN1OctetString(inner)
			})
		})
	})
	return out.BytesOrPanic()
}

// errorResponse is an OCSP response that is an error.
func errorResponse(status byte) []byte { return []byte{0x30, 0x03, 0x0a, 0x01, status} }

func publicKey(t testing.TB, c *x509.Certificate) []byte {
	t.Helper()
	var spki struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &spki); err != nil {
		t.Fatal(err)
	}
	return spki.Key.RightAlign()
}

// about is a single response about a certificate, made an hour ago and good for a day.
func about(c, issuer *x509.Certificate, said revocation.Result, now time.Time) single {
	return single{issuer: issuer, serial: c.SerialNumber, said: said, at: now.Add(-48 * time.Hour), reason: 1, thisUpdate: now.Add(-time.Hour), nextUpdate: now.Add(23 * time.Hour)}
}

// delegate issues a responder's certificate.
func delegate(p *certstest.PKI, issuer *certs.Pair, more ...func(*certs.Template)) *certs.Pair {
	t := certs.Template{CommonName: "Test Responder", Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: []byte{5, 0}}}}
	for _, change := range more {
		change(&t)
	}
	return p.Issue(issuer, t)
}

// crl makes a list of the issuer with Go's library.
func crl(t testing.TB, by *certs.Pair, template *x509.RevocationList) []byte {
	t.Helper()
	if template.Number == nil {
		template.Number = big.NewInt(7)
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, by.Certificate, by.Key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// site is an HTTP server on loopback that answers by path and counts.
type site struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string // method and path
	handlers map[string]http.HandlerFunc
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{handlers: make(map[string]http.HandlerFunc)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" /"+first)
		handler := s.handlers[first]
		s.mu.Unlock()
		if handler == nil {
			http.NotFound(w, r)
			return
		}
		handler(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// on answers requests below a path, and is the URL of it.
func (s *site) on(path string, f http.HandlerFunc) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handlers[path] = f
	return s.URL + "/" + path
}

// serve answers with a body.
func (s *site) serve(path string, body []byte) string {
	return s.on(path, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
}

func (s *site) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.requests...)
}

// newFetcher reaches loopback, as a private authority's user would allow it.
func newFetcher(t testing.TB, more ...func(*revocation.FetchOptions)) *revocation.Fetcher {
	t.Helper()
	o := revocation.FetchOptions{AllowHosts: []string{"127.0.0.1"}, Timeout: 20 * time.Second}
	for _, change := range more {
		change(&o)
	}
	f, err := revocation.NewFetcher(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func newChecker(t testing.TB, o revocation.Options) *revocation.Checker {
	t.Helper()
	if o.Fetcher == nil {
		o.Fetcher = newFetcher(t)
	}
	c, err := revocation.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// path is the chain of a pair up to its root.
func path(p *certs.Pair) []*x509.Certificate {
	return append([]*x509.Certificate{p.Certificate}, p.Issuers...)
}

// shallow is a chain of leaf and root, so that one certificate is asked about.
func shallow(p *certstest.PKI, t certs.Template) *certs.Pair {
	if t.Names == nil {
		t.Names = []string{name}
	}
	return p.Issue(p.Root, t)
}

func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

func readAll(t testing.TB, r io.Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Error(err)
	}
	return b
}

// only is the status of the one certificate of a shallow chain.
func only(t testing.TB, s revocation.Status) revocation.CertificateStatus {
	t.Helper()
	if len(s.Certificates) != 1 {
		t.Fatalf("%d certificates, want 1: %+v", len(s.Certificates), s)
	}
	return s.Certificates[0]
}

// run is the standard output of a program.
func run(t testing.TB, path string, args ...string) []byte {
	t.Helper()
	command := exec.Command(path, args...)
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", path, args, err, stderr.String())
	}
	return out
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock(at time.Time) *clock { return &clock{at: at} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// pkcs7 is a certs-only message (RFC 5652): nobody signs it.
func pkcs7(list ...*x509.Certificate) []byte {
	var b cryptobyte.Builder
	explicit0 := cbasn1.Tag(0).ContextSpecific().Constructed()
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2})
		b.AddASN1(explicit0, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				b.AddASN1(cbasn1.SET, func(*cryptobyte.Builder) {})
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1})
				})
				b.AddASN1(explicit0, func(b *cryptobyte.Builder) {
					for _, c := range list {
						b.AddBytes(c.Raw)
					}
				})
				b.AddASN1(cbasn1.SET, func(*cryptobyte.Builder) {})
			})
		})
	})
	return b.BytesOrPanic()
}
