package capture

import (
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// transportUDP is what carries TLS that OpenVPN carries.
const transportUDP = "udp"

// vpnConn reads OpenVPN over UDP.
type vpnConn struct {
	observer  *inspect.Observer
	sides     [2]*openVPN
	client    int // -1: not known yet
	messages  bool
	early     [2][][]byte // TLS that came before the roles were known
	datagrams [2]int
	data      [2]int // packets of the data channel
}

func newVPN(t *Tracker) *vpnConn {
	return &vpnConn{observer: t.takeObserver(), client: -1}
}

// otherBegins reports whether a datagram begins another connection between the same ports: with a reset of another session.
func (v *vpnConn) otherBegins(side int, b []byte) bool {
	known := v.sides[side]
	if known == nil || len(b) > maxVPNReset || b[0]>>3 == vpnControl || !v.messages {
		return false
	}
	other := beginsVPN(b)
	return other != nil && other.session != known.session
}

// datagram reads a datagram; true: the handshake is over.
func (v *vpnConn) datagram(side int, b []byte, at time.Time) bool {
	v.datagrams[side]++
	if operation := b[0] >> 3; operation == 6 || operation == 9 {
		v.data[side]++
		return v.observer.Established()
	}
	if v.sides[side] == nil {
		if v.sides[side] = beginsVPN(b); v.sides[side] == nil {
			return false
		}
	}
	if client, known := vpnIsClient(b); known && v.client < 0 {
		v.is(side, client, at)
	}
	v.sides[side].datagram(b, func(tls []byte) { v.tls(side, tls, at) })
	return v.observer.Established()
}

func (v *vpnConn) tls(side int, b []byte, at time.Time) {
	v.messages = true
	if v.client < 0 {
		switch judge(b, false) {
		case isHello:
			v.is(side, true, at)
		case isAnswer:
			v.is(side, false, at)
		}
	}
	if v.client < 0 {
		if len(v.early[side]) < maxEarly {
			v.early[side] = append(v.early[side], append([]byte(nil), b...))
		}
		return
	}
	v.observer.Feed(v.name(side), b, at)
}

// is settles who the client is, and shows what waited for that.
func (v *vpnConn) is(side int, client bool, at time.Time) {
	if v.client = side; !client {
		v.client = 1 - side
	}
	for side := range v.early {
		for _, b := range v.early[side] {
			v.observer.Feed(v.name(side), b, at)
		}
		v.early[side] = nil
	}
}

func (v *vpnConn) name(side int) inspect.Side {
	if side == v.client {
		return inspect.FromClient
	}
	return inspect.FromServer
}

func (v *vpnConn) clientSide() int { return max(v.client, 0) }

func (v *vpnConn) describe(t *Tracker, r *inspect.Connection) {
	r.Transport = transportUDP
	r.Capture.Datagram, r.Capture.Upgrade = string(protocolOpenVPN), string(protocolOpenVPN)
	tls := v.observer.TLS()
	r.ClientLeg.TLS = tls
	if !tls.Established && v.data[0] > 1 && v.data[1] > 1 {
		tls.Established = true // what the keys are for flows
	}
	if tls.Established {
		return
	}
	switch {
	case alertError(tls.Alerts) != nil:
		r.ClientLeg.Error = alertError(tls.Alerts)
	case r.Capture.End != inspect.EndIdle || tls.Client == nil || r.Capture.OneWay != "":
	default:
		r.ClientLeg.Error = &inspect.Error{Type: inspect.ErrorStalled, Phase: inspect.PhaseHandshake, Message: "nothing came any more"}
	}
}
