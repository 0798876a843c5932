package gnutls

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// maxString bounds a priority string.
const maxString = 16 << 10

// Priorities is what a priority string comes to.
type Priorities struct {
	Versions         []wire.Version         // of TLS, in order; DTLS is left out
	CipherSuites     []wire.CipherSuite     // in order: TLS 1.3 first
	Groups           []wire.NamedGroup      // in order
	SignatureSchemes []wire.SignatureScheme // in order
	ServerPrecedence bool                   // %SERVER_PRECEDENCE: the server's order of suites wins; without it the client's does
	NoTickets        bool                   // %NO_TICKETS
	Options          []string               // all words with a "%"
}

// Reasons for an Error, after GnuTLS's.
var (
	ErrInvalid      = errors.New("not understood")           // GNUTLS_E_INVALID_REQUEST
	ErrNoPriorities = errors.New("no priorities were set")   // GNUTLS_E_NO_PRIORITIES_WERE_SET: no version is left, or no suite of any version
	ErrSystem       = errors.New("the machine's own policy") // @SYSTEM and the like
)

// Error is a priority string that GnuTLS refuses.
type Error struct {
	Value  string // the string, cut where it is long
	Offset int    // in bytes, of the element that is not understood; -1: it is the whole
	Word   string // that element
	Reason error
}

// Error says what is wrong and where.
func (e *Error) Error() string {
	text := fmt.Sprintf("gnutls: priority string %q: %v", e.Value, e.Reason)
	if e.Offset >= 0 {
		text += fmt.Sprintf(" at offset %d (%q)", e.Offset, e.Word)
	}
	return text
}

// Unwrap is the reason.
func (e *Error) Unwrap() error { return e.Reason }

func refuse(value string, offset int, word string, reason error) *Error {
	const most = 200
	cut := func(s string) string {
		if len(s) > most {
			return strings.ToValidUTF8(s[:most], "") + "…"
		}
		return s
	}
	return &Error{Value: cut(value), Offset: offset, Word: cut(word), Reason: reason}
}

// Parse reads a priority string as gnutls_priority_init does. Errors are of type *Error.
func Parse(priority string) (*Priorities, error) {
	if len(priority) > maxString {
		return nil, refuse(priority, -1, "", ErrInvalid)
	}
	var s state
	out := &Priorities{}
	at := 0
	for i, word := range strings.Split(priority, ":") {
		if i == 0 && strings.HasPrefix(word, "@") {
			return nil, refuse(priority, 0, word, ErrSystem)
		}
		none := i == 0 && strings.EqualFold(word, "NONE")
		if i == 0 && !none {
			s.versions = protocols()
		}
		if !none && !s.level(word, i > 0) && !out.option(word) && !s.element(word) {
			return nil, refuse(priority, at, word, ErrInvalid)
		}
		at += len(word) + 1
	}
	s.settle()
	suites := s.suites()
	if len(s.versions) == 0 || len(suites) == 0 {
		return nil, refuse(priority, -1, "", ErrNoPriorities)
	}
	s.fill(out, suites)
	return out, nil
}

// Policy is what a server with this priority string and all the keys that it needs accepts.
func (p *Priorities) Policy() *policy.Policy {
	preference := policy.PreferClient
	if p.ServerPrecedence {
		preference = policy.PreferServer
	}
	versions := slices.Clone(p.Versions)
	slices.Sort(versions)
	return &policy.Policy{
		Family: policy.FamilyGnuTLS, Versions: versions, CipherSuites: slices.Clone(p.CipherSuites), Preference: preference,
		Groups: slices.Clone(p.Groups), SignatureSchemes: slices.Clone(p.SignatureSchemes),
	}
}

// option takes a word with a "%", in exactly that spelling.
func (p *Priorities) option(word string) bool {
	switch word {
	case "%SERVER_PRECEDENCE":
		p.ServerPrecedence = true
	case "%NO_TICKETS":
		p.NoTickets = true
	case "%COMPAT", "%DUMBFW", "%NO_EXTENSIONS", "%NO_ETM", "%FORCE_ETM", "%NO_SESSION_HASH", "%STATELESS_COMPRESSION", "%ALLOW_SMALL_RECORDS",
		"%DISABLE_WILDCARDS", "%DISABLE_TLS13_COMPAT_MODE", "%NO_TICKETS_TLS12", "%FALLBACK_SCSV", "%DEBUG_ALLOW_KEY_USAGE_VIOLATIONS",
		"%SSL3_RECORD_VERSION", "%LATEST_RECORD_VERSION", "%NEW_PADDING", "%VERIFY_ALLOW_BROKEN", "%VERIFY_ALLOW_SIGN_RSA_MD5",
		"%VERIFY_ALLOW_SIGN_WITH_SHA1", "%VERIFY_ALLOW_X509_V1_CA_CRT", "%VERIFY_DISABLE_CRL_CHECKS", "%SAFE_RENEGOTIATION", "%UNSAFE_RENEGOTIATION",
		"%PARTIAL_RENEGOTIATION", "%DISABLE_SAFE_RENEGOTIATION", "%PROFILE_VERY_WEAK", "%PROFILE_LOW", "%PROFILE_LEGACY", "%PROFILE_MEDIUM", "%PROFILE_HIGH",
		"%PROFILE_ULTRA", "%PROFILE_FUTURE", "%PROFILE_SUITEB128", "%PROFILE_SUITEB192", "%KEEP_EXTENSION_ORDER", "%NO_SHUFFLE_EXTENSIONS", "%SHUFFLE_EXTENSIONS":
	default:
		return false
	}
	p.Options = append(p.Options, word)
	return true
}
