package probe

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
)

func describe(x *Exchange) string {
	if a := x.Alert; a != nil {
		text := fmt.Sprintf("alert %s (%d)", a.Description, uint8(a.Description))
		switch a.Moment {
		case DuringFlight:
			return text + " behind the ServerHello"
		case AfterFinished:
			return text + " after the client's Finished"
		}
		return text
	}
	switch x.Outcome {
	case OutcomeServerHello:
		if x.SSLv2ServerHello != nil {
			return "SSLv2 SERVER-HELLO"
		}
		text := fmt.Sprintf("ServerHello %s %s", x.Version, x.CipherSuite)
		switch {
		case x.Endless:
			return text + ", then data without an end"
		case x.Error != nil && x.Error.Type == inspect.ErrorOther:
			return text + ", then " + inspect.Bounded(x.Error.Message)
		case x.Error != nil:
			return text + ", then " + ending(x.Error.Type)
		}
		return text
	case OutcomeRetryRequest:
		if x.RetryRequest != nil && x.RetryRequest.Group != 0 {
			return fmt.Sprintf("HelloRetryRequest for %s", x.RetryRequest.Group)
		}
		return "HelloRetryRequest"
	case OutcomeNotTLS:
		switch {
		case x.Plain != nil:
			return fmt.Sprintf("no TLS but %s", x.Plain.Protocol)
		case x.Endless:
			return "data without an end"
		case x.Error != nil && x.Error.Type == inspect.ErrorOther:
			return inspect.Bounded(x.Error.Message)
		}
		return "no TLS"
	case OutcomeNotConnected:
		if x.Error != nil {
			return "not connected: " + x.Error.Message
		}
		return "not connected"
	}
	switch {
	case x.Error == nil:
		return string(x.Outcome)
	case x.Error.Type == inspect.ErrorTimeout && x.Received > 0:
		return fmt.Sprintf("%d bytes of an answer, then silence", x.Received)
	case x.Error.Type == inspect.ErrorOther:
		return inspect.Bounded(x.Error.Message)
	}
	return ending(x.Error.Type)
}

// ending is how an exchange ended, in a word or two.
func ending(t inspect.ErrorType) string {
	switch t {
	case inspect.ErrorReset:
		return "connection reset"
	case inspect.ErrorClosed:
		return "connection closed"
	case inspect.ErrorTimeout:
		return "silence"
	case inspect.ErrorNotTLS:
		return "bytes that are no TLS"
	}
	return string(t)
}
