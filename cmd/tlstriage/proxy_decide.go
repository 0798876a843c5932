package main

import (
	"sync"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
	"github.com/tlstriage/tlstriage/proxy"
)

// decider holds hellos against the policy of the real endpoint (of a whole listener that of the block which the hello selects) and against what this program can serve. Clients send the same hello
// over and over, but for its random parts, so that what was decided is remembered.
type decider struct {
	policies endpointPolicies // none: none is given
	own      *policy.Policy
	enforce  bool

	mu      sync.Mutex
	decided map[string]proxy.Action // by inspect.AppendHelloKey
	bytes   int                     // of the keys
	key     []byte
}

// What is remembered for a route, in bytes of hellos; beyond that all is forgotten at once.
const maxDecidedBytes = 512 << 10

// decide is a route's Decide.
func (d *decider) decide(hello *wire.ClientHello) proxy.Action {
	d.mu.Lock()
	defer d.mu.Unlock() // a negotiation takes microseconds
	var ok bool
	if d.key, ok = inspect.AppendHelloKey(d.key[:0], hello); !ok {
		return d.negotiate(hello)
	}
	if action, ok := d.decided[string(d.key)]; ok {
		return action
	}
	action := d.negotiate(hello)
	if d.decided == nil || d.bytes+len(d.key) > maxDecidedBytes {
		d.decided, d.bytes = make(map[string]proxy.Action), 0
	}
	d.decided[string(d.key)] = action
	d.bytes += len(d.key)
	return action
}

func (d *decider) negotiate(hello *wire.ClientHello) proxy.Action {
	var action proxy.Action
	if p := d.policies.of(string(hello.ServerName)); p != nil {
		result := policy.Negotiate(hello, p)
		action.Policy = result.Outcome(hello, p)
		action.Refuse = d.enforce && !result.Accepted
		action.Alert = result.Alert
	}
	if hello.SSLv2 {
		action.Unservable, action.OwnRejected = "an SSLv2-format hello", inspect.ErrorUnsupported
	} else if result := policy.Negotiate(hello, d.own); !result.Accepted {
		action.Unservable, action.OwnRejected = string(result.RejectedBy), ownRejection(result.RejectedBy)
	}
	return action
}

// ownRejection is the reason in the record for each dimension in which a client and crypto/tls can fail to agree.
func ownRejection(d policy.Dimension) inspect.ErrorType {
	switch d {
	case policy.DimensionVersion:
		return inspect.ErrorNoCommonVersion
	case policy.DimensionCipher:
		return inspect.ErrorNoCommonCipher
	case policy.DimensionGroup:
		return inspect.ErrorNoCommonGroup
	case policy.DimensionSignature:
		return inspect.ErrorNoCommonSignature
	case policy.DimensionALPN:
		return inspect.ErrorNoCommonALPN
	}
	return inspect.ErrorUnsupported
}
