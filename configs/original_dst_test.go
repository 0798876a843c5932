package configs

import (
	"strings"
	"testing"
)

// A listener of redirected connections needs no backend: each goes to where its client wanted to go.
func TestOriginalDstNeedsNoBackend(t *testing.T) {
	c, err := Resolve([]byte("listeners: [{address: \":8443\", original_dst: redirect}]"), "p.yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if routes := c.Listeners[0].Routes; len(routes) != 1 || routes[0].Backend.URL != "" {
		t.Errorf("%+v", routes)
	}
	for text, want := range map[string]string{
		"{address: \":8443\"}":                                                                                "routes: there is none",
		"{address: \":8443\", original_dst: nat}":                                                             `original_dst: "nat" is not one of off, redirect, tproxy`,
		"{address: \":8443\", original_dst: tproxy, proxy_protocol: \"on\"}":                                  "either the kernel tells",
		"{address: \":8443\", starttls: smtp, routes: [{backend: {url: \"tls://a:25\", starttls: imap}}]}":    "they cannot be two protocols",
		"{address: \":8443\", starttls: smtp, mode: passthrough, routes: [{backend: {url: \"tls://a:25\"}}]}": "client and backend speak to each other",
		"{address: \":8443\", starttls: smtp, mode: http, routes: [{backend: {url: \"tls://a:25\"}}]}":        "starttls: has no effect in mode http",
		"{address: \":8443\", starttls: gopher, routes: [{backend: {url: \"tls://a:25\"}}]}":                  `"gopher" is not one of none, postgres`,
		"{address: \":8443\", starttls: smtp, routes: [{backend: {url: \"tcp://a:25\", starttls: smtp}}]}":    "plain TCP by its URL",
	} {
		_, err := Resolve([]byte("listeners: ["+text+"]"), "p.yaml", nil, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// YAML has words of its own for the two, and so do the flags that may stand alone.
func TestTrueIsWhatTheFlagMeansAlone(t *testing.T) {
	for word, want := range map[string]OriginalDst{"true": OriginalDstRedirect, "false": OriginalDstOff, "tproxy": OriginalDstTProxy} {
		c, err := Resolve([]byte("listeners: [{address: ':1', original_dst: "+word+", routes: [{backend: {url: 'tcp://a:1'}}]}]"), "p.yaml", nil, nil)
		if err != nil || c.Listeners[0].OriginalDst != want {
			t.Errorf("%s: %v, want %s", word, err, want)
		}
	}
	for word, want := range map[string]AltSvc{"true": AltSvcOn, "false": AltSvcOff} {
		c, err := Resolve([]byte("listeners: [{address: ':1', mode: http, quic: true, alt_svc: "+word+", routes: [{backend: {url: 'tcp://a:1'}}]}]"), "p.yaml", nil, nil)
		if err != nil || c.Listeners[0].AltSvc != want {
			t.Errorf("%s: %v, want %s", word, err, want)
		}
	}
}
