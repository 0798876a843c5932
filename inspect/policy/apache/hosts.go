package apache

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
)

// importer makes endpoints of directives.
type importer struct {
	*reader
	openssl string
	named   bool // the version was given
	made    openssl.Maker
	https   []string        // ports that Listen says speak https
	clients map[string]bool // made, by target and settings
}

// host is a virtual host, or the main server.
type host struct {
	*scope
	at        *directive
	addresses []string
}

func (h *host) name() string {
	if names := h.scope.own("servername"); names != nil {
		name := names[len(names)-1].arg(0)
		name = name[strings.Index(name, "://")+1:]
		name = strings.TrimPrefix(name, "//")
		if i := strings.LastIndexByte(name, ':'); i >= 0 {
			name = name[:i]
		}
		return strings.ToLower(name)
	}
	return h.at.place()
}

func (im *importer) main(root []*directive) {
	im.unknown(root, "")
	outer := &scope{body: root}
	hosts := []*host{{scope: outer, at: &directive{file: im.fileOf(root), line: 1}}}
	listens := []string{}
	for _, d := range root {
		switch {
		case d.name == "listen":
			listens = append(listens, listenAddress(d.arg(0)))
			port := d.arg(0)[strings.LastIndexByte(d.arg(0), ':')+1:]
			if strings.EqualFold(d.arg(1), "https") || len(d.args) == 1 && port == "443" {
				im.https = append(im.https, port)
			}
		case d.name == "virtualhost" && d.section:
			h := &host{scope: &scope{parent: outer, body: d.body}, at: d}
			for _, a := range d.args {
				h.addresses = append(h.addresses, address(a))
			}
			hosts = append(hosts, h)
		}
	}
	hosts[0].addresses = uncovered(listens, hosts)
	im.hosts(hosts)
	for _, h := range hosts {
		im.backends(h.scope)
		im.proxySettings(h.scope)
	}
}

func (im *importer) fileOf(root []*directive) string {
	if len(root) > 0 {
		return root[0].file
	}
	return "."
}

// listenAddress is the address of a Listen directive, which may be a port alone.
func listenAddress(a string) string {
	if a != "" && strings.Trim(a, "0123456789") == "" {
		a = "*:" + a
	}
	return address(a)
}

// uncovered are the addresses on which no virtual host listens: the main server answers there.
func uncovered(listens []string, hosts []*host) []string {
	covered := map[string]bool{}
	for _, h := range hosts {
		for _, a := range h.addresses {
			covered[a] = true
			if port, ok := strings.CutPrefix(a, "*:"); ok {
				covered["any:"+port] = true
			}
		}
	}
	return slices.DeleteFunc(listens, func(a string) bool {
		return covered[a] || covered["any:"+a[strings.LastIndexByte(a, ':')+1:]] || covered["any:*"]
	})
}

// address is an address of a virtual host in one spelling.
func address(a string) string {
	host, port := strings.ToLower(a), "*"
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host, port = host[:i], host[i+1:]
	}
	if host == "_default_" || host == "0.0.0.0" || host == "" {
		host = "*"
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if ip, err := netip.ParseAddr(strings.TrimSuffix(inner, "]")); err == nil {
			host = "[" + ip.String() + "]"
		}
	}
	return host + ":" + port
}

// speaksTLS says whether a host does, by SSLEngine or else by what Listen says of its port.
func (im *importer) speaksTLS(h *host) bool {
	if d := h.scope.last("sslengine"); d != nil {
		switch strings.ToLower(d.arg(0)) {
		case "on":
			return true
		case "off":
			return false
		case "optional":
			im.problem(d, "SSLEngine optional: TLS after an upgrade inside HTTP is not judged")
			return false
		}
		im.refuse(d, "SSLEngine is %q; httpd refuses it", d.arg(0))
		return false
	}
	return h.scope.every("sslcertificatefile") != nil && slices.ContainsFunc(h.addresses, func(a string) bool {
		return slices.ContainsFunc(im.https, func(port string) bool { return strings.HasSuffix(a, ":"+port) })
	})
}

// hosts makes the endpoints: for each host and the addresses on which it behaves alike one. The first host of an address is its
// default.
func (im *importer) hosts(hosts []*host) {
	first := map[string]*host{}
	own := map[*host]*settings{}
	for _, h := range hosts {
		for _, a := range h.addresses {
			if first[a] == nil {
				first[a] = h
			}
		}
	}
	of := func(h *host) *settings {
		if own[h] == nil {
			own[h] = im.serverSettings(h)
		}
		return own[h]
	}
	for _, h := range hosts {
		if len(h.addresses) == 0 || !im.speaksTLS(h) {
			continue
		}
		made, spans := map[*host]*imported.Endpoint{}, h.spans()
		for _, a := range h.addresses {
			d := first[a]
			if im.Full(h.at.file) {
				return
			}
			if e := made[d]; e != nil {
				e.Listen = append(e.Listen, a)
				continue
			}
			if d != h && !im.speaksTLS(d) {
				im.problem(h.at, "<VirtualHost %s>: the first host of that address (%s) speaks no TLS, and so none there does", a, d.at.place())
				continue
			}
			made[d] = im.endpoint(h, d, a, of(h), of(d))
			made[d].Spans = spans
			im.Add(h.at.file, made[d])
		}
	}
}

func (im *importer) endpoint(h, first *host, at string, own, of *settings) *imported.Endpoint {
	e := &imported.Endpoint{System: Kind, Version: im.version, Side: imported.Server, Name: h.name(), Listen: []string{at}, Default: h == first}
	s := &settings{context: own.context, facts: slices.Clone(own.facts), at: own.at}
	if h != first {
		im.mix(s, of, h, first, at)
	}
	if s.context.Certificates == nil && len(h.scope.every("sslcertificatefile")) == 0 {
		if im.managed {
			im.problem(h.at, "no SSLCertificateFile: mod_md obtains the certificate; its kind is not known")
		} else {
			im.refuse(h.at, "no SSLCertificateFile; httpd refuses it")
		}
	}
	p, notes, errs := im.made.Policy(&s.context)
	im.report(s, notes, errs)
	p.Name, p.Provider, p.Product = e.Name, Kind, "virtual host"
	if !e.Default {
		p.Names = im.served(h)
	}
	p.ALPN, p.ALPNOtherwise = im.alpn(s, h), "http/1.1"
	e.Policy, e.Facts = p, slices.Concat(nameFacts(h), s.facts)
	return e
}

// mix takes from the default host what is settled before the name that the client asks for counts.
func (im *importer) mix(s, of *settings, h, first *host, at string) {
	take := func(setting, reason string) {
		s.facts = slices.DeleteFunc(s.facts, func(f imported.Fact) bool { return f.Setting == setting })
		for _, f := range of.facts {
			if f.Setting == setting {
				s.facts = append(s.facts, f)
			}
		}
		im.problem(h.at, "%s has no effect for this host on %s: %s takes it from the default host (%s)", setting, at, reason, first.at.place())
	}
	if s.context.Groups != of.context.Groups {
		s.context.Groups = of.context.Groups
		take("SSLOpenSSLConfCmd", "for the groups, OpenSSL")
	}
	// httpd adds the options of the host to those of the default one, and takes none away.
	if of.context.ServerPreference && !s.context.ServerPreference {
		s.context.ServerPreference = true
		take("SSLHonorCipherOrder", "httpd adds options and takes none away, and so")
	}
	s.context.PrioritizeChaCha = s.context.PrioritizeChaCha || of.context.PrioritizeChaCha
	if im.perName() {
		return
	}
	if !slices.Equal(s.context.Versions, of.context.Versions) || s.context.Min != of.context.Min || s.context.Max != of.context.Max {
		s.context.Versions, s.context.Min, s.context.Max = of.context.Versions, of.context.Min, of.context.Max
		take("SSLProtocol", "httpd "+im.version)
	}
	o, d := &s.context.Options, of.context.Options
	if o.TLS13Suites != d.TLS13Suites || o.NoTLS13Suites != d.NoTLS13Suites {
		o.TLS13Suites, o.NoTLS13Suites = d.TLS13Suites, d.NoTLS13Suites
		im.problem(h.at, "SSLCipherSuite TLSv1.3 has no effect for this host on %s: httpd %s takes it from the default host (%s)", at, im.version, first.at.place())
	}
}

// alpn: mod_ssl answers with the first of Protocols that the client lists, and with http/1.1 where there is none.
func (im *importer) alpn(s *settings, h *host) []string {
	d := h.scope.last("protocols")
	if d == nil {
		s.standard("Protocols", "http/1.1", "httpd.apache.org/docs/2.4/mod/core.html")
		return []string{"http/1.1"}
	}
	s.fact(d)
	if order := h.scope.last("protocolshonororder"); order != nil && strings.EqualFold(order.arg(0), "off") {
		im.problem(order, "ProtocolsHonorOrder off: the client's order of protocols wins; the policy has the server's")
	}
	var out []string
	for _, word := range d.args {
		if word != "h2c" { // HTTP/2 without TLS
			out = append(out, word)
		}
	}
	return out
}

func nameFacts(h *host) (facts []imported.Fact) {
	for _, name := range []string{"servername", "serveralias"} {
		for _, d := range h.scope.own(name) {
			for _, arg := range d.args {
				facts = append(facts, imported.Fact{File: d.file, Line: d.line, Setting: d.written, Value: arg})
			}
		}
	}
	return facts
}

// served are the names of a host as a policy writes them; nil: a policy cannot say them.
func (im *importer) served(h *host) []string {
	names := []string{}
	if h.scope.own("servername") != nil {
		names = append(names, h.name())
	}
	for _, d := range h.scope.own("serveralias") {
		for _, arg := range d.args {
			name := strings.ToLower(arg)
			rest, wild := strings.CutPrefix(name, "*.")
			switch {
			case !strings.ContainsAny(name, "*?"):
				names = append(names, name)
			case wild && !strings.ContainsAny(rest, "*?"):
				names = append(names, "**."+rest)
			default:
				im.problem(d, "%s %s: a policy cannot say such names; it is taken to serve all", d.written, arg)
				return nil
			}
		}
	}
	return names
}
