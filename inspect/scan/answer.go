package scan

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
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

// refusal is the answer to a question whose hello was not taken up: attempts of them, the last of which is x.
func refusal(x *probe.Exchange, attempts int) Answer {
	a := Answer{Attempts: attempts, Evidence: x.Describe()}
	switch natureOf(x) {
	case said:
		a.Reply = No
	case cut:
		a.Reply = Inconclusive
		if attempts > 1 {
			a.Reply, a.Evidence = No, a.Evidence+", each time"
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
