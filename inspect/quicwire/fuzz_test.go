package quicwire

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"
)

// FuzzFlow takes its input as datagrams, each with two bytes that say its length and its side: a flow never panics, changes nothing, and
// holds no more than it may.
func FuzzFlow(f *testing.F) {
	frame := func(all ...[]byte) (b []byte) {
		for i, d := range all {
			b = binary.BigEndian.AppendUint16(b, uint16(len(d))|uint16(i&1)<<15)
			b = append(b, d...)
		}
		return b
	}
	b, err := os.ReadFile("testdata/rfc9001_a2_client_initial.hex")
	if err != nil {
		f.Fatal(err)
	}
	v1 := unhex(f, string(b))
	f.Add(frame(v1, unhex(f, rfcServerV1)))
	f.Add(frame(unhex(f, rfcServerV1), v1))
	f.Add(frame(v1, unhex(f, "ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba"), unhex(f, rfcServerV2)))
	f.Add(frame([]byte("\x80\x00\x00\x00\x00\x06client\x08original\x00\x00\x00\x01\x1a\x2a\x3a\x4a"), v1))
	f.Add(frame(chlo("Q043", "example.com"), chlo("Q046", "example.com")))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		flow := Flow{Secrets: func([]byte) Secrets {
			return Secrets{ServerHandshake: make([]byte, 32), ClientTraffic: make([]byte, 48)}
		}}
		for rest := b; len(rest) >= 2; {
			n := int(binary.BigEndian.Uint16(rest))
			from := Side(n >> 15)
			n = min(n&0x7fff, len(rest)-2)
			d := rest[2 : 2+n]
			rest = rest[2+n:]
			_, _, _ = Recognize(d)
			_ = flow.Datagram(from, d)
			var m Message
			for flow.Next(&m) {
				if len(m.Bytes) < messageHeader {
					t.Error("a message without a header")
				}
			}
		}
		if !bytes.Equal(b, before) {
			t.Error("a datagram was changed")
		}
		if flow.Held() > 1<<20 {
			t.Errorf("%d bytes held", flow.Held())
		}
	})
}

// FuzzFrames takes its input as the frames of an opened packet: what only who holds the keys can send, which everybody does for Initials.
func FuzzFrames(f *testing.F) {
	f.Add(unhex(f, rfcCrypto), uint32(Version1), byte(0))
	f.Add(unhex(f, rfcServer), uint32(Version1), byte(1))
	f.Add([]byte{frameClose, 0x41, 0x28, 0, 2, 'n', 'o'}, uint32(Version1), byte(2))
	f.Add([]byte{0x40, 1, 0, 0, 1, 0, 8, 0, 2, 1, 0}, uint32(VersionT051), byte(0))
	f.Add(append([]byte{8, 0, 0x40, 0x60}, chlo("Q050", "example.com")[26:]...), uint32(VersionQ050), byte(0))
	f.Fuzz(func(t *testing.T, payload []byte, version uint32, level byte) {
		var flow Flow
		flow.versions[FromClient] = Version(version)
		for range 2 {
			_ = flow.frames(FromClient, Level(level%levels), payload)
		}
		_ = messages(&flow)
		if flow.Held() > 1<<20 {
			t.Errorf("%d bytes held", flow.Held())
		}
	})
}

// FuzzTransportParameters wants of every parameter a value that lies in the input.
func FuzzTransportParameters(f *testing.F) {
	f.Add(unhex(f, "0408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff"), uint32(Version1))
	f.Add(unhex(f, "000c0004000480010000000c0000"), uint32(VersionT050))
	f.Fuzz(func(t *testing.T, body []byte, version uint32) {
		all, _ := ParseTransportParameters(Version(version), body)
		if len(all) > maxParameters {
			t.Errorf("%d parameters", len(all))
		}
		n := 0
		for _, p := range all {
			n += len(p.Value)
			if p.Name() == "" {
				t.Error("no name")
			}
			_, _ = p.Integer()
		}
		if n > len(body) {
			t.Errorf("%d bytes of values in %d", n, len(body))
		}
	})
}
