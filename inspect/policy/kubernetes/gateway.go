package kubernetes

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

const (
	sourceGateway  = "Gateway API: the implementation decides on what its listeners leave open"
	sourceUpstream = "Envoy: UpstreamTlsContext, defaults of TlsParameters"
)

// maxListeners is how many listeners the API lets a Gateway have.
const maxListeners = 64

// gatewayAPI makes endpoints of the listeners of Gateways, and of BackendTLSPolicies.
func (r *reader) gatewayAPI() {
	for _, g := range r.gateways {
		if r.Full() {
			return
		}
		for i, l := range g.At("spec", "listeners").Items() {
			if i == maxListeners {
				r.Problem(l, "Gateway %s: the API takes %d listeners; the rest is left out", document.Quote(nameOf(g)), maxListeners)
				break
			}
			r.gatewayListener(g, l)
		}
	}
	for _, b := range r.backends {
		r.backendPolicy(b)
	}
}

// implementation is the built-in policy that a class of Gateways answers with; empty: none is known.
func (r *reader) implementation(class string) string {
	controller, known := r.classes["GatewayClass/"+class]
	if !known {
		controller = class
	}
	for part, ref := range map[string]string{
		"gateway.envoyproxy.io": "envoy/envoy-server-default", "istio.io": "istio/istio-gateway-default", "projectcontour.io": "contour/contour-default",
		"traefik.io": "traefik/traefik-3.7", "io.cilium": "envoy/envoy-server-default", "kgateway.dev": "envoy/envoy-server-default", "networking.gke.io": "gcp/COMPATIBLE",
	} {
		if known && strings.HasPrefix(controller, part) {
			return ref
		}
	}
	switch class {
	case "istio":
		return "istio/istio-gateway-default"
	case "eg", "envoy", "envoy-gateway", "cilium", "kgateway":
		return "envoy/envoy-server-default"
	case "contour":
		return "contour/contour-default"
	case "traefik":
		return "traefik/traefik-3.7"
	}
	if strings.HasPrefix(class, "gke-l7-") {
		return "gcp/COMPATIBLE"
	}
	return ""
}

func (r *reader) gatewayListener(g, l *document.Node) {
	protocol, tls := l.Get("protocol").Text(), l.Get("tls")
	name := nameOf(g) + "/" + l.Get("name").Text()
	switch {
	case protocol == "HTTP" || protocol == "TCP" || protocol == "UDP":
		return
	case protocol != "HTTPS" && protocol != "TLS":
		r.Problem(l.Get("protocol"), "listener %s: protocol %s is not understood", document.Quote(name), document.Quote(protocol))
		return
	case tls.Get("mode").Text() == "Passthrough":
		r.Problem(tls.Get("mode"), "listener %s passes TLS through for %s: the backends decide", document.Quote(name), r.routed(g, l))
		return
	}
	if mode := tls.Get("mode"); !mode.Empty() && mode.Text() != "Terminate" {
		r.Problem(mode, "listener %s: mode %s is not understood", document.Quote(name), document.Quote(mode.Text()))
	}
	class := g.At("spec", "gatewayClassName")
	ref := r.implementation(class.Text())
	p, err := r.finder.Find(ref)
	if ref == "" || err != nil {
		r.Problem(class, "Gateway %s is of class %s, whose versions and suites are not known: with its GatewayClass in the file those of Envoy Gateway, Istio, Contour, Cilium, kgateway, Traefik and GKE are", document.Quote(nameOf(g)), document.Quote(class.Text()))
		return
	}
	e := &imported.Endpoint{System: "gateway-api", Side: imported.Server, Name: name, Listen: []string{":" + l.Get("port").Text()}, Policy: p, Spans: r.listenerSpans(g, l)}
	r.Fact(e, "gatewayClassName", class)
	e.Assume("versions, suites, groups", p.Name, sourceGateway)
	if protocol == "HTTPS" {
		p.ALPN = []string{"h2", "http/1.1"}
		e.Assume("ALPN", "h2, http/1.1", sourceGateway)
	}
	r.gatewayNames(e, g, l)
	r.gatewayAuth(e, g, tls)
	for _, c := range tls.Get("certificateRefs").Items() {
		namespace := c.Get("namespace").Text()
		if namespace == "" {
			namespace = namespaceOf(g)
		}
		r.Fact(e, "certificateRefs", c.Get("name"))
		if leaf := r.certificate(e, namespace, c.Get("name")); leaf != nil && !slices.Contains(p.Certificates, leaf.Type) {
			p.Certificates = append(p.Certificates, leaf.Type)
		}
	}
	p.Name, p.Provider, p.Product, p.Aliases = name, "gateway-api", class.Text(), nil
	r.Add(e)
}

// gatewayNames are the listener's hostname, or those of TLSRoutes; routes of HTTP choose after the handshake.
func (r *reader) gatewayNames(e *imported.Endpoint, g, l *document.Node) {
	host := l.Get("hostname")
	var names []string
	if !host.Empty() {
		r.Fact(e, "hostname", host)
		names = []string{host.Text()}
	}
	for _, route := range r.routes[namespaceOf(g)+"/"+nameOf(g)] {
		if !attached(route, g, l) {
			continue
		}
		hostnames := route.At("spec", "hostnames")
		if hostnames.Empty() {
			continue
		}
		r.Fact(e, route.Get("kind").Text()+" "+nameOf(route)+" hostnames", hostnames)
		if route.Get("kind").Text() == "TLSRoute" && host.Empty() {
			names = append(names, hostnames.Texts()...)
		}
	}
	e.Default = len(names) == 0
	for _, name := range names {
		if rest, wild := strings.CutPrefix(name, "*."); wild {
			name = "**." + rest // Gateway API: a wildcard hostname is a suffix match
		}
		e.Policy.Names = append(e.Policy.Names, strings.ToLower(name))
	}
	if e.Policy.Family == policy.FamilyBoringSSL && !e.Default {
		e.Policy.SNIRequired, e.Policy.NameSilent = true, true
	}
}

// routed are the names that TLSRoutes give to a listener, for a message.
func (r *reader) routed(g, l *document.Node) string {
	names := l.Get("hostname").Texts()
	for _, route := range r.routes[namespaceOf(g)+"/"+nameOf(g)] {
		if attached(route, g, l) {
			names = append(names, route.At("spec", "hostnames").Texts()...)
		}
	}
	if len(names) == 0 {
		return "every name"
	}
	return document.Quote(strings.Join(names, " "))
}

// route puts a route under the Gateways that it names.
func (r *reader) route(n *document.Node) {
	for _, parent := range n.At("spec", "parentRefs").Items() {
		namespace := parent.Get("namespace").Text()
		if namespace == "" {
			namespace = namespaceOf(n)
		}
		key := namespace + "/" + parent.Get("name").Text()
		if known := r.routes[key]; len(known) == 0 || known[len(known)-1] != n {
			r.routes[key] = append(known, n)
		}
	}
}

// attached reports whether a route names the listener as its parent.
func attached(route, g, l *document.Node) bool {
	for _, parent := range route.At("spec", "parentRefs").Items() {
		namespace := parent.Get("namespace").Text()
		if namespace == "" {
			namespace = namespaceOf(route)
		}
		section := parent.Get("sectionName").Text()
		if parent.Get("name").Text() == nameOf(g) && namespace == namespaceOf(g) && (section == "" || section == l.Get("name").Text()) &&
			(parent.Get("port").Empty() || parent.Get("port").Text() == l.Get("port").Text()) {
			return true
		}
	}
	return false
}

// gatewayAuth reads what the listener, or the Gateway for all of them, asks of the client's certificate, and the options.
func (r *reader) gatewayAuth(e *imported.Endpoint, g, tls *document.Node) {
	e.Policy.ClientAuth = policy.ClientAuthNone
	validation := tls.Get("frontendValidation") // until Gateway API 1.3
	if front := g.At("spec", "tls", "frontend"); front.Present() {
		validation = front.At("default", "validation")
		for _, port := range front.Get("perPort").Items() {
			if e.Listen[0] == ":"+port.Get("port").Text() {
				validation = port.At("tls", "validation")
			}
		}
	}
	if !validation.Get("caCertificateRefs").Empty() {
		r.Fact(e, "validation.caCertificateRefs", validation.Get("caCertificateRefs"))
		e.Policy.ClientAuth = policy.ClientAuthRequire
		if mode := validation.Get("mode"); mode.Text() == "AllowInsecureFallback" {
			e.Policy.ClientAuth = policy.ClientAuthRequest
			r.Fact(e, "validation.mode", mode)
		}
	}
	for key, value := range tls.Get("options").All() {
		switch {
		case key == "gateway.istio.io/tls-terminate-mode" && (value.Text() == "MUTUAL" || value.Text() == "ISTIO_MUTUAL"):
			e.Policy.ClientAuth = policy.ClientAuthRequire
			r.Fact(e, key, value)
		case key == "gateway.istio.io/tls-terminate-mode" && (value.Text() == "OPTIONAL_MUTUAL"):
			e.Policy.ClientAuth = policy.ClientAuthRequest
			r.Fact(e, key, value)
		case key == "gateway.istio.io/tls-terminate-mode" && value.Text() == "SIMPLE":
			r.Fact(e, key, value)
		default:
			r.Problem(value, "tls.options: %s is the implementation's own and not understood", document.Quote(key))
		}
	}
	for key, value := range tls.All() {
		switch key {
		case "mode", "certificateRefs", "options", "frontendValidation":
		default:
			r.Problem(value, "tls: %s is not understood", document.Quote(key))
		}
	}
}

// backendPolicy is a BackendTLSPolicy: what the implementation offers to a service.
func (r *reader) backendPolicy(n *document.Node) {
	e := &imported.Endpoint{System: "gateway-api", Side: imported.Client, Name: namespaceOf(n) + "/" + nameOf(n), Spans: []imported.Span{r.span(n)}}
	for _, target := range n.At("spec", "targetRefs").Items() {
		where := target.Get("name").Text()
		if section := target.Get("sectionName").Text(); section != "" {
			where += ":" + section
		}
		e.Listen = append(e.Listen, where)
		r.Fact(e, "targetRefs", target.Get("name"))
	}
	// Which implementation connects is not in the policy: that of the Gateways in the file, where they agree.
	ref := ""
	for _, g := range r.gateways {
		own := r.implementation(g.At("spec", "gatewayClassName").Text())
		if ref != "" && own != ref {
			ref = ""
			break
		}
		ref = own
	}
	p, err := r.finder.Find(ref)
	if ref == "" || err != nil || p.Family != policy.FamilyBoringSSL || strings.HasPrefix(ref, "gcp/") {
		r.Problem(n, "BackendTLSPolicy %s: no Gateway in this file tells which implementation connects, or its offer is not known", document.Quote(nameOf(n)))
		return
	}
	// Envoy's upstream default stops at TLS 1.2.
	p.Versions, p.EqualPreference, p.SNIRequired = []wire.Version{wire.VersionTLS12}, nil, false
	p.CipherSuites = slices.DeleteFunc(p.CipherSuites, func(s wire.CipherSuite) bool { info, _ := s.Info(); return info.TLS13() })
	e.Assume("versions, suites, groups", "Envoy's for upstreams", sourceUpstream)
	if hostname := n.At("spec", "validation", "hostname"); hostname.Present() {
		p.Names = []string{hostname.Text()}
		r.Fact(e, "validation.hostname", hostname)
	} else {
		r.Problem(n, "BackendTLSPolicy %s has no validation.hostname", document.Quote(nameOf(n)))
	}
	for key, value := range n.At("spec", "options").All() {
		r.Problem(value, "options: %s is the implementation's own and not understood", document.Quote(key))
	}
	p.Name, p.Provider, p.Product, p.Aliases = e.Name, "gateway-api", "BackendTLSPolicy", nil
	e.Policy = p
	r.Add(e)
}
