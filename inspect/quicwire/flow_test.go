package quicwire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
)

// sender makes the Initial packets of one side.
type sender struct {
	version          Version
	keys             *Keys
	destination, own []byte
	token            []byte
	number           uint64
}

// clientAndServer are the senders of a connection whose client makes up the id.
func clientAndServer(tb testing.TB, v Version, id string) (client, server *sender) {
	tb.Helper()
	c, s, err := InitialKeys(v, []byte(id))
	if err != nil {
		tb.Fatal(err)
	}
	return &sender{version: v, keys: c, destination: []byte(id), own: []byte("client")}, &sender{version: v, keys: s, destination: []byte("client"), own: []byte("server")}
}

func appendVarint(b []byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(b, n|3<<62)
}

// crypto is a CRYPTO frame.
func crypto(offset int, data []byte) []byte {
	b := appendVarint([]byte{frameCrypto}, uint64(offset))
	return append(appendVarint(b, uint64(len(data))), data...)
}

// packet makes a packet with a long header of the type that its number on the wire in version 1 says.
func (s *sender) packet(kind byte, payload []byte) []byte {
	if s.version == Version2 {
		kind = (kind + 1) & 3
	}
	payload = append(payload, make([]byte, max(0, 4-len(payload)))...) // enough to sample
	b := binary.BigEndian.AppendUint32([]byte{0xc3 | kind<<4}, uint32(s.version))
	b = append(append(b, byte(len(s.destination))), s.destination...)
	b = append(append(b, byte(len(s.own))), s.own...)
	if kind == 0 || s.version == Version2 && kind == 1 {
		b = append(appendVarint(b, uint64(len(s.token))), s.token...)
	}
	b = appendVarint(b, uint64(4+len(payload)+tagSize))
	number := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(s.number))
	b = seal(s.keys, b, number, s.number, payload)
	s.number++
	return b
}

func (s *sender) initial(payload []byte) []byte { return s.packet(0, payload) }

// hello is a handshake message of a type and a length.
func hello(kind byte, n int) []byte {
	b := make([]byte, messageHeader+n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	b[0], b[1], b[2], b[3] = kind, byte(n>>16), byte(n>>8), byte(n)
	return b
}

// serverHello is one that chooses a suite.
func serverHello(suite uint16) []byte {
	b := hello(typeServerHello, 72)
	b[randomEnd] = 0 // no session id
	binary.BigEndian.PutUint16(b[randomEnd+1:], suite)
	return b
}

func messages(f *Flow) (all []Message) {
	var m Message
	for f.Next(&m) {
		all = append(all, m)
	}
	return all
}

func wantError(t *testing.T, err error, kind PacketErrorKind) {
	t.Helper()
	var e *PacketError
	if !errors.As(err, &e) || e.Kind != kind {
		t.Errorf("error %v, want kind %d", err, kind)
	}
}

func TestAHelloIsPutTogetherInAnyOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		want := hello(typeClientHello, 100+random.IntN(4000))
		client, _ := clientAndServer(t, Version1, "original")
		// Pieces that overlap, some of them twice, over some datagrams, in any order.
		var datagrams [][]byte
		var payload []byte
		for _, at := range random.Perm(len(want)/50 + 1) {
			begin := max(0, at*50-random.IntN(60))
			end := min(len(want), at*50+50)
			payload = append(payload, crypto(begin, want[begin:end])...)
			payload = append(payload, make([]byte, random.IntN(3))...)
			if len(payload) > 800 {
				datagrams = append(datagrams, client.initial(payload))
				payload = nil
			}
		}
		datagrams = append(datagrams, client.initial(payload))
		random.Shuffle(len(datagrams), func(i, j int) { datagrams[i], datagrams[j] = datagrams[j], datagrams[i] })
		var f Flow
		for _, d := range datagrams {
			if err := f.Datagram(FromClient, d); err != nil {
				t.Fatal(err)
			}
		}
		got := messages(&f)
		if len(got) != 1 || !bytes.Equal(got[0].Bytes, want) {
			t.Fatalf("%d messages; want one of %d bytes", len(got), len(want))
		}
		if got[0].Datagrams > len(datagrams) {
			t.Errorf("a message in %d datagrams of %d", got[0].Datagrams, len(datagrams))
		}
		if have, announced := f.Partial(FromClient); len(have) != 0 || announced != 0 {
			t.Errorf("%d bytes of %d left", len(have), announced)
		}
	}
}

func TestCryptoDataIsBounded(t *testing.T) {
	client, _ := clientAndServer(t, Version1, "original")
	var f Flow
	wantError(t, f.Datagram(FromClient, client.initial(crypto(maxAhead, []byte("x")))), ErrCryptoBound)
	wantError(t, f.Datagram(FromClient, client.initial(crypto(1<<60, []byte("x")))), ErrCryptoBound)
	var payload []byte
	for i := range maxRanges + 1 {
		payload = append(payload, crypto(10+2*i, []byte("x"))...)
	}
	wantError(t, f.Datagram(FromClient, client.initial(payload)), ErrRangeBound)
	if f.Held() > 8<<10 {
		t.Errorf("%d bytes held", f.Held())
	}

	f = Flow{MaxDatagrams: 1 << 20}
	begin := hello(typeClientHello, 1<<24-1)
	var last error
	for at := 0; at < 1<<20 && last == nil; at += 1000 {
		last = f.Datagram(FromClient, client.initial(crypto(at, begin[at:at+1000])))
	}
	wantError(t, last, ErrCryptoBound)
	if f.Held() > 3*defaultMaxInitial {
		t.Errorf("%d bytes held", f.Held())
	}
	if have, announced := f.Partial(FromClient); len(have) < defaultMaxInitial-1000 || announced != messageHeader+1<<24-1 {
		t.Errorf("partial: %d of %d", len(have), announced)
	}

	f = Flow{MaxDatagrams: 2}
	for range 2 {
		if err := f.Datagram(FromClient, client.initial(nil)); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, f.Datagram(FromClient, client.initial(nil)), ErrDatagrams)
	if f.Stats(FromClient).Datagrams != 3 {
		t.Errorf("%+v", f.Stats(FromClient))
	}
}

func TestAServerThatIsSeenFirstIsReadLater(t *testing.T) {
	client, server := clientAndServer(t, Version1, "original")
	var f Flow
	shake := append(crypto(0, serverHello(suiteAES128GCM)), framePing)
	if err := f.Datagram(FromClient, server.initial(shake)); err != nil { // believed to be the client
		t.Fatal(err)
	}
	if f.Authentic() || len(messages(&f)) != 0 {
		t.Error("opened without keys")
	}
	if err := f.Datagram(FromServer, client.initial(crypto(0, hello(typeClientHello, 200)))); err != nil {
		t.Fatal(err)
	}
	got := messages(&f)
	if len(got) != 2 || got[0].From != FromClient || got[1].From != FromServer || !f.Swapped() {
		t.Errorf("messages %+v, swapped %v", got, f.Swapped())
	}
	if c, s := f.Stats(FromClient), f.Stats(FromServer); c.Datagrams != 1 || s.Datagrams != 1 || c.Initial != 1 || s.Initial != 1 || s.Opened != 1 || s.ShortInitials != 1 {
		t.Errorf("client %+v, server %+v", c, s)
	}
	for range 100 {
		stranger, _ := clientAndServer(t, Version1, "elsewhere")
		stranger.destination = []byte("another")
		_ = f.Datagram(FromServer, stranger.initial(nil))
	}
	if f.Held() > maxPendBytes+8<<10 {
		t.Errorf("%d bytes held", f.Held())
	}
}

func TestAnotherConnectionBetweenTheSameAddressesIsSaid(t *testing.T) {
	client, server := clientAndServer(t, Version1, "original")
	var f Flow
	for _, err := range []error{
		f.Datagram(FromClient, client.initial(crypto(0, hello(typeClientHello, 200)))),
		f.Datagram(FromServer, server.initial(crypto(0, serverHello(suiteAES128GCM)))),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	before := f.Stats(FromClient)
	other, _ := clientAndServer(t, Version1, "different")
	d := other.initial(crypto(0, hello(typeClientHello, 300)))
	if err := f.Datagram(FromClient, d); !errors.Is(err, ErrOtherConnection) {
		t.Fatalf("error %v", err)
	}
	if f.Stats(FromClient) != before || len(messages(&f)) != 2 {
		t.Errorf("something was read: %+v", f.Stats(FromClient))
	}
	// Behind a packet of this connection it is only a packet that does not open.
	err := f.Datagram(FromClient, append(client.initial(nil), other.initial(nil)...))
	wantError(t, err, ErrNotOpened)
}

func TestKeysChangeWithARetryAndWithTheVersion(t *testing.T) {
	shake := hello(typeClientHello, 300)
	t.Run("a Retry that was not seen", func(t *testing.T) {
		client, _ := clientAndServer(t, Version1, "original")
		again, server := clientAndServer(t, Version1, "changed")
		again.token, again.number = []byte("token"), 1
		var f Flow
		for _, d := range [][]byte{client.initial(crypto(0, shake)), again.initial(crypto(0, shake))} {
			if err := f.Datagram(FromClient, d); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Datagram(FromServer, server.initial(crypto(0, serverHello(suiteAES128GCM)))); err != nil {
			t.Fatal(err)
		}
		if got := messages(&f); len(got) != 2 || !bytes.Equal(got[0].Bytes, shake) {
			t.Errorf("%d messages, want the hello once and the server's", len(got))
		}
	})
	t.Run("compatible version negotiation", func(t *testing.T) { // RFC 9369, Section 4.1
		client, _ := clientAndServer(t, Version1, "original")
		later, server := clientAndServer(t, Version2, "original")
		var f Flow
		if err := f.Datagram(FromClient, client.initial(crypto(0, shake))); err != nil {
			t.Fatal(err)
		}
		if err := f.Datagram(FromServer, server.initial(crypto(0, serverHello(suiteAES128GCM)))); err != nil {
			t.Fatal(err)
		}
		later.destination, later.number = []byte("server"), 1
		if err := f.Datagram(FromClient, later.initial([]byte{framePing, 0, 0})); err != nil {
			t.Fatal(err)
		}
		if got := messages(&f); len(got) != 2 || f.ServerVersion() != Version2 || f.Version() != Version2 || f.Stats(FromClient).Opened != 2 {
			t.Errorf("%d messages, versions %s and %s", len(got), f.Version(), f.ServerVersion())
		}
	})
	t.Run("version negotiation", func(t *testing.T) {
		client, _ := clientAndServer(t, VersionDraft29, "original")
		later, _ := clientAndServer(t, Version1, "another")
		var f Flow
		if err := f.Datagram(FromClient, client.initial(crypto(0, shake))); err != nil {
			t.Fatal(err)
		}
		negotiation := append([]byte{0x80, 0, 0, 0, 0, 6}, "client\x08original\x00\x00\x00\x01\x1a\x2a\x3a\x4a"...)
		if err := f.Datagram(FromServer, negotiation); err != nil {
			t.Fatal(err)
		}
		other := hello(typeClientHello, 250)
		if err := f.Datagram(FromClient, later.initial(crypto(0, other))); err != nil {
			t.Fatal(err)
		}
		got := messages(&f)
		if len(got) != 1 || !bytes.Equal(got[0].Bytes, other) {
			t.Errorf("messages %+v", got)
		}
		if v := f.VersionNegotiation(); len(v) != 2 || v[0] != Version1 || !v[1].Reserved() {
			t.Errorf("versions %v", v)
		}
	})
}

func TestHandshakePacketsOfEverySuite(t *testing.T) {
	for suite, size := range map[uint16]int{suiteAES128GCM: 32, suiteAES256GCM: 48, suiteChaCha20: 32} {
		for _, version := range []Version{Version1, Version2} {
			secret := bytes.Repeat([]byte{byte(suite)}, size)
			client, server := clientAndServer(t, version, "original")
			keys, err := NewKeys(version, suite, secret)
			if err != nil {
				t.Fatal(err)
			}
			protected := &sender{version: version, keys: keys, destination: server.destination, own: server.own}
			shake := hello(typeClientHello, 200)
			asked := 0
			f := Flow{Secrets: func(random []byte) Secrets {
				asked++
				if !bytes.Equal(random, shake[randomAt:randomEnd]) {
					t.Errorf("random %x", random)
				}
				return Secrets{ServerHandshake: secret}
			}}
			// The Handshake packet overtakes the Initial one, as it may.
			certificate := protected.packet(2, crypto(0, hello(11, 500)))
			for _, err := range []error{
				f.Datagram(FromClient, client.initial(crypto(0, shake))),
				f.Datagram(FromServer, certificate),
				f.Datagram(FromServer, append(server.initial(crypto(0, serverHello(suite))), protected.packet(2, crypto(504, hello(20, 32)))...)),
			} {
				if err != nil {
					t.Errorf("suite %04X: %v", suite, err)
				}
			}
			got := messages(&f)
			if len(got) != 4 || asked != 1 || got[2].Type != 11 || got[2].Level != LevelHandshake || got[3].Type != 20 {
				t.Errorf("suite %04X, %s: asked %d times, messages %+v", suite, version, asked, got)
			}
		}
	}
	var e *SuiteError
	if _, err := NewKeys(Version1, 0x1304, make([]byte, 32)); !errors.As(err, &e) || e.Suite != 0x1304 {
		t.Errorf("error %v", err)
	}
	if _, err := NewKeys(Version1, suiteAES256GCM, make([]byte, 32)); !errors.As(err, &e) {
		t.Errorf("error %v", err)
	}
}

func TestEveryTruncatedDatagramIsRefused(t *testing.T) {
	client := rfcClientV1(t)
	for n := range client {
		var f Flow
		if err := f.Datagram(FromClient, client[:n]); err == nil && n > 0 {
			t.Fatalf("%d of %d bytes: no error", n, len(client))
		}
		if len(messages(&f)) != 0 || f.Authentic() {
			t.Fatalf("%d of %d bytes: something was read", n, len(client))
		}
	}
	for i := range client { // and every damaged one
		damaged := bytes.Clone(client)
		damaged[i] ^= 0x10
		var f Flow
		_ = f.Datagram(FromClient, damaged)
		if f.Authentic() || len(messages(&f)) != 0 {
			t.Fatalf("byte %d damaged: opened", i)
		}
	}
}

func TestFramesThatMustNotBeThereAreErrors(t *testing.T) {
	for name, payload := range map[string][]byte{
		"stream in an Initial": {0x08, 0, 0, 0}, "unknown frame": {0x3f, 0, 0, 0}, "cut CRYPTO": {frameCrypto, 0, 0x40, 0xff, 1, 2},
		"cut ACK": {frameACK, 1, 0, 0x20, 0}, "cut close": {frameClose, 1, 0, 9, 'x'}, "endless ACK": {frameACK, 1, 0, 0xbf, 0xff, 0xff, 0xff, 0},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := clientAndServer(t, Version1, "original")
			var f Flow
			wantError(t, f.Datagram(FromClient, client.initial(payload)), ErrFrame)
			if !f.Authentic() || f.Close() != nil {
				t.Error("authentic ", f.Authentic(), f.Close())
			}
		})
	}
}

func TestTheFixedBitMayBeGreased(t *testing.T) { // RFC 9287
	client, _ := clientAndServer(t, Version1, "original")
	packet := make([]byte, 40)
	var f Flow
	wantError(t, f.Datagram(FromServer, packet), ErrNotQUIC)
	if err := f.Datagram(FromClient, client.initial(crypto(0, hello(typeClientHello, 200)))); err != nil {
		t.Fatal(err)
	}
	if err := f.Datagram(FromServer, packet); err != nil || f.Stats(FromServer).OneRTT != 1 {
		t.Errorf("error %v, %+v", err, f.Stats(FromServer))
	}
}

func TestAVersionNegotiationThatOffersTheClientsVersionIsIgnored(t *testing.T) {
	client, _ := clientAndServer(t, Version1, "original")
	var f Flow
	if err := f.Datagram(FromClient, client.initial(crypto(0, hello(typeClientHello, 200)))); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{
		"\x80\x00\x00\x00\x00\x06client\x08original\x00\x00\x00\x01\x6b\x33\x43\xcf", // RFC 9000, Section 6.2
		"\x80\x00\x00\x00\x00\x06client\x08somebody\x6b\x33\x43\xcf",                 // of another connection
	} {
		if err := f.Datagram(FromServer, []byte(d)); err != nil || f.VersionNegotiation() != nil {
			t.Errorf("error %v, versions %v", err, f.VersionNegotiation())
		}
	}
}

func TestWhatIsNotQUICIsNotRecognized(t *testing.T) {
	client, _ := clientAndServer(t, Version1, "original")
	good := client.initial(crypto(0, hello(typeClientHello, 200)))
	if v, kind, ok := Recognize(good); !ok || v != Version1 || kind != PacketInitial {
		t.Errorf("an Initial is %s, %s, %v", v, kind, ok)
	}
	for name, b := range map[string][]byte{
		"nothing": {}, "short header": append([]byte{0x40}, good[1:]...), "another version": append([]byte{0xc3, 1, 2, 3, 4}, good[5:]...),
		"cut": good[:len(good)-1], "zeros": make([]byte, 1200), "DNS": []byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x03com\x00\x00\x01\x00\x01"),
		"DTLS":     []byte("\x16\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10aaaaaaaaaaaaaaaa"),
		"versions": []byte("\x80\x00\x00\x00\x00\x00\x00\x12\x34\x56\x78"), "ids too long": append([]byte{0xc3, 0, 0, 0, 1, 21}, make([]byte, 1200)...),
	} {
		if v, kind, ok := Recognize(b); ok {
			t.Errorf("%s is %s, %s", name, v, kind)
		}
	}
}
