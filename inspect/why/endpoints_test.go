package why_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/porttest"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/servertest"
	"github.com/tlstriage/tlstriage/inspect/why"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// endpoint is one that misbehaves in a known way, with a hello that suffers from it.
type endpoint struct {
	name     string
	start    func(*testing.T) string
	hello    *probe.Hello
	proxy    *probe.ProxyHeader
	names    []string
	causes   []string // axis/id, as many as are built in
	limit    int      // of the size
	accepts  string   // that the first cause names among what is accepted
	slow     bool     // silence or pauses are part of it
	says     string   // that is in the first cause's sentence
	together string   // what the first cause names as what it has to come together with
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
}

// pieces are the sizes of what was written first on each connection, by the address it comes from: on the way segments may come together.
type pieces struct{ sync.Map }

func (p *pieces) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	p.Delete(conn.LocalAddr().String()) // one that had the same port before
	return &inPieces{conn, p}, nil
}

func (p *pieces) first(from string) int {
	n, _ := p.Load(from)
	size, _ := n.(int)
	return size
}

type inPieces struct {
	net.Conn
	pieces *pieces
}

func (c *inPieces) Write(b []byte) (int, error) {
	c.pieces.LoadOrStore(c.LocalAddr().String(), len(b))
	return c.Conn.Write(b)
}

func goServer(edit func(*tls.Config)) func(*testing.T) string {
	return goFront(edit, func(*seen) reaction { return pass })
}

// goFront is a server of the standard library, behind what decides about hellos.
func goFront(edit func(*tls.Config), decide func(*seen) reaction) func(*testing.T) string {
	return func(t *testing.T) string {
		config := &tls.Config{Certificates: []tls.Certificate{identityOf(t, "ecdsa").Certificate}, MinVersion: tls.VersionTLS10}
		if edit != nil {
			edit(config)
		}
		return servertest.Front(t, config, decide)
	}
}

// everySuite are the suites of the standard library, also those without forward secrecy, which it leaves out by itself.
func everySuite() []uint16 {
	var suites []uint16
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		suites = append(suites, s.ID)
	}
	return suites
}

func withRSA(t *testing.T, edit func(*tls.Config)) func(*testing.T) string {
	return goServer(func(c *tls.Config) {
		c.Certificates, c.CipherSuites = []tls.Certificate{identityOf(t, "rsa").Certificate}, everySuite()
		if edit != nil {
			edit(c)
		}
	})
}

// needsName refuses hellos without a name, or with another one.
func needsName(c *tls.Config) {
	own := c.Certificates[0]
	c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if h.ServerName != serverName {
			return nil, errors.New("no such name")
		}
		return &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS10, CurvePreferences: c.CurvePreferences}, nil
	}
}

func modern(name string, edit func(*probe.Hello)) *probe.Hello {
	h := probe.Modern(name)
	if edit != nil {
		edit(h)
	}
	return h
}

func older(edit func(*probe.Hello)) *probe.Hello {
	h := probe.Legacy(serverName, wire.VersionTLS12)
	if edit != nil {
		edit(h)
	}
	return h
}

// postQuantum is a hello of a browser of today: more than 1,400 bytes.
func postQuantum() *probe.Hello {
	return modern(serverName, func(h *probe.Hello) {
		h.SetGroups(wire.GroupX25519MLKEM768, wire.GroupX25519, wire.GroupSecp256r1)
		h.SetKeyShares(wire.GroupX25519MLKEM768, wire.GroupX25519)
	})
}

func hasGREASE(s *seen) bool {
	for e := range s.Extensions.All() {
		if wire.IsGREASE(e) {
			return true
		}
	}
	return false
}

func endpoints(t *testing.T) []endpoint {
	rsaSuites := []wire.CipherSuite{wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, wire.TLS_RSA_WITH_AES_128_CBC_SHA}
	withoutSHA1 := slices.DeleteFunc(probe.Modern("").SignatureSchemes(), func(s wire.SignatureScheme) bool {
		return s == wire.SchemeRSAPKCS1SHA1 || s == wire.SchemeECDSASHA1
	})
	pieces := &pieces{}
	return []endpoint{
		// The name.
		{name: "a name is required", start: goServer(needsName), hello: modern("", nil), names: []string{serverName}, causes: []string{"sni/server-name-required"}},
		{name: "another name", start: goServer(needsName), hello: modern("other.example", nil), names: []string{serverName}, causes: []string{"sni/server-name-unknown"}},
		{name: "nginx rejects other names", start: func(t *testing.T) string {
			return nginx(t, identityOf(t, "rsa"), "default_server", "ssl_reject_handshake on; } server { listen 127.0.0.1:PORT ssl; server_name "+serverName+"; ssl_certificate "+identityOf(t, "rsa").CertFile+"; ssl_certificate_key "+identityOf(t, "rsa").KeyFile+";")
		}, hello: modern("other.example", nil), names: []string{serverName}, causes: []string{"sni/server-name-unknown"}},
		{name: "HAProxy is strict about names", start: func(t *testing.T) string { return haproxy(t, identityOf(t, "rsa"), "strict-sni", "") },
			hello: modern("", nil), names: []string{serverName}, causes: []string{"sni/server-name-required"}},

		// Versions.
		{name: "TLS 1.3 only", start: goServer(func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }), hello: older(nil), causes: []string{"version/no-common-version"}, accepts: "TLSv1.3"},
		{name: "TLS 1.2 at least", start: goServer(func(c *tls.Config) { c.MinVersion = tls.VersionTLS12 }), hello: probe.Legacy(serverName, wire.VersionTLS10),
			causes: []string{"version/no-common-version"}, accepts: "TLSv1.2"},
		{name: "TLS 1.0 only", start: withRSA(t, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS10 }), hello: modern(serverName, nil), causes: []string{"version/no-common-version"}, accepts: "TLSv1.0"},
		{name: "OpenSSL's security level forbids TLS 1.0", start: func(t *testing.T) string {
			return openssl(t, identityOf(t, "rsa"), "-cipher", "DEFAULT@SECLEVEL=2")
		}, hello: probe.Legacy(serverName, wire.VersionTLS10), causes: []string{"version/no-common-version"}, accepts: "TLSv1.2"},
		{name: "intolerant of TLS 1.3", start: goFront(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, func(s *seen) reaction {
			if s.SupportedVersions.Contains(wire.VersionTLS13) {
				return reset
			}
			return pass
		}), hello: modern(serverName, nil), causes: []string{"version/version-intolerance"}},
		{name: "intolerant of all above TLS 1.0", start: goFront(func(c *tls.Config) {
			c.Certificates, c.CipherSuites = []tls.Certificate{identityOf(t, "rsa").Certificate}, everySuite()
			c.MaxVersion = tls.VersionTLS10
		}, func(s *seen) reaction {
			if s.LegacyVersion > wire.VersionTLS10 {
				return shut
			}
			return pass
		}), hello: older(nil), causes: []string{"version/version-intolerance"}},

		// Suites and certificates.
		{name: "one suite only", start: withRSA(t, func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}
		}), hello: older(func(h *probe.Hello) {
			h.CipherSuites = []wire.CipherSuite{wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_RSA_WITH_AES_128_CBC_SHA, wire.EmptyRenegotiationInfoSCSV}
		}), causes: []string{"cipher/no-common-cipher"}, accepts: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
		{name: "ECDSA only", start: goServer(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), hello: older(func(h *probe.Hello) { h.CipherSuites = rsaSuites }),
			causes: []string{"cipher/no-common-cipher"}, accepts: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
		{name: "nginx with one suite", start: func(t *testing.T) string {
			return nginx(t, identityOf(t, "rsa"), "", "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-CHACHA20-POLY1305;")
		}, hello: older(func(h *probe.Hello) { h.CipherSuites = rsaSuites }), causes: []string{"cipher/no-common-cipher"}, accepts: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
		{name: "one suite of TLS 1.3", start: func(t *testing.T) string {
			return openssl(t, identityOf(t, "rsa"), "-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384")
		}, hello: modern(serverName, func(h *probe.Hello) {
			h.SetVersions(wire.VersionTLS13)
			h.CipherSuites = []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256}
		}), causes: []string{"cipher/no-common-cipher"}, accepts: "TLS_AES_256_GCM_SHA384"},
		{name: "intolerant of a suite", start: goFront(nil, func(s *seen) reaction {
			for suite := range s.CipherSuites.All() {
				if wire.IsGREASE(suite) {
					return alert(wire.AlertHandshakeFailure)
				}
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) { h.CipherSuites = append([]wire.CipherSuite{0x3A3A}, h.CipherSuites...) }), causes: []string{"cipher/grease-intolerance"}},
		{name: "too many suites", start: goFront(nil, func(s *seen) reaction {
			if s.CipherSuites.Len() > 64 {
				return shut
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) {
			for c := range 60 {
				h.CipherSuites = append(h.CipherSuites, wire.CipherSuite(0xC050+c))
			}
		}), causes: []string{"cipher/too-many-ciphers"}},
		{name: "16 suites are too many", start: goFront(nil, func(s *seen) reaction {
			if s.CipherSuites.Len() >= 16 {
				return reset
			}
			return pass
		}), hello: postQuantum(), causes: []string{"cipher/too-many-ciphers"}, limit: 15},
		{name: "13 extensions are too many", start: goFront(nil, func(s *seen) reaction {
			if s.Extensions.Len() > 12 {
				return alert(wire.AlertHandshakeFailure)
			}
			return pass
		}), hello: manyExtensions(), causes: []string{"extension/too-many-extensions"}, limit: 12},
		{name: "a group and a protocol together", start: goFront(func(c *tls.Config) { c.NextProtos = []string{"h2", "http/1.1"} }, func(s *seen) reaction {
			if s.ALPN.Contains("h2") && s.SupportedGroups.Contains(wire.GroupX25519MLKEM768) {
				return alert(wire.AlertHandshakeFailure)
			}
			return pass
		}), hello: func() *probe.Hello { h := postQuantum(); h.SetALPN("h2", "http/1.1"); return h }(), causes: []string{"alpn/combination-intolerance"}, together: "X25519MLKEM768"},
		{name: "a size and a name together", start: goFront(nil, func(s *seen) reaction {
			if s.Message.Length > 1200 && strings.HasPrefix(string(s.ServerName), "s") {
				return reset
			}
			return pass
		}), hello: postQuantum(), causes: []string{"size/combination-intolerance"}, together: "the server name"},
		{name: "a fingerprint of four", start: goFront(func(c *tls.Config) { c.NextProtos = []string{"h2"} }, func(s *seen) reaction {
			if s.SupportedGroups.Contains(wire.GroupX25519MLKEM768) && s.ALPN.Contains("h2") && s.Extensions.Has(wire.ExtensionCompressCertificate) && s.Extensions.Has(wire.ExtensionSCT) {
				return reset
			}
			return pass
		}), hello: manyExtensions(), causes: []string{"extension/combination-intolerance"}, together: "X25519MLKEM768"},
		{name: "a fallback", start: goServer(func(c *tls.Config) { c.Certificates = []tls.Certificate{identityOf(t, "ecdsa").Certificate} }),
			hello: older(func(h *probe.Hello) { h.CipherSuites = append(h.CipherSuites, wire.FallbackSCSV) }), causes: []string{"cipher/fallback-refused"}},

		// Groups and key shares.
		{name: "one group only", start: goServer(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP384} }),
			hello:  modern(serverName, func(h *probe.Hello) { h.SetGroups(wire.GroupSecp256r1); h.SetKeyShares(wire.GroupSecp256r1) }),
			causes: []string{"group/no-common-group"}, accepts: "secp384r1"},
		{name: "one group of HAProxy in TLS 1.2", start: func(t *testing.T) string {
			return haproxy(t, identityOf(t, "ecdsa"), "curves P-521 ssl-max-ver TLSv1.2", "")
		}, hello: older(func(h *probe.Hello) { h.SetGroups(wire.GroupX25519, wire.GroupSecp256r1) }), causes: []string{"group/no-common-group"}, accepts: "secp521r1"},
		{name: "post-quantum only", start: goServer(func(c *tls.Config) {
			c.MinVersion, c.CurvePreferences = tls.VersionTLS13, []tls.CurveID{tls.X25519MLKEM768}
		}), hello: modern(serverName, nil), causes: []string{"group/no-common-group"}, accepts: "X25519MLKEM768"},
		{name: "intolerant of a group", start: goFront(nil, func(s *seen) reaction {
			if s.SupportedGroups.Contains(wire.GroupFfdhe3072) {
				return alert(wire.AlertIllegalParameter)
			}
			return pass
		}), hello: modern(serverName, nil), causes: []string{"group/group-intolerance"}},
		{name: "no HelloRetryRequest", start: goFront(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP256} }, func(s *seen) reaction {
			if _, ok := s.KeyShares.Find(wire.GroupSecp256r1); !ok && s.SupportedVersions.Contains(wire.VersionTLS13) && s.SupportedGroups.Contains(wire.GroupX25519) {
				return alert(wire.AlertHandshakeFailure)
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) { h.SetVersions(wire.VersionTLS13) }), causes: []string{"key_share/key-share-required"}, accepts: "secp256r1"},
		{name: "no second hello", start: func(t *testing.T) string {
			config := &tls.Config{Certificates: []tls.Certificate{identityOf(t, "ecdsa").Certificate}, MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.CurveP256}}
			return servertest.Serve(t, func(_ int, conn net.Conn) {
				first := make([]byte, 16<<10)
				n, err := conn.Read(first)
				if err == nil {
					servertest.Echo(servertest.Replayed(&deafToSecondHellos{conn}, first[:n]), config)
				}
			})
		}, hello: modern(serverName, nil), causes: []string{"key_share/hello-retry-failed"}, accepts: "secp256r1"},
		{name: "intolerant of a key share", start: goFront(nil, func(s *seen) reaction {
			if s.KeyShares.Len() > 1 {
				return reset
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) { h.SetKeyShares(wire.GroupX25519, wire.GroupSecp256r1) }), causes: []string{"key_share/key-share-intolerance"}},

		// Signature schemes.
		{name: "SHA-1 only", start: func(t *testing.T) string {
			return openssl(t, identityOf(t, "rsa"), "-tls1_2", "-sigalgs", "RSA+SHA1", "-cipher", "ECDHE-RSA-AES128-SHA:@SECLEVEL=0")
		}, hello: older(func(h *probe.Hello) { h.SetSignatureSchemes(withoutSHA1...) }), causes: []string{"signature/no-common-signature"}, accepts: "rsa_pkcs1_sha1"},
		{name: "SHA-1 is not taken", start: goServer(func(c *tls.Config) { c.MinVersion = tls.VersionTLS12 }), hello: modern(serverName, func(h *probe.Hello) {
			h.SetSignatureSchemes(wire.SchemeRSAPKCS1SHA1, wire.SchemeECDSASHA1)
			h.SetVersions(wire.VersionTLS13)
		}), causes: []string{"signature/no-common-signature"}, accepts: "ecdsa_secp256r1_sha256"},
		{name: "intolerant of SHA-1", start: goFront(nil, func(s *seen) reaction {
			if s.SignatureSchemes.Contains(wire.SchemeRSAPKCS1SHA1) {
				return alert(wire.AlertHandshakeFailure)
			}
			return pass
		}), hello: modern(serverName, nil), causes: []string{"signature/signature-intolerance"}},
		{name: "RSA schemes to an ECDSA key", start: goServer(func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }), hello: modern(serverName, func(h *probe.Hello) {
			h.SetSignatureSchemes(wire.SchemeRSAPSSRSAESHA256, wire.SchemeRSAPKCS1SHA256)
		}), causes: []string{"signature/no-common-signature"}, accepts: "ecdsa_secp256r1_sha256"},

		// ALPN.
		{name: "strict about ALPN", start: goServer(func(c *tls.Config) { c.NextProtos = []string{"h2"} }), hello: modern(serverName, func(h *probe.Hello) { h.SetALPN("mqtt") }),
			causes: []string{"alpn/no-common-alpn"}, accepts: "h2"},
		{name: "intolerant of ALPN", start: goFront(nil, func(s *seen) reaction {
			if s.ALPN != nil {
				return shut
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) { h.SetALPN("h2", "http/1.1") }), causes: []string{"alpn/alpn-intolerance"}},
		{name: "ALPN required", start: goFront(func(c *tls.Config) { c.NextProtos = []string{"h2"} }, func(s *seen) reaction {
			if !s.ALPN.Contains("h2") {
				return alert(wire.AlertNoApplicationProtocol)
			}
			return pass
		}), hello: modern(serverName, nil), causes: []string{"alpn/alpn-required"}, accepts: "h2"},

		// Extensions and the rest.
		{name: "intolerant of an extension", start: goFront(nil, func(s *seen) reaction {
			if s.EncryptThenMAC {
				return reset
			}
			return pass
		}), hello: modern(serverName, nil), causes: []string{"extension/extension-intolerance"}},
		{name: "intolerant of GREASE", start: goFront(nil, func(s *seen) reaction {
			if hasGREASE(s) {
				return alert(wire.AlertDecodeError)
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) { h.Set(0x5A5A, nil); h.Set(wire.ExtensionSCT, nil) }), causes: []string{"extension/grease-intolerance"}},
		{name: "intolerant of any extension", start: goFront(func(c *tls.Config) {
			c.Certificates = []tls.Certificate{identityOf(t, "rsa").Certificate}
			c.MaxVersion = tls.VersionTLS12
			c.CipherSuites = []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
		}, func(s *seen) reaction {
			if s.HasExtensions {
				return reset
			}
			return pass
		}), hello: older(func(h *probe.Hello) {
			h.CipherSuites = []wire.CipherSuite{wire.TLS_RSA_WITH_AES_128_CBC_SHA}
			h.RemoveExtensions()
			h.Set(wire.ExtensionSessionTicket, nil)
		}), causes: []string{"extension/extension-intolerance"}},
		{name: "extended master secret required", start: goFront(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, func(s *seen) reaction {
			if !s.ExtendedMasterSecret {
				return alert(wire.AlertHandshakeFailure)
			}
			return pass
		}), hello: older(func(h *probe.Hello) { h.Remove(wire.ExtensionExtendedMasterSecret) }), causes: []string{"extension/extension-required"}, accepts: "extended_master_secret"},
		{name: "secure renegotiation required", start: goFront(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, func(s *seen) reaction {
			if !s.CipherSuites.Contains(wire.EmptyRenegotiationInfoSCSV) && s.RenegotiationInfo == nil {
				return alert(wire.AlertHandshakeFailure)
			}
			return pass
		}), hello: older(func(h *probe.Hello) { h.CipherSuites = h.CipherSuites[:len(h.CipherSuites)-1] }), causes: []string{"extension/renegotiation-required"}},
		{name: "intolerant of compression", start: goFront(nil, func(s *seen) reaction {
			if len(s.CompressionMethods) > 1 {
				return reset
			}
			return pass
		}), hello: older(func(h *probe.Hello) { h.CompressionMethods = []byte{1, 0} }), causes: []string{"extension/compression-intolerance"}},

		// Size.
		{name: "resets what is larger than 508 bytes", start: goFront(nil, func(s *seen) reaction {
			if s.Message.Length > 508 {
				return reset
			}
			return pass
		}), hello: postQuantum(), causes: []string{"size/hello-too-large"}, limit: 508},
		{name: "resets what is larger than 1337 bytes on the wire", start: goFront(nil, func(s *seen) reaction {
			if len(s.Raw) > 1337 {
				return reset
			}
			return pass
		}), hello: postQuantum(), causes: []string{"size/hello-too-large"}, limit: 1332},
		{name: "drops what is larger than 700 bytes", start: goFront(nil, func(s *seen) reaction {
			if s.Message.Length > 700 {
				return silence
			}
			return pass
		}), hello: postQuantum(), causes: []string{"size/hello-too-large"}, limit: 700, slow: true},
		{name: "fails between 256 and 511 bytes", start: goFront(nil, func(s *seen) reaction {
			if s.Message.Length >= 256 && s.Message.Length <= 511 {
				return shut
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) { h.Pad(420) }), causes: []string{"size/hello-size-intolerance"}, limit: 255},
		{name: "padding is too much", start: goFront(nil, func(s *seen) reaction {
			if s.Message.Length > 1001 {
				return alert(wire.AlertDecodeError)
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) { h.Pad(1200) }), causes: []string{"size/hello-too-large"}, limit: 1001},

		{name: "resets what is larger than 201 bytes", start: goFront(nil, func(s *seen) reaction {
			if s.Message.Length > 201 {
				return reset
			}
			return pass
		}), hello: modern(serverName, nil), causes: []string{"size/hello-too-large"}, limit: 201},
		{name: "closes on TLS 1.2 hellos larger than 222 bytes", start: goFront(nil, func(s *seen) reaction {
			if s.Message.Length > 222 {
				return shut
			}
			return pass
		}), hello: older(func(h *probe.Hello) { h.SetALPN("one-of-a-long-name", "another-of-a-long-name") }), causes: []string{"size/hello-too-large"}, limit: 222},

		// Records and segments.
		{name: "one record only", start: goFront(nil, func(s *seen) reaction {
			if s.Message.Records > 1 {
				return reset
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) { h.Layout = probe.RecordsOf(100) }), causes: []string{"segmentation/fragmented-records"}},
		{name: "one segment only", dial: pieces.dial, start: goFront(nil, func(s *seen) reaction {
			if pieces.first(s.From) < len(s.Raw) {
				return reset
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) { h.Layout = probe.Layout{SegmentSize: 120, Pause: 3 * time.Millisecond} }), causes: []string{"segmentation/fragmented-segments"}},
		{name: "the record's version matters", start: goFront(nil, func(s *seen) reaction {
			if s.Message.RecordVersion == wire.VersionTLS12 {
				return alert(wire.AlertProtocolVersion)
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) { h.RecordVersion = wire.VersionTLS12 }), causes: []string{"record_version/record-version-refused"}},
		{name: "no session id is taken", start: goFront(nil, func(s *seen) reaction {
			if len(s.SessionID) > 0 {
				return reset
			}
			return pass
		}), hello: postQuantum(), causes: []string{"extension/session-id-intolerance"}},
		{name: "a session id is required", start: goFront(nil, func(s *seen) reaction {
			if len(s.SessionID) == 0 {
				return reset
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) { h.SessionID = nil }), causes: []string{"extension/session-id-intolerance"}},
		{name: "a session id is required, of TLS 1.2", start: goFront(nil, func(s *seen) reaction {
			if len(s.SessionID) == 0 {
				return reset
			}
			return pass
		}), hello: older(nil), causes: []string{"extension/session-id-intolerance"}},
		{name: "TLS 1.2 in the record's header is required", start: goFront(nil, func(s *seen) reaction {
			if s.Message.RecordVersion != wire.VersionTLS12 {
				return alert(wire.AlertHandshakeFailure)
			}
			return pass
		}), hello: postQuantum(), causes: []string{"record_version/record-version-refused"}, accepts: "TLSv1.2"},
		{name: "X448 only", start: func(t *testing.T) string {
			return openssl(t, identityOf(t, "rsa"), "-tls1_3", "-groups", "X448")
		}, hello: postQuantum(), causes: []string{"group/no-common-group"}, accepts: "x448"},
		{name: "ffdhe6144 only", start: func(t *testing.T) string {
			return openssl(t, identityOf(t, "rsa"), "-tls1_3", "-groups", "ffdhe6144")
		}, hello: postQuantum(), causes: []string{"group/no-common-group"}, accepts: "ffdhe6144"},
		{name: "odd sizes", start: goFront(nil, func(s *seen) reaction {
			if s.Message.Length%2 == 1 {
				return alert(wire.AlertHandshakeFailure)
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) { h.Pad(901) }), causes: []string{"size/hello-size-intolerance"}},
		{name: "no SSLv2 format", start: withRSA(t, nil), hello: sslv2Hello(), causes: []string{"record_version/sslv2-format-refused"}},

		{name: "the SSLv2 format is not the reason", start: goServer(func(c *tls.Config) { c.MinVersion = tls.VersionTLS12 }), hello: sslv2Hello(), causes: []string{"version/no-common-version"}},

		// PROXY protocol and client certificates.
		{name: "nginx expects the PROXY protocol", start: func(t *testing.T) string { return nginx(t, identityOf(t, "rsa"), "proxy_protocol", "") }, hello: modern(serverName, nil),
			causes: []string{"proxy_protocol/proxy-header-required"}},
		{name: "HAProxy expects the PROXY protocol", start: func(t *testing.T) string { return haproxy(t, identityOf(t, "rsa"), "accept-proxy", "") }, hello: modern(serverName, nil),
			causes: []string{"proxy_protocol/proxy-header-required"}},
		{name: "the PROXY protocol is not expected", start: goServer(nil), hello: modern(serverName, nil), proxy: &probe.ProxyHeader{Version: 1}, causes: []string{"proxy_protocol/proxy-header-unexpected"}},
		{name: "client certificate in TLS 1.3", start: goServer(requireCertificate), hello: modern(serverName, nil), causes: []string{"client_certificate/client-certificate-required"}},
		{name: "client certificate in TLS 1.2", start: goServer(func(c *tls.Config) { requireCertificate(c); c.MaxVersion = tls.VersionTLS12 }), hello: modern(serverName, nil),
			causes: []string{"client_certificate/client-certificate-required"}},
		{name: "client certificate of s_server", start: func(t *testing.T) string {
			return openssl(t, identityOf(t, "rsa"), "-Verify", "1", "-verify_return_error")
		}, hello: modern(serverName, nil),
			causes: []string{"client_certificate/client-certificate-required"}},
		{name: "client certificate of nginx", start: func(t *testing.T) string {
			return nginx(t, identityOf(t, "rsa"), "", "ssl_verify_client on; ssl_client_certificate "+identityOf(t, "rsa").CertFile+";")
		}, hello: modern(serverName, nil), causes: []string{"client_certificate/client-certificate-required"}},

		// No TLS, and the network.
		{name: "plain HTTP", start: func(t *testing.T) string { return text(t, "", "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n") }, hello: modern(serverName, nil), causes: []string{"not_tls/plain-http"}},
		{name: "a mail server", start: func(t *testing.T) string { return text(t, "220 mail.example ESMTP ready\r\n", "500 what?\r\n") }, hello: modern(serverName, nil), causes: []string{"not_tls/other-protocol"}},
		{name: "SSH", start: func(t *testing.T) string { return text(t, "SSH-2.0-OpenSSH_9.2\r\n", "") }, hello: modern(serverName, nil), causes: []string{"not_tls/other-protocol"}},
		{name: "silence", start: func(t *testing.T) string {
			return servertest.Serve(t, func(_ int, conn net.Conn) { servertest.React(conn, silence) })
		}, hello: modern(serverName, nil), causes: []string{"network/silent"}, slow: true},
		{name: "resets everything", start: func(t *testing.T) string {
			return servertest.Serve(t, func(_ int, conn net.Conn) { _, _ = conn.Read(make([]byte, 1<<16)); servertest.React(conn, reset) })
		}, hello: modern(serverName, nil), causes: []string{"network/resets-everything"}},
		{name: "closes everything", start: func(t *testing.T) string {
			return servertest.Serve(t, func(_ int, conn net.Conn) { _, _ = conn.Read(make([]byte, 1<<16)); servertest.React(conn, shut) })
		}, hello: modern(serverName, nil), causes: []string{"network/closes-everything"}},
		{name: "an answer that does not end in time", start: func(t *testing.T) string {
			return servertest.Serve(t, func(_ int, conn net.Conn) {
				_, _ = conn.Read(make([]byte, 1<<16))
				_, _ = conn.Write([]byte{22, 3, 3, 0x40, 0, 2, 0, 0x3F})
				servertest.React(conn, silence)
			})
		}, hello: modern(serverName, nil), causes: []string{"network/incomplete-answer"}, slow: true},
		{name: "data without an end", start: func(t *testing.T) string {
			return servertest.Serve(t, func(_ int, conn net.Conn) {
				_, _ = conn.Read(make([]byte, 1<<16))
				record := append([]byte{22, 3, 3, 0x40, 0, 11, 0xFF, 0xFF, 0xFF}, make([]byte, 0x4000-4)...)
				for {
					if _, err := conn.Write(record); err != nil {
						return
					}
				}
			})
		}, hello: modern(serverName, nil), causes: []string{"network/endless-answer"}},
		{name: "a ban after ten connections", start: goFront(func(c *tls.Config) { c.NextProtos = []string{"h2"} }, func(s *seen) reaction {
			if s.Number > 10 {
				return reset
			}
			if len(s.ALPN) > 0 {
				return alert(wire.AlertHandshakeFailure)
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) { h.SetALPN("h2", "http/1.1") }), causes: []string{"network/rate-limited"}},
		{name: "a ban before anything was accepted", start: goFront(nil, func(s *seen) reaction {
			if s.Number > 8 {
				return reset
			}
			return alert(wire.AlertHandshakeFailure)
		}), hello: modern(serverName, nil), causes: []string{"network/rate-limited"}},
		{name: "any second key share", start: goFront(nil, func(s *seen) reaction {
			if s.KeyShares.Len() > 1 || s.KeyShares.Len() == 1 && s.KeyShares[1] != 29 {
				return alert(wire.AlertHandshakeFailure)
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) { h.SetKeyShares(wire.GroupX25519, wire.GroupSecp256r1) }), causes: []string{"key_share/key-share-intolerance"}},
		{name: "three versions are too many", start: goFront(nil, func(s *seen) reaction {
			if s.SupportedVersions.Len() > 2 {
				return alert(wire.AlertProtocolVersion)
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) { h.SetVersions(0x3A3A, wire.VersionTLS13, wire.VersionTLS12) }), causes: []string{"version/version-intolerance"}},
		{name: "nobody listens", start: func(t *testing.T) string { return fmt.Sprintf("127.0.0.1:%d", porttest.Free(t)) }, hello: modern(serverName, nil), causes: []string{"network/connection-refused"}},
		{name: "flapping", start: goFront(nil, func(s *seen) reaction {
			if s.Number%2 == 1 {
				return alert(wire.AlertInternalError)
			}
			return pass
		}), hello: modern(serverName, nil), causes: []string{"network/flapping"}},
		{name: "flapping in threes", start: goFront(nil, func(s *seen) reaction {
			if s.Number%3 == 0 {
				return reset
			}
			return pass
		}), hello: modern(serverName, nil), causes: []string{"network/flapping"}},
		{name: "limits connections", start: func(t *testing.T) string { return limiter(t, 3, 9, nil) }, hello: modern(serverName, nil), causes: []string{"network/rate-limited"}, slow: true},
		{name: "limits connections, and has one group", start: func(t *testing.T) string {
			return limiter(t, 8, 4, func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP384} })
		}, hello: modern(serverName, func(h *probe.Hello) { h.SetGroups(wire.GroupSecp256r1); h.SetKeyShares(wire.GroupSecp256r1) }),
			causes: []string{"group/no-common-group"}, accepts: "secp384r1", slow: true},

		// Several at once.
		{name: "a name and a group", start: goServer(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP384}; needsName(c) }),
			hello: modern("", func(h *probe.Hello) { h.SetGroups(wire.GroupSecp256r1); h.SetKeyShares(wire.GroupSecp256r1) }), names: []string{serverName},
			causes: []string{"sni/server-name-required", "group/no-common-group"}},
		{name: "the PROXY protocol and a suite", start: func(t *testing.T) string {
			return nginx(t, identityOf(t, "rsa"), "proxy_protocol", "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-CHACHA20-POLY1305;")
		}, hello: older(func(h *probe.Hello) { h.CipherSuites = rsaSuites }), causes: []string{"proxy_protocol/proxy-header-required", "cipher/no-common-cipher"}},
		{name: "ALPN and an extension", start: goFront(func(c *tls.Config) { c.NextProtos = []string{"h2"} }, func(s *seen) reaction {
			if s.SCT {
				return reset
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) { h.SetALPN("mqtt"); h.Set(wire.ExtensionSCT, nil) }), causes: []string{"alpn/no-common-alpn", "extension/extension-intolerance"}},
		{name: "size and a name", start: goFront(needsName, func(s *seen) reaction {
			if s.Message.Length > 611 {
				return reset
			}
			return pass
		}), hello: func() *probe.Hello { h := postQuantum(); h.SetServerName("other.example"); return h }(), names: []string{serverName},
			causes: []string{"sni/server-name-unknown", "size/hello-too-large"}, limit: 0},
		{name: "a suite and a client certificate", start: withRSA(t, func(c *tls.Config) {
			requireCertificate(c)
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}
		}), hello: older(func(h *probe.Hello) {
			h.CipherSuites = []wire.CipherSuite{wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.EmptyRenegotiationInfoSCSV}
		}), causes: []string{"cipher/no-common-cipher", "client_certificate/client-certificate-required"}},
		{name: "the PROXY protocol and a client certificate", start: func(t *testing.T) string {
			return haproxy(t, identityOf(t, "rsa"), "accept-proxy verify required ca-file "+identityOf(t, "rsa").CertFile, "")
		}, hello: modern(serverName, nil), causes: []string{"proxy_protocol/proxy-header-required", "client_certificate/client-certificate-required"}},
		{name: "a name and a protocol", start: goServer(func(c *tls.Config) {
			own := c.Certificates
			c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				if h.ServerName != serverName {
					return nil, errors.New("no such name")
				}
				return &tls.Config{Certificates: own, NextProtos: []string{"h2"}}, nil
			}
		}), hello: modern("", func(h *probe.Hello) { h.SetALPN("mqtt") }), names: []string{serverName}, causes: []string{"sni/server-name-required", "alpn/no-common-alpn"}},
		{name: "a version and a name", start: goServer(func(c *tls.Config) {
			own := c.Certificates
			c.MinVersion = tls.VersionTLS13
			c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				if h.ServerName != serverName {
					return nil, errors.New("no such name")
				}
				return &tls.Config{Certificates: own, MinVersion: tls.VersionTLS13}, nil
			}
		}), hello: probe.Legacy("other.example", wire.VersionTLS12), names: []string{serverName}, causes: []string{"sni/server-name-unknown", "version/no-common-version"}},
		{name: "three at once", start: goFront(func(c *tls.Config) {
			c.CurvePreferences, c.NextProtos = []tls.CurveID{tls.CurveP384}, []string{"h2"}
		}, func(s *seen) reaction {
			if s.SCT {
				return shut
			}
			return pass
		}), hello: modern(serverName, func(h *probe.Hello) {
			h.SetGroups(wire.GroupSecp256r1)
			h.SetKeyShares(wire.GroupSecp256r1)
			h.SetALPN("mqtt")
			h.Set(wire.ExtensionSCT, nil)
		}), causes: []string{"group/no-common-group", "alpn/no-common-alpn", "extension/extension-intolerance"}},
	}
}

// manyExtensions is a hello of a browser with more extensions than most.
func manyExtensions() *probe.Hello {
	h := postQuantum()
	h.SetALPN("h2", "http/1.1")
	h.Set(wire.ExtensionStatusRequest, []byte{1, 0, 0, 0, 0})
	h.Set(wire.ExtensionSCT, nil)
	h.Set(wire.ExtensionCompressCertificate, []byte{2, 0, 2})
	h.Set(wire.ExtensionApplicationSetting, []byte{0, 3, 2, 'h', '2'})
	h.Set(0x5A5A, nil)
	h.Set(0xFAFA, []byte{0})
	return h
}

func requireCertificate(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }

// sslv2Hello is a hello as Java 6 and OpenSSL 0.9.7 sent it.
func sslv2Hello() *probe.Hello {
	h := probe.Legacy("", wire.VersionTLS10)
	h.SSLv2, h.Random = true, h.Random[:16]
	for _, s := range h.CipherSuites {
		h.CipherKinds = append(h.CipherKinds, wire.SSLv2CipherKind(s))
	}
	h.CipherSuites, h.CompressionMethods = nil, nil
	h.RemoveExtensions()
	return h
}

// text is a server that says something, and something else to whatever it hears.
func text(t *testing.T, greeting, answer string) string {
	return servertest.Serve(t, func(_ int, conn net.Conn) {
		fmt.Fprint(conn, greeting)
		if _, err := conn.Read(make([]byte, 4096)); err == nil {
			fmt.Fprint(conn, answer)
		}
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = conn.Read(make([]byte, 4096))
	})
}

// limiter lets some connections through, resets the next ones, and so on: they are counted, so that it is all the same how fast they come.
func limiter(t *testing.T, open, shut int, edit func(*tls.Config)) string {
	return goFront(edit, when(reset, func(s *seen) bool { return s.Number%(open+shut) >= open }))(t)
}

func TestBuiltInCausesAreNamed(t *testing.T) {
	t.Parallel()
	for _, e := range slices.Concat(endpoints(t), hostile(t), refuted(t), listed(t)) {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			address := e.start(t)
			experiment := why.Experiment{Target: probe.Target{Address: address, Proxy: e.proxy}, Hello: e.hello, Names: e.names}
			if e.slow {
				experiment.Client = &probe.Client{Timeouts: probe.Timeouts{Answer: time.Second}}
			}
			if e.dial != nil {
				experiment.Client = &probe.Client{Dial: e.dial}
			}
			r := experiment.Run(t.Context())
			var got []string
			for _, c := range r.Causes {
				got = append(got, string(c.Axis)+"/"+c.ID)
			}
			if !slices.Equal(got, e.causes) || r.Verdict != why.Explained {
				t.Errorf("%s, causes %v, want %v", r.Verdict, got, e.causes)
			}
			if r.Connections > why.DefaultBudget || r.Connections != len(r.Probes) {
				t.Errorf("%d connections, %d probes", r.Connections, len(r.Probes))
			}
			if len(r.Causes) > 0 {
				if e.limit > 0 && r.Causes[0].Limit != e.limit {
					t.Errorf("limit %d, want %d", r.Causes[0].Limit, e.limit)
				}
				if e.accepts != "" && !slices.Contains(r.Causes[0].Accepted, e.accepts) {
					t.Errorf("accepted %v, want %s among it", r.Causes[0].Accepted, e.accepts)
				}
				if !strings.Contains(r.Causes[0].Sentence, e.says) {
					t.Errorf("sentence %q, want %s in it", r.Causes[0].Sentence, e.says)
				}
				if e.together != "" && !strings.Contains(strings.Join(r.Causes[0].Together, "; "), e.together) {
					t.Errorf("together %q, want %s among it", r.Causes[0].Together, e.together)
				}
				for _, c := range r.Causes {
					if c.Sentence == "" || c.Evidence == "" || strings.Contains(c.Sentence+c.Evidence, "%!") {
						t.Errorf("%s: sentence %q, evidence %q", c.ID, c.Sentence, c.Evidence)
					}
				}
			}
			t.Logf("%d connections, %.0f ms: %s", r.Connections, r.DurationMS, r.Sentence)
			if t.Failed() {
				text, _ := json.MarshalIndent(r, "", " ")
				t.Logf("%s", text)
			}
		})
	}
}
