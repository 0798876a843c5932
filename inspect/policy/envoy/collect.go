package envoy

import (
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
)

// collect takes the listeners, clusters and secrets of a document; false: there is nothing of Envoy's in it.
func (r *reader) collect(n *document.Node, depth int) bool {
	switch {
	case n.Kind == document.List && depth < 2:
		found := false
		for _, item := range n.Items() {
			found = r.collect(item, depth+1) || found
		}
		return found
	case field(n, "configs").Present():
		r.dump(field(n, "configs"))
		return true
	case field(n, "static_resources").Present(), field(n, "dynamic_resources").Present():
		r.bootstrap(n)
		return true
	case field(n, "resources").Present():
		found := false
		for _, item := range field(n, "resources").Items() {
			found = r.resource(item) || found
		}
		return found
	}
	return r.resource(n)
}

func (r *reader) bootstrap(n *document.Node) {
	static := field(n, "static_resources")
	r.listeners = r.gather(r.listeners, field(static, "listeners").Items())
	r.clusters = r.gather(r.clusters, field(static, "clusters").Items())
	for _, s := range field(static, "secrets").Items() {
		r.secrets[field(s, "name").Text()] = s
	}
	dynamic := field(n, "dynamic_resources")
	for _, name := range []string{"lds_config", "cds_config", "ads_config"} {
		if config := field(dynamic, name); !config.Empty() {
			r.Problem(config, "dynamic_resources.%s: what the management server says is not in this file; /config_dump shows it", name)
		}
	}
}

func (r *reader) gather(to []*document.Node, from []*document.Node) []*document.Node {
	if len(to)+len(from) > maxResources {
		r.Problem(from[0], "more than %d resources: the rest is left out", maxResources)
		from = from[:max(0, maxResources-len(to))]
	}
	return append(to, from...)
}

// resource takes one typed resource, or a listener or a cluster without its type.
func (r *reader) resource(n *document.Node) bool {
	if inner := field(n, "resource"); inner.Present() && kindOf(n) == "Resource" {
		n = inner
	}
	switch kind := kindOf(n); {
	case kind == "Listener", kind == "" && field(n, "filter_chains").Present():
		r.listeners = r.gather(r.listeners, []*document.Node{n})
	case kind == "Cluster", kind == "" && field(n, "transport_socket").Present():
		r.clusters = r.gather(r.clusters, []*document.Node{n})
	case kind == "Secret", kind == "" && (field(n, "tls_certificate").Present() || field(n, "validation_context").Present()):
		r.secrets[field(n, "name").Text()] = n
	default:
		return false
	}
	return true
}

// dump reads the entries of /config_dump. Where a listeners' dump is there, the bootstrap's own copy of the static ones is left out.
func (r *reader) dump(configs *document.Node) {
	hasListeners, hasClusters := false, false
	for _, c := range configs.Items() {
		kind := kindOf(c)
		hasListeners = hasListeners || kind == "ListenersConfigDump" || kind == "StaticListener" || kind == "DynamicListener"
		hasClusters = hasClusters || kind == "ClustersConfigDump" || kind == "StaticCluster" || kind == "DynamicCluster"
	}
	for _, c := range configs.Items() {
		switch kindOf(c) {
		case "BootstrapConfigDump":
			static := at(c, "bootstrap", "static_resources")
			if !hasListeners {
				r.listeners = r.gather(r.listeners, field(static, "listeners").Items())
			}
			if !hasClusters {
				r.clusters = r.gather(r.clusters, field(static, "clusters").Items())
			}
			for _, s := range field(static, "secrets").Items() {
				r.secrets[field(s, "name").Text()] = s
			}
		case "ListenersConfigDump":
			for _, l := range field(c, "static_listeners").Items() {
				r.dumped(l, "listener")
			}
			for _, l := range field(c, "dynamic_listeners").Items() {
				r.dumped(l, "listener")
			}
		case "ClustersConfigDump":
			for _, list := range []string{"static_clusters", "dynamic_active_clusters"} {
				for _, l := range field(c, list).Items() {
					r.dumped(l, "cluster")
				}
			}
		case "SecretsConfigDump":
			for _, list := range []string{"static_secrets", "dynamic_active_secrets"} {
				for _, s := range field(c, list).Items() {
					r.secrets[field(s, "name").Text()] = field(s, "secret")
				}
			}
		case "StaticListener", "DynamicListener":
			r.dumped(c, "listener")
		case "StaticCluster", "DynamicCluster":
			r.dumped(c, "cluster")
		case "StaticSecret", "DynamicSecret":
			r.secrets[field(c, "name").Text()] = field(c, "secret")
		case "RoutesConfigDump", "ScopedRoutesConfigDump", "EndpointsConfigDump", "EcdsConfigDump":
			// nothing of TLS
		default:
			r.Problem(c, "config dump: %s is not understood", document.Quote(c.Get("@type").Text()))
		}
	}
}

// dumped takes the listener or cluster that is in use: of a dynamic one the active state.
func (r *reader) dumped(n *document.Node, what string) {
	body := field(n, what)
	if !body.Present() {
		body = at(n, "active_state", what)
	}
	if !body.Present() {
		r.Problem(n, "%s %s is not active: warming, draining or refused", what, document.Quote(field(n, "name").Text()))
		return
	}
	if state := at(n, "error_state", "details"); !state.Empty() {
		r.Problem(state, "%s %s: the last update was refused: %s", what, document.Quote(field(n, "name").Text()), document.Quote(strings.TrimSpace(state.Text())))
	}
	if what == "listener" {
		r.listeners = r.gather(r.listeners, []*document.Node{body})
	} else {
		r.clusters = r.gather(r.clusters, []*document.Node{body})
	}
}
