package caddy

import (
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/gotls"
)

const sourceTransport = "Caddy: reverse_proxy, HTTP transport; Go's own defaults apply"

// proxies finds reverse proxies that speak TLS to their backends, in routes and in the routes within them.
func (r *reader) proxies(server string, routes *document.Node, depth int) {
	if depth > maxDepth {
		r.Problem(routes, "routes are nested more than %d deep", maxDepth)
		return
	}
	for _, route := range routes.Items() {
		for _, h := range route.Get("handle").Items() {
			switch h.Get("handler").Text() {
			case "subroute":
				r.proxies(server, h.Get("routes"), depth+1)
			case "reverse_proxy":
				r.proxy(server, h)
			}
		}
	}
}

func (r *reader) proxy(server string, h *document.Node) {
	transport := h.Get("transport")
	settings := transport.Get("tls")
	if !settings.Present() {
		return
	}
	if protocol := transport.Get("protocol").Text(); protocol != "http" && protocol != "" && protocol != "http_ntlm" {
		r.Problem(transport, "transport %s with TLS is not understood", document.Quote(protocol))
		return
	}
	e := &imported.Endpoint{Side: imported.Client}
	for _, u := range h.Get("upstreams").Items() {
		e.Listen = append(e.Listen, u.Get("dial").Text())
	}
	if h.Get("dynamic_upstreams").Present() {
		r.Problem(h.Get("dynamic_upstreams"), "the backends are looked up when Caddy runs")
	}
	e.Name = server + " reverse_proxy"
	if len(e.Listen) > 0 {
		e.Name += " " + e.Listen[0]
	}
	r.UnknownKeys(settings, "transport.tls", "ca", "root_ca_pool", "root_ca_pem_files", "client_certificate_file", "client_certificate_key_file", "client_certificate_automate",
		"insecure_skip_verify", "handshake_timeout", "server_name", "renegotiation", "except_ports", "curves")
	config := gotls.Config{Go: r.golang, Client: true, ALPN: []string{"h2", "http/1.1"}}
	if curves := settings.Get("curves"); !curves.Empty() {
		config.Groups = r.curves(e, curves)
	}
	if versions := transport.Get("versions"); !versions.Empty() {
		r.Fact(e, "versions", versions)
		config.ALPN = nil
		for _, v := range versions.Texts() {
			switch v {
			case "2":
				config.ALPN = append([]string{"h2"}, config.ALPN...)
			case "1.1":
				config.ALPN = append(config.ALPN, "http/1.1")
			case "h2c", "3":
			default:
				r.Problem(versions, "versions: %s is not understood", document.Quote(v))
			}
		}
	} else {
		e.Assume("versions", "1.1, 2", sourceTransport)
	}
	e.Assume("versions of TLS, suites, groups", "as Go offers them", sourceTransport)
	for _, key := range []string{"client_certificate_file", "client_certificate_automate", "except_ports"} {
		if value := settings.Get(key); !value.Empty() {
			r.Fact(e, "transport.tls."+key, value)
		}
	}
	e.Policy = config.Policy()
	e.Policy.ALPNRequired = false
	e.Policy.Names = r.sent(e, settings)
	e.Policy.Name, e.Policy.Provider, e.Policy.Product = e.Name, Kind, "reverse_proxy"
	r.Add(e)
}

// sent is the server name of the hello: server_name, or the host that is dialed.
func (r *reader) sent(e *imported.Endpoint, settings *document.Node) []string {
	if name := settings.Get("server_name"); !name.Empty() {
		r.Fact(e, "transport.tls.server_name", name)
		if placeholder(name.Text()) {
			r.Problem(name, "server_name: %s is filled in when Caddy runs", document.Quote(name.Text()))
			return nil
		}
		return []string{name.Text()}
	}
	for _, dial := range e.Listen {
		host := dial
		if i := strings.LastIndexByte(dial, ':'); i > 0 {
			host = dial[:i]
		}
		if !placeholder(host) && isName(host) {
			return []string{host}
		}
	}
	return nil
}
