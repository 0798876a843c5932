package proxy

import (
	"errors"

	"github.com/tlstriage/tlstriage/inspect"
)

// RevocationError refuses a peer because its certificate is revoked, or because nobody could tell where somebody has to.
// Backend.VerifyPeer and Route.VerifyClient return it, alone or wrapped.
//
// crypto/tls sends bad_certificate for it: an alert of its own choice (certificate_revoked, RFC 8446, Section 6.2) cannot be asked
// of it. What was refused and why stands in the record all the same.
type RevocationError struct {
	Status inspect.RevocationStatus // RevocationRevoked or RevocationUnknown
	Err    error                    // who said so, or what went wrong; nil: nothing more is known

	// Found is what was found out about the whole chain, for the record. Nil: the status alone. It must not be changed afterwards.
	Found *inspect.Revocation
}

func (e *RevocationError) Error() string {
	text := "the certificate is revoked"
	if e.Status != inspect.RevocationRevoked {
		text = "nobody could tell whether the certificate is revoked"
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *RevocationError) Unwrap() error { return e.Err }

// revocationIn is what an error says about revocation; nil: nothing.
func revocationIn(err error) *inspect.Revocation {
	var refused *RevocationError
	if !errors.As(err, &refused) {
		return nil
	}
	if refused.Found != nil {
		return refused.Found
	}
	return &inspect.Revocation{Status: refused.Status}
}
