package capture_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

var littleEndian = binary.LittleEndian

const oneHandshake = "cert-no-cn.pcap"

func zeekTLS(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(shared(tb, "captures", "files", "zeek+zeek", "testing", "btest", "Traces", "tls", name))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// packetsOf are the packets of a capture, link layer and all.
func packetsOf(tb testing.TB, file []byte) []capture.Packet {
	tb.Helper()
	var all []capture.Packet
	if _, err := capture.Read(context.Background(), bytes.NewReader(file), "packets", capture.Options{
		OnPackets: func(_ *inspect.Connection, packets []capture.Packet) {
			for _, p := range packets {
				p.Data = bytes.Clone(p.Data)
				all = append(all, p)
			}
		},
	}); err != nil {
		tb.Fatal(err)
	}
	if len(all) == 0 {
		tb.Fatal("no packets")
	}
	return all
}

func pcapFile(order binary.AppendByteOrder, magic uint32, packets []capture.Packet) []byte {
	b := order.AppendUint32(nil, magic)
	b = order.AppendUint16(b, 2)
	b = order.AppendUint16(b, 4)
	for _, v := range []uint32{0, 0, 1 << 18, packets[0].LinkType} {
		b = order.AppendUint32(b, v)
	}
	for _, p := range packets {
		fraction := uint32(p.Time.Nanosecond())
		if magic != 0xA1B23C4D {
			fraction /= 1000
		}
		for _, v := range []uint32{uint32(p.Time.Unix()), fraction, uint32(len(p.Data)), uint32(p.Length)} {
			b = order.AppendUint32(b, v)
		}
		if magic == 0xA1B2CD34 {
			b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
		}
		b = append(b, p.Data...)
	}
	return b
}

func ngBlock(order binary.AppendByteOrder, kind uint32, body []byte) []byte {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	b := order.AppendUint32(nil, kind)
	b = order.AppendUint32(b, uint32(len(body)+12))
	b = append(b, body...)
	return order.AppendUint32(b, uint32(len(body)+12))
}

// ngFile is a pcapng whose interface has a time resolution and an offset in seconds.
func ngFile(order binary.AppendByteOrder, resolution byte, offset int64, packets []capture.Packet) []byte {
	head := order.AppendUint32(nil, 0x1A2B3C4D)
	head = order.AppendUint16(head, 1)
	head = order.AppendUint16(head, 0)
	head = order.AppendUint64(head, math.MaxUint64)
	b := ngBlock(order, 0x0A0D0D0A, head)
	for _, link := range []uint32{147, packets[0].LinkType} { // the first interface is nobody's
		i := order.AppendUint16(nil, uint16(link))
		i = order.AppendUint16(i, 0)
		i = order.AppendUint32(i, 0)
		i = append(order.AppendUint16(order.AppendUint16(i, 9), 1), resolution, 0, 0, 0)
		i = order.AppendUint16(order.AppendUint16(i, 14), 8)
		i = order.AppendUint64(i, uint64(offset))
		b = append(b, ngBlock(order, 1, order.AppendUint32(i, 0))...)
	}
	b = append(b, ngBlock(order, 4, order.AppendUint32(nil, 0))...) // names: none
	units := new(float64)
	if *units = math.Pow10(int(resolution)); resolution&0x80 != 0 {
		*units = math.Exp2(float64(resolution & 0x7F))
	}
	for _, p := range packets {
		stamp := uint64(p.Time.Unix()-offset)*uint64(*units) + uint64(float64(p.Time.Nanosecond())/1e9**units)
		e := order.AppendUint32(nil, 1)
		e = order.AppendUint32(e, uint32(stamp>>32))
		e = order.AppendUint32(e, uint32(stamp))
		e = order.AppendUint32(e, uint32(len(p.Data)))
		e = order.AppendUint32(e, uint32(p.Length))
		b = append(b, ngBlock(order, 6, append(e, p.Data...))...)
	}
	return b
}

func only(t *testing.T, r io.Reader) (*inspect.Connection, error) {
	t.Helper()
	var records []*inspect.Connection
	_, err := capture.Read(t.Context(), r, "test", capture.Options{OnConnection: func(c *inspect.Connection) { records = append(records, c) }})
	if len(records) != 1 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	return records[0], err
}

func TestFormats(t *testing.T) {
	original := zeekTLS(t, oneHandshake)
	packets := packetsOf(t, original)
	want, err := only(t, bytes.NewReader(original))
	if err != nil {
		t.Fatal(err)
	}
	zip := func(b []byte) []byte {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		_, _ = w.Write(b)
		_ = w.Close()
		return z.Bytes()
	}
	zst, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	var written bytes.Buffer
	w := capture.NewWriter(&written)
	if err := w.Add(packets, "what was found"); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{
		"pcap, little endian": pcapFile(binary.LittleEndian, 0xA1B2C3D4, packets), "pcap, big endian": pcapFile(binary.BigEndian, 0xA1B2C3D4, packets),
		"nanoseconds, little endian": pcapFile(binary.LittleEndian, 0xA1B23C4D, packets), "nanoseconds, big endian": pcapFile(binary.BigEndian, 0xA1B23C4D, packets),
		"modified":              pcapFile(binary.LittleEndian, 0xA1B2CD34, packets),
		"pcapng, little endian": ngFile(binary.LittleEndian, 6, 0, packets), "pcapng, big endian": ngFile(binary.BigEndian, 6, 0, packets),
		"pcapng, nanoseconds": ngFile(binary.LittleEndian, 9, 0, packets), "pcapng, milliseconds": ngFile(binary.LittleEndian, 3, 0, packets),
		"pcapng, power of two and offset": ngFile(binary.BigEndian, 0x80|20, 1000, packets),
		"two sections":                    append(ngFile(binary.LittleEndian, 6, 0, packets[:5]), ngFile(binary.BigEndian, 9, 0, packets[5:])...),
		"gzip":                            zip(original), "zstd": zst.EncodeAll(original, nil), "gzip of pcapng": zip(ngFile(binary.LittleEndian, 6, 0, packets)),
		"our own": written.Bytes(),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := only(t, iotest.OneByteReader(bytes.NewReader(file)))
			if err != nil {
				t.Fatal(err)
			}
			if d := got.Timestamp.Sub(want.Timestamp).Abs(); d > time.Millisecond {
				t.Errorf("began at %v, want %v", got.Timestamp, want.Timestamp)
			}
			if got.ClientLeg.TLS.Client.JA4 != want.ClientLeg.TLS.Client.JA4 || got.Client != want.Client || got.Capture.LastPacket != want.Capture.LastPacket {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestTruncatedAnywhere cuts files after each of their bytes: what is whole before the cut is read, and the error says where.
func TestTruncatedAnywhere(t *testing.T) {
	packets := packetsOf(t, zeekTLS(t, oneHandshake))[:5]
	for name, file := range map[string][]byte{
		"pcap": pcapFile(binary.LittleEndian, 0xA1B2C3D4, packets), "pcapng": ngFile(binary.BigEndian, 6, 0, packets),
	} {
		t.Run(name, func(t *testing.T) {
			clean := 0
			for n := range file {
				stats, err := capture.Read(t.Context(), bytes.NewReader(file[:n]), "cut.pcap", capture.Options{})
				if err == nil {
					clean++ // between two packets or blocks
					continue
				}
				var e *capture.FormatError
				if !errors.As(err, &e) || e.Offset > int64(n) || e.Packet != stats.Packets || !strings.Contains(err.Error(), "cut.pcap") {
					t.Fatalf("after %d bytes: %v, %d packets", n, err, stats.Packets)
				}
				if n > 200 && !errors.Is(err, capture.ErrTruncated) {
					t.Fatalf("after %d bytes: %v", n, err)
				}
			}
			if clean == 0 || clean > 20 {
				t.Errorf("%d cuts went unnoticed", clean)
			}
		})
	}
}

func TestWhatIsNoCapture(t *testing.T) {
	resolution := ngFile(binary.LittleEndian, 127, 0, packetsOf(t, zeekTLS(t, oneHandshake)))
	lengths := ngFile(binary.LittleEndian, 6, 0, packetsOf(t, zeekTLS(t, oneHandshake)))
	lengths[len(lengths)-1] = 77
	for name, test := range map[string]struct {
		file string
		want string
	}{
		"nothing":              {"", "empty"},
		"text":                 {"{\"schema\":1}", "neither pcap nor pcapng"},
		"resolution":           {string(resolution), "time resolution 0x7F is out of range"},
		"lengths that differ":  {string(lengths), "lengths differ"},
		"gzip that is none":    {"\x1f\x8b\x07\x00garbage garbage", "gzip"},
		"a packet too large":   {string(pcapFile(binary.LittleEndian, 0xA1B2C3D4, []capture.Packet{{LinkType: 1}})[:24]) + "\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff", "exceeds the bound"},
		"pcapng without order": {"\x0a\x0d\x0d\x0a\x1c\x00\x00\x00abcd\x01\x00\x00\x00", "byte order magic"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := capture.Read(t.Context(), strings.NewReader(test.file), "x", capture.Options{})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestUnknownLinkTypesAreCounted(t *testing.T) {
	packets := packetsOf(t, zeekTLS(t, oneHandshake))
	for i := range packets {
		packets[i].LinkType = 147
	}
	stats, err := capture.Read(t.Context(), bytes.NewReader(pcapFile(binary.BigEndian, 0xA1B2C3D4, packets)), "x", capture.Options{})
	if err != nil || stats.Refused[147] != uint64(len(packets)) || stats.Links[147] != uint64(len(packets)) {
		t.Errorf("%+v, %v", stats, err)
	}
}

func TestRecordsComeInTheOrderOfFirstPackets(t *testing.T) {
	dir := shared(t, "captures", "files")
	for _, name := range []string{"ntop+nDPI/tests/cfgs/default/pcap/whatsappfiles.pcap", "FoxIO-LLC+ja4/pcap/tls-sni.pcapng", "cisco+mercury/unit_tests/pcaps/capture2.pcap"} {
		records, _ := readCapture(t, filepath.Join(dir, filepath.FromSlash(name)), capture.Options{})
		last := uint64(0)
		for _, r := range records {
			if r.Capture.FirstPacket < last {
				t.Errorf("%s: packet %d behind %d", name, r.Capture.FirstPacket, last)
			}
			last = r.Capture.FirstPacket
		}
		if len(records) < 2 {
			t.Errorf("%s: %d records", name, len(records))
		}
	}
}

// TestFollow gives a capture in two halves, with silence between and behind them.
func TestFollow(t *testing.T) {
	file := zeekTLS(t, oneHandshake)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		grown := &growingFile{b: file[:len(file)/2]}
		records := make(chan *inspect.Connection, 1)
		tracker := capture.New(capture.Options{OnConnection: func(c *inspect.Connection) { records <- c }})
		ended := make(chan error)
		go func() { ended <- tracker.Follow(ctx, grown, "growing.pcap") }()
		synctest.Wait()
		grown.grow(file)
		begun := time.Now()
		c := <-records
		if waited := time.Since(begun); waited > 2*capture.DefaultLimits().Idle {
			t.Errorf("the record came after %v", waited)
		}
		if !c.ClientLeg.TLS.Client.Message.Complete {
			t.Error("no hello")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// growingFile is at its end until there is more.
type growingFile struct {
	mu sync.Mutex
	b  []byte
	at int
}

func (g *growingFile) grow(b []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.b = b
}

func (g *growingFile) Read(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := copy(b, g.b[g.at:])
	g.at += n
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// TestNamesAndSecrets reads what a pcapng brings beside packets, in both byte orders, among blocks that are nobody's business.
func TestNamesAndSecrets(t *testing.T) {
	packets := packetsOf(t, zeekTLS(t, oneHandshake))
	for _, order := range []interface {
		binary.ByteOrder
		binary.AppendByteOrder
	}{binary.LittleEndian, binary.BigEndian} {
		record := func(kind int, value []byte) []byte {
			b := order.AppendUint16(order.AppendUint16(nil, uint16(kind)), uint16(len(value)))
			return cat(b, value, make([]byte, (4-len(value)%4)%4))
		}
		names := cat(
			record(1, cat(packets[0].Data[30:34], []byte("server.example\x00second.example\x00"))),
			record(2, cat(make([]byte, 15), []byte{1}, []byte("six.example\x00"))),
			record(1, cat([]byte{1, 2, 3, 4}, []byte("no end"))), record(7, []byte("later")), record(1, []byte{1, 2, 3}),
			record(1, cat([]byte{1, 2, 3, 5}, bytes.Repeat([]byte("x"), 300), []byte{0})), record(0, nil),
		)
		secrets := func(kind uint32, text string) []byte {
			return cat(order.AppendUint32(nil, kind), order.AppendUint32(nil, uint32(len(text))), []byte(text))
		}
		line := "CLIENT_RANDOM " + strings.Repeat("ab", 32) + " " + strings.Repeat("cd", 48) + "\n"
		file := cat(
			ngFile(order, 6, 0, packets[:3]), ngBlock(order, 4, names),
			ngBlock(order, 0xBAD, order.AppendUint32(nil, 32473)), ngBlock(order, 0x40000BAD, order.AppendUint32(nil, 32473)), ngBlock(order, 5, make([]byte, 12)), ngBlock(order, 9, []byte("MESSAGE=x\n")),
			ngBlock(order, 0xA, secrets(0x544C534B, line)), ngBlock(order, 0xA, secrets(0x57474B4C, "LOCAL_STATIC_PRIVATE_KEY = x\n")), ngBlock(order, 0xA, secrets(0x5353484B, "x")),
			ngBlock(order, 0xA, cat(order.AppendUint32(nil, 0x544C534B), order.AppendUint32(nil, 1<<30))),
			ngFile(order, 9, 0, packets[3:]),
		)
		records, stats := recordsOf(t, file, capture.Options{})
		if len(records) != 1 || stats.Names != 2 || stats.Secrets != 1 || stats.OtherSecrets != 2 {
			t.Errorf("%d records, %+v", len(records), stats)
		}
		if records[0].Server.Name != "server.example" || records[0].Client.Name != "" {
			t.Errorf("%+v to %+v", records[0].Client, records[0].Server)
		}
	}
}
