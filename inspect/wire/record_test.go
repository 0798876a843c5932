package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// record makes one record.
func record(t wire.ContentType, payload ...byte) []byte {
	return append([]byte{byte(t), 3, 3, byte(len(payload) >> 8), byte(len(payload))}, payload...)
}

// split spreads a handshake message over records of at most size bytes.
func split(msg []byte, size int) []byte {
	var b []byte
	for len(msg) > 0 {
		n := min(size, len(msg))
		b = append(b, record(wire.ContentTypeHandshake, msg[:n]...)...)
		msg = msg[n:]
	}
	return b
}

// read feeds a stream in portions of at most size bytes and collects what comes out, with bytes of its own.
func read(r *wire.Reader, stream []byte, size int) ([]wire.Message, error) {
	var all []wire.Message
	var m wire.Message
	for len(stream) > 0 && r.Err() == nil {
		n := min(size, len(stream))
		r.Feed(bytes.Clone(stream[:n]))
		for r.Next(&m) {
			m.Bytes = bytes.Clone(m.Bytes)
			all = append(all, m)
		}
		stream = stream[n:]
	}
	return all, r.Err()
}

func describe(messages []wire.Message) string {
	var s string
	for _, m := range messages {
		s += fmt.Sprintf("%s %s %s len=%d enc=%v sslv2=%v level=%d alert=%d records=%d at=%d %x\n",
			m.ContentType, m.RecordVersion, m.HandshakeType, m.Length, m.Encrypted, m.SSLv2, m.Level, m.Description, m.Records, m.Offset, m.Bytes)
	}
	return s
}

func TestHelloInOneRecordAndOneFeedIsAView(t *testing.T) {
	rec := hello(t, "chromium-156.0.8078.79-default").record
	r := wire.Reader{FromClient: true}
	var m wire.Message
	allocs := testing.AllocsPerRun(10, func() {
		r = wire.Reader{FromClient: true}
		r.Feed(rec)
		if !r.Next(&m) {
			t.Fatal("no message")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
	if &m.Bytes[0] != &rec[5] || m.Length != len(rec)-5 {
		t.Error("the message is not the one in the caller's buffer")
	}
	if m.Records != 1 || m.Segments != 1 || m.HandshakeType != wire.HandshakeTypeClientHello || m.RecordVersion != wire.VersionTLS10 {
		t.Errorf("got %+v", m)
	}
	if r.Next(&m) || r.Err() != nil || r.InRecord() {
		t.Errorf("the stream goes on: %+v, %v", m, r.Err())
	}
}

func TestEveryPortioningGivesTheSame(t *testing.T) {
	for _, r := range recordedHellos(t) {
		stream := append(bytes.Clone(r.record), record(wire.ContentTypeChangeCipherSpec, 1)...)
		stream = append(stream, record(wire.ContentTypeHandshake, bytes.Repeat([]byte{0xEE}, 40)...)...)
		stream = append(stream, record(wire.ContentTypeApplicationData, bytes.Repeat([]byte{0xAA}, 300)...)...)
		stream = append(stream, record(wire.ContentTypeAlert, 1, 0)...)
		stream = append(stream, record(wire.ContentTypeAlert, bytes.Repeat([]byte{0xBB}, 26)...)...)
		if r.ID == "sslscan-2.0.7" {
			stream = r.record // SSLv2 alone: nothing of TLS follows
		}
		whole, err := read(&wire.Reader{FromClient: true}, stream, len(stream))
		if err != nil {
			t.Fatalf("%s: %v", r.ID, err)
		}
		if want := 6; len(whole) != want && r.ID != "sslscan-2.0.7" {
			t.Fatalf("%s: %d messages, want %d:\n%s", r.ID, len(whole), want, describe(whole))
		}
		if !bytes.Equal(whole[0].Bytes, r.message()) {
			t.Fatalf("%s: the hello is not the one that was sent", r.ID)
		}
		for _, size := range []int{1, 2, 3, 4, 5, 6, 7, 100, 1000} {
			pieces, err := read(&wire.Reader{FromClient: true}, stream, size)
			if err != nil {
				t.Fatalf("%s in portions of %d: %v", r.ID, size, err)
			}
			if got, want := describe(pieces), describe(whole); got != want {
				t.Fatalf("%s in portions of %d:\n%swant\n%s", r.ID, size, got, want)
			}
			if want := (len(r.record) + size - 1) / size; pieces[0].Segments != want {
				t.Errorf("%s in portions of %d: hello in %d segments, want %d", r.ID, size, pieces[0].Segments, want)
			}
		}
	}
}

func TestEverySplittingIntoRecordsGivesTheSame(t *testing.T) {
	msg := hello(t, "chromium-156.0.8078.79-default").message()
	for size := 1; size <= len(msg); size++ {
		stream := split(msg, size)
		for _, portion := range []int{len(stream), 1, size + 5, 1448} {
			if portion == 1 && size%97 != 1 {
				continue // enough of the slow ones
			}
			got, err := read(&wire.Reader{FromClient: true}, stream, portion)
			if err != nil || len(got) != 1 || !bytes.Equal(got[0].Bytes, msg) {
				t.Fatalf("records of %d, portions of %d: %d messages, error %v", size, portion, len(got), err)
			}
			if want := (len(msg) + size - 1) / size; got[0].Records != want {
				t.Fatalf("records of %d: in %d records, want %d", size, got[0].Records, want)
			}
		}
	}
}

func TestSeveralMessagesInOneRecord(t *testing.T) {
	messages := []byte{2, 0, 0, 1, 'a', 14, 0, 0, 0, 11, 0, 0, 2, 'b', 'c'}
	stream := append(record(wire.ContentTypeHandshake, messages[:13]...), record(wire.ContentTypeHandshake, messages[13:]...)...)
	for portion := 1; portion <= len(stream); portion++ {
		got, err := read(new(wire.Reader), stream, portion)
		if err != nil || len(got) != 3 {
			t.Fatalf("portions of %d: %d messages, error %v", portion, len(got), err)
		}
		for i, want := range []struct {
			t       wire.HandshakeType
			b       string
			records int
		}{{2, "\x02\x00\x00\x01a", 1}, {14, "\x0e\x00\x00\x00", 1}, {11, "\x0b\x00\x00\x02bc", 2}} {
			if got[i].HandshakeType != want.t || string(got[i].Bytes) != want.b || got[i].Records != want.records {
				t.Errorf("portions of %d: message %d is %+v", portion, i, got[i])
			}
		}
	}
}

func TestSecondHelloAfterDummyChangeCipherSpecIsInTheClear(t *testing.T) {
	msg := hello(t, "chromium-156.0.8078.79-default").message()
	stream := append(split(msg, len(msg)), record(wire.ContentTypeChangeCipherSpec, 1)...)
	stream = append(stream, split(msg, 1000)...)
	stream = append(stream, record(wire.ContentTypeApplicationData, make([]byte, 70)...)...)
	for _, portion := range []int{1, 7, len(stream)} {
		got, err := read(&wire.Reader{FromClient: true}, stream, portion)
		if err != nil || len(got) != 4 {
			t.Fatalf("portions of %d: %d messages, error %v", portion, len(got), err)
		}
		second := got[2]
		if second.Encrypted || !bytes.Equal(second.Bytes, msg) || second.Records != 2 {
			t.Errorf("portions of %d: second hello: encrypted %v, %d bytes in %d records", portion, second.Encrypted, len(second.Bytes), second.Records)
		}
	}
}

func TestAlerts(t *testing.T) {
	ccs := record(wire.ContentTypeChangeCipherSpec, 1)
	for _, test := range []struct {
		name   string
		stream []byte
		want   string
	}{
		{"in the clear", record(wire.ContentTypeAlert, 2, 40), "fatal handshake_failure;"},
		{"unknown", record(wire.ContentTypeAlert, 2, 231), "fatal alert(231);"},
		{"two in one record", record(wire.ContentTypeAlert, 1, 112, 2, 40), "warning unrecognized_name;fatal handshake_failure;"},
		{"in the clear behind a ChangeCipherSpec", append(bytes.Clone(ccs), record(wire.ContentTypeAlert, 2, 47)...), "fatal illegal_parameter;"},
		{"encrypted", append(bytes.Clone(ccs), record(wire.ContentTypeAlert, make([]byte, 26)...)...), "encrypted 26;"},
		{"encrypted, TLS 1.3 record seen from its middle", record(wire.ContentTypeAlert, make([]byte, 19)...), "encrypted 19;"},
		{"empty", record(wire.ContentTypeAlert), "encrypted 0;"},
		{"inside a handshake message", append(record(wire.ContentTypeHandshake, 1, 0, 0, 9, 3), record(wire.ContentTypeAlert, 2, 80)...), "fatal internal_error;"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for portion := 1; portion <= len(test.stream); portion++ {
				messages, err := read(new(wire.Reader), test.stream, portion)
				if err != nil {
					t.Fatal(err)
				}
				got := ""
				for _, m := range messages {
					switch {
					case m.ContentType != wire.ContentTypeAlert:
					case m.Encrypted:
						got += fmt.Sprintf("encrypted %d;", m.Length)
					default:
						got += fmt.Sprintf("%s %s;", m.Level, m.Description)
					}
				}
				if got != test.want {
					t.Fatalf("portions of %d: %s, want %s", portion, got, test.want)
				}
			}
		})
	}
}

func TestBrokenStreams(t *testing.T) {
	var flood []byte
	for range 17 {
		flood = append(flood, record(wire.ContentTypeHandshake)...)
	}
	for _, test := range []struct {
		name   string
		stream []byte
		client bool
		kind   wire.StreamErrorKind
		text   string
	}{
		{"HTTP", []byte("GET / HTTP/1.1\r\n"), true, wire.StreamNotTLS, "wire: not TLS: first byte 0x47 begins no record"},
		{"one byte", []byte("G"), true, wire.StreamNotTLS, "wire: not TLS: first byte 0x47 begins no record"},
		{"DTLS", []byte{22, 0xFE, 0xFD, 0, 0}, true, wire.StreamNotTLS, "wire: not TLS: first byte 0x16 begins no record"},
		{"SSLv2 of the other side", []byte{0x80, 0x2E, 4, 0, 1}, true, wire.StreamNotTLS, "wire: not TLS: first byte 0x80 begins no record"},
		{"garbage behind a record", append(record(wire.ContentTypeAlert, 2, 40), "HTTP/1.1"...), false, wire.StreamBadRecord, "wire: record at byte 7: header beginning with 0x48 is none of TLS"},
		{"long record", []byte{22, 3, 1, 0x48, 1}, true, wire.StreamRecordLength, "wire: record at byte 0: length 18433 exceeds the bound 18432"},
		{"long hello", record(wire.ContentTypeHandshake, 1, 1, 0, 0, 3), true, wire.StreamMessageLength, "wire: handshake message at byte 0: length 65540 exceeds the bound 65536"},
		{"long message", append(record(wire.ContentTypeHandshake, 2, 0, 0, 0), record(wire.ContentTypeHandshake, 11, 0x10, 0, 0)...), false, wire.StreamMessageLength, "wire: handshake message at byte 9: length 1048580 exceeds the bound 1048576"},
		{"interleaved", append(record(wire.ContentTypeHandshake, 1, 0, 0, 9, 3), record(wire.ContentTypeApplicationData, 1)...), true, wire.StreamInterleaved, "wire: record at byte 10: application_data inside a handshake message"},
		{"empty records", flood, true, wire.StreamEmptyRecords, "wire: record at byte 80: 17 handshake records in a row without content, at most 16"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for portion := 1; portion <= len(test.stream); portion++ {
				_, err := read(&wire.Reader{FromClient: test.client}, test.stream, portion)
				var e *wire.StreamError
				if !errors.As(err, &e) || e.Kind != test.kind {
					t.Fatalf("portions of %d: %v", portion, err)
				}
				if e.Error() != test.text {
					t.Errorf("error %q, want %q", e, test.text)
				}
			}
		})
	}
}

func TestSSLv2AnswersOfAServer(t *testing.T) {
	serverHello := []byte{0x80, 0x16, 4, 0, 1, 0, 2, 0, 2, 0, 3, 0, 6, 'c', 'e', 1, 0, 0x80, 'c', 'o', 'n', 'n', 'i', 'd'}
	got, err := read(new(wire.Reader), append(bytes.Clone(serverHello), "encrypted from here on"...), 3)
	if err != nil || len(got) != 1 || !got[0].SSLv2 || got[0].HandshakeType != wire.HandshakeTypeServerHello || got[0].RecordVersion != wire.VersionSSLv2 {
		t.Fatalf("%s%v", describe(got), err)
	}
	var h wire.SSLv2ServerHello
	if err := wire.ParseSSLv2ServerHello(got[0].Bytes, &h); err != nil {
		t.Fatal(err)
	}
	if string(h.Certificate) != "ce" || !bytes.Equal(h.SSLv2CipherKinds, []byte{1, 0, 0x80}) || string(h.ConnectionID) != "connid" || h.Version != wire.VersionSSLv2 {
		t.Errorf("got %+v", h)
	}
	for n := range got[0].Bytes {
		if err := wire.ParseSSLv2ServerHello(got[0].Bytes[:n], &h); err == nil {
			t.Errorf("the first %d bytes parse", n)
		}
	}

	got, err = read(new(wire.Reader), []byte{0x80, 3, 0, 0, 1}, 2)
	if err != nil || len(got) != 1 || got[0].ContentType != wire.ContentTypeAlert || got[0].Description != wire.AlertHandshakeFailure || !got[0].SSLv2 {
		t.Fatalf("error message: %s%v", describe(got), err)
	}
}

func TestPartialHello(t *testing.T) {
	msg := hello(t, "chromium-156.0.8078.79-default").message()
	r := wire.Reader{FromClient: true}
	stream := split(msg, 500)
	got, err := read(&r, stream[:1200], 400)
	if err != nil || len(got) != 0 {
		t.Fatalf("%d messages, error %v", len(got), err)
	}
	part, announced := r.Partial()
	if !bytes.Equal(part, msg[:1200-3*5]) || announced != len(msg) || !r.InRecord() {
		t.Errorf("%d bytes of %d, want %d of %d", len(part), announced, 1200-3*5, len(msg))
	}
	if records, segments := r.PartialPieces(); records != 3 || segments != 3 {
		t.Errorf("in %d records and %d segments, want 3 and 3", records, segments)
	}
	var h wire.ClientHello
	if err := wire.ParseClientHello(part, &h); err == nil || h.CipherSuites.Len() == 0 {
		t.Errorf("partial hello: error %v, %d suites", err, h.CipherSuites.Len())
	}
}

// A hello of the greatest size in records of one byte must not take much memory; BenchmarkReaderOneByteRecords has the time.
func TestHelloInOneByteRecordsIsCheap(t *testing.T) {
	msg := make([]byte, 60<<10)
	msg[0], msg[1], msg[2], msg[3] = 1, 0, byte((len(msg)-4)>>8), byte((len(msg)-4)&0xFF)
	stream := split(msg, 1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var m wire.Message
	r := wire.Reader{FromClient: true}
	r.Feed(stream)
	found := r.Next(&m)
	runtime.ReadMemStats(&after)
	if !found || m.Records != len(msg) {
		t.Fatalf("%d records, error %v", m.Records, r.Err())
	}
	// The buffer doubles: all of its sizes together are at most twice the message, the other tests' garbage aside.
	if got := after.TotalAlloc - before.TotalAlloc; got > 3*uint64(len(msg)) {
		t.Errorf("%d bytes allocated for a message of %d", got, len(msg))
	}
}

func BenchmarkReader(b *testing.B) {
	rec := hello(b, "chromium-156.0.8078.79-default").record
	for _, size := range []int{len(rec), 1448, 1} {
		b.Run(fmt.Sprintf("portions=%d", size), func(b *testing.B) {
			b.SetBytes(int64(len(rec)))
			b.ReportAllocs()
			var m wire.Message
			for b.Loop() {
				r := wire.Reader{FromClient: true}
				found := false
				for rest := rec; len(rest) > 0; {
					n := min(size, len(rest))
					r.Feed(rest[:n])
					for r.Next(&m) {
						found = true
					}
					rest = rest[n:]
				}
				if !found {
					b.Fatal(r.Err())
				}
			}
		})
	}
}

func BenchmarkReaderOneByteRecords(b *testing.B) {
	msg := message(wire.HandshakeTypeClientHello, make([]byte, 60<<10)...)
	stream := split(msg, 1)
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	var m wire.Message
	for b.Loop() {
		r := wire.Reader{FromClient: true}
		r.Feed(stream)
		if !r.Next(&m) {
			b.Fatal(r.Err())
		}
	}
}

func BenchmarkReaderApplicationData(b *testing.B) {
	rec := record(wire.ContentTypeApplicationData, make([]byte, 16<<10)...)
	b.SetBytes(int64(len(rec)))
	r := wire.Reader{}
	var m wire.Message
	for b.Loop() {
		r.Feed(rec)
		for r.Next(&m) {
		}
	}
}
