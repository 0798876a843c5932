package probe

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// The vectors of RFC 7748, Sections 5.2 and 6.2.
func TestX448(t *testing.T) {
	raw := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	got := x448(raw("3d262fddf9ec8e88495266fea19a34d28882acef045104d0d1aae121700a779c984c24f8cdd78fbff44943eba368f54b29259a4f1c600ad3"),
		raw("06fce640fa3487bfda5f6cf2d5263f8aad88334cbd07437f020f08f9814dc031ddbdc38c19c6da2583fa5429db94ada18aa7a7fb4ef8a086"))
	if want := raw("ce3e4ff95a60dc6697da1db1d85e6afbdf79b50a2412d7546d5f239fe14fbaadeb445fc66a01b0779d98223961111e21766282f73dd96b6f"); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	a := bytes.Repeat([]byte{7}, x448Size)
	b := bytes.Repeat([]byte{9}, x448Size)
	if one, two := x448(a, x448(b, x448Base())), x448(b, x448(a, x448Base())); !bytes.Equal(one, two) {
		t.Errorf("the two sides come to %x and %x", one, two)
	}
}
