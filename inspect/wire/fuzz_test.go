package wire_test

import (
	"bytes"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

func FuzzParseClientHello(f *testing.F) {
	f.Add(fromHex(f, rfc8448ClientHello))
	f.Fuzz(func(t *testing.T, msg []byte) {
		before := bytes.Clone(msg)
		var h wire.ClientHello
		err := wire.ParseClientHello(msg, &h)
		walk(&h)
		if !bytes.Equal(msg, before) {
			t.Error("the caller's bytes were changed")
		}
		if err != nil {
			return
		}
		// What was read as whole must be whole: a message that is one byte shorter is another one.
		if err := wire.ParseClientHello(msg[:len(msg)-1], &h); err == nil {
			t.Error("parses without its last byte, too")
		}
	})
}

// walk reads all that a hello holds.
func walk(h *wire.ClientHello) {
	for t, body := range h.Extensions.All() {
		_ = t.String()
		_ = len(body)
	}
	for g, key := range h.KeyShares.All() {
		_, _ = g.Info()
		_ = len(key)
	}
	for range h.ALPN.All() {
	}
	for range h.PSKIdentities.All() {
	}
	for c := range h.CipherSuites.All() {
		_, _ = c.Info()
	}
	for s := range h.SignatureSchemes.All() {
		_, _ = s.Info()
	}
	_, _ = h.Extensions.Duplicate()
}

func FuzzParseSSLv2ClientHello(f *testing.F) {
	f.Add([]byte{1, 3, 1, 0, 6, 0, 0, 0, 16, 0, 0, 0x39, 7, 0, 0xC0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	f.Fuzz(func(t *testing.T, msg []byte) {
		var h wire.ClientHello
		if err := wire.ParseSSLv2ClientHello(msg, &h); err == nil && 9+len(h.SSLv2CipherKinds)+len(h.SessionID)+len(h.Random) != len(msg) {
			t.Errorf("%d bytes of %d accounted for", 9+len(h.SSLv2CipherKinds)+len(h.SessionID)+len(h.Random), len(msg))
		}
		walk(&h)
	})
}

func FuzzParseServerMessages(f *testing.F) {
	for _, s := range []string{rfc8448ServerHello, rfc8448HelloRetryRequest, rfc8448EncryptedExtensions, rfc8448Certificate, rfc8448CertificateVerify} {
		f.Add(fromHex(f, s), uint16(0x0304), uint16(0x1301))
	}
	f.Add([]byte{12, 0, 0, 9, 3, 0, 29, 1, 'p', 4, 3, 0, 0}, uint16(0x0303), uint16(0xC02B))
	f.Add([]byte{13, 0, 0, 11, 1, 64, 0, 2, 4, 3, 0, 4, 0, 2, 0x30, 0}, uint16(0x0303), uint16(0xC02B))
	f.Add([]byte{22, 0, 0, 5, 1, 0, 0, 1, 'o'}, uint16(0x0303), uint16(0xC02B))
	f.Add([]byte{4, 0, 0, 7, 0, 0, 0, 9, 0, 1, 't'}, uint16(0x0303), uint16(0xC02B))
	f.Fuzz(func(t *testing.T, msg []byte, v, s uint16) {
		version, suite := wire.Version(v), wire.CipherSuite(s)
		_ = wire.ParseServerHello(msg, new(wire.ServerHello))
		_ = wire.ParseEncryptedExtensions(msg, new(wire.EncryptedExtensions))
		var c wire.Certificate
		if err := wire.ParseCertificate(msg, version, &c); err == nil {
			size := 0
			for e := range c.All() {
				size += 3 + len(e.DER)
			}
			if !c.TLS13 && size != len(msg)-7 {
				t.Errorf("certificates of %d bytes in a message of %d", size, len(msg))
			}
		}
		var r wire.CertificateRequest
		_ = wire.ParseCertificateRequest(msg, version, &r)
		for range r.Authorities() {
		}
		_ = wire.ParseServerKeyExchange(msg, version, suite, new(wire.ServerKeyExchange))
		_, _, _ = wire.ParseCertificateVerify(msg, version)
		_, _ = wire.ParseCertificateStatus(msg)
		_ = wire.ParseNewSessionTicket(msg, version, new(wire.NewSessionTicket))
		_ = wire.ParseSSLv2ServerHello(msg, new(wire.SSLv2ServerHello))
	})
}

func FuzzReader(f *testing.F) {
	f.Add(record(wire.ContentTypeHandshake, fromHex(f, rfc8448ClientHello)...), true, uint8(7))
	f.Add(append(split(fromHex(f, rfc8448ServerHello), 9), record(wire.ContentTypeChangeCipherSpec, 1)...), false, uint8(1))
	f.Add(append(record(wire.ContentTypeAlert, 2, 40), record(wire.ContentTypeApplicationData, 1, 2, 3)...), false, uint8(3))
	f.Fuzz(func(t *testing.T, stream []byte, fromClient bool, portion uint8) {
		limits := wire.Reader{FromClient: fromClient, MaxHello: 4096, MaxMessage: 8192}
		whole, cut := limits, limits
		want, wantErr := read(&whole, stream, max(1, len(stream)))
		got, gotErr := read(&cut, stream, max(1, int(portion)))
		if a, b := describe(got), describe(want); a != b {
			t.Errorf("in portions of %d:\n%swant\n%s", portion, a, b)
		}
		if (gotErr == nil) != (wantErr == nil) || gotErr != nil && gotErr.Error() != wantErr.Error() {
			t.Errorf("in portions of %d: error %v, want %v", portion, gotErr, wantErr)
		}
	})
}

func FuzzSniff(f *testing.F) {
	for _, test := range sniffed {
		f.Add([]byte(test.first))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, _ := wire.Sniff(b)
		if p == "" {
			t.Error("no name")
		}
		line := wire.FirstLine(b, 80)
		if len(line) > 80+len("…") {
			t.Errorf("line of %d bytes", len(line))
		}
		for _, r := range line {
			if (r < ' ' || r > '~') && r != '…' {
				t.Errorf("%q in %q", r, line)
			}
		}
	})
}
