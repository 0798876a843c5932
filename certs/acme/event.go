package acme

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
)

// EventKind is what happened to a name's certificate.
type EventKind string

// Kinds of event.
const (
	Obtaining EventKind = "obtaining" // an order begins
	Obtained  EventKind = "obtained"  // a certificate was issued
	Failed    EventKind = "failed"    // an order failed; it is tried again, later and later
	Loaded    EventKind = "loaded"    // a certificate is served from now on
	Revoked   EventKind = "revoked"   // the authority says that the certificate is revoked; a new one is ordered
)

// Event is one thing that happened, for metrics, records and findings.
type Event struct {
	Kind    EventKind
	Name    string
	Renewal bool   // there was a certificate before
	Issuer  string // host of the directory, or the local authority
	Reason  Reason // Failed: why
	Err     error  // Failed. Its text may hold what the authority said: escape it before it reaches a terminal
}

// Reason is why an order failed, as far as somebody has to do something about it.
type Reason string

// Reasons.
const (
	Unreachable     Reason = "directory-unreachable" // no connection to the authority, or no answer in time
	DirectoryTLS    Reason = "directory-untrusted"   // its own certificate does not verify
	Unvalidated     Reason = "validation-failed"     // the authority could not reach the name, or met somebody else there
	NameRefused     Reason = "name-refused"          // it does not certify this name, or CAA forbids it
	RateLimited     Reason = "rate-limited"
	AccountRefused  Reason = "account-refused" // no, or a wrong, external account; the account is unknown or deactivated
	StorageTrouble  Reason = "storage"         // the storage cannot be written or locked
	OtherwiseFailed Reason = "other"
)

// reasonFor sorts an error by its type.
func reasonFor(err error) Reason {
	var problem acme.Problem
	if errors.As(err, &problem) {
		return reasonForProblem(problem)
	}
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) {
		return DirectoryTLS
	}
	var netErr net.Error
	if errors.As(err, &netErr) || errors.Is(err, context.DeadlineExceeded) {
		return Unreachable
	}
	var storage *storageError
	if errors.As(err, &storage) {
		return StorageTrouble
	}
	return OtherwiseFailed
}

// reasonForProblem sorts the error types of RFC 8555, Section 6.7. Where names were refused each for itself, the first says why.
func reasonForProblem(p acme.Problem) Reason {
	switch p.Type {
	case acme.ProblemTypeRejectedIdentifier, acme.ProblemTypeUnsupportedIdentifier, acme.ProblemTypeCAA:
		return NameRefused
	case acme.ProblemTypeRateLimited:
		return RateLimited
	}
	if _, challenged := p.Resource.(acme.Authorization); challenged {
		return Unvalidated
	}
	switch p.Type {
	case acme.ProblemTypeConnection, acme.ProblemTypeDNS, acme.ProblemTypeIncorrectResponse, acme.ProblemTypeTLS:
		return Unvalidated
	case acme.ProblemTypeExternalAccountRequired, acme.ProblemTypeAccountDoesNotExist, acme.ProblemTypeInvalidContact, acme.ProblemTypeUnsupportedContact,
		acme.ProblemTypeUserActionRequired, acme.ProblemTypeUnauthorized:
		return AccountRefused
	case acme.ProblemTypeCompound:
		if len(p.Subproblems) > 0 {
			return reasonForProblem(p.Subproblems[0].Problem)
		}
	}
	return OtherwiseFailed
}

// State is how far a name is.
type State string

// States.
const (
	Waiting State = "waiting" // nobody has asked for it yet
	Pending State = "pending" // being loaded or ordered
	Ready   State = "ready"   // served
	Broken  State = "broken"  // there is no certificate, and the last order failed
)

// Status is how it is with one name.
type Status struct {
	Name     string
	Local    bool // certified by the local authority
	State    State
	NotAfter time.Time // Ready: the certificate's end
	Reason   Reason    // of the last order, if it failed: also where an older certificate is served still
	Err      error
	Since    time.Time // of State
}

// entry is what is known of a name. The manager's lock guards it.
type entry struct {
	status  Status
	changed chan struct{} // closed at the next change of the state
}

func (m *Manager) set(name string, change func(*Status)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[name]
	if e == nil {
		return
	}
	was := e.status.State
	change(&e.status)
	if e.status.State != was {
		e.status.Since = time.Now()
	}
	close(e.changed)
	e.changed = make(chan struct{})
}

// Status tells how it is with each name, sorted: the configured ones, and those that clients asked for under a wildcard.
func (m *Manager) Status() []Status {
	m.mu.Lock()
	var out []Status
	for _, e := range m.entries {
		out = append(out, e.status)
	}
	for _, n := range m.settings.Names {
		if m.entries[n] == nil && !strings.HasPrefix(n, "*.") {
			out = append(out, Status{Name: n, State: Waiting})
		}
	}
	m.mu.Unlock()
	for i := range out {
		out[i].NotAfter = m.expiry(out[i].Name)
	}
	slices.SortFunc(out, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// onEvent receives certmagic's events.
func (m *Manager) onEvent(_ context.Context, event string, data map[string]any) error {
	name, _ := data["identifier"].(string)
	e := Event{Name: name}
	e.Renewal, _ = data["renewal"].(bool)
	e.Issuer, _ = data["issuer"].(string)
	switch event {
	case "cert_obtaining":
		e.Kind = Obtaining
		m.set(name, func(s *Status) {
			if s.State != Ready {
				s.State = Pending
			}
		})
	case "cert_obtained":
		e.Kind = Obtained
		m.set(name, func(s *Status) { s.Reason, s.Err = "", nil })
	case "cert_failed":
		e.Kind = Failed
		e.Err, _ = data["error"].(error)
		if keys, _ := data["issuers"].([]string); len(keys) > 0 {
			e.Issuer = keys[0]
		}
		e.Reason = reasonFor(e.Err)
		m.failed(name, e.Reason, e.Err)
	case "cached_managed_cert":
		sans, _ := data["sans"].([]string)
		for _, san := range sans {
			m.loaded(san)
		}
		return nil
	case "cert_ocsp_revoked":
		e.Kind = Revoked
		if c, ok := data["certificate"].(certmagic.Certificate); ok && len(c.Names) > 0 {
			e.Name = c.Names[0]
		} else if subjects, ok := data["subjects"].([]string); ok && len(subjects) > 0 {
			e.Name = subjects[0]
		}
	default:
		return nil
	}
	m.tell(e)
	return nil
}

func (m *Manager) failed(name string, reason Reason, err error) {
	m.set(name, func(s *Status) {
		s.Reason, s.Err = reason, err
		if s.State != Ready {
			s.State = Broken
		}
	})
}

// loaded is called when a certificate is in the cache.
func (m *Manager) loaded(name string) {
	m.set(name, func(s *Status) { s.State = Ready })
	m.tell(Event{Kind: Loaded, Name: name})
}

// expiry is the end of the certificate that is served for a name; zero when there is none.
func (m *Manager) expiry(name string) (end time.Time) {
	for _, c := range m.cache.AllMatchingCertificates(name) {
		if c.Leaf != nil && c.Leaf.NotAfter.After(end) {
			end = c.Leaf.NotAfter
		}
	}
	return end
}

func (m *Manager) tell(e Event) {
	if m.settings.OnEvent != nil {
		m.settings.OnEvent(e)
	}
}

// storageError is an error of the storage rather than of the authority.
type storageError struct{ err error }

func (e *storageError) Error() string { return fmt.Sprintf("acme: storage: %v", e.err) }
func (e *storageError) Unwrap() error { return e.err }
