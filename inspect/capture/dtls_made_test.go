package capture_test

import (
	"encoding/binary"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/capture"
)

// handshakeMessages are the messages in the clear that both sides of a recorded connection of TLS sent, in their order.
func handshakeMessages(t *testing.T, talk []turn) (all []turn) {
	t.Helper()
	var streams, messages [2][]byte
	for _, x := range talk {
		i := 0
		if x.client {
			i = 1
		}
		streams[i] = append(streams[i], x.data...)
		for len(streams[i]) >= 5 {
			n := 5 + int(binary.BigEndian.Uint16(streams[i][3:]))
			if len(streams[i]) < n {
				break
			}
			kind, body := streams[i][0], streams[i][5:n]
			streams[i] = streams[i][n:]
			if kind != 22 {
				continue
			}
			messages[i] = append(messages[i], body...)
			for len(messages[i]) >= 4 {
				n := 4 + int(messages[i][1])<<16 + int(messages[i][2])<<8 + int(messages[i][3])
				if messages[i][0] == 0 || messages[i][0] > 24 || len(messages[i]) < n {
					break // encrypted, or not whole
				}
				all = append(all, turn{x.client, messages[i][:n:n]})
				messages[i] = messages[i][n:]
			}
		}
	}
	return all
}

// withExtension adds an extension to a hello; at is where its extensions begin.
func withExtension(message []byte, at int, kind uint16, body []byte) []byte {
	rest := message[at+2:]
	added := cat(be16(int(kind)), be16(len(body)), body)
	m := cat(message[:at], be16(len(rest)+len(added)), rest, added)
	copy(m[1:4], []byte{byte((len(m) - 4) >> 16), byte((len(m) - 4) >> 8), byte(len(m) - 4)})
	return m
}

// dtlsRecord is a record with a connection id, if it has one.
func dtlsRecord(kind byte, epoch, sequence int, id, body []byte) []byte {
	return cat([]byte{kind, 0xFE, 0xFD}, be16(epoch), []byte{0, 0, 0, 0}, be16(sequence), id, be16(len(body)), body)
}

// TestConnectionIDs speaks DTLS 1.2 whose encrypted records have connection ids (RFC 9146), its hellos in fragments out of order.
func TestConnectionIDs(t *testing.T) {
	messages := handshakeMessages(t, ecdhe(t))
	if len(messages) < 5 {
		t.Fatalf("%d messages", len(messages))
	}
	toClient, toServer := []byte{0xC1, 0xC2, 0xC3}, []byte{0x51, 0x52, 0x53, 0x54, 0x55} // what each asks its peer to say
	w := newBuilder()
	c, s := client(5), server()
	s.port = 4433
	send := func(client bool, b []byte) {
		if client {
			w.udpDatagram(c, s, b, 50)
		} else {
			w.udpDatagram(s, c, b, 50)
		}
	}
	var sequence, record [2]int
	fragment := func(client bool, m []byte, offset, length int) {
		i := 0
		if client {
			i = 1
		}
		head := cat(m[:4], be16(sequence[i]), []byte{0, byte(offset >> 8), byte(offset), 0, byte(length >> 8), byte(length)})
		send(client, dtlsRecord(22, 0, record[i], nil, cat(head, m[4+offset:4+offset+length])))
		record[i]++
	}
	for _, x := range messages {
		m := x.data
		switch m[0] {
		case 1: // a cookie goes behind the session id
			at := 4 + 2 + 32 + 1 + int(m[4+34])
			m = cat(m[:at], []byte{0}, m[at:])
			at += 1
			at += 2 + int(binary.BigEndian.Uint16(m[at:]))
			at += 1 + int(m[at])
			m[4], m[5] = 0xFE, 0xFD
			m = withExtension(m, at, 54, cat([]byte{byte(len(toClient))}, toClient))
		case 2:
			m = cat(m)
			m[4], m[5] = 0xFE, 0xFD
			m = withExtension(m, 4+2+32+1+int(m[4+34])+3, 54, cat([]byte{byte(len(toServer))}, toServer))
		}
		half := (len(m) - 4) / 2
		fragment(x.client, m, half, len(m)-4-half)
		fragment(x.client, m, 0, half)
		i := 0
		if x.client {
			i = 1
		}
		sequence[i]++
	}
	for _, client := range []bool{true, false} {
		id := toClient
		if client {
			id = toServer
		}
		send(client, cat(dtlsRecord(20, 0, 50, nil, []byte{1}), dtlsRecord(25, 1, 0, id, make([]byte, 40))))
	}
	for i := range 6 {
		id := toServer
		if i%2 == 1 {
			id = toClient
		}
		send(i%2 == 0, cat(dtlsRecord(25, 1, 1+i, id, make([]byte, 60)), dtlsRecord(25, 1, 2+i, id, make([]byte, 30))))
	}
	records, stats := recordsOf(t, w.b, capture.Options{})
	if len(records) != 1 {
		t.Fatalf("%d records, %+v", len(records), stats)
	}
	r := records[0]
	if tls := r.ClientLeg.TLS; !tls.Established || tls.Version != "DTLSv1.2" || r.ClientLeg.Error != nil || len(tls.Server.CertificateChain) == 0 || tls.Client.Message.Records != 2 {
		t.Errorf("%+v, %+v, %+v", tls, tls.Client.Message, r.ClientLeg.Error)
	}
}
