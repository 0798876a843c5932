package recording

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/report"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// offer is what a made-up client offers.
type offer struct {
	suites, groups, schemes, versions []uint16
	shares                            []uint16
	alpn                              []string
	name                              string
	extra                             []uint16 // empty extensions
	shuffle                           bool
}

// random offers differ in lists and extensions, like programs do.
func randomOffer(r *rand.Rand) offer {
	pick := func(from []uint16, least int) []uint16 {
		n := least + r.IntN(len(from)-least+1)
		out := append([]uint16(nil), from...)
		r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
		return out[:n]
	}
	o := offer{
		suites: pick([]uint16{0x1301, 0x1302, 0x1303, 0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca8, 0xcca9, 0xc013, 0xc014, 0x9c, 0x9d, 0x2f, 0x35, 0xa, 0x9e, 0x9f}, 5),
		groups: pick([]uint16{0x11ec, 0x1d, 0x17, 0x18, 0x19, 0x1e}, 2), schemes: pick([]uint16{0x403, 0x804, 0x401, 0x503, 0x805, 0x501, 0x806, 0x601, 0x201}, 2),
		extra: pick([]uint16{0x17, 0x12, 0x23, 0x16, 0x31, 0x44cd}, 0),
	}
	if r.IntN(4) > 0 {
		o.versions = []uint16{0x0304, 0x0303}
		o.shares = o.groups[:1]
	}
	if r.IntN(3) > 0 {
		o.alpn = []string{"h2", "http/1.1"}
	}
	o.shuffle = r.IntN(3) == 0
	return o
}

// hello makes the message of a hello, with its own random, session id and key shares.
func (o offer) hello(r *rand.Rand) []byte {
	grease := uint16(r.IntN(16))*0x1010 + 0x0a0a
	list := func(codes []uint16) []byte {
		var b []byte
		for _, c := range codes {
			if o.shuffle && c == codes[0] {
				b = binary.BigEndian.AppendUint16(b, grease)
			}
			b = binary.BigEndian.AppendUint16(b, c)
		}
		return b
	}
	vector := func(b []byte, size int) []byte {
		if size == 1 {
			return append([]byte{byte(len(b))}, b...)
		}
		return append([]byte{byte(len(b) >> 8), byte(len(b))}, b...)
	}
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	type extension struct {
		code uint16
		body []byte
	}
	var all []extension
	if o.name != "" {
		all = append(all, extension{0, vector(append([]byte{0}, vector([]byte(o.name), 2)...), 2)})
	}
	all = append(all, extension{10, vector(list(o.groups), 2)}, extension{13, vector(list(o.schemes), 2)}, extension{11, []byte{1, 0}})
	if o.versions != nil {
		all = append(all, extension{43, vector(list(o.versions), 1)}, extension{45, []byte{1, 1}})
		var shares []byte
		for _, g := range o.shares {
			size := 32
			if g == 0x11ec {
				size = 1216
			}
			shares = append(binary.BigEndian.AppendUint16(shares, g), vector(noise(size), 2)...)
		}
		all = append(all, extension{51, vector(shares, 2)})
	}
	if o.alpn != nil {
		var names []byte
		for _, n := range o.alpn {
			names = append(names, vector([]byte(n), 1)...)
		}
		all = append(all, extension{16, vector(names, 2)})
	}
	for _, e := range o.extra {
		all = append(all, extension{e, nil})
	}
	if o.shuffle {
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
	var block []byte
	for _, e := range all {
		block = append(binary.BigEndian.AppendUint16(block, e.code), vector(e.body, 2)...)
	}
	body := append([]byte{3, 3}, noise(32)...)
	body = append(body, vector(noise(32), 1)...)
	body = append(body, vector(list(o.suites), 2)...)
	body = append(body, 1, 0)
	body = append(body, vector(block, 2)...)
	return append([]byte{1, 0, byte(len(body) >> 8), byte(len(body))}, body...)
}

// record is a record of ours around a hello, as the proxy writes it.
func record(tb testing.TB, msg []byte, i int, raw report.Raw) []byte {
	tb.Helper()
	var hello wire.ClientHello
	if err := wire.ParseClientHello(msg, &hello); err != nil {
		tb.Fatal(err)
	}
	described := inspect.DescribeHello(&hello, wire.VersionTLS10, inspect.TransportTCP)
	described.Message.Records, described.Message.Segments = 1, 2
	c := &inspect.Connection{
		Schema: inspect.SchemaVersion, Timestamp: time.Unix(1_800_000_000, int64(i)*1_234_567).UTC(),
		Event:     inspect.Event{ID: fmt.Sprintf("%016x", i), Source: inspect.SourceProxy, DurationMS: 12.345, Outcome: inspect.Success},
		Transport: inspect.TransportTCP, Listener: "edge",
		Client: inspect.Endpoint{Address: fmt.Sprintf("192.0.2.%d", i%251), Port: 40000 + i%20000}, Server: inspect.Endpoint{Address: "192.0.2.1", Port: 443},
		ClientLeg: &inspect.Leg{TLS: &inspect.TLS{
			Established: true, Version: "TLSv1.3", Cipher: "TLS_AES_128_GCM_SHA256", Curve: "x25519", NextProtocol: "h2", Client: described,
			Handshake: &inspect.Handshake{History: "CSXKDcFC", DurationMS: 1.25},
		}, TCP: &inspect.TCP{RTTMS: 0.2, MSS: 1448}},
		BackendLeg: &inspect.Leg{Address: "127.0.0.1", Port: 8443, TLS: &inspect.TLS{
			Established: true, Version: "TLSv1.3", Cipher: "TLS_AES_256_GCM_SHA384", Curve: "x25519",
			Server: &inspect.Server{CertificateChain: []inspect.Certificate{certificate(i), certificate(0)}, Validation: &inspect.Validation{Status: inspect.ValidationValid}},
		}},
		Verdict: inspect.OK,
	}
	line, err := report.Encode(c, raw)
	if err != nil {
		tb.Fatal(err)
	}
	return append([]byte(nil), line...)
}

// certificate is one of a presented chain, with its bytes.
func certificate(i int) inspect.Certificate {
	return inspect.Certificate{
		Subject: fmt.Sprintf("CN=backend-%d.example.com", i%9), Issuer: "CN=Example Issuing CA,O=Example", SerialNumber: "0AF3", NotBefore: time.Unix(1_790_000_000, 0).UTC(), NotAfter: time.Unix(1_820_000_000, 0).UTC(),
		Raw: bytes.Repeat([]byte{0x30, 0x82, byte(i % 9)}, 300),
	}
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }
