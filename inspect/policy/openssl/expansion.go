package openssl

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// maxString bounds what is read of one setting. OpenSSL has no bound; a list of all its suites is a tenth of this.
const maxString = 64 << 10

// Options say which OpenSSL reads a string.
type Options struct {
	// Version is the release: "3.0" (the same as empty), "3.0.13", "3.5", "1.1.1", "1.1.1w".
	Version string
	// SecurityLevel is the level before the string is read; nil: what Debian and Ubuntu build in, 2.
	SecurityLevel *int
	// TLS13Suites is the value of Ciphersuites; empty: the three that are on by default.
	TLS13Suites string
	// NoTLS13Suites says that Ciphersuites was set to the empty string, which turns the suites of TLS 1.3 off.
	NoTLS13Suites bool
	// WeakCiphers is a build with enable-weak-ssl-ciphers, which has RC4 and 3DES. Debian's and Ubuntu's do not, Red Hat's do.
	WeakCiphers bool
}

// Expansion is what a cipher string comes to.
type Expansion struct {
	Ciphers       []wire.CipherSuite // TLS 1.2 and below, in order
	TLS13         []wire.CipherSuite // in order
	SecurityLevel int                // as the string leaves it
	SuiteB        SuiteB             // the string is one of the Suite B words
	Ignored       []string           // words that OpenSSL skips without a word, as written: unknown, or excluding each other
}

// SuiteB is a profile of RFC 6460, which also fixes groups and signature schemes.
type SuiteB uint8

// Suite B profiles.
const (
	SuiteBNone    SuiteB = iota
	SuiteB128            // P-256 and P-384
	SuiteB128Only        // P-256
	SuiteB192            // P-384
)

// All are the suites of all versions in OpenSSL's order, which has those of TLS 1.3 first.
func (e Expansion) All() []wire.CipherSuite { return slices.Concat(e.TLS13, e.Ciphers) }

// Names are OpenSSL's names of All.
func (e Expansion) Names() []string {
	all := e.All()
	names := make([]string, len(all))
	for i, c := range all {
		names[i] = Name(c)
	}
	return names
}

// Name is OpenSSL's name of a suite, also where only builds with weak ciphers have it; the IANA name where there is none.
func Name(c wire.CipherSuite) string {
	for i := range suiteTable {
		if suiteTable[i].code == c {
			return suiteTable[i].name
		}
	}
	return c.OpenSSLName()
}

// Suite finds a suite of TLS 1.2 or below by OpenSSL's name, exactly as OpenSSL spells it.
func Suite(name string) (wire.CipherSuite, bool) {
	if s := suiteNamed(name); s != nil {
		return s.code, true
	}
	return 0, false
}

func suiteNamed(name string) *suite {
	for i := range suiteTable {
		if suiteTable[i].name == name {
			return &suiteTable[i]
		}
	}
	return nil
}

// Reasons for an Error, in OpenSSL's words.
var (
	ErrNoCipherMatch  = errors.New("no cipher match")
	ErrInvalidCommand = errors.New("invalid command")
	ErrNotUnderstood  = errors.New("not understood") // a group, scheme or protocol list that OpenSSL refuses
	ErrTooLong        = errors.New("too long")
	ErrVersion        = errors.New("unknown OpenSSL release")
)

// Error is a setting that OpenSSL refuses.
type Error struct {
	Setting string // "cipher string", "ciphersuites", "groups", "signature algorithms", "protocol", "version"
	Value   string // as written, cut where it is long
	Offset  int    // in bytes, of what is wrong; -1: it is the whole
	Word    string // what is wrong there
	Reason  error  // one of the above
}

// Error says what is wrong and where.
func (e *Error) Error() string {
	text := fmt.Sprintf("openssl: %s %q: %v", e.Setting, e.Value, e.Reason)
	if e.Offset >= 0 {
		text += fmt.Sprintf(" at offset %d (%q)", e.Offset, e.Word)
	}
	return text
}

// Unwrap is the reason.
func (e *Error) Unwrap() error { return e.Reason }

func refuse(setting, value string, offset int, word string, reason error) *Error {
	const most = 200
	if len(value) > most {
		value = strings.ToValidUTF8(value[:most], "") + "…"
	}
	if len(word) > most {
		word = strings.ToValidUTF8(word[:most], "") + "…"
	}
	return &Error{Setting: setting, Value: value, Offset: offset, Word: word, Reason: reason}
}

// release is what of the version matters here.
type release uint8

const (
	release111 release = iota
	release30
	release33 // optional groups
	release35 // tuples of groups, post-quantum groups
)

func releaseOf(version string) (release, error) {
	rest, three := strings.CutPrefix(version, "3.")
	minor, _, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(strings.TrimRight(minor, "-abcdefghijklmnopqrstuvwxyz"))
	switch {
	case version == "" || version == "3":
		return release30, nil
	case strings.HasPrefix(version, "1.1.1") || strings.HasPrefix(version, "1.1.0"):
		return release111, nil
	case !three || err != nil || n < 0:
		return 0, refuse("version", version, -1, "", ErrVersion)
	case n >= 5:
		return release35, nil
	case n >= 3:
		return release33, nil
	}
	return release30, nil
}
