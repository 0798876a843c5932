package apache

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
)

// backends makes the client endpoints of a scope: each directive that passes requests on over TLS.
func (im *importer) backends(sc *scope) {
	for _, d := range sc.body {
		if d.section {
			if d.name != "virtualhost" {
				im.backends(&scope{parent: sc, body: d.body})
			}
			continue
		}
		switch d.name {
		case "proxypass", "proxypassmatch", "balancermember", "proxyremote":
			for _, arg := range d.args {
				for _, scheme := range []string{"https://", "h2://", "wss://"} {
					if rest, ok := strings.CutPrefix(strings.ToLower(arg), scheme); ok {
						im.backend(sc, d, scheme, rest)
					}
				}
			}
		case "rewriterule":
			flags := d.arg(2)
			if strings.HasPrefix(strings.ToLower(d.arg(1)), "https://") && (strings.Contains(flags, "P]") || strings.Contains(flags, "P,") || strings.Contains(flags, "proxy")) {
				im.problem(d, "RewriteRule to %s: connections of rewriting are not judged", d.arg(1))
			}
		}
	}
}

func (im *importer) backend(sc *scope, d *directive, scheme, target string) {
	target, _, _ = strings.Cut(target, "/")
	s := &settings{at: d, context: openssl.Context{Client: true, Options: openssl.Options{Version: im.openssl}}}
	s.fact(d)
	if !im.flag(s, sc, "SSLProxyEngine") {
		im.problem(d, "%s to %s%s without SSLProxyEngine on: httpd answers 500", d.written, scheme, target)
	}
	im.protocols(s, sc, "SSLProxyProtocol")
	im.ciphers(s, sc, "SSLProxyCipherSuite")
	if c := sc.last("sslproxymachinecertificatefile"); c != nil {
		s.fact(c)
		im.certificate(s, c, c.arg(0))
	}
	if v := sc.last("sslproxyverify"); v != nil {
		s.fact(v)
	} else {
		s.standard("SSLProxyVerify", "none", documentation)
	}
	names := im.sent(sc, d, target)
	alike := target + fmt.Sprint(names, s.facts[1:])
	if im.clients[alike] || im.Full(d.file) {
		return // the same connection, configured by the same lines
	}
	im.clients[alike] = true
	p, notes, errs := im.made.Policy(&s.context)
	im.report(s, notes, errs)
	p.Name, p.Provider, p.Product = target, Kind, "proxy"
	if scheme == "h2://" {
		p.ALPN = []string{"h2"}
	}
	p.Names = names
	e := &imported.Endpoint{System: Kind, Version: im.version, Side: imported.Client, Name: target, Listen: []string{target}, Policy: p, Facts: s.facts,
		Spans: imported.OwnLines(sc.spans(), s.facts)}
	im.Add(d.file, e)
}

// sent is the server name that httpd sends: the backend's, unless the request's is preserved.
func (im *importer) sent(sc *scope, d *directive, target string) []string {
	if keep := sc.last("proxypreservehost"); keep != nil && strings.EqualFold(keep.arg(0), "on") {
		im.problem(keep, "ProxyPreserveHost on: the name that is sent to %s follows the request", target)
		return nil
	}
	if strings.ContainsAny(target, "$%{") {
		im.problem(d, "%s %s: the name depends on the request", d.written, target)
		return nil
	}
	name := target
	if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.HasSuffix(name, "]") {
		name = name[:i]
	}
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil || name == "" {
		return nil // RFC 6066, Section 3: addresses are no names
	}
	return []string{name}
}
