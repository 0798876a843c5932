package diagnose

import (
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

// view is one leg, readable without asking at each step whether a part of the record is there.
type view struct {
	leg    *inspect.Leg   // nil: there was no such leg
	tls    *inspect.TLS   // never nil
	hello  *inspect.Hello // never nil
	server *inspect.Server
	spoke  bool             // a ClientHello was seen
	listen inspect.Endpoint // client leg: what the client connected to
	probed bool             // by a probe that went no further than the server's answer, and got it
}

func look(l *inspect.Leg) view {
	v := view{leg: l}
	if l != nil && l.TLS != nil {
		v.tls, v.hello, v.server, v.spoke = l.TLS, l.TLS.Client, l.TLS.Server, l.TLS.Client != nil
	}
	if v.tls == nil {
		v.tls = &noTLS
	}
	if v.hello == nil {
		v.hello = &noHello
	}
	if v.server == nil {
		v.server = &noServer
	}
	return v
}

// What stands for the parts of a leg that a record does not have. They are never written.
var (
	noTLS    inspect.TLS
	noHello  inspect.Hello
	noServer inspect.Server
)

// peer is where the server of the leg is.
func (v view) peer() inspect.Endpoint {
	if v.leg != nil && v.leg.Address != "" {
		return inspect.Endpoint{Address: v.leg.Address, Port: v.leg.Port}
	}
	return v.listen
}

// exists reports whether the leg was there.
func (v view) exists() bool { return v.leg != nil }

// established reports whether the leg came to carry data.
func (v view) established() bool { return v.leg != nil && (v.probed || v.leg.Established()) }

// failed reports whether the leg was tried and did not come up.
func (v view) failed() bool { return v.leg != nil && !v.established() }

// untried reports whether the peer never began: it connected and left.
func (v view) untried() bool {
	return v.leg != nil && v.leg.Error != nil && v.leg.Error.Type == inspect.ErrorEmpty
}

// ended is why the leg did not come up; empty when it did, or when the record does not say.
func (v view) ended() inspect.ErrorType {
	if v.leg == nil || v.leg.Error == nil || v.established() {
		return ""
	}
	return v.leg.Error.Type
}

// is reports whether the leg did not come up for one of these reasons.
func (v view) is(types ...inspect.ErrorType) bool {
	t := v.ended()
	for _, x := range types {
		if t == x && t != "" {
			return true
		}
	}
	return false
}

// message is the library's own words on why the leg ended, bounded; empty when there are none.
func (v view) message() string {
	if v.leg == nil || v.leg.Error == nil {
		return ""
	}
	return bound(v.leg.Error.Message)
}

// phase is where the leg ended.
func (v view) phase() inspect.Phase {
	if v.leg == nil || v.leg.Error == nil {
		return ""
	}
	return v.leg.Error.Phase
}

// alert is the alert of a side that ended something: the first that is fatal, or else a warning by which a handshake ended all the same,
// which one that came before the server's hello is not. close_notify and user_canceled say nothing about a failure (RFC 8446, Section 6.1),
// nor does what a server answers to what is no TLS.
func (v view) alert(from inspect.Side) *inspect.Alert {
	if from == inspect.FromServer && !v.spoke && v.is(inspect.ErrorNotTLS) && v.phase() == inspect.PhasePeek {
		return nil
	}
	var warning *inspect.Alert
	for i := range v.tls.Alerts {
		a := &v.tls.Alerts[i]
		if a.From != from || a.Code == alertCloseNotify || a.Code == alertUserCanceled {
			continue
		}
		if a.Level == "fatal" {
			return a
		}
		if warning == nil && v.failed() && !(from == inspect.FromServer && v.wentOn()) {
			warning = a
		}
	}
	return warning
}

// chose reports whether the server had answered with its ServerHello: what the hellos settle was agreed on then.
func (v view) chose() bool {
	return v.tls.Handshake != nil && strings.Contains(v.tls.Handshake.History, "s")
}

// wentOn reports whether the server sent its hello behind an alert, which it did not mean so seriously then: unrecognized_name is a warning
// of servers that fall back to a default (RFC 6066, Section 3).
func (v view) wentOn() bool {
	if v.tls.Handshake == nil {
		return false
	}
	warned := strings.Index(v.tls.Handshake.History, "l")
	return warned >= 0 && warned < strings.Index(v.tls.Handshake.History, "s")
}

// settled reports whether an alert of the server cannot be about what the hellos settle, since the server had chosen. In TLS 1.3 the
// application protocol comes behind its hello, in EncryptedExtensions (RFC 8446, Section 4.3.1).
func (v view) settled(a *inspect.Alert) bool {
	return v.chose() && !(a != nil && a.Code == alertNoApplicationProtocol && v.tls.Version == "TLSv1.3")
}

// agreed says what the hellos settled; empty when that is not known.
func (v view) agreed() string {
	var parts []string
	for _, s := range []string{v.tls.Version, v.tls.Cipher, v.tls.Curve} {
		if s != "" {
			parts = append(parts, bound(s))
		}
	}
	return strings.Join(parts, " ")
}

// alertFirst is the alert with which a client began in the place of a hello; nil when it did not.
func (v view) alertFirst() *inspect.Alert {
	if v.spoke || !v.is(inspect.ErrorMalformedHello) {
		return nil
	}
	for i := range v.tls.Alerts {
		if v.tls.Alerts[i].From == inspect.FromClient {
			return &v.tls.Alerts[i]
		}
	}
	return nil
}

// alerted reports whether a side sent one of these alerts.
func (v view) alerted(from inspect.Side, codes ...uint8) bool {
	a := v.alert(from)
	if a == nil {
		return false
	}
	for _, c := range codes {
		if a.Code == c {
			return true
		}
	}
	return false
}

// firstProtocol is what the peer spoke instead of TLS.
func (v view) firstProtocol() string {
	if v.leg == nil || v.leg.FirstBytes == nil {
		return ""
	}
	return v.leg.FirstBytes.Protocol
}

// firstLine is its first line, bounded.
func (v view) firstLine() string {
	if v.leg == nil || v.leg.FirstBytes == nil {
		return ""
	}
	return bound(v.leg.FirstBytes.Summary)
}
