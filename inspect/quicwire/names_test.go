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
