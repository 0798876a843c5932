package inspect_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// withoutSegments drops what depends on the portions in which the bytes came, and only that.
func withoutSegments(t *inspect.TLS) *inspect.TLS {
	for h := t.Client; h != nil; h = h.Retry {
		h.Message.Segments = 0
	}
	return t
}

func TestWhatIsSeenOfHandshakes(t *testing.T) {
	all := transcripts(t)
	tests := []struct {
		name, history string
		want          func(*inspect.TLS) bool
	}{
		{"TLS 1.3", "CsidID", func(x *inspect.TLS) bool {
			return x.Established && x.Version == "TLSv1.3" && x.Curve == "X25519MLKEM768" && !x.Resumed && x.Server.Validation.Status == inspect.ValidationNotVisible &&
				x.Client.ServerName == "api.example.com" && x.Client.Message.Complete && x.Client.Retry == nil
		}},
		{"HelloRetryRequest", "Cj", func(x *inspect.TLS) bool {
			return x.Established && x.HelloRetryRequest && x.Curve == "secp384r1" && !slices.Contains(x.Client.KeyShareGroups, "secp384r1") &&
				reflect.DeepEqual(x.Client.Retry.KeyShareGroups, []string{"secp384r1"}) && x.Client.RecordVersion == "TLSv1.0" && x.Client.Retry.RecordVersion == "TLSv1.2"
		}},
		{"TLS 1.3, certificate refused", "", func(x *inspect.TLS) bool {
			return !x.Established && x.Version == "TLSv1.3" && len(x.Alerts) == 0
		}},
		{"TLS 1.2", "", func(x *inspect.TLS) bool {
			return x.Established && x.Version == "TLSv1.2" && !x.Resumed && x.NextProtocol == "http/1.1" && x.Curve != "" && x.SignatureScheme == "ecdsa_secp256r1_sha256" &&
				len(x.Server.CertificateChain) == 1 && x.Server.CertificateChain[0].SerialNumber == "0AF3" && x.Server.Validation.Status == inspect.ValidationNotChecked
		}},
		{"TLS 1.2 resumed by ticket", "", func(x *inspect.TLS) bool {
			return x.Established && x.Resumed && x.Server == nil
		}},
		{"TLS 1.2 with a client certificate", "", func(x *inspect.TLS) bool {
			return x.Established && x.Server.CertificateRequest.CertificateSent && reflect.DeepEqual(x.Server.CertificateRequest.Authorities, []string{"CN=client"}) &&
				x.Client.Certificate.Subject == "CN=client"
		}},
		{"TLS 1.2, certificate refused", "", func(x *inspect.TLS) bool {
			return !x.Established && reflect.DeepEqual(x.Alerts, []inspect.Alert{{Level: "fatal", Code: 42, Description: "bad_certificate", From: inspect.FromClient}})
		}},
		{"no common version", "Cl", func(x *inspect.TLS) bool {
			return !x.Established && x.Version == "" && reflect.DeepEqual(x.Alerts, []inspect.Alert{{Level: "fatal", Code: 70, Description: "protocol_version", From: inspect.FromServer}})
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := all[test.name].replay(inspect.NewObserver(nil)).TLS()
			if !test.want(got) {
				t.Errorf("got %+v\nclient %+v\nserver %+v", got, got.Client, got.Server)
			}
			if !strings.HasPrefix(got.Handshake.History, test.history) {
				t.Errorf("history %s does not begin with %s", got.Handshake.History, test.history)
			}
		})
	}
}

func TestPortionsDoNotMatter(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, tr := range transcripts(t) {
		t.Run(name, func(t *testing.T) {
			want := withoutSegments(tr.replay(inspect.NewObserver(nil)).TLS())
			check := func(how string, cut func(n int) int) {
				t.Helper()
				o := inspect.NewObserver(nil)
				for _, s := range tr {
					for rest := s.data; len(rest) > 0; {
						n := min(len(rest), cut(len(rest)))
						o.Feed(s.from, slices.Clone(rest[:n]), time.Time{})
						rest = rest[n:]
					}
				}
				if got := withoutSegments(o.TLS()); !reflect.DeepEqual(got, want) {
					t.Errorf("%s: %+v\nwant %+v", how, got, want)
				}
			}
			check("byte by byte", func(int) int { return 1 })
			for range 50 {
				check("at random", func(n int) int { return 1 + random.IntN(n) })
			}
		})
	}
}

// TestBytesAreNotKept spoils the caller's buffer behind the observer's back.
func TestBytesAreNotKept(t *testing.T) {
	for name, tr := range transcripts(t) {
		want := withoutSegments(tr.replay(inspect.NewObserver(nil)).TLS())
		o := inspect.NewObserver(nil)
		buffer := make([]byte, 16)
		for _, s := range tr {
			for rest := s.data; len(rest) > 0; {
				n := copy(buffer, rest)
				rest = rest[n:]
				o.Feed(s.from, buffer[:n], time.Time{})
				for i := range buffer {
					buffer[i] = 0xAA
				}
			}
		}
		if got := withoutSegments(o.TLS()); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v\nwant %+v", name, got, want)
		}
	}
}

// TestOrderBetweenDirections delays either direction by as much as causality allows: once the handshake is over, the two
// run freely.
func TestOrderBetweenDirections(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for name, tr := range transcripts(t) {
		o := inspect.NewObserver(nil)
		done := len(tr)
		for i, s := range tr {
			o.Feed(s.from, s.data, time.Time{})
			if o.Established() {
				done = i + 1
				break
			}
		}
		want := withoutSegments(tr.replay(inspect.NewObserver(nil)).TLS())
		want.Handshake.History = ""
		for range 20 {
			o, rest := tr[:done].replay(inspect.NewObserver(nil)), tr[done:]
			var client, server transcript
			for _, s := range rest {
				if s.from == inspect.FromClient {
					client = append(client, s)
				} else {
					server = append(server, s)
				}
			}
			for len(client)+len(server) > 0 {
				next := &client
				if len(client) == 0 || len(server) > 0 && random.IntN(2) == 0 {
					next = &server
				}
				(*next)[:1].replay(o)
				*next = (*next)[1:]
			}
			got := withoutSegments(o.TLS())
			if got.Handshake.History = ""; !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %+v\nwant %+v", name, got, want)
			}
		}
	}
}

func TestHelloCutShort(t *testing.T) {
	for _, r := range recordedHellos(t)[:40] {
		head, sslv2 := 5, r.Format == "sslv2"
		if sslv2 {
			head = 2
		}
		for n := 1; n < len(r.stream); n++ {
			o := inspect.NewObserver(nil)
			o.Feed(inspect.FromClient, r.stream[:n], time.Time{})
			o.EndOfStream(inspect.FromClient)
			if hello, err := o.ClientHello(); hello != nil || err != nil || o.NotTLS(inspect.FromClient) || o.FirstBytes(inspect.FromClient) != nil {
				t.Fatalf("%s, %d bytes: hello %v, error %v, not TLS %v", r.ID, n, hello, err, o.NotTLS(inspect.FromClient))
			}
			m := o.TLS().Client.Message
			want := r.stream[:n]
			if n > 5 {
				want = r.stream[head:n]
			}
			size := len(want)
			if n >= head+4 && n > 5 {
				size = len(r.stream) - head
			}
			if m.Complete || !bytes.Equal(m.Raw, want) || m.Size != size || m.SSLv2 != sslv2 {
				t.Fatalf("%s, %d bytes: %+v, want %d bytes of %d", r.ID, n, m, len(want), size)
			}
		}
	}
}

func TestHelloCutBetweenTwoRecords(t *testing.T) {
	hello := recordedHellos(t)[0].stream[5:]
	o := inspect.NewObserver(nil)
	o.Feed(inspect.FromClient, record(22, hello[:40]...), time.Time{})
	o.Feed(inspect.FromClient, record(22, hello[40:60]...), time.Time{})
	o.EndOfStream(inspect.FromClient)
	if o.NotTLS(inspect.FromClient) || o.FirstBytes(inspect.FromClient) != nil {
		t.Errorf("named %+v", o.FirstBytes(inspect.FromClient))
	}
	m := o.TLS().Client.Message
	if m.Complete || m.Records != 2 || m.Segments != 2 || m.Size != len(hello) || !bytes.Equal(m.Raw, hello[:60]) {
		t.Errorf("got %+v", m)
	}
}

func TestEveryCutOfAHandshake(t *testing.T) {
	for name, tr := range transcripts(t) {
		established, whole := false, false
		o := inspect.NewObserver(nil)
		for _, s := range tr {
			for i := range s.data {
				o.Feed(s.from, s.data[i:i+1], time.Time{})
				got := o.TLS()
				if established && !got.Established || whole && !got.Client.Message.Complete {
					t.Fatalf("%s: what was seen is unseen: %+v", name, got)
				}
				established, whole = got.Established, got.Client != nil && got.Client.Message.Complete
			}
		}
	}
}

func TestWhatIsNoTLSIsNamed(t *testing.T) {
	tests := []struct {
		name, sent, protocol string
		atEnd                bool // named only when no more comes
	}{
		{"HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "http", false},
		{"SSH", "SSH-2.0-OpenSSH_9.2\r\n", "ssh", false},
		{"PROXY protocol", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "proxy_protocol", false},
		{"too little to tell", "GE", "unknown", true},
		{"something else", "\x7F\x01\x02", "unknown", true},
		{"much of something else", strings.Repeat("\x7F", 1000), "unknown", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, portion := range []int{len(test.sent), 1} {
				for _, from := range []inspect.Side{inspect.FromClient, inspect.FromServer} {
					o := inspect.NewObserver(nil)
					for rest := test.sent; len(rest) > 0; rest = rest[portion:] {
						o.Feed(from, []byte(rest[:portion]), time.Time{})
					}
					if !o.NotTLS(from) {
						t.Errorf("%s: taken for TLS", from)
					}
					if got := o.FirstBytes(from); (got == nil) != test.atEnd {
						t.Errorf("%s, before the end: %+v", from, got)
					}
					o.EndOfStream(from)
					got := o.FirstBytes(from)
					if got == nil || got.Protocol != test.protocol || !strings.HasPrefix(test.sent, string(got.Raw)) || len(got.Raw) > 256 {
						t.Errorf("%s: %+v", from, got)
					}
					if tls := o.TLS(); tls.Client != nil {
						t.Errorf("%s: a hello of no TLS: %+v", from, tls.Client)
					}
				}
			}
		})
	}
}

func TestClientThatDoesNotBeginWithAHello(t *testing.T) {
	tests := map[string][]byte{
		"alert":              record(21, 2, 40),
		"change_cipher_spec": record(20, 1),
		"application_data":   record(23, make([]byte, 50)...),
		"finished":           record(22, message(20, make([]byte, 12)...)...),
	}
	for name, sent := range tests {
		o := inspect.NewObserver(nil)
		o.Feed(inspect.FromClient, sent, time.Time{})
		var wrong *inspect.FirstMessageError
		if hello, err := o.ClientHello(); hello != nil || !errors.As(err, &wrong) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, %v", name, hello, err)
		}
		if o.TLS().Client != nil {
			t.Errorf("%s: %+v", name, o.TLS().Client)
		}
	}
}

func TestSSLv2Server(t *testing.T) {
	certificate := identity(t, "old").Certificate[0]
	hello := append([]byte{4, 0, 1, 0, 2, byte(len(certificate) >> 8), byte(len(certificate)), 0, 3, 0, 16}, certificate...)
	hello = append(append(hello, 1, 0, 0x80), make([]byte, 16)...)
	o := inspect.NewObserver(nil)
	for _, r := range recordedHellos(t) {
		if r.Format == "sslv2" {
			o.Feed(inspect.FromClient, r.stream, time.Time{})
			break
		}
	}
	o.Feed(inspect.FromServer, append([]byte{0x80 | byte(len(hello)>>8), byte(len(hello))}, hello...), time.Time{})
	got := o.TLS()
	if got.Version != "SSLv2" || got.Established || got.Handshake.History != "Cs" || !got.Client.Message.SSLv2 || len(got.Server.CertificateChain) != 1 || got.Server.CertificateChain[0].Subject != "CN=old" {
		t.Errorf("got %+v", got)
	}
	if !o.Settled() {
		t.Error("more is expected of SSLv2")
	}
}

func TestResumptionBeforeTLS13(t *testing.T) {
	id := bytes.Repeat([]byte{7}, 32)
	ccs, finished := record(20, 1), record(22, make([]byte, 40)...)
	full := records(joined(message(11, 0, 0, 0), message(14)))
	tests := []struct {
		name              string
		offered, answered []byte
		flight            []byte // of the server behind its hello
		want              bool
	}{
		{"by session id", id, id, joined(ccs, finished), true},
		{"by ticket without a session id", nil, nil, joined(ccs, finished), true},
		{"new session", nil, id, full, false},
		{"the same session id, but a full handshake", id, id, joined(full, ccs, finished), false},
		{"the server has said nothing more yet", id, id, nil, false},
	}
	for _, test := range tests {
		o := inspect.NewObserver(nil)
		o.Feed(inspect.FromClient, clientHello(test.offered, emptyTicket...), time.Time{})
		o.Feed(inspect.FromServer, joined(serverHello(0xC02B, test.answered), test.flight), time.Time{})
		if got := o.TLS().Resumed; got != test.want {
			t.Errorf("%s: resumed %v", test.name, got)
		}
		if o.Established() {
			t.Errorf("%s: established without the client's Finished", test.name)
		}
	}
}

func TestEstablishedAsToldFromOutside(t *testing.T) {
	ccs, alert, flight := record(20, 1), record(23, make([]byte, 19)...), record(23, make([]byte, 900)...)
	sha256, ccm8 := record(23, make([]byte, 53)...), record(23, make([]byte, 45)...)
	tls13 := func(early bool) []byte {
		if early {
			return clientHello(nil, joined(offersTLS13, earlyData)...)
		}
		return clientHello(nil, offersTLS13...)
	}
	hello13 := serverHello(0x1301, nil, selectsTLS13...)
	tests := []struct {
		name  string
		steps transcript
		want  bool
	}{
		{"TLS 1.3: the client answers with an alert only", transcript{{inspect.FromClient, tls13(false)}, {inspect.FromServer, joined(hello13, ccs, flight)}, {inspect.FromClient, joined(ccs, alert)}}, false},
		{"TLS 1.3: with Finished", transcript{{inspect.FromClient, tls13(false)}, {inspect.FromServer, joined(hello13, ccs, flight)}, {inspect.FromClient, joined(ccs, sha256)}}, true},
		{"TLS 1.3: with a tag of eight bytes", transcript{{inspect.FromClient, tls13(false)}, {inspect.FromServer, joined(serverHello(0x1305, nil, selectsTLS13...), flight)}, {inspect.FromClient, ccm8}}, true},
		{"TLS 1.3: early data before the server's answer", transcript{{inspect.FromClient, joined(tls13(true), flight)}, {inspect.FromServer, joined(hello13, flight)}}, false},
		{"TLS 1.3: early data that crosses the server's answer", transcript{{inspect.FromClient, tls13(true)}, {inspect.FromServer, joined(hello13, flight)}, {inspect.FromClient, flight}}, false},
		{"TLS 1.3: early data, EndOfEarlyData, Finished", transcript{{inspect.FromClient, tls13(true)}, {inspect.FromServer, joined(hello13, flight)}, {inspect.FromClient, joined(flight, record(23, make([]byte, 21)...), sha256)}}, true},
		{"TLS 1.3: the server has not answered", transcript{{inspect.FromClient, joined(tls13(false), sha256)}, {inspect.FromServer, flight}}, false},
		{"TLS 1.2: the client's alert in place of its Finished", transcript{{inspect.FromClient, clientHello(nil)}, {inspect.FromServer, joined(serverHello(0xC02B, nil), record(20, 1), record(22, make([]byte, 40)...))}, {inspect.FromClient, joined(ccs, record(21, make([]byte, 26)...))}}, false},
		{"TLS 1.2: both Finished", transcript{{inspect.FromClient, clientHello(nil)}, {inspect.FromServer, joined(serverHello(0xC02B, nil), record(20, 1), record(22, make([]byte, 40)...))}, {inspect.FromClient, joined(ccs, record(22, make([]byte, 40)...))}}, true},
	}
	for _, test := range tests {
		o := test.steps.replay(inspect.NewObserver(nil))
		if got := o.Established(); got != test.want {
			t.Errorf("%s: established %v, history %s", test.name, got, o.TLS().Handshake.History)
		}
		if o.Settled() {
			t.Errorf("%s: settled before any data", test.name)
		}
		if test.want {
			o.Feed(inspect.FromClient, record(23, make([]byte, 100)...), time.Time{})
			if !o.Settled() {
				t.Errorf("%s: not settled though data flows", test.name)
			}
		}
	}
}

func TestDurationIsThatOfTheHandshake(t *testing.T) {
	start := time.Unix(1000, 0)
	o := inspect.NewObserver(nil)
	var at time.Duration
	for _, s := range transcripts(t)["TLS 1.3"] {
		established := o.Established()
		o.Feed(s.from, s.data, start.Add(at))
		if !established && o.Established() {
			if got := o.TLS().Handshake.DurationMS; got != float64(at.Milliseconds()) {
				t.Errorf("%g ms, want %v", got, at)
			}
		}
		at += 10 * time.Millisecond
	}
	if !o.Established() || o.TLS().Handshake.DurationMS >= float64(at.Milliseconds())-10 {
		t.Errorf("established %v, %g ms of %v", o.Established(), o.TLS().Handshake.DurationMS, at)
	}
}

func TestAlertOfOneSideIsHeardAfterTheOtherBroke(t *testing.T) {
	o := inspect.NewObserver(nil)
	o.Feed(inspect.FromClient, joined(clientHello(nil), []byte("garbage")), time.Time{})
	if o.Settled() {
		t.Error("settled while the server may still answer")
	}
	o.Feed(inspect.FromServer, record(21, 2, 10), time.Time{})
	if code, ok := o.Alert(inspect.FromServer); !ok || code != wire.AlertUnexpectedMessage {
		t.Errorf("alert %v, %v", code, ok)
	}
	o.Feed(inspect.FromServer, []byte("garbage"), time.Time{})
	if !o.Settled() {
		t.Error("not settled though neither side can be read")
	}
}

func TestServerOutsideTheOffer(t *testing.T) {
	o := inspect.NewObserver(nil)
	o.Feed(inspect.FromClient, clientHello(nil), time.Time{})
	if o.ServerChoseUnofferedCipher() || o.ServerChoseUnofferedVersion() || o.ServerHelloSeen() {
		t.Error("a choice before there is one")
	}
	o.Feed(inspect.FromServer, serverHello(0x002F, nil, selectsTLS13...), time.Time{})
	if !o.ServerChoseUnofferedCipher() || !o.ServerChoseUnofferedVersion() || !o.ServerHelloSeen() {
		t.Error("a choice that was not offered goes unseen")
	}
}

func TestServerHelloWithAMalformedExtensionStillCounts(t *testing.T) {
	o := inspect.NewObserver(nil)
	o.Feed(inspect.FromClient, clientHello(nil), time.Time{})
	o.Feed(inspect.FromServer, serverHello(0xC02B, nil, 0, 16, 0, 1, 9), time.Time{})
	if got := o.TLS(); got.Version != "TLSv1.2" || got.Cipher != "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" {
		t.Errorf("got %+v", got)
	}
}

func TestSCTsOfTheServerHello(t *testing.T) {
	o := inspect.NewObserver(nil)
	o.Feed(inspect.FromClient, clientHello(nil), time.Time{})
	o.Feed(inspect.FromServer, serverHello(0xC02B, nil, 0, 18, 0, 8, 0, 6, 0, 1, 1, 0, 1, 2), time.Time{})
	if s := o.TLS().Server; s == nil || s.SCTs != 2 {
		t.Errorf("got %+v", s)
	}
}

func TestHistoryLetters(t *testing.T) {
	server := map[byte]string{
		0: "h", 3: "v", 4: "t", 5: "e", 6: "j", 8: "o", 11: "x", 12: "k", 13: "r", 14: "n", 15: "y", 16: "g", 20: "f", 21: "w", 22: "u", 23: "a", 24: "p", 254: "m", 99: "z",
	}
	for kind, want := range server {
		o := inspect.NewObserver(nil)
		o.Feed(inspect.FromServer, record(22, message(kind)...), time.Time{})
		o.Feed(inspect.FromClient, record(22, message(kind)...), time.Time{})
		if got := o.TLS().Handshake.History; got != want+strings.ToUpper(want) {
			t.Errorf("type %d: history %q, want %q", kind, got, want)
		}
	}
	o := inspect.NewObserver(nil)
	for _, kind := range []byte{21, 24, 23, 23, 20} {
		o.Feed(inspect.FromServer, record(kind, 1, 2, 3), time.Time{})
	}
	if got := o.TLS().Handshake.History; got != "lbdi" {
		t.Errorf("history %q", got)
	}
	for range 100 {
		o.Feed(inspect.FromServer, joined(record(23, 1), record(21, 1, 0)), time.Time{})
	}
	if got := o.TLS().Handshake.History; len(got) != 64 {
		t.Errorf("history of %d letters", len(got))
	}
}

func TestNoLetterIsGivenTwice(t *testing.T) {
	seen := map[string]string{}
	for kind := range 256 {
		o := inspect.NewObserver(nil)
		o.Feed(inspect.FromClient, record(22, message(byte(kind))...), time.Time{})
		letter, name := o.TLS().Handshake.History, fmt.Sprint(wire.HandshakeType(kind))
		if before, ok := seen[letter]; ok && letter != "Z" {
			t.Errorf("%s and %s are both %s", before, name, letter)
		}
		seen[letter] = name
	}
}
