package capture_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// ecdhe is a handshake of TLS 1.2 with certificates in the clear.
func ecdhe(tb testing.TB) []turn {
	return recorded(tb, "zeek+zeek", "testing", "btest", "Traces", "tls", "ecdhe.pcap")
}

// sent is a segment of a made-up connection, before it is put into a capture.
type sent struct {
	client bool
	at     uint32 // place in its direction
	data   []byte
}

// pieces cuts what both sides say into segments of at most n bytes.
func pieces(talk []turn, n int) []sent {
	var all []sent
	var place [2]uint32
	for _, t := range talk {
		i := 0
		if t.client {
			i = 1
		}
		for part := range slices.Chunk(t.data, n) {
			all = append(all, sent{t.client, place[i], part})
			place[i] += uint32(len(part))
		}
	}
	return all
}

// conversationOf is a capture of segments, whatever their order, between the first and the last packets of a connection.
func conversationOf(all []sent, isn uint32) []byte {
	w := newBuilder()
	c, s := client(7), server()
	c.seq, s.seq = isn, isn+12345
	w.open(c, s)
	var end [2]uint32
	for _, x := range all {
		from, to, i := s, c, 0
		if x.client {
			from, to, i = c, s, 1
		}
		w.segmentAt(from, to, from.seq+x.at, psh|ack, x.data, 50)
		end[i] = max(end[i], x.at+uint32(len(x.data)))
	}
	c.seq, s.seq = c.seq+end[1], s.seq+end[0]
	w.close(c, s)
	return w.b
}

func summary(c *inspect.Connection) string {
	t := c.ClientLeg.TLS
	chain := ""
	if t.Server != nil {
		for _, x := range t.Server.CertificateChain {
			chain += x.Hash.SHA256[:8] + " "
		}
	}
	return fmt.Sprint(c.Client, c.Server, t.Established, t.Version, t.Cipher, t.Client.JA4, chain, c.Event.Outcome)
}

func TestSegmentsInAnyForm(t *testing.T) {
	talk := ecdhe(t)
	whole, err := only(t, bytes.NewReader(conversationOf(pieces(talk, 1400), 1000)))
	if err != nil {
		t.Fatal(err)
	}
	want := summary(whole)
	if !whole.ClientLeg.TLS.Established || !strings.Contains(want, "TLSv1.2") {
		t.Fatal(want)
	}
	random := rand.New(rand.NewPCG(1, 2))
	near := func(all []sent) []sent { // each segment may come a few places from where it should
		all = slices.Clone(all)
		for i := range all {
			j := min(len(all)-1, i+random.IntN(4))
			if all[i].client == all[j].client {
				all[i], all[j] = all[j], all[i]
			}
		}
		return all
	}
	twice := func(all []sent) []sent {
		var out []sent
		for _, x := range all {
			out = append(out, x)
			if random.IntN(2) == 0 {
				out = append(out, x)
			}
		}
		return out
	}
	overlapping := func(all []sent) []sent {
		var out []sent
		for i, x := range all {
			if i > 0 && all[i-1].client == x.client && all[i-1].at+uint32(len(all[i-1].data)) == x.at {
				y := all[i-1]
				back := min(3, len(y.data))
				x = sent{x.client, x.at - uint32(back), slices.Concat(y.data[len(y.data)-back:], x.data)}
			}
			out = append(out, x)
		}
		return out
	}
	garbage := func(all []sent) []sent {
		var out []sent
		for _, x := range all {
			if x.at > 0 { // a keep-alive repeats the last byte, with anything in it
				out = append(out, sent{x.client, x.at - 1, []byte{0xEE}})
			}
			out = append(out, x)
		}
		return out
	}
	for name, change := range map[string]func() ([]sent, uint32){
		"small":               func() ([]sent, uint32) { return pieces(talk, 40), 1000 },
		"out of order":        func() ([]sent, uint32) { return near(pieces(talk, 100)), 1000 },
		"sent twice":          func() ([]sent, uint32) { return twice(pieces(talk, 300)), 1000 },
		"overlapping":         func() ([]sent, uint32) { return overlapping(pieces(talk, 200)), 1000 },
		"numbers wrap around": func() ([]sent, uint32) { return near(pieces(talk, 90)), 1<<32 - 300 },
		"keep-alive garbage":  func() ([]sent, uint32) { return garbage(pieces(talk, 500)), 1000 },
		"all of it":           func() ([]sent, uint32) { return twice(near(overlapping(pieces(talk, 77)))), 1<<32 - 1000 },
	} {
		t.Run(name, func(t *testing.T) {
			got, err := only(t, bytes.NewReader(conversationOf(change())))
			if err != nil {
				t.Fatal(err)
			}
			if summary(got) != want {
				t.Errorf("\n%s, want\n%s", summary(got), want)
			}
		})
	}
}

// TestPaddingThatCountsAsPayload has bare ACKs whose Ethernet padding a broken length made payload: the bytes that come later
// under the same numbers are the true ones.
func TestPaddingThatCountsAsPayload(t *testing.T) {
	talk := ecdhe(t)
	w := newBuilder()
	c, s := client(9), server()
	w.open(c, s)
	for _, x := range talk {
		from, to := s, c
		if x.client {
			from, to = c, s
		}
		w.segmentAt(from, to, from.seq, ack, make([]byte, 6), 20)
		w.segment(from, to, psh|ack, x.data, 20)
	}
	w.close(c, s)
	got, err := only(t, bytes.NewReader(w.b))
	if err != nil || !got.ClientLeg.TLS.Established || got.ClientLeg.Error != nil {
		t.Errorf("%+v, %v", got.ClientLeg.TLS, err)
	}
}

func TestLostSegmentIsSaid(t *testing.T) {
	talk := ecdhe(t)
	all := pieces(talk, 500)
	for i := range all {
		if all[i].client || i == 0 {
			continue
		}
		without := slices.Delete(slices.Clone(all), i, i+1)
		w := conversationOf(without, 5000)
		records, _ := recordsOf(t, w, capture.Options{})
		for _, r := range records {
			lost := r.Capture.Server.LostBytes
			if last := i == len(all)-1; !last && lost == 0 && without[len(without)-1].at > all[i].at {
				t.Errorf("without segment %d of %d: nothing is said to be lost", i, len(all))
			}
			if e := r.ClientLeg.Error; e != nil && e.Type != inspect.ErrorClosed {
				t.Errorf("without segment %d: %+v", i, e)
			}
		}
		if len(records) != 1 {
			t.Errorf("without segment %d: %d records", i, len(records))
		}
	}
}

func recordsOf(tb testing.TB, file []byte, o capture.Options) ([]*inspect.Connection, capture.Stats) {
	tb.Helper()
	var records []*inspect.Connection
	o.OnConnection = func(c *inspect.Connection) { records = append(records, c) }
	stats, err := capture.Read(tb.Context(), bytes.NewReader(file), "made", o)
	if err != nil {
		tb.Fatal(err)
	}
	return records, stats
}

// TestOneDirection leaves out the packets of one side.
func TestOneDirection(t *testing.T) {
	packets := packetsOf(t, conversationOf(pieces(ecdhe(t), 1000), 9))
	for _, keep := range []inspect.Side{inspect.FromClient, inspect.FromServer} {
		var some []capture.Packet
		for _, p := range packets {
			if fromServer := p.Data[26] == 192; fromServer == (keep == inspect.FromServer) {
				some = append(some, p)
			}
		}
		records, _ := recordsOf(t, pcapFile(littleEndian, 0xA1B2C3D4, some), capture.Options{})
		if len(records) != 1 {
			t.Fatalf("%s: %d records", keep, len(records))
		}
		r := records[0]
		if r.Capture.OneWay != keep || r.ClientLeg.Error != nil || r.Event.Outcome == inspect.Failure {
			t.Errorf("%s: %+v %+v %s", keep, r.Capture, r.ClientLeg.Error, r.Event.Outcome)
		}
		if r.Client.Port != int(client(7).port) {
			t.Errorf("%s: the client is %+v", keep, r.Client)
		}
	}
}

func TestMidstreamIsNoFailure(t *testing.T) {
	packets := packetsOf(t, conversationOf(pieces(ecdhe(t), 1000), 9))
	for from := 1; from < len(packets); from++ {
		records, _ := recordsOf(t, pcapFile(littleEndian, 0xA1B2C3D4, packets[from:]), capture.Options{})
		for _, r := range records {
			if r.Event.Outcome == inspect.Failure {
				t.Errorf("from packet %d: %+v", from, r.ClientLeg.Error)
			}
			if from > 2 && !r.Capture.Midstream {
				t.Errorf("from packet %d: not midstream", from)
			}
		}
	}
}

// TestFaults makes what a network does to connections, and what a record must call it.
func TestFaults(t *testing.T) {
	hello := ecdhe(t)[0].data
	large := slices.Concat(hello, make([]byte, 1300)) // more than the record: the hello alone decides
	second := uint64(1e6)
	for name, test := range map[string]struct {
		make  func(w *builder, c, s *side)
		want  inspect.ErrorType
		check func(*inspect.Connection) bool
	}{
		"no answer": {func(w *builder, c, s *side) {
			for range 3 {
				w.segmentAt(c, s, c.seq, syn, nil, second)
			}
		}, inspect.ErrorNoAnswer, func(c *inspect.Connection) bool { return c.Capture.SYNs == 3 }},
		"an answer that never arrives": {func(w *builder, c, s *side) {
			for range 3 {
				w.segmentAt(c, s, c.seq, syn, nil, second)
				w.segmentAt(s, &side{ip: c.ip, port: c.port, seq: c.seq + 1}, s.seq, syn|ack, nil, 10)
			}
		}, inspect.ErrorUnacknowledged, func(c *inspect.Connection) bool {
			return c.Capture.SYNs == 3 && strings.Contains(c.ClientLeg.Error.Message, "came 3 times and was answered 3 times")
		}},
		"refused": {func(w *builder, c, s *side) {
			w.segment(c, s, syn, nil, 10)
			w.segment(s, c, rst|ack, nil, 10)
		}, inspect.ErrorRefused, nil},
		"closed without a byte": {func(w *builder, c, s *side) { w.open(c, s); w.close(c, s) }, inspect.ErrorEmpty, nil},
		"reset behind the hello": {func(w *builder, c, s *side) {
			w.open(c, s)
			w.segment(c, s, psh|ack, hello, 10)
			w.segment(s, c, rst|ack, nil, 10)
		}, inspect.ErrorReset, func(c *inspect.Connection) bool {
			return c.Capture.End == inspect.EndResetServer && c.Capture.Server.ResetTTL == 64
		}},
		"large hello that never arrives": {func(w *builder, c, s *side) {
			w.open(c, s)
			for i := range 5 {
				w.segmentAt(c, s, c.seq, psh|ack, large[:1400], second<<i)
			}
		}, inspect.ErrorStuck, func(c *inspect.Connection) bool {
			k := c.Capture.Stuck
			return k != nil && k.From == inspect.FromClient && k.Size == 1400 && k.Times == 5 && slices.Equal(k.Packets, []uint64{4, 5, 6, 7, 8}) && k.Duration == 30_000
		}},
		"large hello whose beginning arrives": {func(w *builder, c, s *side) {
			w.open(c, s)
			w.segment(c, s, psh|ack, hello[:100], 10)
			w.segment(s, c, ack, nil, 10)
			for i := range 4 {
				w.segmentAt(c, s, c.seq, psh|ack, large[100:1500], second<<i)
			}
		}, inspect.ErrorStuck, func(c *inspect.Connection) bool { return c.Capture.Stuck.Acked == 100 }},
		"nothing behind the hello": {func(w *builder, c, s *side) {
			w.open(c, s)
			w.segment(c, s, psh|ack, hello, 10)
			c.seq += 0
			w.segment(s, c, ack, nil, 10)
		}, inspect.ErrorStalled, nil},
		"half a hello": {func(w *builder, c, s *side) {
			w.open(c, s)
			w.segment(c, s, psh|ack, hello[:60], 10)
			w.segment(s, c, ack, nil, 10)
			w.close(c, s)
		}, inspect.ErrorIncompleteHello, nil},
		"six bytes of a hello": {func(w *builder, c, s *side) {
			w.open(c, s)
			w.segment(c, s, psh|ack, hello[:6], 10)
			w.segment(s, c, ack, nil, 10)
			w.close(c, s)
		}, inspect.ErrorIncompleteHello, func(c *inspect.Connection) bool { return c.ClientLeg.FirstBytes == nil }},
		"HTTP to a server of TLS": {func(w *builder, c, s *side) {
			w.open(c, s)
			w.segment(c, s, psh|ack, []byte("GET /?token=secret HTTP/1.1\r\nHost: example.com\r\n\r\n"), 10)
			w.segment(s, c, psh|ack, []byte("HTTP/1.1 400 Bad Request\r\n\r\nThe plain HTTP request was sent to HTTPS port"), 10)
			w.close(c, s)
		}, inspect.ErrorNotTLS, func(c *inspect.Connection) bool {
			f := c.ClientLeg.FirstBytes
			return f.Protocol == "http" && !strings.Contains(f.Summary+string(f.Raw), "secret")
		}},
		"HTTP answered by an alert": {func(w *builder, c, s *side) {
			w.open(c, s)
			w.segment(c, s, psh|ack, []byte("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"), 10)
			w.segment(s, c, psh|ack, []byte{21, 3, 1, 0, 2, 2, 70}, 10)
			w.close(c, s)
		}, inspect.ErrorNotTLS, func(c *inspect.Connection) bool { return len(c.ClientLeg.TLS.Alerts) == 1 }},
		"hello answered by HTTP": {func(w *builder, c, s *side) {
			w.open(c, s)
			w.segment(c, s, psh|ack, hello, 10)
			w.segment(s, c, psh|ack, []byte("HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n"), 10)
			w.close(c, s)
		}, inspect.ErrorNotTLS, func(c *inspect.Connection) bool {
			return c.ClientLeg.FirstBytes.Protocol == "http_response" && c.ClientLeg.TLS.Client != nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newBuilder()
			test.make(w, client(3), server())
			// Another connection, much later, lets the first one be over.
			w.at += uint64(3*time.Minute) / 1000
			other := client(4)
			w.open(other, server())
			records, _ := recordsOf(t, w.b, capture.Options{})
			if len(records) != 1 {
				t.Fatalf("%d records", len(records))
			}
			r := records[0]
			if r.ClientLeg.Error == nil || r.ClientLeg.Error.Type != test.want || r.Event.Outcome != inspect.Failure {
				t.Fatalf("%+v, want %s; %+v", r.ClientLeg.Error, test.want, r.Capture)
			}
			if test.check != nil && !test.check(r) {
				t.Errorf("%+v %+v", r.Capture, r.ClientLeg)
			}
		})
	}
}

// TestTLSBehindOtherProtocols puts other words in front of a handshake, on a port that says nothing.
func TestTLSBehindOtherProtocols(t *testing.T) {
	talk := ecdhe(t)
	say := func(client bool, text string) turn { return turn{client, []byte(text)} }
	for name, before := range map[string][]turn{
		"":                              nil,
		"smtp":                          {say(false, "220 mx.example.com ESMTP\r\n"), say(true, "EHLO c\r\n"), say(false, "250-mx\r\n250 STARTTLS\r\n"), say(true, "STARTTLS\r\n"), say(false, "220 go\r\n")},
		"imap":                          {say(false, "* OK ready\r\n"), say(true, "a STARTTLS\r\n"), say(false, "a OK begin\r\n")},
		"pop3":                          {say(false, "+OK ready\r\n"), say(true, "STLS\r\n"), say(false, "+OK begin\r\n")},
		"postgresql":                    {say(true, "\x00\x00\x00\x08\x04\xd2\x16\x2f"), say(false, "S")},
		"mysql":                         {say(false, "\x4a\x00\x00\x00\x0a8.0.36\x00"+strings.Repeat("x", 60)), say(true, "\x20\x00\x00\x01\x85\xae\xff\x19"+strings.Repeat("\x00", 28))},
		"ldap":                          {say(true, "\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"), say(false, "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00")},
		"rdp":                           {say(true, "\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00"), say(false, "\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x1f\x08\x00\x02\x00\x00\x00")},
		"ftp":                           {say(false, "220 ProFTPD Server ready.\r\n"), say(true, "AUTH TLS\r\n"), say(false, "234 AUTH TLS successful\r\n")},
		"xmpp":                          {say(true, "<?xml version='1.0'?><stream:stream to='example.com' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"), say(false, "<?xml version='1.0'?><stream:stream from='example.com' id='1'><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"), say(true, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"), say(false, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")},
		"irc":                           {say(true, "CAP LS 302\r\n"), say(false, ":irc.example.com CAP * LS :tls\r\n"), say(true, "STARTTLS\r\n"), say(false, ":irc.example.com 670 you :STARTTLS successful, go ahead\r\n")},
		"nntp":                          {say(false, "200 news.example.com ready (posting ok)\r\n"), say(true, "STARTTLS\r\n"), say(false, "382 Begin TLS negotiation now\r\n")},
		"sieve":                         {say(false, "\"IMPLEMENTATION\" \"Dovecot Pigeonhole\"\r\n\"STARTTLS\"\r\nOK \"ready\"\r\n"), say(true, "STARTTLS\r\n"), say(false, "OK \"Begin TLS\"\r\n")},
		"http_connect":                  {say(true, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"), say(false, "HTTP/1.1 200 Connection established\r\n\r\n")},
		"socks":                         {say(true, "\x05\x01\x00"), say(false, "\x05\x00"), say(true, "\x05\x01\x00\x01\xc0\x00\x02\x01\x01\xbb"), say(false, "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")},
		"http_connect 2":                {say(true, "CONNECT example.com:443 HTTP/1.1\r\nProxy-Authorization: Basic eA==\r\n\r\n"), say(false, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno"), say(true, "CONNECT example.com:443 HTTP/1.1\r\nProxy-Authorization: Basic eQ==\r\n\r\n"), say(false, "HTTP/1.1 200 OK\r\n\r\n")},
		"http":                          {say(true, "OPTIONS * HTTP/1.1\r\nUpgrade: TLS/1.0\r\nConnection: Upgrade\r\n\r\n"), say(false, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: TLS/1.0, HTTP/1.1\r\n\r\n")},
		"socks 4":                       {say(true, "\x04\x01\x01\xbb\xc0\x00\x02\x01user\x00"), say(false, "\x00\x5a\x01\xbb\xc0\x00\x02\x01")},
		"socks 4a":                      {say(true, "\x04\x01\x01\xbb\x00\x00\x00\x01\x00example.com\x00"), say(false, "\x00\x5a\x00\x00\x00\x00\x00\x00")},
		"socks with password":           {say(true, "\x05\x01\x02"), say(false, "\x05\x02"), say(true, "\x01\x01u\x01p"), say(false, "\x01\x00"), say(true, "\x05\x01\x00\x03\x0bexample.com\x01\xbb"), say(false, "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")},
		"proxy_protocol":                {say(true, "PROXY TCP4 198.51.100.1 192.0.2.1 1 443\r\n")},
		"proxy_protocol 2":              {say(true, "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc6\x33\x64\x01\xc0\x00\x02\x01\x00\x01\x01\xbb")},
		"proxy_protocol 2, with fields": {say(true, "\r\n\r\n\x00\r\nQUIT\n\x21\x21\x00\x2b"+strings.Repeat("\x20", 32)+"\x00\x01\x01\xbb\x05\x00\x04\x16\x03\x01\x02")},
		"proxy_protocol and mail":       {say(true, "PROXY TCP4 198.51.100.1 192.0.2.1 1 25\r\n"), say(false, "220 mx.example.com ESMTP\r\n"), say(true, "STARTTLS\r\n"), say(false, "220 go\r\n")},
	} {
		for _, together := range []bool{false, true} {
			t.Run(fmt.Sprint(name, together), func(t *testing.T) {
				upgrade, _, _ := strings.Cut(strings.ReplaceAll(name, ",", ""), " ")
				words := slices.Concat(before, talk)
				if n := len(before); together {
					if n == 0 || !before[n-1].client {
						t.Skip("the client does not speak last")
					}
					words = slices.Concat(before[:n-1], []turn{{true, slices.Concat(before[n-1].data, talk[0].data)}}, talk[1:])
				}
				w := newBuilder()
				c, s := client(5), server()
				s.port = 10000
				w.open(c, s)
				for _, x := range words {
					if x.client {
						w.segment(c, s, psh|ack, x.data, 20)
					} else {
						w.segment(s, c, psh|ack, x.data, 20)
					}
				}
				w.close(c, s)
				got, err := only(t, bytes.NewReader(w.b))
				if err != nil {
					t.Fatal(err)
				}
				if !got.ClientLeg.TLS.Established || got.Capture.Upgrade != upgrade || got.Client.Port != int(c.port) {
					t.Errorf("upgrade %q, want %q; %+v", got.Capture.Upgrade, upgrade, got.ClientLeg.TLS)
				}
			})
		}
	}
}

// TestMemoryIsBounded opens many more connections than may be kept, none of which ends.
func TestMemoryIsBounded(t *testing.T) {
	hello := ecdhe(t)[0].data
	w := newBuilder()
	const n = 2000
	for i := range n {
		c, s := client(i), server()
		w.open(c, s)
		w.segment(c, s, psh|ack, hello[:100], 10)
		w.segmentAt(c, s, c.seq+5000, psh|ack, make([]byte, 1400), 10) // waits for ever
	}
	last := -1
	stats, err := capture.Read(t.Context(), bytes.NewReader(w.b), "many", capture.Options{
		Limits: capture.Limits{Flows: 100, Records: 50, Handshakes: 40, TotalBytes: 20_000},
		OnConnection: func(c *inspect.Connection) {
			if number := int(c.Capture.FirstPacket); number <= last {
				t.Errorf("packet %d behind %d", number, last)
			} else {
				last = number
			}
		},
	})
	if err != nil || stats.Connections != n || stats.Hurried == 0 || stats.Evicted == 0 {
		t.Errorf("%+v, %v", stats, err)
	}
}

// TestTwoNumberings captures the server's packets on both sides of a device that numbers anew.
func TestTwoNumberings(t *testing.T) {
	for _, shift := range []uint32{1 << 25, 1<<31 + 5, 1<<32 - 1<<26} {
		w := newBuilder()
		c, s := client(7), server()
		w.segment(c, s, syn, nil, 10)
		far := func(flags byte, data []byte) {
			ghost, peer := *s, *c
			ghost.seq, peer.seq = s.seq+shift, c.seq+shift
			w.segment(&ghost, &peer, flags, data, 10)
		}
		far(syn|ack, nil)
		w.segment(s, c, syn|ack, nil, 10)
		w.segment(c, s, ack, nil, 10)
		for _, x := range ecdhe(t) {
			if x.client {
				w.segment(c, s, psh|ack, x.data, 10)
				far(ack, nil)
			} else {
				far(psh|ack, x.data)
				w.segment(s, c, psh|ack, x.data, 10)
			}
		}
		far(fin|ack, nil)
		w.close(c, s)
		records, stats := recordsOf(t, w.b, capture.Options{})
		if len(records) != 1 || stats.LostBytes != 0 {
			t.Fatalf("%d records, %+v", len(records), stats)
		}
		if r := records[0]; !r.ClientLeg.TLS.Established || r.Capture.Stuck != nil || r.Capture.Server.LostBytes != 0 || r.ClientLeg.Error != nil {
			t.Errorf("shift %d: %+v, %+v", shift, r.Capture, r.ClientLeg)
		}
	}
}

// TestNumberHalfWayRound sends a number that is as far behind as it is ahead.
func TestNumberHalfWayRound(t *testing.T) {
	w := newBuilder()
	c, s := client(7), server()
	w.open(c, s)
	hello := ecdhe(t)[0].data
	w.segment(c, s, psh|ack, hello, 10)
	w.segmentAt(c, s, c.seq+1<<31-1, syn|ack, []byte("again"), 10)
	w.segmentAt(c, s, c.seq+2000, psh|ack, []byte("waits"), 10)
	w.segmentAt(c, s, c.seq+1<<31, psh|ack, []byte("again"), 10)
	w.close(c, s)
	if records, stats := recordsOf(t, w.b, capture.Options{}); len(records) == 0 {
		t.Errorf("%+v", stats)
	}
}

// TestSameIdentification has a host that gives all its packets the same identification: what it sends again is not a second copy.
func TestSameIdentification(t *testing.T) {
	w := newBuilder()
	c, s := client(3), server()
	w.open(c, s)
	hello, begin := ecdhe(t)[0].data, c.seq
	for i := range 4 {
		c.id = 7
		w.segmentAt(c, s, begin, ack, hello, uint64(i)*1e6)
	}
	w.segment(s, c, ack, nil, 10) // of nothing new
	records, _ := recordsOf(t, w.b, capture.Options{})
	if len(records) != 1 || records[0].Capture.Stuck == nil || records[0].Capture.Stuck.Times != 4 || records[0].Capture.Client.Retransmits != 3 {
		t.Fatalf("%d records, %+v", len(records), records[0].Capture)
	}
}
