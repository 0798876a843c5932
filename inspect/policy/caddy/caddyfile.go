package caddy

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
)

// site is a block of a Caddyfile with the addresses it is for.
type site struct {
	addresses []token
	body      []directive
}

// adapter turns a Caddyfile into Caddy's JSON, as far as it decides on TLS.
type adapter struct {
	*reader
	sites    []site
	snippets map[string][]directive
	config   *document.Node
	defaults *document.Node // default_sni of the global options
	keyType  *document.Node
	servers  []*caddyServer
	files    *document.Node
	policies *document.Node
	unfolded int // directives that imports gave
}

// caddyServer is what listens on one port.
type caddyServer struct {
	port     string
	node     *document.Node
	routes   *document.Node
	policies *document.Node
	own      bool // a policy says more than the defaults
}

// caddyfile is the JSON that a Caddyfile comes to.
func (r *reader) caddyfile(data []byte) (*document.Node, error) {
	tokens, err := tokenize(data)
	if err != nil {
		return nil, err
	}
	blocks, err := parseBlocks(tokens)
	if err != nil {
		return nil, err
	}
	a := &adapter{reader: r, snippets: make(map[string][]directive), config: document.NewMapping(1), files: document.NewList(1), policies: document.NewList(1)}
	var global []directive
	for i, b := range blocks {
		switch {
		case len(b.words) == 0:
			if i != 0 {
				return nil, &document.Error{Line: b.line, Text: "a block without an address that is not the first"}
			}
			global = b.block
		case strings.HasPrefix(b.words[0].text, "(") && strings.HasSuffix(b.words[0].text, ")"):
			a.snippets[strings.Trim(b.words[0].text, "()")] = b.block
		case b.words[0].text == "import":
			imported, err := a.imports(b, 0)
			if err != nil {
				return nil, err
			}
			for _, d := range imported {
				a.sites = append(a.sites, site{d.words, d.block})
			}
		default:
			a.sites = append(a.sites, site{b.words, b.block})
		}
	}
	if len(a.sites) == 0 {
		return nil, &document.Error{Line: 1, Text: "no site in the Caddyfile"}
	}
	return a.adapt(global)
}

func (a *adapter) adapt(global []directive) (*document.Node, error) {
	a.globalOptions(global)
	for _, s := range a.sites {
		body, err := a.expand(s.body, 0)
		if err != nil {
			return nil, err
		}
		a.site(s, body)
	}
	servers := document.NewMapping(1)
	for i, s := range a.servers {
		s.node.Set("routes", s.routes)
		if s.own {
			fallback := document.NewMapping(s.node.Line)
			if a.defaults.Present() {
				fallback.Set("default_sni", a.defaults)
			}
			if !slices.ContainsFunc(s.policies.Items(), func(p *document.Node) bool { return !p.Get("match").Present() }) {
				s.policies.Append(fallback)
			}
			s.node.Set("tls_connection_policies", s.policies)
		} else if a.defaults.Present() {
			fallback := document.NewMapping(a.defaults.Line)
			fallback.Set("default_sni", a.defaults)
			s.node.Set("tls_connection_policies", document.NewList(a.defaults.Line, fallback))
		}
		servers.Set("srv"+strconv.Itoa(i), s.node)
	}
	http, tls, apps := document.NewMapping(1), document.NewMapping(1), document.NewMapping(1)
	http.Set("servers", servers)
	certificates, automation := document.NewMapping(1), document.NewMapping(1)
	certificates.Set("load_files", a.files)
	if a.keyType.Present() {
		p := document.NewMapping(a.keyType.Line)
		p.Set("key_type", a.keyType)
		a.policies.Append(p)
	}
	automation.Set("policies", a.policies)
	tls.Set("certificates", certificates)
	tls.Set("automation", automation)
	apps.Set("http", http)
	apps.Set("tls", tls)
	a.config.Set("apps", apps)
	return a.config, nil
}

// globalOptions reads those of the first block that bear on TLS.
func (a *adapter) globalOptions(global []directive) {
	for _, d := range global {
		switch d.name() {
		case "default_sni":
			a.defaults = d.value(0)
		case "key_type":
			a.keyType = d.value(0)
		case "fallback_sni", "auto_https", "http_port", "https_port", "on_demand_tls", "cert_issuer", "ocsp_stapling", "renew_interval":
			if d.name() == "on_demand_tls" {
				a.undecided = true
			}
			if strings.HasSuffix(d.name(), "_port") || d.name() == "fallback_sni" || d.name() == "auto_https" && d.text(0) == "off" {
				a.Problem(d.node(), "global option %s is not applied here", d.name())
			}
		}
	}
}

// expand replaces the imports in a body.
func (a *adapter) expand(body []directive, depth int) ([]directive, error) {
	var out []directive
	for _, d := range body {
		if d.name() != "import" {
			if d.block != nil {
				inner, err := a.expand(d.block, depth+1)
				if err != nil {
					return nil, err
				}
				d.block = inner
			}
			out = append(out, d)
			continue
		}
		more, err := a.imports(d, depth)
		if err != nil {
			return nil, err
		}
		if out = append(out, more...); len(out) > maxTokens {
			return nil, &document.Error{Line: d.line, Text: "imports unfold to too much"}
		}
	}
	return out, nil
}

// imports are the directives of a snippet, with its arguments filled in; files are not followed.
func (a *adapter) imports(d directive, depth int) ([]directive, error) {
	if depth > maxDepth {
		return nil, &document.Error{Line: d.line, Text: "imports or blocks are nested too deep"}
	}
	snippet, ok := a.snippets[d.text(0)]
	if !ok {
		a.Problem(d.node(), "import %s: no snippet of that name in this file; imported files are not followed", document.Quote(d.text(0)))
		return nil, nil
	}
	if a.unfolded += len(snippet) + 1; a.unfolded > maxTokens {
		return nil, &document.Error{Line: d.line, Text: "imports unfold to too much"}
	}
	return a.expand(fill(snippet, d.words[min(2, len(d.words)):], 0), depth+1)
}

// site adds a site to the servers of its ports: on each one a route and a policy for the hosts that it has there.
func (a *adapter) site(s site, body []directive) {
	explicit := slices.ContainsFunc(body, func(d directive) bool { return d.name() == "tls" })
	hosts := make(map[*caddyServer][]string)
	var order []*caddyServer
	line := 0
	for _, address := range s.addresses {
		for text := range strings.SplitSeq(address.text, ",") {
			if text = strings.TrimSpace(text); text == "" {
				continue
			}
			host, port, plain := splitAddress(text)
			if plain || host == "" && port != "443" && !explicit {
				continue // plain HTTP
			}
			line = address.line
			on := a.server(port, line)
			if on == nil {
				continue
			}
			if !slices.Contains(order, on) {
				order = append(order, on)
			}
			hosts[on] = append(hosts[on], host)
		}
	}
	for _, on := range order {
		a.hosts(on, hosts[on], line, body)
	}
}

// splitAddress cuts the address of a site; plain: it is one without TLS.
func splitAddress(text string) (host, port string, plain bool) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		scheme, rest = "", text
	}
	rest, _, _ = strings.Cut(rest, "/")
	host, port = rest, "443"
	if i := strings.LastIndexByte(rest, ':'); i >= 0 && !strings.HasSuffix(rest, "]") {
		host, port = rest[:i], rest[i+1:]
	}
	return strings.ToLower(host), port, scheme == "http" || port == "80"
}

func (a *adapter) server(port string, line int) *caddyServer {
	for _, s := range a.servers {
		if s.port == port {
			return s
		}
	}
	if len(a.servers) == maxPorts {
		a.Problem(document.NewText(line, ""), "more than %d ports: the rest is left out", maxPorts)
		return nil
	}
	s := &caddyServer{port: port, node: document.NewMapping(line), routes: document.NewList(line), policies: document.NewList(line)}
	s.node.Set("listen", document.NewTexts(line, ":"+port))
	a.servers = append(a.servers, s)
	return s
}

func (a *adapter) hosts(s *caddyServer, hosts []string, line int, body []directive) {
	route, every := document.NewMapping(line), slices.Contains(hosts, "")
	if !every {
		m := document.NewMapping(line)
		m.Set("host", document.NewTexts(line, hosts...))
		route.Set("match", document.NewList(line, m))
	}
	route.Set("handle", a.handlers(body, 0))
	s.routes.Append(route)
	p := document.NewMapping(line)
	said := false
	for _, d := range body {
		if d.name() == "tls" {
			said = a.tls(p, d, hosts) || said
		}
	}
	if !said {
		return
	}
	s.own = true
	names := slices.DeleteFunc(slices.Clone(hosts), func(host string) bool { return !isName(host) })
	if !every && len(names) > 0 {
		// The policy that has the default name is also for hellos without one.
		if a.defaults.Present() && slices.Contains(names, a.defaults.Text()) {
			names = append(names, "")
			p.Set("default_sni", a.defaults)
		}
		match := document.NewMapping(line)
		match.Set("sni", document.NewTexts(line, names...))
		p.Set("match", match)
	} else if a.defaults.Present() {
		p.Set("default_sni", a.defaults)
	}
	s.policies.Append(p)
}

// tls reads a tls directive into a connection policy; false: it says nothing of connections.
func (a *adapter) tls(p *document.Node, d directive, hosts []string) bool {
	said := false
	if len(d.words) == 3 { // a certificate and its key
		c := document.NewMapping(d.line)
		tag := d.text(0)
		c.Set("certificate", d.value(0))
		c.Set("tags", document.NewTexts(d.line, tag))
		a.files.Append(c)
		selection := document.NewMapping(d.line)
		selection.Set("any_tag", document.NewTexts(d.line, tag))
		p.Set("certificate_selection", selection)
		said = true
	}
	for _, s := range d.block {
		switch s.name() {
		case "protocols":
			a.protocolWords(s)
			p.Set("protocol_min", s.value(0))
			if len(s.words) > 2 {
				p.Set("protocol_max", s.value(1))
			}
			said = true
		case "ciphers":
			p.Set("cipher_suites", s.list())
			said = true
		case "curves":
			p.Set("curves", s.list())
			for _, w := range s.words[1:] {
				if !placeholder(w.text) && !slices.Contains(curveWords(), w.text) {
					a.Refuse(document.NewText(w.line, w.text), "curves: Caddy knows no curve of the name %s, and refuses it", document.Quote(w.text))
				}
			}
			said = true
		case "alpn":
			if len(s.words) < 2 {
				a.Refuse(s.node(), "alpn without a protocol; Caddy refuses it")
			}
			p.Set("alpn", s.list())
			said = true
		case "client_auth":
			p.Set("client_authentication", a.clientAuthentication(s))
			said = true
		case "key_type":
			policy := document.NewMapping(s.line)
			policy.Set("subjects", document.NewTexts(s.line, hosts...))
			policy.Set("key_type", s.value(0))
			a.policies.Append(policy)
		case "on_demand", "get_certificate", "load":
			a.undecided = true
			if s.name() == "load" {
				a.Problem(s.node(), "tls load: which certificates lie there is not known")
			}
		case "insecure_secrets_log":
			p.Set("insecure_secrets_log", s.value(0))
			said = true
		case "issuer", "ca", "ca_root", "dns", "eab", "propagation_delay", "propagation_timeout", "resolvers", "dns_ttl", "dns_challenge_override_domain", "renewal_window_ratio", "reuse_private_keys", "force_automate":
			// how certificates are got
		default:
			a.unknown(s.node(), "tls", s.name(), []string{"protocols", "ciphers", "curves", "alpn", "client_auth", "key_type", "on_demand", "get_certificate", "issuer", "resolvers", "ca_root"})
		}
	}
	return said
}

// protocolWords are one or two versions, which a Caddyfile has to get right.
func (a *adapter) protocolWords(d directive) {
	if n := len(d.words); n < 2 {
		a.Refuse(d.node(), "protocols without a version; Caddy refuses it")
	}
	for i, w := range d.words[1:] {
		if i < 2 && w.text != "tls1.2" && w.text != "tls1.3" && !placeholder(w.text) {
			a.Refuse(document.NewText(w.line, w.text), "protocols: Caddy knows tls1.2 and tls1.3, not %s, and refuses it", document.Quote(w.text))
		}
	}
}

func (a *adapter) clientAuthentication(d directive) *document.Node {
	n := document.NewMapping(d.line)
	for _, s := range d.block {
		switch s.name() {
		case "mode":
			n.Set("mode", s.value(0))
		case "trusted_ca_cert", "trusted_ca_cert_file", "trust_pool":
			n.Set("ca", s.list())
		case "trusted_leaf_cert", "trusted_leaf_cert_file":
			n.Set("trusted_leaf_certs", s.list())
		case "verifier":
			n.Set("verifiers", s.list())
		default:
			a.unknown(s.node(), "client_auth", s.name(), []string{"mode", "trusted_ca_cert", "trusted_ca_cert_file", "trust_pool", "trusted_leaf_cert", "trusted_leaf_cert_file", "verifier"})
		}
	}
	return n
}

// handlers are the reverse proxies of a body, in whatever blocks they stand.
func (a *adapter) handlers(body []directive, depth int) *document.Node {
	out := document.NewList(0)
	if depth > maxDepth {
		return out
	}
	for _, d := range body {
		switch d.name() {
		case "reverse_proxy":
			if h := a.reverseProxy(d); h != nil {
				out.Append(h)
			}
		case "handle", "handle_path", "route", "handle_errors", "handle_response":
			inner, sub := document.NewMapping(d.line), document.NewMapping(d.line)
			inner.Set("handle", a.handlers(d.block, depth+1))
			sub.Set("handler", document.NewText(d.line, "subroute"))
			sub.Set("routes", document.NewList(d.line, inner))
			out.Append(sub)
		}
	}
	return out
}

// reverseProxy is a proxy to backends with TLS; nil: it has none.
func (a *adapter) reverseProxy(d directive) *document.Node {
	h, transport, tls := document.NewMapping(d.line), document.NewMapping(d.line), document.NewMapping(d.line)
	upstreams, secure := document.NewList(d.line), false
	dial := func(t token) {
		if strings.HasPrefix(t.text, "/") || strings.HasPrefix(t.text, "@") || t.text == "*" {
			return // a matcher
		}
		scheme, rest, ok := strings.Cut(t.text, "://")
		if !ok {
			scheme, rest = "", t.text
		}
		if scheme == "https" {
			secure = true
			if !strings.Contains(rest[strings.LastIndexByte(rest, ']')+1:], ":") {
				rest += ":443"
			}
		}
		u := document.NewMapping(t.line)
		u.Set("dial", document.NewText(t.line, rest))
		upstreams.Append(u)
	}
	for _, w := range d.words[1:] {
		dial(w)
	}
	for _, s := range d.block {
		switch {
		case s.name() == "to":
			for _, w := range s.words[1:] {
				dial(w)
			}
		case s.name() == "dynamic":
			h.Set("dynamic_upstreams", s.list())
		case s.name() == "transport" && s.text(0) == "http":
			for _, o := range s.block {
				key, isTLS := strings.CutPrefix(o.name(), "tls")
				secure = secure || isTLS
				switch {
				case o.name() == "versions":
					transport.Set("versions", o.list())
				case !isTLS || key == "":
				case key == "_client_auth":
					tls.Set("client_certificate_file", o.value(0))
				case key == "_insecure_skip_verify":
					tls.Set("insecure_skip_verify", document.NewText(o.line, "true"))
				case key == "_timeout":
					tls.Set("handshake_timeout", o.value(0))
				case key == "_trusted_ca_certs", key == "_trust_pool":
					tls.Set("ca", o.list())
				case key == "_curves" || key == "_except_ports":
					tls.Set(key[1:], o.list())
				default:
					tls.Set(key[1:], o.value(0))
				}
			}
		}
	}
	if !secure {
		return nil
	}
	transport.Set("protocol", document.NewText(d.line, "http"))
	transport.Set("tls", tls)
	h.Set("handler", document.NewText(d.line, "reverse_proxy"))
	h.Set("transport", transport)
	h.Set("upstreams", upstreams)
	return h
}
