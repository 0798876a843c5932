package export

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/release"
)

// nginxSince reports whether a release of nginx is this one or later; a branch ("1.26") stands for its last release.
func nginxSince(version, bound string) bool {
	if strings.Count(version, ".") == 1 {
		version += ".999"
	}
	return release.AtLeast(version, bound)
}

func writeNginx(w *writer) error { return w.nginx(false) }

func writeNginxStream(w *writer) error { return w.nginx(true) }

func (w *writer) nginx(stream bool) error {
	if w.o.Version != "" && !release.Known(w.o.Version) {
		return w.unsayable("there is no version " + oneLine(w.o.Version))
	}
	commands := nginxSince(w.o.Version, "1.19.4") // ssl_conf_command and ssl_reject_handshake
	s, err := w.openSSL(dialect{release: w.o.OpenSSL, level: 2, noSuites13: !commands, noSchemes: !commands, noChaCha: !commands})
	if err != nil {
		return err
	}
	w.means = s.means
	names, mean := w.hosts(true)
	byName := w.p.Names != nil && commands && (!stream || nginxSince(w.o.Version, "1.25.5"))
	if w.p.Names != nil && !byName {
		w.why[LossNames] = "this version of nginx answers every name"
	}
	indent := ""
	if stream {
		w.line("stream {")
		indent = "    "
	}
	// Versions, groups and suites of TLS 1.3 are settled before the name counts: both servers have to say the same.
	if byName {
		w.line("%sserver {", indent)
		w.line("%s    listen 443 ssl default_server;", indent)
		w.line("%s    ssl_reject_handshake on;", indent)
		w.nginxSettings(indent+"    ", s)
		w.line("%s}", indent)
		w.means.Names, w.means.SNIRequired = mean, true
		w.why[LossSNIRequired] = "nginx refuses other names in a default server, which answers clients without a name, too"
	} else {
		w.why[LossSNIRequired] = "the default server answers clients without a name"
	}
	http2 := !stream && slices.Contains(w.p.ALPN, "h2")
	if byName && len(names) == 0 { // nobody is served, and no protocol is agreed on
		http2 = false
	}
	if !stream {
		w.httpALPN(http2)
	}
	if !byName && stream && len(names) > 0 {
		names = nil
	}
	if stream {
		w.why[LossALPN] = "a server that serves no name negotiates no protocol"
	}
	if !byName || len(names) > 0 {
		w.line("%sserver {", indent)
		listen := "443 ssl"
		if http2 && !nginxSince(w.o.Version, "1.25.1") {
			listen += " http2"
		}
		if !byName && !stream { // streams have had the word since 1.25.5 only, and a lone server is the default
			listen += " default_server"
		}
		w.line("%s    listen %s;", indent, listen)
		if http2 && nginxSince(w.o.Version, "1.25.1") {
			w.line("%s    http2 on;", indent)
		}
		if len(names) > 0 {
			w.line("%s    server_name %s;", indent, strings.Join(names, " "))
		}
		w.line("%s    ssl_certificate /etc/nginx/tls/server.crt;", indent)
		w.line("%s    ssl_certificate_key /etc/nginx/tls/server.key;", indent)
		w.nginxSettings(indent+"    ", s)
		if stream {
			w.streamALPN(indent + "    ")
			w.line("%s    proxy_pass 127.0.0.1:8080;", indent)
		}
		w.line("%s}", indent)
	}
	if stream {
		w.line("}")
	}
	w.run("nginx -t && nginx -s reload")
	return nil
}

// nginxSettings are the directives that decide on handshakes.
func (w *writer) nginxSettings(indent string, s *settings) {
	set := func(directive, value string) {
		if value != "" {
			w.line("%s%s %s;", indent, directive, value)
		}
	}
	var versions []string
	for _, v := range s.context.Versions {
		versions = append(versions, openSSLVersion(v))
	}
	set("ssl_protocols", strings.Join(versions, " "))
	set("ssl_ciphers", s.ciphers)
	if s.suites != "" {
		set("ssl_conf_command Ciphersuites", s.suites)
	}
	prefer := "off"
	if s.context.ServerPreference {
		prefer = "on"
	}
	set("ssl_prefer_server_ciphers", prefer)
	if s.context.PrioritizeChaCha {
		set("ssl_conf_command Options", "PrioritizeChaCha")
	}
	set("ssl_ecdh_curve", s.groups)
	if s.schemes != "" {
		set("ssl_conf_command SignatureAlgorithms", s.schemes)
	}
	if s.dh {
		set("ssl_dhparam", "/etc/nginx/tls/dhparam.pem")
		w.noteOnce("the DHE suites need parameters: openssl dhparam -out /etc/nginx/tls/dhparam.pem 2048")
	}
	switch w.p.ClientAuth {
	case policy.ClientAuthRequest:
		set("ssl_verify_client", "optional")
	case policy.ClientAuthRequire:
		set("ssl_verify_client", "on")
	default:
		return
	}
	set("ssl_client_certificate", "/etc/nginx/tls/client-ca.crt")
}

func (w *writer) noteOnce(text string) {
	if !slices.Contains(w.notes, text) {
		w.notes = append(w.notes, text)
	}
}

// httpALPN: the http module has its own protocols.
func (w *writer) httpALPN(http2 bool) {
	w.why[LossALPN] = "nginx negotiates http/1.1, http/1.0 and http/0.9, and h2 where http2 is on"
	w.why[LossALPNRequired] = "nginx 1.21.4 and above end the handshake without a protocol in common"
	w.means.ALPN = []string{"http/1.1"}
	if http2 {
		w.means.ALPN = []string{"h2", "http/1.1"}
	}
	if nginxSince(w.o.Version, "1.21.4") {
		w.means.ALPN, w.means.ALPNRequired = append(w.means.ALPN, "http/1.0", "http/0.9"), true
	}
}

func (w *writer) streamALPN(indent string) {
	w.why[LossALPNRequired] = "nginx ends the handshake without a protocol in common"
	protocols := tokens(w.p.ALPN)
	if len(protocols) < len(w.p.ALPN) {
		w.why[LossALPN] = "there are protocols that cannot be written in a configuration"
	}
	if len(protocols) == 0 {
		return
	}
	if !nginxSince(w.o.Version, "1.21.4") {
		w.why[LossALPN] = "this version of nginx has no ssl_alpn"
		return
	}
	w.line("%sssl_alpn %s;", indent, strings.Join(protocols, " "))
	w.means.ALPN, w.means.ALPNRequired = protocols, true
}

// nameOf is a name for the policy where a system wants one: letters, digits and hyphens.
func (w *writer) nameOf(most int) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, w.p.Name)
	name = strings.Trim(name[:min(len(name), most)], "-")
	if name == "" || name[0] < 'a' {
		name = strings.Trim(("p-" + name)[:min(len(name)+2, most)], "-")
	}
	return cmp.Or(name, "policy")
}
