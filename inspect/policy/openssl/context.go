package openssl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Context is what a program sets on an SSL_CTX, as far as it decides on a handshake. The zero value is a server with the
// library's own defaults and no certificate.
type Context struct {
	Options             Options
	Client              bool           // it connects: the policy is what it offers, in its order
	Versions            []wire.Version // that are not turned off one by one; nil: TLS 1.0 to 1.3
	Min, Max            wire.Version   // bounds within Versions; 0: none
	Ciphers             string         // cipher string; empty: DEFAULT
	Groups              string         // as -groups; empty: the release's own
	SignatureAlgorithms string         // as -sigalgs; empty: the release's own
	ServerPreference    bool           // the server's order of suites wins
	PrioritizeChaCha    bool           // with ServerPreference: ChaCha20 first where the client has it first
	DHBits              int            // of the parameters that are set; 0: none
	DHAuto              bool           // parameters of a size that fits the certificate are made up
	Certificates        []Certificate  // nil: not known
	ClientAuth          policy.ClientAuth
}

// Certificate is a certificate that a program loads.
type Certificate struct {
	Type policy.CertificateType
	Bits int // of the key; 0: not known
}

// Errors of Command.
var (
	ErrUnknownCommand = errors.New("OpenSSL has no such command")
	ErrBadValue       = errors.New("OpenSSL refuses this value")
	ErrWeakKey        = errors.New("the key is too small for the security level") // of Policy
)

// weakKey is an ErrWeakKey with its numbers.
type weakKey struct{ bits, level, need int }

func (w *weakKey) Error() string {
	return fmt.Sprintf("the RSA key of %d bits is too small for security level %d, which asks for %d", w.bits, w.level, w.need)
}

func (w *weakKey) Is(target error) bool { return target == ErrWeakKey }

// Preference is whose order of suites wins by the options that are set. Suite B sets the server's.
func (c *Context) Preference() policy.Preference {
	switch {
	case !c.ServerPreference:
		return policy.PreferClient
	case c.PrioritizeChaCha:
		return policy.PreferServerChaCha
	}
	return policy.PreferServer
}

// Policy is what the context comes to. Where OpenSSL refuses a setting (and the program, as a rule, does not start), the error
// says so and the release's own setting is taken; what the security level takes away is told as well.
func (c *Context) Policy() (p *policy.Policy, notes []string, errs []error) {
	p = &policy.Policy{Family: policy.FamilyOpenSSL, ClientAuth: c.ClientAuth, NoDHParameters: !c.Client && c.DHBits == 0 && !c.DHAuto}
	e, err := c.expand(&errs)
	if err != nil {
		return p, nil, append(errs, err) // not even the defaults: the release is unknown
	}
	p.Versions = c.versions()
	if e.SuiteB != SuiteBNone { // RFC 6460, Section 3: TLS 1.2 or above
		p.Versions = slices.DeleteFunc(p.Versions, func(v wire.Version) bool { return v < wire.VersionTLS12 })
	}
	for _, suite := range e.All() {
		if c.usable(suite, p.Versions) && !slices.Contains(p.CipherSuites, suite) {
			p.CipherSuites = append(p.CipherSuites, suite)
		}
	}
	c.setGroups(p, e, &errs)
	own := *c
	own.ServerPreference = c.ServerPreference || e.SuiteB != SuiteBNone
	p.Preference = own.Preference()
	for _, cert := range c.Certificates {
		if need := MinRSABits(e.SecurityLevel); cert.Type == policy.CertRSA && cert.Bits > 0 && cert.Bits < need {
			errs = append(errs, &weakKey{cert.Bits, e.SecurityLevel, need})
		}
		if !slices.Contains(p.Certificates, cert.Type) {
			p.Certificates = append(p.Certificates, cert.Type)
		}
	}
	p.Certificates = slices.DeleteFunc(p.Certificates, func(t policy.CertificateType) bool { return !e.SuiteB.takes(t) })
	if need := MinRSABits(e.SecurityLevel); c.DHBits > 0 && c.DHBits < need {
		errs = append(errs, fmt.Errorf("Diffie-Hellman parameters of %d bits are too small for security level %d, which asks for %d", c.DHBits, e.SecurityLevel, need))
		p.NoDHParameters = true
	}
	notes = ApplyLevel(p, e.SecurityLevel, c.Options)
	if e.SuiteB != SuiteBNone {
		notes = append(notes, "Suite B binds the curve to the suite (P-256 to AES-128, P-384 to AES-256), which a policy cannot say")
	}
	return p, notes, errs
}

// takes reports whether a certificate of this kind is used: under Suite B one on another curve is as if it were not there (RFC 6460,
// Section 4). One for RSA stays, and finds no suite.
func (b SuiteB) takes(t policy.CertificateType) bool {
	switch t {
	case policy.CertECDSAP256:
		return b != SuiteB192
	case policy.CertECDSAP384:
		return b != SuiteB128Only
	case policy.CertECDSAP521, policy.CertEd25519:
		return b == SuiteBNone
	}
	return true
}

// expand reads cipher string and suites of TLS 1.3; what is refused is replaced by the default.
func (c *Context) expand(errs *[]error) (Expansion, error) {
	o, list := c.Options, c.Ciphers
	if list == "" {
		list = "DEFAULT"
	}
	if word, instead := profile(list); word != "" {
		*errs = append(*errs, fmt.Errorf("cipher string %q: %w", word, ErrSystemProfile))
		list = instead
	}
	e, err := Ciphers(list, o)
	if err == nil {
		return e, nil
	}
	var refused *Error
	if !errors.As(err, &refused) || refused.Setting == "version" {
		return e, err
	}
	*errs = append(*errs, err)
	if refused.Setting == cipherSuites {
		o.TLS13Suites, o.NoTLS13Suites = "", false
		if e, err = Ciphers(list, o); err == nil {
			return e, nil
		}
		*errs = append(*errs, err)
	}
	if e, err = Ciphers("DEFAULT", o); err != nil && errors.As(err, &refused) && refused.Setting == cipherSuites {
		*errs = append(*errs, err)
		o.TLS13Suites, o.NoTLS13Suites = "", false
		e, err = Ciphers("DEFAULT", o)
	}
	return e, err
}

func (c *Context) setGroups(p *policy.Policy, e Expansion, errs *[]error) {
	groups, schemes := c.Groups, c.SignatureAlgorithms
	switch e.SuiteB { // RFC 6460; the profile overrules what else is set
	case SuiteB128:
		groups, schemes = "P-256:P-384", "ECDSA+SHA256:ECDSA+SHA384"
	case SuiteB128Only:
		groups, schemes = "P-256", "ECDSA+SHA256"
	case SuiteB192:
		groups, schemes = "P-384", "ECDSA+SHA384"
	}
	var err error
	if p.Groups, err = Groups(groups, c.Options); err != nil {
		*errs = append(*errs, err)
		p.Groups, _ = Groups("", c.Options)
	}
	if p.SignatureSchemes, err = SignatureAlgorithms(schemes, c.Options); err != nil {
		*errs = append(*errs, err)
		p.SignatureSchemes, _ = SignatureAlgorithms("", c.Options)
	}
}

// versions are those between the bounds that are not turned off, in rising order.
func (c *Context) versions() []wire.Version {
	on := c.Versions
	if on == nil {
		on = allVersions()
	}
	out := []wire.Version{}
	for v := wire.VersionTLS10; v <= wire.VersionTLS13; v++ { // builds without SSLv3 are all that is left
		if slices.Contains(on, v) && v >= c.Min && (c.Max == 0 || v <= c.Max) {
			out = append(out, v)
		}
	}
	return out
}

func allVersions() []wire.Version {
	return []wire.Version{wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12, wire.VersionTLS13}
}

// usable leaves out suites for which the endpoint has no kind of key (PSK, SRP, DSS), and those of other versions.
func (c *Context) usable(suite wire.CipherSuite, versions []wire.Version) bool {
	info, ok := suite.Info()
	if !ok {
		return false
	}
	if info.TLS13() {
		return slices.Contains(versions, wire.VersionTLS13)
	}
	switch {
	case info.Authentication == "anon": // needs no key
	case info.KeyExchange != "RSA" && info.KeyExchange != "DHE" && info.KeyExchange != "ECDHE":
		return false
	case info.Authentication != "RSA" && info.Authentication != "ECDSA":
		return false
	}
	return slices.ContainsFunc(versions, func(v wire.Version) bool { return v < wire.VersionTLS13 && v >= info.MinVersion })
}

// Command carries out a command of SSL_CONF, as configuration files write it ("MinProtocol", in any case). Effect false: it is
// known and changes nothing in how a handshake is negotiated. Commands that name files are the caller's: see FileCommand.
func (c *Context) Command(name, value string) (effect bool, err error) {
	switch strings.ToLower(name) {
	case "cipherstring":
		c.Ciphers = value
	case "ciphersuites":
		c.Options.TLS13Suites, c.Options.NoTLS13Suites = value, value == ""
	case "groups", "curves":
		c.Groups = value
	case "ecdhparameters":
		if word := strings.ToLower(value); word != "auto" && word != "automatic" && word != "+automatic" {
			c.Groups = value
		}
	case "signaturealgorithms":
		c.SignatureAlgorithms = value
	case "protocol":
		return true, c.protocols(value)
	case "minprotocol":
		return true, bound(&c.Min, value)
	case "maxprotocol":
		return true, bound(&c.Max, value)
	case "options":
		return true, c.options(value)
	case "verifymode":
		return true, c.verifyMode(value)
	case "clientsignaturealgorithms", "recordpadding", "numtickets", "chaincapath", "chaincafile", "chaincastore", "verifycapath",
		"verifycafile", "verifycastore", "requestcafile", "requestcapath", "requestcastore", "clientcafile", "clientcapath",
		"clientcastore", "privatekey", "serverinfofile", "txcertificatecompression", "rxcertificatecompression":
		return false, nil
	default:
		return false, ErrUnknownCommand
	}
	return true, nil
}

// FileCommand reports whether a command of SSL_CONF names a file that decides on handshakes: "Certificate" or "DHParameters".
func FileCommand(name string) bool {
	return strings.EqualFold(name, "Certificate") || strings.EqualFold(name, "DHParameters")
}

func bound(v *wire.Version, word string) error {
	if strings.EqualFold(word, "None") {
		*v = 0
		return nil
	}
	version, ok := Protocol(word)
	if !ok {
		return fmt.Errorf("%w: %q is no protocol", ErrBadValue, word)
	}
	*v = version
	return nil
}

// signed cuts a list as SSL_CONF does: elements between commas, each with an optional sign.
func signed(value string, set func(word string, on bool) error) error {
	for word := range strings.SplitSeq(value, ",") {
		word = trimSpace(word)
		on := !strings.HasPrefix(word, "-")
		if err := set(strings.TrimPrefix(strings.TrimPrefix(word, "-"), "+"), on); err != nil {
			return err
		}
	}
	return nil
}

// protocols turns versions on and off. The first word starts from what is on.
func (c *Context) protocols(value string) error {
	on := c.Versions
	if on == nil {
		on = allVersions()
	}
	on = slices.Clone(on)
	err := signed(value, func(word string, enable bool) error {
		which := allVersions()
		if !strings.EqualFold(word, "ALL") {
			v, ok := Protocol(word)
			if !ok {
				return fmt.Errorf("%w: %q is no protocol", ErrBadValue, word)
			}
			which = []wire.Version{v}
		}
		on = slices.DeleteFunc(on, func(v wire.Version) bool { return slices.Contains(which, v) })
		if enable {
			on = append(on, which...)
		}
		return nil
	})
	if err == nil {
		c.Versions = on
	}
	return err
}

func (c *Context) options(value string) error {
	return signed(value, func(word string, on bool) error {
		switch strings.ToLower(word) {
		case "serverpreference":
			c.ServerPreference = on
		case "prioritizechacha":
			c.PrioritizeChaCha = on
		case "sessionticket", "emptyfragments", "bugs", "compression", "nopostresumption", "noresumptiononrenegotiation", "dhsingle", "ecdhsingle",
			"unsafelegacyrenegotiation", "unsafelegacyserverconnect", "clientrenegotiation", "encryptthenmac", "norenegotiation",
			"allownodhekex", "prefernodhekex", "middleboxcompat", "antireplay", "extendedmastersecret", "canames", "ktls",
			"certificatecompression", "ktlstxzerocopysendfile", "ignoreunexpectedeof", "txcertificatecompression", "rxcertificatecompression":
		default:
			return fmt.Errorf("%w: %q is no option", ErrBadValue, word)
		}
		return nil
	})
}

func (c *Context) verifyMode(value string) error {
	return signed(value, func(word string, on bool) error {
		var auth policy.ClientAuth
		switch strings.ToLower(word) {
		case "peer", "request", "once", "requestposthandshake":
			auth = policy.ClientAuthRequest
		case "require", "requireposthandshake":
			auth = policy.ClientAuthRequire
		default:
			return fmt.Errorf("%w: %q is no verification mode", ErrBadValue, word)
		}
		if on {
			c.ClientAuth = auth
		}
		return nil
	})
}
