package probe

import (
	"errors"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/keylog"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// maxSealedPayload is the most that a record of any version carries (RFC 5246, Section 6.2.3).
const maxSealedPayload = 1<<14 + 2048

// recordLayer cuts the server's bytes into records and opens those that are encrypted.
type recordLayer struct {
	in      []byte // what is left of the last bytes
	message []byte // handshake message in the making
	opener  *keylog.Opener
	changed bool // TLS 1.2 and older: ChangeCipherSpec was seen
	broken  error
}

var (
	errBadRecord = errors.New("the server's bytes are no records any more")
	errNotOpened = errors.New("a record of the server does not open with the keys of this connection")
	errTooLong   = errors.New("a handshake message of the server is longer than is read")
)

// feed takes bytes and hands out whole records.
func (l *recordLayer) feed(b []byte, take func(kind wire.ContentType, version uint16, payload []byte)) {
	if l.broken != nil {
		return
	}
	l.in = append(l.in, b...)
	for len(l.in) >= 5 && l.broken == nil {
		if l.in[0]&0x80 != 0 {
			l.sslv2(take)
			return
		}
		length := int(l.in[3])<<8 | int(l.in[4])
		if kind := wire.ContentType(l.in[0]); kind < wire.ContentTypeChangeCipherSpec || kind > wire.ContentTypeHeartbeat || length > maxSealedPayload {
			l.broken = errBadRecord
			return
		}
		if len(l.in) < 5+length {
			return
		}
		record := l.in[:5+length]
		take(wire.ContentType(record[0]), uint16(record[1])<<8|uint16(record[2]), record[5:])
		l.in = l.in[5+length:]
	}
}

// sslv2 hands out a message in SSLv2 format, as a record of no type.
func (l *recordLayer) sslv2(take func(kind wire.ContentType, version uint16, payload []byte)) {
	if length := int(l.in[0]&0x7F)<<8 | int(l.in[1]); len(l.in) >= 2+length {
		take(0, 2, l.in[2:2+length])
		l.in = nil
		l.broken = errBadRecord // what follows is of no interest
	}
}

// takeRecord takes one record of the server.
func (r *run) takeRecord(kind wire.ContentType, version uint16, payload []byte) {
	if r.ended || r.options.Until == UntilHello && r.x.ServerHello != nil {
		return
	}
	if version == 2 && kind == 0 {
		r.takeSSLv2(payload)
		return
	}
	h := &r.handshake
	encrypted := false
	if l := &r.records; l.opener != nil && (h.tls13 && kind == wire.ContentTypeApplicationData || !h.tls13 && l.changed && kind != wire.ContentTypeChangeCipherSpec) {
		inner, plaintext, err := l.opener.Open(uint8(kind), version, payload)
		if err != nil {
			r.x.Unopened = true
			r.breakOff(errNotOpened)
			return
		}
		kind, payload, encrypted = wire.ContentType(inner), plaintext, true
	} else if kind == wire.ContentTypeApplicationData || !h.tls13 && l.changed && l.opener == nil && kind == wire.ContentTypeHandshake {
		r.x.Unreadable = r.x.ServerHello != nil
		if !r.x.Unreadable {
			r.breakOff(errBadRecord)
		}
		return
	}
	switch kind {
	case wire.ContentTypeAlert:
		r.takeAlerts(payload, encrypted)
	case wire.ContentTypeChangeCipherSpec:
		r.changeCipherSpec()
	case wire.ContentTypeHandshake:
		r.takeHandshake(payload, encrypted)
	case wire.ContentTypeApplicationData:
		r.takeAnswer(payload)
	}
}

// breakOff ends reading because of what the server sent.
func (r *run) breakOff(err error) {
	r.records.broken, r.ended = err, true
	r.x.Endless = r.x.Endless || errors.Is(err, errTooLong)
	if r.x.Error == nil {
		r.x.Error = &inspect.Error{Type: inspect.ErrorOther, Message: err.Error(), Phase: r.phase}
	}
}

func (r *run) takeSSLv2(message []byte) {
	hello := &wire.SSLv2ServerHello{}
	own := append([]byte(nil), message...)
	if wire.ParseSSLv2ServerHello(own, hello) == nil {
		r.x.SSLv2ServerHello, r.x.Version = hello, wire.VersionSSLv2
		if len(hello.Certificate) > 0 {
			r.x.Certificates = [][]byte{hello.Certificate}
		}
		return
	}
	r.handshake.alert(wire.AlertLevelFatal, wire.AlertHandshakeFailure, false, AfterHello) // an error of SSLv2
	r.ended = true
}

func (r *run) takeAlerts(payload []byte, encrypted bool) {
	if len(payload)%2 != 0 || !encrypted && !r.handshake.tls13 && r.records.changed {
		if r.x.Alert == nil { // an encrypted alert without keys: that it is there is all that can be told
			r.x.Unreadable = true
		}
		return
	}
	for ; len(payload) >= 2; payload = payload[2:] {
		if r.handshake.alert(wire.AlertLevel(payload[0]), wire.AlertDescription(payload[1]), encrypted, r.moment()) {
			r.ended = true
			if wire.AlertDescription(payload[1]) == wire.AlertCloseNotify && r.x.Error == nil && !r.x.Finished && r.x.Alert == nil {
				r.x.Error = &inspect.Error{Type: inspect.ErrorClosed, Message: "close_notify", Phase: r.phase}
			}
			return
		}
	}
}

// moment is when in the handshake something came.
func (r *run) moment() Moment {
	switch {
	case r.second:
		return AfterFinished
	case r.x.ServerHello != nil:
		return DuringFlight
	}
	return AfterHello
}

// changeCipherSpec announces encryption before TLS 1.3, in which it means nothing (RFC 8446, Appendix D.4).
func (r *run) changeCipherSpec() {
	if r.handshake.tls13 || r.x.ServerHello == nil {
		return
	}
	r.records.changed = true
	if !r.second { // without a second flight of ours: an earlier session is taken up
		r.x.Resumed, r.handshake.done, r.x.Flight = true, true, true
	}
}

// takeHandshake collects handshake messages.
func (r *run) takeHandshake(payload []byte, encrypted bool) {
	l := &r.records
	l.message = append(l.message, payload...)
	for len(l.message) >= 4 {
		n := 4 + int(l.message[1])<<16 + int(l.message[2])<<8 + int(l.message[3])
		if n > maxHandshakeMessage {
			r.breakOff(errTooLong)
			return
		}
		if n > len(l.message) {
			return
		}
		m := l.message[:n]
		if encrypted && !r.handshake.tls13 {
			r.finished12(m)
		} else {
			r.handshake.message(m)
			r.changeKeys(wire.HandshakeType(m[0]))
		}
		l.message = l.message[n:]
	}
}

// changeKeys follows TLS 1.3 from one secret of the server's to the next: behind its ServerHello, and behind its Finished, after
// which tickets may come at once.
func (r *run) changeKeys(t wire.HandshakeType) {
	h, s := &r.handshake, r.handshake.modern
	switch {
	case s == nil:
	case t == wire.HandshakeTypeServerHello:
		r.records.opener = s.opener(keylog.ServerHandshakeTraffic, s.serverHandshake)
		r.x.Unreadable = r.records.opener == nil
	case t == wire.HandshakeTypeFinished:
		s.clientTraffic = s.derive(s.master, "c ap traffic", h.transcript)
		r.records.opener = s.opener(keylog.ServerTraffic0, s.derive(s.master, "s ap traffic", h.transcript))
	}
}

// maxAnswer is how much of an application's answer is kept.
const maxAnswer = 4 << 10

func (r *run) takeAnswer(payload []byte) {
	r.x.Finished = true
	r.x.Answer = append(r.x.Answer, payload[:min(len(payload), maxAnswer-len(r.x.Answer))]...)
}
