package quicwire

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// chlo is a packet of Google's QUIC with a CHLO in a STREAM frame.
func chlo(version, name string) []byte {
	values := []struct{ tag, value string }{{"PAD\x00", "----"}, {"SNI\x00", name}, {"VER\x00", version}, {"UAID", "test agent"}}
	message := binary.LittleEndian.AppendUint16([]byte("CHLO"), uint16(len(values)))
	message = append(message, 0, 0)
	var all []byte
	for _, v := range values {
		all = append(all, v.value...)
		message = append(message, v.tag...)
		message = binary.LittleEndian.AppendUint32(message, uint32(len(all)))
	}
	message = append(message, all...)
	var b []byte
	if version == "Q046" {
		b = append([]byte{0xc3}, version...)
		b = append(b, 0x50)                          // an id of eight bytes, and none
		b = append(b, "12345678\x00\x00\x00\x01"...) // and the packet number
	} else {
		b = append([]byte{0x09}, "12345678"...)
		b = append(b, version...)
		b = append(b, 1)
	}
	b = append(b, "hash hash 12"...)
	b = append(b, 0xa0, 1, byte(len(message)>>8), byte(len(message)))
	return append(b, message...)
}

func TestHellosOfGooglesQUIC(t *testing.T) {
	for _, version := range []string{"Q024", "Q039", "Q043", "Q046"} {
		t.Run(version, func(t *testing.T) {
			b := chlo(version, "www.example.com")
			if v, kind, ok := Recognize(b); !ok || kind != PacketGQUIC || v.String() != version || !v.GQUIC() {
				t.Errorf("recognized as %s, %s, %v", v, kind, ok)
			}
			var f Flow
			if err := f.Datagram(FromServer, b); err != nil { // believed to be the server
				t.Fatal(err)
			}
			h := f.GQUIC()
			if h == nil || h.Version.String() != version || string(h.SNI) != "www.example.com" || string(h.UserAgent) != "test agent" || len(h.Tags) != 4 || h.Tags[1] != "SNI" {
				t.Fatalf("%+v", h)
			}
			if !f.Swapped() || !f.Authentic() || f.Stats(FromClient).Datagrams != 1 {
				t.Errorf("swapped %v, authentic %v, %+v", f.Swapped(), f.Authentic(), f.Stats(FromClient))
			}
			for n := range b {
				var f Flow
				_ = f.Datagram(FromClient, b[:n])
				if h := f.GQUIC(); h != nil && len(h.SNI) > 0 && n < bytes.Index(b, []byte("www.example.com"))+15 {
					t.Errorf("%d of %d bytes: name %q", n, len(b), h.SNI)
				}
			}
		})
	}
}

// TestTheHelloOfQ050 has it in CRYPTO frames of Initial packets.
func TestTheHelloOfQ050(t *testing.T) {
	client, server := clientAndServer(t, VersionQ050, "original")
	packet := chlo("Q050", "www.example.com")
	message := packet[bytes.Index(packet, []byte("CHLO")):]
	part := func(offset int, b []byte) []byte {
		return append(appendVarint(appendVarint([]byte{googleCrypto}, uint64(offset)), uint64(len(b))), b...)
	}
	var f Flow
	if err := f.Datagram(FromClient, client.initial(part(50, message[50:]))); err != nil {
		t.Fatal(err)
	}
	if f.GQUIC() != nil {
		t.Error("read with a gap")
	}
	ack := []byte{0x40, 1, 0, 0, 1, 0}
	if err := f.Datagram(FromClient, client.initial(append(ack, part(0, message[:50])...))); err != nil {
		t.Fatal(err)
	}
	if h := f.GQUIC(); h == nil || string(h.SNI) != "www.example.com" || h.Version != VersionQ050 {
		t.Errorf("%+v", h)
	}
	reason := "25:No recent network activity"
	frame := append([]byte{googleClose, 0, 0, 0, 25, 0, byte(len(reason))}, reason...)
	if err := f.Datagram(FromServer, server.initial(frame)); err != nil {
		t.Fatal(err)
	}
	c := f.Close()
	if c == nil || !c.Google || c.Code != 25 || string(c.Reason) != reason || c.CodeName() != "gQUIC error 25" {
		t.Errorf("%+v", c)
	}
	if _, ok := c.Alert(); ok {
		t.Error("an alert")
	}
}
