package kubernetes

import (
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/certfile"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/release"
	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
)

// settings are those of the whole controller: what servers share.
type settings struct {
	defaults
	data    *document.Node // of the ConfigMap; nil: there is none
	context openssl.Context
	facts   []imported.Fact
	alpn    []string
	rejects *document.Node // ssl-reject-handshake, where it is on
}

// globals reads the ConfigMap of the controller, with the defaults of its release.
func (r *reader) globals() *settings {
	version := r.options.Version
	if version != "" && !release.Known(version) {
		r.Problem(nil, "version %s is no number; the newest that is known is taken", document.Quote(version))
		version = ""
	}
	if version == "" && r.controller.version != "" {
		version = r.controller.version
	}
	s := &settings{}
	var certain bool
	if s.defaults, certain = releaseDefaults(version); !certain {
		r.Problem(r.controller.versionAt, "the defaults of ingress-nginx before 1.0 are not known release by release; those of 1.0 are taken")
	}
	e := &imported.Endpoint{} // to gather facts
	if r.controller.versionAt.Present() && r.options.Version == "" {
		r.Fact(e, "image", r.controller.versionAt)
	}
	if r.options.OpenSSL != "" {
		s.openssl = r.options.OpenSSL
		s.level = 1
		if release.AtLeast(s.openssl, "3.2") {
			s.level = 2
		}
	} else {
		e.Assume("OpenSSL", s.openssl, sourceOpenSSL)
	}
	s.data = r.configMap().Get("data")
	s.context.Options = openssl.Options{Version: s.openssl, SecurityLevel: &s.level}
	s.context.ServerPreference = true
	text := func(key, otherwise string) string {
		if value := s.data.Get(key); !value.Empty() {
			r.Fact(e, key, value)
			return value.Text()
		}
		e.Assume(key, otherwise, sourceConfig)
		return otherwise
	}
	for _, word := range strings.Fields(text("ssl-protocols", s.protocols)) {
		v, ok := openssl.Protocol(word)
		if !ok {
			r.Refuse(s.data.Get("ssl-protocols"), "ssl-protocols: nginx knows no protocol %s, and refuses it", document.Quote(word))
			continue
		}
		s.context.Versions = append(s.context.Versions, v)
	}
	s.context.Ciphers = text("ssl-ciphers", s.ciphers)
	if s.context.Groups = text("ssl-ecdh-curve", "auto"); s.context.Groups == "auto" {
		s.context.Groups = ""
	}
	e.Assume("ssl_prefer_server_ciphers", "on", "ingress-nginx: rootfs/etc/nginx/template/nginx.tmpl")
	s.context.DHBits = r.dhParameters(e, s.data.Get("ssl-dh-param"))
	s.alpn = []string{"http/1.1", "http/1.0", "http/0.9"}
	if text("use-http2", "true") == "true" {
		s.alpn = append([]string{"h2"}, s.alpn...)
	}
	if on := s.data.Get("ssl-reject-handshake"); on.True() {
		s.rejects = on
	}
	if on := s.data.Get("use-proxy-protocol"); on.True() {
		r.Fact(e, "use-proxy-protocol", on)
	}
	r.otherKeys(s.data)
	s.facts = e.Facts
	return s
}

// configMap is the controller's: the one that its arguments name, or the only one that looks like it.
func (r *reader) configMap() *document.Node {
	var found *document.Node
	for _, m := range r.configMaps {
		if r.controller.configMap != "" {
			if namespaceOf(m)+"/"+nameOf(m) == r.controller.configMap {
				return m
			}
			continue
		}
		switch {
		case !isControllers(m):
		case found != nil:
			r.Problem(m, "ConfigMap %s looks like the controller's, too; %s is taken", document.Quote(nameOf(m)), document.Quote(nameOf(found)))
		default:
			found = m
		}
	}
	return found
}

// otherKeys tells the keys of the ConfigMap that bear on TLS and are not understood.
func (r *reader) otherKeys(data *document.Node) {
	for key, value := range data.All() {
		switch key {
		case "ssl-protocols", "ssl-ciphers", "ssl-ecdh-curve", "ssl-dh-param", "ssl-reject-handshake", "ssl-redirect", "force-ssl-redirect", "ssl-buffer-size",
			"ssl-session-cache", "ssl-session-cache-size", "ssl-session-tickets", "ssl-session-ticket-key", "ssl-session-timeout", "ssl-early-data",
			"proxy-ssl-location-only", "no-tls-redirect-locations", "global-auth-snippet", "custom-http-errors":
		case "main-snippet", "http-snippet", "server-snippet", "location-snippet", "stream-snippet":
			if strings.Contains(value.Text(), "ssl_") || strings.Contains(value.Text(), "http2") {
				r.Problem(value, "%s: its ssl directives are not applied here", key)
			}
		default:
			if strings.Contains(key, "ssl") || strings.Contains(key, "tls") {
				r.Problem(value, "%s is not understood", document.Quote(key))
			}
		}
	}
}

// dhParameters are the bits of the parameters in a Secret; without parameters nginx uses no DHE suites.
func (r *reader) dhParameters(e *imported.Endpoint, name *document.Node) int {
	if name.Empty() {
		e.Assume("ssl-dh-param", "none: DHE suites are not used", sourceConfig)
		return 0
	}
	r.Fact(e, "ssl-dh-param", name)
	encoded := r.secrets[name.Text()].At("data", "dhparam.pem")
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(encoded.Text()), ""))
	if block, _ := pem.Decode(data); err == nil && len(data) <= certfile.MaxBytes && block != nil {
		var parameters struct {
			P, G *big.Int
			Rest []asn1.RawValue `asn1:"optional"`
		}
		if _, err := asn1.Unmarshal(block.Bytes, &parameters); err == nil {
			return parameters.P.BitLen()
		}
	}
	r.Problem(name, "ssl-dh-param: the parameters in Secret %s are not in this file; 2048 bits are assumed", document.Quote(name.Text()))
	return 2048
}
