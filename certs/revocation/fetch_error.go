package revocation

import (
	"context"
	"errors"
	"fmt"
	"net/url"
)

// FetchKind is why a fetch failed.
type FetchKind string

// Kinds of failure.
const (
	FetchForbidden   FetchKind = "forbidden"          // the URL, or what its name resolves to, must not be asked
	FetchUnreachable FetchKind = "unreachable"        // no name, no connection, or cut
	FetchTimeout     FetchKind = "timeout"            // not finished in time
	FetchTooLong     FetchKind = "too_long"           // a longer body than is read
	FetchStatus      FetchKind = "status"             // not HTTP 200
	FetchRedirects   FetchKind = "too_many_redirects" // sent on too often
)

// FetchError is a fetch that failed.
type FetchError struct {
	URL    string // bounded, as the certificate has it
	Kind   FetchKind
	Status int // FetchStatus only
	Err    error
}

// Error says what failed, the URL quoted.
func (e *FetchError) Error() string {
	switch e.Kind {
	case FetchStatus:
		return fmt.Sprintf("revocation: %q: HTTP status %d", e.URL, e.Status)
	case FetchTimeout:
		return fmt.Sprintf("revocation: %q: %s", e.URL, e.Err)
	}
	return fmt.Sprintf("revocation: %q: %s", e.URL, clip(e.Err.Error()))
}

// Unwrap is the error below.
func (e *FetchError) Unwrap() error { return e.Err }

// failure gives an error of a request its kind.
func (f *Fetcher) failure(ctx context.Context, q request, err error) error {
	out := &FetchError{URL: clip(q.url), Kind: FetchUnreachable, Err: err}
	var known *FetchError
	var address *AddressError
	var long *tooLongError
	var wrapped *url.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &address):
		out.Kind, out.Err = FetchForbidden, address
	case errors.As(err, &long):
		out.Kind = FetchTooLong
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		out.Kind, out.Err = FetchTimeout, fmt.Errorf("not finished after %s", q.timeout)
	case errors.As(err, &wrapped):
		out.Err = wrapped.Err // the URL is in ours
	}
	return out
}

// resultOf is the result of an answer that was not to be had.
func resultOf(err error) Result {
	var fetch *FetchError
	var long *tooLongError
	switch {
	case errors.As(err, &fetch) && fetch.Kind == FetchForbidden:
		return Forbidden
	case errors.As(err, &fetch), errors.As(err, &long), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, ErrClosed):
		return Unreachable
	}
	return Malformed
}

// isStatus says whether a server answered, but not with 200.
func isStatus(err error) bool {
	var fetch *FetchError
	return errors.As(err, &fetch) && fetch.Kind == FetchStatus
}
