package revocation

import (
	"errors"
	"fmt"
	"time"
)

// Status is what is known of a whole chain.
type Status struct {
	Mode         Mode                `json:"mode"`
	Result       Result              `json:"result"`           // revoked if any certificate is; good if none needs more; unknown otherwise; not_checked in mode off
	Staple       *Answer             `json:"staple,omitempty"` // what the stapled OCSP response says of the leaf; nil: nothing was stapled
	MustStaple   bool                `json:"must_staple,omitempty"`
	Certificates []CertificateStatus `json:"certificates"` // as in the chain that was given, leaf first
	CheckedAt    time.Time           `json:"checked_at"`
	ValidUntil   time.Time           `json:"valid_until"` // when it is worth asking again
}

// CertificateStatus is what is known of one certificate.
type CertificateStatus struct {
	Index   int      `json:"index"`   // in the chain that was given
	Subject string   `json:"subject"` // bounded and quoted
	Serial  string   `json:"serial"`  // hexadecimal
	Result  Result   `json:"result"`
	Detail  string   `json:"detail"`
	Answers []Answer `json:"answers,omitempty"` // everything that was looked at, in the order asked
	Decided int      `json:"decided"`           // index in Answers of the one that settled it; -1: none did

	expires time.Time // when to ask again
}

// Answer is the one that settled it; nil when none did.
func (s CertificateStatus) Answer() *Answer {
	if s.Decided < 0 || s.Decided >= len(s.Answers) {
		return nil
	}
	return &s.Answers[s.Decided]
}

// ErrRevoked and ErrUnknown are what Status.Err is, for errors.Is.
var (
	ErrRevoked = errors.New("revocation: a certificate of the chain is revoked")
	ErrUnknown = errors.New("revocation: nobody says whether a certificate of the chain is revoked, and the mode requires an answer")
)

// Err is why the mode refuses the chain: ErrRevoked, ErrUnknown, or nil. The text names the certificate.
func (s Status) Err() error {
	if s.Mode == Off {
		return nil
	}
	for _, c := range s.Certificates {
		if c.Result == Revoked {
			return fmt.Errorf("%w: certificate %d, %s: %s", ErrRevoked, c.Index, c.Subject, c.Detail)
		}
	}
	if s.Mode != Require {
		return nil
	}
	for _, c := range s.Certificates {
		if !c.Result.Settles() {
			return fmt.Errorf("%w: certificate %d, %s: %s", ErrUnknown, c.Index, c.Subject, c.Detail)
		}
	}
	if len(s.Certificates) == 0 {
		return fmt.Errorf("%w: the chain holds no certificate that an authority could revoke", ErrUnknown)
	}
	return nil
}

// conclude draws the result of the chain from those of its certificates.
func (s *Status) conclude(longest time.Duration) {
	s.Result, s.ValidUntil = Good, s.CheckedAt.Add(longest)
	looked := false
	for _, c := range s.Certificates {
		looked = looked || c.Result != NotChecked
		switch {
		case c.Result == Revoked:
			s.Result = Revoked
		case !c.Result.Settles() && c.Result != NotChecked && s.Result != Revoked:
			s.Result = Unknown
		}
		if !c.expires.IsZero() && c.expires.Before(s.ValidUntil) {
			s.ValidUntil = c.expires
		}
	}
	if !looked {
		s.Result = NotChecked
	}
}

// decide picks the answer that settles it. A revocation that is for ever wins over everything; otherwise the latest word counts, so that an old
// good staple does not hide a newer revocation.
func decide(answers []Answer) int {
	best := -1
	for i, a := range answers {
		if !a.Result.Settles() {
			continue
		}
		if a.Result == Revoked && a.Reason != CertificateHold {
			return i
		}
		if best < 0 || a.ThisUpdate.After(answers[best].ThisUpdate) || a.ThisUpdate.Equal(answers[best].ThisUpdate) && a.Result == Revoked {
			best = i
		}
	}
	return best
}
