package policy_test

import (
	"slices"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/spenttest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// modern is a hello of today; the tests below change one thing in it.
func modern() helloForm {
	return helloForm{
		legacy: wire.VersionTLS12, versions: []wire.Version{0x1A1A, wire.VersionTLS13, wire.VersionTLS12}, name: "shop.example",
		suites: []wire.CipherSuite{0x2A2A, wire.TLS_AES_128_GCM_SHA256, wire.TLS_CHACHA20_POLY1305_SHA256,
			wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256},
		groups: []wire.NamedGroup{0x3A3A, wire.GroupX25519, wire.GroupSecp256r1}, shares: []wire.NamedGroup{wire.GroupX25519},
		schemes:   []wire.SignatureScheme{wire.SchemeECDSASecp256r1SHA256, wire.SchemeRSAPSSRSAESHA256, wire.SchemeRSAPKCS1SHA256},
		protocols: []string{"h2", "http/1.1"},
	}
}

// old is a hello without supported_versions, and edge a policy with everything stated.
func old(version wire.Version, suites ...wire.CipherSuite) helloForm {
	return helloForm{legacy: version, suites: suites, groups: []wire.NamedGroup{wire.GroupSecp256r1}}
}

const edgeYAML = `
versions: [TLSv1.0, TLSv1.1, TLSv1.2, TLSv1.3]
ciphers: [TLS_AES_128_GCM_SHA256, TLS_CHACHA20_POLY1305_SHA256, ECDHE-ECDSA-AES128-GCM-SHA256, ECDHE-RSA-AES128-GCM-SHA256,
  ECDHE-RSA-CHACHA20-POLY1305, DHE-RSA-AES128-SHA, ECDHE-RSA-AES128-SHA, AES128-SHA]
groups: [x25519, secp256r1]
signature_algorithms: [ecdsa_secp256r1_sha256, rsa_pss_rsae_sha256, rsa_pkcs1_sha256]
certificates: [rsa]
`

func TestNegotiate(t *testing.T) {
	const (
		aes128     = wire.TLS_RSA_WITH_AES_128_CBC_SHA
		dhe        = wire.TLS_DHE_RSA_WITH_AES_128_CBC_SHA
		ecdheCBC   = wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
		ecdheRSA   = wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
		ecdheECDSA = wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
		chacha     = wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
	)
	ok := func(v wire.Version, s wire.CipherSuite) policy.Result {
		return policy.Result{Accepted: true, Version: v, CipherSuite: s}
	}
	no := func(d policy.Dimension, a wire.AlertDescription) policy.Result {
		return policy.Result{RejectedBy: d, Alert: a}
	}
	with := func(change func(*helloForm)) helloForm {
		f := modern()
		change(&f)
		return f
	}
	const v10, v11, v12, v13 = wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12, wire.VersionTLS13
	tests := []struct {
		name  string // and the clause that decides
		hello helloForm
		yaml  string // keys that come after edgeYAML's, or replace them
		want  policy.Result
	}{
		{"everything in common: RFC 8446 4.1.1", modern(), "", ok(v13, wire.TLS_AES_128_GCM_SHA256)},

		// Versions.
		{"supported_versions alone counts: RFC 8446 4.2.1", with(func(f *helloForm) { f.versions = []wire.Version{v11}; f.suites = append(f.suites, aes128) }), "", ok(v11, aes128)},
		{"the extension lists nothing that the server has", with(func(f *helloForm) { f.versions = []wire.Version{v13} }), "versions: [TLSv1.2]", no(policy.DimensionVersion, wire.AlertProtocolVersion)},
		{"a draft of TLS 1.3 is not TLS 1.3", with(func(f *helloForm) { f.versions = []wire.Version{0x7F1C, v12} }), "", ok(v12, ecdheRSA)},
		{"legacy_version 0x0304 is TLS 1.2: RFC 8446 4.2.1", old(0x0304, ecdheRSA, wire.TLS_AES_128_GCM_SHA256), "signature_algorithms: [rsa_pkcs1_sha1]", ok(v12, ecdheRSA)},
		{"a version from the future is no reason to refuse: RFC 5246 E.1", old(0x0399, aes128), "versions: [TLSv1.0]", ok(v10, aes128)},
		{"too old", old(v10, aes128), "versions: [TLSv1.2, TLSv1.3]", no(policy.DimensionVersion, wire.AlertProtocolVersion)},
		{"too new", with(func(f *helloForm) { f.versions = []wire.Version{v13, v12} }), "versions: [TLSv1.0]", no(policy.DimensionVersion, wire.AlertProtocolVersion)},
		{"a gap in the client's versions", with(func(f *helloForm) { f.versions = []wire.Version{v13, v10}; f.suites = append(f.suites, aes128) }), "versions: [TLSv1.0, TLSv1.2]", ok(v10, aes128)},
		{"fallback below the server's best: RFC 7507", old(v11, aes128, wire.FallbackSCSV), "", no(policy.DimensionVersion, wire.AlertInappropriateFallback)},
		{"fallback to the server's best: RFC 7507", old(v11, aes128, wire.FallbackSCSV), "versions: [TLSv1.0, TLSv1.1]", ok(v11, aes128)},

		// Names.
		{"served name", modern(), "server_names: [shop.example]", ok(v13, wire.TLS_AES_128_GCM_SHA256)},
		{"in any case: RFC 6066 3", with(func(f *helloForm) { f.name = "SHOP.Example" }), "server_names: [shop.exAMPLE]", ok(v13, wire.TLS_AES_128_GCM_SHA256)},
		{"wildcard", modern(), `server_names: ["*.example"]`, ok(v13, wire.TLS_AES_128_GCM_SHA256)},
		{"a wildcard is one label", with(func(f *helloForm) { f.name = "a.shop.example" }), `server_names: ["*.example"]`, no(policy.DimensionServerName, wire.AlertUnrecognizedName)},
		{"a wildcard is not the bare domain", with(func(f *helloForm) { f.name = "example" }), `server_names: ["*.example"]`, no(policy.DimensionServerName, wire.AlertUnrecognizedName)},
		{"unknown name: RFC 6066 3", modern(), "server_names: [api.example]", no(policy.DimensionServerName, wire.AlertUnrecognizedName)},
		{"no name where one is needed: RFC 8446 9.2", with(func(f *helloForm) { f.name = "" }), "sni_required: true", no(policy.DimensionServerName, wire.AlertMissingExtension)},
		{"no name, as nginx and HAProxy answer", with(func(f *helloForm) { f.name = "" }), "sni_required: true\nfamily: openssl", no(policy.DimensionServerName, wire.AlertUnrecognizedName)},
		{"no name where none is needed", with(func(f *helloForm) { f.name = "" }), "server_names: [api.example]", ok(v13, wire.TLS_AES_128_GCM_SHA256)},

		// ALPN.
		{"the server's order: RFC 7301 3.2", modern(), "alpn: [http/1.1, h2]", policy.Result{Accepted: true, Version: v13, CipherSuite: wire.TLS_AES_128_GCM_SHA256, Protocol: "http/1.1"}},
		{"none in common: RFC 7301 3.2", modern(), "alpn: [acme-tls/1]\nalpn_required: true", no(policy.DimensionALPN, wire.AlertNoApplicationProtocol)},
		{"none in common, ignored", modern(), "alpn: [acme-tls/1]", ok(v13, wire.TLS_AES_128_GCM_SHA256)},
		{"the client does not ask", with(func(f *helloForm) { f.protocols = nil }), "alpn: [h2]\nalpn_required: true", ok(v13, wire.TLS_AES_128_GCM_SHA256)},
		{"the server does not negotiate", modern(), "alpn_required: true", ok(v13, wire.TLS_AES_128_GCM_SHA256)},

		// Suites.
		{"none in common", old(v12, wire.TLS_RSA_WITH_RC4_128_SHA, wire.EmptyRenegotiationInfoSCSV), "", no(policy.DimensionCipher, wire.AlertHandshakeFailure)},
		{"signalling suites are never chosen: RFC 5746 3.3", old(v12, wire.EmptyRenegotiationInfoSCSV), "ciphers: [TLS_EMPTY_RENEGOTIATION_INFO_SCSV, AES128-SHA]", no(policy.DimensionCipher, wire.AlertHandshakeFailure)},
		{"pre-shared keys are never used", old(v12, wire.TLS_PSK_WITH_AES_128_CBC_SHA), "ciphers: [TLS_PSK_WITH_AES_128_CBC_SHA]", no(policy.DimensionCipher, wire.AlertHandshakeFailure)},
		{"anonymous suites are never used", old(v12, wire.TLS_DH_anon_WITH_AES_128_CBC_SHA), "ciphers: [TLS_DH_anon_WITH_AES_128_CBC_SHA]", no(policy.DimensionCipher, wire.AlertHandshakeFailure)},
		{"TLS 1.3 suites are for TLS 1.3: RFC 8446 B.4", old(v12, wire.TLS_AES_128_GCM_SHA256), "", no(policy.DimensionCipher, wire.AlertHandshakeFailure)},
		{"TLS 1.2 suites are not for TLS 1.3: RFC 8446 4.1.1", with(func(f *helloForm) { f.suites = []wire.CipherSuite{ecdheRSA} }), "", no(policy.DimensionCipher, wire.AlertHandshakeFailure)},
		{"AEAD is for TLS 1.2: RFC 5288 4", old(v11, ecdheRSA, aes128), "", ok(v11, aes128)},
		{"a suite for a certificate that is not there", old(v12, ecdheECDSA), "", no(policy.DimensionCipher, wire.AlertHandshakeFailure)},
		{"DHE without parameters", old(v11, dhe, aes128), "dh_parameters: false", ok(v11, aes128)},
		{"DHE with parameters", old(v11, dhe, aes128), "", ok(v11, dhe)},
		{"the server's order", old(v11, aes128, ecdheCBC), "ciphers: [ECDHE-RSA-AES128-SHA, AES128-SHA]", ok(v11, ecdheCBC)},
		{"the client's order", old(v11, aes128, ecdheCBC), "ciphers: [ECDHE-RSA-AES128-SHA, AES128-SHA]\ncipher_preference: client", ok(v11, aes128)},
		{"ChaCha20 for those who want it first", with(func(f *helloForm) { f.versions = nil; f.suites = []wire.CipherSuite{0x1A1A, chacha, ecdheRSA} }), "cipher_preference: server-chacha", ok(v12, chacha)},
		{"ChaCha20 not for others", with(func(f *helloForm) { f.versions = nil; f.suites = []wire.CipherSuite{0x1A1A, ecdheRSA, chacha} }), "cipher_preference: server-chacha\nciphers: [ECDHE-RSA-CHACHA20-POLY1305, ECDHE-RSA-AES128-GCM-SHA256]", ok(v12, chacha)},
		{"equal preference is the client's", with(func(f *helloForm) { f.versions = nil; f.suites = []wire.CipherSuite{aes128, chacha, ecdheRSA} }), "ciphers: [[ECDHE-RSA-AES128-GCM-SHA256, ECDHE-RSA-CHACHA20-POLY1305], AES128-SHA]", ok(v12, chacha)},

		// Groups.
		{"HelloRetryRequest: RFC 8446 4.1.4", with(func(f *helloForm) { f.shares = nil }), "", policy.Result{Accepted: true, Version: v13, CipherSuite: wire.TLS_AES_128_GCM_SHA256, HelloRetry: true}},
		{"a share goes before a better group", with(func(f *helloForm) { f.shares = []wire.NamedGroup{wire.GroupSecp256r1} }), "", ok(v13, wire.TLS_AES_128_GCM_SHA256)},
		{"not with BoringSSL", with(func(f *helloForm) { f.shares = []wire.NamedGroup{wire.GroupSecp256r1} }), "family: boringssl", policy.Result{Accepted: true, Version: v13, CipherSuite: wire.TLS_AES_128_GCM_SHA256, HelloRetry: true}},
		{"a post-quantum group goes before a share with s2n-tls", with(func(f *helloForm) { f.groups = append(f.groups, wire.GroupX25519MLKEM768) }), "family: s2n\ngroups: [x25519, X25519MLKEM768]", policy.Result{Accepted: true, Version: v13, CipherSuite: wire.TLS_AES_128_GCM_SHA256, HelloRetry: true}},
		{"and not as the RFC suggests", with(func(f *helloForm) { f.groups = append(f.groups, wire.GroupX25519MLKEM768) }), "groups: [X25519MLKEM768, x25519]", ok(v13, wire.TLS_AES_128_GCM_SHA256)},
		{"no group in common: RFC 8446 4.1.1", modern(), "groups: [secp521r1]", no(policy.DimensionGroup, wire.AlertHandshakeFailure)},
		{"no supported_groups in TLS 1.3: RFC 8446 9.2", with(func(f *helloForm) { f.groups = nil }), "", no(policy.DimensionGroup, wire.AlertMissingExtension)},
		{"no key_share in TLS 1.3: RFC 8446 9.2", with(func(f *helloForm) { f.noShares = true }), "", no(policy.DimensionGroup, wire.AlertMissingExtension)},
		{"ECDHE needs a group: RFC 8422 5.1", old(v11, ecdheCBC), "groups: [secp521r1]", no(policy.DimensionGroup, wire.AlertHandshakeFailure)},
		{"without one, another key exchange", old(v11, ecdheCBC, aes128), "groups: [secp521r1]", ok(v11, aes128)},
		{"post-quantum groups are not for TLS 1.2", func() helloForm {
			f := old(v11, ecdheCBC)
			f.groups = []wire.NamedGroup{wire.GroupX25519MLKEM768}
			return f
		}(), "groups: [X25519MLKEM768]", no(policy.DimensionGroup, wire.AlertHandshakeFailure)},
		{"no supported_groups, any group will do: RFC 8422 4", func() helloForm { f := old(v11, ecdheCBC); f.groups = nil; return f }(), "family: s2n", ok(v11, ecdheCBC)},
		{"no supported_groups, no ECDHE", func() helloForm { f := old(v11, ecdheCBC, aes128); f.groups = nil; return f }(), "family: openssl\nciphers: [ECDHE-RSA-AES128-SHA, AES128-SHA]", ok(v11, aes128)},

		// Signatures.
		{"none in common in TLS 1.3: RFC 8446 4.4.3", with(func(f *helloForm) { f.schemes = []wire.SignatureScheme{wire.SchemeRSAPKCS1SHA256} }), "", no(policy.DimensionSignature, wire.AlertHandshakeFailure)},
		{"no signature_algorithms in TLS 1.3: RFC 8446 9.2", with(func(f *helloForm) { f.schemes = nil }), "", no(policy.DimensionSignature, wire.AlertMissingExtension)},
		{"an ECDSA scheme binds the curve in TLS 1.3: RFC 8446 4.2.3", with(func(f *helloForm) { f.schemes = []wire.SignatureScheme{wire.SchemeECDSASecp256r1SHA256} }), "certificates: [ecdsa-p384]", no(policy.DimensionSignature, wire.AlertHandshakeFailure)},
		{"and does not in TLS 1.2: RFC 5246 7.4.1.4.1", with(func(f *helloForm) {
			f.versions = nil
			f.schemes = []wire.SignatureScheme{wire.SchemeECDSASecp256r1SHA256}
		}), "certificates: [ecdsa-p384]\nfamily: go", ok(v12, ecdheECDSA)},
		{"none in common in TLS 1.2", with(func(f *helloForm) { f.versions = nil; f.schemes = []wire.SignatureScheme{wire.SchemeRSAPKCS1SHA512} }), "", no(policy.DimensionSignature, wire.AlertHandshakeFailure)},
		{"no extension is SHA-1: RFC 5246 7.4.1.4.1", old(v12, ecdheRSA), "signature_algorithms: [rsa_pkcs1_sha1]", policy.Result{Accepted: true, Version: v12, CipherSuite: ecdheRSA, SignatureScheme: wire.SchemeRSAPKCS1SHA1}},
		{"no extension and no SHA-1", old(v12, ecdheRSA), "", no(policy.DimensionSignature, wire.AlertHandshakeFailure)},
		{"a static RSA key exchange signs nothing", old(v12, ecdheRSA, aes128), "", ok(v12, aes128)},
		{"TLS 1.1 has no schemes: RFC 4346 7.4.3", old(v11, ecdheCBC), "signature_algorithms: [rsa_pss_rsae_sha256]", ok(v11, ecdheCBC)},
		{"Ed25519 is for TLS 1.2 and above: RFC 8422 5.10", old(v11, wire.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA), "ciphers: [ECDHE-ECDSA-AES128-SHA]\ncertificates: [ed25519]", no(policy.DimensionCipher, wire.AlertHandshakeFailure)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := policy.ParseYAML([]byte(merge(edgeYAML, test.yaml)), "edge.yaml")
			if err != nil {
				t.Fatal(err)
			}
			h := parse(t, test.hello)
			got := policy.Negotiate(h, p)
			if got.Accepted != test.want.Accepted || got.Version != test.want.Version || got.CipherSuite != test.want.CipherSuite || got.Protocol != test.want.Protocol ||
				got.HelloRetry != test.want.HelloRetry || got.RejectedBy != test.want.RejectedBy || got.Alert != test.want.Alert ||
				test.want.SignatureScheme != 0 && got.SignatureScheme != test.want.SignatureScheme {
				t.Errorf("got %+v\nwant %+v", got, test.want)
			}
			if got.Accepted && got.Uncertain != "" {
				t.Errorf("uncertain: %s", got.Uncertain)
			}
			o := got.Outcome(h, p)
			if o.Accepted != got.Accepted || o.RejectedBy != string(got.RejectedBy) || o.Accepted == (o.Version == "") || o.Accepted == (o.Alert != "") {
				t.Errorf("outcome %+v of %+v", o, got)
			}
			allUsable := got.RejectedBy != policy.DimensionGroup || !slices.Contains(p.Groups, wire.GroupX25519MLKEM768)
			if !o.Accepted && allUsable && slices.Equal(o.Offered, o.Accepts) && len(o.Offered) > 0 {
				t.Errorf("rejected by %s, although both sets are %v", o.RejectedBy, o.Offered)
			}
		})
	}
}

func parse(t testing.TB, f helloForm) *wire.ClientHello {
	t.Helper()
	var h wire.ClientHello
	if err := wire.ParseClientHello(f.record(t)[5:], &h); err != nil {
		t.Fatal(err)
	}
	return &h
}

// TestWhatIsNotStatedNeverRejects drops one list after the other from the policy.
func TestWhatIsNotStatedNeverRejects(t *testing.T) {
	rare := modern()
	rare.groups, rare.shares = []wire.NamedGroup{wire.GroupX448}, nil
	rare.schemes = []wire.SignatureScheme{wire.SchemeRSAPSSRSAESHA384}
	sha1 := modern()
	sha1.versions, sha1.schemes = nil, nil
	ecdsa := modern()
	ecdsa.versions, ecdsa.suites = nil, []wire.CipherSuite{wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	tests := []struct {
		name   string
		hello  helloForm
		change func(*policy.Policy)
		doubt  bool
	}{
		{"groups, common client", modern(), func(p *policy.Policy) { p.Groups = nil }, false},
		{"groups, rare client", rare, func(p *policy.Policy) { p.Groups, p.SignatureSchemes = nil, nil }, true},
		{"schemes, common client", modern(), func(p *policy.Policy) { p.SignatureSchemes = nil }, false},
		{"schemes, SHA-1 by default", sha1, func(p *policy.Policy) { p.SignatureSchemes = nil }, true},
		{"order", modern(), func(p *policy.Policy) { p.Preference = policy.PreferenceUnknown; slices.Reverse(p.CipherSuites) }, true},
		{"order that does not matter", modern(), func(p *policy.Policy) { p.Preference = policy.PreferenceUnknown }, false},
		{"certificates, ECDSA suites alone", ecdsa, func(p *policy.Policy) { p.Certificates = nil }, true},
		{"certificates", modern(), func(p *policy.Policy) { p.Certificates = nil }, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := policy.ParseYAML([]byte(edgeYAML), "edge.yaml")
			if err != nil {
				t.Fatal(err)
			}
			test.change(p)
			r := policy.Negotiate(parse(t, test.hello), p)
			if !r.Accepted || (r.Uncertain != "") != test.doubt {
				t.Errorf("%+v, want accepted, uncertain %t", r, test.doubt)
			}
		})
	}
}

func TestSSLv2FormatHello(t *testing.T) {
	p, err := policy.ParseYAML([]byte(edgeYAML), "edge.yaml")
	if err != nil {
		t.Fatal(err)
	}
	h := helloByID(t, "java-17.0.15-sslv2hello")
	if r := policy.Negotiate(h, p); !r.Accepted || r.Version != wire.VersionTLS10 {
		t.Errorf("%+v, want TLS 1.0", r)
	}
	p.Family = policy.FamilyGo
	if r := policy.Negotiate(h, p); r.RejectedBy != policy.DimensionVersion {
		t.Errorf("%+v: crypto/tls reads no SSLv2-format hello", r)
	}
}

func TestOfferedAndAcceptsUseTheRecordsNames(t *testing.T) {
	h := parse(t, modern())
	p, err := policy.ParseYAML([]byte(merge(edgeYAML, "alpn: [h2]\nserver_names: [x.example]\nclient_auth: require")), "edge.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		dimension        policy.Dimension
		offered, accepts []string
	}{
		{policy.DimensionVersion, []string{"TLSv1.3", "TLSv1.2"}, []string{"TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"}},
		{policy.DimensionGroup, []string{"x25519", "secp256r1"}, []string{"x25519", "secp256r1"}},
		{policy.DimensionSignature, []string{"ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256", "rsa_pkcs1_sha256"}, []string{"ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256", "rsa_pkcs1_sha256"}},
		{policy.DimensionALPN, []string{"h2", "http/1.1"}, []string{"h2"}},
		{policy.DimensionServerName, []string{"shop.example"}, []string{"x.example"}},
		{policy.DimensionClientCertificate, nil, []string{"require"}},
		{policy.DimensionNone, nil, nil},
	}
	for _, test := range tests {
		if got := policy.Offered(h, test.dimension); !slices.Equal(got, test.offered) {
			t.Errorf("offered %s: %v, want %v", test.dimension, got, test.offered)
		}
		if got := policy.Accepts(p, test.dimension); !slices.Equal(got, test.accepts) {
			t.Errorf("accepts %s: %v, want %v", test.dimension, got, test.accepts)
		}
	}
	legacy := old(wire.VersionTLS10, wire.TLS_RSA_WITH_AES_128_CBC_SHA)
	if got := policy.Offered(parse(t, legacy), policy.DimensionVersion); !slices.Equal(got, []string{"TLSv1.0"}) {
		t.Errorf("offered without supported_versions: %v", got)
	}
}

func TestNegotiateDoesNotAllocate(t *testing.T) {
	policies := []*policy.Policy{lookup(t, "aws/ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"), lookup(t, "go-1.26"), lookup(t, "nginx-1.27.3+"), lookup(t, "envoy-server-default")}
	for _, h := range recordedHellos(t) {
		for _, p := range policies {
			// Of several runs the fraction is cut off: the runtime itself allocates now and then.
			if n := testing.AllocsPerRun(5, func() { policy.Negotiate(&h.hello, p) }); n != 0 {
				t.Fatalf("%s against %s: %v allocations", h.ID, p.Name, n)
			}
		}
	}
}

// TestHugeHelloIsJudgedQuickly sends what costs most: thousands of suites in common, each of which fails for its group or
// its signature after thousands of those were looked at.
func TestHugeHelloIsJudgedQuickly(t *testing.T) {
	repeated := func(v uint16) wire.List[wire.CipherSuite] {
		return wire.ListOf(slices.Repeat([]wire.CipherSuite{wire.CipherSuite(v)}, 10_000)...)
	}
	for _, ref := range []string{"nginx-1.22.1-openssl-3.0", "go-1.26", "aws/ELBSecurityPolicy-2016-08", "gnutls-3.7-NORMAL"} {
		p := lookup(t, ref)
		for _, preference := range []policy.Preference{policy.PreferServer, policy.PreferClient} {
			p.Preference = preference
			h := &wire.ClientHello{
				LegacyVersion: wire.VersionTLS12, CipherSuites: repeated(uint16(wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)),
				SupportedGroups:  wire.ListOf(slices.Repeat([]wire.NamedGroup{0x7777}, 10_000)...),
				SignatureSchemes: wire.ListOf(slices.Repeat([]wire.SignatureScheme{0x7777}, 10_000)...),
			}
			const limit = 250 * time.Millisecond // it takes a few
			least := time.Hour
			for try := 0; try < 12 && least > limit; try++ { // the least of some: others use the machine, too
				var r policy.Result
				least = min(least, spenttest.On(t, func() { r = policy.Negotiate(h, p) }))
				if r.Accepted {
					t.Fatalf("%s: %+v", ref, r)
				}
			}
			if least > limit {
				t.Errorf("%s: %v", ref, least)
			}
		}
	}
}

// FuzzNegotiate holds hellos that may be broken anywhere against policies of every library.
func FuzzNegotiate(f *testing.F) {
	for _, h := range randomHellos(f, 20) {
		f.Add(h.bytes[5:])
	}
	var policies []*policy.Policy
	for _, ref := range []string{"aws/ELBSecurityPolicy-TLS13-1-0-PQ-2025-09", "aws/clb/ELBSecurityPolicy-2016-08", "go-1.26", "nginx-1.22.1-openssl-3.0", "nginx-1.27.3+",
		"haproxy-2.2+-openssl-3.0", "envoy-server-default-legacy", "gcp/COMPATIBLE", "gnutls-3.7-NORMAL", "mozilla-old"} {
		p := lookup(f, ref)
		p.ALPN, p.ALPNRequired, p.Names = []string{"h2"}, true, []string{"localhost", "*.example"}
		policies = append(policies, p)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		var h wire.ClientHello
		if err := wire.ParseClientHello(message, &h); err != nil && len(message)%2 == 0 {
			if wire.ParseSSLv2ClientHello(message, &h) != nil {
				return
			}
		}
		for _, p := range policies {
			r := policy.Negotiate(&h, p)
			if r.Accepted != (r.RejectedBy == policy.DimensionNone) || r.Accepted == (r.Alert != 0) {
				t.Fatalf("%s: %+v", p.Name, r)
			}
			if r.Accepted && (!slices.Contains(p.Versions, r.Version) || !slices.Contains(p.CipherSuites, r.CipherSuite) || !h.CipherSuites.Contains(r.CipherSuite)) {
				t.Fatalf("%s: %+v is on one side only", p.Name, r)
			}
			r.Outcome(&h, p)
		}
	})
}

func BenchmarkNegotiate(b *testing.B) {
	h := helloByID(b, "chromium-")
	for _, ref := range []string{"aws/ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09", "aws/ELBSecurityPolicy-2016-08", "go-1.26", "nginx-1.27.3+"} {
		p := lookup(b, ref)
		b.Run(p.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				policy.Negotiate(h, p)
			}
		})
	}
}
