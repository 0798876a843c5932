package wire_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// standardView is what crypto/tls makes of a hello; nil if it refuses to parse it.
func standardView(record []byte) *tls.ClientHelloInfo {
	var view *tls.ClientHelloInfo
	stop := errors.New("seen enough")
	server := tls.Server(&bytesConn{r: bytes.NewReader(record)}, &tls.Config{
		MinVersion: tls.VersionTLS10,
		GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
			view = info
			return nil, stop
		},
	})
	_ = server.Handshake() // never succeeds: the callback or the parser ends it
	return view
}

// bytesConn is a connection whose peer has sent all that it will ever send.
type bytesConn struct {
	net.Conn // nil: what is not below is never called
	r        io.Reader
}

func (c *bytesConn) Read(b []byte) (int, error)       { return c.r.Read(b) }
func (c *bytesConn) Write(b []byte) (int, error)      { return len(b), nil }
func (c *bytesConn) Close() error                     { return nil }
func (c *bytesConn) SetDeadline(time.Time) error      { return nil }
func (c *bytesConn) SetReadDeadline(time.Time) error  { return nil }
func (c *bytesConn) SetWriteDeadline(time.Time) error { return nil }

// sameView lists what our view and that of crypto/tls disagree on.
func sameView(h *wire.ClientHello, info *tls.ClientHelloInfo) []string {
	var faults []string
	check := func(field string, same bool) {
		if !same {
			faults = append(faults, field)
		}
	}
	check("server name", string(h.ServerName) == info.ServerName)
	check("ALPN", slices.Equal(h.ALPN.Strings(), info.SupportedProtos))
	check("suites", equal(h.CipherSuites, info.CipherSuites))
	check("groups", equal(h.SupportedGroups, info.SupportedCurves))
	check("schemes", equal(h.SignatureSchemes, info.SignatureSchemes))
	check("point formats", bytes.Equal(h.PointFormats, info.SupportedPoints))
	var extensions []uint16
	for e := range h.Extensions.All() {
		extensions = append(extensions, uint16(e))
	}
	check("extensions", slices.Equal(extensions, info.Extensions))
	// Without the extension crypto/tls derives the versions from legacy_version, and it drops what it does not know.
	if h.SupportedVersions != nil {
		check("versions", equal(h.SupportedVersions, info.SupportedVersions))
	}
	return faults
}

func equal[A, B ~uint16](ours wire.List[A], theirs []B) bool {
	return slices.EqualFunc(ours.Slice(), theirs, func(a A, b B) bool { return uint16(a) == uint16(b) })
}

// stricter tells why crypto/tls may refuse a hello that has a good form: rules that we leave to who judges.
func stricter(h *wire.ClientHello) string {
	if _, twice := h.Extensions.Duplicate(); twice {
		return "an extension comes twice"
	}
	last := wire.ExtensionType(0)
	for last = range h.Extensions.All() {
	}
	if h.PSKIdentities != nil && last != wire.ExtensionPreSharedKey {
		return "pre_shared_key is not the last extension"
	}
	if n := h.ServerName; len(n) > 0 && n[len(n)-1] == '.' {
		return "the server name ends with a dot"
	}
	if list, ok := h.Extensions.Find(wire.ExtensionServerName); ok && len(list) != len(h.ServerName)+5 {
		return "the list of server names has more than one, or one of another type"
	}
	if h.LegacyVersion < wire.VersionTLS10 && h.SupportedVersions == nil || h.SupportedVersions != nil && !offersGoVersion(h) {
		return "no version that crypto/tls speaks"
	}
	if len(h.StatusRequest) > 0 && h.StatusRequest[0] != 1 {
		return "a status request of a type that crypto/tls takes for ocsp"
	}
	if h.ECH != nil && !outerECH(h.ECH) {
		return "an encrypted_client_hello of another form than the outer one (RFC 9849, Section 5), which we keep raw"
	}
	return ""
}

// outerECH reports whether an encrypted_client_hello has the form of the outer hello: type, cipher suite, config_id, enc, payload.
func outerECH(body []byte) bool {
	s := cryptobyte.String(body)
	var kind uint8
	var enc, payload cryptobyte.String
	return s.ReadUint8(&kind) && kind == 0 && s.Skip(5) && s.ReadUint16LengthPrefixed(&enc) && s.ReadUint16LengthPrefixed(&payload) && !payload.Empty() && s.Empty()
}

func offersGoVersion(h *wire.ClientHello) bool {
	for v := range h.SupportedVersions.All() {
		if v >= wire.VersionTLS10 && v <= wire.VersionTLS13 {
			return true
		}
	}
	return false
}

// laxer tells why we may refuse a hello that crypto/tls takes: fields that it does not read.
func laxer(err error) bool {
	var e *wire.ParseError
	if !errors.As(err, &e) {
		return false
	}
	for _, path := range []string{
		"client_hello: legacy_session_id",          // bound of 32 bytes
		"client_hello: cipher_suites",              // must not be empty
		"client_hello: legacy_compression_methods", // must not be empty
		"client_hello: extensions: encrypt_then_mac",
		"client_hello: extensions: record_size_limit",
		"client_hello: extensions: compress_certificate",
		"client_hello: extensions: delegated_credential",
		"client_hello: extensions: post_handshake_auth",
		"client_hello: extensions: key_share_old",
		"client_hello: extensions: psk_key_exchange_modes", // must not be empty
	} {
		if e.Path == path || len(e.Path) > len(path) && e.Path[:len(path)+1] == path+":" {
			return true
		}
	}
	return false
}

// disagreement holds a hello against crypto/tls.
func disagreement(record []byte) string {
	var h wire.ClientHello
	var m wire.Message
	r := wire.Reader{FromClient: true}
	r.Feed(record)
	if !r.Next(&m) || m.SSLv2 || m.HandshakeType != wire.HandshakeTypeClientHello {
		return ""
	}
	msg := bytes.Clone(m.Bytes)
	if r.Next(&m); r.InRecord() {
		return "" // crypto/tls waits for the rest of the record
	}
	err := wire.ParseClientHello(msg, &h)
	info := standardView(record)
	switch {
	case err == nil && info == nil && stricter(&h) == "":
		return "crypto/tls refuses it"
	case err != nil && info != nil && !laxer(err):
		return "crypto/tls takes it, we say " + err.Error()
	case err == nil && info != nil:
		if faults := sameView(&h, info); len(faults) > 0 && stricter(&h) == "" {
			return "crypto/tls has other " + faults[0]
		}
	}
	return ""
}

func TestSameViewAsCryptoTLS(t *testing.T) {
	seen := 0
	for _, r := range recordedHellos(t) {
		if r.Format == "sslv2" {
			continue
		}
		if d := disagreement(r.record); d != "" {
			t.Errorf("%s: %s", r.ID, d)
		}
		if standardView(r.record) != nil {
			seen++
		}
	}
	if seen < 150 {
		t.Errorf("crypto/tls parsed only %d hellos", seen)
	}
}

// Every byte of a few hellos changed to a few values: what crypto/tls takes or refuses, we do.
func TestSameViewAsCryptoTLSOfDamagedHellos(t *testing.T) {
	for _, id := range []string{"chromium-156.0.8078.79-tls12", "openssl-1.0.1m", "openssl-3.0.22-s_client-alpn-status-sct", "nss-3.87.1-1+deb12u4-default", "dig-9.18.49-https"} {
		record := hello(t, id).record
		for i := 9; i < len(record); i++ {
			for _, v := range []byte{0, 1, record[i] + 1, record[i] - 1, 0x7F, 0xFF} {
				damaged := bytes.Clone(record)
				damaged[i] = v
				if d := disagreement(damaged); d != "" {
					t.Errorf("%s, byte %d from %#x to %#x: %s", id, i, record[i], v, d)
				}
			}
		}
	}
}

func FuzzAgainstCryptoTLS(f *testing.F) {
	for i, r := range recordedHellos(f) {
		if r.Format == "tls" && i%10 == 0 {
			f.Add(r.record)
		}
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		if d := disagreement(record); d != "" {
			t.Error(d)
		}
	})
}
