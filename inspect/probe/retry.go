package probe

import (
	"fmt"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// RetryError says why a HelloRetryRequest cannot be followed.
type RetryError struct {
	Kind  RetryErrorKind
	Group wire.NamedGroup // that the server asks for; 0: none
}

// RetryErrorKind is the kind of a RetryError.
type RetryErrorKind uint8

// Kinds of retry errors. The first three are faults of the server, which a client answers with illegal_parameter.
const (
	RetryGroupNotOffered RetryErrorKind = iota + 1 // the group is not in supported_groups
	RetryGroupShared                               // the hello had a key share of the group already
	RetryChangesNothing                            // neither a group nor a cookie
	RetryGroupUnknown                              // no key share of the group can be made here
	RetryTwice                                     // a second HelloRetryRequest
)

func (e *RetryError) Error() string {
	switch e.Kind {
	case RetryGroupNotOffered:
		return fmt.Sprintf("probe: hello_retry_request: group %s was not offered", e.Group)
	case RetryGroupShared:
		return fmt.Sprintf("probe: hello_retry_request: a key share of group %s was sent already", e.Group)
	case RetryChangesNothing:
		return "probe: hello_retry_request: it asks for neither a group nor a cookie"
	case RetryTwice:
		return "probe: hello_retry_request: a second one"
	}
	return fmt.Sprintf("probe: hello_retry_request: no key share of group %s can be made here", e.Group)
}

// Retry is the second hello, which follows a HelloRetryRequest: "the client MUST send the same ClientHello without
// modification, except" for the key share that the server asks for, its cookie, early data and pre-shared keys (RFC 8446, Section 4.1.2). The
// error is a *RetryError.
func (h *Hello) Retry(request *wire.ServerHello) (*Hello, error) {
	if request.Group == 0 && len(request.Cookie) == 0 {
		return nil, &RetryError{Kind: RetryChangesNothing}
	}
	second := h.Clone()
	second.Remove(wire.ExtensionEarlyData, wire.ExtensionPreSharedKey) // whose binder would have to be made anew
	second.RecordVersion = wire.VersionTLS12                           // RFC 8446, Section 5.1: only an initial ClientHello may say TLS 1.0
	second.padded = 0
	if group := request.Group; group != 0 {
		switch {
		case !slices.Contains(h.Groups(), group):
			return nil, &RetryError{RetryGroupNotOffered, group}
		case slices.Contains(h.KeyShareGroups(), group):
			return nil, &RetryError{RetryGroupShared, group}
		}
		if _, ok := newShare(group); !ok {
			return nil, &RetryError{RetryGroupUnknown, group}
		}
		second.SetKeyShares(group)
	}
	if len(request.Cookie) > 0 {
		second.Set(wire.ExtensionCookie, vector(2, request.Cookie))
	}
	return second, nil
}
