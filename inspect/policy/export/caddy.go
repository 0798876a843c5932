package export

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// caddyPolicy is a connection policy of Caddy.
type caddyPolicy struct {
	Match       *caddyMatch `json:"match,omitempty"`
	Suites      []string    `json:"cipher_suites,omitempty"`
	Curves      []string    `json:"curves,omitempty"`
	ALPN        []string    `json:"alpn,omitempty"`
	ProtocolMin string      `json:"protocol_min,omitempty"`
	ProtocolMax string      `json:"protocol_max,omitempty"`
	ClientAuth  *caddyAuth  `json:"client_authentication,omitempty"`
}

type caddyMatch struct {
	SNI []string `json:"sni"`
}

type caddyAuth struct {
	Files []string `json:"trusted_ca_certs_pem_files"`
	Mode  string   `json:"mode"`
}

func writeCaddy(w *writer) error {
	words := map[wire.NamedGroup]string{
		wire.GroupX25519MLKEM768: "x25519mlkem768", wire.GroupX25519: "x25519", wire.GroupSecp256r1: "secp256r1", wire.GroupSecp384r1: "secp384r1", wire.GroupSecp521r1: "secp521r1",
	}
	c, err := w.goConfig(wire.VersionTLS12, "", caddySuite, func(g wire.NamedGroup) bool { return words[g] != "" })
	if err != nil {
		return err
	}
	w.why[LossSuites] = "Caddy takes those that crypto/tls does not call insecure, in the order of crypto/tls; its three of TLS 1.3 are always on"
	w.why[LossVersions] = "Caddy knows TLS 1.2 and 1.3, and crypto/tls needs a suite for each"
	out := caddyPolicy{ProtocolMin: "tls1.2"}
	if c.Min == wire.VersionTLS13 {
		out.ProtocolMin = "tls1.3"
	}
	if c.Max == wire.VersionTLS12 {
		out.ProtocolMax = "tls1.2"
	}
	for _, s := range c.Suites {
		out.Suites = append(out.Suites, s.String())
	}
	for _, g := range c.Groups {
		out.Curves = append(out.Curves, words[g])
	}
	if c.Groups == nil {
		c.Groups = []wire.NamedGroup{wire.GroupX25519MLKEM768, wire.GroupX25519, wire.GroupSecp256r1}
	}
	w.why[LossALPN] = "Caddy adds acme-tls/1, for the ACME challenge"
	c.ALPN = tokens(c.ALPN)
	if len(c.ALPN) < len(w.p.ALPN) {
		w.why[LossALPN] += "; there are protocols that cannot be written in a configuration"
	}
	if len(c.ALPN) > 0 {
		out.ALPN = c.ALPN
	} else {
		c.ALPN = []string{"h2", "http/1.1"}
	}
	if !slices.Contains(c.ALPN, "acme-tls/1") {
		c.ALPN = append(slices.Clone(c.ALPN), "acme-tls/1")
	}
	switch w.p.ClientAuth {
	case policy.ClientAuthRequest:
		out.ClientAuth = &caddyAuth{[]string{"/etc/caddy/tls/client-ca.crt"}, "verify_if_given"}
	case policy.ClientAuthRequire:
		out.ClientAuth = &caddyAuth{[]string{"/etc/caddy/tls/client-ca.crt"}, "require_and_verify"}
	}
	w.means = c.Policy()
	names, mean := w.hosts(false)
	w.why[LossSNIRequired] = "Caddy refuses clients without a name where it has names, and nowhere else"
	if len(names) > 0 {
		out.Match = &caddyMatch{names}
		w.means.Names, w.means.SNIRequired = mean, true
	} else if w.p.Names != nil {
		w.why[LossNames] = "a connection policy without names is for all of them"
	}
	return w.caddyConfig(out)
}

// caddySuite reports whether Caddy takes a suite below TLS 1.3: it refuses what crypto/tls lists among its insecure ones.
func caddySuite(s wire.CipherSuite) bool {
	info, _ := s.Info()
	return info.KeyExchange == "ECDHE" && (info.AEAD || info.Encryption == "AES" && info.MAC == "SHA1")
}

func (w *writer) caddyConfig(p caddyPolicy) error {
	type object = map[string]any
	config := object{"apps": object{
		"http": object{"servers": object{"tls": object{
			"listen":                  []string{":443"},
			"tls_connection_policies": []caddyPolicy{p},
			"routes":                  []object{{"handle": []object{{"handler": "reverse_proxy", "upstreams": []object{{"dial": "127.0.0.1:8080"}}}}}},
		}}},
		"tls": object{"certificates": object{"load_files": []object{{"certificate": "/etc/caddy/tls/server.crt", "key": "/etc/caddy/tls/server.key"}}}},
	}}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(config); err != nil {
		return err
	}
	w.text.WriteString(b.String())
	w.run("caddy validate --config caddy.json && caddy reload --config caddy.json")
	return nil
}
