package bundle

import (
	"bytes"

	"strings"

	"github.com/tlstriage/tlstriage/certs"
)

// site is what one server of a configuration serves: bundles with the same names, of different kinds of key.
type site struct {
	names   []string
	bundles []*Bundle
}

// sites groups bundles by their names. A name that two certificates have belongs to the first: servers look at no more than one.
func sites(bundles []*Bundle) []*site {
	var out []*site
	byNames := map[string]*site{}
	taken := map[string]bool{}
	for _, b := range bundles {
		all := names(b.Leaf.Certificate)
		key := strings.Join(all, " ")
		if s := byNames[key]; s != nil {
			s.bundles = append(s.bundles, b)
			continue
		}
		s := &site{bundles: []*Bundle{b}}
		for _, n := range all {
			if n = strings.ToLower(n); configurable(n) && !taken[n] {
				taken[n] = true
				s.names = append(s.names, n)
			}
		}
		byNames[key] = s
		out = append(out, s)
	}
	return out
}

// configurable says whether a name of a certificate may stand in a configuration as it is: strangers write certificates.
func configurable(name string) bool {
	return name != "" && len(name) <= 253 && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.*:", r)
	})
}

// mostNames is how many names of a certificate are put into a configuration.
const mostNames = 100

// useNginx says how nginx serves the bundles: the lines of one server, or a server for each site, since nginx takes of several
// certificates in one server the last of a kind of key, whatever name a client asks for.
func (o *Output) useNginx(bundles []*Bundle) {
	all := sites(bundles)
	if len(all) == 1 {
		o.nginxLines("", all[0])
		return
	}
	for i, s := range all {
		if len(s.names) == 0 {
			o.warn("%s: every name of it is another certificate's here, or fit for no configuration; nginx never serves it", s.bundles[0].Name)
			continue
		}
		o.use("server {")
		if i == 0 {
			o.use("    listen 443 ssl default_server;  # and for clients that ask for no name, or for another")
		} else {
			o.use("    listen 443 ssl;")
		}
		more := ""
		if n := len(s.names) - mostNames; n > 0 {
			more = "  # and the others of its names"
		}
		o.use("    server_name %s;%s", strings.Join(s.names[:min(len(s.names), mostNames)], " "), more)
		o.nginxLines("    ", s)
		o.use("}")
	}
}

// nginxLines are the directives of one server.
func (o *Output) nginxLines(indent string, s *site) {
	stapling := false
	for _, b := range s.bundles {
		o.use("%sssl_certificate     /etc/nginx/tls/%s.fullchain.pem;", indent, b.Name)
		if b.Key != nil {
			o.use("%sssl_certificate_key /etc/nginx/tls/%s.key;", indent, b.Name)
		} else {
			o.use("%s# ssl_certificate_key: the key that the certificate was made for; it is not here", indent)
			o.warn("%s: its key is not here, and nginx does not start without it", b.Name)
		}
		stapling = stapling || len(b.Leaf.OCSPServer) > 0
	}
	if stapling {
		o.use("%sssl_stapling on; # the fullchain holds the issuer that it needs", indent)
	}
}

// haproxy makes the file that HAProxy reads: the chain and its key.
func (o *Output) haproxy(b *Bundle, key []byte) {
	var all bytes.Buffer
	all.Write(certs.EncodePEM(b.Chain...))
	all.Write(key)
	if key != nil {
		o.secret(b.Name+".pem", all.Bytes())
		return
	}
	o.file(b.Name+".pem", all.Bytes())
	o.warn("%s.pem holds no key, and HAProxy does not start without it: append it to the file, or put it beside it as %s.pem.key", b.Name, b.Name)
}

// useHAProxy says how HAProxy serves the bundles: all of them on one bind line, where it chooses by the name that a client asks for.
func (o *Output) useHAProxy(bundles []*Bundle) {
	line, lacking := "bind :443 ssl", ""
	for _, b := range bundles {
		file := " crt /etc/haproxy/tls/" + b.Name + ".pem"
		if b.Key == nil {
			lacking += file
			continue
		}
		line += file
	}
	if line != "bind :443 ssl" {
		o.use("%s", line)
	}
	if lacking != "" {
		o.use("# once the key is there, on the bind line:%s", lacking)
	}
	if len(sites(bundles)) > 1 {
		o.use("# clients that ask for no name, or for another, get the first; not with `strict-sni`")
	}
	for _, b := range bundles {
		if len(b.Leaf.OCSPServer) == 0 {
			continue
		}
		o.use("# stapling, HAProxy 2.8 and newer: add `ocsp-update on` behind the file in a crt-list")
		o.use("# stapling, older: openssl ocsp -issuer ISSUER.pem -cert %s.pem -url %s -respout %s.pem.ocsp -no_nonce", b.Name, quote(b.Leaf.OCSPServer[0]), b.Name)
	}
}
