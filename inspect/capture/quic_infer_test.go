package capture_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
)

// handshakePacket is a Handshake packet that nobody can read.
func handshakePacket(client bool, n int) []byte {
	to, own := []byte{7, 7, 7, 7}, madeOwn
	if !client {
		to, own = own, to
	}
	b := binary.BigEndian.AppendUint32([]byte{0xE0}, uint32(quicwire.Version1))
	b = append(append(b, byte(len(to))), to...)
	b = append(append(b, byte(len(own))), own...)
	b = binary.BigEndian.AppendUint16(b, 0x4000|uint16(n))
	return append(b, bytes.Repeat([]byte{0xA5}, n)...)
}

// TestQUICInferredRefusals has clients that leave behind the server's flight, and others of which the same could be thought. Nobody has keys.
func TestQUICInferredRefusals(t *testing.T) {
	hello := quicHello(t)
	var answer []byte // a ServerHello of TLS 1.3, without extensions that matter
	answer = append(answer, 3, 3)
	answer = append(answer, bytes.Repeat([]byte{0x5A}, 32)...)
	answer = append(answer, 0, 0x13, 1, 0, 0, 6, 0, 43, 0, 2, 3, 4)
	answer = slices.Concat([]byte{2, 0, 0, byte(len(answer))}, answer)
	short := func(client bool) []byte {
		to := []byte{7, 7, 7, 7}
		if !client {
			to = madeOwn
		}
		return slices.Concat([]byte{0x41}, to, bytes.Repeat([]byte{0xC3}, 60))
	}
	begun := []told{
		{0, false, initial(t, true, 0, hello)}, {1, true, initial(t, false, 0, quicwire.AppendCrypto(nil, 0, answer))}, {2, true, handshakePacket(false, 1100)},
		{3, true, slices.Concat(handshakePacket(false, 900), short(false))},
	}
	ack, last := told{4, false, handshakePacket(true, 35)}, told{5, false, handshakePacket(true, 221)}
	for name, test := range map[string]struct {
		then  []told
		later int // milliseconds behind the last datagram that something else comes; 0: nothing does
		want  bool
		says  string
	}{
		"Chromium":                        {[]told{ack, {5, true, handshakePacket(false, 38)}, {6, false, handshakePacket(true, 221)}}, 1500, true, "a datagram of 238 bytes, and went on with nothing under the application's keys; then both said nothing any more for 1.5 s"},
		"the capture ends behind it":      {[]told{ack, last}, 0, true, "nothing more is in the capture"},
		"something else comes at once":    {[]told{ack, last}, 20, true, "nothing more is in the capture"},
		"the capture ends in the middle":  {[]told{ack}, 0, false, ""},
		"the rest was left out":           {[]told{ack}, 1500, false, ""},
		"it went well":                    {[]told{ack, {5, false, slices.Concat(handshakePacket(true, 60), short(true))}, {6, true, short(false)}}, 1500, false, ""},
		"it went well, in other packets":  {[]told{ack, last, {6, false, short(true)}}, 1500, false, ""},
		"the server speaks last":          {[]told{ack, last, {6, true, short(false)}}, 1500, false, ""},
		"the server sends its own again":  {[]told{ack, last, {6, true, handshakePacket(false, 1100)}}, 1500, false, ""},
		"an Initial packet is beside it":  {[]told{ack, {5, false, slices.Concat(initial(t, true, 1, quicwire.AppendACK(nil, 0)), handshakePacket(true, 30))}}, 1500, false, ""},
		"nothing came behind the answer":  {nil, 1500, false, ""},
		"of that kind nothing is in view": {[]told{}, 1500, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			datagrams := slices.Concat(begun, test.then)
			if name == "of that kind nothing is in view" { // who captured left out all with a short header
				datagrams = []told{begun[0], begun[1], begun[2], {3, true, handshakePacket(false, 900)}, ack, last}
			}
			if test.later > 0 {
				datagrams = append(datagrams, told{datagrams[len(datagrams)-1].ms + test.later, false, nil})
			}
			var got *inspect.Connection
			for _, r := range madeQUIC(t, datagrams) {
				if r.ClientLeg.TLS != nil && r.ClientLeg.TLS.Client != nil {
					got = r
				}
			}
			if got == nil || got.ClientLeg.TLS.Version == "" {
				t.Fatalf("%+v", got)
			}
			inferred := got.Capture.Inferred
			if (len(inferred) == 1) != test.want || test.want && (inferred[0].Kind != inspect.InferredCertificateRefused || !strings.Contains(inferred[0].Basis, test.says) || got.Event.Outcome != inspect.Unknown) {
				t.Errorf("%s %+v %+v", got.Event.Outcome, got.ClientLeg.Error, inferred)
			}
		})
	}
}
