package capture_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// sound are the packets of connections that went well, in several forms: with nothing but what must be said, with each segment acknowledged
// by a packet of its own, and in small segments. Their lengths are the same in every run.
func sound(f *testing.F) [][]capture.Packet {
	f.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"live.example.com"}, NotBefore: time.Unix(1_700_000_000, 0), NotAfter: time.Unix(2_000_000_000, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		f.Fatal(err)
	}
	certificate := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	say := func(from, to *tls.Conn, n int) {
		if _, err := from.Write(make([]byte, n)); err != nil {
			f.Fatal(err)
		}
		if _, err := io.ReadFull(to, make([]byte, n)); err != nil {
			f.Fatal(err)
		}
	}
	talk := func(c, s *tls.Conn) {
		say(c, s, 100)
		say(s, c, 300)
		say(c, s, 40)
		say(s, c, 2000)
		_ = c.Close()
		_, _ = s.Read(make([]byte, 1))
		_ = s.Close()
	}
	serverFirst := func(c, s *tls.Conn) {
		say(s, c, 60)
		say(c, s, 60)
		_ = s.Close()
		_, _ = c.Read(make([]byte, 1))
		_ = c.Close()
	}
	sessions := tls.NewLRUClientSessionCache(4)
	var all [][]capture.Packet
	for _, x := range []struct {
		then   func(c, s *tls.Conn)
		change func(client, server *tls.Config)
	}{
		{talk, func(*tls.Config, *tls.Config) {}},
		{talk, func(client, _ *tls.Config) { client.MaxVersion = tls.VersionTLS12 }},
		{talk, func(_, server *tls.Config) { server.SessionTicketsDisabled = true }},
		{serverFirst, func(_, server *tls.Config) { server.SessionTicketsDisabled = true }},
		{serverFirst, func(client, _ *tls.Config) { client.MaxVersion = tls.VersionTLS12 }},
		{talk, func(client, server *tls.Config) {
			client.CurvePreferences, server.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP384}, []tls.CurveID{tls.CurveP384}
		}},
		{talk, func(client, server *tls.Config) {
			server.ClientAuth, client.Certificates = tls.RequireAnyClientCert, []tls.Certificate{certificate}
		}},
		{talk, func(client, server *tls.Config) {
			server.ClientAuth, client.Certificates, client.MaxVersion = tls.RequireAnyClientCert, []tls.Certificate{certificate}, tls.VersionTLS12
		}},
		{talk, func(_, server *tls.Config) { server.ClientAuth = tls.RequestClientCert }},
		{talk, func(client, _ *tls.Config) { client.ClientSessionCache = sessions }},
		{talk, func(client, _ *tls.Config) { client.ClientSessionCache = sessions }}, // resumed
	} {
		client := &tls.Config{InsecureSkipVerify: true, ServerName: "live.example.com", CurvePreferences: []tls.CurveID{tls.X25519}}
		server := &tls.Config{Certificates: []tls.Certificate{certificate}}
		server.SetSessionTicketKeys([][32]byte{{1}})
		x.change(client, server)
		said := spoken(f, client, server, x.then)
		for _, form := range []struct {
			most  int // bytes of a segment
			acked bool
		}{{1448, false}, {1448, true}, {400, true}} {
			w := newBuilder()
			c, s := clientAt(), serverAt()
			w.open(c, s)
			for _, p := range said {
				from, to := c, s
				if !p.client {
					from, to = s, c
				}
				for part := range slices.Chunk(p.data, form.most) {
					w.segment(from, to, psh|ack, part, 10)
					if form.acked {
						w.segment(to, from, ack, nil, 10)
					}
				}
			}
			w.close(c, s)
			all = append(all, packetsOf(f, w.b))
		}
	}
	return all
}

// FuzzOrder has the packets of a connection that went well in another order, some of them twice, some cut short, and some not at all: three
// bytes say what becomes of one. Whatever is not in a capture, nobody may be told that the connection failed.
func FuzzOrder(f *testing.F) {
	all := sound(f)
	for i := range all {
		n := byte(i)
		f.Add([]byte{n})
		f.Add([]byte{n, 0, 4, 6, 0, 5, 1})
		f.Add([]byte{n, 1, 1, 0, 1, 3, 0})
		f.Add([]byte{n, 2, 3, 9, 0, 4, 9, 1, 6, 0})
		f.Add([]byte{n, 3, 4, 60, 4, 1, 0})
		f.Add([]byte{n, 5, 9, 0, 6, 1, 0, 0, 4, 5})
		f.Add([]byte{n, 7, 0, 0})
		f.Add([]byte{n, 7, 1, 0, 1, 0, 0})
	}
	for _, told := range []string{ // of which it was once said that they failed
		"9ǈ\x88\nv\xf3\x88T\xec\xb2b\x8dv\"\"\v",
		"\x03\x00\n\x01\x01\x00\x01\x03\x00",
		"\a\aHHHHHHH\x01",
		";;\x01\x00\x00;\x00\xff\x01\x00\x01\x00\x00",
		"\x12\x02\x03\t\x00\x04\t\x03\x06\xe3\xe3\xe3\x00",
		"\n\x01\x00\x00\x01\x86\x0f5555#\xba2\x02\xf9",
		";;\x01 \x00;\x00\xff\xf1\x00\xb0\x9e\x19\x98\x01\x00\x00",
		"\r\xcf\xce\xce\x00\x00\x80\a\xb8Uv\x00\x7f\xff\xce\x00\x00",
		"\x0e\x02\t\x00\x00\x04\x00\x01\x06\t",
		"\x04\xe3\xdb\xdb]\xdb\x04\xdb\a\x01\x00",
	} {
		f.Add([]byte(told))
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) == 0 || len(program) > 1+3*24 {
			return
		}
		packets := slices.Clone(all[int(program[0])%len(all)])
		whole, moved := true, false
		for program = program[1:]; len(program) >= 3 && len(packets) > 1; program = program[3:] {
			at, arg := int(program[1])%len(packets), int(program[2])
			p := packets[at]
			switch program[0] % 8 {
			case 0: // captured later or sooner
				packets = slices.Insert(slices.Delete(packets, at, at+1), arg%len(packets), p)
				moved = true
			case 1:
				packets, whole = slices.Delete(packets, at, at+1), false
			case 2: // captured twice
				packets = slices.Insert(packets, arg%len(packets), p)
				moved = true
			case 3: // cut short
				packets[at].Data, whole = p.Data[:min(len(p.Data), 54+arg*6)], false
			case 4: // the capture begins here
				packets, whole = packets[at:], whole && at == 0
			case 5: // and ends here
				packets, whole = packets[:at+1], false
			case 6: // none of them
				packets, whole = slices.Delete(packets, at, min(len(packets), at+1+arg%8)), false
				if len(packets) == 0 {
					return
				}
			case 7: // all of one side before those of the other
				first := arg&1 == 1
				slices.SortStableFunc(packets, func(a, b capture.Packet) int {
					switch from := fromTheServer(a); {
					case from == fromTheServer(b):
						return 0
					case from == first:
						return -1
					}
					return 1
				})
				moved = true
			}
		}
		for i := range packets {
			packets[i].Time = time.Unix(1_700_000_000, int64(i)*10_000)
		}
		records, _ := recordsOf(t, pcapFile(littleEndian, 0xA1B23C4D, packets), capture.Options{OnPackets: func(*inspect.Connection, []capture.Packet) {}})
		for _, r := range records {
			if r.Event.Outcome == inspect.Failure || len(r.Capture.Inferred) > 0 {
				var left []uint64
				for _, p := range packets {
					left = append(left, p.Number)
				}
				t.Errorf("packets %d: %s %+v %+v", left, r.Event.Outcome, r.ClientLeg.Error, r.Capture)
			}
		}
		if whole && !moved && (len(records) != 1 || records[0].Event.Outcome != inspect.Success) {
			t.Errorf("%d records, %+v", len(records), records)
		}
	})
}
