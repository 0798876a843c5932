package inspect

import (
	"net/netip"
	"time"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// NewID makes the id of an event: its time, the number of the event in the process, and a salt of the process, in an
// order that sorts by time.
func NewID(t time.Time, n uint64, salt string) string {
	var room [48]byte
	id := appendHex(room[:0], uint64(t.UnixMicro()), 15)
	id = append(appendHex(append(id, '-'), n, 6), '-')
	return string(append(id, salt...))
}

// appendHex appends n in hexadecimal, with zeros before it up to a width.
func appendHex(b []byte, n uint64, width int) []byte {
	for n>>(4*width) != 0 { // all of them, where they are more
		width++
	}
	for i := width - 1; i >= 0; i-- {
		b = append(b, "0123456789abcdef"[n>>(4*i)&15])
	}
	return b
}

// EndpointOf is an address with its port in the record's words. An IPv4-mapped address is written as IPv4.
func EndpointOf(a netip.AddrPort) Endpoint {
	if !a.IsValid() {
		return Endpoint{}
	}
	return Endpoint{Address: a.Addr().Unmap().WithZone("").String(), Port: int(a.Port())}
}

// NewAlert is an alert in the record's words.
func NewAlert(level wire.AlertLevel, code wire.AlertDescription, from Side) Alert {
	return Alert{Level: level.String(), Code: uint8(code), Description: code.String(), From: from}
}

// AddAlerts adds alerts that are not in the list yet.
func (t *TLS) AddAlerts(alerts ...Alert) {
	for _, a := range alerts {
		if !t.hasAlert(a) {
			t.Alerts = append(t.Alerts, a)
		}
	}
}

func (t *TLS) hasAlert(a Alert) bool {
	for _, have := range t.Alerts {
		if have.Code == a.Code && have.From == a.From {
			return true
		}
	}
	return false
}

// ServerSide is what the server presented, made when nothing of it was seen yet.
func (t *TLS) ServerSide() *Server {
	if t.Server == nil {
		t.Server = &Server{}
	}
	return t.Server
}

// Established reports whether bytes could flow on the leg: the handshake was done, or the leg is plain or passed through
// by configuration and was connected. A peer that refuses after its part of the handshake (TLS 1.3) has not established it.
func (l *Leg) Established() bool {
	switch {
	case l.Plain, l.Passthrough && l.TLS == nil:
		return l.Error == nil || l.Error.Phase == PhaseTransfer && l.Error.Type != ErrorNotTLS
	case l.TLS == nil || !l.TLS.Established:
		return false
	default:
		return l.Error == nil || l.Error.Phase == PhaseTransfer && l.Error.Type != ErrorAlertReceived
	}
}
