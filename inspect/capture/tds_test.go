package capture_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
)

// tdsPacket is a packet of TDS with the end-of-message bit.
func tdsPacket(kind byte, payload []byte) []byte {
	return cat([]byte{kind, 1}, be16(8+len(payload)), []byte{0, 0, 1, 0}, payload)
}

// TestTDS has a handshake in the packets of TDS, and bare TLS behind it, in segments of several sizes.
func TestTDS(t *testing.T) {
	prelogin := func(encryption byte) []byte { // VERSION and ENCRYPTION
		return []byte{0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xFF, 15, 0, 7, 0xD0, 0, 0, encryption}
	}
	talk := []turn{{true, tdsPacket(0x12, prelogin(1))}, {false, tdsPacket(0x04, prelogin(3))}}
	changed := [2]bool{}
	for _, x := range ecdhe(t) {
		side := 0
		if x.client {
			side = 1
		}
		if changed[0] && changed[1] {
			talk = append(talk, x) // application data
			continue
		}
		var packets []byte
		for part := range slices.Chunk(x.data, 1000) {
			packets = append(packets, tdsPacket(0x12, part)...)
		}
		talk = append(talk, turn{x.client, packets})
		changed[side] = changed[side] || bytes.Contains(x.data, []byte{20, 3, 3, 0, 1, 1})
	}
	for _, size := range []int{1 << 16, 100, 1} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			w := newBuilder()
			c, s := client(5), server()
			s.port = 1433
			w.open(c, s)
			for _, x := range talk {
				for part := range slices.Chunk(x.data, size) {
					if x.client {
						w.segment(c, s, psh|ack, part, 20)
					} else {
						w.segment(s, c, psh|ack, part, 20)
					}
				}
			}
			w.close(c, s)
			got, err := only(t, bytes.NewReader(w.b))
			if err != nil {
				t.Fatal(err)
			}
			if tls := got.ClientLeg.TLS; !tls.Established || got.Capture.Upgrade != "tds" || tls.Server == nil || len(tls.Server.CertificateChain) == 0 || got.ClientLeg.Error != nil {
				t.Errorf("%q, %+v, %+v", got.Capture.Upgrade, tls, got.ClientLeg.Error)
			}
		})
	}
}
