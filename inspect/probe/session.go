package probe

import (
	"crypto"
	"crypto/hmac"
	"encoding/binary"
	"time"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Session is what a server handed out so that a later connection can take the session up.
type Session struct {
	Version      wire.Version
	CipherSuite  wire.CipherSuite
	ID           []byte // TLS 1.2 and older: the session's id; empty: none, or there is a ticket
	Ticket       []byte // empty: none
	Lifetime     uint32 // of the ticket, seconds
	MaxEarlyData uint32 // TLS 1.3: bytes of 0-RTT data that the ticket allows

	ageAdd   uint32
	received time.Time
	psk      []byte // TLS 1.3
	hash     crypto.Hash
}

// maxSessions is the most tickets of one exchange that are kept.
const maxSessions = 16

// sessions are what was handed out in an exchange whose handshake was finished.
func (r *run) sessions() []*Session {
	x, h := r.x, &r.handshake
	if !x.Finished || x.ServerHello == nil || x.Resumed {
		return nil
	}
	var out []*Session
	for _, b := range h.tickets {
		var message wire.NewSessionTicket
		if wire.ParseNewSessionTicket(b, x.Version, &message) != nil || len(message.Ticket) == 0 {
			continue
		}
		s := &Session{
			Version: x.Version, CipherSuite: x.CipherSuite, Ticket: message.Ticket, Lifetime: message.Lifetime,
			MaxEarlyData: message.MaxEarlyData, received: time.Now(),
		}
		if h.tls13 {
			if h.modern == nil || h.modern.resumption == nil || len(b) < 4+9 {
				continue
			}
			// struct { uint32 ticket_lifetime; uint32 ticket_age_add; opaque ticket_nonce<0..255>; … } (RFC 8446, Section 4.6.1)
			s.ageAdd = binary.BigEndian.Uint32(b[8:])
			nonce := b[13:]
			if int(b[12]) > len(nonce) {
				continue
			}
			s.hash = h.modern.hash
			s.psk = expandLabel(s.hash, h.modern.resumption, "resumption", nonce[:b[12]], s.hash.Size())
		}
		out = append(out, s)
	}
	if id := x.ServerHello.SessionID; !h.tls13 && len(out) == 0 && len(id) > 0 {
		out = append(out, &Session{Version: x.Version, CipherSuite: x.CipherSuite, ID: id, received: time.Now()})
	}
	return out
}

// keepTicket keeps a NewSessionTicket message.
func (h *handshake) keepTicket(b []byte) {
	h.x.Tickets++
	if len(h.tickets) < maxSessions {
		h.tickets = append(h.tickets, b)
	}
}

// Resume offers to take a session up, and comes last: in TLS 1.3 what is changed afterwards makes the binder wrong. The suite of the
// session has to be among those offered. Whether the server goes along says Exchange.Resumed.
func (h *Hello) Resume(s *Session) {
	switch {
	case !s.Version.IsTLS13() && len(s.Ticket) > 0:
		h.Set(wire.ExtensionSessionTicket, s.Ticket)
		h.SessionID = random(32) // echoed where the ticket is taken (RFC 5077, Section 3.4)
	case !s.Version.IsTLS13():
		h.SessionID = s.ID
	default:
		h.resume13(s)
	}
}

// resume13 puts pre_shared_key in, with its binder (RFC 8446, Sections 4.2.11 and 4.2.11.2).
func (h *Hello) resume13(s *Session) {
	size := s.hash.Size()
	age := uint32(time.Since(s.received).Milliseconds()) + s.ageAdd
	n := len(s.Ticket)
	body := []byte{byte((n + 6) >> 8), byte(n + 6), byte(n >> 8), byte(n)}
	body = append(body, s.Ticket...)
	body = binary.BigEndian.AppendUint32(body, age)
	binders := 2 + 1 + size
	body = append(body, byte((size+1)>>8), byte(size+1), byte(size))
	body = append(body, make([]byte, size)...)
	h.Remove(wire.ExtensionPreSharedKey)
	h.Set(wire.ExtensionPreSharedKey, body)
	message, err := h.Message()
	if err != nil || len(message) < binders {
		return
	}
	early := &schedule13{hash: s.hash}
	secret := early.extract(s.psk, make([]byte, size))
	key := expandLabel(s.hash, early.derive(secret, "res binder", nil), "finished", nil, size)
	transcript := s.hash.New()
	transcript.Write(message[:len(message)-binders])
	mac := hmac.New(s.hash.New, key)
	mac.Write(transcript.Sum(nil))
	copy(body[len(body)-size:], mac.Sum(nil))
}
