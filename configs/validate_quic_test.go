package configs

import (
	"strings"
	"testing"
)

func TestQUICSettings(t *testing.T) {
	for _, test := range []struct{ name, listener, want string }{
		{"off", "mode: bridge", ""},
		{"http", "{mode: http, quic: on}", ""},
		{"passthrough", "{mode: passthrough, quic: on}", ""},
		{"advertised", "{mode: http, quic: on, alt_svc: on}", ""},
		{"advertised elsewhere", `{mode: http, alt_svc: 'h3=":443"; ma=60'}`, ""},
		{"own address", `{mode: http, quic: on, quic_address: ":9443", quic_retry: always}`, ""},
		{"as YAML says on", "{mode: http, quic: true, alt_svc: on}", ""},
		{"as YAML says off", "{mode: bridge, quic: false}", ""},
		{"neither", "{mode: http, quic: perhaps}", `"perhaps" is not one of off, on`},
		{"bridge, as YAML says on", "{mode: bridge, quic: true}", "needs mode http or passthrough"},
		{"bridge", "{mode: bridge, quic: on}", "needs mode http or passthrough"},
		{"PROXY protocol", "{mode: http, quic: on, proxy_protocol: on}", "cannot go with proxy_protocol"},
		{"address without QUIC", `{mode: http, quic_address: ":9443"}`, "while quic is off"},
		{"Retry without QUIC", `{mode: http, quic_retry: never}`, "while quic is off"},
		{"Retry in passthrough", `{mode: passthrough, quic: on, quic_retry: always}`, "has no effect in mode passthrough"},
		{"unknown Retry", `{mode: http, quic: on, quic_retry: sometimes}`, "sometimes"},
		{"Alt-Svc of nothing", `{mode: http, alt_svc: on}`, "quic is off"},
		{"Alt-Svc in passthrough", `{mode: passthrough, quic: on, alt_svc: on}`, "has no effect but in mode http"},
		{"Alt-Svc that is none", `{mode: http, quic: on, alt_svc: "yes"}`, "is expected"},
		{"Alt-Svc that smuggles", `{mode: http, quic: on, alt_svc: "h3=\":443\"\r\nX: y"}`, "is expected"},
		{"backend in HTTP/3", `{mode: http, routes: [{backend: {url: "https://b.example:443", protocol: h3}}]}`, ""},
		{"backend in HTTP/3 without TLS", `{mode: http, routes: [{backend: {url: "http://b.example:80", protocol: h3}}]}`, "h3 needs a backend with TLS"},
		{"backend in HTTP/3 with a PROXY header", `{mode: http, routes: [{backend: {url: "https://b.example:443", protocol: h3, proxy_protocol: v2}}]}`, "has no effect over QUIC"},
		{"backend in HTTP/3 with old TLS", `{mode: http, routes: [{backend: {url: "https://b.example:443", protocol: h3, max_version: TLSv1.2}}]}`, "needs TLSv1.3"},
		{"bad address", `{mode: http, quic: on, quic_address: nowhere}`, "quic_address"},
	} {
		t.Run(test.name, func(t *testing.T) {
			listener := strings.TrimSuffix(strings.TrimPrefix(test.listener, "{"), "}")
			if !strings.Contains(listener, "routes:") {
				listener += `, routes: [{backend: {url: "https://b.example:443"}}]`
			}
			text := "listeners: [{address: \":8443\", " + listener + "}]"
			_, err := Resolve([]byte(text), "f.yaml", nil, nil)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
