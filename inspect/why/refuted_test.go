package why_test

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/probe"
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
