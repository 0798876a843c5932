package why_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/servertest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// when is a front's decision by a condition.
func when(d reaction, condition func(*seen) bool) func(*seen) reaction {
	return func(s *seen) reaction {
		if condition(s) {
			return d
		}
		return pass
	}
}

// hostile are endpoints whose causes are easily taken for others.
func hostile(t *testing.T) []endpoint {
	longer := func(n int) *probe.Hello { return modern(serverName, func(h *probe.Hello) { h.Pad(n) }) }
	withECH := func() *probe.Hello {
		h := postQuantum()
		h.Set(wire.ExtensionEncryptedClientHello, append([]byte{0, 0, 1, 0, 1, 7, 0, 32}, append(bytes.Repeat([]byte{1}, 32), append([]byte{0, 144}, make([]byte, 144)...)...)...))
		return h
	}
	return []endpoint{
		// Sizes.
		{name: "512 to 517 bytes are reset", start: goFront(nil, when(reset, func(s *seen) bool { return s.Message.Length >= 512 && s.Message.Length <= 517 })),
			hello: longer(515), causes: []string{"size/hello-size-intolerance"}, limit: 511, says: "512 to 517"},
		{name: "512 to 517 bytes are reset, by their first", start: goFront(nil, when(reset, func(s *seen) bool { return s.Message.Length >= 512 && s.Message.Length <= 517 })),
			hello: longer(512), causes: []string{"size/hello-size-intolerance"}, limit: 511, says: "512 to 517"},
		{name: "900 to 1700 bytes are reset", start: goFront(nil, when(reset, func(s *seen) bool { return s.Message.Length >= 900 && s.Message.Length <= 1700 })),
			hello: postQuantum(), causes: []string{"size/hello-size-intolerance"}, limit: 899, says: "900 to 1700"},
		{name: "nothing but 512 to 517 bytes is taken", start: goFront(nil, when(alert(wire.AlertHandshakeFailure), func(s *seen) bool { return s.Message.Length < 512 || s.Message.Length > 517 })),
			hello: postQuantum(), causes: []string{"size/hello-too-large"}, limit: 517},
		{name: "less than 300 bytes are reset", start: goFront(nil, when(reset, func(s *seen) bool { return s.Message.Length < 300 })),
			hello: modern(serverName, func(h *probe.Hello) { h.Set(wire.ExtensionSCT, nil) }), causes: []string{"size/hello-too-small"}, limit: 300},
		{name: "less than 300 bytes of TLS 1.2 are answered by an alert", start: goFront(nil, when(alert(wire.AlertHandshakeFailure), func(s *seen) bool { return s.Message.Length < 300 })),
			hello: older(nil), causes: []string{"size/hello-too-small"}, limit: 300},
		{name: "odd sizes, of a small hello", start: goFront(nil, when(reset, func(s *seen) bool { return s.Message.Length%2 == 1 })),
			hello: older(func(h *probe.Hello) {
				if h.Size()%2 == 0 {
					h.SetServerName("s" + serverName)
				}
			}), causes: []string{"size/hello-size-intolerance"}},

		// Counts.
		{name: "an odd number of suites is reset", start: goFront(nil, when(reset, func(s *seen) bool { return s.CipherSuites.Len()%2 == 1 })),
			hello: modern(serverName, func(h *probe.Hello) {
				if len(h.CipherSuites)%2 == 0 {
					h.CipherSuites = h.CipherSuites[:len(h.CipherSuites)-1]
				}
			}), causes: []string{"cipher/cipher-count-intolerance"}},
		{name: "more than eight groups are too many", start: goFront(nil, when(reset, func(s *seen) bool { return s.SupportedGroups.Len() > 20 })),
			hello: modern(serverName, func(h *probe.Hello) {
				groups := h.Groups()
				for g := range 24 {
					groups = append(groups, wire.NamedGroup(0xFE00+g))
				}
				h.SetGroups(groups...)
			}), causes: []string{"group/too-many-groups"}, limit: 20},
		{name: "more than 20 signature schemes are too many", start: goFront(nil, when(alert(wire.AlertHandshakeFailure), func(s *seen) bool { return s.SignatureSchemes.Len() > 20 })),
			hello: modern(serverName, func(h *probe.Hello) {
				schemes := h.SignatureSchemes()
				for s := range 24 {
					schemes = append(schemes, wire.SignatureScheme(0xFE00+s))
				}
				h.SetSignatureSchemes(schemes...)
			}), causes: []string{"signature/too-many-signature-schemes"}, limit: 20},

		// Order.
		{name: "the first suite has to be known", start: goFront(nil, func(s *seen) reaction {
			for first := range s.CipherSuites.All() {
				if first == wire.TLS_CHACHA20_POLY1305_SHA256 {
					return alert(wire.AlertHandshakeFailure)
				}
				break
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) {
			h.CipherSuites = append([]wire.CipherSuite{wire.TLS_CHACHA20_POLY1305_SHA256}, lessSuite(h.CipherSuites, wire.TLS_CHACHA20_POLY1305_SHA256)...)
		}), causes: []string{"cipher/cipher-order"}},
		{name: "an empty extension at the end", start: goFront(nil, func(s *seen) reaction {
			last := 1
			for _, body := range s.Extensions.All() {
				last = len(body)
			}
			if last == 0 {
				return reset
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) { h.Set(wire.ExtensionSCT, nil) }), causes: []string{"extension/extension-order"}},

		// Single extensions and values.
		{name: "ECH is dropped", start: goFront(nil, when(silence, func(s *seen) bool { return s.Extensions.Has(wire.ExtensionEncryptedClientHello) })),
			hello: withECH(), causes: []string{"extension/extension-intolerance"}, slow: true, says: "encrypted_client_hello"},
		{name: "ECH and X25519MLKEM768 together are dropped", start: goFront(nil, when(silence, func(s *seen) bool {
			return s.Extensions.Has(wire.ExtensionEncryptedClientHello) && s.SupportedGroups.Contains(wire.GroupX25519MLKEM768)
		})), hello: withECH(), causes: []string{"extension/combination-intolerance"}, slow: true, together: "X25519MLKEM768"},
		{name: "a size and a protocol together are dropped", start: goFront(func(c *tls.Config) { c.NextProtos = []string{"h2"} }, when(silence, func(s *seen) bool {
			return s.Message.Length > 1000 && s.ALPN.Contains("h2")
		})), hello: func() *probe.Hello { h := postQuantum(); h.SetALPN("h2", "http/1.1"); return h }(), causes: []string{"alpn/combination-intolerance"}, slow: true, together: "a size of more than"},
		{name: "the fallback signal is reset", start: goFront(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, when(reset, func(s *seen) bool { return s.CipherSuites.Contains(wire.FallbackSCSV) })),
			hello: older(func(h *probe.Hello) { h.CipherSuites = append(h.CipherSuites, wire.FallbackSCSV) }), causes: []string{"cipher/cipher-intolerance"}, says: "TLS_FALLBACK_SCSV"},
		{name: "only TLS 1.0 in the record's header", start: goFront(nil, when(reset, func(s *seen) bool { return s.Message.RecordVersion != wire.VersionTLS10 })),
			hello: modern(serverName, func(h *probe.Hello) { h.RecordVersion = wire.VersionTLS12 }), causes: []string{"record_version/record-version-refused"}, accepts: "TLSv1.0"},
		{name: "alerts in records of no version", start: func(t *testing.T) string {
			return frontWith(t, nil, func(s *seen) bool { return hasGREASE(s) }, []byte{21, 0, 0, 0, 2, 2, 40})
		}, hello: modern(serverName, func(h *probe.Hello) { h.Set(0x5A5A, nil) }), causes: []string{"extension/grease-intolerance"}},
		{name: "a page of HTTP for what a filter does not like", start: func(t *testing.T) string {
			return frontWith(t, nil, func(s *seen) bool { return s.SCT }, []byte("HTTP/1.1 400 Bad Request\r\nServer: filter\r\nContent-Length: 0\r\n\r\n"))
		}, hello: modern(serverName, func(h *probe.Hello) { h.Set(wire.ExtensionSCT, nil) }), causes: []string{"extension/extension-intolerance"}},
		{name: "garbage for what is too large", start: func(t *testing.T) string {
			return frontWith(t, nil, func(s *seen) bool { return s.Message.Length > 777 }, bytes.Repeat([]byte{22, 3, 3, 0, 0, 99, 99, 99}, 9))
		}, hello: postQuantum(), causes: []string{"size/hello-too-large"}, limit: 777},
		{name: "resets behind the ServerHello of a post-quantum group", start: func(t *testing.T) string {
			config := &tls.Config{Certificates: []tls.Certificate{identityOf(t, "ecdsa").Certificate}}
			return servertest.Serve(t, func(_ int, conn net.Conn) {
				first := make([]byte, 16<<10)
				n, err := conn.Read(first)
				if err == nil {
					servertest.Echo(&cutPostQuantum{Conn: servertest.Replayed(conn, first[:n]), tcp: conn}, config)
				}
			})
		}, hello: postQuantum(), causes: []string{"group/group-intolerance"}, says: "X25519MLKEM768"},

		// Names.
		{name: "names in lower case only", start: goFront(nil, when(alert(wire.AlertUnrecognizedName), func(s *seen) bool {
			return strings.ToLower(string(s.ServerName)) != string(s.ServerName)
		})), hello: modern("Shop.Example", nil), names: []string{"Shop.Example"}, causes: []string{"sni/server-name-case"}},
		{name: "a site of its own with one group", start: goServer(func(c *tls.Config) {
			own := c.Certificates
			c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				if h.ServerName == serverName {
					return &tls.Config{Certificates: own, CurvePreferences: []tls.CurveID{tls.CurveP384}}, nil
				}
				return nil, nil
			}
		}), hello: modern(serverName, func(h *probe.Hello) { h.SetGroups(wire.GroupSecp256r1); h.SetKeyShares(wire.GroupSecp256r1) }),
			causes: []string{"group/no-common-group"}, accepts: "secp384r1"},
		{name: "a site of its own of TLS 1.3", start: goServer(func(c *tls.Config) {
			own := c.Certificates
			c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				if h.ServerName == serverName {
					return &tls.Config{Certificates: own, MinVersion: tls.VersionTLS13}, nil
				}
				return nil, nil
			}
		}), hello: older(nil), causes: []string{"version/no-common-version"}, accepts: "TLSv1.3"},
		{name: "a size and a name together, of a hello that is otherwise taken", start: goFront(nil, when(reset, func(s *seen) bool {
			return s.Message.Length > 1200 && strings.HasPrefix(string(s.ServerName), "s")
		})), hello: func() *probe.Hello { h := manyExtensions(); h.SetServerName("s.example"); return h }(), names: []string{"other.example"}, causes: []string{"size/combination-intolerance"}, together: "the server name"},
		{name: "a filter of names that reads one record", start: goFront(nil, when(reset, func(s *seen) bool {
			return s.Message.Records < 2 && string(s.ServerName) == serverName
		})), hello: modern(serverName, nil), causes: []string{"sni/server-name-filtered"}},
		{name: "a filter of names", start: goFront(nil, when(reset, func(s *seen) bool { return string(s.ServerName) == serverName })),
			hello: modern(serverName, nil), causes: []string{"sni/server-name-unknown"}},

		// What is no TLS at first.
		{name: "PostgreSQL", start: func(t *testing.T) string { return postgres(t) }, hello: modern(serverName, nil), causes: []string{"not_tls/starttls-required"}, says: "postgres"},
		{name: "an endpoint of HTTP that waits", start: func(t *testing.T) string {
			return servertest.Serve(t, func(_ int, conn net.Conn) {
				b := make([]byte, 4096)
				if n, err := conn.Read(b); err == nil && bytes.HasPrefix(b[:n], []byte("GET ")) {
					_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
				}
			})
		}, hello: modern(serverName, nil), causes: []string{"network/closes-everything"}},

		{name: "every second connection is refused, and the version", start: goFront(func(c *tls.Config) { c.MinVersion = tls.VersionTLS12 }, when(alert(wire.AlertHandshakeFailure), func(s *seen) bool { return s.Number%2 == 1 })),
			hello: probe.Legacy(serverName, wire.VersionTLS10), causes: []string{"network/flapping"}},
		{name: "an old client, and an endpoint that minds key shares", start: goFront(func(c *tls.Config) { c.MinVersion = tls.VersionTLS12 }, when(alert(wire.AlertHandshakeFailure), func(s *seen) bool {
			return s.KeyShares.Len() > 1 || s.KeyShares.Len() == 1 && s.KeyShares[1] != 29
		})), hello: probe.Legacy(serverName, wire.VersionTLS10), causes: []string{"version/no-common-version"}, accepts: "TLSv1.2"},

		// Kinds of values.
		{name: "GREASE of every kind", start: goFront(nil, when(reset, greased)), hello: chromium(), causes: []string{"extension/grease-intolerance"}, says: "GREASE"},
		{name: "GREASE of every kind, of TLS 1.2 with ALPN of its own", start: goFront(func(c *tls.Config) { c.NextProtos, c.MaxVersion = []string{"h2"}, tls.VersionTLS12 }, when(alert(wire.AlertHandshakeFailure), greased)),
			hello: chromium(), causes: []string{"extension/grease-intolerance"}},
		{name: "GREASE groups only", start: goFront(nil, when(reset, func(s *seen) bool {
			for g := range s.SupportedGroups.All() {
				if wire.IsGREASE(g) {
					return true
				}
			}
			return false
		})), hello: chromium(), causes: []string{"group/grease-intolerance"}},
		{name: "extensions that it does not know", start: goFront(nil, when(alert(wire.AlertUnsupportedExtension), func(s *seen) bool {
			for t := range s.Extensions.All() {
				switch t {
				case 0, 5, 10, 11, 13, 16, 18, 21, 23, 35, 43, 45, 51, 65281:
				default:
					return true
				}
			}
			return false
		})), hello: chromium(), causes: []string{"extension/unknown-extension-intolerance"}},
		{name: "three requirements", start: goFront(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, when(alert(wire.AlertHandshakeFailure), func(s *seen) bool {
			return !s.ExtendedMasterSecret || !s.CipherSuites.Contains(wire.EmptyRenegotiationInfoSCSV) && s.RenegotiationInfo == nil || string(s.ServerName) != serverName
		})), hello: older(func(h *probe.Hello) {
			h.Remove(wire.ExtensionExtendedMasterSecret)
			h.CipherSuites = h.CipherSuites[:len(h.CipherSuites)-1]
			h.SetServerName("")
		}), names: []string{serverName}, causes: []string{"sni/server-name-required", "extension/renegotiation-required", "extension/extension-required"}},
		{name: "the order of protocols", start: goFront(func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }, func(s *seen) reaction {
			for first := range s.ALPN.All() {
				if string(first) != "http/1.1" {
					return reset
				}
				break
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) { h.SetALPN("h2", "http/1.1") }), causes: []string{"alpn/alpn-order"}},
		{name: "the order of groups", start: goFront(nil, func(s *seen) reaction {
			for first := range s.SupportedGroups.All() {
				if first != wire.GroupX25519 {
					return reset
				}
				break
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) { h.SetGroups(wire.GroupSecp384r1, wire.GroupX25519, wire.GroupSecp256r1) }), causes: []string{"group/group-order"}},
		{name: "the order of signature schemes", start: goFront(nil, func(s *seen) reaction {
			for first := range s.SignatureSchemes.All() {
				if first != wire.SchemeECDSASecp256r1SHA256 {
					return alert(wire.AlertHandshakeFailure)
				}
				break
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) {
			h.SetSignatureSchemes(wire.SchemeRSAPSSRSAESHA256, wire.SchemeECDSASecp256r1SHA256, wire.SchemeEd25519)
		}), causes: []string{"signature/signature-order"}},
		{name: "a suite that was not offered", start: func(t *testing.T) string {
			return servertest.Serve(t, func(_ int, conn net.Conn) {
				if _, err := conn.Read(make([]byte, 16<<10)); err == nil {
					hello := append(append([]byte{2, 0, 0, 38, 3, 3}, make([]byte, 32)...), 0, 0xC0, 0x2F, 0)
					_, _ = conn.Write(append([]byte{22, 3, 3, 0, byte(len(hello))}, hello...))
					_, _ = conn.Write([]byte{22, 3, 3, 0, 4, 14, 0, 0, 0})
					_, _ = conn.Read(make([]byte, 16<<10))
				}
			})
		}, hello: older(func(h *probe.Hello) {
			h.CipherSuites = []wire.CipherSuite{wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.EmptyRenegotiationInfoSCSV}
		}), causes: []string{"cipher/illegal-choice"}, says: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},

		// Several at once.
		{name: "a window of sizes and a name", start: goFront(needsName, when(reset, func(s *seen) bool { return s.Message.Length >= 600 && s.Message.Length <= 700 })),
			hello: modern("other.example", func(h *probe.Hello) { h.Pad(650) }), names: []string{serverName}, causes: []string{"sni/server-name-unknown", "size/hello-size-intolerance"}},
		{name: "ECH is dropped, and one group", start: goFront(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP384} }, when(silence, func(s *seen) bool {
			return s.Extensions.Has(wire.ExtensionEncryptedClientHello)
		})), hello: func() *probe.Hello {
			h := withECH()
			h.SetGroups(wire.GroupX25519, wire.GroupSecp256r1)
			h.SetKeyShares(wire.GroupX25519)
			return h
		}(), causes: []string{"group/no-common-group", "extension/extension-intolerance"}, slow: true},
		{name: "one record and no GREASE", start: goFront(nil, when(reset, func(s *seen) bool { return s.Message.Records > 1 || hasGREASE(s) })),
			hello:  modern(serverName, func(h *probe.Hello) { h.Set(0x5A5A, nil); h.Layout = probe.RecordsOf(100) }),
			causes: []string{"extension/grease-intolerance", "segmentation/fragmented-records"}},
		{name: "another name, in lower case, and ALPN", start: goServer(func(c *tls.Config) {
			own := c.Certificates
			c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				if h.ServerName != serverName {
					return nil, errors.New("no such name")
				}
				return &tls.Config{Certificates: own, NextProtos: []string{"h2"}}, nil
			}
		}), hello: modern("SHOP.example", func(h *probe.Hello) { h.SetALPN("mqtt") }), causes: []string{"sni/server-name-case", "alpn/no-common-alpn"}},
	}
}

// chromium is a hello as Chromium sends it: reserved values (RFC 8701) in every list.
func chromium() *probe.Hello {
	h := manyExtensions()
	h.CipherSuites = append([]wire.CipherSuite{0x3A3A}, h.CipherSuites...)
	h.SetVersions(append([]wire.Version{0x2A2A}, h.Versions()...)...)
	h.SetGroups(append([]wire.NamedGroup{0x4A4A}, h.Groups()...)...)
	h.SetKeyShares(append([]wire.NamedGroup{0x4A4A}, h.KeyShareGroups()...)...)
	return h
}

// greased reports whether a hello has a reserved value anywhere.
func greased(s *seen) bool {
	for v := range s.CipherSuites.All() {
		if wire.IsGREASE(v) {
			return true
		}
	}
	for v := range s.SupportedGroups.All() {
		if wire.IsGREASE(v) {
			return true
		}
	}
	for v := range s.SupportedVersions.All() {
		if wire.IsGREASE(v) {
			return true
		}
	}
	return hasGREASE(s)
}

func lessSuite(all []wire.CipherSuite, one wire.CipherSuite) []wire.CipherSuite {
	var rest []wire.CipherSuite
	for _, s := range all {
		if s != one {
			rest = append(rest, s)
		}
	}
	return rest
}

// frontWith answers hellos that match with bytes, and closes.
func frontWith(t testing.TB, edit func(*tls.Config), matches func(*seen) bool, answer []byte) string {
	config := &tls.Config{Certificates: []tls.Certificate{identityOf(t, "ecdsa").Certificate}}
	if edit != nil {
		edit(config)
	}
	return servertest.Serve(t, func(_ int, conn net.Conn) {
		s, err := servertest.ReadHello(conn)
		if err != nil && !s.HasMessage() {
			return
		}
		if !matches(s) {
			servertest.Echo(servertest.Replayed(conn, s.Raw), config)
			return
		}
		_, _ = conn.Write(answer)
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = conn.Read(make([]byte, 16<<10))
	})
}

// cutPostQuantum resets the connection behind a ServerHello that chose a post-quantum group.
type cutPostQuantum struct {
	net.Conn
	tcp net.Conn
}

func (c *cutPostQuantum) Write(b []byte) (int, error) {
	var m wire.Message
	var hello wire.ServerHello
	r := wire.Reader{}
	r.Feed(bytes.Clone(b))
	if !r.Next(&m) || m.HandshakeType != wire.HandshakeTypeServerHello || wire.ParseServerHello(bytes.Clone(m.Bytes), &hello) != nil || hello.HelloRetryRequest || hello.Group != wire.GroupX25519MLKEM768 {
		return c.Conn.Write(b)
	}
	_, _ = c.Conn.Write(b[:5+len(m.Bytes)])
	servertest.React(c.tcp, reset)
	c.tcp.Close()
	return 0, net.ErrClosed
}

// postgres speaks PostgreSQL's protocol as far as TLS: it closes on what is no startup message.
func postgres(t testing.TB) string {
	config := &tls.Config{Certificates: []tls.Certificate{identityOf(t, "ecdsa").Certificate}}
	return servertest.Serve(t, func(_ int, conn net.Conn) {
		b := make([]byte, 8)
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if n, err := conn.Read(b); err != nil || !bytes.Equal(b[:n], []byte{0, 0, 0, 8, 4, 0xD2, 0x16, 0x2F}) {
			return
		}
		if _, err := conn.Write([]byte("S")); err == nil {
			servertest.Echo(conn, config)
		}
	})
}
