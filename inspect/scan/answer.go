package scan

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Reply is what is known about a question.
type Reply string

// Replies.
const (
	Yes          Reply = "yes"
	No           Reply = "no"
	Inconclusive Reply = "inconclusive" // it was asked, and what came back says neither
)

// Answer is a reply with what it rests on.
type Answer struct {
	Reply    Reply  `json:"result"`
	Attempts int    `json:"attempts"` // hellos that were sent to find out
	Evidence string `json:"evidence,omitempty"`

	cut     bool // it is a no because of connections that were closed
	refused bool // it is a no because of connections that were closed or alerts that need not be about the question, which an unsteady endpoint gives at any time
}

// nature is what came of an attempt, as far as an answer can rest on it.
type nature uint8

const (
	chosen      nature = iota // the endpoint went along
	said                      // it said no: an alert, or another version than the one asked for
	cut                       // it closed or reset the connection without a word
	silent                    // nothing came in time
	unconnected               // the hello never got there
	plain                     // it answered, and not in TLS
)

// natureOf tells what an exchange is worth as evidence. It says nothing about what was chosen.
func natureOf(x *probe.Exchange) nature {
	switch x.Outcome {
	case probe.OutcomeServerHello, probe.OutcomeRetryRequest:
		return chosen
	case probe.OutcomeAlert:
		return said
	case probe.OutcomeReset, probe.OutcomeClosed:
		return cut
	case probe.OutcomeTimeout:
		return silent
	case probe.OutcomeNotTLS:
		return plain
	}
	return unconnected
}

// decisive reports whether what came back says by itself that nothing of what was asked about is spoken. Other alerts are those of
// an endpoint that stumbles: Java answers a list of schemes with internal_error although it would sign with one of them.
func decisive(x *probe.Exchange) bool {
	switch natureOf(x) {
	case chosen:
		return true
	case said:
		if x.Alert == nil {
			return true
		}
		switch x.Alert.Description {
		case wire.AlertHandshakeFailure, wire.AlertInsufficientSecurity, wire.AlertProtocolVersion, wire.AlertNoApplicationProtocol:
			return true
		}
	}
	return false
}

// refusal is the answer to a question whose hello was not taken up: attempts of them, the last of which is x.
func refusal(x *probe.Exchange, attempts int) Answer {
	a := Answer{Attempts: attempts, Evidence: x.Describe()}
	switch natureOf(x) {
	case said:
		a.Reply = No
		a.refused = x.Alert == nil || x.Alert.Description != wire.AlertProtocolVersion
	case cut:
		a.Reply = Inconclusive
		if attempts > 1 {
			a.Reply, a.Evidence, a.refused, a.cut = No, a.Evidence+", each time", true, true
		}
	default:
		a.Reply = Inconclusive
		if x.Error != nil && x.Outcome == probe.OutcomeNotConnected {
			a.Evidence = fmt.Sprintf("not asked: %s", x.Error.Message)
		}
	}
	return a
}

// yes is the answer that an exchange proves.
func yes(attempts int, evidence string) Answer {
	return Answer{Reply: Yes, Attempts: attempts, Evidence: evidence}
}

// notConnected is an exchange that was never made.
func notConnected(why string) *probe.Exchange {
	return &probe.Exchange{
		Outcome: probe.OutcomeNotConnected,
		Error:   &inspect.Error{Type: inspect.ErrorOther, Message: why, Phase: inspect.PhaseDial},
	}
}
