package policy_test

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func lookup(t testing.TB, ref string) *policy.Policy {
	t.Helper()
	p, err := policy.Lookup(ref)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func helloByID(t testing.TB, prefix string) *wire.ClientHello {
	t.Helper()
	for _, h := range recordedHellos(t) {
		if strings.HasPrefix(h.ID, prefix) {
			return &h.hello
		}
	}
	t.Fatalf("no recorded hello %s…", prefix)
	return nil
}

func TestBuiltinPoliciesAreWellFormed(t *testing.T) {
	names := make(map[string]string)
	count := 0
	for p := range policy.All() {
		count++
		for _, name := range append([]string{p.Name}, p.Aliases...) {
			key := strings.ToLower(name)
			if other, ok := names[key]; ok {
				t.Errorf("%s names %s and %s", name, other, p.Name)
			}
			names[key] = p.Name
			if found := lookup(t, strings.ToUpper(name)); found.Name != p.Name {
				t.Errorf("%s is found as %s, want %s", name, found.Name, p.Name)
			}
		}
		if len(p.Versions) == 0 || len(p.CipherSuites) == 0 {
			t.Errorf("%s: no versions or no suites", p.Name)
		}
		if len(p.Source) == 0 || p.AsOf == "" {
			t.Errorf("%s: no source or no date", p.Name)
		}
		if !slices.IsSorted(p.Versions) {
			t.Errorf("%s: versions out of order", p.Name)
		}
		seen := make(map[wire.CipherSuite]bool)
		for _, s := range p.CipherSuites {
			if _, ok := s.Info(); !ok || seen[s] {
				t.Errorf("%s: suite %v is unknown or stands twice", p.Name, s)
			}
			seen[s] = true
		}
		for _, group := range p.EqualPreference {
			for _, s := range group {
				if !seen[s] {
					t.Errorf("%s: %v is preferred but not listed", p.Name, s)
				}
			}
		}
	}
	if count < 130 {
		t.Errorf("%d built-in policies, want at least 130", count)
	}
}

// TestModernClientsAreServed holds every policy of TLS 1.2 or 1.3 against the hellos of two programs of today.
func TestModernClientsAreServed(t *testing.T) {
	for _, client := range []string{"chromium-", "openssl-3.0.22-s_client-default"} {
		h := helloByID(t, client)
		for p := range policy.All() {
			r := policy.Negotiate(h, p)
			if p.Versions[len(p.Versions)-1] < wire.VersionTLS12 {
				continue
			}
			if !r.Accepted {
				t.Errorf("%s: %s: rejected by %s", client, p.Name, r.RejectedBy)
				continue
			}
			if want := p.Versions[len(p.Versions)-1]; r.Version != want {
				t.Errorf("%s: %s: %v, want %v", client, p.Name, r.Version, want)
			}
			info, _ := r.CipherSuite.Info()
			if !slices.Contains(p.CipherSuites, r.CipherSuite) || !h.CipherSuites.Contains(r.CipherSuite) || info.TLS13() != (r.Version == wire.VersionTLS13) {
				t.Errorf("%s: %s: suite %v", client, p.Name, r.CipherSuite)
			}
			if r.Group != 0 && (!slices.Contains(p.Groups, r.Group) || !h.SupportedGroups.Contains(r.Group)) {
				t.Errorf("%s: %s: group %v", client, p.Name, r.Group)
			}
		}
	}
}

func TestLookup(t *testing.T) {
	tests := []struct{ ref, want string }{
		{"aws/ELBSecurityPolicy-2016-08", "aws/ELBSecurityPolicy-2016-08"},
		{"ELBSecurityPolicy-2016-08", "aws/ELBSecurityPolicy-2016-08"},
		{"aws/nlb/ELBSecurityPolicy-2016-08", "aws/ELBSecurityPolicy-2016-08"},
		{"aws/clb/ELBSecurityPolicy-2016-08", "aws/clb/ELBSecurityPolicy-2016-08"},
		{"AWS/CLB/elbsecuritypolicy-2015-03", "aws/ELBSecurityPolicy-2015-03"},
		{"aws/apigateway-http/TLS_1_2", "aws/apigateway-http/TLS_1_2"},
		{"cloudflare/modern", "cloudflare/modern"},
		{"azure/TLSv1.1/1.0_2019", "azure/TLSv1.1/1.0_2019"},
		{"TLSv1.1/1.0_2019", "azure/TLSv1.1/1.0_2019"},
		{"mozilla-intermediate", "mozilla/mozilla-intermediate-6.0"},
		{"mozilla/intermediate", "mozilla/mozilla-intermediate-6.0"},
		{"mozilla/intermediate-5.7", "mozilla/mozilla-intermediate-5.7"},
		{"go/1.26", "go/go-1.26"},
	}
	for _, test := range tests {
		if p := lookup(t, test.ref); p.Name != test.want {
			t.Errorf("%s is %s, want %s", test.ref, p.Name, test.want)
		}
	}
}

func TestUnknownPolicyNamesTheNearest(t *testing.T) {
	tests := []struct {
		ref, nearest string
		ambiguous    bool
	}{
		{"aws/ELBSecurityPolicy-TLS13-1-2-2021-07", "aws/ELBSecurityPolicy-TLS13-1-2-2021-06", false},
		{"ELBSecurityPolicy-TLS13-1-2-2021", "aws/ELBSecurityPolicy-TLS13-1-2-2021-06", false},
		{"mozila/intermediate-5.7", "mozilla/mozilla-intermediate-5.7", false},
		{"modern", "cloudflare/modern", true},
		{"nothing that looks like this", "", false},
		{"", "", false},
		{strings.Repeat("x", 1<<20), "", false},
	}
	for _, test := range tests {
		_, err := policy.Lookup(test.ref)
		var unknown *policy.UnknownError
		if !errors.As(err, &unknown) {
			t.Fatalf("%.40q: %v, want an UnknownError", test.ref, err)
		}
		if unknown.Ambiguous != test.ambiguous || len(unknown.Nearest) > 5 ||
			test.nearest != "" && !slices.Contains(unknown.Nearest, test.nearest) || test.nearest == "" && len(unknown.Nearest) > 0 {
			t.Errorf("%.40q: %+v, want %q", test.ref, unknown.Nearest, test.nearest)
		}
		if len(err.Error()) > 1000 {
			t.Errorf("%.40q: message of %d bytes", test.ref, len(err.Error()))
		}
	}
}

// TestLookupGivesCopies changes what it got and finds the built-in policy as it was.
func TestLookupGivesCopies(t *testing.T) {
	before := lookup(t, "envoy-server-default")
	changed := lookup(t, "envoy-server-default")
	changed.CipherSuites[0], changed.EqualPreference[0][0], changed.Versions[0], changed.Groups[0], changed.Source[0] = 0, 0, 0, 0, ""
	after := lookup(t, "envoy-server-default")
	if !slices.Equal(before.CipherSuites, after.CipherSuites) || before.EqualPreference[0][0] != after.EqualPreference[0][0] ||
		before.Versions[0] != after.Versions[0] || before.Groups[0] != after.Groups[0] || before.Source[0] != after.Source[0] {
		t.Error("a change to one copy reached another")
	}
}

func TestLoad(t *testing.T) {
	files := fstest.MapFS{
		"edge.yaml":   {Data: []byte("versions: [TLSv1.2]\nciphers: [ECDHE-RSA-AES128-GCM-SHA256]\n")},
		"noextension": {Data: []byte("extends: aws/ELBSecurityPolicy-2016-08\n")},
		"bad.yml":     {Data: []byte("version: [TLSv1.2]\n")},
		"big.yaml":    {Data: []byte("# " + strings.Repeat("x", policy.MaxFileBytes))},
	}
	for ref, want := range map[string]string{"edge.yaml": "edge", "noextension": "noextension", "gcp/MODERN": "gcp/MODERN"} {
		if p, err := policy.Load(files, ref); err != nil || p.Name != want {
			t.Errorf("%s: %v, %v", ref, p, err)
		}
	}
	for ref, want := range map[string]string{"bad.yml": `bad.yml:1: unknown key "version"; did you mean versions?`, "missing.yaml": "missing.yaml", "big.yaml": "exceeds 262144", "gcp/MODERM": "gcp/MODERN"} {
		if _, err := policy.Load(files, ref); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", ref, err, want)
		}
	}
	if _, err := policy.Load(files, "missing.yaml"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}
