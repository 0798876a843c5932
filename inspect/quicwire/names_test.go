package quicwire

import "testing"

func TestVersionsHaveNames(t *testing.T) {
	for v, want := range map[Version]struct {
		name  string
		opens bool
	}{
		0: {"version negotiation", false}, Version1: {"v1", true}, Version2: {"v2", true}, VersionDraft29: {"draft-29", true}, VersionDraft34: {"draft-34", true},
		0xff000015: {"draft-21", false}, 0xff000016: {"draft-22", true}, 0xff000023: {"draft-35", false}, 0xfaceb002: {"mvfst 0xfaceb002", true},
		VersionQ046: {"Q046", false}, VersionQ050: {"Q050", true}, VersionT051: {"T051", true}, 0x54303439: {"T049", false},
		0x1a2a3a4a: {"reserved 0x1a2a3a4a", true}, 0x12345678: {"0x12345678", false},
	} {
		if v.String() != want.name || v.Opens() != want.opens {
			t.Errorf("%08x: %s, opens %v; want %+v", uint32(v), v, v.Opens(), want)
		}
	}
}

func TestWhatMayBeginAConnection(t *testing.T) {
	long := make([]byte, 1250)
	copy(long, []byte{0xC3, 0x5A, 0x5A, 0x5A, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 4})
	if !MayBegin(long) {
		t.Error("an unknown version is not taken for one")
	}
	for n := range long[:1200] {
		if MayBegin(long[:n]) {
			t.Errorf("%d bytes are enough", n)
		}
	}
	for name, change := range map[string]func([]byte){
		"a short header": func(b []byte) { b[0] = 0x40 }, "no fixed bit": func(b []byte) { b[0] = 0x83 }, "a known version": func(b []byte) { copy(b[1:], []byte{0, 0, 0, 1}) },
		"a version negotiation": func(b []byte) { copy(b[1:], []byte{0, 0, 0, 0}) }, "a short id": func(b []byte) { b[5] = 7 }, "a long id": func(b []byte) { b[5] = 21 },
		"a long id of the client": func(b []byte) { b[14] = 21 },
	} {
		b := append([]byte(nil), long...)
		if change(b); MayBegin(b) {
			t.Error(name)
		}
	}
}

// TestWhatOnlyServersSendTellsTheSides has the server's answer first.
func TestWhatOnlyServersSendTellsTheSides(t *testing.T) {
	var f Flow
	own, original := []byte{9, 9, 9, 9}, []byte{1, 2, 3, 4, 5, 6, 7, 8}
	negotiation := append([]byte{0xC0, 0, 0, 0, 0, 4, 9, 9, 9, 9, 8}, original...)
	if err := f.Datagram(FromClient, append(negotiation, 0, 0, 0, 1)); err != nil {
		t.Fatal(err)
	}
	if !f.Swapped() || f.Stats(FromServer).Datagrams != 1 || len(f.VersionNegotiation()) != 1 || f.FirstVersion() != 0 {
		t.Fatalf("%v %+v", f.Swapped(), f.Stats(FromServer))
	}
	keys, _, err := InitialKeys(Version1, original)
	if err != nil {
		t.Fatal(err)
	}
	h := Header{Type: PacketInitial, Version: Version1, DestinationID: original, SourceID: own, Token: []byte("token")}
	if err := f.Datagram(FromServer, keys.Seal(nil, &h, 0, make([]byte, 1200))); err != nil {
		t.Fatal(err)
	}
	if client := f.Stats(FromClient); !f.Swapped() || client.Opened != 1 || f.FirstVersion() != Version1 || string(f.Token()) != "token" {
		t.Errorf("%v %+v, %v, %q", f.Swapped(), client, f.FirstVersion(), f.Token())
	}
}

func TestErrorsOfAConnectionHaveNames(t *testing.T) {
	for code, want := range map[uint64]string{
		0: "NO_ERROR", 2: "CONNECTION_REFUSED", 8: "TRANSPORT_PARAMETER_ERROR", 0x0b: "INVALID_TOKEN", 0x10: "NO_VIABLE_PATH", 0x11: "VERSION_NEGOTIATION_ERROR",
		0x12: "0x12", 0xff: "0xff", 0x100: "CRYPTO_ERROR 0x100", 0x1ff: "CRYPTO_ERROR 0x1ff", 0x200: "0x200",
	} {
		if got := TransportErrorName(code); got != want {
			t.Errorf("0x%x is %s, want %s", code, got, want)
		}
	}
	for _, test := range []struct {
		close Close
		name  string
		alert uint8
		ok    bool
	}{
		{Close{Code: 0x12a}, "CRYPTO_ERROR 0x12a", 42, true}, {Close{Code: 0x100}, "CRYPTO_ERROR 0x100", 0, true}, {Close{Code: 0x0a}, "PROTOCOL_VIOLATION", 0, false},
		{Close{Code: 0x12a, Application: true}, "application error 0x12a", 0, false}, {Close{Code: 300, Google: true}, "gQUIC error 300", 0, false},
	} {
		alert, ok := test.close.Alert()
		if name := test.close.CodeName(); name != test.name || alert != test.alert || ok != test.ok {
			t.Errorf("%+v: %s, alert %d, %v; want %+v", test.close, name, alert, ok, test)
		}
	}
}
