package configs

import (
	"strings"
	"testing"
)

// A listener whose clients ask for TLS before they send a name needs a route for clients without one.
func TestStartTLSNeedsARouteWithoutNames(t *testing.T) {
	named := "{server_names: [a.example], backend: {url: \"tls://a:25\", starttls: smtp}}"
	for _, test := range []struct{ listener, routes, want string }{
		{"starttls: smtp", named, "p.yaml:3:16: listeners[0].starttls: smtp needs a route without server_names"},
		{"starttls: smtp, mode: passthrough", named, "p.yaml:3:16: listeners[0].starttls: smtp needs a route"},
		{"starttls: smtp", "{server_names: [\"*.example\"], backend: {url: \"tls://a:25\"}}", "listeners[0].starttls: smtp needs a route"},
		{"starttls: smtp", named + ", {backend: {url: \"tls://b:25\"}}", ""},
		{"starttls: smtp", named + ", {server_names: [b.example, \"*\"], backend: {url: \"tls://b:25\"}}", ""},
		{"starttls: smtp, original_dst: redirect", "", ""},
		{"starttls: none", "{server_names: [a.example], backend: {url: \"tls://a:25\"}}", ""},
		{"name: a", named, ""},
	} {
		routes := ""
		if test.routes != "" {
			routes = ", routes: [" + test.routes + "]"
		}
		_, err := Resolve([]byte("listeners:\n  - {address: \":8443\",\n     "+test.listener+routes+"}\n"), "p.yaml", nil, nil)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s%s: %v, want %q", test.listener, routes, err, test.want)
		}
	}
}
