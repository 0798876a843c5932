package capture_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
)

// initial is a datagram with an Initial packet of the client or the server of one connection.
func initial(t testing.TB, client bool, number uint64, frames []byte) []byte {
	t.Helper()
	id, own := []byte{1, 2, 3, 4, 5, 6, 7, 8}, []byte{9, 9, 9, 9}
	keys, answer, err := quicwire.InitialKeys(quicwire.Version1, id)
	if err != nil {
		t.Fatal(err)
	}
	h := quicwire.Header{Type: quicwire.PacketInitial, Version: quicwire.Version1, DestinationID: id, SourceID: own}
	if !client {
		keys, h.DestinationID, h.SourceID = answer, own, []byte{7, 7, 7, 7}
	}
	const room = 1200 // of frames alone: the datagram is as large as it must be
	return keys.Seal(nil, &h, number, append(frames, make([]byte, max(0, room-len(frames)))...))
}

// quicHello is the frame with a ClientHello.
func quicHello(t testing.TB) []byte {
	t.Helper()
	var raw []byte
	_, _ = readCapture(t, shared(t, "captures", "files", "ntop+nDPI", "tests", "cfgs", "default", "pcap", "quic-33.pcapng"), capture.Options{OnPackets: func(c *inspect.Connection, _ []capture.Packet) {
		if tls := c.ClientLeg.TLS; raw == nil && tls.Client != nil {
			raw = tls.Client.Message.Raw
		}
	}})
	frame := []byte{6, 0}
	return append(binary.BigEndian.AppendUint16(frame, uint16(len(raw))|0x4000), raw...)
}

// TestQUICClientThatGivesUp has a client that sends its hello again and again, and then no more. It closes in silence, or with a word to
// nobody.
func TestQUICClientThatGivesUp(t *testing.T) {
	hello := quicHello(t)
	acked := []byte{2, 0, 0, 0, 0} // ACK of packet 0
	closes := []byte{0x1C, 0, 0, 0}
	for name, test := range map[string]struct {
		before, after []int // milliseconds at which the hello is sent, before the server's answer and after it
		close         bool
		want          inspect.ErrorType
		says          string
	}{
		"no answer":                  {[]int{0, 500, 1500, 3500}, nil, false, inspect.ErrorNoAnswer, "the client sent 4 datagrams in 3.5 s, to which nothing was answered by the server"},
		"no answer, and it closes":   {[]int{0, 500, 1500, 3500}, nil, true, inspect.ErrorClosed, "CONNECTION_CLOSE"},
		"an ACK and nothing more":    {[]int{0}, []int{500, 1000, 2000, 4000}, false, inspect.ErrorStalled, "the client sent 4 datagrams in 3.5 s, to which nothing was answered by the server"},
		"an ACK, and it closes":      {[]int{0}, []int{500}, true, inspect.ErrorStalled, "the client sent 2 datagrams in 4.5 s, to which nothing was answered by the server, and gave up: CONNECTION_CLOSE"},
		"the capture ends too early": {[]int{0}, []int{500}, false, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			at, number := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), uint64(0)
			var chunks []capture.Chunk
			send := func(times []int) {
				for _, ms := range times {
					chunks = append(chunks, capture.Chunk{At: at.Add(time.Duration(ms) * time.Millisecond), From: inspect.FromClient, Data: initial(t, true, number, hello)})
					number++
				}
			}
			send(test.before)
			if test.after != nil {
				chunks = append(chunks, capture.Chunk{At: at.Add(time.Millisecond), From: inspect.FromServer, Data: initial(t, false, 0, acked)})
				send(test.after)
			}
			if test.close {
				chunks = append(chunks, capture.Chunk{At: at.Add(5 * time.Second), From: inspect.FromClient, Data: initial(t, true, 9, closes)})
			}
			file, err := capture.Compose(
				capture.Exchange{ // both ways are captured
					Client: netip.MustParseAddrPort("192.0.2.7:40000"), Server: netip.MustParseAddrPort("192.0.2.1:443"), Began: at.Add(-time.Second),
					Chunks: chunksOf(ecdhe(t)), End: inspect.EndFINClient,
				},
				capture.Exchange{
					Client: netip.MustParseAddrPort("192.0.2.7:40001"), Server: netip.MustParseAddrPort("192.0.2.1:443"), Transport: inspect.TransportQUIC, Began: at, Chunks: chunks,
				})
			if err != nil {
				t.Fatal(err)
			}
			var got *inspect.Connection
			_, _ = capture.Read(t.Context(), bytes.NewReader(file), "quic", capture.Options{OnConnection: func(c *inspect.Connection) {
				if c.Transport == inspect.TransportQUIC {
					got = c
				}
			}})
			if got == nil || got.ClientLeg.TLS.Client == nil {
				t.Fatalf("no hello: %+v", got)
			}
			e := got.ClientLeg.Error
			if e == nil {
				e = &inspect.Error{}
			}
			if e.Type != test.want || !strings.Contains(e.Message, test.says) {
				t.Errorf("%s: %s", e.Type, e.Message)
			}
		})
	}
}

func chunksOf(talk []turn) (chunks []capture.Chunk) {
	for _, x := range talk {
		from := inspect.FromServer
		if x.client {
			from = inspect.FromClient
		}
		chunks = append(chunks, capture.Chunk{From: from, Data: x.data})
	}
	return chunks
}
