package boringssl

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func suitesOf(t *testing.T, names string) []wire.CipherSuite {
	t.Helper()
	var out []wire.CipherSuite
	for name := range strings.FieldsSeq(names) {
		s, ok := wire.CipherSuiteByName(name)
		if !ok {
			t.Fatalf("no suite %s", name)
		}
		out = append(out, s)
	}
	return out
}

func TestCiphers(t *testing.T) {
	const aead = "ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-RSA-AES256-GCM-SHA384 "
	const chacha = "ECDHE-ECDSA-CHACHA20-POLY1305 ECDHE-RSA-CHACHA20-POLY1305 ECDHE-PSK-CHACHA20-POLY1305 "
	const legacy = "ECDHE-ECDSA-AES128-SHA ECDHE-RSA-AES128-SHA ECDHE-PSK-AES128-CBC-SHA ECDHE-ECDSA-AES256-SHA ECDHE-RSA-AES256-SHA ECDHE-PSK-AES256-CBC-SHA " +
		"AES128-GCM-SHA256 AES256-GCM-SHA384 AES128-SHA PSK-AES128-CBC-SHA AES256-SHA PSK-AES256-CBC-SHA "
	tests := []struct {
		name, list string
		o          Options
		want       string
		equal      []string
	}{
		{"default", "DEFAULT", Options{}, aead + chacha + legacy, nil},
		{"slow AES", "DEFAULT", Options{SlowAES: true}, chacha + aead + legacy, nil},
		{"all is without what is deprecated", "ALL", Options{}, aead + chacha + legacy, nil},
		{"3DES when it is meant", "kRSA+3DES:AES128-SHA", Options{}, "DES-CBC3-SHA AES128-SHA", nil},
		{"a deprecated suite by its name", "ECDHE-RSA-AES128-SHA256", Options{}, "ECDHE-RSA-AES128-SHA256", nil},
		{"by the IANA name", "TLS_RSA_WITH_AES_128_CBC_SHA:TLS_RSA_WITH_3DES_EDE_CBC_SHA", Options{}, "AES128-SHA DES-CBC3-SHA", nil},
		{"TLS 1.3 suites are known and not in the list", "TLS_AES_128_GCM_SHA256:AES128-SHA", Options{}, "AES128-SHA", nil},
		{"one group", "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]:AES128-SHA", Options{},
			"ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-ECDSA-CHACHA20-POLY1305 AES128-SHA", []string{"ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-ECDSA-CHACHA20-POLY1305"}},
		{"two groups side by side", "[AES128-SHA|AES256-SHA]:[ECDHE-RSA-AES128-SHA|ECDHE-RSA-AES256-SHA|ECDHE-ECDSA-AES256-SHA]", Options{},
			"AES128-SHA AES256-SHA ECDHE-RSA-AES128-SHA ECDHE-RSA-AES256-SHA ECDHE-ECDSA-AES256-SHA",
			[]string{"AES128-SHA AES256-SHA", "ECDHE-RSA-AES128-SHA ECDHE-RSA-AES256-SHA ECDHE-ECDSA-AES256-SHA"}},
		{"a keyword in a group", "[AESGCM+kRSA|AES128-SHA]", Options{}, "AES128-GCM-SHA256 AES256-GCM-SHA384 AES128-SHA", []string{"AES128-GCM-SHA256 AES256-GCM-SHA384 AES128-SHA"}},
		{"a group of one is none", "[AES128-SHA]:AES256-SHA", Options{}, "AES128-SHA AES256-SHA", nil},
		{"in use before the group", "AES128-SHA:[AES128-SHA|AES256-SHA]", Options{}, "AES128-SHA AES256-SHA", nil},
		{"operators", "kRSA:-AES256:+AESGCM:!PSK", Options{}, "AES128-SHA AES128-GCM-SHA256", nil},
		{"taken out and in again", "kRSA+AES:-AES256-SHA:AES256-SHA", Options{}, "AES128-GCM-SHA256 AES256-GCM-SHA384 AES128-SHA AES256-SHA", nil},
		{"strength", "AES128-SHA:AES256-SHA:3DES:@STRENGTH", Options{}, "AES256-SHA AES128-SHA DES-CBC3-SHA", nil},
		{"removal is of deprecated ones, too", "ECDHE-RSA-AES128-SHA256:AES128-SHA:-ECDHE", Options{}, "AES128-SHA", nil},
		{"a version after other words", "kRSA+TLSv1.2", Options{}, "AES128-GCM-SHA256 AES256-GCM-SHA384", nil},
		{"a version before other words selects nothing", "TLSv1.2+kRSA:AES128-SHA", Options{}, "AES128-SHA", nil},
		{"SHA256 is a word for nothing", "SHA256:SHA384:AES128-SHA", Options{}, "AES128-SHA", nil},
		{"lenient", "AES128-SHA, NOSUCH;AES256-SHA !EXPORT", Options{Lenient: true}, "AES128-SHA AES256-SHA", nil},
		{"default, and less", "DEFAULT:!PSK:!kRSA:!CHACHA20:!SHA1", Options{}, aead, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, err := Ciphers(test.list, test.o)
			if err != nil || !slices.Equal(e.Ciphers, suitesOf(t, test.want)) {
				t.Fatalf("%v, %v", err, e.Ciphers)
			}
			var equal [][]wire.CipherSuite
			for _, group := range test.equal {
				equal = append(equal, suitesOf(t, group))
			}
			if !slices.EqualFunc(e.Equal, equal, slices.Equal[[]wire.CipherSuite]) {
				t.Errorf("groups %v", e.Equal)
			}
			if len(e.All()) != len(e.Ciphers)+3 {
				t.Errorf("%d suites with TLS 1.3", len(e.All()))
			}
		})
	}
}

// TestEnvoyDefaults expands the string that Envoy has for servers; the built-in policy was collected from elsewhere.
func TestEnvoyDefaults(t *testing.T) {
	e, err := Ciphers("[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]:[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384", Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Lookup("envoy/envoy-server-default")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(e.All(), p.CipherSuites) || !slices.EqualFunc(e.Equal, p.EqualPreference, slices.Equal[[]wire.CipherSuite]) {
		t.Errorf("%v, %v\nwant %v, %v", e.All(), e.Equal, p.CipherSuites, p.EqualPreference)
	}
}

func TestErrors(t *testing.T) {
	tests := []struct {
		list   string
		o      Options
		reason error
		offset int
		word   string
	}{
		{"", Options{}, ErrNoCipherMatch, -1, ""},
		{"ALL:!ALL", Options{}, ErrNoCipherMatch, -1, ""},
		{"SHA384", Options{}, ErrNoCipherMatch, -1, ""},
		{"AES128-SHA:NOSUCH", Options{}, ErrInvalidCommand, 11, "NOSUCH"},
		{"AES128-SHA+kRSA", Options{}, ErrInvalidCommand, 0, "AES128-SHA"},
		{"AES128-SHA,AES256-SHA", Options{}, ErrInvalidCommand, 10, ","},
		{"AES128-SHA:+", Options{}, ErrInvalidCommand, 12, ""},
		{"ALL:@SECLEVEL", Options{}, ErrInvalidCommand, 5, "SECLEVEL"},
		{"ALL:@SECLEVEL=1", Options{}, ErrInvalidCommand, 5, "SECLEVEL"},
		{"[AES128-SHA|AES256-SHA", Options{}, ErrInvalidCommand, 22, ""},
		{"[AES128-SHA:AES256-SHA]", Options{}, ErrOperatorInGroup, 11, ":"},
		{"[[AES128-SHA]]", Options{}, ErrOperatorInGroup, 1, "["},
		{"[AES128-SHA]:!AES", Options{}, ErrMixedOperator, 13, "!"},
		{"!ALL:[AES128-SHA]", Options{}, ErrNoCipherMatch, -1, ""},
		{"DEFAULT:FOO", Options{}, ErrInvalidCommand, 8, "FOO"},
		{strings.Repeat("A:", maxString), Options{Lenient: true}, ErrTooLong, -1, ""},
	}
	for _, test := range tests {
		_, err := Ciphers(test.list, test.o)
		var typed *Error
		if !errors.As(err, &typed) || !errors.Is(err, test.reason) || typed.Offset != test.offset || typed.Word != test.word {
			t.Errorf("%.40q: %v", test.list, err)
		}
	}
}

func TestIgnoredWordsAreTold(t *testing.T) {
	e, err := Ciphers("AES128-SHA:!EXPORT:NOSUCH+AES", Options{Lenient: true})
	if err != nil || !slices.Equal(e.Ignored, []string{"EXPORT", "NOSUCH+AES"}) {
		t.Errorf("%v, %q", err, e.Ignored)
	}
}

func TestNamesAreTheRegistrys(t *testing.T) {
	for _, s := range suites(false) {
		info, ok := s.code.Info()
		if !ok || info.OpenSSL != "" && info.OpenSSL != s.name || s.minVersion() == wire.VersionTLS12 && info.MinVersion != wire.VersionTLS12 {
			t.Errorf("%s: %+v", s.name, info)
		}
	}
}

func FuzzCiphers(f *testing.F) {
	for _, s := range []string{"DEFAULT", "[AES128-SHA|AES256-SHA]:ALL", "ALL:!AES:@STRENGTH", "[", "]", "!ALL:[RSA]", "+|", "TLSv1.2+RSA"} {
		f.Add(s, false, false)
	}
	f.Fuzz(func(t *testing.T, list string, lenient, slow bool) {
		e, err := Ciphers(list, Options{Lenient: lenient, SlowAES: slow})
		var typed *Error
		if err != nil {
			if !errors.As(err, &typed) || typed.Offset > len(list) {
				t.Fatal(err)
			}
			return
		}
		if len(e.Ciphers) == 0 {
			t.Fatal("neither suites nor an error")
		}
		rest := e.Ciphers
		for _, group := range e.Equal {
			i := slices.Index(rest, group[0])
			if len(group) < 2 || i < 0 || i+len(group) > len(rest) || !slices.Equal(rest[i:i+len(group)], group) {
				t.Fatalf("group %v is not a piece of %v", group, e.Ciphers)
			}
			rest = rest[i+len(group):]
		}
	})
}
