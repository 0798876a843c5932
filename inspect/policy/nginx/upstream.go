package nginx

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
)

// upstreams makes the client endpoints of a server: each directive that passes requests on over TLS.
func (im *importer) upstreams(s *server) {
	if s.stream {
		im.streamUpstream(s)
		return
	}
	im.passes(s.scope)
}

// passes looks for them in a block and in the locations and conditions inside it.
func (im *importer) passes(sc *scope) {
	for _, d := range sc.body {
		switch {
		case d.isBlock && (d.name == "location" || d.name == "if" || d.name == "limit_except"):
			im.passes(&scope{parent: sc, body: d.body})
		case len(d.args) == 0 || d.isBlock:
		case d.name == "proxy_pass" && hasScheme(d.args[0], "https"):
			im.client(sc, d, "proxy", d.args[0][len("https://"):])
		case d.name == "grpc_pass" && hasScheme(d.args[0], "grpcs"):
			im.client(sc, d, "grpc", d.args[0][len("grpcs://"):])
		case d.name == "uwsgi_pass" && hasScheme(d.args[0], "suwsgi"):
			im.client(sc, d, "uwsgi", d.args[0][len("suwsgi://"):])
		case strings.HasSuffix(d.name, "_pass") && strings.HasPrefix(d.args[0], "$"):
			im.problem(d.file, d.line, "%s %s: whether and where TLS is spoken depends on a variable", d.name, d.args[0])
		}
	}
}

func hasScheme(s, scheme string) bool {
	return len(s) > len(scheme)+3 && strings.EqualFold(s[:len(scheme)], scheme) && s[len(scheme):len(scheme)+3] == "://"
}

func (im *importer) streamUpstream(s *server) {
	pass := im.one(s.scope, "proxy_pass", 1)
	if pass != nil && im.flag(s.scope, "proxy_ssl") {
		im.client(s.scope, pass, "proxy", pass.args[0])
	}
}

// client is a connection to an upstream. module is the beginning of its directives' names.
func (im *importer) client(sc *scope, pass *statement, module, target string) {
	target, _, _ = strings.Cut(target, "/")
	s := &settings{at: pass, context: openssl.Context{Client: true, Options: openssl.Options{Version: im.openssl}}}
	s.fact(pass)
	im.protocols(s, sc, module+"_ssl_protocols")
	s.context.Ciphers = im.text(s, sc, module+"_ssl_ciphers", setting{"DEFAULT", proxyDocument})
	im.certificates(s, sc, module+"_ssl_certificate")
	im.conf(s, sc, module+"_ssl_conf_command")
	verify := im.setFlag(s, sc, module+"_ssl_verify", proxyDocument)
	if d := im.one(sc, module+"_ssl_trusted_certificate", 1); d != nil {
		s.fact(d)
		if _, err := document.ReadFile(im.fsys, im.reader.name(d.args[0]), im.maxBytes); err != nil && verify {
			im.problem(d.file, d.line, "%s %s: %v", d.name, d.args[0], err)
		}
	}
	names := im.sent(s, sc, module, target)
	alike := target + fmt.Sprint(names, s.facts[1:])
	if im.clients[alike] || im.Full(pass.file) {
		return // the same connection, configured by the same lines
	}
	im.clients[alike] = true
	p, notes, errs := im.made.Policy(&s.context)
	im.report(s, notes, errs)
	p.Name, p.Provider, p.Product, p.Names = target, Kind, "upstream", names
	p.Certificates = nil
	for _, c := range s.context.Certificates {
		p.Certificates = append(p.Certificates, c.Type)
	}
	if module == "grpc" {
		p.ALPN = []string{"h2"}
		s.standard("ALPN", setting{"h2", "nginx.org/en/docs/http/ngx_http_grpc_module.html"})
	}
	if d := im.one(sc, "proxy_http_version", 1); module == "proxy" && d != nil && d.args[0] == "2" {
		s.fact(d)
		p.ALPN = []string{"h2"}
	}
	e := &imported.Endpoint{System: Kind, Version: string(im.version), Side: imported.Client, Name: target, Listen: []string{target}, Policy: p, Facts: s.facts,
		Spans: imported.OwnLines(sc.spans(), s.facts)}
	im.Add(pass.file, e)
}

// sent is the server name that a client sends; nil: none.
func (im *importer) sent(s *settings, sc *scope, module, target string) []string {
	if !im.setFlag(s, sc, module+"_ssl_server_name", proxyDocument) {
		return nil
	}
	name := target
	if d := im.one(sc, module+"_ssl_name", 1); d != nil {
		s.fact(d)
		name = d.args[0]
		if name == "$proxy_host" {
			name = target
		} else if strings.Contains(name, "$") {
			im.problem(d.file, d.line, "%s %s: the name depends on a variable", d.name, name)
			return nil
		}
	}
	if strings.Contains(name, "$") {
		im.problem(s.at.file, s.at.line, "%s %s: the name depends on a variable", s.at.name, name)
		return nil
	}
	if strings.HasPrefix(name, "unix:") {
		return nil
	}
	if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.HasSuffix(name, "]") {
		name = name[:i]
	}
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil || name == "" {
		return nil // RFC 6066, Section 3: addresses are no names
	}
	return []string{name}
}
