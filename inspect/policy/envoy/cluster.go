package envoy

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
)

const sourceAuto = "Envoy: HttpProtocolOptions.auto_config negotiates the HTTP version"

const maxListed = 16 // backends of a cluster that are named

// cluster reads what Envoy offers to the hosts of a cluster.
func (r *reader) cluster(n *document.Node) {
	r.upstream(n, n, "")
	for _, m := range field(n, "transport_socket_matches").Items() {
		r.upstream(n, m, field(m, "name").Text())
	}
}

func (r *reader) upstream(cluster, n *document.Node, match string) {
	context, quic := r.context(n, "UpstreamTlsContext")
	if context == nil {
		return
	}
	name := field(cluster, "name").Text()
	e := &imported.Endpoint{Side: imported.Client, Name: name, Listen: backends(cluster)}
	if match != "" {
		e.Name += "/" + match
	}
	r.unknownFields(context, "UpstreamTlsContext", "common_tls_context", "sni", "auto_host_sni", "auto_sni_san_validation", "allow_renegotiation", "max_session_keys", "enforce_rsa_key_usage")
	e.Policy = r.common(e, field(context, "common_tls_context"), imported.Client)
	e.Policy.EqualPreference = nil // an offer has one order
	if quic {
		e.Policy.Versions = slices.DeleteFunc(e.Policy.Versions, below13)
		e.Policy.CipherSuites = slices.DeleteFunc(e.Policy.CipherSuites, notTLS13)
	}
	r.httpOptions(e, cluster)
	r.sni(e, context, cluster)
	if len(field(field(context, "common_tls_context"), "tls_certificates").Items())+len(field(field(context, "common_tls_context"), "tls_certificate_sds_secret_configs").Items()) > 0 {
		r.certificates(e, field(context, "common_tls_context"))
	}
	e.Policy.Name, e.Policy.Provider, e.Policy.Product = e.Name, Kind, "cluster"
	r.Add(e)
}

// backends are the addresses of a cluster.
func backends(cluster *document.Node) []string {
	var out []string
	for _, group := range at(cluster, "load_assignment", "endpoints").Items() {
		for _, l := range field(group, "lb_endpoints").Items() {
			if where := address(at(l, "endpoint", "address")); len(where) > 0 && len(out) < maxListed {
				out = append(out, where...)
			}
		}
	}
	for _, h := range field(cluster, "hosts").Items() { // API v2
		if where := address(h); len(where) > 0 && len(out) < maxListed {
			out = append(out, where...)
		}
	}
	return out
}

// protocolOptions is the HttpProtocolOptions of a cluster.
func protocolOptions(cluster *document.Node) *document.Node {
	for name, options := range field(cluster, "typed_extension_protocol_options").All() {
		if strings.HasSuffix(name, "HttpProtocolOptions") {
			return options
		}
	}
	return nil
}

// httpOptions: with auto_config Envoy offers the protocols itself, where the context names none.
func (r *reader) httpOptions(e *imported.Endpoint, cluster *document.Node) {
	if auto := field(protocolOptions(cluster), "auto_config"); auto.Present() && e.Policy.ALPN == nil {
		r.Fact(e, "auto_config", auto)
		e.Policy.ALPN = []string{"h2", "http/1.1"}
		e.Assume("alpn_protocols", "h2, http/1.1", sourceAuto)
	}
}

// sni is the name that is sent: the context's, or that of the request or of the host where it is taken from there.
func (r *reader) sni(e *imported.Endpoint, context, cluster *document.Node) {
	name := field(context, "sni")
	upstream := field(protocolOptions(cluster), "upstream_http_protocol_options")
	if !upstream.Present() {
		upstream = field(cluster, "upstream_http_protocol_options")
	}
	auto, host := field(upstream, "auto_sni"), field(context, "auto_host_sni")
	override := field(upstream, "override_auto_sni_header")
	switch {
	case wrapped(auto).True():
		r.Fact(e, "auto_sni", auto)
		if override.Present() {
			r.Fact(e, "override_auto_sni_header", override)
		}
		r.Problem(auto, "auto_sni: the name sent is that of each request (its Host or :authority)")
	case wrapped(host).True():
		r.Fact(e, "auto_host_sni", host)
		e.Policy.Names = r.hostnames(cluster)
		if e.Policy.Names == nil {
			r.Problem(host, "auto_host_sni: the host names of the backends are not in this file")
		}
	}
	if !name.Empty() {
		r.Fact(e, "sni", name)
		if e.Policy.Names == nil && !wrapped(auto).True() {
			e.Policy.Names = []string{name.Text()}
		}
	}
}

// hostnames are the names of a cluster's backends, each once.
func (r *reader) hostnames(cluster *document.Node) []string {
	var out []string
	for _, group := range at(cluster, "load_assignment", "endpoints").Items() {
		for _, l := range field(group, "lb_endpoints").Items() {
			name := at(l, "endpoint", "hostname").Text()
			if name == "" {
				name = at(l, "endpoint", "address", "socket_address", "address").Text()
			}
			if _, err := netip.ParseAddr(name); err != nil && name != "" && !slices.Contains(out, name) && len(out) < maxListed {
				out = append(out, name)
			}
		}
	}
	return out
}
