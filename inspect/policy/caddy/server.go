package caddy

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/gotls"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/release"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Where defaults of Caddy are documented or were measured.
const (
	sourceDefaults = "Caddy: modules/caddytls/values.go and connpolicy.go; measured with 2.6.2"
	sourceACME     = "Caddy adds acme-tls/1 to the protocols, for the ACME challenge"
	sourceNames    = "Caddy has certificates for these names and refuses the others with internal_error"
)

// server reads one HTTP server: an endpoint for each of its connection policies.
func (r *reader) server(name string, n, config *document.Node) {
	hosts := r.hostsOf(n.Get("routes"))
	r.proxies(name, n.Get("routes"), 0)
	listen := n.Get("listen")
	policies := n.Get("tls_connection_policies")
	secure := r.secureAddresses(listen, config)
	if len(secure) == 0 {
		return
	}
	if policies.Empty() && !r.automatic(n, hosts, secure, config) {
		return
	}
	r.unknownServerKeys(n)
	var served []string
	served = append(served, hosts...)
	served = append(served, r.automated...)
	served = append(served, r.leafNames...)
	if policies.Empty() {
		e := &imported.Endpoint{Side: imported.Server, Name: name, Listen: secure, Default: true}
		e.Assume("tls_connection_policies", "one, with defaults", "Caddy: automatic HTTPS")
		r.connection(e, n, document.NewMapping(n.Line), served, hosts)
		return
	}
	for i, p := range policies.Items() {
		e := &imported.Endpoint{Side: imported.Server, Name: name, Listen: secure}
		r.connection(e, n, p, served, hosts)
		if e.Default && i+1 < len(policies.Items()) {
			r.Problem(policies.Items()[i+1], "the connection policies from here on are never reached: the one before matches every name")
			return
		}
	}
}

func (r *reader) unknownServerKeys(n *document.Node) {
	for key, value := range n.All() {
		if strings.HasPrefix(key, "tls") && key != "tls_connection_policies" {
			r.Problem(value, "server: %s is not understood", document.Quote(key))
		}
	}
	for _, w := range n.Get("listener_wrappers").Items() {
		switch w.Get("wrapper").Text() {
		case "tls", "http_redirect":
		case "proxy_protocol":
			r.Problem(w, "the server expects a PROXY protocol header before the hello")
		default:
			r.Problem(w, "listener wrapper %s is not understood", document.Quote(w.Get("wrapper").Text()))
		}
	}
}

// secureAddresses are the addresses of a server that are not the HTTP port's.
func (r *reader) secureAddresses(listen, config *document.Node) []string {
	plain := "80"
	if port := config.At("apps", "http", "http_port"); !port.Empty() {
		plain = port.Text()
	}
	var out []string
	for _, address := range listen.Texts() {
		if portOf(address) != plain && !strings.HasPrefix(address, "udp") {
			out = append(out, address)
		}
	}
	return out
}

func portOf(address string) string {
	port := address[strings.LastIndexByte(address, ':')+1:]
	first, _, _ := strings.Cut(port, "-")
	return first
}

// automatic reports whether automatic HTTPS turns TLS on for a server without connection policies: it has names, or listens on
// the HTTPS port alone.
func (r *reader) automatic(n *document.Node, hosts, secure []string, config *document.Node) bool {
	if n.At("automatic_https", "disable").True() {
		return false
	}
	if len(hosts) > 0 {
		return true
	}
	https := "443"
	if port := config.At("apps", "http", "https_port"); !port.Empty() {
		https = port.Text()
	}
	return len(secure) == len(n.Get("listen").Texts()) && !slices.ContainsFunc(secure, func(a string) bool { return portOf(a) != https })
}

// hostsOf are the names that the matchers of routes ask for, each once.
func (r *reader) hostsOf(routes *document.Node) []string {
	var out []string
	known := make(map[string]bool)
	for _, route := range routes.Items() {
		for _, m := range route.Get("match").Items() {
			for _, host := range m.Get("host").Texts() {
				switch {
				case known[host] || placeholder(host) || !isName(host):
				case len(out) == maxHosts:
					r.undecided = true
					r.Problem(m, "more than %d hosts of one server: the rest is left out", maxHosts)
					return out
				default:
					known[host] = true
					out = append(out, host)
				}
			}
		}
	}
	return out
}

// isName reports whether a host can stand in a hello: an address cannot (RFC 6066, Section 3).
func isName(host string) bool {
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err != nil && host != ""
}

// connection reads one connection policy into the endpoint.
func (r *reader) connection(e *imported.Endpoint, server, n *document.Node, served, hosts []string) {
	r.lists(n, "cipher_suites", "curves", "alpn")
	r.unknownFields(n, "connection policy", "match", "certificate_selection", "cipher_suites", "curves", "alpn", "protocol_min", "protocol_max",
		"client_authentication", "default_sni", "fallback_sni", "insecure_secrets_log", "drop")
	config := gotls.Config{Go: r.golang, Suites: r.suites(e, n.Get("cipher_suites")), Groups: r.curves(e, n.Get("curves"))}
	config.Min, config.Max = r.bound(e, n, "protocol_min", wire.VersionTLS12), r.bound(e, n, "protocol_max", wire.VersionTLS13)
	if config.Min > config.Max && config.Max > 0 && n.Get("protocol_max").Present() {
		r.Refuse(n.Get("protocol_max"), "protocol_max is below protocol_min; Caddy refuses it")
	}
	config.ALPN = r.protocols(e, server, n.Get("alpn"))
	config.Auth = r.clientAuth(e, n.Get("client_authentication"))
	e.Policy = config.Policy()
	names, known := r.matched(e, n.Get("match"))
	e.Default = !n.Get("match").Present() || n.Get("match").Empty()
	if n.Get("drop").True() {
		r.Problem(n.Get("drop"), "connections that match are dropped")
		e.Policy.Names, e.Policy.SNIRequired, e.Policy.NameSilent = []string{}, true, true
		r.Fact(e, "drop", n.Get("drop"))
	} else {
		r.names(e, n, names, served, known)
	}
	r.serve(e, names, hosts, n.Get("certificate_selection"))
	if len(names) > 0 {
		e.Name += " " + names[0]
	}
	e.Policy.Name, e.Policy.Provider, e.Policy.Product = e.Name, Kind, "server"
	r.Add(e)
	if e.Default && n.Get("certificate_selection").Empty() {
		for _, other := range r.byKind(e, n.Get("default_sni").Text()) {
			r.Add(other)
		}
	}
}

// names says for which names the endpoint answers. Caddy refuses a name without a certificate with internal_error.
func (r *reader) names(e *imported.Endpoint, n *document.Node, names, served []string, known bool) {
	fallback := !n.Get("default_sni").Empty() || !n.Get("fallback_sni").Empty()
	for _, key := range []string{"default_sni", "fallback_sni"} {
		if value := n.Get(key); !value.Empty() {
			r.Fact(e, key, value)
		}
	}
	if !known {
		return
	}
	e.Policy.NameAlert = wire.AlertInternalError
	switch {
	case !e.Default:
		e.Policy.Names = names
	case r.undecided || len(served) == 0 || !n.Get("fallback_sni").Empty():
		return
	default:
		slices.Sort(served)
		e.Policy.Names = slices.Compact(served)
		e.Assume("names", strings.Join(e.Policy.Names, ", "), sourceNames)
	}
	e.Policy.SNIRequired = !fallback
}

// matched are the names that a policy is for; known false: a policy cannot say for which.
func (r *reader) matched(e *imported.Endpoint, match *document.Node) (names []string, known bool) {
	known = true
	for kind, value := range match.All() {
		switch kind {
		case "sni":
			r.Fact(e, "match.sni", value)
			for _, name := range value.Texts() {
				switch {
				case placeholder(name):
					r.Problem(value, "match.sni: %s is filled in when Caddy runs", document.Quote(name))
					known = false
				case name != "": // the empty name is a hello without one
					names = append(names, name)
				}
			}
		default:
			known = kind == "remote_ip" || kind == "local_ip"
			r.Problem(value, "match.%s: a policy cannot say this; the endpoint is taken to answer all", kind)
		}
	}
	return names, known
}

func (r *reader) suites(e *imported.Endpoint, n *document.Node) []wire.CipherSuite {
	// These six are configured by Caddy itself, so that Go's own defaults never apply.
	own := []wire.CipherSuite{
		wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		wire.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
	if n.Empty() {
		e.Assume("cipher_suites", "the six with forward secrecy and AEAD, in the order of Go", sourceDefaults)
		return own
	}
	r.Fact(e, "cipher_suites", n)
	var out []wire.CipherSuite
	for _, item := range n.Items() {
		suite, tls13, ok := gotls.Suite(item.Text())
		switch {
		case !ok, strings.HasSuffix(item.Text(), "_CHACHA20_POLY1305"): // an older name, which Go has for the constant alone
			r.Refuse(item, "cipher_suites: Caddy knows no suite of the name %s", document.Quote(item.Text()))
		case !tls13 && !gotls.Secure(suite, r.golang):
			r.Refuse(item, "cipher_suites: %s is insecure to Go, and Caddy %s refuses it", item.Text(), r.Version)
		case tls13:
			r.Problem(item, "cipher_suites: %s is of TLS 1.3, whose suites are always on", item.Text())
		default:
			out = append(out, suite)
		}
	}
	if out == nil {
		return []wire.CipherSuite{} // TLS 1.3 alone is left
	}
	return out
}

func (r *reader) curves(e *imported.Endpoint, n *document.Node) []wire.NamedGroup {
	if n.Empty() {
		groups := []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp256r1}
		if release.AtLeast(r.version, "2.10") {
			groups = append([]wire.NamedGroup{wire.GroupX25519MLKEM768}, groups...)
		}
		var names []string
		for _, g := range groups {
			names = append(names, g.String())
		}
		e.Assume("curves", strings.Join(names, ", "), sourceDefaults)
		return groups
	}
	r.Fact(e, "curves", n)
	out := []wire.NamedGroup{}
	for _, item := range n.Items() {
		g, ok := wire.NamedGroupByName(item.Text())
		if !ok || !slices.Contains(curveWords(), item.Text()) { // p256 and the like are names of keys
			r.Problem(item, "curves: Caddy knows no curve of the name %s", document.Quote(item.Text()))
			continue
		}
		out = append(out, g)
	}
	return out
}

// curveWords are the curves that Caddy knows.
func curveWords() []string {
	return []string{"x25519mlkem768", "x25519", "secp256r1", "secp384r1", "secp521r1"}
}

// bound reads protocol_min or protocol_max. Caddy knows two versions; for others Go's own bound would stand.
func (r *reader) bound(e *imported.Endpoint, n *document.Node, key string, otherwise wire.Version) wire.Version {
	value := n.Get(key)
	if text := value.Text(); value.Present() && !value.Quoted && text != "" && (text == "true" || text == "false" || strings.ContainsAny(text[:1], "-0123456789")) {
		r.Refuse(value, "%s: a text is expected, not %s; Caddy refuses it", key, document.Quote(value.Text()))
	}
	switch value.Text() {
	case "":
		e.Assume(key, otherwise.String(), sourceDefaults)
		return otherwise
	case "tls1.2":
		r.Fact(e, key, value)
		return wire.VersionTLS12
	case "tls1.3":
		r.Fact(e, key, value)
		return wire.VersionTLS13
	}
	r.Fact(e, key, value)
	r.Problem(value, "%s: Caddy knows tls1.2 and tls1.3, not %s: the default of Go is taken", key, document.Quote(value.Text()))
	return 0
}

func (r *reader) protocols(e *imported.Endpoint, server, n *document.Node) []string {
	out := []string{"h2", "http/1.1"}
	if n.Present() {
		r.Fact(e, "alpn", n)
		out = n.Texts()
	} else {
		e.Assume("alpn", "h2, http/1.1", sourceDefaults)
	}
	if enabled := server.Get("protocols"); !enabled.Empty() && !slices.Contains(enabled.Texts(), "h2") {
		r.Fact(e, "protocols", enabled)
		out = slices.DeleteFunc(slices.Clone(out), func(p string) bool { return p == "h2" })
	}
	if len(out) > 0 && !slices.Contains(out, "acme-tls/1") {
		out = append(slices.Clone(out), "acme-tls/1")
		e.Assume("alpn", "acme-tls/1", sourceACME)
	}
	return out
}

func (r *reader) clientAuth(e *imported.Endpoint, n *document.Node) policy.ClientAuth {
	if n.Empty() {
		return policy.ClientAuthNone
	}
	r.unknownFields(n, "client_authentication", "ca", "trusted_ca_certs", "trusted_ca_certs_pem_files", "trusted_leaf_certs", "verifiers", "mode")
	mode := n.Get("mode")
	if mode.Present() {
		r.Fact(e, "client_authentication.mode", mode)
	} else {
		e.Assume("client_authentication.mode", "require_and_verify, or require without authorities", sourceDefaults)
	}
	switch mode.Text() {
	case "request", "verify_if_given":
		return policy.ClientAuthRequest
	case "", "require", "require_and_verify":
		return policy.ClientAuthRequire
	}
	r.Refuse(mode, "client_authentication.mode: %s is not understood; a certificate is taken to be required", document.Quote(mode.Text()))
	return policy.ClientAuthRequire
}
