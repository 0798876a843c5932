package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// TestNormalizeKeepsEveryDecision: the normal form of each built-in policy answers every recorded hello as the policy itself.
func TestNormalizeKeepsEveryDecision(t *testing.T) {
	hellos := recordedHellos(t)
	for p := range policy.All() {
		n := p.Normalize()
		if !policy.Equal(p, n) || !policy.Equal(n, n.Normalize()) {
			t.Errorf("%s: %v", p.Name, policy.Differences(p, n))
		}
		for _, h := range hellos {
			got, want := policy.Negotiate(&h.hello, n), policy.Negotiate(&h.hello, p)
			if p.Preference == policy.PreferenceUnknown {
				got.Uncertain, want.Uncertain = "", ""
			}
			if got != want {
				t.Errorf("%s, %s: %+v, normalized %+v", p.Name, h.ID, want, got)
			}
		}
	}
}

func TestDifferencesNamesEachField(t *testing.T) {
	base := func() *policy.Policy {
		return &policy.Policy{
			Versions:     []wire.Version{wire.VersionTLS12, wire.VersionTLS13},
			CipherSuites: []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384},
			Groups:       []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp256r1}, SignatureSchemes: []wire.SignatureScheme{wire.SchemeEd25519},
			ALPN: []string{"h2"}, Names: []string{"a.example", "b.example"}, ClientAuth: policy.ClientAuthNone, Preference: policy.PreferServer,
		}
	}
	tests := []struct {
		name   string
		change func(*policy.Policy)
		want   string // empty: equal
	}{
		{"nothing", func(*policy.Policy) {}, ""},
		{"order of versions", func(p *policy.Policy) { slices.Reverse(p.Versions) }, ""},
		{"order of names, case", func(p *policy.Policy) { p.Names = []string{"B.example", "A.example"} }, ""},
		{"TLS 1.3 suite at the end", func(p *policy.Policy) { p.CipherSuites = append(p.CipherSuites[1:], p.CipherSuites[0]) }, ""},
		{"suite twice", func(p *policy.Policy) { p.CipherSuites = append(p.CipherSuites, p.CipherSuites[1]) }, ""},
		{"unstated preference", func(p *policy.Policy) { p.Preference = policy.PreferenceUnknown }, ""},
		{"unstated client authentication", func(p *policy.Policy) { p.ClientAuth = "" }, ""},
		{"name, notes and source", func(p *policy.Policy) { p.Name, p.Notes, p.Source = "x", "y", []string{"z"} }, ""},
		{"a version", func(p *policy.Policy) { p.Versions = append(p.Versions, wire.VersionTLS11) }, "versions"},
		{"a blocked version", func(p *policy.Policy) { p.BlockedVersions = []wire.Version{wire.VersionTLS10} }, "blocked versions"},
		{"order of suites", func(p *policy.Policy) {
			p.CipherSuites[1], p.CipherSuites[2] = p.CipherSuites[2], p.CipherSuites[1]
		}, "cipher suites"},
		{"preference", func(p *policy.Policy) { p.Preference = policy.PreferClient }, "preference"},
		{"equal preference", func(p *policy.Policy) { p.EqualPreference = [][]wire.CipherSuite{p.CipherSuites[1:]} }, "equal preference"},
		{"group of one", func(p *policy.Policy) { p.EqualPreference = [][]wire.CipherSuite{p.CipherSuites[1:2]} }, ""},
		{"groups", func(p *policy.Policy) { slices.Reverse(p.Groups) }, "groups"},
		{"groups unstated", func(p *policy.Policy) { p.Groups = nil }, "groups"},
		{"schemes", func(p *policy.Policy) { p.SignatureSchemes = []wire.SignatureScheme{wire.SchemeEd448} }, "signature schemes"},
		{"ALPN", func(p *policy.Policy) { p.ALPN = nil }, "ALPN"},
		{"ALPN required", func(p *policy.Policy) { p.ALPNRequired = true }, "ALPN required"},
		{"DH parameters", func(p *policy.Policy) {
			p.CipherSuites, p.NoDHParameters = append(p.CipherSuites, wire.TLS_DHE_RSA_WITH_AES_128_GCM_SHA256), true
		}, "cipher suites and DH parameters"},
		{"certificate before suite", func(p *policy.Policy) { p.CertificateFirst = true }, "certificate before suite"},
		{"certificate by TLS 1.2", func(p *policy.Policy) { p.CertificateFirst, p.CertificateBy12 = true, true }, "certificate before suite and certificate by TLS 1.2 alone"},
		{"release of a library that is not Go's", func(p *policy.Policy) { p.GoRelease = 19 }, ""},
		{"DH parameters without a DHE suite", func(p *policy.Policy) {
			p.NoDHParameters = true
		}, ""},
		{"names", func(p *policy.Policy) { p.Names = p.Names[:1] }, "names"},
		{"no name at all", func(p *policy.Policy) { p.Names = []string{} }, "names"},
		{"SNI required", func(p *policy.Policy) { p.SNIRequired = true }, "SNI required"},
		{"client authentication", func(p *policy.Policy) { p.ClientAuth = policy.ClientAuthRequire }, "client authentication"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := base()
			test.change(p)
			got := policy.Differences(base(), p)
			var fields []string
			for _, d := range got {
				field, _, _ := strings.Cut(d, ":")
				fields = append(fields, field)
			}
			if strings.Join(fields, " and ") != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
			if policy.Equal(base(), p) != (test.want == "") {
				t.Error("Equal and Differences do not agree")
			}
		})
	}
}
