package openssl

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

func TestErrorsSayWhere(t *testing.T) {
	tests := []struct {
		list   string
		reason error
		offset int
		word   string
	}{
		{"HIGH:[AES128-SHA|AES256-SHA]", ErrInvalidCommand, 5, "["},
		{"HIGH:!", ErrInvalidCommand, 6, ""},
		{"HIGH:@FOO:AES", ErrInvalidCommand, 5, "@FOO"},
		{"DEFAULT@SECLEVEL=6", ErrInvalidCommand, 7, "@SECLEVEL=6"},
		{"AES128+", ErrInvalidCommand, 7, ""},
		{"AES128+\":x", ErrInvalidCommand, 7, "\""},
		{"", ErrNoCipherMatch, -1, ""},
		{"high", ErrNoCipherMatch, -1, ""},
		{"ALL:!ALL:!eNULL", ErrNoCipherMatch, -1, ""},
		{strings.Repeat("A", maxString+1), ErrTooLong, -1, ""},
	}
	for _, test := range tests {
		_, err := Ciphers(test.list, Options{})
		var typed *Error
		if !errors.As(err, &typed) || !errors.Is(err, test.reason) || typed.Offset != test.offset || typed.Word != test.word {
			t.Errorf("%.40q: %#v, want %v at %d (%q)", test.list, err, test.reason, test.offset, test.word)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("%.40q: an error of %d bytes", test.list, len(err.Error()))
		}
	}
}

func TestIgnoredWordsAreTold(t *testing.T) {
	e, err := Ciphers("HIGH:!SSLv2:ECDHE+NOSUCH+AES:CHACHA20+AES128-SHA:TLSv1.3,+EXP", Options{})
	want := []string{"SSLv2", "ECDHE+NOSUCH+AES", "CHACHA20+AES128-SHA", "TLSv1.3", "EXP"}
	if err != nil || !slices.Equal(e.Ignored, want) {
		t.Errorf("%v, %q, want %q", err, e.Ignored, want)
	}
}

func TestSecurityLevelOfAString(t *testing.T) {
	one := 1
	tests := []struct {
		list string
		o    Options
		want int
	}{
		{"DEFAULT", Options{}, 2}, {"DEFAULT", Options{SecurityLevel: &one}, 1}, {"DEFAULT@SECLEVEL=0", Options{}, 0},
		{"@SECLEVEL=3:ALL:@SECLEVEL=1", Options{}, 1},
	}
	for _, test := range tests {
		if e, err := Ciphers(test.list, test.o); err != nil || e.SecurityLevel != test.want {
			t.Errorf("%q: level %d, %v, want %d", test.list, e.SecurityLevel, err, test.want)
		}
	}
}

// TestOtherBuilds: the same string gives more suites where more are compiled in, weakest last.
func TestOtherBuilds(t *testing.T) {
	expand := func(list string, o Options) []string {
		t.Helper()
		o.NoTLS13Suites = true
		e, err := Ciphers(list, o)
		if err != nil {
			return nil
		}
		return e.Names()
	}
	tests := []struct {
		list string
		o    Options
		want []string
	}{
		{"SEED+kRSA", Options{}, nil},
		{"SEED+kRSA", Options{Version: "1.1.1"}, []string{"SEED-SHA"}},
		{"kRSA+3DES:kRSA+RC4", Options{}, nil},
		{"kRSA+3DES:kRSA+RC4", Options{WeakCiphers: true}, []string{"DES-CBC3-SHA"}},
		{"kRSA+3DES:kRSA+RC4", Options{Version: "1.1.1", WeakCiphers: true}, []string{"DES-CBC3-SHA", "RC4-SHA", "RC4-MD5"}},
		{"EDH-RSA-DES-CBC3-SHA", Options{WeakCiphers: true}, []string{"DHE-RSA-DES-CBC3-SHA"}},
		{"kRSA+MEDIUM:AES128-SHA:@STRENGTH", Options{Version: "1.1.1", WeakCiphers: true}, []string{"SEED-SHA", "IDEA-CBC-SHA", "AES128-SHA", "DES-CBC3-SHA", "RC4-SHA", "RC4-MD5"}},
	}
	for _, test := range tests {
		if got := expand(test.list, test.o); !slices.Equal(got, test.want) {
			t.Errorf("%q, %+v: %v, want %v", test.list, test.o, got, test.want)
		}
	}
	if n, m := len(expand("ALL", Options{Version: "1.1.1"})), len(expand("ALL", Options{})); n != m+4 {
		t.Errorf("ALL: %d suites in 1.1.1, %d in 3.0; SEED has four", n, m)
	}
}

func TestNamesAreOneToOne(t *testing.T) {
	seen := map[string]wire.CipherSuite{}
	for i := range suiteTable {
		s := &suiteTable[i]
		if i > 0 && s.code >= suiteTable[i-1].code {
			t.Errorf("%s is not below the code point before it", s.name)
		}
		if other, twice := seen[s.name]; twice {
			t.Errorf("%s is %v and %v", s.name, s.code, other)
		}
		seen[s.name] = s.code
		if code, ok := Suite(s.name); !ok || code != s.code || Name(code) != s.name {
			t.Errorf("%s: %v, %s", s.name, code, Name(code))
		}
		if info, ok := s.code.Info(); !ok || info.OpenSSL != "" && info.OpenSSL != s.name {
			t.Errorf("%s: the registry calls %v %q", s.name, s.code, info.OpenSSL)
		}
	}
	if name := Name(wire.TLS_AES_128_GCM_SHA256); name != "TLS_AES_128_GCM_SHA256" {
		t.Error(name)
	}
}

func TestSuiteB(t *testing.T) {
	for word, want := range map[string]SuiteB{"SUITEB128": SuiteB128, "SUITEB128C2": SuiteB128, "SUITEB128ONLY": SuiteB128Only, "SUITEB192:ALL": SuiteB192, "ALL:SUITEB192": SuiteBNone} {
		if e, err := Ciphers(word, Options{}); err != nil || e.SuiteB != want {
			t.Errorf("%s: %v, %v", word, e.SuiteB, err)
		}
	}
}

func TestProtocolWords(t *testing.T) {
	for word, want := range map[string]wire.Version{"SSLv3": wire.VersionSSLv3, "TLSv1": wire.VersionTLS10, "TLSv1.1": wire.VersionTLS11, "TLSv1.2": wire.VersionTLS12, "TLSv1.3": wire.VersionTLS13} {
		if v, ok := Protocol(word); !ok || v != want {
			t.Errorf("%s: %v, %v", word, v, ok)
		}
	}
	for _, word := range []string{"", "TLSv1.0", "tlsv1.2", "DTLSv1.2", "None", "1.2"} {
		if v, ok := Protocol(word); ok {
			t.Errorf("%s is %v", word, v)
		}
	}
}

func FuzzCiphers(f *testing.F) {
	for _, s := range []string{"DEFAULT@SECLEVEL=1", "HIGH:!aNULL:!MD5", "EECDH+AESGCM:EDH+AESGCM", "ALL:@STRENGTH:-AES+RSA:+kRSA", "SUITEB128", "A+", "!", "@SECLEVEL=9", "AES128-SHA!RSA", "\t"} {
		f.Add(s, "TLS_AES_128_GCM_SHA256", "3.0")
	}
	f.Fuzz(func(t *testing.T, list, suites, version string) {
		o := Options{Version: version, TLS13Suites: suites}
		e, err := Ciphers(list, o)
		var typed *Error
		if err != nil {
			if !errors.As(err, &typed) || len(err.Error()) > 4000 {
				t.Fatalf("%v", err)
			}
			return
		}
		if len(e.Ciphers) == 0 || len(e.TLS13) == 0 || e.SecurityLevel < 0 || e.SecurityLevel > 5 {
			t.Fatalf("%+v", e)
		}
		// The names of what came out, in that order, come to the same again.
		again, err := Ciphers(strings.Join(Expansion{Ciphers: e.Ciphers}.Names(), ":"), Options{Version: version})
		if err != nil || !slices.Equal(again.Ciphers, e.Ciphers) {
			t.Fatalf("%v, %v is not %v", err, again.Names(), e.Names())
		}
	})
}

func FuzzLists(f *testing.F) {
	f.Add("X25519:P-256", "RSA+SHA256:ed25519", "3.5")
	f.Add("?*X25519MLKEM768 / DEFAULT:-X448", "SHA1+RSA", "1.1.1w")
	f.Fuzz(func(t *testing.T, groups, schemes, version string) {
		o := Options{Version: version}
		g, err := Groups(groups, o)
		var typed *Error
		if err == nil == (len(g) == 0) || err != nil && !errors.As(err, &typed) || len(g) > 60 {
			t.Fatalf("groups %q: %v, %v", groups, g, err)
		}
		s, err := SignatureAlgorithms(schemes, o)
		if err == nil == (len(s) == 0) || err != nil && !errors.As(err, &typed) {
			t.Fatalf("schemes %q: %v, %v", schemes, s, err)
		}
	})
}

func BenchmarkCiphers(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Ciphers("EECDH+AESGCM:EDH+AESGCM:AES256+EECDH:AES256+EDH:!aNULL", Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
