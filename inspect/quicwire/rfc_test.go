package quicwire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

const (
	rfcID = "8394c8f03e515708" // the client's destination in RFC 9001 and RFC 9369, Appendix A
	// The CRYPTO frame of Section A.2.
	rfcCrypto = `060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578
		616d706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e000500050100000000003300260024001d00209370b2c9caa47fba
		baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e0403050306030203080408050806002d00020101001c0002400100
		3900320408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff`
	// The server's frames and its packets of Section A.3.
	rfcServer = `02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf73988cfc79825df566dc5430b9a045a1200130100002e00330024001d0020
		9d3c940d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a002b00020304`
	rfcServerV1 = `cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3
		dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc4
		2158407dd074ee`
	rfcServerV2 = `dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698baeea26b91eb761d9b89237bbf87263017915358230035f7fd3945d88965cf17
		f9af6e16886c61bfc703106fbaf3cb4cfa52382dd16a393e42757507698075b2c984c707f0a0812d8cd5a6881eaf21ceda98f4bd23f6fe1a3e2c43edd9ce7ca8
		4bed8521e2e140`
	// The beginning and the end of the client's packet in RFC 9369, Section A.2.
	rfcClientV2Head = `d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485dd04de806071bf03dceebfa162e75d6c96058bdbfb127cdfcbf903388e99ad04`
	rfcClientV2Tail = `6f4c4938ae79324dc402894b44faf8afbab35282ab659d13c93f70412e85cb199a37ddec600545473cfb5a05e08d0b209973b2172b4d21fb69745a262ccde96b
		a18b2faa745b6fe189cf772a9f84cbfc`
	rfcSecret = "9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b"
)

// rfcClientV1 is the client's packet of RFC 9001, Section A.2.
func rfcClientV1(tb testing.TB) []byte {
	tb.Helper()
	b, err := os.ReadFile("testdata/rfc9001_a2_client_initial.hex")
	if err != nil {
		tb.Fatal(err)
	}
	return unhex(tb, string(b))
}

// seal protects a packet, as the RFC does it: head is the header with its packet number, which begins at number.
func seal(k *Keys, head []byte, number int, full uint64, payload []byte) []byte {
	nonce := k.iv
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], full)
	for i, x := range counter {
		nonce[4+i] ^= x
	}
	packet := k.aead.Seal(bytes.Clone(head), nonce[:], payload, head)
	mask := k.mask(packet[number+4 : number+4+sampleSize])
	size := int(packet[0]&3) + 1
	if packet[0]&0x80 != 0 {
		packet[0] ^= mask[0] & 0x0f
	} else {
		packet[0] ^= mask[0] & 0x1f
	}
	for i := range size {
		packet[number+i] ^= mask[1+i]
	}
	return packet
}

func TestInitialPacketsOfTheRFCs(t *testing.T) {
	clientV2 := func() []byte {
		client, _, err := InitialKeys(Version2, unhex(t, rfcID))
		if err != nil {
			t.Fatal(err)
		}
		payload := append(unhex(t, rfcCrypto), make([]byte, 1162-245)...)
		b := seal(client, unhex(t, "d36b3343cf088394c8f03e5157080000449e00000002"), 18, 2, payload)
		if head, tail := unhex(t, rfcClientV2Head), unhex(t, rfcClientV2Tail); !bytes.HasPrefix(b, head) || !bytes.HasSuffix(b, tail) {
			t.Fatalf("RFC 9369, Section A.2: the packet is %x", b)
		}
		return b
	}
	for _, test := range []struct {
		name           string
		version        Version
		client, server []byte
	}{
		{"RFC 9001", Version1, rfcClientV1(t), unhex(t, rfcServerV1)},
		{"RFC 9369", Version2, clientV2(), unhex(t, rfcServerV2)},
	} {
		t.Run(test.name, func(t *testing.T) {
			var f Flow
			client, server := bytes.Clone(test.client), bytes.Clone(test.server)
			if err := f.Datagram(FromClient, client); err != nil {
				t.Fatal(err)
			}
			if err := f.Datagram(FromServer, server); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(client, test.client) || !bytes.Equal(server, test.server) {
				t.Error("a datagram was changed")
			}
			var m Message
			if !f.Next(&m) || m.From != FromClient || m.Type != 1 || !bytes.Equal(m.Bytes, unhex(t, rfcCrypto)[4:]) || m.Datagrams != 1 || m.Frames != 1 || m.Version != test.version {
				t.Errorf("the client's message is %+v", m)
			}
			if !f.Next(&m) || m.From != FromServer || m.Type != 2 || !bytes.Equal(m.Bytes, unhex(t, rfcServer)[9:]) || m.Version != test.version {
				t.Errorf("the server's message is %+v", m)
			}
			if f.Next(&m) || !f.Authentic() || f.Swapped() || f.Version() != test.version {
				t.Errorf("authentic %v, swapped %v, version %s", f.Authentic(), f.Swapped(), f.Version())
			}
			ids := f.IDs()
			if !bytes.Equal(ids.Original, unhex(t, rfcID)) || len(ids.Client) != 0 || !bytes.Equal(ids.Server, unhex(t, "f067a5502a4262b5")) {
				t.Errorf("ids %x", ids)
			}
		})
	}
}

func TestInitialSecretsOfTheRFCs(t *testing.T) {
	for salt, want := range map[string][2]string{ // RFC 9001 and RFC 9369, Section A.1
		saltV1: {"c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea", "3c199828fd139efd216c155ad844cc81fb82fa8d7446fa7d78be803acdda951b"},
		saltV2: {"14ec9d6eb9fd7af83bf5a668bc17a7e283766aade7ecd0891f70f9ff7f4bf47b", "0263db1782731bf4588e7e4d93b7463907cb8cd8200b5da55a8bd488eafc37c1"},
	} {
		client, server := initialSecrets(salt, unhex(t, rfcID))
		if hex.EncodeToString(client[:]) != want[0] || hex.EncodeToString(server[:]) != want[1] {
			t.Errorf("secrets %x and %x, want %s", client, server, want)
		}
	}
}

func TestRetriesOfTheRFCs(t *testing.T) {
	for _, packet := range []string{
		"ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba", // RFC 9001, Section A.4
		"cf6b3343cf0008f067a5502a4262b5746f6b656ec8646ce8bfe33952d955543665dcc7b6", // RFC 9369, Section A.4
		"ffff00001d0008f067a5502a4262b5746f6b656ed16926d81f6f9ca2953a8aa4575e1e49", // draft-29
	} {
		b := unhex(t, packet)
		var h Header
		if rest, err := ParseHeader(b, &h); err != nil || len(rest) > 0 || h.Type != PacketRetry || string(h.Token) != "token" {
			t.Fatalf("%+v, error %v", h, err)
		}
		if !RetryValid(&h, unhex(t, rfcID)) {
			t.Errorf("%s: the tag of the RFC is not right", h.Version)
		}
		if made := AppendRetry([]byte("before"), &h, unhex(t, rfcID)); hex.EncodeToString(made[len("before"):]) != packet {
			t.Errorf("%s: made %x, want %s", h.Version, made, packet)
		}
		b[len(b)-17] ^= 1
		if RetryValid(&h, unhex(t, rfcID)) {
			t.Errorf("%s: the tag is right for another token", h.Version)
		}
	}
}

func TestShortPacketsOfTheRFCs(t *testing.T) {
	for version, packet := range map[Version]string{ // RFC 9001 and RFC 9369, Section A.5
		Version1: "4cfe4189655e5cd55c41f69080575d7999c25a5bfb",
		Version2: "5558b1c60ae7b6b932bc27d786f4bc2bb20f2162ba",
	} {
		k, err := NewKeys(version, suiteChaCha20, unhex(t, rfcSecret))
		if err != nil {
			t.Fatal(err)
		}
		o, ok := k.Open(nil, unhex(t, packet), 1, 654360563)
		if !ok || o.Number != 654360564 || !bytes.Equal(o.Payload, []byte{framePing}) {
			t.Errorf("%s: opened %v: %+v", version, ok, o)
		}
		if _, ok := k.Open(nil, unhex(t, packet), 1, 1<<40); ok {
			t.Errorf("%s: opened with another packet number", version)
		}
	}
	next := (&trafficKeys{version: Version1, suite: suiteChaCha20, secret: unhex(t, rfcSecret), keys: &Keys{}}).update()
	if got := hex.EncodeToString(next.secret); got != "1223504755036d556342ee9361d253421a826c9ecdf3c7148684b36b714881f9" {
		t.Errorf("the secret after a key update is %s", got)
	}
	next = (&trafficKeys{version: Version2, suite: suiteChaCha20, secret: unhex(t, rfcSecret), keys: &Keys{}}).update()
	if got := hex.EncodeToString(next.secret); got != "c69374c49e3d2a9466fa689e49d476db5d0dfbc87d32ceeaa6343fd0ae4c7d88" {
		t.Errorf("the secret after a key update in version 2 is %s", got)
	}
}

func TestPacketNumbers(t *testing.T) {
	for _, test := range []struct {
		expected, truncated uint64
		size                int
		want                uint64
	}{
		{0xa82f30eb, 0x9b32, 2, 0xa82f9b32}, // RFC 9000, Section A.3
		{0, 0, 1, 0},
		{1, 0xff, 1, 0xff},
		{0x100, 0xff, 1, 0xff},
		{0xff, 0x01, 1, 0x101},
		{0x1ff, 0x80, 1, 0x180},
		{1 << 61, 0, 4, 1 << 61},
	} {
		if got := decodeNumber(test.expected, test.truncated, test.size); got != test.want {
			t.Errorf("%x with %x expected: %x, want %x", test.truncated, test.expected, got, test.want)
		}
	}
}
