package inspect_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// portionsOf cuts fuzz input into portions: a byte gives the side (the highest bit) and the length of what follows.
func portionsOf(b []byte) transcript {
	var tr transcript
	for len(b) > 1 {
		from, n := inspect.FromClient, 16*int(b[0]&0x7F)+1
		if b[0]&0x80 != 0 {
			from = inspect.FromServer
		}
		n = min(n, len(b)-1)
		tr = append(tr, said{from, b[1 : 1+n]})
		b = b[1+n:]
	}
	return tr
}

// fuzzInput is a transcript as portionsOf reads it.
func fuzzInput(tr transcript) []byte {
	var b []byte
	for _, s := range tr {
		for rest := s.data; len(rest) > 0; {
			n := min(len(rest), 16*0x7F+1)
			n -= (n - 1) % 16
			head := byte((n - 1) / 16)
			if s.from == inspect.FromServer {
				head |= 0x80
			}
			b = append(append(b, head), rest[:n]...)
			rest = rest[n:]
		}
	}
	return b
}

// FuzzObserver holds what is seen in portions against what is seen byte by byte, and the bounds.
func FuzzObserver(f *testing.F) {
	for _, tr := range transcripts(f) {
		f.Add(fuzzInput(tr))
	}
	f.Add(fuzzInput(transcript{{inspect.FromClient, []byte("GET / HTTP/1.1\r\n\r\n")}, {inspect.FromServer, record(21, 1, 0, 2, 40)}}))
	f.Add(fuzzInput(transcript{{inspect.FromClient, clientHello(nil, joined(offersTLS13, earlyData)...)}, {inspect.FromServer, serverHello(0x1305, nil, selectsTLS13...)}}))
	f.Add(fuzzInput(transcript{{inspect.FromServer, joined(serverHello(0xC02B, nil), records(certificateMessage([]byte("no certificate"))))}}))
	f.Fuzz(func(t *testing.T, input []byte) {
		tr := portionsOf(input)
		portions, bytewise := inspect.NewObserver(nil), inspect.NewObserver(nil)
		for _, s := range tr {
			portions.Feed(s.from, s.data, time.Time{})
			for i := range s.data {
				bytewise.Feed(s.from, s.data[i:i+1], time.Time{})
			}
		}
		for _, side := range []inspect.Side{inspect.FromClient, inspect.FromServer} {
			portions.EndOfStream(side)
			bytewise.EndOfStream(side)
			if portions.NotTLS(side) != bytewise.NotTLS(side) {
				t.Errorf("%s: not TLS %v, byte by byte %v", side, portions.NotTLS(side), bytewise.NotTLS(side))
			}
			if first := portions.FirstBytes(side); first != nil && (len(first.Raw) > 256 || first.Protocol == "") {
				t.Errorf("%s: first bytes %+v", side, first)
			}
		}
		got, want := withoutSegments(portions.TLS()), withoutSegments(bytewise.TLS())
		if !reflect.DeepEqual(got, want) {
			t.Errorf("in portions %+v\nbyte by byte %+v", got, want)
		}
		if portions.Settled() != bytewise.Settled() {
			t.Errorf("settled %v, byte by byte %v", portions.Settled(), bytewise.Settled())
		}
		if len(got.Alerts) > 16 || len(got.Handshake.History) > 64 || got.Server != nil && len(got.Server.CertificateChain) > 100 {
			t.Errorf("beyond the bounds: %d alerts, %d letters", len(got.Alerts), len(got.Handshake.History))
		}
		b, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		read := new(inspect.TLS)
		if err := json.Unmarshal(b, read); err != nil || !reflect.DeepEqual(read, got) {
			t.Errorf("recorded as %s, %v", b, err)
		}
		if got.Client != nil {
			_, _ = got.Client.ClientHello()
		}
	})
}

// FuzzRecord reads a recording, writes it and reads it again.
func FuzzRecord(f *testing.F) {
	full, err := json.Marshal(filled())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full)
	f.Add([]byte(`{"schema":1,"client_leg":{"tls":{"client":{"legacy_version":"TLSv1.2","supported_ciphers":["0x1A2B"],"hello":{"complete":true,"sslv2":true}}}}}`))
	f.Fuzz(func(t *testing.T, input []byte) {
		c := new(inspect.Connection)
		if json.Unmarshal(input, c) != nil {
			return
		}
		once, err := json.Marshal(c)
		if err != nil {
			return // a time beyond what RFC 3339 can write
		}
		again := new(inspect.Connection)
		if err := json.Unmarshal(once, again); err != nil {
			t.Fatalf("%s cannot be read: %v", once, err)
		}
		twice, err := json.Marshal(again)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(once, twice) {
			t.Errorf("%s\nbecomes\n%s", once, twice)
		}
		for _, leg := range []*inspect.Leg{c.ClientLeg, c.BackendLeg} {
			if leg == nil {
				continue
			}
			leg.Established()
			if leg.TLS != nil && leg.TLS.Client != nil {
				h, err := leg.TLS.Client.ClientHello()
				if err == nil {
					inspect.DescribeHello(h, 0, inspect.TransportTCP)
				}
			}
		}
	})
}
