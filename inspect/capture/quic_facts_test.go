package capture_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/json"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
)

// Connection ids of the connections that tests make up, and what a Retry makes of them.
var (
	madeID, madeOwn = []byte{1, 2, 3, 4, 5, 6, 7, 8}, []byte{9, 9, 9, 9}
	retryID         = []byte{5, 5, 5, 5, 5}
)

// packetOf is a datagram with an Initial packet of a client, with frames and nothing else.
func packetOf(t testing.TB, destination, token []byte, number uint64, frames []byte) []byte {
	t.Helper()
	keys, _, err := quicwire.InitialKeys(quicwire.Version1, destination)
	if err != nil {
		t.Fatal(err)
	}
	h := quicwire.Header{Type: quicwire.PacketInitial, Version: quicwire.Version1, DestinationID: destination, SourceID: madeOwn, Token: token}
	return keys.Seal(nil, &h, number, frames)
}

// retryPacket answers a client with a Retry (RFC 9001, Section 5.8).
func retryPacket(t testing.TB, token []byte) []byte {
	t.Helper()
	b := []byte{0xF0, 0, 0, 0, 1, byte(len(madeOwn))}
	b = append(append(b, madeOwn...), byte(len(retryID)))
	b = append(append(b, retryID...), token...)
	const key, nonce = "\xbe\x0c\x69\x0b\x9f\x66\x57\x5a\x1d\x76\x6b\x54\xe3\x68\xc8\x4e", "\x46\x15\x99\xd3\x5d\x63\x2b\xf2\x23\x98\x25\xbb"
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return append(b, aead.Seal(nil, []byte(nonce), nil, append(append([]byte{byte(len(madeID))}, madeID...), b...))...)
}

// negotiation answers a client with the versions that the server speaks.
func negotiation(versions ...quicwire.Version) []byte {
	b := []byte{0xC0, 0, 0, 0, 0, byte(len(madeOwn))}
	b = append(append(b, madeOwn...), byte(len(madeID)))
	b = append(b, madeID...)
	for _, v := range versions {
		b = binary.BigEndian.AppendUint32(b, uint32(v))
	}
	return b
}

// otherVersion is a client's datagram in a version that nobody knows.
func otherVersion(v quicwire.Version) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0xC0}, uint32(v))
	b = append(append(b, byte(len(madeID))), madeID...)
	b = append(append(b, byte(len(madeOwn))), madeOwn...)
	return append(b, bytes.Repeat([]byte{0xA5}, 1250-len(b))...)
}

// told is what one side of a made connection said, and when.
type told struct {
	ms     int
	server bool
	data   []byte
}

// madeQUIC reads datagrams as a capture that has nothing else.
func madeQUIC(t *testing.T, datagrams []told) []*inspect.Connection {
	t.Helper()
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	e := capture.Exchange{Client: netip.MustParseAddrPort("192.0.2.7:40001"), Server: netip.MustParseAddrPort("192.0.2.1:443"), Transport: inspect.TransportQUIC, Began: at}
	for _, d := range datagrams {
		from := inspect.FromClient
		if d.server {
			from = inspect.FromServer
		}
		e.Chunks = append(e.Chunks, capture.Chunk{At: at.Add(time.Duration(d.ms) * time.Millisecond), From: from, Data: d.data})
	}
	file, err := capture.Compose(e)
	if err != nil {
		t.Fatal(err)
	}
	records, _ := recordsOf(t, file, capture.Options{})
	return records
}

// TestQUICFacts holds what a capture's packets show of QUIC, and what is made of it.
func TestQUICFacts(t *testing.T) {
	hello := quicHello(t)
	whole := func(number uint64) []byte { return initial(t, true, number, hello) }
	body := hello[4:] // behind the frame's type, offset and length
	half := func(number uint64) []byte {
		return initial(t, true, number, quicwire.AppendCrypto(nil, 0, body[:len(body)/2]))
	}
	rest := func(number uint64) []byte {
		return initial(t, true, number, quicwire.AppendCrypto(nil, len(body)/2, body[len(body)/2:]))
	}
	small := func(number uint64) []byte { return packetOf(t, madeID, nil, number, hello) }
	closes := func(client bool, code uint64) []byte { return initial(t, client, 20, quicwire.AppendClose(nil, code)) }
	const strange quicwire.Version = 0x5A5A5A01
	token := []byte("a token")
	for _, test := range []struct {
		name      string
		datagrams []told
		want      inspect.QUIC // but for the parameters
		hello     bool
		error     inspect.ErrorType
	}{
		{"one hello", []told{{0, false, whole(0)}}, inspect.QUIC{Version: "v1", Datagrams: 1, CryptoFrames: 1}, true, ""},
		{"half a hello again and again", []told{{0, false, half(0)}, {1, true, initial(t, false, 0, quicwire.AppendACK(nil, 0))}, {400, false, half(1)}, {1200, false, half(2)}},
			inspect.QUIC{Version: "v1", Datagrams: 3}, false, inspect.ErrorIncompleteHello},
		{"half a hello, and the capture ends", []told{{0, false, half(0)}, {400, false, half(1)}}, inspect.QUIC{Version: "v1", Datagrams: 2}, false, ""},
		{"the other half alone", []told{{0, false, rest(0)}, {400, false, rest(1)}, {1200, false, rest(2)}}, inspect.QUIC{Version: "v1", Datagrams: 3}, false, inspect.ErrorIncompleteHello},
		{"half a hello, and the client gives up", []told{{0, false, half(0)}, {400, false, half(1)}, {900, false, closes(true, 0)}},
			inspect.QUIC{Version: "v1", Datagrams: 3, Close: inspect.NewQUICClose(inspect.FromClient, false, 0, "")}, false, inspect.ErrorIncompleteHello},
		{"a hello in two halves, in disorder", []told{{0, false, rest(0)}, {1, false, half(1)}}, inspect.QUIC{Version: "v1", Datagrams: 2, CryptoFrames: 2}, true, ""},
		{"small datagrams", []told{{0, false, small(0)}, {400, false, small(1)}, {1200, false, small(2)}},
			inspect.QUIC{Version: "v1", Datagrams: 1, ShortDatagrams: 1, CryptoFrames: 1}, true, inspect.ErrorNoAnswer},
		{"a small datagram that was answered", []told{{0, false, small(0)}, {1, true, initial(t, false, 0, quicwire.AppendACK(nil, 0))}, {400, false, small(1)}, {1200, false, small(2)}},
			inspect.QUIC{Version: "v1", Datagrams: 1, ShortDatagrams: 1, CryptoFrames: 1}, true, ""},
		{"a Retry again and again", []told{{0, false, whole(0)}, {1, true, retryPacket(t, token)}, {400, false, whole(1)}, {401, true, retryPacket(t, token)}, {1200, false, whole(2)}, {1201, true, retryPacket(t, token)}},
			inspect.QUIC{Version: "v1", Datagrams: 1, CryptoFrames: 1, Retries: 3}, true, inspect.ErrorStalled},
		{"a Retry that is answered", []told{{0, false, whole(0)}, {1, true, retryPacket(t, token)}, {2, false, packetOf(t, retryID, token, 1, append(slices.Clone(hello), make([]byte, 1200)...))}},
			inspect.QUIC{Version: "v1", Datagrams: 1, CryptoFrames: 1, Retries: 1, Token: true}, true, ""},
		{"a Retry that is none", []told{{0, false, whole(0)}, {1, true, append(retryPacket(t, token), 1)}},
			inspect.QUIC{Version: "v1", Datagrams: 1, CryptoFrames: 1}, true, ""},
		{"an unknown version", []told{{0, false, otherVersion(strange)}, {1, true, negotiation(quicwire.Version1, 0x0A0A0A0A, quicwire.Version2)}},
			inspect.QUIC{Version: "0x5a5a5a01", Datagrams: 1, ServerVersions: []string{"v1", "v2"}}, false, inspect.ErrorNoCommonVersion},
		{"an unknown version, and then a known one", []told{{0, false, otherVersion(strange)}, {1, true, negotiation(quicwire.Version1)}, {2, false, whole(0)}, {3, true, initial(t, false, 0, quicwire.AppendACK(nil, 0))}},
			inspect.QUIC{Version: "0x5a5a5a01", Datagrams: 2, CryptoFrames: 1, ServerVersions: []string{"v1"}}, true, ""},
		{"a version in which the client's first packet has the type of a Retry", []told{{0, false, otherVersion(quicwire.Version2)}, {1, true, negotiation(quicwire.Version1)}},
			inspect.QUIC{Version: "v2", ServerVersions: []string{"v1"}}, false, inspect.ErrorNoCommonVersion},
		{"a version negotiation first", []told{{0, true, negotiation(quicwire.Version2)}},
			inspect.QUIC{ServerVersions: []string{"v2"}}, false, inspect.ErrorNoCommonVersion},
		{"refused by the server", []told{{0, false, whole(0)}, {1, true, closes(false, 2)}},
			inspect.QUIC{Version: "v1", Datagrams: 1, CryptoFrames: 1, Close: inspect.NewQUICClose(inspect.FromServer, false, 2, "")}, true, inspect.ErrorClosed},
		{"refused with an alert", []told{{0, false, whole(0)}, {1, true, closes(false, 0x178)}},
			inspect.QUIC{Version: "v1", Datagrams: 1, CryptoFrames: 1, Close: inspect.NewQUICClose(inspect.FromServer, false, 0x178, "")}, true, inspect.ErrorAlertSent},
	} {
		t.Run(test.name, func(t *testing.T) {
			records := madeQUIC(t, test.datagrams)
			if len(records) != 1 {
				t.Fatalf("%d records", len(records))
			}
			c := records[0]
			if c.Client.Address != "192.0.2.7" || c.Client.Port != 40001 || c.Server.Port != 443 {
				t.Errorf("%+v to %+v", c.Client, c.Server)
			}
			leg := c.ClientLeg
			if leg.QUIC == nil {
				t.Fatal("nothing of QUIC")
			}
			got, e := *leg.QUIC, leg.Error
			parameters := got.TransportParameters
			got.TransportParameters = nil
			if !same(t, got, test.want) {
				t.Errorf("%+v, want %+v", got, test.want)
			}
			if e == nil {
				e = &inspect.Error{}
			}
			if e.Type != test.error {
				t.Errorf("%s: %s, want %s", e.Type, e.Message, test.error)
			}
			has := leg.TLS.Client != nil && leg.TLS.Client.Message.Complete
			named := slices.ContainsFunc(parameters, func(p inspect.TransportParameter) bool { return p.Name == "initial_max_data" && p.Value != nil })
			if has != test.hello || named != test.hello {
				t.Errorf("hello: %v, parameters: %+v", has, parameters)
			}
		})
	}
}

// TestWhatOnlyLooksLikeQUICIsNoRecord has datagrams of the form that a client's first one in an unknown version has, which no server of QUIC
// answers.
func TestWhatOnlyLooksLikeQUICIsNoRecord(t *testing.T) {
	if records := madeQUIC(t, []told{{0, false, otherVersion(0x5A5A5A01)}, {5, true, otherVersion(0x5A5A5A02)}, {900, false, otherVersion(0x5A5A5A03)}}); len(records) != 0 {
		t.Errorf("%+v", records[0])
	}
}

func same(t *testing.T, a, b inspect.QUIC) bool {
	t.Helper()
	x, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(x, y)
}

// TestQUICFactsOfThePublicSet holds the collection's connections over QUIC against what is known of them all: none is stuck, and each whole hello
// declares parameters.
func TestQUICFactsOfThePublicSet(t *testing.T) {
	var files []string
	err := filepath.WalkDir(shared(t, "captures", "files"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && strings.Contains(e.Name(), "quic") {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	connections, negotiated, retries := 0, 0, 0
	for _, file := range files {
		records, _ := readCapture(t, file, capture.Options{})
		for _, c := range records {
			if c.Transport != inspect.TransportQUIC {
				continue
			}
			connections++
			leg := c.ClientLeg
			facts := leg.QUIC
			if facts == nil || facts.Version == "" || facts.ShortDatagrams != 0 {
				t.Errorf("%s, packet %d: %+v", filepath.Base(file), c.Capture.FirstPacket, facts)
				continue
			}
			if e := leg.Error; e != nil && (e.Type == inspect.ErrorIncompleteHello || e.Type == inspect.ErrorNoAnswer || e.Type == inspect.ErrorStalled) {
				t.Errorf("%s, packet %d: %+v", filepath.Base(file), c.Capture.FirstPacket, e)
			}
			if whole := leg.TLS.Client != nil && leg.TLS.Client.Message.Complete; whole != (len(facts.TransportParameters) > 0) || whole != (facts.CryptoFrames > 0) {
				t.Errorf("%s, packet %d: hello %v, %+v", filepath.Base(file), c.Capture.FirstPacket, whole, facts)
			}
			retries += facts.Retries
			if len(facts.ServerVersions) > 0 {
				negotiated++
			}
		}
	}
	if connections < 500 || negotiated < 30 || retries < 3 {
		t.Errorf("%d connections, %d with a version negotiation, %d Retry packets", connections, negotiated, retries)
	}
}
