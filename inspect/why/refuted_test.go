package why_test

import (
	"bytes"
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/servertest"
	"github.com/tlstriage/tlstriage/inspect/why"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// ellipticSuites is how many suites of the code points 0xC0xx a hello has.
func ellipticSuites(s *seen) (n int) {
	for c := range s.CipherSuites.All() {
		if c>>8 == 0xC0 {
			n++
		}
	}
	return n
}

// refuted are endpoints of which a cause suggests itself that one of the hellos that they accept contradicts.
func refuted(t *testing.T) []endpoint {
	suites := func(list ...wire.CipherSuite) func(*seen) bool {
		return func(s *seen) bool {
			for _, c := range list {
				if !s.CipherSuites.Contains(c) {
					return false
				}
			}
			return true
		}
	}
	sharesOf := func(s *seen) (groups []wire.NamedGroup) {
		for g := range s.KeyShares.All() {
			groups = append(groups, g)
		}
		return groups
	}
	return []endpoint{
		// Not what the endpoint accepts, but what it insists on.
		{name: "a certificate on a curve that is not offered, OpenSSL", start: func(t *testing.T) string {
			return openssl(t, identityOf(t, "ecdsa"), "-no_tls1_3", "-serverpref")
		}, hello: modern(serverName, func(h *probe.Hello) { h.SetGroups(wire.GroupSecp384r1); h.SetKeyShares(wire.GroupSecp384r1) }),
			causes: []string{"group/group-required"}, accepts: "secp256r1", says: "certificate has a key on the curve secp256r1"},
		{name: "a certificate on a curve that is not offered, of an endpoint with two others", start: func(t *testing.T) string {
			return openssl(t, identityOf(t, "ecdsa"), "-tls1_2", "-curves", "P-384:P-521")
		}, hello: older(func(h *probe.Hello) { h.SetGroups(wire.GroupSecp384r1) }),
			causes: []string{"group/group-required"}, accepts: "secp256r1", says: "certificate has a key on the curve secp256r1"},
		{name: "a signature scheme that is never used has to be offered", start: goFront(nil, when(alert(wire.AlertHandshakeFailure), func(s *seen) bool {
			return !s.SignatureSchemes.Contains(wire.SchemeRSAPKCS1SHA1)
		})), hello: modern(serverName, func(h *probe.Hello) {
			h.SetSignatureSchemes(slices.DeleteFunc(h.SignatureSchemes(), func(s wire.SignatureScheme) bool { return s == wire.SchemeRSAPKCS1SHA1 })...)
		}), causes: []string{"signature/signature-required"}, accepts: "rsa_pkcs1_sha1"},

		// Not the version, but what comes along with it.
		{name: "a suite of TLS 1.3 is refused", start: goFront(nil, when(alert(wire.AlertHandshakeFailure), suites(wire.TLS_AES_256_GCM_SHA384))),
			hello: chromium(), causes: []string{"cipher/cipher-intolerance"}, says: "TLS_AES_256_GCM_SHA384"},
		{name: "key shares of x25519 are reset", start: goFront(nil, when(reset, func(s *seen) bool { return slices.Contains(sharesOf(s), wire.GroupX25519) })),
			hello: modern(serverName, nil), causes: []string{"key_share/key-share-intolerance"}, says: "x25519"},
		{name: "the group x25519 is reset", start: goFront(nil, when(reset, func(s *seen) bool { return s.SupportedGroups.Contains(wire.GroupX25519) })),
			hello: modern(serverName, nil), causes: []string{"group/group-intolerance"}, says: "x25519"},

		// Remedies that are needed together.
		{name: "a name and ALPN are required", start: goFront(nil, when(reset, func(s *seen) bool { return len(s.ServerName) == 0 || s.ALPN.Len() == 0 })),
			hello: modern("", nil), names: []string{serverName}, causes: []string{"sni/server-name-required", "alpn/alpn-required"}},
		{name: "ALPN is required, and a group refused that every plain hello has", start: goFront(nil, when(reset, func(s *seen) bool {
			return s.ALPN.Len() == 0 || s.SupportedGroups.Contains(wire.GroupX25519MLKEM768)
		})), hello: func() *probe.Hello { h := postQuantum(); h.SetALPN("h2", "http/1.1"); return h }(), causes: []string{"group/group-intolerance"}, says: "X25519MLKEM768"},

		// Reserved values that are only one more, or the first.
		{name: "one key share, of a client with GREASE", start: goFront(nil, when(reset, func(s *seen) bool { return len(sharesOf(s)) > 1 })),
			hello: chromium(), causes: []string{"key_share/key-share-intolerance"}},
		{name: "the name has to come first", start: goFront(nil, when(reset, func(s *seen) bool {
			for e := range s.Extensions.All() {
				return s.Extensions.Has(wire.ExtensionServerName) && e != wire.ExtensionServerName
			}
			return false
		})), hello: func() *probe.Hello { h := chromium(); h.Reorder(0x5A5A); return h }(), causes: []string{"extension/extension-order"}},

		// Together, and not alone.
		{name: "more than one protocol is reset", start: goFront(func(c *tls.Config) { c.NextProtos = []string{"h2", "http/1.1"} }, when(reset, func(s *seen) bool { return s.ALPN.Len() > 1 })),
			hello: modern(serverName, func(h *probe.Hello) { h.SetALPN("h2", "http/1.1") }), causes: []string{"alpn/alpn-intolerance"}, says: "more than one protocol"},
		{name: "two suites of TLS 1.3 together are reset", start: goFront(nil, when(reset, suites(wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256))),
			hello: modern(serverName, nil), causes: []string{"cipher/combination-intolerance"}, together: "TLS_CHACHA20_POLY1305_SHA256"},
		{name: "two schemes together are reset", start: goFront(nil, when(reset, func(s *seen) bool {
			return s.SignatureSchemes.Contains(wire.SchemeRSAPSSRSAESHA256) && s.SignatureSchemes.Contains(wire.SchemeRSAPSSRSAESHA384)
		})), hello: modern(serverName, nil), causes: []string{"signature/combination-intolerance"}, together: "rsa_pss_rsae_sha384"},
		{name: "many suites and many extensions together are reset", start: goFront(nil, when(reset, func(s *seen) bool {
			extensions := 0
			for range s.Extensions.All() {
				extensions++
			}
			return s.CipherSuites.Len() > 8 && extensions > 9
		})), hello: manyExtensions(), causes: []string{"extension/combination-intolerance"}, together: "the other cipher suites"},
		{name: "a post-quantum group and TLS 1.2 together are reset", start: goFront(nil, when(reset, func(s *seen) bool {
			return s.SupportedGroups.Contains(wire.GroupX25519MLKEM768) && s.SupportedVersions.Contains(wire.VersionTLS12)
		})), hello: postQuantum(), causes: []string{"group/combination-intolerance"}, together: "the other versions"},
	}
}

// What is true of many hellos and not of each is said of none.
func TestCausesThatAreContradictedAreNotNamed(t *testing.T) {
	few := goFront(nil, when(alert(wire.AlertHandshakeFailure), func(s *seen) bool { return ellipticSuites(s) > 4 }))(t)
	for name, hello := range map[string]*probe.Hello{"TLS 1.3": chromium(), "TLS 1.2": older(nil)} {
		for _, c := range (&why.Experiment{Target: probe.Target{Address: few}, Hello: hello}).Run(t.Context()).Causes {
			if strings.Contains(c.ID, "version") || strings.Contains(c.Sentence, "as soon as") {
				t.Errorf("%s: %s: %s", name, c.ID, c.Sentence)
			}
		}
	}
}

// rewriting stands before a TLS server and gives it another hello than the one that came.
func rewriting(t *testing.T, config *tls.Config, change func(*probe.Hello)) string {
	config.Certificates = []tls.Certificate{identityOf(t, "ecdsa").Certificate}
	return servertest.Serve(t, func(_ int, conn net.Conn) {
		var m wire.Message
		r := wire.Reader{FromClient: true}
		room := make([]byte, 16<<10)
		for !r.Next(&m) {
			n, err := conn.Read(room)
			if err != nil || r.Err() != nil {
				return
			}
			r.Feed(bytes.Clone(room[:n]))
		}
		h, err := probe.FromMessage(bytes.Clone(m.Bytes))
		if err != nil {
			return
		}
		change(h)
		message, err := h.Message()
		if err != nil {
			return
		}
		servertest.Echo(servertest.Replayed(conn, append([]byte{22, 3, 1, byte(len(message) >> 8), byte(len(message))}, message...)), config)
	})
}

func TestHellosThatAreChangedOnTheirWay(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*probe.Hello)
		hello  *probe.Hello
		says   string
	}{
		"ALPN is taken out": {func(h *probe.Hello) { h.SetALPN() }, modern(serverName, func(h *probe.Hello) { h.SetALPN("h2", "http/1.1") }), "does not open"},
		"TLS 1.3 is taken out": {func(h *probe.Hello) {
			h.Remove(wire.ExtensionSupportedVersions, wire.ExtensionKeyShare, wire.ExtensionPSKKeyExchangeModes)
		}, modern(serverName, nil), "was not offered TLS 1.3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := (&why.Experiment{Target: probe.Target{Address: rewriting(t, &tls.Config{}, tc.change)}, Hello: tc.hello}).Run(t.Context())
			if len(r.Causes) != 1 || r.Cause != why.HelloAltered || !strings.Contains(r.Sentence, tc.says) {
				t.Errorf("%s: %+v", r.Verdict, r.Causes)
			}
		})
	}
}

// TLS 1.2 is refused beside other versions only.
func TestOneVersionBesideOthers(t *testing.T) {
	address := goFront(nil, when(reset, func(s *seen) bool {
		return s.SupportedVersions.Contains(wire.VersionTLS12) && s.SupportedVersions.Len() > 1
	}))(t)
	r := (&why.Experiment{Target: probe.Target{Address: address}, Hello: modern(serverName, func(h *probe.Hello) {
		h.SetVersions(wire.VersionTLS13, wire.VersionTLS12, wire.VersionTLS11)
	})}).Run(t.Context())
	if len(r.Causes) != 1 || r.Cause != why.VersionIntolerance || !strings.Contains(r.Sentence, "when TLSv1.2 is offered beside") {
		t.Errorf("%s: %+v", r.Verdict, r.Causes)
	}
}

// A limiter whose door is shut when the experiment begins has refused everything so far, and not for what it says.
func TestLimitersThatAreShutAtFirst(t *testing.T) {
	t.Parallel()
	for _, answer := range []reaction{reset, shut} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			opens := time.Now().Add(900 * time.Millisecond)
			var first sync.Once
			address := goFront(nil, func(*seen) reaction {
				first.Do(func() { opens = time.Now().Add(900 * time.Millisecond) })
				if time.Now().Before(opens) {
					return answer
				}
				return pass
			})(t)
			r := (&why.Experiment{Target: probe.Target{Address: address}, Hello: modern(serverName, nil)}).Run(t.Context())
			for _, c := range r.Causes {
				if c.ID == why.ResetsAll || c.ID == why.ClosesAll {
					t.Errorf("%s: %s", c.ID, c.Sentence)
				}
			}
		})
	}
}

// A hello that is refused nearly always is no ban of the client, as long as other hellos are accepted.
func TestRefusedNearlyAlwaysIsNoBan(t *testing.T) {
	t.Parallel()
	for _, every := range []int{5, 9, 13} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			var n atomic.Int32
			address := goFront(nil, when(reset, func(s *seen) bool {
				return s.SupportedGroups.Contains(wire.GroupX25519MLKEM768) && s.KeyShares.Len() > 1 && n.Add(1)%int32(every) != 2
			}))(t)
			r := (&why.Experiment{Target: probe.Target{Address: address}, Hello: postQuantum()}).Run(t.Context())
			for _, c := range r.Causes {
				if c.ID == why.RateLimited || strings.Contains(c.Sentence, "whatever is sent") {
					t.Errorf("%s: %s", c.ID, c.Sentence)
				}
			}
		})
	}
}

// The warning that an endpoint closes the connection behind is its answer.
func TestWarningsThatEndTheConnection(t *testing.T) {
	t.Parallel()
	address := frontWith(t, nil, func(s *seen) bool { return string(s.ServerName) != serverName }, []byte{21, 3, 3, 0, 2, 1, 112})
	r := (&why.Experiment{Target: probe.Target{Address: address}, Hello: modern("other.example", nil)}).Run(t.Context())
	if r.Cause != why.ServerNameUnknown || !strings.Contains(r.Failure, "unrecognized_name") {
		t.Errorf("%s, %s: %+v", r.Failure, r.Verdict, r.Causes)
	}
}

// Numbers that are no limits are not called so: more are accepted.
func TestNumbersThatAreNoLimit(t *testing.T) {
	address := goFront(nil, when(reset, func(s *seen) bool {
		n := 0
		for range s.Extensions.All() {
			n++
		}
		return n > 6 && n%2 == 0
	}))(t)
	even := modern(serverName, func(h *probe.Hello) {
		h.Set(wire.ExtensionSCT, nil)
		if len(h.Extensions)%2 == 1 {
			h.Set(wire.ExtensionStatusRequest, []byte{1, 0, 0, 0, 0})
		}
	})
	for _, c := range (&why.Experiment{Target: probe.Target{Address: address}, Hello: even}).Run(t.Context()).Causes {
		if c.ID == why.TooManyExtensions || strings.Contains(c.Sentence, "as soon as") {
			t.Errorf("%s: %s", c.ID, c.Sentence)
		}
	}
}
