package quicwire

import (
	"slices"
	"testing"
)

// browserHello are the two datagrams of a browser's first flight: a hello with a post-quantum key share, scattered over both in pieces
// and in no order, as Chrome does.
func browserHello(tb testing.TB) [][]byte {
	tb.Helper()
	shake := hello(typeClientHello, 1780)
	client, _ := clientAndServer(tb, Version1, "original")
	var payloads [2][]byte
	order := []int{7, 2, 11, 0, 5, 9, 1, 10, 3, 8, 4, 6}
	for i, piece := range order {
		begin := piece * 150
		end := min(begin+150, len(shake))
		payloads[i/6] = append(payloads[i/6], crypto(begin, shake[begin:end])...)
		payloads[i/6] = append(payloads[i/6], framePing, 0, 0)
	}
	var all [][]byte
	for _, p := range payloads {
		all = append(all, client.initial(append(p, make([]byte, 1150-len(p))...)))
	}
	return all
}

// BenchmarkBrowserHello reads them from nothing: keys, header and packet protection, the hello put together.
func BenchmarkBrowserHello(b *testing.B) {
	all := browserHello(b)
	b.SetBytes(int64(len(slices.Concat(all...))))
	b.ReportAllocs()
	for b.Loop() {
		var f Flow
		for _, d := range all {
			if err := f.Datagram(FromClient, d); err != nil {
				b.Fatal(err)
			}
		}
		var m Message
		if !f.Next(&m) {
			b.Fatal("no hello")
		}
	}
}

// BenchmarkFloor is what of it the standard library does, and cannot be spared: AES-GCM over the same bytes under a key that is ready.
func BenchmarkFloor(b *testing.B) {
	all := browserHello(b)
	client, _, err := InitialKeys(Version1, []byte("original"))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(slices.Concat(all...))))
	b.ReportAllocs()
	var sealed [2][]byte
	for i, d := range all {
		sealed[i] = client.aead.Seal(nil, client.iv[:], d[:len(d)-tagSize], nil)
	}
	buf := make([]byte, 0, 2048)
	for b.Loop() {
		for _, d := range sealed {
			if _, err := client.aead.Open(buf, client.iv[:], d, nil); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkRecognize is what every datagram of a capture costs.
func BenchmarkRecognize(b *testing.B) {
	payload := make([]byte, 1200)
	payload[0] = 0x41
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := Recognize(payload); ok {
			b.Fatal("recognized")
		}
	}
}

// BenchmarkShortHeaders is what a datagram of a known connection costs, once its handshake is over.
func BenchmarkShortHeaders(b *testing.B) {
	f := Flow{MaxDatagrams: 1 << 62}
	for _, d := range browserHello(b) {
		if err := f.Datagram(FromClient, d); err != nil {
			b.Fatal(err)
		}
	}
	payload := make([]byte, 1200)
	payload[0] = 0x41
	b.ReportAllocs()
	for b.Loop() {
		if err := f.Datagram(FromServer, payload); err != nil {
			b.Fatal(err)
		}
	}
}
