package haproxy_test

import (
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/haproxy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
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
