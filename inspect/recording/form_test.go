package recording

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"

	"github.com/tlstriage/tlstriage/inspect/fingerprint"
	"github.com/tlstriage/tlstriage/inspect/report"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// squeezed compresses with zstd.
func squeezed(text []byte) string {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	return string(w.EncodeAll(text, nil))
}

// TestACompressionThatIsBrokenIsAnError, behind what could be read before.
func TestACompressionThatIsBrokenIsAnError(t *testing.T) {
	r := newRand(15)
	var text []byte
	for i := range 3000 {
		text = append(text, record(t, randomOffer(r).hello(r), i, report.RawAll)...)
	}
	whole := squeezed(text)
	var tally Tally
	if err := tally.Read(strings.NewReader(whole), ""); err != nil || tally.Connections != 3000 {
		t.Fatalf("%d connections, %v", tally.Connections, err)
	}
	for name, cut := range map[string]string{"cut": whole[:len(whole)/2], "no frame": "\x28\xb5\x2f\xfd----", "garbage behind": whole + "garbage"} {
		var tally Tally
		if err := tally.Read(strings.NewReader(cut), "file"); err == nil || !strings.HasPrefix(err.Error(), "file: ") || name == "cut" && tally.Connections == 0 {
			t.Errorf("%s: %d connections, %v", name, tally.Connections, err)
		}
	}
}

// framed puts a message into TLS records of at most size bytes.
func framed(msg []byte, size int) []byte {
	var out []byte
	for len(msg) > 0 {
		n := min(size, len(msg))
		out = append(append(out, 0x16, 3, 1, byte(n>>8), byte(n)), msg[:n]...)
		msg = msg[n:]
	}
	return out
}

// sslv2 is a CLIENT-HELLO in the SSLv2 format, without its two length bytes.
func sslv2() []byte {
	kinds := []byte{0, 0, 0x2f, 0, 0, 0x35, 7, 0, 0xc0, 0, 0, 0xff}
	msg := []byte{1, 3, 1, 0, byte(len(kinds)), 0, 0, 0, 16}
	return append(append(msg, kinds...), bytes.Repeat([]byte{0x5a}, 16)...)
}

func shapeOf(t testing.TB, msg []byte, v2 bool) string {
	t.Helper()
	var h wire.ClientHello
	read := wire.ParseClientHello
	if v2 {
		read = wire.ParseSSLv2ClientHello
	}
	if err := read(msg, &h); err != nil {
		t.Fatal(err)
	}
	return fingerprint.Shape(&h)
}

// shapes reads a recording and gives what came out, errors in words.
func shapes(text []byte) (out []string) {
	for c, err := range Each(iotest.HalfReader(bytes.NewReader(text)), "") {
		if err != nil {
			out = append(out, err.Error())
			continue
		}
		out = append(out, string(c.Shape))
	}
	return out
}

func TestEveryFormIsRead(t *testing.T) {
	r := newRand(11)
	one, two := randomOffer(r).hello(r), randomOffer(r).hello(r)
	a, b, v2 := shapeOf(t, one, false), shapeOf(t, two, false), shapeOf(t, sslv2(), true)
	withLength := append([]byte{0x80, byte(len(sslv2()))}, sslv2()...)
	toHex, to64 := hex.EncodeToString, base64.StdEncoding.EncodeToString
	wrapped := func(s string, n int) string {
		var out []string
		for len(s) > n {
			out, s = append(out, s[:n]), s[n:]
		}
		return strings.Join(append(out, s), "\n")
	}
	colons := func(b []byte) string { return strings.ReplaceAll(fmt.Sprintf("% X", b), " ", ":") }
	c := func(b []byte) string {
		s := ""
		for _, x := range b {
			s += fmt.Sprintf("0x%02x, ", x)
		}
		return s
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte(toHex(one) + "\n" + toHex(two) + "\n")); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	records := string(record(t, one, 1, report.RawAll)) + string(record(t, two, 2, report.RawAll))
	for _, test := range []struct {
		name string
		text string
		form Form
		want []string
	}{
		{"records", records, FormRecords, []string{a, b}},
		{"records, the last without a line feed, with a byte order mark", "\xef\xbb\xbf" + strings.TrimSpace(records), FormRecords, []string{a, b}},
		{"records with carriage returns and blank lines", "\r\n" + strings.ReplaceAll(records, "\n", "\r\n\r\n"), FormRecords, []string{a, b}},
		{"hexadecimal, a message a line", toHex(one) + "\n" + toHex(two) + "\n", FormHelloText, []string{a, b}},
		{"hexadecimal, records", strings.ToUpper(toHex(framed(one, 16384))) + "\n# comment\n\n" + toHex(framed(two, 100)), FormHelloText, []string{a, b}},
		{"hexadecimal over many lines", wrapped(toHex(one), 64) + "\n" + wrapped(toHex(framed(two, 999)), 31*2), FormHelloText, []string{a, b}},
		{"hexadecimal with colons", colons(one), FormHelloText, []string{a}},
		{"hexadecimal as in C", c(framed(one, 16384)), FormHelloText, []string{a}},
		{"base64, a line each", to64(one) + "\n" + to64(framed(two, 50)) + "\n", FormHelloText, []string{a, b}},
		{"base64 over many lines", wrapped(to64(one), 76) + "\n" + wrapped(base64.RawURLEncoding.EncodeToString(two), 61), FormHelloText, []string{a, b}},
		{"bytes", string(one) + string(two), FormHelloBinary, []string{a, b}},
		{"bytes in records", string(framed(one, 77)) + string(framed(two, 16384)), FormHelloBinary, []string{a, b}},
		{"bytes with what comes behind the hello", string(framed(one, 16384)) + "\x14\x03\x03\x00\x01\x01\x16\x03\x03\x00\x05\x10\x00\x00\x01\x00", FormHelloBinary, []string{a}},
		{"bytes with a line feed", string(one) + "\n", FormHelloBinary, []string{a}},
		{"SSLv2 format", string(withLength), FormHelloBinary, []string{v2}},
		{"SSLv2 format without its length", string(sslv2()), FormHelloBinary, []string{v2}},
		{"SSLv2 format in digits", toHex(withLength) + "\n" + to64(sslv2()) + "\n" + toHex(sslv2()), FormHelloText, []string{v2, v2, v2}},
		{"compressed", zipped.String(), FormGzip, []string{a, b}},
		{"nothing", "", FormEmpty, nil},
		{"white space", " \n\t\n", FormEmpty, nil},
		{"much white space", strings.Repeat(" \n", 1000) + toHex(one), FormEmpty, []string{a}},

		{"hexadecimal that is cut", toHex(one[:100]) + "\n\n" + toHex(two), FormHelloText, []string{"recording:1: malformed: ends in the middle of a ClientHello", b}},
		{"hexadecimal that is none", "16030z\n" + toHex(two), FormHelloText, []string{"recording:1: malformed: neither hexadecimal nor base64", b}},
		{"half a byte", toHex(one) + "\n160 301", FormHelloText, []string{a, "recording:2: malformed: neither hexadecimal nor base64"}},
		{"a ServerHello", "160303000402000000\n" + toHex(two), FormHelloText, []string{"recording:1: malformed: begins no ClientHello", b}},
		{"a hello that does not parse", "0100000203030a\n" + toHex(two), FormHelloText, []string{"recording:1: ClientHello that does not parse: client_hello: random: 0 bytes left, 32 needed", b}},
		{"bytes that are cut", string(framed(one, 100)[:120]), FormHelloBinary, []string{"recording: byte 0: malformed: ends in the middle of a ClientHello"}},
		{"a capture", "\xd4\xc3\xb2\xa1\x02\x00\x04\x00", FormCapture, []string{"recording: a packet capture, not a recording of hellos (tlstriage pcap FILE -o json makes one of it)"}},
		{"compressed with zstd", squeezed([]byte(toHex(one) + "\n" + toHex(two))), FormZstd, []string{a, b}},
		{"compressed twice", squeezed(zipped.Bytes()), FormZstd, []string{"recording: neither records (NDJSON) nor ClientHellos in hexadecimal, base64 or raw bytes"}},
		{"an array", "[{\"schema\":1}]", FormArray, []string{"recording: a JSON array; a recording has one record a line (jq -c '.[]')"}},
		{"something else", "\x7fELF", FormUnknown, []string{"recording: neither records (NDJSON) nor ClientHellos in hexadecimal, base64 or raw bytes"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Detect([]byte(test.text)[:min(len(test.text), DetectBytes)]); got != test.form {
				t.Errorf("form %d, want %d", got, test.form)
			}
			got := shapes([]byte(test.text))
			if strings.Join(got, "\n") != strings.Join(test.want, "\n") && !(test.name == "a hello that does not parse" && strings.HasPrefix(got[0], "recording:1: ClientHello that does not parse: ") && got[1] == b) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
			var tally Tally
			err := tally.Read(strings.NewReader(test.text), "")
			var form *FormError
			if count := tally.Connections + tally.Skipped.Malformed + tally.Skipped.BrokenHello; err == nil && int(count) != len(test.want) || err != nil && !errors.As(err, &form) {
				t.Errorf("tally: %d entries, %v", count, err)
			}
		})
	}
}

func TestReadingErrorsComeAfterWhatWasRead(t *testing.T) {
	r := newRand(12)
	msg := randomOffer(r).hello(r)
	broken := errors.New("the disk is gone")
	text := append(record(t, msg, 1, report.RawAll), record(t, msg, 2, report.RawAll)...)
	for name, source := range map[string]io.Reader{
		"records": io.MultiReader(bytes.NewReader(text), iotest.ErrReader(broken)),
		"digits":  io.MultiReader(strings.NewReader(hex.EncodeToString(msg)+"\n"+hex.EncodeToString(msg)+"\n"), iotest.ErrReader(broken)),
		"bytes":   io.MultiReader(bytes.NewReader(msg), bytes.NewReader(msg), iotest.ErrReader(broken)),
	} {
		var tally Tally
		if err := tally.Read(source, "file"); !errors.Is(err, broken) || tally.Connections != 2 || !strings.HasPrefix(err.Error(), "file: ") {
			t.Errorf("%s: %d connections, %v", name, tally.Connections, err)
		}
	}
}

func TestLinesThatAreTooLongArePassedOver(t *testing.T) {
	r := newRand(13)
	good := record(t, randomOffer(r).hello(r), 1, report.RawAll)
	var text bytes.Buffer
	text.Write(good)
	for _, more := range []int{1, 3 * maxLine} {
		text.WriteString(`{"schema":1,"x":"` + strings.Repeat("y", maxLine+more) + "\"}\n")
		text.Write(good)
	}
	text.WriteString("{\n")
	var tally Tally
	if err := tally.Read(bytes.NewReader(text.Bytes()), ""); err != nil || tally.Connections != 3 || len(tally.Problems) != 3 {
		t.Fatalf("%d connections, problems %v, %v", tally.Connections, tally.Problems, err)
	}
	p := tally.Problems
	if p[0].Line != 2 || !errors.Is(p[0], errTooLong) || p[0].Offset != int64(len(good)) || p[1].Line != 4 || !errors.Is(p[1], errTooLong) || p[2].Line != 6 || p[2].Offset != int64(text.Len()-2) {
		t.Errorf("problems %v", p)
	}
	var lines []int64
	for _, err := range Each(bytes.NewReader(text.Bytes()), "") {
		var entry *Error
		if errors.As(err, &entry) {
			lines = append(lines, entry.Line)
		}
	}
	if !slices.Equal(lines, []int64{2, 4, 6}) {
		t.Errorf("one by one: problems in %v", lines)
	}
}

// FuzzEach reads anything in every way: no panic, entries in order, and the tally counts what Each gives.
func FuzzEach(f *testing.F) {
	r := newRand(14)
	msg := randomOffer(r).hello(r)
	for _, seed := range [][]byte{
		msg, framed(msg, 99), sslv2(), []byte(hex.EncodeToString(msg)), []byte(base64.StdEncoding.EncodeToString(framed(msg, 500))),
		record(f, msg, 1, report.RawAll), record(f, msg, 1, report.RawNone), []byte("0x16,0x03\n# x\n"), []byte(squeezed(msg)),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		clients, refused := int64(0), int64(0)
		last := int64(-1)
		for c, err := range Each(bytes.NewReader(text), "") {
			index := last + 1
			var entry *Error
			switch {
			case err == nil:
				clients++
				index = c.Index
				if len(c.Shape) == 0 || c.Hello == nil || c.Offset > int64(len(text)) && !bytes.HasPrefix(text, []byte("\x1f\x8b")) && !bytes.HasPrefix(text, []byte("\x28\xb5\x2f\xfd")) {
					t.Fatalf("client %+v", c)
				}
			case errors.As(err, &entry):
				refused++
				index = entry.Index
				_ = err.Error()
			}
			if index != last+1 {
				t.Fatalf("index %d after %d", index, last)
			}
			last = index
		}
		var tally Tally
		_ = tally.Read(bytes.NewReader(text), "")
		s := tally.Skipped
		if tally.Connections != clients || s.Malformed+s.NoHello+s.Incomplete+s.BrokenHello != refused {
			t.Errorf("counted %d and refused %+v, one by one %d and %d", tally.Connections, s, clients, refused)
		}
	})
}

// TestWhatIsNoHelloTakesNoneWithIt: a line that is none counts as one, whatever stands before and behind it.
func TestWhatIsNoHelloTakesNoneWithIt(t *testing.T) {
	hello := hex.EncodeToString(randomOffer(newRand(3)).hello(newRand(3)))
	for _, tt := range []struct {
		name, text       string
		clients, damaged int64
	}{
		{"an object between hellos", hello + "\n{\"a\":1}\n" + hello + "\n", 2, 1},
		{"two that are none", hello + "\nzz\n{\"a\":1}\n" + hello + "\n", 2, 2},
		{"a hello behind the beginning of one", hello + "\nzz\n" + hello + "\n", 2, 1},
		{"the end of the file", hello + "\n{\"a\":1}", 1, 1},
		{"a beginning at the end", hello + "\n" + hello[:40], 1, 1},
		{"a hello over two lines", hello[:60] + "\n" + hello[60:] + "\n{\"a\":1}\n", 1, 1},
	} {
		var tally Tally
		if err := tally.Read(strings.NewReader(tt.text), ""); err != nil {
			t.Fatal(err)
		}
		if tally.Connections != tt.clients || tally.Skipped.Malformed != tt.damaged {
			t.Errorf("%s: %d clients and %d damaged, want %d and %d: %v", tt.name, tally.Connections, tally.Skipped.Malformed, tt.clients, tt.damaged, tally.Problems)
		}
	}
}
