package nginx

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
)

func TestTheTCPEndpointRestsOnItsOwnListen(t *testing.T) {
	files := fstest.MapFS{"nginx.conf": {Data: []byte("events {}\nhttp { server {\n listen 443 quic reuseport;\n listen 443 ssl;\n ssl_certificate c; ssl_certificate_key k; } }\n")}}
	r, err := Import(files, "nginx.conf", imported.Options{})
	if err != nil || len(r.Endpoints) == 0 {
		t.Fatal(r, err)
	}
	for _, f := range r.Endpoints[0].Facts {
		if f.Setting == "listen" && (strings.Contains(f.Value, "quic") || f.Line != 4) {
			t.Errorf("it rests on %+v", f)
		}
	}
}

func TestNamesAreReadAsNginxDoes(t *testing.T) {
	for _, tt := range []struct{ name, version, want string }{
		{"A.Example.", "1.22.1", "a.example"}, {"a.example:443", "1.22.1", "a.example"}, {"a.example.:443", "1.22.1", "a.example"}, {"[::1]:443", "1.22.1", "[::1]"},
		{"a..example", "1.22.1", ""}, {"a/b", "1.22.1", ""}, {"a b", "1.22.1", ""}, {"a b", "1.20.2", "a b"}, {".", "1.22.1", ""}, {":443", "1.22.1", ""}, {"", "1.22.1", ""},
	} {
		if got, ok := hostOf(tt.name, version(tt.version)); ok != (tt.want != "") || ok && got != tt.want {
			t.Errorf("%q with %s: %q, %v, want %q", tt.name, tt.version, got, ok, tt.want)
		}
	}
}
