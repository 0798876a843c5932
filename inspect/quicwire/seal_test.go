package quicwire

import (
	"bytes"
	"testing"
)

func TestSealMakesThePacketsOfTheRFCs(t *testing.T) {
	frames := append(unhex(t, rfcCrypto), make([]byte, 1162-len(unhex(t, rfcCrypto)))...)
	for version, want := range map[Version][]byte{Version1: rfcClientV1(t), Version2: unhex(t, rfcClientV2Head)} {
		client, _, err := InitialKeys(version, unhex(t, rfcID))
		if err != nil {
			t.Fatal(err)
		}
		got := client.Seal(nil, &Header{Type: PacketInitial, Version: version, DestinationID: unhex(t, rfcID)}, 2, frames)
		if len(got) != 1200 || !bytes.HasPrefix(got, want[:min(len(want), len(got))]) {
			t.Errorf("%s: sealed\n%x\nwant\n%x", version, got, want)
		}
	}
}

func TestSealedPacketsOpen(t *testing.T) {
	secret := unhex(t, rfcSecret)
	for _, version := range []Version{Version1, Version2, VersionDraft29} {
		for _, kind := range []PacketType{PacketInitial, PacketHandshake} {
			k, err := NewKeys(version, suiteChaCha20, secret)
			if err != nil {
				t.Fatal(err)
			}
			header := Header{Type: kind, Version: version, DestinationID: []byte{1, 2, 3}, SourceID: []byte{4}, Token: bytes.Repeat([]byte{5}, 100)}
			frames := AppendClose(AppendACK(AppendCrypto(nil, 70000, []byte("hello")), 7), 0x100)
			packet := k.Seal(nil, &header, 1<<20, frames)
			if limit := len(frames) + 4 + 100 + SealedOverhead; len(packet) > limit {
				t.Errorf("%s %s: %d bytes, the overhead promises at most %d", version, kind, len(packet), limit)
			}
			var read Header
			rest, err := ParseHeader(packet, &read)
			if err != nil || len(rest) > 0 || read.Type != kind || read.Version != version || !bytes.Equal(read.DestinationID, header.DestinationID) {
				t.Fatalf("%s %s: %v, %+v", version, kind, err, read)
			}
			o, ok := k.Open(nil, read.Packet, read.Number, 1<<20)
			if !ok || o.Number != 1<<20 || !bytes.Equal(o.Payload, frames) {
				t.Errorf("%s %s: opened %x of packet %d, %v", version, kind, o.Payload, o.Number, ok)
			}
		}
	}
}

func TestSealRefusesWhatHasNoForm(t *testing.T) {
	k, _, err := InitialKeys(Version1, unhex(t, rfcID))
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]Header{
		"a type without keys": {Type: PacketRetry, Version: Version1},
		"an id too long":      {Type: PacketInitial, Version: Version1, DestinationID: make([]byte, 21)},
	} {
		if got := k.Seal([]byte("before"), &h, 0, make([]byte, 20)); string(got) != "before" {
			t.Errorf("%s: sealed %x", name, got)
		}
	}
	for name, h := range map[string]Header{
		"a version without tags": {Version: VersionMvfst22, Token: []byte("token")},
		"an id too long":         {Version: Version1, SourceID: make([]byte, 21)},
	} {
		if got := AppendRetry([]byte("before"), &h, unhex(t, rfcID)); string(got) != "before" {
			t.Errorf("Retry, %s: %x", name, got)
		}
	}
}
