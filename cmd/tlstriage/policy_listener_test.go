package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/clients"
	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/importer"
)

// twoBlocks is nginx with two servers on one socket.
const twoBlocks = `events {}
http {
  server { listen 443 ssl default_server; server_name first.example; ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256; ssl_certificate c; ssl_certificate_key k; }
  server { listen 443 ssl; server_name second.example; ssl_ciphers ECDHE-RSA-CHACHA20-POLY1305; ssl_certificate c; ssl_certificate_key k; }
  server { listen 8443 ssl; ssl_certificate c; ssl_certificate_key k; }
}
`

// A policy that is a whole listener holds each hello against the block that its name selects: in the proxy, and in captures.
func TestTheNameSelectsTheBlock(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "nginx.conf")
	if err := os.WriteFile(conf, []byte(twoBlocks), 0o600); err != nil {
		t.Fatal(err)
	}
	ref := conf + "#listen=:443"
	loaded, err := importer.LoadListener(osFiles{}, ref)
	if err != nil {
		t.Fatal(err)
	}
	own, err := policy.Lookup("go/go-1.26")
	if err != nil {
		t.Fatal(err)
	}
	d := &decider{policies: policiesOf(loaded), own: own, enforce: true}
	p := &pcapCommand{policy: ref, output: "text", failOn: "never"}
	cmd := newPcap()
	cmd.SetErr(&strings.Builder{})
	if err := p.prepare(cmd); err != nil {
		t.Fatal(err)
	}
	sample, err := clients.One("curl-default")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct{ block, suite string }{
		"":               {"first.example", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
		"first.example":  {"first.example", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
		"second.example": {"second.example", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
		"else.example":   {"first.example", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
	} {
		hello, err := sample.Hello()
		if err != nil {
			t.Fatal(err)
		}
		hello.ServerName, hello.SupportedVersions = []byte(name), nil // TLS 1.2
		decided := d.negotiate(hello)
		if o := decided.Policy; !strings.Contains(o.Name, "endpoint="+want.block) || o.Cipher != want.suite {
			t.Errorf("%q: held against %s: %+v", name, o.Name, o)
		}
		c := &inspect.Connection{ClientLeg: &inspect.Leg{TLS: &inspect.TLS{Client: &inspect.Hello{ServerName: name}}}}
		if got := p.judge(c).Policy; !strings.Contains(got.Name, "endpoint="+want.block) {
			t.Errorf("%q in a capture: held against %s", name, got.Name)
		}
	}
	if got := p.judge(&inspect.Connection{}).Policy; !strings.Contains(got.Name, "endpoint=first.example") {
		t.Errorf("without a hello: %s", got.Name)
	}
	if v := highest(d.policies.all); v != 0x0304 {
		t.Errorf("the highest version of both is %x", v)
	}
	if suites := clientSuites(d.policies.all); len(suites) == 0 {
		t.Error("no suites")
	}
	if d := (&decider{own: own}); d.policies.of("a") != nil {
		t.Error("a policy where none is given")
	}
}
