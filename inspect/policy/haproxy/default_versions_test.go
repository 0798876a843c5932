package haproxy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/haproxy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// TestVersionsWithoutAName: a client whose name no certificate has gets the first line's certificate and protocols of a crt-list, and up
// to HAProxy 2.9 the versions of the bind line, as measured with 2.6.
func TestVersionsWithoutAName(t *testing.T) {
	text := "global\n ssl-default-bind-options ssl-min-ver TLSv1.2\nfrontend f\n bind :443 ssl crt-list list\n"
	list := "rsa.pem [ssl-min-ver TLSv1.3 alpn h2] a.example\nw.pem\n"
	for version, lowest := range map[string]wire.Version{"2.6": wire.VersionTLS12, "3.0": wire.VersionTLS13} {
		r, err := haproxy.Import(tree(t, map[string]string{"haproxy.cfg": text, "list": list}), "haproxy.cfg", imported.Options{Version: version})
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]wire.Version{"": lowest, "nosuch.example": lowest, "a.example": wire.VersionTLS13, "b.w.example": wire.VersionTLS12} {
			e := haproxy.Select(r, name, "")
			if e == nil || e.Policy.Versions[0] != want {
				t.Errorf("HAProxy %s, name %q: %+v, want versions from %v", version, name, e, want)
				continue
			}
			if name != "b.w.example" && (len(e.Policy.ALPN) != 1 || e.Policy.ALPN[0] != "h2") {
				t.Errorf("HAProxy %s, name %q: ALPN %q, want h2", version, name, e.Policy.ALPN)
			}
		}
	}
}

// TestDefaultsOfNewReleases: since HAProxy 3.0 (src/ssl_sock.c, by its source) a client whose name no certificate has gets one of several: the
// first, with the whole of its bundle on a bind line, and beside it those that are called defaults. Before, it is the first alone.
func TestDefaultsOfNewReleases(t *testing.T) {
	for _, test := range []struct {
		name, bind, list string
		old, new         []string
	}{
		{"the first", "crt rsa.pem crt w.pem", "", []string{"rsa.pem"}, []string{"rsa.pem"}},
		{"a default beside the first", "crt rsa.pem default-crt w.pem", "", nil, []string{"w.pem", "rsa.pem"}},
		{"a default goes first", "default-crt w.pem crt rsa.pem", "", nil, []string{"w.pem"}},
		{"a default of the first one's kind", "crt rsa.pem default-crt rsa2.pem", "", nil, []string{"rsa.pem"}},
		{"a bundle", "crt pair", "", []string{"pair.ecdsa"}, []string{"pair.ecdsa", "pair.rsa"}},
		{"a bundle that is not the first", "crt w.pem crt pair", "", []string{"w.pem"}, []string{"w.pem"}},
		{"a list", "crt-list list", "rsa.pem a.example\nw.pem *\n", []string{"rsa.pem"}, []string{"w.pem", "rsa.pem"}},
		{"a bundle in a list", "crt-list list", "pair a.example\n", []string{"pair.ecdsa"}, []string{"pair.ecdsa"}},
	} {
		files := map[string]string{"haproxy.cfg": "frontend f\n bind :443 ssl " + test.bind + "\n", "list": test.list}
		for version, want := range map[string][]string{"2.9": test.old, "3.0": test.new} {
			fsys := tree(t, files)
			fsys["rsa2.pem"] = fsys["rsa.pem"]
			r, err := haproxy.Import(fsys, "haproxy.cfg", imported.Options{Version: version})
			if err != nil {
				t.Fatal(err)
			}
			if want == nil {
				if told := strings.Join(importertest.Problems(r), "\n"); !strings.Contains(told, "default-crt: HAProxy knows it since 3.0; 2.9 refuses it") {
					t.Errorf("%s, HAProxy %s: %s", test.name, version, told)
				}
				continue
			}
			var got []string
			for _, f := range haproxy.Select(r, "nosuch.test", "").Facts {
				if f.Setting == "crt" {
					got = append(got, strings.Fields(f.Value)[0])
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, HAProxy %s: %q, want %q", test.name, version, got, want)
			}
		}
	}
}
