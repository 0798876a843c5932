package revocation

import (
	"crypto/x509"
	"fmt"
	"strings"
	"time"
)

// Result is what came of asking about a certificate.
type Result string

// Results. Good, Revoked and NotNeeded settle the question; all others leave it open.
const (
	Good             Result = "good"
	Revoked          Result = "revoked"
	Unknown          Result = "unknown"           // the responder says so, or no source settled it
	Expired          Result = "expired"           // the time of the next update has passed
	NotYetValid      Result = "not_yet_valid"     // made in the future
	WrongCertificate Result = "wrong_certificate" // an answer, but about others
	BadSignature     Result = "bad_signature"     // by nobody who may, or too weak to mean anything
	Malformed        Result = "malformed"         // not what it should be
	ErrorStatus      Result = "error_status"      // the responder answers with an error: tryLater, unauthorized, ...
	Unsupported      Result = "unsupported"       // of a kind that is not followed: delta and indirect lists, critical extensions
	Unreachable      Result = "unreachable"       // no answer, too late, too long, or not HTTP 200
	Forbidden        Result = "forbidden"         // the address or scheme must not be asked
	NoSource         Result = "no_source"         // the certificate names nobody to ask
	NotNeeded        Result = "not_needed"        // short-lived, or marked as never revoked (RFC 9608)
	NotChecked       Result = "not_checked"       // the mode does not look
)

// Settles says whether the result answers the question.
func (r Result) Settles() bool { return r == Good || r == Revoked || r == NotNeeded }

// Source is where an answer came from.
type Source string

// Sources.
const (
	FromStaple Source = "staple"
	FromOCSP   Source = "ocsp"
	FromCRL    Source = "crl"
)

// Reason is why a certificate was revoked: CRLReason of RFC 5280, Section 5.3.1.
type Reason int

// Reasons that the package acts on.
const (
	CertificateHold Reason = 6 // the only one that can be taken back
	RemoveFromCRL   Reason = 8 // of delta lists: no longer revoked
)

// String is the name in RFC 5280.
func (r Reason) String() string {
	switch r {
	case 0:
		return "unspecified"
	case 1:
		return "keyCompromise"
	case 2:
		return "cACompromise"
	case 3:
		return "affiliationChanged"
	case 4:
		return "superseded"
	case 5:
		return "cessationOfOperation"
	case CertificateHold:
		return "certificateHold"
	case RemoveFromCRL:
		return "removeFromCRL"
	case 9:
		return "privilegeWithdrawn"
	case 10:
		return "aACompromise"
	}
	return fmt.Sprintf("reason %d", int(r))
}

// MarshalText writes the name.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (r *Reason) UnmarshalText(text []byte) error {
	for known := range Reason(11) {
		if known.String() == string(text) {
			*r = known
			return nil
		}
	}
	if _, err := fmt.Sscanf(string(text), "reason %d", (*int)(r)); err != nil {
		return fmt.Errorf("revocation: reason %q is unknown", clip(string(text)))
	}
	return nil
}

// Answer is what one source said of one certificate, as evidence: where it came from, what it said, when, and why it is
// believed or not.
type Answer struct {
	Source Source `json:"source"`
	URL    string `json:"url,omitempty"` // that was asked; the name of a local list; empty for a staple
	Result Result `json:"result"`
	Said   Result `json:"said,omitempty"` // what a verified answer said before its age was judged: good, revoked or unknown
	Detail string `json:"detail"`         // one sentence with the values seen; strangers' strings in it are bounded and quoted

	ProducedAt time.Time `json:"produced_at,omitzero"` // OCSP only
	ThisUpdate time.Time `json:"this_update,omitzero"`
	NextUpdate time.Time `json:"next_update,omitzero"` // zero: none was given
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
	Reason     Reason    `json:"reason,omitzero"` // of a revocation; 0 is unspecified

	Signer    string                  `json:"signer,omitempty"`    // subject of who signed
	Delegated bool                    `json:"delegated,omitempty"` // the signer is a responder that the issuer empowered, not the issuer
	NoCheck   bool                    `json:"no_check,omitempty"`  // the delegated signer carries id-pkix-ocsp-nocheck
	Algorithm x509.SignatureAlgorithm `json:"-"`

	AskedAt time.Time `json:"asked_at,omitzero"` // when it was fetched; an answer from memory keeps the time of the request
	Err     error     `json:"-"`                 // the error below, typed where a caller may decide on it: *FetchError, *AddressError

	signer *x509.Certificate // the delegated signer, whose own validity is judged with the answer's age
}

// freshness is how old an answer may be.
type freshness struct {
	skew   time.Duration
	maxAge time.Duration // of an answer without nextUpdate
}

// judged is the answer as it stands at a moment. Only answers whose signature was verified (Said is set) change with time.
func (a Answer) judged(now time.Time, f freshness) Answer {
	if a.Said == "" {
		return a
	}
	a.Result = a.Said
	switch {
	case a.ThisUpdate.After(now.Add(f.skew)):
		a.Result, a.Detail = NotYetValid, fmt.Sprintf("the answer is of %s, which is still to come: the clock here says %s", stamp(a.ThisUpdate), stamp(now))
	case a.signer != nil && now.Before(a.signer.NotBefore.Add(-f.skew)):
		a.Result, a.Detail = BadSignature, fmt.Sprintf("the responder's certificate (%s) is not valid before %s", subject(a.signer), stamp(a.signer.NotBefore))
	case a.Said == Revoked && a.Reason != CertificateHold:
		// A revocation is for ever: an old answer says it as well as a new one, and nothing newer can take it back.
		a.Detail = fmt.Sprintf("revoked at %s (%s), says %s of %s", stamp(a.RevokedAt), a.Reason, a.by(), stamp(a.ThisUpdate))
	case a.signer != nil && now.After(a.signer.NotAfter.Add(f.skew)):
		a.Result, a.Detail = BadSignature, fmt.Sprintf("the responder's certificate (%s) expired at %s", subject(a.signer), stamp(a.signer.NotAfter))
	case !a.NextUpdate.IsZero() && now.After(a.NextUpdate.Add(f.skew)):
		a.Result, a.Detail = Expired, fmt.Sprintf("the answer (%s) was good until %s; it is %s now", a.Said, stamp(a.NextUpdate), stamp(now))
	case a.NextUpdate.IsZero() && now.Sub(a.ThisUpdate) > f.maxAge+f.skew:
		a.Result, a.Detail = Expired, fmt.Sprintf("the answer (%s) is of %s and names no next update; older than %s is not believed", a.Said, stamp(a.ThisUpdate), f.maxAge)
	case a.Said == Revoked:
		a.Detail = fmt.Sprintf("on hold since %s (%s), says %s of %s", stamp(a.RevokedAt), a.Reason, a.by(), stamp(a.ThisUpdate))
	case a.Said == Good:
		a.Detail = fmt.Sprintf("not revoked, says %s of %s%s", a.by(), stamp(a.ThisUpdate), a.until())
	case a.Said == Unknown && a.Detail == "":
		a.Detail = fmt.Sprintf("the responder does not know the certificate, says %s of %s", a.by(), stamp(a.ThisUpdate))
	}
	return a
}

// by names the document in a sentence.
func (a Answer) by() string {
	what := "the OCSP response"
	switch {
	case a.Source == FromStaple:
		what = "the stapled OCSP response"
	case a.Source == FromCRL:
		what = "the revocation list"
	}
	if a.Delegated {
		what += " signed by " + a.Signer
	}
	return what
}

func (a Answer) until() string {
	if a.NextUpdate.IsZero() {
		return ""
	}
	return ", good until " + stamp(a.NextUpdate)
}

// failed is an answer that says nothing of the certificate.
func failed(result Result, err error) Answer {
	return Answer{Result: result, Detail: strings.TrimPrefix(err.Error(), "revocation: "), Err: err}
}

// stamp writes a time in a sentence.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// maxTextBytes bounds one string of a stranger in a sentence.
const maxTextBytes = 200

// clip bounds a stranger's string.
func clip(s string) string {
	if len(s) <= maxTextBytes {
		return s
	}
	return strings.ToValidUTF8(s[:maxTextBytes], "") + "…"
}

// subject names a certificate in a sentence, quoted.
func subject(c *x509.Certificate) string {
	switch {
	case c.Subject.CommonName != "":
		return fmt.Sprintf("%q", clip(c.Subject.CommonName))
	case len(c.Subject.Names) > 0:
		return fmt.Sprintf("%q", clip(c.Subject.String()))
	case len(c.DNSNames) > 0:
		return fmt.Sprintf("%q", clip(c.DNSNames[0]))
	}
	return "a certificate without a subject"
}
