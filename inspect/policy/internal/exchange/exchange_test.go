package exchange

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// peer answers with these bytes, whatever is sent.
type peer struct {
	io.Reader
	sent bytes.Buffer
}

func (p *peer) Write(b []byte) (int, error) { return p.sent.Write(b) }

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	random = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	// serverHello chooses TLS 1.2 and TLS_RSA_WITH_AES_128_CBC_SHA; done ends the flight.
	serverHello = "16 0303 002a 02 000026 0303 " + random + " 00 002f 00"
	done        = "16 0303 0004 0e 000000"
	hello       = "16 0301 003f 01 00003b 0303 " + random + " 00 0002 002f 0100 0010 0000 000c 000a 00 0007 61 2e 6f 74 68 65 72"
)

func TestAnswersAreRead(t *testing.T) {
	tests := []struct {
		name, bytes string
		want        Answer
	}{
		{"a hello", serverHello + done, Answer{Version: wire.VersionTLS12, Suite: wire.TLS_RSA_WITH_AES_128_CBC_SHA}},
		{"an alert", "15 0303 0002 02 28", Answer{Alert: wire.AlertHandshakeFailure}},
		{"a warning before", "15 0303 0002 01 70" + serverHello + done, Answer{Version: wire.VersionTLS12, Suite: wire.TLS_RSA_WITH_AES_128_CBC_SHA}},
		{"nothing", "", Answer{Closed: true}},
		{"an end after the hello", serverHello, Answer{Version: wire.VersionTLS12, Suite: wire.TLS_RSA_WITH_AES_128_CBC_SHA}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := &peer{Reader: bytes.NewReader(unhex(t, test.bytes))}
			got, err := Ask(p, []byte("hello"))
			if err != nil || got != test.want || p.sent.String() != "hello" {
				t.Errorf("%v %v after %q, want %v", got, err, p.sent.String(), test.want)
			}
		})
	}
	if _, err := Ask(&peer{Reader: bytes.NewReader(unhex(t, "48545450 2f312e3120343030"))}, nil); err == nil {
		t.Error("an answer that is no TLS is read")
	}
	if _, err := Ask(&peer{Reader: late{}}, nil); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a read that times out gives %v", err)
	}
}

type late struct{}

func (late) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

func TestDifferencesAreTold(t *testing.T) {
	accepted := policy.Result{Accepted: true, Version: wire.VersionTLS12, CipherSuite: wire.TLS_RSA_WITH_AES_128_CBC_SHA}
	same := Answer{Version: wire.VersionTLS12, Suite: wire.TLS_RSA_WITH_AES_128_CBC_SHA}
	refused := policy.Result{RejectedBy: policy.DimensionCipher, Alert: wire.AlertHandshakeFailure}
	other, protocol := same, same
	other.Suite, protocol.Protocol = wire.TLS_RSA_WITH_AES_256_CBC_SHA, "h2"
	tests := []struct {
		name string
		want policy.Result
		got  Answer
		tell bool
	}{
		{"the same", accepted, same, false},
		{"another suite", accepted, other, true},
		{"a protocol", accepted, protocol, true},
		{"an alert instead", accepted, Answer{Alert: wire.AlertInternalError}, true},
		{"the alert", refused, Answer{Alert: wire.AlertHandshakeFailure}, false},
		{"another alert", refused, Answer{Alert: wire.AlertInternalError}, true},
		{"a hello instead", refused, same, true},
		{"a retry before a refusal that comes later", policy.Result{RejectedBy: policy.DimensionALPN, Alert: wire.AlertNoApplicationProtocol}, Answer{Retry: true, Version: wire.VersionTLS13}, false},
	}
	for _, test := range tests {
		if got := Difference(test.want, test.got); (got != "") != test.tell {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}

func TestServerNamesAreReplaced(t *testing.T) {
	record := unhex(t, hello)
	for _, name := range []string{"", "b.example"} {
		out, ok := WithServerName(record, name)
		var h wire.ClientHello
		if !ok {
			t.Fatal("not changed")
		}
		if err := wire.ParseClientHello(out[5:], &h); err != nil || string(h.ServerName) != name || h.CipherSuites.Len() != 1 {
			t.Errorf("%q: %v, %q", name, err, h.ServerName)
		}
	}
	for n := range record {
		if _, ok := WithServerName(record[:n], "x"); ok {
			t.Errorf("a hello cut after %d bytes is changed", n)
		}
	}
}
