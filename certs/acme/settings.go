package acme

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/tlstriage/tlstriage/certs"
	"golang.org/x/net/idna"
)

// LetsEncrypt is the directory of Let's Encrypt.
const LetsEncrypt = certmagic.LetsEncryptProductionCA

// Challenge is a way to prove the control of a name.
type Challenge string

// Challenges.
const (
	TLSALPN01 Challenge = "tls-alpn-01" // RFC 8737: the authority connects to port 443 of the name
	HTTP01    Challenge = "http-01"     // RFC 8555, Section 8.3: the authority connects to port 80 of the name
)

// Storage keeps certificates, keys and accounts, and holds the locks by which replicas agree who orders. Whoever can read it
// has the keys.
type Storage = certmagic.Storage

// KeyInfo is what a Storage's Stat returns.
type KeyInfo = certmagic.KeyInfo

// ExternalAccount binds the account to one that the authority knows already (RFC 8555, Section 7.3.4).
type ExternalAccount struct {
	KeyID  string
	MACKey string // base64url, as authorities hand it out; secret
}

// Settings say what to serve and where it comes from. Using an authority means agreeing to its terms of service.
type Settings struct {
	Directory string           // URL of the ACME directory; empty: LetsEncrypt
	Email     string           // contact of the account; empty: none
	External  *ExternalAccount // nil: none
	Roots     *x509.CertPool   // to verify the directory's own certificate; nil: the system's

	// Names to order: DNS names, and IP addresses where the authority certifies them. "*.example.com" stands for every name
	// with one label more: each is ordered by itself when the first client asks for it, at most MaxOnDemand of them.
	Names       []string
	OnDemand    bool        // order the other names, too, only when the first client asks; otherwise at Start
	MaxOnDemand int         // 0: 100. Authorities limit the orders of a week; strangers could use them up with invented names
	Challenges  []Challenge // nil: TLSALPN01 alone
	Default     string      // the one of Names to serve to clients without SNI; empty: the address they connected to

	// LocalNames are certified by Local. "*" stands for every name.
	LocalNames []string
	Local      *certs.Authority // nil: there must be no LocalNames

	// Other serves what is in neither list. Nil: such clients get the alert unrecognized_name.
	Other func(*tls.ClientHelloInfo) (*tls.Certificate, error)

	Dir     string  // of the files; made for its owner only
	Storage Storage // instead of Dir

	Wait         time.Duration // how long a handshake waits for its certificate to be ordered; 0: 10 s
	RenewBefore  float64       // share of its lifetime that a certificate has left when it is renewed; 0: a third. The authority's own wishes (RFC 9773) come first
	CheckEvery   time.Duration // how often renewal is looked at; 0: ten minutes
	NoStapling   bool          // fetch and staple no OCSP responses
	OrderTimeout time.Duration // of one order; 0: 5 minutes

	OnEvent func(Event) // called for every Event, one after the other for each name; it must return soon. Nil: nobody listens
}

// minMACKey is the least length of a key for HS256 in bytes: RFC 7518, Section 3.2, "A key of the same size as the hash output […] or
// larger MUST be used with this algorithm."
const minMACKey = 32

// validated are the settings with defaults filled in and names in their normal form; the error joins all that is wrong.
func (s Settings) validated() (Settings, error) {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("acme: "+format, args...)) }
	if s.Directory == "" {
		s.Directory = LetsEncrypt
	}
	if u, err := url.Parse(s.Directory); err != nil || u.Host == "" || u.Scheme != "https" {
		// RFC 8555, Section 6.1: "the ACME protocol must be run over HTTPS".
		bad("directory: %q is no https URL", s.Directory)
	}
	if len(s.Names)+len(s.LocalNames) == 0 {
		bad("names: there is none to serve")
	}
	var err error
	if s.Names, err = normalNames(s.Names, false); err != nil {
		bad("names: %w", err)
	}
	if s.LocalNames, err = normalNames(s.LocalNames, true); err != nil {
		bad("local names: %w", err)
	}
	if len(s.LocalNames) > 0 && s.Local == nil {
		bad("local names: there is no local authority")
	}
	if s.Default != "" {
		if s.Default, err = normalName(s.Default); err != nil || !slices.Contains(s.Names, s.Default) {
			bad("default name: %q is none of the names", s.Default)
		}
	}
	if len(s.Challenges) == 0 {
		s.Challenges = []Challenge{TLSALPN01}
	}
	for _, c := range s.Challenges {
		if c != TLSALPN01 && c != HTTP01 {
			bad("challenge: %q is neither %s nor %s", c, TLSALPN01, HTTP01)
		}
	}
	if e := s.External; e != nil {
		if e.KeyID == "" || e.MACKey == "" {
			bad("external account: key id and MAC key belong together")
		} else if key, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(e.MACKey, "=")); err != nil || len(key) == 0 {
			bad("external account: the MAC key is no base64url") // never the key itself
		} else if len(key) < minMACKey {
			bad("external account: the MAC key has %d bytes, and %d are the least for HS256: it is cut off, or something else", len(key), minMACKey)
		} else {
			s.External = &ExternalAccount{KeyID: e.KeyID, MACKey: strings.TrimRight(e.MACKey, "=")}
		}
	}
	if (s.Dir == "") == (s.Storage == nil) {
		bad("storage: exactly one of a directory and a storage is needed")
	}
	if s.RenewBefore < 0 || s.RenewBefore >= 1 {
		bad("renew before: %v is not between 0 and 1", s.RenewBefore)
	}
	s.Wait = orDefault(s.Wait, 10*time.Second)
	s.CheckEvery = orDefault(s.CheckEvery, certmagic.DefaultRenewCheckInterval)
	s.OrderTimeout = orDefault(s.OrderTimeout, 5*time.Minute)
	if s.MaxOnDemand <= 0 {
		s.MaxOnDemand = 100
	}
	if s.RenewBefore == 0 {
		s.RenewBefore = certmagic.DefaultRenewalWindowRatio
	}
	return s, errors.Join(errs...)
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// normalNames checks names, which may be wildcards, and with all also "*" alone.
func normalNames(names []string, all bool) ([]string, error) {
	var out []string
	var errs []error
	for _, n := range names {
		if n == "*" && all {
			out = append(out, n)
			continue
		}
		rest, wildcard := strings.CutPrefix(n, "*.")
		name, err := normalName(rest)
		if err == nil && wildcard {
			if _, ip := netip.ParseAddr(name); ip == nil || !strings.Contains(name, ".") {
				err = fmt.Errorf("%q covers too much", n)
			}
			name = "*." + name
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out, errors.Join(errs...)
}

// normalName is a name as certificates and hellos have it: an address, or lower case ASCII without a trailing dot.
func normalName(name string) (string, error) {
	if ip, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil && ip.Zone() == "" {
		return ip.Unmap().String(), nil
	}
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(name, "."))
	if err != nil || ascii == "" || len(ascii) > 253 || !certmagic.SubjectQualifiesForCert(ascii) || strings.Contains(ascii, "*") {
		return "", fmt.Errorf("%q is no name for a certificate", clip(name))
	}
	return strings.ToLower(ascii), nil
}

func clip(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}

// covers says whether a list has the name, by itself, by a wildcard of one label, or by "*".
func covers(list []string, name string) bool {
	_, parent, _ := strings.Cut(name, ".")
	_, notIP := netip.ParseAddr(name)
	return slices.ContainsFunc(list, func(n string) bool {
		return n == "*" || n == name || notIP != nil && parent != "" && n == "*."+parent
	})
}
