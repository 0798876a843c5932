package traefik

import (
	"encoding/base64"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/internal/certfile"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
)

// collect takes what a document has of Traefik; false: nothing.
func (r *reader) collect(n *document.Node, depth int) bool {
	if n.Kind == document.List && depth < 2 {
		found := false
		for _, item := range n.Items() {
			found = r.collect(item, depth+1) || found
		}
		return found
	}
	if kind := n.Get("kind"); kind.Present() && n.Get("apiVersion").Present() {
		return r.resource(n, depth)
	}
	tls, http, tcp := n.Get("tls"), n.Get("http"), n.Get("tcp")
	if !tls.Present() && !http.Present() && !tcp.Present() {
		return false
	}
	r.UnknownKeys(tls, "tls", "options", "stores", "certificates")
	for name, o := range tls.Get("options").All() {
		r.option(name, o)
	}
	for _, c := range tls.Get("certificates").Items() {
		if l := r.certificate(c.Get("certFile")); l != nil {
			r.keep(l)
		}
	}
	for name, store := range tls.Get("stores").All() {
		if name != "default" {
			r.Problem(store, "tls.stores: only the store called default is used, not %s", document.Quote(name))
			continue
		}
		if c := store.At("defaultCertificate", "certFile"); !c.Empty() {
			r.fallback = r.certificate(c)
		}
	}
	r.fileRouters(http, tcp)
	for name, t := range http.Get("serversTransports").All() {
		r.transports = append(r.transports, transport{name, false, t})
	}
	for name, t := range tcp.Get("serversTransports").All() {
		r.transports = append(r.transports, transport{name, true, t})
	}
	return true
}

func (r *reader) option(name string, n *document.Node) {
	if _, twice := r.options[name]; twice {
		r.Problem(n, "tls.options %s stands twice; the last one counts", document.Quote(name))
	} else {
		r.order = append(r.order, name)
	}
	r.options[name] = n
}

func (r *reader) fileRouters(http, tcp *document.Node) {
	for _, kind := range []*document.Node{http, tcp} {
		for name, n := range kind.Get("routers").All() {
			settings := n.Get("tls")
			if !settings.Present() || settings.Kind == document.Scalar && !settings.True() {
				continue
			}
			if passes := settings.Get("passthrough"); passes.True() {
				r.Problem(passes, "router %s passes TLS through: its servers decide", document.Quote(name))
				continue
			}
			options := strings.TrimSuffix(settings.Get("options").Text(), "@file")
			r.router(name, options, n.Get("rule"), n)
		}
	}
}

func (r *reader) router(name, options string, rule, n *document.Node) {
	if options == "" {
		options = "default"
	}
	hosts, whole, err := hostsOf(rule.Text())
	if err != nil {
		r.Problem(rule, "rule of router %s: %v", document.Quote(name), err)
		whole = true
	}
	r.routers = append(r.routers, router{name, options, rule, hosts, whole, n})
}

// resource takes an object of Kubernetes.
func (r *reader) resource(n *document.Node, depth int) bool {
	kind, version := n.Get("kind").Text(), n.Get("apiVersion").Text()
	if strings.HasSuffix(kind, "List") && n.Get("items").Present() && depth < 2 {
		return r.collect(n.Get("items"), depth+1)
	}
	namespace, name := n.At("metadata", "namespace").Text(), n.At("metadata", "name").Text()
	if namespace == "" {
		namespace = "default"
	}
	if kind == "Secret" {
		r.secret(n)
		return false
	}
	if !strings.HasPrefix(version, "traefik.io/") && !strings.HasPrefix(version, "traefik.containo.us/") {
		return false
	}
	spec := n.Get("spec")
	switch kind {
	case "TLSOption":
		key := namespace + "-" + name
		if name == "default" {
			key = "default" // whatever its namespace: there may be one alone
		}
		r.option(key, spec)
	case "TLSStore":
		if secret := spec.At("defaultCertificate", "secretName"); !secret.Empty() {
			r.Problem(secret, "the default certificate is in Secret %s, whose kind is not looked up", document.Quote(secret.Text()))
		}
	case "IngressRoute", "IngressRouteTCP":
		r.ingressRoute(namespace, name, spec)
	case "ServersTransport", "ServersTransportTCP":
		r.transports = append(r.transports, transport{namespace + "-" + name, kind == "ServersTransportTCP", spec})
	case "Middleware", "MiddlewareTCP", "TraefikService", "IngressRouteUDP":
		// nothing of TLS
	default:
		r.Problem(n, "%s is not understood", document.Quote(kind))
	}
	return true
}

func (r *reader) ingressRoute(namespace, name string, spec *document.Node) {
	settings := spec.Get("tls")
	if !settings.Present() {
		return
	}
	if passes := settings.Get("passthrough"); passes.True() {
		r.Problem(passes, "%s passes TLS through: its servers decide", document.Quote(name))
		return
	}
	options := ""
	if o := settings.At("options", "name"); !o.Empty() {
		in := settings.At("options", "namespace").Text()
		if in == "" {
			in = namespace
		}
		if options = in + "-" + o.Text(); o.Text() == "default" {
			options = "default"
		}
	}
	for _, route := range spec.Get("routes").Items() {
		r.router(namespace+"-"+name, options, route.Get("match"), route)
	}
}

// secret reads tls.crt of a Secret as a certificate of the store: Traefik picks certificates by their names.
func (r *reader) secret(n *document.Node) {
	crt := n.At("data", "tls.crt")
	if crt.Empty() || len(r.leaves) >= maxCertificates {
		return
	}
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(crt.Text()), ""))
	if err != nil || len(data) > certfile.MaxBytes {
		r.Problem(crt, "Secret %s: tls.crt is no base64 of a certificate", document.Quote(n.At("metadata", "name").Text()))
		return
	}
	if l := r.pem(crt, data, "Secret "+n.At("metadata", "name").Text()); l != nil {
		r.keep(l)
	}
}
